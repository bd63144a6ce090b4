"""The one-cycle schedule as pure functions of how far training has come."""

from __future__ import annotations

import math
from typing import NamedTuple

WARM_UP = 0.25
START_DIVISOR = 25.0
END_DIVISOR = 1e5
MOMENTUM = (0.95, 0.85, 0.95)


class Pace(NamedTuple):
    lr: float
    momentum: float


def cosine(start: float, end: float, share: float) -> float:
    """From ``start`` at share 0 to ``end`` at share 1 along half a cosine."""
    return start + (1 - math.cos(math.pi * share)) * (end - start) / 2


def one_cycle(step: int, steps: int, peak: float) -> Pace:
    """fastai's ``fit_one_cycle``, before batch ``step`` of ``steps`` (Smith 2018, with cosine annealing).

    The learning rate climbs from ``peak / 25`` to ``peak`` over the first quarter and falls to ``peak / 1e5``; momentum
    does the opposite.
    """
    done = step / steps
    high, low, last = MOMENTUM
    if done < WARM_UP:
        share = done / WARM_UP
        return Pace(cosine(peak / START_DIVISOR, peak, share), cosine(high, low, share))
    share = (done - WARM_UP) / (1 - WARM_UP)
    return Pace(cosine(peak, peak / END_DIVISOR, share), cosine(low, last, share))

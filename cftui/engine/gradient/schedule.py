"""The one-cycle schedule, as pure functions of the share of training that is done."""

from __future__ import annotations

import math
from typing import NamedTuple

WARM_UP = 0.25
START_DIVISOR = 25.0
END_DIVISOR = 1e5
MOMENTUM = (0.95, 0.85, 0.95)


class Pace(NamedTuple):
    """The learning rate and the momentum (AdamW's first beta) of one step."""

    lr: float
    momentum: float


def cosine(start: float, end: float, share: float) -> float:
    """Interpolate from ``start`` at share 0 to ``end`` at share 1 along half a cosine."""
    return start + (1 - math.cos(math.pi * share)) * (end - start) / 2


def one_cycle(step: int, steps: int, peak: float) -> Pace:
    """Return the pace of batch ``step`` (from 0) of ``steps``, as fastai's ``fit_one_cycle`` sets it.

    The learning rate rises from ``peak / 25`` to ``peak`` over the first quarter of the steps, then falls to ``peak /
    1e5``. The momentum falls from 0.95 to 0.85 and rises again. Source: Smith 2018, with cosine annealing.
    """
    done = step / steps
    high, low, last = MOMENTUM
    if done < WARM_UP:
        share = done / WARM_UP
        return Pace(cosine(peak / START_DIVISOR, peak, share), cosine(high, low, share))
    share = (done - WARM_UP) / (1 - WARM_UP)
    return Pace(cosine(peak, peak / END_DIVISOR, share), cosine(low, last, share))

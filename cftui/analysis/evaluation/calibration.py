"""Whether a model is as sure as it says: how often its intervals hold, and whether it errs most where it expects to.

The ratings are sorted by the standard deviation predicted for them and cut into fifths, of which each has its mean
predicted standard deviation, its root mean squared error, which should be the same, and its coverage: the share of
ratings inside their 90 % intervals, which should be 90 %. Predictions are cut to the scale before their error is taken,
as everywhere; intervals lie around what was predicted before that.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cftui.engine.metrics import NINETY

FIFTHS = 5


@dataclass(frozen=True)
class Bin:
    """Of ``ratings`` many: mean predicted standard deviation, root mean squared error, share inside the interval."""

    ratings: int
    sd: float
    rmse: float
    coverage: float


@dataclass(frozen=True)
class Calibration:
    """Over all, and by fifth of predicted standard deviation, the surest first (fewer of few ratings)."""

    whole: Bin
    fifths: tuple[Bin, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def calibrate(
    centre: np.ndarray, sd: np.ndarray, rating: np.ndarray, scale: tuple[float, float] = (-math.inf, math.inf)
) -> Calibration | None:
    """Of predictions ``centre [n]``, not cut, with standard deviations ``sd [n]`` for ``rating [n]``; None of none.

    Args:
        scale: the lowest and the highest rating.
    """
    if not len(rating):
        return None
    centre, sd, rating = (column.astype(np.float64) for column in (centre, sd, rating))
    square = np.square(rating - centre.clip(*scale))
    inside = np.abs(rating - centre) <= NINETY * sd

    def summary(rows: np.ndarray) -> Bin:
        rmse = math.sqrt(square[rows].mean())
        return Bin(len(rows), float(sd[rows].mean()), rmse, float(inside[rows].mean()))

    order = np.argsort(sd, kind="stable")
    fifths = [part for part in np.array_split(order, FIFTHS) if len(part)]
    return Calibration(summary(order), tuple(summary(part) for part in fifths))

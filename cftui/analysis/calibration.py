"""Whether a model is as sure as it says: how often its intervals hold, and whether it errs most where it expects to.

The ratings are sorted by the standard deviation predicted for them and cut into fifths, of which each has its mean
predicted standard deviation, its root mean squared error, which should be the same, and its coverage: the share of
ratings inside their 90 % intervals, which should be 90 %.
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


def calibrate(mean: np.ndarray, sd: np.ndarray, rating: np.ndarray) -> Calibration | None:
    """Of predictions ``mean [n]`` with standard deviations ``sd [n]`` for ``rating [n]``; None of none."""
    if not len(rating):
        return None
    error, sd = rating.astype(np.float64) - mean, sd.astype(np.float64)

    def summary(rows: np.ndarray) -> Bin:
        inside = np.abs(error[rows]) <= NINETY * sd[rows]
        rmse = math.sqrt(np.square(error[rows]).mean())
        return Bin(len(rows), float(sd[rows].mean()), rmse, float(inside.mean()))

    order = np.argsort(sd, kind="stable")
    fifths = [part for part in np.array_split(order, FIFTHS) if len(part)]
    return Calibration(summary(order), tuple(summary(part) for part in fifths))

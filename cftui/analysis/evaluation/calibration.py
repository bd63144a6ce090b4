"""Calibration: how often a model's intervals hold, and whether its errors are largest where it expects them to be.

The ratings are sorted by their predicted standard deviation and divided into fifths. In each fifth, the mean predicted
standard deviation and the root mean squared error should be equal, and the coverage, the share of ratings inside their
90 % intervals, should be 90 %. Errors are taken after predictions are clipped to the scale, as everywhere; intervals
surround the unclipped predictions.
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
    """A group of ratings: their number, mean predicted standard deviation, RMSE, and share inside their intervals."""

    ratings: int
    sd: float
    rmse: float
    coverage: float


@dataclass(frozen=True)
class Calibration:
    """For all ratings, and by fifth of predicted standard deviation, the smallest first; fewer bins for few ratings."""

    whole: Bin
    fifths: tuple[Bin, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def calibrate(
    centre: np.ndarray, sd: np.ndarray, rating: np.ndarray, scale: tuple[float, float] = (-math.inf, math.inf)
) -> Calibration | None:
    """Calibration of unclipped predictions ``centre [n]`` with standard deviations ``sd [n]`` against ``rating [n]``.

    Args:
        scale: the lowest and the highest rating.

    Returns:
        None if there are no ratings.
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

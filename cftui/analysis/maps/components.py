"""Principal components as in the chapter: two of them, with distance, quadrant, corners and items near an axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

QUADRANTS = ("First", "Second", "Third", "Fourth", "Center")
# The distance from an axis that the chapter calls close.
NEAR = 0.0002
# A component with less than this share of the variance has none.
EMPTY = 1e-12


@dataclass(frozen=True)
class Components:
    """Two principal components of a matrix ``[n, k]``.

    Attributes:
        u: left singular vectors ``[n, 2]``, the coordinates the chapter plots.
        s: singular values ``[2]``.
        va: right singular vectors ``[2, k]``.
        variance: share of the total variance that each component holds ``[2]``; where it is 0, so is ``u``.
        centre: mean of the rows ``[k]``, subtracted beforehand.
    """

    u: np.ndarray
    s: np.ndarray
    va: np.ndarray
    variance: np.ndarray
    centre: np.ndarray


def principal(matrix: np.ndarray, k: int = 2) -> Components:
    """``fbpca.pca`` made exact and repeatable.

    With its defaults fbpca is a poor approximation on factors, whose spectrum is flat; it computes the full
    decomposition when ``l`` reaches 0.8 of the smaller side. Signs are arbitrary: here the largest entry of each
    component is positive.

    Raises:
        ValueError: fewer than ``k`` rows or columns.
    """
    import fbpca

    smaller = min(matrix.shape)
    if smaller < k:
        raise ValueError(f"a matrix of {matrix.shape[0]} x {matrix.shape[1]} does not have {k} components")
    data = np.asarray(matrix, dtype=np.float64)
    u, s, va = fbpca.pca(data, k=k, raw=False, l=smaller)
    largest = np.abs(u).argmax(axis=0)
    signs = np.where(u[largest, np.arange(k)] < 0, -1.0, 1.0)
    centre = data.mean(axis=0)
    total = np.square(data - centre).sum()
    variance = np.square(s) / total if total else np.zeros(k)
    # What rounding leaves of a component that holds no variance points nowhere.
    holds = variance > EMPTY
    return Components(u * signs * holds, s * holds, va * signs[:, None], variance * holds, centre)


def quadrant_index(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which of ``QUADRANTS`` by the signs of ``x [n]`` and ``y [n]``, int ``[n]``; on an axis the last, ``Center``."""
    return np.select([(x > 0) & (y > 0), (x < 0) & (y > 0), (x < 0) & (y < 0), (x > 0) & (y < 0)], [0, 1, 2, 3], 4)


def quadrant(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``First`` .. ``Fourth`` by the signs of ``x [n]`` and ``y [n]``; ``Center`` on an axis, as in the chapter."""
    return np.array(QUADRANTS)[quadrant_index(x, y)]


def farthest(table: pd.DataFrame, n: int = 5) -> pd.DataFrame:
    """The ``n`` items farthest from the origin in each quadrant, First to Fourth; if all are on an axis, of all."""
    placed = table[table["3"] != "Center"]
    placed = table if placed.empty else placed
    best = placed.sort_values("2", ascending=False, kind="stable").groupby("3", sort=False).head(n)
    order = {f"{name} Quadrant": rank for rank, name in enumerate(QUADRANTS)}
    return best.sort_values(["3", "2"], key=lambda c: c.map(order) if c.name == "3" else -c).reset_index(drop=True)


def near_axes(table: pd.DataFrame, tolerance: float = NEAR) -> pd.DataFrame:
    """The items within ``tolerance`` of an axis: the chapter's ``plot_close_to_axes``, each item once."""
    close = (table["0"].abs() < tolerance) | (table["1"].abs() < tolerance)
    return table[close].reset_index(drop=True)

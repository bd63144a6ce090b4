"""Principal components of the item factors, the chapter's way: two components, distance, quadrant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cftui.analysis.trained import TrainedModel
from cftui.errors import CftuiError

QUADRANTS = ("First", "Second", "Third", "Fourth", "Center")
# How close to an axis the chapter calls close.
NEAR = 0.0002


@dataclass(frozen=True)
class Components:
    """Two principal components of a matrix ``[n, k]``.

    Attributes:
        u: left singular vectors ``[n, 2]``, the coordinates the chapter plots.
        s: singular values ``[2]``.
        va: right singular vectors ``[2, k]``.
        variance: share of the total variance that each component holds ``[2]``.
    """

    u: np.ndarray
    s: np.ndarray
    va: np.ndarray
    variance: np.ndarray


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
        raise ValueError(f"{matrix.shape[0]} x {matrix.shape[1]} has no {k} components")
    data = np.asarray(matrix, dtype=np.float64)
    u, s, va = fbpca.pca(data, k=k, raw=False, l=smaller)
    largest = np.abs(u).argmax(axis=0)
    signs = np.where(u[largest, np.arange(k)] < 0, -1.0, 1.0)
    total = np.square(data - data.mean(axis=0)).sum()
    return Components(u * signs, s, va * signs[:, None], np.square(s) / total if total else np.zeros(k))


def quadrant(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``First`` .. ``Fourth`` by the signs of ``x [n]`` and ``y [n]``; ``Center`` on an axis, as in the chapter."""
    names = np.array(QUADRANTS)
    which = np.select([(x > 0) & (y > 0), (x < 0) & (y > 0), (x < 0) & (y < 0), (x > 0) & (y < 0)], [0, 1, 2, 3], 4)
    return names[which]


def frame(model: TrainedModel, components: Components) -> pd.DataFrame:
    """The chapter's data frame, with titles: ``code``, ``title``, ``ratings``, ``0``, ``1``, ``2``, ``3``.

    Columns ``0`` and ``1`` are the coordinates, ``2`` the distance from the origin, ``3`` the quadrant.
    """
    x, y = components.u[:, 0], components.u[:, 1]
    table = model.item_table.iloc[1:]
    return pd.DataFrame(
        {
            "code": np.arange(1, len(model.items)),
            "title": table["title"].to_numpy(),
            "ratings": table["ratings"].to_numpy(),
            "0": x,
            "1": y,
            "2": np.hypot(x, y),
            "3": [f"{name} Quadrant" if name != "Center" else name for name in quadrant(x, y)],
        }
    )


def item_map(model: TrainedModel) -> tuple[pd.DataFrame, Components]:
    """Components of the item factors, the unknown left out, as a data frame and as they are.

    Raises:
        CftuiError: the model has fewer than two factors or items.
    """
    factors = model.item_factors[1:]
    if min(factors.shape) < 2:
        rows, columns = factors.shape
        raise CftuiError(f"{model.run.name}: {rows} {model.nouns} x {columns} factors have no two components")
    components = principal(factors)
    return frame(model, components), components


def farthest(table: pd.DataFrame, n: int = 5) -> pd.DataFrame:
    """The ``n`` items farthest from the origin in each quadrant, First to Fourth."""
    placed = table[table["3"] != "Center"]
    best = placed.sort_values("2", ascending=False, kind="stable").groupby("3", sort=False).head(n)
    order = {f"{name} Quadrant": rank for rank, name in enumerate(QUADRANTS)}
    return best.sort_values(["3", "2"], key=lambda c: c.map(order) if c.name == "3" else -c).reset_index(drop=True)


def near_axes(table: pd.DataFrame, tolerance: float = NEAR) -> pd.DataFrame:
    """The items within ``tolerance`` of an axis: the chapter's ``plot_close_to_axes``, each item once."""
    close = (table["0"].abs() < tolerance) | (table["1"].abs() < tolerance)
    return table[close].reset_index(drop=True)

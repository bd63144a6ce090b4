"""Maps of the items: views of their factors on two axes.

The axes are principal components (of the factors, or of a part of them), the same components at an earlier epoch, axes
that the user names by their poles, or coordinates read from a file. Each view is an ``ItemMap``, and every analysis
of a map works on all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from cftui.analysis.maps.components import QUADRANTS, Components, principal, quadrant, quadrant_index
from cftui.analysis.trained import TrainedModel
from cftui.errors import CftuiError, suggestion

NEIGHBOURS = 10
COLOURINGS = ("quadrant", "genre", "bias", "ratings")
# Genres with a colour of their own; the rest form one group.
GENRES = 6
FIFTHS = 5


@dataclass(frozen=True, eq=False)
class ItemMap:
    """Items as points.

    Attributes:
        table: the chapter's data frame with titles: ``code``, ``title``, ``ratings``; ``0`` and ``1``, the coordinates;
            ``2``, the distance from the origin; ``3``, the quadrant.
        axes: the names of the two axes.
        space: the factors that this is a view of, one row per row of the table ``[n, k]``.
        variance: share of the variance that each axis explains; None if the axes are not components.
        poles: the poles of axes that were named by them: name and place, the first axis before the second.
    """

    table: pd.DataFrame
    axes: tuple[str, str]
    space: np.ndarray
    variance: np.ndarray | None = None
    poles: tuple[tuple[str, float, float], ...] = ()

    @property
    def xy(self) -> np.ndarray:
        """float64 ``[n, 2]``."""
        return self.table[["0", "1"]].to_numpy(dtype=np.float64)

    def only(self, keep: np.ndarray) -> ItemMap:
        """The items for which ``keep [n]`` is true."""
        return replace(self, table=self.table[keep].reset_index(drop=True), space=self.space[keep])

    def ends(self) -> tuple[str, str, str, str]:
        """What is at the ends of the axes, lowest and highest ``0``, lowest and highest ``1``: a pole, else a title."""
        if self.poles:
            low_x, high_x, low_y, high_y = (name for name, _, _ in self.poles)
            return low_x, high_x, low_y, high_y
        if not len(self.table):
            return "", "", "", ""
        x, y, title = self.table["0"], self.table["1"], self.table["title"]
        low_x, high_x, low_y, high_y = (str(title[i]) for i in (x.idxmin(), x.idxmax(), y.idxmin(), y.idxmax()))
        return low_x, high_x, low_y, high_y


def frame(model: TrainedModel, xy: np.ndarray) -> pd.DataFrame:
    """The chapter's data frame for coordinates ``[items - 1, 2]`` of every item but the unknown."""
    x, y = np.asarray(xy, dtype=np.float64).T
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


def principal_map(
    model: TrainedModel, factors: np.ndarray | None = None, name: str = "PC"
) -> tuple[ItemMap, Components]:
    """Two principal components of the item factors, the unknown left out.

    Args:
        factors: a part of the item factors ``[items - 1, k]`` instead of the whole, such as robust PCA gives.
        name: the name of the components, without their numbers.

    Raises:
        CftuiError: fewer than two factors or items.
    """
    space = model.item_factors[1:] if factors is None else factors
    if min(space.shape) < 2:
        rows, columns = space.shape
        raise CftuiError(
            f"{model.name}: {rows} {model.nouns} x {columns} factors; two components need at least two of each"
        )
    found = principal(space)
    return ItemMap(frame(model, found.u), (f"{name}1", f"{name}2"), space, found.variance), found


def epoch_map(earlier: TrainedModel, found: Components) -> ItemMap:
    """The items of ``model.at_epoch(...)`` on the components of the trained model.

    Separate components would rotate and flip from epoch to epoch; fixed axes show how the items move.
    """
    space = earlier.item_factors[1:].astype(np.float64)
    scale = np.where(found.s > 0, found.s, 1.0)
    return ItemMap(frame(earlier, (space - space.mean(axis=0)) @ found.va.T / scale), ("PC1", "PC2"), space)


@dataclass(frozen=True, eq=False)
class Pole:
    """One end of a named axis: an item, or the items of a genre or a tag. ``codes`` are int64."""

    name: str
    codes: np.ndarray


def pole(model: TrainedModel, text: str) -> Pole:
    """A genre or tag by its name, else an item by its title.

    Raises:
        CftuiError: neither, or several items.
    """
    wanted = text.strip().casefold()
    for name, codes in model.kinds.items():
        if name.casefold() == wanted:
            return Pole(name, codes)
    code = model.item_code(text.strip())
    return Pole(model.titles[code], np.array([code]))


def named_map(model: TrainedModel, x: tuple[Pole, Pole], y: tuple[Pole, Pole]) -> ItemMap:
    """Axes from one pole to another: the first pole lies at -1 on its axis, the second at +1.

    A pole's place is the mean of its items' factors, a coordinate the projection on the line through both poles. The
    two axes need not be at right angles in the space of the factors, as in TensorBoard's projector.

    Raises:
        CftuiError: the poles of an axis are the same place.
    """
    space = model.item_factors[1:].astype(np.float64)
    ends = [[model.item_factors[end.codes].astype(np.float64).mean(axis=0) for end in axis] for axis in (x, y)]
    coordinates, places = [], []
    for (low, high), (a, b) in zip((x, y), ends, strict=True):
        half = (b - a) / 2
        length = float(half @ half)
        if length < 1e-20:
            raise CftuiError(f"{low.name} and {high.name} are the same place; an axis needs two")
        coordinates.append((space - (a + b) / 2) @ half / length)
        places.append((np.concatenate(ends) - (a + b) / 2) @ half / length)
    names = tuple(f"{low.name} → {high.name}" for low, high in (x, y))
    poles = tuple((end.name, float(at_x), float(at_y)) for end, at_x, at_y in zip((*x, *y), *places, strict=True))
    return ItemMap(frame(model, np.column_stack(coordinates)), (names[0], names[1]), space, poles=poles)


def read_back(model: TrainedModel, table: pd.DataFrame, name: str) -> ItemMap:
    """A map from coordinates in a file: columns ``0``, ``1`` and ``title``, which identifies the items.

    Without titles the rows must be the model's items in their order.

    Args:
        name: the name of the file, for errors and the axes.

    Raises:
        CftuiError: the titles are not the model's, or the number of rows is not its number of items.
    """
    if "title" in table:
        # If two ids share a title, their rows are in the order of the codes.
        places: dict[str, list[int]] = {}
        for place, title in enumerate(model.titles[1:]):
            places.setdefault(title, []).append(place)
        waiting = {title: iter(those) for title, those in places.items()}
        found = np.array([next(waiting.get(str(title), iter(())), -1) for title in table["title"]], dtype=np.int64)
        if not (found >= 0).any():
            raise CftuiError(f"{name}: none of its titles is in {model.data_name}")
        rows, codes = table[found >= 0], found[found >= 0]
    elif len(table) == len(model.items) - 1:
        rows, codes = table, np.arange(len(table))
    else:
        raise CftuiError(f"{name}: {len(table):,} rows without titles; {model.name} has {len(model.items) - 1:,}")
    xy = np.full((len(model.items) - 1, 2), np.nan)
    xy[codes] = rows[["0", "1"]].to_numpy(dtype=np.float64)
    there = ItemMap(frame(model, np.nan_to_num(xy)), ("0", "1"), model.item_factors[1:])
    return there.only(~np.isnan(xy[:, 0]))


def trust(shown: ItemMap, row: int, n: int = NEIGHBOURS) -> tuple[int, int]:
    """How many of an item's ``n`` nearest items on the map are among its ``n`` nearest in the full space.

    Distances are Euclidean, among the items shown. Returns ``(how many, out of how many)``.
    """
    n = min(n, len(shown.table) - 1)
    if n < 1:
        return 0, 0
    near = []
    for points in (shown.xy, shown.space):
        distance = np.square(points - points[row]).sum(axis=1)
        distance[row] = np.inf
        near.append(set(np.argpartition(distance, n - 1)[:n].tolist()))
    return len(near[0] & near[1]), n


def groups(model: TrainedModel, table: pd.DataFrame, by: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The colour groups of a map's rows: a group per row, int ``[n]``, and the names of the groups.

    Args:
        by: ``quadrant``; ``genre``, the commonest six, each item by the rarest of its own; ``bias`` or ``ratings``, in
            fifths of the items shown, lowest first.

    Raises:
        CftuiError: there is no such colouring, or the recipe has no biases.
    """
    if by == "quadrant":
        return quadrant_index(table["0"].to_numpy(), table["1"].to_numpy()), QUADRANTS
    codes = table["code"].to_numpy()
    if by == "genre":
        sizes = {name: int(flags[codes].sum()) for name, flags in model.genres.items()}
        common = sorted(sizes, key=lambda name: -sizes[name])[:GENRES]
        group = np.full(len(codes), len(common), dtype=np.int64)
        # The commonest genre first, so that a rarer genre of the same item overrides it.
        for index, name in enumerate(common):
            group[model.genres[name][codes]] = index
        return group, (*common, "other")
    if by == "bias":
        return fifths(model.item_bias[codes])
    if by == "ratings":
        return fifths(model.counts[codes])
    raise CftuiError(f"no colouring {by!r}; {suggestion(by, list(COLOURINGS))}")


def fifths(values: Sequence[float] | np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Fifths of some numbers, lowest first, named by where they begin and end."""
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        return np.empty(0, np.int64), ()
    edges = np.quantile(numbers, np.linspace(0, 1, FIFTHS + 1))
    group = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, FIFTHS - 1)
    whole = np.issubdtype(np.asarray(values).dtype, np.integer)
    shown = [f"{edge:,.0f}" if whole else f"{edge:+.2f}" for edge in edges]
    return group.astype(np.int64), tuple(f"{a} to {b}" for a, b in pairwise(shown))

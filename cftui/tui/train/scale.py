"""The axes of a chart: which values are on them, where their ticks are, and where a curve leaves them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Point = tuple[float, float]

# Values closer than this share of their size are not spread over the whole height.
LEAST_REACH = 0.05
MARGIN = 0.05
# On a logarithmic axis that spans less than this factor, the ticks of a linear one fit better than powers of ten.
DECADE = 10.0


@dataclass(frozen=True)
class Scale:
    """The y axis: the values from ``low`` to ``high``, evenly spaced or, with ``log``, by their logarithms."""

    low: float
    high: float
    log: bool = False

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def height(self, value: float) -> float:
        """How high a value is: 0 at the bottom of the axis, 1 at its top."""
        if not self.log:
            return (value - self.low) / (self.high - self.low)
        low, high = math.log(self.low), math.log(self.high)
        return (math.log(max(value, 1e-12)) - low) / (high - low)


def scale_of(low: float, high: float, *, log: bool = False) -> Scale:
    """A scale for the values from ``low`` to ``high``, with a little room at both ends."""
    margin = (high - low or abs(high) * LEAST_REACH or 1.0) * MARGIN
    if not log:
        return Scale(low - margin, high + margin)
    low = max(low, 1e-12)
    return Scale(max(low - margin, low / 1.05), high + margin, log=True)


def what_matters(anchors: Sequence[float], others: Sequence[float] = ()) -> tuple[float, float]:
    """The lowest and the highest value to show: all of ``anchors``, and ``others`` that are near them.

    Near is at most as far away as the anchors are from each other. One loss of the first epoch, or of the first
    batches, therefore does not press everything that follows into one line.
    """
    low, high = min(anchors), max(anchors)
    reach = max(high - low, LEAST_REACH * abs(high))
    near = [*anchors, *(value for value in others if low - reach <= value <= high + reach)]
    return min(near), max(near)


def round_ticks(low: float, high: float, at_most: int, *, whole: bool = False) -> list[tuple[float, str]]:
    """At most ``at_most`` values from ``low`` to ``high``, 1, 2 or 5 times a power of ten apart, with labels.

    Args:
        whole: only whole numbers.
    """
    if at_most < 1 or not high > low:
        return []
    power = math.floor(math.log10((high - low) / at_most))
    for step, digits in _steps(power):
        if whole and step < 1:
            continue
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < at_most:
            return [(n * step, f"{n * step:,.{digits}f}") for n in range(first, last + 1)]
    return []


def _steps(power: int) -> Iterator[tuple[float, int]]:
    """1, 2 and 5 times this power of ten and the two above it, with the decimals that each needs."""
    for p in range(power, power + 3):
        for factor in (1, 2, 5):
            yield factor * 10.0**p, max(0, -p)


def y_ticks(scale: Scale, at_most: int) -> list[tuple[float, str]]:
    """Round values on the y axis, with their labels."""
    if not scale.log or scale.high < scale.low * DECADE:
        return round_ticks(scale.low, scale.high, at_most)
    powers = range(math.ceil(math.log10(scale.low)), math.floor(math.log10(scale.high)) + 1)
    every = -(-len(powers) // max(at_most, 1))
    return [(10.0**power, f"{10.0**power:g}") for power in powers[:: every or 1]]


def cut(points: Sequence[Point]) -> tuple[list[list[Point]], list[tuple[float, bool]]]:
    """What of a curve is on the axis: its y are heights, of which those from 0 to 1 are shown.

    Returns:
        The pieces of the curve that are on the axis; and where it leaves or enters it: x, and whether that is at the
        top. A curve that is never on the axis is marked where it ends.
    """
    pieces: list[list[Point]] = []
    crossings: list[tuple[float, bool]] = []
    piece: list[Point] = []
    if points and 0 <= points[0][1] <= 1:
        piece = [points[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        edges = sorted(((edge - y0) / (y1 - y0), edge) for edge in (0.0, 1.0) if min(y0, y1) < edge < max(y0, y1))
        for share, edge in edges:
            x = x0 + share * (x1 - x0)
            piece.append((x, edge))
            crossings.append((x, edge == 1.0))
            if len(piece) > 1:
                pieces.append(piece)
                piece = []
        if 0 <= y1 <= 1:
            piece.append((x1, y1))
        elif piece:
            pieces.append(piece)
            piece = []
    if piece:
        pieces.append(piece)
    if points and not pieces:
        x, y = points[-1]
        crossings.append((x, y > 1))
    return pieces, crossings


def thin(points: Sequence[Point], columns: int, low: float, high: float) -> list[Point]:
    """The points in the order of x, at most two for each column from ``low`` to ``high``.

    The lowest and the highest of a column stay, so that no extreme is lost.
    """
    if len(points) <= 2 * columns or not high > low:
        return list(points)
    extremes: dict[int, tuple[Point, Point]] = {}
    for point in points:
        column = int((point[0] - low) / (high - low) * columns)
        least, most = extremes.get(column, (point, point))
        extremes[column] = (point if point[1] < least[1] else least, point if point[1] > most[1] else most)
    return [point for pair in extremes.values() for point in sorted(set(pair))]

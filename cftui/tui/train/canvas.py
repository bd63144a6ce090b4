"""A canvas of plotext on which marks, braille curves and labels agree to the cell about where a value is.

plotext rounds a mark to the nearest cell and a braille curve to the nearest dot, so that the two disagree by up to a
row. Here every value is turned into a cell or a dot first, and plotext gets their numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cftui.tui.shell.colours import RGB
from cftui.tui.train.scale import Point, Scale, cut, round_ticks, thin, y_ticks

ABOVE, BELOW = "^", "v"
ROWS_PER_TICK = 2
MOST_TICKS = 8
# Columns between the labels of two ticks of x.
GAP = 3
# plotext's marker of dots: two beside each other and four above each other in a cell.
BRAILLE = "braille"
# How much is lost where a label hides a cell.
LINE, MARK = 1, 100


class Canvas:
    """Draws on an empty figure of plotext.

    Args:
        plt: the figure.
        size: columns and rows of the figure, axes included.
        x: the values at the left and at the right end.
        y: the scale of the y axis.
        ground: the colour behind labels.
        whole: the ticks of x are whole numbers.
        unit: what x counts, written where there is room for it; "" for none.
    """

    def __init__(
        self,
        plt: Any,
        size: tuple[int, int],
        x: tuple[float, float],
        y: Scale,
        ground: RGB,
        *,
        whole: bool = True,
        unit: str = "",
    ) -> None:
        self._plt, self._x, self.scale, self._ground = plt, x, y, ground
        # Below the canvas are the axis and its labels.
        self.rows = max(size[1] - 2, 2)
        ticks = y_ticks(y, min(self.rows // ROWS_PER_TICK + 1, MOST_TICKS))
        self.columns = max(size[0] - 1 - max((len(label) for _, label in ticks), default=0), 2)
        self._weights: dict[tuple[int, int], int] = {}
        self._cuts: list[tuple[int, bool, RGB]] = []
        plt.xaxes(True, False)
        plt.yaxes(True, False)
        plt.xlim(0, self.columns - 1)
        plt.ylim(0, self.rows - 1)
        plt.yticks([self.row(value) for value, _ in ticks], [label for _, label in ticks])
        decimals = 0 if whole else len(".00")
        room = self.columns // (len(f"{x[1]:,.0f}") + decimals + GAP)
        found = round_ticks(*x, max(room, 2), whole=whole)
        x_ticks = [(self.column(value), label) for value, label in found if value >= 0]
        if unit and all(column > len(unit) for column, _ in x_ticks):
            x_ticks.append((0, unit))
        plt.xticks([column for column, _ in x_ticks], [label for _, label in x_ticks])

    def column(self, x: float) -> int:
        """The column of a value of x, from 0."""
        low, high = self._x
        return min(max(int((x - low) / (high - low) * self.columns), 0), self.columns - 1)

    def row(self, value: float) -> int:
        """The row of a value that is on the scale, from 0 at the bottom."""
        return min(max(int(self.scale.height(value) * self.rows), 0), self.rows - 1)

    # What is drawn

    def line(self, value: float, colour: RGB) -> None:
        """A horizontal line at a value that is on the scale."""
        self._plt.hline(self.row(value), colour)

    def curve(self, points: Sequence[Point], colour: RGB) -> None:
        """A curve in braille; where it leaves the scale it is cut and marked."""
        crossings = self._curve(thin(points, 2 * self.columns, *self._x), colour)
        self._cuts += [(self.column(x), above, colour) for x, above in crossings]

    def marked_curve(self, points: Sequence[Point], mark: str, colour: RGB) -> None:
        """A curve with a mark at each of its points; those off the scale have the marks of cuts."""
        thinned = thin(points, 2 * self.columns, *self._x)
        self._curve(thinned, colour)
        self.marks(thinned, mark, colour)

    def _curve(self, points: Sequence[Point], colour: RGB) -> list[tuple[float, bool]]:
        """Draw what of a curve is on the scale; where it leaves it is returned."""
        pieces, crossings = cut([(x, self.scale.height(y)) for x, y in points])
        for piece in pieces:
            dots = [self._dot(x, height) for x, height in piece]
            self._plt.plot([x for x, _ in dots], [y for _, y in dots], marker=BRAILLE, color=colour)
            self._take(_between([(round(x), round(y)) for x, y in dots]), LINE)
        return crossings

    def marks(self, points: Sequence[Point], mark: str, colour: RGB) -> None:
        """A mark at each point; at those off the scale, only the mark of a cut."""
        shown = {(self.column(x), self.row(y)) for x, y in points if self.scale.holds(y)}
        self._scatter(sorted(shown), mark, colour)
        self._take(shown, MARK)
        self._cuts += [(self.column(x), y > self.scale.high, colour) for x, y in points if not self.scale.holds(y)]

    def band(self, spans: Sequence[tuple[float, float, float, float]], mark: str, colour: RGB) -> None:
        """An area: from x to x, between two values. What is off the scale is left out."""
        cells: dict[int, tuple[float, float]] = {}
        for start, end, low, high in spans:
            for column in range(self.column(start), self.column(end) + 1):
                least, most = cells.get(column, (low, high))
                cells[column] = (min(low, least), max(high, most))
        filled = [
            (column, row)
            for column, (low, high) in cells.items()
            if high >= self.scale.low and low <= self.scale.high
            for row in range(self.row(low), self.row(high) + 1)
        ]
        self._scatter(filled, mark, colour)

    def label(self, texts: Sequence[str], value: float, colour: RGB, *, slack: int = 0) -> None:
        """A label on the row of a value, where it hides the least.

        Args:
            texts: the same in fewer and fewer words; the first that hides no mark is written.
            slack: rows this near to it are as good.
        """
        row = self.row(value)
        rows = [r for away in range(slack + 1) for r in dict.fromkeys((row + away, row - away)) if 0 <= r < self.rows]
        for text in (text[: self.columns] for text in texts):
            starts = range(self.columns - len(text), -1, -1)
            places = [(self._hidden(row, start, len(text)), row, start) for row in rows for start in starts]
            hidden, row, start = min(places, key=lambda place: place[0])
            if hidden < MARK:
                break
        self._plt.text(text, start, row, color=colour, background=self._ground, alignment="left")
        self._take(((column, row) for column in range(start, start + len(text))), MARK)

    def name(self, text: str, x: float, y: float, colour: RGB) -> None:
        """The name of a point beside its mark, unless it would hide something or does not fit."""
        column, row = self.column(x), self.row(y)
        for start in (column + 2, column - 1 - len(text)):
            if start >= 0 and start + len(text) <= self.columns and self._hidden(row, start, len(text)) < MARK:
                self._plt.text(text, start, row, color=colour, background=self._ground, alignment="left")
                self._take(((at, row) for at in range(start - 1, start + len(text) + 1)), MARK)
                return

    def _hidden(self, row: int, start: int, length: int) -> int:
        return sum(self._weights.get((column, row), 0) for column in range(start, start + length))

    def mark_cuts(self) -> None:
        """Mark where curves leave the scale: at the top or at the bottom. To be called before the labels."""
        for column, above, colour in dict.fromkeys(self._cuts):
            row = self.rows - 1 if above else 0
            self._scatter([(column, row)], ABOVE if above else BELOW, colour)
            self._take([(column, row)], MARK)

    def _take(self, cells: Iterable[tuple[int, int]], weight: int) -> None:
        for cell in cells:
            self._weights[cell] = max(weight, self._weights.get(cell, 0))

    def _scatter(self, cells: Sequence[tuple[int, int]], mark: str, colour: RGB) -> None:
        if cells:
            self._plt.scatter([column for column, _ in cells], [row for _, row in cells], marker=mark, color=colour)

    def _dot(self, x: float, height: float) -> Point:
        """The place of a dot of braille, as plotext wants it: in cells."""
        low, high = self._x
        across, up = 2 * self.columns, 4 * self.rows
        column = min(max(int((x - low) / (high - low) * across), 0), across - 1)
        row = min(max(int(height * up), 0), up - 1)
        return column * (self.columns - 1) / (across - 1), row * (self.rows - 1) / (up - 1)


def _between(cells: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The cells that a line through these cells crosses."""
    yield from cells[:1]
    for (x0, y0), (x1, y1) in itertools.pairwise(cells):
        steps = max(abs(x1 - x0), abs(y1 - y0))
        yield from ((x0 + (x1 - x0) * n // steps, y0 + (y1 - y0) * n // steps) for n in range(1, steps + 1))

"""A map of labelled points drawn with braille dots, vectorised: sixty thousand points in a few milliseconds.

It does not use plotext, which cannot select a point and is too slow for so many. A cell is two dots wide and four high.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from cftui.tui.map.labels import Label, Spans, cut, label_text, place, share
from cftui.tui.shell.colours import DARK
from cftui.tui.shell.keys import bindings

if TYPE_CHECKING:
    import numpy as np

# Bit of each dot of a braille cell, by row and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_ZOOM = 1.25
# A step sideways, as a share of what is in view.
_PAN = 0.2
# With fewer cells a line has no names at the ends of the axes.
LEAST = 20
POLE = "■"


class PointMap(Widget, can_focus=True):
    """Points with a cursor that sits on one of them.

    Arrows move the cursor to the nearest point that way; with shift they move the view; ``+`` and ``-`` zoom on the
    cursor; a click picks the nearest point.
    """

    BINDINGS = bindings("points")

    class Moved(Message):
        """The cursor is on the point with this index."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    class Selected(Message):
        """Enter, with the cursor on a point."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._xy: np.ndarray | None = None
        self._group: np.ndarray | None = None
        self._labels: dict[int, str] = {}
        self._ends: tuple[str, str, str, str] = ("", "", "", "")
        self._poles: dict[str, tuple[float, float]] = {}
        self._instead = ""
        self._found: np.ndarray | None = None
        self._palette: Sequence[str] = DARK.groups
        self.cursor: int | None = None
        self._centre = (0.0, 0.0)
        self._half = (1.0, 1.0)
        self._strips: list[Strip] | None = None

    def show(
        self,
        xy: np.ndarray,
        group: np.ndarray,
        labels: dict[int, str],
        *,
        palette: Sequence[str] = DARK.groups,
        ends: tuple[str, str, str, str] = ("", "", "", ""),
        poles: dict[str, tuple[float, float]] | None = None,
        keep: bool = False,
    ) -> None:
        """Put points on the map.

        Args:
            xy: float ``[n, 2]``.
            group: int ``[n]``, an index into the palette.
            labels: text for some of the points, by index; the first that fit are drawn.
            ends: what stands at the left, right, lower and upper end of the axes.
            poles: places that are marked, by their names.
            keep: the same points, elsewhere or looking otherwise: cursor and view stay.
        """
        keep = keep and self._xy is not None and len(self._xy) == len(xy)
        self._xy, self._group, self._palette, self._ends = xy, group, palette, ends
        self._labels = {index: label_text(title) for index, title in labels.items()}
        self._poles, self._found = poles or {}, None
        if keep:
            self._redraw()
        else:
            self.cursor = None
            self.action_reset()

    def mark(self, found: np.ndarray | None) -> None:
        """Mark some points, by index, or none."""
        self._found = found
        self._redraw()

    @property
    def view(self) -> tuple[float, float, float, float]:
        """What is in sight: lowest and highest x, lowest and highest y."""
        (x, y), (half_x, half_y) = self._centre, self._half
        return x - half_x, x + half_x, y - half_y, y + half_y

    def clear(self, instead: str = "") -> None:
        """Show no points at all, but a text that says why."""
        self._xy = self._group = self._found = self.cursor = None
        self._instead = instead
        self._redraw()

    def put_cursor(self, index: int) -> None:
        """Move the cursor, and the view if the point is out of it."""
        if self._xy is None:
            return
        self.cursor = index
        x, y = self._xy[index]
        if abs(x - self._centre[0]) > self._half[0] or abs(y - self._centre[1]) > self._half[1]:
            self._centre = (float(x), float(y))
        self._redraw()
        self.post_message(self.Moved(index))

    # Keys and clicks

    def action_select(self) -> None:
        if self.cursor is not None:
            self.post_message(self.Selected(self.cursor))

    def action_reset(self) -> None:
        """The whole map, the origin in its middle."""
        import numpy as np

        if self._xy is not None and len(self._xy):
            reach = np.abs(self._xy).max(axis=0) * 1.05
            self._half = (float(reach[0]) or 1.0, float(reach[1]) or 1.0)
            self._centre = (0.0, 0.0)
        self._redraw()

    def action_zoom(self, way: int) -> None:
        factor = _ZOOM**-way
        self._half = (self._half[0] * factor, self._half[1] * factor)
        if self.cursor is not None and self._xy is not None:
            self._centre = (float(self._xy[self.cursor][0]), float(self._xy[self.cursor][1]))
        self._redraw()

    def action_pan(self, dx: int, dy: int) -> None:
        (x, y), (half_x, half_y) = self._centre, self._half
        self._centre = (x + 2 * _PAN * half_x * dx, y + 2 * _PAN * half_y * dy)
        self._redraw()

    def action_move(self, dx: int, dy: int) -> None:
        """To the nearest point in that direction: distance counts double across it."""
        import numpy as np

        if self._xy is None or not len(self._xy):
            return
        if self.cursor is None:
            self.put_cursor(self._nearest(*self._centre))
            return
        away = (self._xy - self._xy[self.cursor]) / np.array(self._half)
        along, across = away @ np.array([dx, dy]), np.abs(away @ np.array([dy, dx]))
        cost = np.where(along > 1e-9, along + 2 * across, np.inf)
        best = int(cost.argmin())
        if np.isfinite(cost[best]):
            self.put_cursor(best)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or self._xy is None:
            return
        width, height = self.content_size.width, self.content_size.height
        x = self._centre[0] + ((offset.x + 0.5) / width * 2 - 1) * self._half[0]
        y = self._centre[1] - ((offset.y + 0.5) / height * 2 - 1) * self._half[1]
        self.put_cursor(self._nearest(x, y))

    def _nearest(self, x: float, y: float) -> int:
        import numpy as np

        assert self._xy is not None
        away = (self._xy - np.array([x, y])) / np.array(self._half)
        return int(np.square(away).sum(axis=1).argmin())

    # Drawing

    def _redraw(self) -> None:
        self._strips = None
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips = None

    def on_resize(self) -> None:
        self._strips = None

    def render_line(self, y: int) -> Strip:
        size = self.content_size
        if self._strips is None or len(self._strips) != size.height:
            self._strips = self._draw(size)
        return self._strips[y] if y < len(self._strips) else Strip.blank(size.width)

    def _draw(self, size: Size) -> list[Strip]:
        import numpy as np

        width, height = size.width, size.height
        base = self.rich_style
        if self._xy is None or width < 4 or height < 2:
            said = [
                line.center(width)
                for part in self._instead.split("\n")
                for line in textwrap.wrap(part, max(width, 1)) or [""]
            ]
            above = max((height - len(said)) // 2, 0)
            lines = [*[""] * above, *said, *[""] * height][:height]
            return [Strip([Segment(line.ljust(width), base)], width) for line in lines]
        columns, rows = self._dots(self._xy, width, height)
        inside = (columns >= 0) & (columns < 2 * width) & (rows >= 0) & (rows < 4 * height)
        cells = np.zeros((height, width), np.int64)
        colour = np.full((height, width), -1, np.int64)
        column, row = columns[inside], rows[inside]
        np.bitwise_or.at(cells, (row // 4, column // 2), np.array(_DOTS)[row % 4, column % 2])
        assert self._group is not None
        colour[row // 4, column // 2] = self._group[inside]

        text = np.where(cells > 0, 0x2800 + cells, ord(" "))
        ends = self._draw_axes(text, cells, colour, width, height)
        if self._found is not None and len(self._found):
            found = self._found[inside[self._found]]
            text[rows[found] // 4, columns[found] // 2] = ord("◆")
        marked = self._draw_labels(text, colour, columns, rows, inside, ends)
        return [self._strip(text[line], colour[line], marked.get(line), base) for line in range(height)]

    def _dots(self, xy: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """Dot columns and rows ``[n]`` of points ``[n, 2]``; row 0 is the top."""
        import numpy as np

        share = (xy - np.array(self._centre)) / np.array(self._half)
        columns = np.floor((share[:, 0] + 1) * width).astype(np.int64)
        rows = np.floor((1 - share[:, 1]) * 2 * height).astype(np.int64)
        return columns, rows

    def _draw_axes(self, text: np.ndarray, cells: np.ndarray, colour: np.ndarray, width: int, height: int) -> Spans:
        """The axes with what stands at their ends; returns the cells these names take, by line."""
        import numpy as np

        columns, rows = self._dots(np.zeros((1, 2)), width, height)
        x, y = int(columns[0]) // 2, int(rows[0]) // 4
        if 0 <= y < height:
            text[y, cells[y] == 0] = ord("─")
        if 0 <= x < width:
            text[cells[:, x] == 0, x] = ord("│")
            if 0 <= y < height and cells[y, x] == 0:
                text[y, x] = ord("┼")
        taken: Spans = {}

        def write(line: int, column: int, name: str) -> None:
            text[line, column : column + len(name)] = [ord(c) for c in name]
            colour[line, column : column + len(name)] = -1
            taken.setdefault(line, []).append((column, column + len(name)))

        names = [label_text(name) if width >= LEAST else "" for name in self._ends]
        left, right = share(names[0], names[1], width - 6)
        low, high = (cut(name, width - 2) for name in names[2:])
        if 0 <= y < height:
            if left:
                write(y, 0, f"◂ {left}")
            if right:
                write(y, width - len(right) - 2, f"{right} ▸")
        if 0 <= x < width and height > 6:
            for line, name, arrow in ((0, high, "▴"), (height - 1, low, "▾")):
                if name and line != y:
                    write(line, max(0, min(x, width - len(name) - 2)), f"{arrow} {name}")
        return taken

    def _draw_labels(
        self,
        text: np.ndarray,
        colour: np.ndarray,
        columns: np.ndarray,
        rows: np.ndarray,
        inside: np.ndarray,
        taken: Spans,
    ) -> dict[int, tuple[int, int]]:
        """Write the names that fit; returns the cursor's cells by line."""
        import numpy as np

        height, width = text.shape
        assert self._group is not None
        labels = []
        if self.cursor is not None and inside[self.cursor]:
            labels.append(self._label(self.cursor, columns, rows, "◉", is_cursor=True))
        if self._poles:
            for name, x, y in zip(
                self._poles, *self._dots(np.array(list(self._poles.values())), width, height), strict=True
            ):
                if 0 <= x < 2 * width and 0 <= y < 4 * height:
                    labels.append(Label(int(y) // 4, int(x) // 2, POLE, label_text(name), -1, insists=True))
        labels += [self._label(index, columns, rows, "•") for index in self._labels if inside[index]]
        marked: dict[int, tuple[int, int]] = {}
        for label in reversed(place(labels, width, taken)):
            first, end = label.span
            text[label.line, first:end] = [ord(c) for c in label.shown]
            colour[label.line, first:end] = label.group
            if label.is_cursor:
                marked[label.line] = label.span
        return marked

    def _label(self, index: int, columns: np.ndarray, rows: np.ndarray, mark: str, *, is_cursor: bool = False) -> Label:
        assert self._group is not None
        line, column, group = int(rows[index]) // 4, int(columns[index]) // 2, int(self._group[index])
        return Label(line, column, mark, self._labels.get(index, ""), group, is_cursor=is_cursor)

    def _strip(self, codes: np.ndarray, colour: np.ndarray, marked: tuple[int, int] | None, base: Style) -> Strip:
        """One line as runs of equal style."""
        import numpy as np

        key = colour.copy()
        if marked:
            key[marked[0] : marked[1]] += 100
        edges = [0, *(np.flatnonzero(np.diff(key)) + 1).tolist(), len(key)]
        segments = []
        for start, end in pairwise(edges):
            group = int(colour[start])
            style = base if group < 0 else base + Style(color=self._palette[group % len(self._palette)])
            if key[start] != group:
                style += Style(reverse=True, bold=True)
            segments.append(Segment("".join(map(chr, codes[start:end])), style))
        return Strip(segments, len(codes))

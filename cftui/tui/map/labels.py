"""Names on a map: beside their points, none over another, and as long as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from cftui.text import printable

# The cells for which a name competes with others; what is left over is shared out afterwards.
SHORT = 24

Spans = dict[int, list[tuple[int, int]]]
"""The cells that are taken, by line: first, and one after the last."""


@dataclass(frozen=True)
class Label:
    """A mark in the cell of a point, with its name to the right or to the left.

    Attributes:
        text: one cell for each character.
        group: of its colour.
        insists: it is drawn even if there is no room for its name, then without it.
        is_cursor: it is drawn over whatever is there.
        shown, left: what is drawn, and the column where it begins; set by ``place``.
    """

    line: int
    column: int
    mark: str
    text: str
    group: int
    insists: bool = False
    is_cursor: bool = False
    shown: str = ""
    left: int = 0

    @property
    def span(self) -> tuple[int, int]:
        return self.left, self.left + len(self.shown)

    def cut(self, room: int, width: int) -> Label:
        """With at most ``room`` cells of its name; to the left where it does not fit to the right."""
        name = cut(self.text, min(room, width - 3))
        if self.column + len(name) + 2 <= width or self.column < len(name) + 1:
            shown = f"{self.mark} {name}".rstrip()[: max(width - self.column, 0)]
            return replace(self, shown=shown, left=self.column)
        return replace(
            self, shown=f"{name} {self.mark}" if name else self.mark, left=self.column - len(name) - bool(name)
        )


def place(labels: Sequence[Label], width: int, taken: Spans) -> list[Label]:
    """The labels that fit on lines of ``width`` cells; the first come first. ``taken`` is added to."""
    placed = []
    for label in labels:
        drawn = label.cut(SHORT, width)
        if not label.is_cursor and not _is_free(drawn.span, taken.get(label.line, [])):
            if not label.insists:
                continue
            drawn = replace(label, text="").cut(0, width)
        taken.setdefault(label.line, []).append(drawn.span)
        placed.append(drawn)
    return [_longer(label, width, taken) for label in placed]


def _is_free(span: tuple[int, int], taken: list[tuple[int, int]]) -> bool:
    """Whether a blank is left to either side."""
    return not any(first < span[1] + 1 and span[0] < end + 1 for first, end in taken)


def _longer(label: Label, width: int, taken: Spans) -> Label:
    """With as much of its name as there is room for up to the next one."""
    first, end = label.span
    if not label.text or label.text in label.shown:
        return label
    others = [span for span in taken[label.line] if span != label.span]
    if first == label.column:
        room = min([start - 1 for start, _ in others if start >= end], default=width) - first - 2
        name = cut(label.text, room)
        longer = replace(label, shown=f"{label.mark} {name}")
    else:
        room = end - max([stop + 1 for _, stop in others if stop <= first], default=0) - 2
        name = cut(label.text, room)
        longer = replace(label, shown=f"{name} {label.mark}", left=end - len(name) - 2)
    if len(longer.shown) <= len(label.shown):
        return label
    taken[label.line][taken[label.line].index(label.span)] = longer.span
    return longer


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…" if limit > 0 else ""


def share(one: str, other: str, room: int) -> tuple[str, str]:
    """Two names on one line: half the room for each, and what the other leaves."""
    return cut(one, max(room // 2, room - len(other))), cut(other, max(room // 2, room - len(one)))


def label_text(title: str) -> str:
    """A title with one cell for each character: what is wider would shift the row."""
    return "".join(c if cell_len(c) == 1 else "?" for c in printable(title, "?"))

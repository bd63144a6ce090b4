"""Columns of a table: their heads, how a row is laid out in them, and the order and the filter of the rows.

How to give a pane its columns, its order and its filter
--------------------------------------------------------

**A virtual list** (``RowList``): pass columns to ``show``. The list draws their heads, and has the keys ``s``, ``S``
and ``/``; a column with ``values`` can be sorted by::

    columns = (Column("film", values=titles), Column("ratings", 8, right=True, values=counts))

    def render(index: int, width: int) -> Text:
        return line(columns, (titles[index], f"{counts[index]:,}"), width)

    rows.show(len(titles), render, columns=columns, words=titles.__getitem__)

``words(index)`` is what ``/`` looks in; without it, the rows as they are drawn. All indexes outside the list
(``cursor``, ``move_to``, ``Highlighted``, ``Selected``, ``render``) are those of the rows as they were given, whatever
the order and the filter are. A row that is not laid out by ``line`` (a bar, a marker) may have columns all the same,
as long as their widths agree with it.

**A table of cells** (``Table``, Textual's ``DataTable``): nothing to do, fill it with ``add_column`` and ``add_row``.
Give rows a ``key`` if the row under the cursor means something: positions change with the order, keys do not
(``table.current`` is the key under the cursor). ``arranges = False`` in a subclass leaves the keys out.

**Keys on screen**: ``RowList(enter="Neighbours")`` and ``Table(enter="Neighbours")`` put what enter does into the key
bar while the pane has the focus. A widget may override ``key_text(name)`` to rename other keys of its own there. A
screen that wants ``/`` or ``s`` for itself while such a pane has the focus gives the pane no columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.text import Text

from cftui.text import measure, printable

if TYPE_CHECKING:
    import numpy as np

UP, DOWN = "▲", "▼"
GAP = 1
# Cells that a column without a width has at the least.
LEAST = 8


class Column(NamedTuple):
    """One column.

    Attributes:
        title: its head.
        width: in cells; 0 takes what the other columns leave.
        right: aligned to the right, as numbers are.
        values: what its order is taken from, one for each row; None if the rows cannot be sorted by it.
    """

    title: str
    width: int = 0
    right: bool = False
    values: Sequence[Any] | np.ndarray | None = None


def widths(columns: Sequence[Column], width: int) -> list[int]:
    """The cells of each column in a row of ``width`` cells; those without a width share what is left.

    Where that would be too little for them, the columns at the right end give way as a whole: they get no cells.
    """
    kept = list(columns)
    while (share := _share(kept, width)) < LEAST and kept[-1].width and not all(column.width for column in kept):
        kept.pop()
    return [column.width or max(share, 1) for column in kept] + [0] * (len(columns) - len(kept))


def _share(columns: Sequence[Column], width: int) -> int:
    """The cells of each column without a width."""
    left = width - sum(column.width for column in columns) - GAP * (len(columns) - 1)
    return left // max(sum(not column.width for column in columns), 1)


def line(columns: Sequence[Column], cells: Sequence[str | Text], width: int) -> Text:
    """A row: each cell cut or padded to its column."""
    text = Text(no_wrap=True)
    for at, (column, cell, cells_wide) in enumerate(zip(columns, cells, widths(columns, width), strict=True)):
        if not cells_wide:
            break
        one = cell.copy() if isinstance(cell, Text) else Text(printable(cell))
        one.truncate(cells_wide, overflow="ellipsis")
        one.align("right" if column.right else "left", cells_wide)
        text.append(" " * GAP if at else "").append_text(one)
    return text


def heads(columns: Sequence[Column], order: Order, width: int) -> Text:
    """The line of heads. An arrow marks the column that the rows are sorted by."""
    names = []
    for column, cells_wide in zip(columns, widths(columns, width), strict=True):
        name = column.title
        if column.title == order.by:
            name = name[: max(cells_wide - 1, 0)] + order.arrow
        names.append(name)
    text = line(columns, names, width)
    text.stylize("bold dim")
    return text


def with_note(text: Text, order: Order, kept: int, count: int, width: int) -> Text:
    """The heads with what the filter is and how many rows it keeps in place of their right end."""
    if not order.words:
        return text
    note = Text(f" /{order.words} {kept:,} of {count:,} ", style="reverse")
    note.truncate(max(width - 4, 1), overflow="ellipsis")
    text = text.copy()
    text.truncate(width - note.cell_len, pad=True)
    return text.append_text(note)


@dataclass(frozen=True)
class Order:
    """How the rows of a table are arranged.

    Attributes:
        by: the title of the column that they are sorted by; "" leaves them as they were given.
        descending: the largest first.
        words: only rows that contain all of these words are shown.
    """

    by: str = ""
    descending: bool = False
    words: str = ""

    @property
    def arrow(self) -> str:
        return DOWN if self.descending else UP

    def next(self, titles: Sequence[str]) -> Order:
        """Sorted by the next column; after the last, as the rows were given."""
        choices = ["", *titles]
        at = choices.index(self.by) if self.by in choices else 0
        return replace(self, by=choices[(at + 1) % len(choices)], descending=False)

    def other_way(self, titles: Sequence[str]) -> Order:
        """The same column from the other end; the first column, largest first, if there is no order yet."""
        return replace(self, by=self.by or next(iter(titles), ""), descending=not self.descending)


def arranged(
    count: int, order: Order, values: Sequence[Any] | np.ndarray | None, words: Callable[[int], str]
) -> list[int]:
    """The rows in their order, without those that the filter leaves out.

    Args:
        values: what the column ``order.by`` is sorted by; None leaves the rows as they are. An array of numbers is
            sorted at once, and a hundred thousand of them within a key press.
        words: what is looked in for the words of the filter.
    """
    wanted = order.words.casefold().split()
    kept = list(range(count))
    folded = [words(row).casefold() for row in kept] if wanted else []
    for word in wanted:
        kept = [row for row in kept if word in folded[row]]
    if values is None:
        return kept
    if _are_numbers(values):
        return _by_number(kept, values, descending=order.descending)
    marks = {row: mark for row in kept if (mark := measure(values[row])) is not None}
    known = sorted(marks, key=marks.__getitem__, reverse=order.descending)
    return known + [row for row in kept if row not in marks]


def _are_numbers(values: Sequence[Any] | np.ndarray) -> bool:
    """Whether they are an array of numbers, which a list of all items has."""
    return getattr(getattr(values, "dtype", None), "kind", "") in ("i", "u", "f")


def _by_number(rows: list[int], values: Sequence[Any] | np.ndarray, *, descending: bool) -> list[int]:
    """Sort the rows by their numbers. Equal rows keep their order; NaN comes last."""
    import numpy as np

    kept = np.array(rows, np.int64)
    numbers = np.asarray(values, np.float64)[kept]
    found: list[int] = kept[np.argsort(-numbers if descending else numbers, kind="stable")].tolist()
    return found


def contains(text: str, wanted: Sequence[str]) -> bool:
    """Whether the text contains each of the words, which are in lower case."""
    folded = text.casefold()
    return all(word in folded for word in wanted)

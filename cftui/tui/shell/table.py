"""A table with the keys that every list of the app has: moving, sorting, filtering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from rich.text import Text
from textual.strip import Strip
from textual.widgets.data_table import ColumnKey, RowKey

from cftui.tui.shell.arranging import Arranged
from cftui.tui.shell.columns import arranged, contains, with_note
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.textual_private import QuickTable


class Table(Arranged, QuickTable):
    """Textual's, moved about in with vim's keys, sorted and filtered; what is under the cursor can be copied.

    Rows are added as to any ``DataTable``. The table remembers them all, and shows those that the filter keeps, in the
    order of the column they are sorted by. ``current`` is the key of the row under the cursor, wherever it stands.

    Args:
        enter: what enter does, for the key bar; "" keeps it out of there.
    """

    BINDINGS = [*bindings("table"), *bindings("arrange")]

    def __init__(self, *args: Any, enter: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.enter = enter
        self._all: dict[str, tuple[tuple[Text, ...], dict[str, Any]]] = {}
        self._titles: dict[ColumnKey, Text] = {}
        self._added = 0
        self._stale = False

    def copy_text(self) -> str:
        """The row with the cursor, cells separated by tabs."""
        if not self.row_count:
            return ""
        return "\t".join(str(cell) for cell in self.get_row_at(self.cursor_row))

    @property
    def current(self) -> str | None:
        """The key of the row with the cursor; None if there is no row."""
        if not self.is_valid_row_index(self.cursor_row):
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value

    @property
    def current_index(self) -> int | None:
        """Which row the cursor is on, counted as they were added, whatever the order and the filter are."""
        return None if self.current is None else list(self._all).index(self.current)

    # Rows, remembered

    def add_column(self, label: Any, **kwargs: Any) -> ColumnKey:
        key = super().add_column(label, **kwargs)
        self._titles[key] = self.columns[key].label.copy()
        self._mark_columns()
        return key

    def add_row(self, *cells: Text, key: str | None = None, **kwargs: Any) -> RowKey:
        if key is None:
            key = f"row {self._added}"
        self._added += 1
        self._all[key] = cells, kwargs
        if self.arrangement.by and not self._stale:
            # Rows seldom come alone: arrange them once.
            self._stale = True
            self.call_next(self._arrange_once)
        if contains(_words(cells), self.arrangement.words.casefold().split()):
            return super().add_row(*cells, key=key, **kwargs)
        return RowKey(key)

    def clear(self, columns: bool = False) -> Self:
        self._all.clear()
        if columns:
            self._titles.clear()
        return super().clear(columns)

    # Arranging

    def sortable(self) -> Sequence[str]:
        return [title.plain for title in self._titles.values()]

    def filterable(self) -> bool:
        return bool(self._all)

    def _arrange_once(self) -> None:
        if self._stale:
            self.rearrange()

    def rearrange(self) -> None:
        self._stale = False
        keys, titles = list(self._all), self.sortable()
        at = titles.index(self.arrangement.by) if self.arrangement.by in titles else None
        rows = [cells for cells, _ in self._all.values()]
        values = None if at is None else [cells[at] for cells in rows]
        kept = [keys[row] for row in arranged(len(rows), self.arrangement, values, lambda row: _words(rows[row]))]
        current, scrolled = self.current, self.scroll_x
        if len(kept) == self.row_count and all(key in self.rows for key in kept):
            # Only the order is new: the widths of the cells are known.
            self.put_in_order(kept)
        else:
            super().clear()
            for key in kept:
                cells, kwargs = self._all[key]
                super().add_row(*cells, key=key, **kwargs)
        self._mark_columns()
        self.move_cursor(row=kept.index(current) if current in kept else 0)
        self.scroll_to(x=scrolled, animate=False)

    def _mark_columns(self) -> None:
        """An arrow at the head of the column that the rows are sorted by."""
        for key, title in self._titles.items():
            label = title.copy()
            if title.plain == self.arrangement.by:
                label.append(self.arrangement.arrow)
                self.columns[key].content_width = max(self.columns[key].content_width, label.cell_len)
            self.columns[key].label = label

    def render_line(self, y: int) -> Strip:
        """With a filter, the heads say so at their right end."""
        strip = super().render_line(y)
        if y or not self.arrangement.words or not self.show_header:
            return strip
        note = with_note(Text(), self.arrangement, self.row_count, len(self._all), self.size.width)
        end = Strip(note.render(self.app.console), note.cell_len)
        return Strip.join([strip.crop(0, self.size.width - end.cell_length), end])


def _words(cells: Sequence[Text]) -> str:
    return " ".join(cell.plain for cell in cells)

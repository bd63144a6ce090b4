"""A table with the keys that every list of the app has."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import DataTable

from cftui.tui.shell.keys import bindings


class Table(DataTable[Text]):
    """Textual's, moved about in with vim's keys; what is under the cursor can be copied."""

    BINDINGS = bindings("table")

    def copy_text(self) -> str:
        """The row with the cursor, cells separated by tabs."""
        if not self.row_count:
            return ""
        return "\t".join(str(cell) for cell in self.get_row_at(self.cursor_row))

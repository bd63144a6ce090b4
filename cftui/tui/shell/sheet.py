"""A small table over the screen: results, comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.content import Content

from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.table import Table


class Sheet(Dialog[None]):
    """Rows under a title."""

    BINDINGS = bindings("sheet")
    CSS_PATH = "sheet.tcss"

    def __init__(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self._title, self._rows = title, rows

    def compose(self) -> ComposeResult:
        yield Table(id="sheet", cursor_type="row", zebra_stripes=True)

    def on_mount(self) -> None:
        table = self.query_one(Table)
        table.border_title, table.border_subtitle = Content(self._title), "escape closes"
        for name in self._rows[0] if self._rows else ("nothing to show",):
            table.add_column(Text(str(name)))
        for row in self._rows:
            table.add_row(*(Text("" if value is None else str(value)) for value in row.values()))
        table.focus()

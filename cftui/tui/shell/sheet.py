"""A small table over the screen: results, comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.content import Content

from cftui.tui.session.app import session_of
from cftui.tui.session.places import Place
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.table import Table


class Sheet(Dialog[None]):
    """Rows under a title.

    Args:
        places: where enter leads from each row; without them it closes the table.
    """

    BINDINGS = bindings("sheet")
    CSS_PATH = "sheet.tcss"

    def __init__(self, title: str, rows: Sequence[Mapping[str, Any]], places: Sequence[Place] = ()) -> None:
        super().__init__()
        self._title, self._rows, self._places = title, rows, places

    def compose(self) -> ComposeResult:
        yield Table(id="sheet", cursor_type="row", zebra_stripes=True)

    def on_mount(self) -> None:
        table = self.query_one(Table)
        table.border_title, table.border_subtitle = (
            Content(self._title),
            "enter: in Search   escape closes" if self._places else "escape closes",
        )
        for name in self._rows[0] if self._rows else ("nothing to show",):
            table.add_column(Text(str(name)))
        for row in self._rows:
            table.add_row(*(Text("" if value is None else str(value)) for value in row.values()))
        table.focus()

    async def action_enter(self) -> None:
        """Show what the row is about; this table is still here when one comes back."""
        at = self.query_one(Table).current_index
        if self._places and at is not None:
            await session_of(self).visit(self._places[at])
        else:
            self.dismiss()

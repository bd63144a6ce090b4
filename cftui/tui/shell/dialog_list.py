"""A text field above a list: arrows move the list while one types."""

from __future__ import annotations

from textual.widgets import Input

from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList


class ListField(Input):
    """Searches the list with the given id on its screen; enter is for the screen to handle."""

    BINDINGS = bindings("list_field")

    def __init__(self, list_id: str, placeholder: str) -> None:
        super().__init__(placeholder=placeholder, compact=True)
        self._list_id = list_id
        self.cursor_blink = False

    def action_move(self, by: int) -> None:
        rows = self.screen.query_one(f"#{self._list_id}", RowList)
        rows.action_move(by)

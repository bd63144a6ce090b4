"""A list of items on the Search screen, whose letters and slash belong to the screen."""

from __future__ import annotations

from dataclasses import replace

from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList


class PaneTable(RowList):
    """Rows with heads, sorted with S: on this screen, ``s`` is the metric and ``/`` goes to the field."""

    BINDINGS = bindings("items")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("sort_next", "sort_other_way", "filter_rows"):
            return False
        if action == "sort_both_ways":
            return bool(self.sortable())
        return super().check_action(action, parameters)

    def action_sort_both_ways(self) -> None:
        """By a column, smallest first; then largest first; then by the next one; at last as they were given."""
        if self.arrangement.by and not self.arrangement.descending:
            self.set_order(replace(self.arrangement, descending=True))
        else:
            self.set_order(self.arrangement.next(self.sortable()))

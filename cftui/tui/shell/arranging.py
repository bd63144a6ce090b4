"""The keys with which a table is sorted and filtered, and the field in which the filter is typed.

How a pane gets them is told in ``cftui.tui.shell.columns``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Static

from cftui.tui.shell.columns import Order
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings

if TYPE_CHECKING:
    Base = Widget
else:
    Base = object


class Arranged(Base):
    """For a widget with rows. It says what it can be sorted by, and arranges itself anew when that changes.

    Attributes:
        arranges: whether it has these keys at all.
        arrangement: how its rows are sorted and filtered.
        enter: what enter does, for the key bar; "" keeps it out of there.
    """

    arranges = True
    arrangement: Order = Order()
    enter: str = ""

    def sortable(self) -> Sequence[str]:
        """The titles of the columns that the rows can be sorted by."""
        raise NotImplementedError

    def filterable(self) -> bool:
        """Whether there is something to filter."""
        raise NotImplementedError

    def rearrange(self) -> None:
        """Show the rows in the order and with the filter that ``arrangement`` now names."""
        raise NotImplementedError

    def key_text(self, name: str) -> str | None:
        """What the key bar says about an action; None for the words in the table of keys."""
        return self.enter if name == "select" else None

    def set_order(self, order: Order) -> None:
        if order != self.arrangement:
            self.arrangement = order
            self.rearrange()
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys to the screen where there is nothing to sort or to filter."""
        if action in ("sort_next", "sort_other_way"):
            return self.arranges and bool(self.sortable())
        if action == "filter_rows":
            return self.arranges and self.filterable()
        if action == "all_rows":
            return bool(self.arrangement.words)
        return super().check_action(action, parameters)

    def action_sort_next(self) -> None:
        self.set_order(self.arrangement.next(self.sortable()))

    def action_sort_other_way(self) -> None:
        self.set_order(self.arrangement.other_way(self.sortable()))

    def action_filter_rows(self) -> None:
        self.app.push_screen(FilterLine(self))

    def action_all_rows(self) -> None:
        self.set_order(replace(self.arrangement, words=""))


class FilterLine(Dialog[None]):
    """A field on the last line of a pane, whose rows are filtered while one types."""

    BINDINGS = bindings("filter_line")
    CSS_PATH = "arranging.tcss"

    def __init__(self, pane: Arranged) -> None:
        super().__init__()
        self._pane, self._before = pane, pane.arrangement

    def compose(self) -> ComposeResult:
        with Horizontal(id="filter-line"):
            yield Static("/", id="filter-slash")
            field = Input(self._before.words, compact=True, placeholder="words of the rows to keep")
            field.cursor_blink = False
            yield field

    def on_mount(self) -> None:
        self._place()

    def on_resize(self) -> None:
        self.call_after_refresh(self._place)

    def _place(self) -> None:
        region, line = self._pane.region, self.query_one("#filter-line")
        line.styles.offset = (region.x, max(region.bottom - 1, 0))
        line.styles.width = max(region.width, 12)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._pane.set_order(replace(self._pane.arrangement, words=event.value.strip()))

    @on(Input.Submitted)
    def action_keep(self, _: Any = None) -> None:
        self.dismiss()

    def action_leave(self) -> None:
        self._pane.set_order(replace(self._pane.arrangement, words=self._before.words))
        self.dismiss()

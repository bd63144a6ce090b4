"""Every item by its bias, beside the plain mean of its ratings: what does the bias add to it?"""

from __future__ import annotations

import numpy as np
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from cftui.text import scaled, scaled_width
from cftui.tui.session.app import session_of
from cftui.tui.session.places import Place
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.colours import colours
from cftui.tui.shell.columns import Column, line
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.dialog_list import ListField
from cftui.tui.shell.export import ask_for_file, write_table
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList


class Ranking(RowList):
    """Sorted like other lists; the field above it is what filters it."""

    def filterable(self) -> bool:
        return False


class BiasScreen(Dialog[None]):
    """The whole ranking, searched as one types; G and g are its ends. Enter shows an item in Search."""

    BINDINGS = bindings("biases")
    CSS_PATH = "biases.tcss"

    def __init__(self, opened: OpenModel) -> None:
        super().__init__()
        assert opened.biases is not None
        self._opened, self._table = opened, opened.biases
        self._row_of = np.empty(len(opened.model.items), dtype=np.int64)
        self._row_of[self._table["code"].to_numpy()] = np.arange(len(self._table))
        self._shown = np.arange(len(self._table))

    def compose(self) -> ComposeResult:
        with Vertical(id="biases"):
            yield ListField("biases-list", placeholder="/ search within")
            yield Ranking(id="biases-list", placeholder="no match", enter="Search")

    def on_mount(self) -> None:
        box = self.query_one("#biases")
        box.border_title = f"bias of every {self._opened.model.noun}: liked whoever rates it"
        box.border_subtitle = "enter: Search  l: map  /: find  s S: sort  x: export  escape"
        self._fill()
        self.query_one(RowList).focus()

    def _fill(self) -> None:
        table, shown, scale = self._table, self._shown, self._opened.model.rating_range
        bias, mean, count = (table[name].to_numpy() for name in ("bias", "mean", "ratings"))
        title, ranks = table["title"].to_numpy(), self._opened.title_ranks[table["code"].to_numpy()]
        columns = (
            Column("no.", 6, right=True, values=shown),
            Column("bias", max(7, scaled_width(scale, "+", 3)), right=True, values=bias[shown]),
            Column("mean", max(6, scaled_width(scale)), right=True, values=mean[shown]),
            Column("ratings", 8, right=True, values=count[shown]),
            Column(f" {self._opened.model.noun}", values=ranks[shown]),
        )

        def render(index: int, width: int) -> Text:
            row = int(shown[index])
            place, value = (
                Text(f"{row + 1:,}", style="dim"),
                colours(dark=self.app.current_theme.dark).signed(bias[row], 3, scale),
            )
            return line(columns, (place, value, scaled(mean[row], scale), f"{count[row]:,}", f" {title[row]}"), width)

        self.query_one(RowList).show(len(shown), render, columns=columns)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if event.value.strip():
            # In the order of the ranking, not of the match.
            self._shown = np.sort(self._row_of[self._opened.index.matches(event.value)])
        else:
            self._shown = np.arange(len(self._table))
        self._fill()

    @on(Input.Submitted)
    @on(RowList.Selected)
    async def _picked(self) -> None:
        await self.action_go("search")

    async def action_go(self, mode: str) -> None:
        """Show the item at the cursor on a screen; if that is the screen beneath, this dialog makes way."""
        app, cursor = session_of(self), self.query_one(RowList).cursor
        # Two keys may come at once, and the first has closed this.
        if cursor is None or cursor >= len(self._shown) or app.screen is not self:
            return
        code = int(self._table["code"].iloc[self._shown[cursor]])
        place = Place(mode, self._opened.model.items.classes[code])
        if mode == app.current_mode:
            self.dismiss(None)
        await app.visit(place)

    def action_search(self) -> None:
        self.query_one(ListField).focus()

    def action_leave(self) -> None:
        """From the field to the list, from the list out."""
        if isinstance(self.focused, ListField):
            self.query_one(RowList).focus()
        else:
            self.dismiss(None)

    def action_export(self) -> None:
        table = self._table.iloc[self._shown]
        ask_for_file(self.app, f"bias-{self._opened.name}.csv", ("csv",), lambda path: write_table(path, table))

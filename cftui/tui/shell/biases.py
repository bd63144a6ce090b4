"""Every item by its bias, beside the plain mean of its ratings: what does the bias add to it?"""

from __future__ import annotations

import numpy as np
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from cftui.text import printable
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.dialog_list import ListField
from cftui.tui.shell.export import ask_for_file, write_table
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList


class BiasScreen(Dialog[int | None]):
    """The whole ranking, searched as one types; G and g are its ends. Dismissed with an item's code, or None."""

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
            yield Static(
                Text(f"{'no.':>6}  {'bias':>6}  {'mean':>5}  {'ratings':>7}  {self._opened.model.noun}"),
                id="biases-head",
            )
            yield RowList(id="biases-list", placeholder="no match")

    def on_mount(self) -> None:
        box = self.query_one("#biases")
        box.border_title = f"bias of every {self._opened.model.noun}: liked whoever rates it"
        box.border_subtitle = "G g ends   / search   enter: go there   x export   escape closes"
        self._fill()
        self.query_one(RowList).focus()

    def _fill(self) -> None:
        table, shown = self._table, self._shown
        bias, mean, count = (table[name].to_numpy() for name in ("bias", "mean", "ratings"))
        title = table["title"].to_numpy()

        def render(index: int, _: int) -> Text:
            row = int(shown[index])
            rest = f"  {mean[row]:>5.2f}  {count[row]:>7,}  {printable(title[row])}"
            return Text.assemble((f"{row + 1:>6,}  ", "dim"), (f"{bias[row]:>+6.3f}", "bold"), rest)

        self.query_one(RowList).show(len(shown), render)

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
    def _picked(self) -> None:
        cursor = self.query_one(RowList).cursor
        if cursor is not None and cursor < len(self._shown):
            self.dismiss(int(self._table["code"].iloc[self._shown[cursor]]))

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

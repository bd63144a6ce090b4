"""Choosing an item by its title, or a genre where one will do."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from cftui.tui.keys import bindings
from cftui.tui.rows import found_row
from cftui.tui.screens.dialog import Dialog
from cftui.tui.screens.dialog_list import ListField
from cftui.tui.widgets.row_list import RowList
from cftui.tui.workspace import OpenModel


@dataclass(frozen=True)
class Choice:
    """What was chosen: an item's code, or else a genre. ``query`` is what was typed to find it."""

    code: int | None
    genre: str
    query: str


class TitlePicker(Dialog[Choice | None]):
    """Searched as one types; enter takes the marked row. With ``genres``, those that fit stand first."""

    BINDINGS = bindings("dialog")
    CSS_PATH = "titles.tcss"

    def __init__(self, opened: OpenModel, question: str, *, genres: bool = False) -> None:
        super().__init__()
        self._opened, self._question, self._with_genres = opened, question, genres

    def compose(self) -> ComposeResult:
        with Vertical(id="titles"):
            yield ListField("titles-list", placeholder="a title" + (" or a genre" if self._with_genres else ""))
            yield RowList(id="titles-list", placeholder="nothing fits; fewer letters?")

    def on_mount(self) -> None:
        box = self.query_one("#titles")
        box.border_title, box.border_subtitle = Content(self._question), "enter: take it   escape: cancel"
        self._find("")
        self.query_one(ListField).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._find(event.value)

    def _find(self, query: str) -> None:
        model, wanted = self._opened.model, query.strip().casefold()
        fits = [name for name in model.genres if name.casefold().startswith(wanted)] if self._with_genres else []
        self._genres, self._codes = fits, self._opened.index.matches(query)

        def render(index: int, _: int) -> Text:
            if index < len(fits):
                return Text.assemble((" genre  ", "dim"), (fits[index], "bold"))
            return found_row(model, int(self._codes[index - len(fits)]))

        self.query_one(RowList).show(len(fits) + len(self._codes), render)

    @on(Input.Submitted)
    @on(RowList.Selected)
    def _picked(self) -> None:
        cursor, query = self.query_one(RowList).cursor, self.query_one(Input).value
        if cursor is None:
            return
        if cursor < len(self._genres):
            self.dismiss(Choice(None, self._genres[cursor], query))
        elif cursor - len(self._genres) < len(self._codes):
            self.dismiss(Choice(int(self._codes[cursor - len(self._genres)]), "", query))

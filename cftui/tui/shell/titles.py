"""Choosing an item by its title, or a genre or tag where one will do."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from cftui.text import printable
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.dialog_list import ListField
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import found_row

# There may be thousands of tags, and the titles stand below them.
TAGS = 5


@dataclass(frozen=True)
class Choice:
    """What was chosen: an item's code, or else a genre or tag. ``query`` is what was typed to find it."""

    code: int | None
    kind: str
    query: str


class TitlePicker(Dialog[Choice | None]):
    """Filtered while typing; enter takes the row at the cursor. With ``kinds``, matching genres and tags come first."""

    BINDINGS = bindings("dialog")
    CSS_PATH = "titles.tcss"

    def __init__(self, opened: OpenModel, question: str, *, kinds: bool = False) -> None:
        super().__init__()
        self._opened, self._question, self._with_kinds = opened, question, kinds

    def compose(self) -> ComposeResult:
        with Vertical(id="titles"):
            model = self._opened.model
            kinds = " or a genre" + (" or tag" if len(model.kinds) > len(model.genres) else "")
            yield ListField("titles-list", placeholder="a title" + (kinds if self._with_kinds else ""))
            yield RowList(id="titles-list", placeholder="no match; try fewer letters")

    def on_mount(self) -> None:
        box = self.query_one("#titles")
        box.border_title, box.border_subtitle = Content(self._question), "enter: take it   escape: cancel"
        self._find("")
        self.query_one(ListField).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._find(event.value)

    def _find(self, query: str) -> None:
        model = self._opened.model
        fits = self._kinds(query.strip().casefold()) if self._with_kinds else []
        self._fits, self._codes = fits, self._opened.index.matches(query)

        def render(index: int, _: int) -> Text:
            if index < len(fits):
                kind = "genre" if fits[index] in model.genres else "tag"
                return Text.assemble((f"{kind:>6}  ", "dim"), (printable(fits[index]), "bold"))
            return found_row(model, int(self._codes[index - len(fits)]))

        self.query_one(RowList).show(len(fits) + len(self._codes), render)

    def _kinds(self, wanted: str) -> list[str]:
        """Genres that begin so; tags, most given first, once something is typed."""
        model = self._opened.model
        fits = [name for name in model.kinds if name.casefold().startswith(wanted)]
        tags = [name for name in fits if name not in model.genres] if wanted else []
        tags.sort(key=lambda name: -len(model.kinds[name]))
        return [name for name in fits if name in model.genres] + tags[:TAGS]

    @on(Input.Submitted)
    @on(RowList.Selected)
    def _picked(self) -> None:
        cursor, query = self.query_one(RowList).cursor, self.query_one(Input).value
        if cursor is None:
            return
        if cursor < len(self._fits):
            self.dismiss(Choice(None, self._fits[cursor], query))
        elif cursor - len(self._fits) < len(self._codes):
            self.dismiss(Choice(int(self._codes[cursor - len(self._fits)]), "", query))

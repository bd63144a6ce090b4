"""Choosing whom to predict for, and seeing who that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from cftui.analysis.users import people, profiles
from cftui.analysis.users.people import Person
from cftui.text import printable
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.dialog_list import ListField
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import person_line

if TYPE_CHECKING:
    import pandas as pd


class UserPicker(Dialog[str | None]):
    """Users by id, age, gender, occupation; saved profiles first. Dismissed with a name, or None."""

    BINDINGS = bindings("dialog")
    CSS_PATH = "users.tcss"

    def __init__(self, opened: OpenModel, now: str) -> None:
        super().__init__()
        self._opened, self._now = opened, now
        self._names: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="users"):
            yield ListField("users-list", placeholder="id, age (25 or 20-29), gender, occupation, or a profile")
            yield RowList(id="users-list", placeholder="no match")

    def on_mount(self) -> None:
        box = self.query_one("#users")
        box.border_title = Content(f"predict for whom? now {self._now}")
        box.border_subtitle = "enter: take   escape: as it was"
        self._find("")
        self.query_one(ListField).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._find(event.value)

    def _find(self, query: str) -> None:
        ratings = self._opened.ratings
        saved = [name for name in profiles.names(self._opened.home) if query.casefold() in name.casefold()]
        codes = people.search_users(ratings, query)
        count = ratings.user_table["ratings"].to_numpy()

        def render(index: int, _: int) -> Text:
            if index < len(saved):
                return Text.assemble((f"{saved[index]:<12}", "bold"), " a saved profile")
            code = int(codes[index - len(saved)])
            known = "  ".join(people.facts(ratings, code).values())
            raw = f"{ratings.users.classes[code]:<12}"
            return Text.assemble((raw, "bold"), f"{count[code]:>6,} ratings  {printable(known)}")

        self._names = [*saved, *(str(ratings.users.classes[code]) for code in codes)]
        self.query_one(RowList).show(len(self._names), render)

    @on(Input.Submitted)
    @on(RowList.Selected)
    def _picked(self) -> None:
        cursor = self.query_one(RowList).cursor
        if cursor is not None and cursor < len(self._names):
            self.dismiss(self._names[cursor])


class ProfileScreen(Dialog[None]):
    """A user's ratings, and the user's taste by genre."""

    BINDINGS = bindings("profile")
    CSS_PATH = "users.tcss"

    def __init__(self, opened: OpenModel, who: Person) -> None:
        super().__init__()
        self._opened, self._who = opened, who

    def compose(self) -> ComposeResult:
        with Vertical(id="profile"):
            yield Static(id="profile-facts")
            with Horizontal():
                yield RowList(id="rated", classes="pane", placeholder="nothing rated")
                yield RowList(id="taste", classes="pane", placeholder="no genres")

    def on_mount(self) -> None:
        opened, who = self._opened, self._who
        code = opened.model.users.code(who.name) if who.trained else 0
        known = people.facts(opened.ratings, code or 0)
        line = "  ".join(filter(None, (person_line(who), *known.values(), "" if who.trained else "folded in")))
        self.query_one("#profile-facts", Static).update(Text(printable(line)))
        box = self.query_one("#profile")
        box.border_title, box.border_subtitle = Content(f"user {who.name}"), "tab: other list   escape closes"
        rated, taste = people.rated(opened.model, who), people.taste(opened.model, who)
        self._show_rated(rated["title"].to_list(), rated["rating"].to_list(), rated.get("predicted"))
        spans = taste[["genre", "ratings", "mean", "beside"]].values.tolist()
        pane = self.query_one("#taste", RowList)
        pane.show(
            len(spans),
            lambda i, _: Text.assemble(
                f"{spans[i][0]:<12.12}{spans[i][1]:>4} {spans[i][2]:.2f} ", (f"{spans[i][3]:+.2f}", "bold")
            ),
        )
        pane.border_title, pane.border_subtitle = "taste by genre", "mean, beside the user's"
        self.query_one("#rated").focus()

    def _show_rated(self, titles: list[str], given: list[float], predicted: pd.Series | None) -> None:
        def render(i: int, _: int) -> Text:
            said = "" if predicted is None else f"{predicted[i]:.2f} "
            return Text.assemble((f"{given[i]:g} ", "bold"), f"{said}{printable(titles[i])}")

        pane = self.query_one("#rated", RowList)
        pane.show(len(titles), render)
        pane.border_title, pane.border_subtitle = "rated", "rating" if predicted is None else "rating, prediction"

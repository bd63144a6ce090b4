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
from cftui.text import level, printable, scaled, scaled_width
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.columns import Column, line
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.dialog_list import ListField
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import person_line

if TYPE_CHECKING:
    import pandas as pd


# Cells for a user's id, at the least.
NAME = 12
# Width and alignment of the columns of a taste: genre, ratings, mean, and beside the user's mean.
SIZES = ((0, False), (7, True), (4, True), (6, True))


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
            yield ListField("users-list", placeholder="id, age (20-29), gender, occupation, profile")
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

        columns = (
            Column("user", max([NAME, *map(len, saved)])),
            Column("ratings", 7, right=True),
            Column("what is known of them"),
        )

        def render(index: int, width: int) -> Text:
            if index < len(saved):
                return line(columns, (Text(saved[index], style="bold"), "", "a saved profile"), width)
            code = int(codes[index - len(saved)])
            known = "  ".join(people.facts(ratings, code).values())
            return line(
                columns, (Text(str(ratings.users.classes[code]), style="bold"), f"{count[code]:,}", known), width
            )

        self._names = [*saved, *(str(ratings.users.classes[code]) for code in codes)]
        self.query_one(RowList).show(len(self._names), render, columns=columns if self._names else ())

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
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal")]

    def __init__(self, opened: OpenModel, who: Person) -> None:
        super().__init__()
        self._opened, self._who = opened, who

    def compose(self) -> ComposeResult:
        with Vertical(id="profile"):
            yield Static(id="profile-facts")
            with Horizontal(id="profile-lists"):
                yield RowList(id="rated", classes="pane", placeholder="nothing rated")
                yield RowList(id="taste", classes="pane", placeholder="no genres")

    def on_mount(self) -> None:
        opened, who = self._opened, self._who
        code = opened.model.users.code(who.name) if who.trained else 0
        known = people.facts(opened.ratings, code or 0)
        facts = "  ".join(filter(None, (person_line(who), *known.values(), "" if who.trained else "folded in")))
        self.query_one("#profile-facts", Static).update(Text(printable(facts)))
        box = self.query_one("#profile")
        box.border_title, box.border_subtitle = Content(f"user {who.name}"), "tab: other list   escape closes"
        rated, taste = people.rated(opened.model, who), people.taste(opened.model, who)
        self._show_rated(rated["title"].to_list(), rated["rating"].to_list(), rated.get("predicted"))
        names, scale = ("genre", "ratings", "mean", "beside"), self._opened.model.rating_range
        least = {"genre": 0, "ratings": 0, "mean": scaled_width(scale), "beside": scaled_width(scale, "+")}
        columns = [
            Column(name[:7], wide and max(wide, least[name]), right, values=taste[name].tolist())
            for name, (wide, right) in zip(names, SIZES, strict=True)
        ]
        spans = taste[[*names]].values.tolist()
        pane = self.query_one("#taste", RowList)

        def render(i: int, width: int) -> Text:
            genre, ratings, mean, beside = spans[i]
            return line(
                columns,
                (genre, f"{ratings:,}", scaled(mean, scale), Text(scaled(beside, scale, "+"), style="bold")),
                width,
            )

        pane.show(len(spans), render, columns=columns)
        pane.border_title, pane.border_subtitle = "taste by genre", "mean, beside the user's"
        self.query_one("#rated").focus()

    def _show_rated(self, titles: list[str], given: list[float], predicted: pd.Series | None) -> None:
        guesses = None if predicted is None else predicted.tolist()
        scale = self._opened.model.rating_range
        columns = [Column("gave", max(4, *(len(level(end)) for end in scale)), right=True, values=given)]
        if guesses is not None:
            columns.append(Column("pred", max(4, scaled_width(scale)), right=True, values=guesses))
        columns.append(Column(self._opened.model.noun, values=titles))

        def render(i: int, width: int) -> Text:
            cells: list[str | Text] = [
                Text(level(given[i]), style="bold"),
                *([] if guesses is None else [scaled(guesses[i], scale)]),
                titles[i],
            ]
            return line(columns, cells, width)

        pane = self.query_one("#rated", RowList)
        pane.show(len(titles), render, columns=columns)
        pane.border_title, pane.border_subtitle = "rated", "rating" if predicted is None else "rating, prediction"

"""Search: what is like that movie, and what would this person think of it?"""

from __future__ import annotations

from functools import lru_cache

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from cftui.tui.screens.model_room import ModelRoom
from cftui.tui.screens.prompt import Prompt
from cftui.tui.workspace import OpenModel

FOUND = 50
NEIGHBOURS = 30
RECOMMENDED = 30
WELL_KNOWN = 20


class SearchField(Input):
    """Arrows move through what was found, enter picks: the hands stay on the text."""

    BINDINGS = [
        Binding("down", "screen.move_found(1)", "Next", show=False),
        Binding("up", "screen.move_found(-1)", "Previous", show=False),
        Binding("enter", "submit", "Neighbours"),
        Binding("escape", "screen.leave_field", "Leave field"),
    ]


class SearchScreen(ModelRoom):
    ROOM = "search"
    ABOUT = (
        "Type part of a title; accents, articles and typos are forgiven. Beneath: what is most like it, and what the "
        "chosen user would give it."
    )
    CSS_PATH = "search.tcss"
    BINDINGS = [
        Binding("slash", "search", "Search", key_display="/"),
        Binding("u", "user", "User"),
        Binding("r", "recommended", "Recommended"),
        Binding("m", "minimum", f"Min. {WELL_KNOWN} ratings"),
        Binding("t", "train_first", "Train"),
        Binding("g", "get", "Get data", show=False),
        Binding("j", "move_focused(1)", "Down", show=False),
        Binding("k", "move_focused(-1)", "Up", show=False),
    ]

    item: int | None = None
    minimum = 0

    def model_body(self) -> ComposeResult:
        with Vertical(id="search-pane", classes="pane"):
            field = SearchField(placeholder="type a title", compact=True, id="query")
            field.cursor_blink = False
            yield field
            yield OptionList(id="found")
        with Horizontal(id="answer"):
            yield OptionList(id="neighbours", classes="pane")
            with Vertical(id="person"):
                yield Static(id="prediction", classes="pane")
                yield OptionList(id="recommended", classes="pane")

    def on_mount(self) -> None:
        super().on_mount()
        self.watch(self.app, "user", self._user_changed, init=False)

    def on_screen_resume(self) -> None:
        if self.cftui.chosen is not None and self.focused is None:
            self.query_one("#query").focus()

    # What is asked

    def model_changed(self, opened: OpenModel) -> None:
        self.item = None
        self._find(self.query_one("#query", Input).value)
        # The panes have no width before the body is shown for the first time.
        self.call_after_refresh(self._fit)
        if self.is_current:
            self.query_one("#query").focus()

    @on(Input.Changed, "#query")
    def _typed(self, event: Input.Changed) -> None:
        self._find(event.value)

    def _find(self, query: str) -> None:
        opened = self.cftui.chosen
        if opened is None:
            return
        codes = opened.index.search(query, limit=FOUND)
        found = self.query_one("#found", OptionList)
        found.clear_options()
        found.add_options([Option(_row(opened, code), id=str(code)) for code in codes])
        pane = self.query_one("#search-pane")
        pane.border_title = f"{opened.model.noun}: {len(codes)}{'+' if len(codes) == FOUND else ''} found"
        pane.border_subtitle = "" if codes else "nothing fits; fewer letters?"
        if codes:
            found.highlighted = 0
            self._show(codes[0])

    @on(OptionList.OptionHighlighted, "#found")
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option.id is not None:
            self._show(int(event.option.id))

    @on(Input.Submitted, "#query")
    @on(OptionList.OptionSelected, "#found")
    def _picked(self) -> None:
        if self.item is not None:
            self.query_one("#neighbours").focus()

    @on(OptionList.OptionSelected, "#neighbours")
    @on(OptionList.OptionSelected, "#recommended")
    def _walk(self, event: OptionList.OptionSelected) -> None:
        """From an item to one that is like it, and on."""
        if event.option.id is not None:
            self._show(int(event.option.id))

    # What is answered

    def _show(self, item: int) -> None:
        if item == self.item:
            return
        self.item = item
        self._show_neighbours()
        self._show_prediction()

    def _show_neighbours(self) -> None:
        from cftui.analysis import ranking

        opened = self.cftui.chosen
        if opened is None or self.item is None:
            return
        model = opened.model
        near = ranking.similar(model, self.item, NEIGHBOURS, min_ratings=self.minimum)
        pane = self.query_one("#neighbours", OptionList)
        pane.clear_options()
        width = max(pane.size.width, 30)
        pane.add_options(
            [
                Option(_scored(f"{row.cosine:.2f}".replace("0.", "."), row.title, row.ratings, width), id=str(row.code))
                for row in near.itertuples(index=False)
            ]
        )
        pane.highlighted = 0 if len(near) else None
        pane.border_title = Content(f"like {model.titles[self.item]}")
        pane.border_subtitle = f"cosine, {self.minimum}+ ratings" if self.minimum else "cosine"

    def _show_prediction(self) -> None:
        import numpy as np

        from cftui.analysis import ranking

        opened = self.cftui.chosen
        if opened is None or self.item is None:
            return
        model, item = opened.model, self.item
        user = model.user_code(self.cftui.user)
        predicted = float(model.predict(np.array([user]), np.array([item]))[0])
        given = ranking.actual_rating(opened.ratings, user, item)
        low, high = opened.ratings.rating_range
        row = model.item_table.iloc[item]
        pane = self.query_one("#prediction", Static)
        pane.border_title = f"user {self.cftui.user} would give"
        known = opened.ratings.rating[opened.ratings.item == item]
        lines = [
            Text(f"{predicted:.2f} ", style="bold") + Text(_gauge(predicted, low, high)),
            Text(f"rated it {given:g}" if given is not None else "has not rated it"),
            Text(model.titles[item], style="bold"),
            Text(row["genres"].replace("|", " ") or "no genre"),
            Text(f"{len(known):,} ratings, mean {known.mean():.2f}" + _bias(opened, item)),
        ]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        pane.update(Text("\n").join(lines))

    def _recommend(self) -> None:
        from cftui.analysis import ranking

        opened = self.cftui.chosen
        if opened is None:
            return
        user = opened.model.user_code(self.cftui.user)
        best = ranking.recommend(opened.model, user, opened.ratings, RECOMMENDED, min_ratings=self.minimum)
        pane = self.query_one("#recommended", OptionList)
        pane.clear_options()
        width = max(pane.size.width, 30)
        pane.add_options(
            [
                Option(_scored(f"{row.predicted:.2f}", row.title, row.ratings, width), id=str(row.code))
                for row in best.itertuples(index=False)
            ]
        )
        pane.highlighted = 0 if len(best) else None
        pane.border_title = f"user {self.cftui.user} would like"
        pane.border_subtitle = f"unseen, {self.minimum}+ ratings" if self.minimum else "unseen"

    def _user_changed(self) -> None:
        self._show_prediction()
        self._recommend()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        self._show_neighbours()
        self._recommend()

    # Keys

    def action_search(self) -> None:
        field = self.query_one("#query", Input)
        field.focus()
        field.select_all()

    def action_leave_field(self) -> None:
        self.query_one("#found").focus()

    def action_move_found(self, by: int) -> None:
        found = self.query_one("#found", OptionList)
        found.action_cursor_down() if by > 0 else found.action_cursor_up()

    def action_move_focused(self, by: int) -> None:
        if isinstance(self.focused, OptionList):
            self.focused.action_cursor_down() if by > 0 else self.focused.action_cursor_up()

    def action_recommended(self) -> None:
        self.query_one("#recommended").focus()

    def action_minimum(self) -> None:
        """With few ratings a neighbour is chance: leave those out, or back."""
        self.minimum = 0 if self.minimum else WELL_KNOWN
        self._fit()

    def action_user(self) -> None:
        opened = self.cftui.chosen
        if opened is None:
            return
        users = opened.model.users

        def check(text: str) -> str:
            if users.code(text) is not None:
                return ""
            return f"no user {text!r}: ids run from {users.classes[1]} to {users.classes[-1]}"

        def choose(answer: str | None) -> None:
            if answer is not None:
                self.cftui.user = answer

        hint = f"{len(users) - 1:,} users, {users.classes[1]} to {users.classes[-1]}"
        self.app.push_screen(Prompt("predict for which user?", hint, self.cftui.user, check), choose)


def _row(opened: OpenModel, code: int) -> Text:
    row = opened.model.item_table.iloc[code]
    text = Text(f"{row['ratings']:>5}  ", style="dim", no_wrap=True, overflow="ellipsis")
    return text.append(row["title"], style="not dim").append(f"  {row['genres'].replace('|', ' ')}", style="dim")


def _scored(score: str, title: str, ratings: int, width: int) -> Text:
    """``.71 Fargo (1996)    508``: the count to the right edge, the title cut to fit."""
    count = f" {ratings:>4}"
    name = Text(title)
    name.truncate(max(width - len(score) - len(count) - 2, 8), overflow="ellipsis", pad=True)
    return Text(f"{score} ", style="bold", no_wrap=True) + name + Text(count, style="dim")


@lru_cache(maxsize=1)
def _bias_ranks(opened: OpenModel) -> dict[int, int]:
    from cftui.analysis import ranking

    codes = ranking.biases(opened.model)["code"].to_numpy()[::-1]
    return {int(code): rank for rank, code in enumerate(codes, 1)}


def _bias(opened: OpenModel, item: int) -> str:
    if not opened.model.has_bias:
        return ""
    return f", bias {opened.model.item_bias[item]:+.2f} (no. {_bias_ranks(opened)[item]:,})"


def _gauge(value: float, low: float, high: float, width: int = 20) -> str:
    """``1 |------o---| 5``."""
    at = round((min(max(value, low), high) - low) / (high - low) * (width - 1))
    return f"{low:g} |{'-' * at}o{'-' * (width - 1 - at)}| {high:g}"

"""Search: what is like that movie, what would this person think of it, and why?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from cftui.errors import CftuiError
from cftui.tui.search.neighbours import Neighbours
from cftui.tui.search.prediction import Prediction
from cftui.tui.search.recommended import Recommended
from cftui.tui.search.why import Why
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.model_room import ModelRoom
from cftui.tui.shell.prompt import Confirm
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import found_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from cftui.analysis.pair import Both
    from cftui.analysis.ranking import Filter
    from cftui.analysis.users.people import Person

# The recipe that is offered where no run recommends well.
RECOMMENDER = "ease"


class SearchField(Input):
    """Arrows move through what was found, enter picks: the hands stay on the text."""

    BINDINGS = bindings("field")


class SearchScreen(ModelRoom):
    ROOM = "search"
    PAIRED = True
    ABOUT = (
        "Type part of a title; accents, articles and typos are forgiven. Beneath: what is most like it, and what the "
        "chosen user would give it, and why. That is the chapter's user 196 until u chooses another, or m makes you "
        "one. Enter on a neighbour or a recommendation goes there; escape leaves the field for the keys."
    )
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("search")

    item: int | None = None
    _who: Person | None = None
    _both: Both | None = None
    _only: Filter | None = None
    _found: np.ndarray

    def model_body(self) -> ComposeResult:
        with Vertical(id="search-pane", classes="pane"):
            field = SearchField(placeholder="type a title", compact=True, id="query")
            field.cursor_blink = False
            yield field
            yield RowList(id="found", enter="Neighbours", placeholder="no match; try fewer letters")
        with Horizontal(id="answer"):
            yield Neighbours(
                id="neighbours", enter="Go there", classes="pane", placeholder="none; f changes the filter"
            )
            with Vertical(id="person"):
                yield Prediction(id="prediction", classes="pane")
                yield Recommended(
                    id="recommended", enter="Go there", classes="pane", placeholder="none; f changes the filter"
                )
            yield Why(id="why", enter="All terms", classes="pane")

    def on_mount(self) -> None:
        super().on_mount()
        self.watch(self.app, "user", self._user_changed, init=False)
        self.watch(self.app, "epoch", self._epoch_changed, init=False)

    def on_screen_resume(self) -> None:
        if self.cftui.chosen is not None and self.focused is None:
            self.query_one("#query").focus()

    # What is asked

    def model_changed(self, opened: OpenModel) -> None:
        from cftui.analysis.ranking import Filter

        self.item = None
        self.query_one(Recommended).order_of_two = "choice"
        self._who = self._person(opened)
        self.set_class("tags" in opened.model.item_table, "-tagged")
        # A genre the new data set may not have would leave nothing to show.
        self._only = Filter(min_ratings=self._only.min_ratings if self._only else 0)
        field = self.query_one("#query", Input)
        # What was searched for when the app was left.
        field.value = field.value or self.cftui.use.query
        self._find(field.value)
        self._recommend()
        if self.is_current:
            # At once: the list that an item is shown for takes the focus after this.
            self.set_focus(field)

    def _person(self, opened: OpenModel) -> Person | None:
        self._both = None
        try:
            self._both = opened.both(self.cftui.user)
            return opened.person(self.cftui.user)
        except CftuiError as error:
            self.cftui.complain(error)
            return None

    @on(Input.Changed, "#query")
    def _typed(self, event: Input.Changed) -> None:
        self.cftui.remember_use(query=event.value)
        self._find(event.value)

    def _find(self, query: str) -> None:
        opened = self.cftui.chosen
        if opened is None:
            return
        codes = opened.index.matches(query)
        self._found = codes
        model = opened.model
        self.query_one("#found", RowList).show(len(codes), lambda index, _: found_row(model, int(codes[index])))
        pane = self.query_one("#search-pane")
        pane.border_title = f"{len(codes):,} of {len(model.items) - 1:,} {model.nouns}"
        if len(codes):
            self._show(int(codes[0]))
        elif self.item is None:  # the model is new, and what is shown belongs to the old one
            self._clear()

    def _clear(self) -> None:
        self.query_one(Neighbours).clear()
        self.query_one(Why).clear()
        self.query_one(Prediction).update("", layout=False)

    @on(RowList.Highlighted, "#found")
    def _highlighted(self, event: RowList.Highlighted) -> None:
        self._show(int(self._found[event.index]))

    @on(Input.Submitted, "#query")
    @on(RowList.Selected, "#found")
    def _picked(self) -> None:
        if self.item is not None:
            self.query_one("#neighbours").focus()

    @on(RowList.Selected, "#neighbours")
    @on(RowList.Selected, "#recommended")
    async def _walk(self, event: RowList.Selected) -> None:
        """From an item to one that is like it, or that is recommended, and on."""
        table = event.row_list.table if isinstance(event.row_list, Neighbours | Recommended) else None
        if table is not None:
            await self.visit(self.ROOM, int(table["code"].iloc[event.index]))

    @on(RowList.Highlighted, "#recommended")
    def _say_reason(self, event: RowList.Highlighted) -> None:
        opened, pane, who = self.cftui.chosen, self.query_one(Recommended), self._who
        if opened is not None and who is not None and pane.has_focus:
            pane.say_reason(opened, who, self._both, event.index)

    @on(RowList.Selected, "#why")
    async def _walk_to_pull(self, event: RowList.Selected) -> None:
        """To a rating that pulls; on any other row, all the terms, or the largest again."""
        pane = self.query_one(Why)
        code = pane.rows.code(event.index) if pane.rows else None
        if code is not None:
            await self.visit(self.ROOM, code)
        else:
            pane.all_terms = not pane.all_terms
            self._show_why()

    def show_item(self, code: int) -> None:
        self._show(code)
        if self.focused is None or isinstance(self.focused, SearchField):
            self.set_focus(self.query_one("#neighbours"))

    def show_user(self) -> None:
        self.action_recommended()
        self.set_focus(self.query_one("#recommended"))

    # What is answered

    def _show(self, item: int) -> None:
        if item == self.item:
            return
        self.item = item
        self._show_neighbours()
        self._show_prediction()
        self._show_why()

    def _show_neighbours(self) -> None:
        from cftui.analysis.ranking import ANY

        opened = self.cftui.chosen
        if opened is None or self.item is None:
            return
        try:
            model = opened.at(self.cftui.epoch)
        except CftuiError as error:
            self.cftui.complain(error)
            return
        self.query_one(Neighbours).answer(opened, model, self.item, self._only or ANY)

    def _show_prediction(self) -> None:
        opened, who, pane = self.cftui.chosen, self._who, self.query_one(Prediction)
        if opened is None or self.item is None or who is None:
            pane.update("")
        else:
            pane.answer(opened, who, self.item, self.cftui.epoch)

    def _show_why(self) -> None:
        opened, who = self.cftui.chosen, self._who
        if opened is not None and self.item is not None and who is not None:
            self.query_one(Why).answer(opened, who, self.item, self.cftui.epoch)

    def _recommend(self) -> None:
        from cftui.analysis.ranking import ANY

        opened, who = self.cftui.chosen, self._who
        if opened is not None and who is not None:
            pane = self.query_one(Recommended)
            pane.answer(opened, who, self._both, self._only or ANY)
            pane.say_epoch(self.cftui.epoch)

    def _user_changed(self) -> None:
        if self.cftui.chosen is None:
            return
        self._who = self._person(self.cftui.chosen)
        self._show_prediction()
        self._show_why()
        self._recommend()

    def _epoch_changed(self) -> None:
        """Move the neighbours; all other panes say that they stay."""
        self._show_neighbours()
        self._show_prediction()
        self._show_why()
        self.query_one(Recommended).say_epoch(self.cftui.epoch)

    @on(Prediction.Resized)
    def _room_changed(self) -> None:
        self.call_after_refresh(self._fit)

    @on(Why.Resized)
    def _room_for_why_changed(self) -> None:
        self.call_after_refresh(self._show_why)

    def _fit(self) -> None:
        """What depends on the room there is. Wide enough, all three columns stand side by side."""
        self._show_prediction()
        self._show_why()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the field a slash is a letter like any other."""
        if action == "search" and isinstance(self.focused, SearchField):
            return False
        opened = self.cftui.chosen
        if action == "order" and (opened is None or not (opened.sure or opened.pair)):
            return False
        if action == "better" and (opened is None or opened.pair is not None or not opened.model.rates):
            return False
        return super().check_action(action, parameters)

    def action_search(self) -> None:
        if self.cftui.chosen is None:
            return
        field = self.query_one("#query", Input)
        field.focus()
        field.select_all()

    def action_leave_field(self) -> None:
        self.query_one("#found").focus()

    def action_move_found(self, by: int) -> None:
        found = self.query_one("#found", RowList)
        if found.cursor is not None:
            found.move_to(min(max(found.cursor + by, 0), len(self._found) - 1))

    def action_recommended(self) -> None:
        if self.cftui.chosen is None:
            return
        self.set_class(False, "-why")
        self.call_after_refresh(self._fit)
        self.query_one("#recommended").focus()

    def action_order(self) -> None:
        if self.cftui.chosen is not None:
            self.query_one(Recommended).next_order(self.cftui.chosen)
            self._recommend()

    def action_lists(self) -> None:
        """What other runs would recommend to this user, beside this one's list."""
        self.show_lists(())

    def show_lists(self, runs: Sequence[str]) -> None:
        from cftui.tui.search.lists import ListsScreen

        opened = self.cftui.chosen
        if opened is None or self._who is None:
            return
        if not self._who.trained:
            self.notify("a saved profile has no ratings held back to judge lists by; u chooses a user")
            return
        self.app.push_screen(ListsScreen(opened, str(self._who.raw), runs), self.while_open(self._show))

    def action_better(self) -> None:
        """Train a recipe that recommends, on the same ratings as the run on show: then both work together."""
        opened = self.cftui.chosen
        if opened is None:
            return

        def train(sure: bool) -> None:
            options = opened.model.options
            words = ["--split", options.split, "--seed", str(options.seed), "--item-key", options.item_key]
            if sure:
                self.cftui.train_partner(RECOMMENDER, ["--data", opened.model.data_name, *words])

        question = (
            f"train {RECOMMENDER} on the same ratings? It takes seconds, and orders the list by what people choose; "
            f"{opened.name} still says how they would rate it"
        )
        self.app.push_screen(Confirm(question), self.while_open(train))

    def action_why(self) -> None:
        """The explanation in the place of prediction and recommendations, and back; on a wide screen, to it."""
        if self.cftui.chosen is None:
            return
        pane = self.query_one("#why")
        if self.has_class("-wide"):
            pane.focus()
            return
        self.toggle_class("-why")
        if self.has_class("-why"):
            self.call_after_refresh(pane.focus)
        else:
            self.query_one("#neighbours").focus()
        self.call_after_refresh(self._fit)

    def action_similarity(self) -> None:
        pane = self.query_one(Neighbours)
        pane.metric = "euclidean" if pane.metric == "cosine" else "cosine"
        self._show_neighbours()

    def action_shrink(self) -> None:
        """With two ratings a neighbour is chance: let each count for as much as its ratings vouch for it."""
        pane = self.query_one(Neighbours)
        pane.shrink = not pane.shrink
        self._show_neighbours()

    def action_filter(self) -> None:
        def use(asked: Filter) -> None:
            self._only = asked
            self._show_neighbours()
            self._recommend()

        self.ask_filter(self._only, use)

    def action_user(self) -> None:
        from cftui.tui.search.users import UserPicker

        if self.cftui.chosen is not None:
            self.app.push_screen(UserPicker(self.cftui.chosen, self.cftui.user), self._use)

    def action_me(self) -> None:
        from cftui.tui.search.me import MeScreen

        if self.cftui.chosen is not None and not self.cftui.chosen.folds_in:
            self.notify("not available for this model: it cannot fold in a new user", severity="warning")
        elif self.cftui.chosen is not None:
            who = self._who if self._who is not None and not self._who.trained else None
            self.app.push_screen(MeScreen(self.cftui.chosen, who), self._use)

    def _use(self, name: str | None) -> None:
        if not name:
            return
        if name == self.cftui.user:  # the same profile, with other ratings
            self._user_changed()
        self.cftui.user = name

    def action_profile(self) -> None:
        from cftui.tui.search.users import ProfileScreen

        if self.cftui.chosen is not None and self._who is not None:
            self.app.push_screen(ProfileScreen(self.cftui.chosen, self._who))

    def action_biases(self) -> None:
        self.show_biases()

    async def action_on_map(self) -> None:
        if self.item is not None:
            await self.visit("map", self.item)

    def action_anatomy(self) -> None:
        from cftui.tui.search.anatomy import AnatomyScreen

        if self.cftui.chosen is not None:
            self.app.push_screen(AnatomyScreen(self.cftui.chosen))

    def action_epoch(self, step: int) -> None:
        self.cftui.move_epoch(step)

    def action_export(self) -> None:
        """The list the keys are on, else the neighbours, as a CSV."""
        from cftui.tui.shell.export import ask_for_file, write_table

        opened = self.cftui.chosen
        if opened is None or self.item is None:
            return
        best = self.query_one(Recommended)
        if self.focused is best:
            what, table = f"recommended-{self.cftui.user}", best.table
        else:
            what, table = f"like-{opened.model.titles[self.item]}", self.query_one(Neighbours).table
        if table is None:
            self.notify("nothing to write: this model has no neighbours", severity="warning")
            return
        ask_for_file(self.app, f"{what}.csv", ("csv",), lambda path: write_table(path, table))

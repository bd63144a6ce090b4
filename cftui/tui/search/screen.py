"""Search: what is like that movie, what would this person think of it, and why?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from cftui.errors import CftuiError
from cftui.text import plural, printable
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.interval_bar import given_mark, interval_bar, interval_words
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.model_room import ModelRoom
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import WhyRows, cosine, found_row, gauge, histogram, scored_row

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from cftui.analysis.evaluation.intervals import By
    from cftui.analysis.pair import Both, Order
    from cftui.analysis.ranking import About, Filter
    from cftui.analysis.users.people import Person

NEIGHBOURS = 100
# Cells of an interval's track: at the most beside a prediction, and in a list that is as wide as this.
TRACK_MOST = 40
TRACK_IN_LIST = 13
LIST_WITH_BARS = 46
RECOMMENDED = 100
# The recipe that is offered where no run recommends well.
RECOMMENDER = "ease"
PULLS = 10
# What is said of an item; its tags have a line of their own only where there is room for one more.
LINES_ABOUT = 6
FEWEST_TERMS = 7
# Rows for the sum, the last step, the error, a heading and the first ratings that pull.
BELOW_TERMS = 9


# What the best are sorted by: the prediction, or that and what is uncertain of it, as it stands beside it.
ORDERS: dict[By, str] = {"mean": "", "lower": ": less ±", "upper": ": plus ±"}
# With two runs: what the list is of, in words, and what it is ordered by.
OF_TWO: dict[Order, str] = {"choice": "would choose", "both": "would choose and like", "rating": "would rate highest"}


class SearchField(Input):
    """Arrows move through what was found, enter picks: the hands stay on the text."""

    BINDINGS = bindings("field")


class FittedPane(Static):
    """Says when it has another size: what it shows depends on its width."""

    class Resized(Message):
        """It has."""

    def on_resize(self) -> None:
        self.post_message(self.Resized())


class SearchScreen(ModelRoom):
    ROOM = "search"
    ABOUT = (
        "Type part of a title; accents, articles and typos are forgiven. Beneath: what is most like it, and what the "
        "chosen user would give it, and why. Enter on a neighbour or a recommendation goes there; escape leaves the "
        "field for the keys."
    )
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("search")

    item: int | None = None
    metric = "cosine"
    shrink = False
    order: By = "mean"
    order_of_two: Order | None = "choice"
    _who: Person | None = None
    _both: Both | None = None
    _only: Filter | None = None
    _why: WhyRows | None = None
    _all_terms = False
    _found: np.ndarray
    _near: pd.DataFrame
    _best: pd.DataFrame

    def model_body(self) -> ComposeResult:
        with Vertical(id="search-pane", classes="pane"):
            field = SearchField(placeholder="type a title", compact=True, id="query")
            field.cursor_blink = False
            yield field
            yield RowList(id="found", placeholder="no match; try fewer letters")
        with Horizontal(id="answer"):
            yield RowList(id="neighbours", classes="pane", placeholder="none; f changes the filter")
            with Vertical(id="person"):
                yield FittedPane(id="prediction", classes="pane")
                yield RowList(id="recommended", classes="pane", placeholder="none; f changes the filter")
            yield RowList(id="why", classes="pane")

    def on_mount(self) -> None:
        super().on_mount()
        self.watch(self.app, "user", self._user_changed, init=False)
        self.watch(self.app, "epoch", self._show_neighbours, init=False)

    def on_screen_resume(self) -> None:
        if self.cftui.chosen is not None and self.focused is None:
            self.query_one("#query").focus()

    # What is asked

    def model_changed(self, opened: OpenModel) -> None:
        from cftui.analysis.ranking import Filter

        self.item = None
        self.order_of_two = "choice"
        self._who = self._person(opened)
        self.set_class("tags" in opened.model.item_table, "-tagged")
        # A genre the new data set may not have would leave nothing to show.
        self._only = Filter(min_ratings=self._only.min_ratings if self._only else 0)
        self._find(self.query_one("#query", Input).value)
        self._recommend()
        if self.is_current:
            self.query_one("#query").focus()

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
        for name in ("#neighbours", "#why"):
            pane = self.query_one(name, RowList)
            pane.show(0, lambda index, width: Text())
            pane.border_title = pane.border_subtitle = ""
        self.query_one("#prediction", Static).update("", layout=False)
        self._why = None

    @on(RowList.Highlighted, "#found")
    def _highlighted(self, event: RowList.Highlighted) -> None:
        self._show(int(self._found[event.index]))

    @on(Input.Submitted, "#query")
    @on(RowList.Selected, "#found")
    def _picked(self) -> None:
        if self.item is not None:
            self.query_one("#neighbours").focus()

    @on(RowList.Selected, "#neighbours")
    def _walk(self, event: RowList.Selected) -> None:
        """From an item to one that is like it, and on."""
        if self._near is not None:
            self._show(int(self._near["code"].iloc[event.index]))

    @on(RowList.Selected, "#recommended")
    def _walk_to_recommended(self, event: RowList.Selected) -> None:
        self._show(int(self._best["code"].iloc[event.index]))

    @on(RowList.Highlighted, "#recommended")
    def _say_reason(self, event: RowList.Highlighted) -> None:
        """In the frame, the rating of the user that speaks most for the item under the cursor."""
        opened, pane, who = self.cftui.chosen, event.row_list, self._who
        if opened is None or who is None or not pane.has_focus:
            return
        from cftui.analysis.pair import reasons

        model = opened.model
        if opened.pair is not None and self._both is not None and self.order_of_two is not None:
            model, who = opened.pair.chooser, self._both.chooser
        code = self._best["code"].to_numpy(copy=True)[event.index : event.index + 1]
        for found in reasons(model, who, code, n=1):
            if found:
                pane.border_subtitle = Content(printable(f"because {found[0]}"))

    @on(RowList.Selected, "#why")
    def _walk_to_pull(self, event: RowList.Selected) -> None:
        """To a rating that pulls; on any other row, all the terms, or the largest again."""
        code = self._why.code(event.index) if self._why else None
        if code is not None:
            self._show(code)
        else:
            self._all_terms = not self._all_terms
            self._show_why()

    # What is answered

    def _show(self, item: int) -> None:
        if item == self.item:
            return
        self.item = item
        self._show_neighbours()
        self._show_prediction()
        self._show_why()

    def _show_neighbours(self) -> None:
        from cftui.analysis import ranking

        opened = self.cftui.chosen
        if opened is None or self.item is None:
            return
        try:
            model = opened.at(self.cftui.epoch)
        except CftuiError as error:
            self.cftui.complain(error)
            return
        pane = self.query_one("#neighbours", RowList)
        pane.border_title = Content(f"like {printable(model.titles[self.item])}")
        try:
            near = ranking.similar(
                model,
                self.item,
                NEIGHBOURS,
                metric=self.metric if model.has_factors else ranking.METRICS[0],
                shrink=ranking.SHRINK if self.shrink else 0,
                only=self._only or ranking.ANY,
            )
        except CftuiError as error:
            self._near = None
            pane.border_subtitle = ""
            pane.show_instead(str(error))
            return
        self._near = near
        measure = str(near.columns[-1])
        score, titles, counts = near[measure].to_numpy(), near["title"].to_numpy(), near["ratings"].to_numpy()

        def render(index: int, width: int) -> Text:
            # Weights are small: two digits would not tell them apart.
            digits = 3 if measure == "weight" else 2
            value = f"{score[index]:.2f}" if measure == "euclidean" else cosine(score[index], digits)
            return scored_row(f"{value:>4}", titles[index], counts[index], width)

        pane.show(len(near), render)
        said = [f"{measure}, shrunk" if self.shrink else measure, str(self._only or "")]
        if self.cftui.epoch is not None:
            said.append(f"after {opened.unit} {self.cftui.epoch}")
        pane.border_subtitle = Content("  ".join(filter(None, said)))

    def _show_prediction(self) -> None:
        import numpy as np

        from cftui.analysis import ranking

        opened, who = self.cftui.chosen, self._who
        pane = self.query_one("#prediction", Static)
        if opened is None or self.item is None or who is None:
            pane.update("")
            return
        model, item, given = opened.model, self.item, who.rating(self.item)
        about = ranking.about(model, opened.ratings, item)
        width = pane.content_size.width
        pane.border_title = Content(f"{_called(who)} would {'give' if model.rates else 'choose'}")
        if not model.rates:
            first = self._place(opened, who)
            said = f"chose it {plural(round(given or 0), 'time')}" if model.counted else f"gave {given or 0:g}"
            pane.border_subtitle = Content("unseen" if given is None else said)
        elif opened.sure:
            first = self._interval(opened, who, given, width)
        else:
            predicted = float(model.rate(who.row, np.array([item]))[0])
            words, said = f"{predicted:.2f} ", f"  gave {given:g}" if given is not None else "  unseen"
            low, high = model.rating_range
            # The shortest gauge leaves one empty column before the frame.
            room = width - len(words) - len(said) - len(gauge(predicted, low, high, 1))
            first = Text.assemble((words, "bold"), gauge(predicted, low, high, min(max(room, 5), 24)), said)
            pane.border_subtitle = ""
        self._about(about, first)

    def _place(self, opened: OpenModel, who: Person) -> Text:
        """Where the item stands among what the user has not rated; a score alone would mean nothing."""
        from cftui.analysis import ranking

        assert self.item is not None
        place, of = ranking.place(opened.model, who, self.item)
        if place is None:
            return Text("no score: too few ratings", style="bold")
        return Text.assemble((f"no. {place:,}", "bold"), f" of {of:,} unseen {opened.model.nouns}")

    def _interval(self, opened: OpenModel, who: Person, given: float | None, width: int) -> Text:
        """The 90 % interval of the prediction. The rating given is in the frame, since the line is full."""
        import numpy as np

        from cftui.analysis.evaluation.intervals import NINETY, intervals

        found, scale = intervals(opened.model, who.row, np.array([self.item])), opened.model.rating_range
        mean, half = float(found.centre[0]), NINETY * float(found.sd[0])
        words = interval_words(mean, mean - half, mean + half, scale)
        low, high = (f"{end:g}" for end in scale)
        # A space after the words, and around the bar; the bar has a frame of its own.
        room = width - len(words) - len(low) - len(high) - 5
        if room < 7:
            low, high, room = "", "", width - len(words) - 3
        track = min(max(room, 3), TRACK_MOST)
        bar = interval_bar(mean, mean - half, mean + half, scale, track, given)
        said = "unseen" if given is None else f"{given_mark(mean, given, scale, track)} gave {given:g}"
        self.query_one("#prediction").border_subtitle = Content(f"{said}   90 % interval")
        return Text.assemble((f"{words} ", "bold"), (f"{low} ".lstrip(), "dim"), bar, (f" {high}".rstrip(), "dim"))

    def _about(self, about: About, first: Text) -> None:
        """The prediction, and beneath it what there is to know of the item."""
        opened, pane = self.cftui.chosen, self.query_one("#prediction", Static)
        assert opened is not None
        width = pane.content_size.width
        rank = "" if about.rank is None else f"no. {about.rank:,} of {len(opened.model.items) - 1:,}"
        genres, tags = Text(" ".join(about.genres) or "no genre"), Text(", ".join(about.tags), style="dim")
        roomy = pane.content_size.height > LINES_ABOUT
        lines = [
            first,
            Text(printable(about.title), style="bold"),
            *([genres, tags] if tags and roomy else [Text.assemble(genres, "  ", tags)]),
            Text(f"{about.ratings:,} ratings, mean {about.mean:.2f}"),
            Text("no bias" if about.bias is None else f"bias {about.bias:+.2f}, {rank}"),
            histogram(about, width),
        ]
        if opened.model.counted:
            lines[-3:] = [Text(f"{plural(about.ratings, 'user')}, {about.mean:.2f} times each")]
        pane.update(Text("\n", no_wrap=True, overflow="ellipsis").join(lines), layout=False)

    def _show_why(self) -> None:
        """Only where it is seen: an explanation costs more than a prediction."""
        opened, who, pane = self.cftui.chosen, self._who, self.query_one("#why", RowList)
        if opened is None or self.item is None or who is None or not pane.display:
            return
        from cftui.analysis.explain.explaining import explain
        from cftui.analysis.users.people import pulls

        try:
            found = explain(opened.model, who.row, self.item, opened.baseline, who)
        except CftuiError as error:
            self._why = None
            pane.border_title, pane.border_subtitle = "why", Content(printable(opened.model.titles[self.item]))
            pane.show_instead(str(error))
            return
        rows = []
        if opened.folds_in and opened.model.rates:
            table = pulls(opened.model, who, self.item, opened.prior, opened.fitted(who)).head(PULLS)
            rows = list(zip(table["code"], table["title"], table["rating"], table["pull"], strict=True))
        # One more of a sampler: what follows from sets and side information is to be seen with the rest as one.
        fewest = FEWEST_TERMS + opened.sure
        room = len(found.terms) if self._all_terms else max(pane.content_size.height - BELOW_TERMS, fewest)
        self._why = WhyRows(found, rows, room)
        pane.show(len(self._why), self._why.render)
        shown = f"{found.prediction:.2f}" if found.rates else f"a score of {found.prediction:.3f}"
        pane.border_title = Content(f"why {shown} for {_called(who)}")
        pane.border_subtitle = Content(printable(opened.model.titles[self.item]))

    def _recommend(self) -> None:
        from cftui.analysis import ranking

        opened, who, pane = self.cftui.chosen, self._who, self.query_one("#recommended", RowList)
        if opened is None or who is None:
            return
        if self._both is not None and self.order_of_two is not None:
            self._recommend_by_two(opened, self._both, self.order_of_two)
            return
        by = self.order if opened.sure else "mean"
        best = ranking.recommend(opened.model, who, RECOMMENDED, only=self._only or ranking.ANY, by=by)
        self._best = best
        rates = opened.model.rates
        score = best["predicted" if rates else "score"].to_numpy()
        titles, counts = best["title"].to_numpy(), best["ratings"].to_numpy()
        title = f"{_called(who)} would {'like' if rates else 'choose'}"
        if opened.sure:
            from cftui.analysis.evaluation.intervals import NINETY, RANKINGS, intervals

            found, scale = intervals(opened.model, who.row, best["code"].to_numpy(copy=True)), opened.model.rating_range
            title = f"{RANKINGS[by]} for {_called(who)}{ORDERS[by]}"

        def render(i: int, width: int) -> Text:
            bar, said = None, f"{score[i]:.2f}"
            if opened.sure:
                # The prediction's column, since rows are sorted by it.
                mean, half = float(found.centre[i]), NINETY * float(found.uncertainty[i])
                said += f"±{half:.2f}"
                if width >= LIST_WITH_BARS:
                    bar = interval_bar(mean, mean - half, mean + half, scale, TRACK_IN_LIST, framed=False)
            return scored_row(said, titles[i], counts[i], width, bar=bar)

        pane.show(len(best), render)
        pane.border_title = Content(title)
        # Where no other run chooses better, it is said what this list is worth.
        worth = "no better than popularity (e)" if opened.pair is None and opened.loses_to_popularity else ""
        said = worth or ("unseen  ±: how sure" if opened.sure else "unseen")
        pane.border_subtitle = Content("  ".join(filter(None, (said, str(self._only or "")))))

    def _recommend_by_two(self, opened: OpenModel, who: Both, order: Order) -> None:
        """Both numbers of each: which choice it is, and what it would be rated."""
        from cftui.analysis import ranking

        assert opened.pair is not None
        best = opened.pair.recommend(who, RECOMMENDED, only=self._only or ranking.ANY, order=order)
        self._best = best
        place, predicted = best["place"].to_numpy(), best["predicted"].to_numpy()
        titles, counts = best["title"].to_numpy(), best["ratings"].to_numpy()
        low, high = (best[end].to_numpy() if end in best else None for end in ("low", "high"))
        scale = opened.model.rating_range
        digits = max(3, len(str(place.max(initial=0))))

        def render(i: int, width: int) -> Text:
            bar = None
            if low is not None and high is not None and width >= LIST_WITH_BARS:
                bar = interval_bar(predicted[i], low[i], high[i], scale, TRACK_IN_LIST, framed=False)
            return scored_row(f"{place[i]:>{digits}} {predicted[i]:.1f}", titles[i], counts[i], width, bar=bar)

        pane = self.query_one("#recommended", RowList)
        pane.show(len(best), render)
        pane.border_title = Content(f"{_called(who.chooser)} {OF_TWO[order]}")
        other = opened.pair.chooser if opened.model is opened.pair.rater else opened.pair.rater
        said = ("choice, rating", f"with {other.name}", str(self._only or ""))
        pane.border_subtitle = Content("  ".join(filter(None, said)))

    def _user_changed(self) -> None:
        if self.cftui.chosen is None:
            return
        self._who = self._person(self.cftui.chosen)
        self._show_prediction()
        self._show_why()
        self._recommend()

    @on(FittedPane.Resized)
    def _room_changed(self) -> None:
        self.call_after_refresh(self._fit)

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
        """Rank by choice, by both or by rating if two runs know the user, then by the ends of the interval."""
        opened = self.cftui.chosen
        if opened is None:
            return
        ways: list[tuple[Order | None, By]] = []
        if opened.pair is not None:
            ways = [(order, "mean") for order in OF_TWO]
        if opened.sure:
            # With two runs, the order by rating has been there already.
            ways += [(None, by) for by in ORDERS if by != "mean" or not ways]
        now = (self.order_of_two if opened.pair is not None else None, self.order)
        self.order_of_two, self.order = ways[(ways.index(now) + 1) % len(ways) if now in ways else 0]
        self._recommend()

    def action_lists(self) -> None:
        """What other runs would recommend to this user, beside this one's list."""
        from cftui.tui.search.lists import ListsScreen

        opened = self.cftui.chosen
        if opened is None or self._who is None:
            return
        if not self._who.trained:
            self.notify("a saved profile has no ratings held back to judge lists by; u chooses a user")
            return
        self.app.push_screen(ListsScreen(opened, str(self._who.raw)), self.while_open(self._show))

    def action_better(self) -> None:
        """Train a recipe that recommends, on the same ratings as the run on show: then both work together."""
        opened = self.cftui.chosen
        if opened is not None:
            options = opened.model.options
            words = ["--split", options.split, "--seed", str(options.seed), "--item-key", options.item_key]
            self.cftui.start_training(RECOMMENDER, ["--data", opened.model.data_name, *words])

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
        self.metric = "euclidean" if self.metric == "cosine" else "cosine"
        self._show_neighbours()

    def action_shrink(self) -> None:
        """With two ratings a neighbour is chance: let each count for as much as its ratings vouch for it."""
        self.shrink = not self.shrink
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
        self.show_biases(self._show)

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
        if self.focused is self.query_one("#recommended"):
            what, table = f"recommended-{self.cftui.user}", self._best
        else:
            what, table = f"like-{opened.model.titles[self.item]}", self._near
        if table is None:
            self.notify("nothing to write: this model has no neighbours", severity="warning")
            return
        ask_for_file(self.app, f"{what}.csv", ("csv",), lambda path: write_table(path, table))


def _called(who: Person) -> str:
    return f"user {who.name}" if who.trained else who.name

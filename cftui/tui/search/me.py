"""Become a user: ten key presses, and recommendations that move with every one of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from cftui.analysis import ranking
from cftui.analysis.evaluation.intervals import NINETY, intervals
from cftui.analysis.pair import Both
from cftui.analysis.users import folding, people, profiles
from cftui.analysis.users.scale import TYPED_COUNT, Entered, Scale
from cftui.errors import CftuiError
from cftui.text import plural, printable, scaled
from cftui.tui.session.app import session_of
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.dialog import ClosesOnce
from cftui.tui.shell.interval_bar import interval_bar
from cftui.tui.shell.key_bar import KeyBar
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.prompt import Confirm, Prompt
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import YOURSELF, scored_row
from cftui.tui.shell.titles import Choice, TitlePicker
from cftui.tui.shell.top import TopLine

if TYPE_CHECKING:
    import pandas as pd

    from cftui.analysis.users.people import Person

ASKED = 10
RECOMMENDED = 100
# Cells of an interval's track, twice as many in a wide list; the number of ratings is shown from a width on.
TRACK = 10
WITH_COUNTS = 48
WIDE = 70
# An answer that says that something is liked, without a rating.
LIKED = math.nan


class MeScreen(ClosesOnce, Screen[str | None]):
    """Asks about one item after the other. Dismissed with the name of the profile that was saved, or None."""

    BINDINGS = bindings("me")
    ABOUT = (
        "Type your rating of what you have seen, on the scale of the data set. Left and right step through the scale, "
        "and enter takes what is shown. The model finds the user you are, without training, and what you would like "
        "moves with every key. Enter on an answer asks about it again. Save it to be that user everywhere."
    )
    ROOM = "become a user"
    CSS_PATH = "me.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (110, "-wide")]

    def __init__(self, opened: OpenModel, who: Person | None) -> None:
        super().__init__()
        self._opened = opened
        self._name = who.name if who else ""
        # Answers in their order, code to rating; LIKED without a rating, None if not seen.
        self._answers: dict[int, float | None] = {}
        if who is not None:
            self._answers = _answers(who.items, who.given)
        self._saved = dict(self._answers)
        # What each answer took the place of, to be undone: None where the item had not been asked about.
        self._undo: list[tuple[int, dict[int, float | None] | None]] = [(code, None) for code in self._answers]
        self._asked: int | None = None
        self._places: dict[int, int] = {}
        self._row: np.ndarray | None = None
        model = opened.model
        self._scale = Scale.of(model.rating_range, opened.ratings.levels, model.counted)
        # The rating that is being typed, and the whole number that a point would go on with.
        self._entered, self._before_point = Entered(), ""

    def compose(self) -> ComposeResult:
        yield TopLine(paired=True)
        with Horizontal(id="me"):
            with Vertical(id="me-left"):
                yield Static(id="question", classes="pane")
                yield RowList(id="answers", classes="pane", placeholder="nothing rated yet")
            yield RowList(id="me-recommended", classes="pane")
        yield KeyBar()

    def on_mount(self) -> None:
        self._ask()
        self.query_one("#me-recommended").focus()

    @property
    def _rated(self) -> tuple[np.ndarray, np.ndarray]:
        given = {code: rating for code, rating in self._answers.items() if rating is not None}
        return np.array([*given], np.int64), np.array([*given.values()], np.float32)

    def _ask(self, item: int | None = None) -> None:
        """Fold in what there is, show what follows from it, and ask the next question."""
        opened, (items, given) = self._opened, self._rated
        model = opened.model
        who = people.folded(model, self._name or YOURSELF, items, given, opened.prior)
        self._recommend(who)
        if item is None:
            passed = np.array([code for code, rating in self._answers.items() if rating is None], np.int64)
            next_ = folding.questions(model, items, given, 1, passed=passed, known=opened.prior, row=who.row)
            item = int(next_[0]) if len(next_) else None
        self._asked, self._entered = item, Entered()
        self._show_question()
        self._show_answers()

    def _show_question(self) -> None:
        pane, model, count = self.query_one("#question", Static), self._opened.model, len(self._rated[0])
        pane.border_title = f"{count} {'chosen' if model.counted else 'rated'}" + (
            "" if count >= ASKED else f" of {ASKED}"
        )
        if self._asked is None:
            pane.update(Text(f"No more {model.nouns} to ask about; / finds one, w saves.", style="dim"))
            return
        row = model.item_table.iloc[self._asked]
        known = plural(int(row["ratings"]), "user" if model.counted else "rating")
        lines = [
            Text(printable(row["title"]), style="bold"),
            Text(f"{row['genres'].replace('|', ' ') or 'no genre'}, {known}", style="dim"),
            self._entry(),
            Text(f"space: not seen{'   l: like it' if self._takes_likes else ''}   backspace: undo"),
        ]
        pane.update(Text("\n").join(lines), layout=False)
        self.refresh_bindings()

    def _entry(self) -> Text:
        """What to type, or what has been typed so far."""
        now = self._entered
        if now.wrong:
            return Text(now.wrong, style="bold")
        if now.text:
            return Text.assemble((f"{now.text}_", "bold"), "   enter: take it" if now.value is not None else "")
        if self._opened.model.counted:
            return Text(f"1: chosen, to {TYPED_COUNT} times; or ← →")
        return Text(f"type {self._scale}, or ← →")

    def _show_answers(self) -> None:
        model, answers = self._opened.model, list(self._answers.items())[::-1]

        def render(index: int, _: int) -> Text:
            code, rating = answers[index]
            mark = "-" if rating is None else "x" if model.counted else "♥" if math.isnan(rating) else f"{rating:g}"
            return Text(f"{mark:>3} {printable(model.titles[code])}", style="dim" if rating is None else "")

        pane = self.query_one("#answers", RowList)
        pane.show(len(answers), render)
        pane.border_title = "your choices" if model.counted else "your ratings"

    def _best_for(self, who: Person) -> pd.DataFrame:
        """What to recommend: by choice, if any run on these ratings can say what that would be."""
        pair = self._opened.pair
        if pair is None:
            return ranking.recommend(self._opened.model, who, RECOMMENDED)
        rates = self._opened.model.rates
        other = people.folded(pair.chooser if rates else pair.rater, who.name, who.items, who.given)
        return pair.recommend(Both(other, who) if rates else Both(who, other), RECOMMENDED)

    def _recommend(self, who: Person) -> None:
        best = self._best_for(who)
        codes = best["code"].to_numpy(copy=True)
        score = best["predicted" if "predicted" in best else "score"].to_numpy()
        titles, counts = best["title"].to_numpy(), best["ratings"].to_numpy()
        before = self._places
        self._places = {int(code): place for place, code in enumerate(codes)}

        def moved(place: int) -> str:
            if not before:
                return "    "
            was = before.get(int(codes[place]))
            if was is None:
                return " new"
            return "    " if was == place else f"{'▲' if was > place else '▼'}{abs(was - place):<3}"

        pane, model = self.query_one("#me-recommended", RowList), self._opened.model
        sure = self._opened.sure
        would = "choose" if "score" in best else "like"
        pane.border_title = f"you would {would}" if len(who.items) else f"what the average user would {would}"
        pane.border_subtitle = f"unseen; moves with every {'choice' if self._opened.model.counted else 'rating'}"
        if sure:
            # What is uncertain of the prediction, not how scattered one rates: that is what a rating takes away.
            found, scale = intervals(model, who.row, codes), model.rating_range
            half, was = NINETY * found.uncertainty, self._row
            pane.border_subtitle = f"how sure: ±{scaled(half.mean(), scale)}"
            if was is not None and len(codes):
                half_before = NINETY * intervals(model, was, codes).uncertainty
                pane.border_subtitle = f"how sure: ±{scaled(half_before.mean(), scale)} → ±{scaled(half.mean(), scale)}"
        self._row = who.row
        score_scale = model.rating_range if model.rates else (0.0, 1.0)

        def render(i: int, width: int) -> Text:
            bar = None
            if sure:
                mean, spread = float(found.centre[i]), float(half[i])
                track = TRACK if width < WIDE else 2 * TRACK
                bar = interval_bar(mean, mean - spread, mean + spread, scale, track, framed=False)
            # The title matters more than how many rated it.
            count = counts[i] if width >= WITH_COUNTS else None
            row = scored_row(scaled(score[i], score_scale), titles[i], count, width - 5, bar=bar)
            return Text.assemble((f"{moved(i)} ", "dim"), row)

        pane.show(len(best), render)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter takes a rating that has been begun; on an answer, it asks about it again; else it is the list's."""
        if action == "like":
            return self._takes_likes
        if action == "take":
            return self._entered.value is not None or self._answer_at_cursor is not None
        return super().check_action(action, parameters)

    @property
    def _answer_at_cursor(self) -> int | None:
        pane = self.query_one("#answers", RowList)
        answers = [*self._answers][::-1]
        return answers[pane.cursor] if pane.has_focus and pane.cursor is not None else None

    def action_rate(self, key: str) -> None:
        """One more character of a rating."""
        if key == "." and not self._entered.text:
            self._reopen()
        if self._asked is None:
            return
        # What was stepped to is complete: digits begin anew.
        begun = "" if self._entered.done and key != "." else self._entered.text
        now = self._scale.typed(begun, key)
        if now.wrong and key == "0" and not begun:
            self.action_pass_over()
        elif now.done and now.value is not None:
            self._rate(now.value)
        else:
            self._entered = now
            self._show_question()

    def _reopen(self) -> None:
        """A point after a whole number that was taken at once: take it back, and go on with it."""
        whole = self._before_point
        if whole and self._undo and not self._scale.typed(whole, ".").wrong:
            self.action_undo()
            self._entered = Entered(whole, float(whole))

    def action_step(self, by: int) -> None:
        """To the next value of the scale, from the middle at first."""
        if self._asked is not None:
            value = self._scale.stepped(self._entered.value, by)
            self._entered = Entered(f"{value:g}", value, done=True)
            self._show_question()

    def action_take(self) -> None:
        if self._entered.value is not None:
            self._rate(self._entered.value)
        elif (code := self._answer_at_cursor) is not None:
            self._ask(code)

    def _rate(self, value: float) -> None:
        whole = f"{value:g}"
        self._answer(value)
        self._before_point = whole if whole.lstrip("-").isdecimal() else ""
        if len(self._rated[0]) == ASKED:
            self.notify("ten rated: press w to save them as a user, or go on")

    @property
    def _takes_likes(self) -> bool:
        """Whether a model of choices is at work; counts say as much as a like by themselves."""
        model, pair = self._opened.model, self._opened.pair
        return not model.counted and (not model.rates or pair is not None)

    def action_like(self) -> None:
        if self._asked is not None:
            self._answer(LIKED)

    def action_pass_over(self) -> None:
        if self._asked is not None:
            self._answer(None)

    def _answer(self, rating: float | None) -> None:
        assert self._asked is not None
        self._before_point = ""
        # Put at the end, also where it is an old answer changed: the list shows what was done last on top.
        self._undo.append((self._asked, dict(self._answers) if self._asked in self._answers else None))
        self._answers.pop(self._asked, None)
        self._answers[self._asked] = rating
        self._ask()

    def action_undo(self) -> None:
        """Take back the last character, or else the last answer, and ask it again."""
        if self._entered.text:
            text = self._entered.text[:-1]
            self._entered = self._scale.typed(text[:-1], text[-1]) if text else Entered()
            self._show_question()
        elif self._undo:
            code, before = self._undo.pop()
            if before is None:
                del self._answers[code]
            else:
                self._answers = before
            self._ask(code)

    def action_find(self) -> None:
        def ask(choice: Choice | None) -> None:
            if choice is not None and choice.code is not None:
                self._ask(choice.code)

        self.app.push_screen(TitlePicker(self._opened, f"rate which {self._opened.model.noun}?"), ask)

    def action_bring(self) -> None:
        """Take ratings from a file."""

        def check(text: str) -> str:
            path = Path(text).expanduser()
            return "" if path.is_file() else f"{text or 'nothing'} is no file; type the path of one"

        def read(text: str | None) -> None:
            if text is not None:
                self._read(Path(text).expanduser())

        hint = "an export of Letterboxd, IMDb or Goodreads, or a CSV of title,rating"
        self.app.push_screen(Prompt("take your ratings from which file?", hint, "", check), read)

    @work(thread=True, exclusive=True)
    def _read(self, path: Path) -> None:
        """Off the event loop: of many thousand titles, to find one takes a while."""
        app = session_of(self)
        try:
            rated = profiles.read_rated(path, self._opened.model)
        except CftuiError as error:
            app.from_worker(app.complain, error)
            return
        app.from_worker(self._brought, rated)

    def _brought(self, rated: profiles.Rated) -> None:
        """Add what a file holds to the answers, as one answer that can be undone."""
        before, asked = dict(self._answers), self._asked
        for code, given in _answers(rated.items, rated.given).items():
            self._answers.pop(code, None)
            self._answers[code] = given
        self._undo.append((asked if asked is not None else int(rated.items[0]), before))
        model = self._opened.model
        said = [f"took {plural(len(rated.items), 'rating')}; backspace undoes it", *rated.remarks(model)]
        self.notify(".\n".join(said), timeout=10, markup=False)
        self._before_point = ""
        self._ask()

    def action_keep(self) -> None:
        items, given = self._rated
        if not len(items):
            self.notify("no ratings yet")
            return
        opened = self._opened

        def done(name: str | None) -> None:
            if name is None:
                return
            try:
                path = profiles.save(opened.home, name, opened.model, items, given)
            except (CftuiError, OSError) as error:
                self.notify(str(error), severity="error", timeout=20)
                return
            self.notify(f"saved as {path}; u chooses another user")
            self.dismiss(name)

        saved = ", ".join(profiles.names(opened.home))
        hint = f"a name to be chosen by; of the same name, replaced{': ' + saved if saved else ''}"
        check = lambda name: profiles.check_name(name, opened.model)  # noqa: E731
        self.app.push_screen(Prompt("save yourself as", hint, self._name or YOURSELF, check), done)

    @property
    def unsaved(self) -> str:
        """What would be lost by leaving, in words; empty if nothing."""
        now, saved = (
            {code: rating for code, rating in answers.items() if rating is not None}
            for answers in (self._answers, self._saved)
        )
        return "" if now == saved else f"{len(now)} unsaved ratings"

    def action_leave(self) -> None:
        """Asks only where ratings would be lost."""
        if not self.unsaved:
            self.dismiss(None)
            return

        def leave(sure: bool | None) -> None:
            if sure:
                self.dismiss(None)

        self.app.push_screen(Confirm(f"leave and lose {self.unsaved}? n, then w, saves them"), leave)


def _answers(items: np.ndarray, given: np.ndarray) -> dict[int, float | None]:
    """Ratings as answers. NaN is no answer's equal, unless it is the same object."""
    pairs = zip(items.tolist(), given.tolist(), strict=True)
    return {code: LIKED if math.isnan(rating) else rating for code, rating in pairs}

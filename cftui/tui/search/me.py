"""Become a user: ten key presses, and recommendations that move with every one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from cftui.analysis import ranking
from cftui.analysis.evaluation.intervals import NINETY, intervals
from cftui.analysis.pair import Both
from cftui.analysis.users import folding, people, profiles
from cftui.errors import CftuiError
from cftui.text import plural, printable
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.dialog import ClosesOnce
from cftui.tui.shell.interval_bar import interval_bar
from cftui.tui.shell.key_bar import KeyBar
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.prompt import Confirm, Prompt
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import scored_row
from cftui.tui.shell.titles import Choice, TitlePicker
from cftui.tui.shell.top import TopLine

if TYPE_CHECKING:
    import pandas as pd

    from cftui.analysis.users.people import Person

ASKED = 10
RECOMMENDED = 100
# Cells of an interval's track, twice as many in a wide list; the number of ratings stands beside it from a width on.
TRACK = 10
WITH_COUNTS = 48
WIDE = 70
DEFAULT_NAME = "me"


def rating_of_key(key: int, rating_range: tuple[float, float]) -> float:
    """The rating that a number key enters: itself if the scale has it, else 1 to 5 spread over the scale."""
    low, high = rating_range
    if low <= 1 and high == 5:
        return float(key)
    return low + (key - 1) * (high - low) / 4


class MeScreen(ClosesOnce, Screen[str | None]):
    """Asks about one item after the other. Dismissed with the name of the profile that was saved, or None."""

    BINDINGS = bindings("me")
    ABOUT = (
        "Rate what you have seen with 1 to 5; the model finds the user you are, without training, and what you would "
        "like moves with every key. Save it to be that user everywhere."
    )
    ROOM = "become a user"
    CSS_PATH = "me.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (110, "-wide")]

    def __init__(self, opened: OpenModel, who: Person | None) -> None:
        super().__init__()
        self._opened = opened
        self._name = who.name if who else ""
        # Answers in their order, code to rating; None if not seen.
        self._answers: dict[int, float | None] = {}
        if who is not None:
            self._answers = dict(zip(who.items.tolist(), who.given.tolist(), strict=True))
        self._saved = dict(self._answers)
        # What each answer took the place of, to be undone: None where the item had not been asked about.
        self._undo: list[tuple[int, dict[int, float | None] | None]] = [(code, None) for code in self._answers]
        self._asked: int | None = None
        self._places: dict[int, int] = {}
        self._row: np.ndarray | None = None

    def compose(self) -> ComposeResult:
        yield TopLine()
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
        who = people.folded(model, self._name or DEFAULT_NAME, items, given, opened.prior)
        self._recommend(who)
        if item is None:
            passed = np.array([code for code, rating in self._answers.items() if rating is None], np.int64)
            next_ = folding.questions(model, items, given, 1, passed=passed, known=opened.prior, row=who.row)
            item = int(next_[0]) if len(next_) else None
        self._asked = item
        self._show_question(who)
        self._show_answers()

    def _show_question(self, who: Person) -> None:
        pane, model, count = self.query_one("#question", Static), self._opened.model, len(who.items)
        pane.border_title = f"{count} {'chosen' if model.counted else 'rated'}" + (
            "" if count >= ASKED else f" of {ASKED}"
        )
        if self._asked is None:
            pane.update(Text(f"No more {model.nouns} to ask about; / finds one, w saves.", style="dim"))
            return
        row = model.item_table.iloc[self._asked]
        low, high = (rating_of_key(key, model.rating_range) for key in (1, 5))
        asked = "1: chosen" if model.counted else f"1 ({low:g}) to 5 ({high:g}): rate it"
        lines = [
            Text(printable(row["title"]), style="bold"),
            Text(row["genres"].replace("|", " ") or "no genre"),
            Text(plural(int(row["ratings"]), "user" if model.counted else "rating"), style="dim"),
            Text(),
            Text(asked),
            Text("space: not seen   backspace: undo"),
        ]
        pane.update(Text("\n").join(lines), layout=False)

    def _show_answers(self) -> None:
        model, answers = self._opened.model, list(self._answers.items())[::-1]

        def render(index: int, _: int) -> Text:
            code, rating = answers[index]
            mark = "-" if rating is None else "x" if model.counted else f"{rating:g}"
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
        would = "choose" if "score" in best else "like"
        pane.border_title = f"you would {would}" if len(who.items) else f"what the average user would {would}"
        pane.border_subtitle = f"unseen; moves with every {'choice' if self._opened.model.counted else 'rating'}"
        if self._opened.sure:
            # What is uncertain of the prediction, not how scattered one rates: that is what a rating takes away.
            found, scale = intervals(model, who.row, codes), model.rating_range
            half, was = NINETY * found.uncertainty, self._row
            pane.border_subtitle = f"how sure: ±{half.mean():.2f}"
            if was is not None and len(codes):
                half_before = NINETY * intervals(model, was, codes).uncertainty
                pane.border_subtitle = f"how sure: ±{half_before.mean():.2f} → ±{half.mean():.2f}"
        self._row = who.row

        def render(i: int, width: int) -> Text:
            bar, count = None, counts[i]
            if self._opened.sure:
                mean, sure = float(found.centre[i]), float(half[i])
                track = TRACK if width < WIDE else 2 * TRACK
                bar = interval_bar(mean, mean - sure, mean + sure, scale, track, framed=False)
                count = count if width >= WITH_COUNTS else None
            row = scored_row(f"{score[i]:.2f}", titles[i], count, width - 5, bar=bar)
            return Text.assemble((f"{moved(i)} ", "dim"), row)

        pane.show(len(best), render)

    # Keys

    def action_rate(self, key: int) -> None:
        if self._asked is None:
            return
        model = self._opened.model
        self._answer(1.0 if model.counted else rating_of_key(key, model.rating_range))
        if len(self._rated[0]) == ASKED:
            self.notify("ten rated: press w to save them as a user, or go on")

    def action_pass_over(self) -> None:
        if self._asked is not None:
            self._answer(None)

    def _answer(self, rating: float | None) -> None:
        assert self._asked is not None
        # Put at the end, also where it is an old answer changed: the list shows what was done last on top.
        self._undo.append((self._asked, dict(self._answers) if self._asked in self._answers else None))
        self._answers.pop(self._asked, None)
        self._answers[self._asked] = rating
        self._ask()

    def action_undo(self) -> None:
        """Take back the last answer, and ask it again."""
        if self._undo:
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
        self.app.push_screen(Prompt("save yourself as", hint, self._name or DEFAULT_NAME, check), done)

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

"""Going to another run, from anywhere: a field and the runs that fit what is typed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rapidfuzz import fuzz
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from cftui.engine.runs.summaries import JudgedRun
from cftui.tui.session.app import session_of
from cftui.tui.shell.columns import contains
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.dialog_list import ListField
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.run_rows import RunColumns, RunRow

# Of 100, as rapidfuzz scores; below it what was typed has little to do with the run.
LEAST_SCORE = 55


def fitting(runs: Sequence[JudgedRun], query: str) -> list[JudgedRun]:
    """The runs whose words contain all that was typed; if there are none, those that are most like it."""
    texts = [" ".join([one.run.name, one.run.what, one.run.data, *one.run.tags, one.run.note]) for one in runs]
    wanted = query.casefold().split()
    found = [one for one, text in zip(runs, texts, strict=True) if contains(text, wanted)]
    if found or not wanted:
        return found
    scores = [_likeness(wanted, text.casefold()) for text in texts]
    near = sorted((at for at, score in enumerate(scores) if score >= LEAST_SCORE), key=lambda at: -scores[at])
    return [runs[at] for at in near]


def _likeness(wanted: Sequence[str], text: str) -> float:
    """How like each word is to its nearest in the text, on average; 100 for the same words."""
    words = re.findall(r"\w+", text)
    return sum(max((fuzz.ratio(one, word) for word in words), default=0.0) for one in wanted) / len(wanted)


class RunSwitcher(Dialog[str | None]):
    """Dismissed with the name of a run, or None."""

    BINDINGS = bindings("dialog")
    CSS_PATH = "run_switcher.tcss"

    def compose(self) -> ComposeResult:
        with Vertical(id="switcher"):
            yield ListField("switcher-list", placeholder="a run, a recipe, a setting, a data set, a tag")
            yield RowList("looking ...", id="switcher-list")

    def on_mount(self) -> None:
        self._runs: list[JudgedRun] = []
        box = self.query_one("#switcher")
        box.border_title, box.border_subtitle = "go to a run", "enter: go   escape: stay"
        self.query_one(RowList).arranges = False
        self.query_one(ListField).focus()
        self.watch(self.app, "run_rows", self._find)
        session_of(self).look_at_runs()

    def on_resize(self) -> None:
        self.call_after_refresh(self._find)

    @on(Input.Changed)
    def _find(self) -> None:
        app, rows = session_of(self), self.query_one(RowList)
        self._runs = fitting(app.run_rows, self.query_one(Input).value)
        in_use = app.chosen.name if app.chosen else ""
        table = RunColumns([RunRow(one, one.run.name == in_use) for one in self._runs], max(rows.size.width - 1, 20))
        rows.placeholder = "no run fits; try fewer letters" if app.run_rows else "no run yet; press 2, then t"
        rows.show(len(self._runs), table.render, columns=table.columns if self._runs else ())

    @on(Input.Submitted)
    @on(RowList.Selected)
    def _picked(self) -> None:
        cursor = self.query_one(RowList).cursor
        if cursor is not None:
            self.dismiss(self._runs[cursor].run.name)

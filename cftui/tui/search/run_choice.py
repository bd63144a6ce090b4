"""Which runs stand side by side: two to four of those that were trained on the same ratings, and popularity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical

from cftui.analysis.evaluation.side_by_side import LEAST, MOST, POPULARITY
from cftui.engine.runs.verdict import points
from cftui.text import plural
from cftui.tui.session.app import session_of
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.columns import Column, line
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList

if TYPE_CHECKING:
    from cftui.engine.runs.summaries import RunSummary


class RunChoice(Dialog[tuple[str, ...] | None]):
    """Dismissed with the names of the chosen runs in their order, or None.

    The first list is the one that the others are held against, so the order in which runs are chosen counts.
    """

    BINDINGS = bindings("run_choice")
    CSS_PATH = "run_choice.tcss"

    def __init__(self, opened: OpenModel, now: Sequence[str]) -> None:
        super().__init__()
        self._opened, self._chosen = opened, list(now)
        self._names: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="run-choice"):
            yield RowList("looking ...", enter="Compare", id="run-choice-list")

    def on_mount(self) -> None:
        self.query_one("#run-choice").border_title = f"which lists side by side? {LEAST} to {MOST}"
        rows = self.query_one(RowList)
        # Enter takes what is chosen, and no filter is needed for the runs of one data set.
        rows.arranges = False
        rows.focus()
        self.watch(self.app, "run_rows", self._show)
        session_of(self).look_at_runs()

    def _show(self) -> None:
        ours, known = self._opened.model.trained_on, session_of(self).run_rows
        runs = [one.run for one in known if one.run.result is not None and one.run.result.trained_on == ours]
        others = len(known) - len(runs)
        box = self.query_one("#run-choice")
        box.border_subtitle = "space: choose   enter: compare" + (
            f"   {plural(others, 'run')} on other ratings" if others else "   escape: cancel"
        )
        self._names = [*(run.name for run in runs), POPULARITY]
        by_name = {run.name: run for run in runs}
        columns = (Column(" ", 2), Column("run", 22), Column("what differs"), Column("NDCG@10", 8, right=True))

        def render(index: int, width: int) -> Text:
            name = self._names[index]
            place = str(self._chosen.index(name) + 1) if name in self._chosen else ""
            what, figure = _in_words(by_name[name]) if name in by_name else ("the most popular items", "")
            row = line(columns, (place, name, what, figure), width)
            if place:
                row.stylize("bold")
            return row

        self.query_one(RowList).show(len(self._names), render, keep=True, columns=columns)

    def action_choose(self) -> None:
        """Choose the run under the cursor as the last, or leave it out."""
        cursor = self.query_one(RowList).cursor
        if cursor is None:
            return
        name = self._names[cursor]
        if name in self._chosen:
            self._chosen.remove(name)
        elif len(self._chosen) < MOST:
            self._chosen.append(name)
        else:
            self.notify(f"{MOST} lists at most; leave one out first, with space")
        self._show()

    def on_row_list_selected(self) -> None:
        if len(self._chosen) < LEAST:
            self.notify(f"{plural(len(self._chosen), 'list')} chosen; choose {LEAST} to {MOST} with space")
            return
        self.dismiss(tuple(self._chosen))


def _in_words(run: RunSummary) -> tuple[str, str]:
    """What differs, and the NDCG@10 of its lists if it is known."""
    judged = run.result.lists if run.result else None
    figure = judged.ndcg if judged else run.ndcg
    return ", ".join(run.differs) or f"{run.recipe} with its defaults", "" if figure is None else points(figure)

"""The removed runs: bring one back, or delete all of them for good."""

from __future__ import annotations

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical

from cftui.engine.runs.trash import RemovedRun, purge, removed_runs, restore
from cftui.errors import CftuiError
from cftui.text import plural
from cftui.tui.session.app import session_of
from cftui.tui.shell.columns import Column, line
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.prompt import Confirm
from cftui.tui.shell.row_list import RowList


class Trash(Dialog[bool | None]):
    """Dismissed with whether a run was brought back."""

    BINDINGS = bindings("trash")
    CSS_PATH = "trash.tcss"

    def compose(self) -> ComposeResult:
        with Vertical(id="trash"):
            yield RowList("looking ...", enter="Bring back", id="trash-list")

    def on_mount(self) -> None:
        box = self.query_one("#trash")
        box.border_title = "removed runs"
        box.border_subtitle = "enter: bring back   P: delete all for good   escape: close"
        self._runs: list[RemovedRun] = []
        self._restored = False
        self.query_one(RowList).focus()
        self._look()

    @work(thread=True, exclusive=True)
    def _look(self) -> None:
        app = session_of(self)
        runs = removed_runs(app.home)
        app.from_worker(self._show, runs, [run.bytes / 1e6 for run in runs])

    def _show(self, runs: list[RemovedRun], sizes: list[float]) -> None:
        self._runs, rows = runs, self.query_one(RowList)
        columns = (
            Column("run", 0, values=[run.name for run in runs]),
            Column("removed", 16, values=[run.removed.isoformat() for run in runs]),
            Column("size", 9, right=True, values=sizes),
        )

        def render(index: int, width: int) -> Text:
            run = runs[index]
            return line(columns, (run.name, f"{run.removed:%Y-%m-%d %H:%M}", f"{sizes[index]:,.1f} MB"), width)

        rows.placeholder = "the trash is empty"
        rows.show(len(runs), render, keep=True, columns=columns if runs else ())

    @on(RowList.Selected)
    def _bring_back(self, event: RowList.Selected) -> None:
        app, run = session_of(self), self._runs[event.index]
        try:
            restore(run)
        except (CftuiError, OSError) as error:
            app.complain(error)
            return
        self._restored = True
        app.notify(f"{run.name} is back")
        self._look()

    def action_purge(self) -> None:
        if not self._runs:
            return
        runs, app = self._runs, session_of(self)

        def go(sure: bool | None) -> None:
            if sure:
                purge(app.home, runs)
                self._look()

        self.app.push_screen(Confirm(f"delete {plural(len(runs), 'removed run')} for good?"), go)

    def action_leave(self) -> None:
        self.dismiss(self._restored)

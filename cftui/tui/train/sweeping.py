"""The dialog of a sweep: what to try, then the leaderboard while it goes on."""

from __future__ import annotations

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label, Static

from cftui.engine.models.recipes import Recipe
from cftui.errors import CftuiError
from cftui.tui.session.app import session_of
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.table import Table
from cftui.tui.train.sweep_board import Sweep, Trial

POLL_SECONDS = 1.0
HINT = "values: wd=0.05,0.1 lr=1e-3,5e-3. A range such as wd=0.05..0.5 needs a number of draws. Enter starts."


class SweepScreen(Dialog[None]):
    """Asks what to try if the sweep has not begun; shows its leaderboard then."""

    BINDINGS = bindings("sweep")
    CSS_PATH = "sweeping.tcss"

    def __init__(self, sweep: Sweep) -> None:
        super().__init__()
        self._sweep = sweep
        self._columns: tuple[str, ...] = ()
        self._rows: list[Trial] = []

    def compose(self) -> ComposeResult:
        grid = " ".join(self._sweep.recipe.fitting.grid)
        with Vertical(id="sweep"):
            with Horizontal(classes="ask"):
                yield Label("try")
                yield _field(grid, "try", "wd=0.05,0.1")
            with Horizontal(classes="ask"):
                yield Label("draws")
                yield _field("", "draws", "all combinations")
            yield Static(Text(HINT, style="dim"), id="sweep-text")
            yield Table(id="board", cursor_type="row", zebra_stripes=True, enter="Show")

    def on_mount(self) -> None:
        self.query_one("#sweep").border_title = Content(f"sweep of {self._sweep.recipe.name}")
        self.set_interval(POLL_SECONDS, self._poll)
        self._show_part()

    def _show_part(self) -> None:
        """The questions before it has begun, the leaderboard afterwards."""
        begun = bool(self._sweep.name)
        for row in self.query(".ask"):
            row.display = not begun
        table = self.query_one("#board", Table)
        table.display = begun
        if begun:
            table.focus()
            self._say("starting (loading PyTorch)")
            self._poll()
        else:
            self.query_one("#try").focus()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._sweep.live if action == "stop" else super().check_action(action, parameters)

    # Starting

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._say("checking ...")
        self._begin(self.query_one("#try", Input).value.split(), self.query_one("#draws", Input).value.strip())

    @work(thread=True, exclusive=True, group="begin")
    def _begin(self, grid: list[str], draws: str) -> None:
        """Check what was typed before a process is started for it."""
        app = session_of(self)
        try:
            count = _checked(self._sweep.recipe, grid, draws)
            self._sweep.begin(app.home, grid, count)
        except (CftuiError, OSError) as error:
            app.from_worker(self._say, str(error), "bold")
            return
        app.from_worker(self._show_part)

    # The leaderboard

    def _poll(self) -> None:
        if self._sweep.name:
            self._read()

    @work(thread=True, exclusive=True, group="read")
    def _read(self) -> None:
        app, sweep = session_of(self), self._sweep
        try:
            rows, outcome, wrong = sweep.board(app.home), sweep.outcome(app.home), sweep.complaint(app.home)
        except (CftuiError, OSError):  # a run that is being written, or was removed
            return
        app.from_worker(self._show, rows, outcome, wrong)

    def _show(self, rows: list[Trial], outcome: Trial | None, wrong: str) -> None:
        if rows != self._rows:
            self._rows = rows
            self._fill(rows)
        self._say(self._summary(rows, outcome, wrong), "bold" if wrong else "")
        self.refresh_bindings()

    def _fill(self, rows: list[Trial]) -> None:
        table = self.query_one("#board", Table)
        columns = ("run", *self._sweep.varied, self._sweep.recipe.fitting.score.label, "state")
        if columns != self._columns:
            table.clear(columns=True)
            for name in columns:
                table.add_column(Text(name))
            self._columns = columns
        current = table.current
        table.clear()
        for one in rows:
            score = "-" if one.score is None else f"{one.score:.4f}"
            cells = [one.run, *(_shown(value) for value in one.setting.values()), score, one.state]
            table.add_row(*map(Text, cells), key=one.run)
        names = [one.run for one in rows]
        if current in names:
            table.move_cursor(row=names.index(current))

    def _summary(self, rows: list[Trial], outcome: Trial | None, wrong: str) -> str:
        if wrong:
            return wrong
        score = self._sweep.recipe.fitting.score.label
        if outcome is not None and outcome.ended:
            reached = "" if outcome.score is None else f": {score} {outcome.score:.4f} on the validation ratings"
            return f"{outcome.run} has the best setting{reached}"
        if outcome is not None:
            return f"training the best setting on all training ratings: {outcome.state}"
        done = sum(one.ended for one in rows)
        state = "trying" if self._sweep.live else "stopped"
        return f"{state}: {done} done. Scores within the training ratings; none sees the validation ratings."

    def _say(self, text: str, style: str = "dim") -> None:
        self.query_one("#sweep-text", Static).update(Text(text, style=style))

    @on(Table.RowSelected)
    def _picked(self, event: Table.RowSelected) -> None:
        if event.row_key.value:
            session_of(self).follow(event.row_key.value)
            self.dismiss()

    def action_stop(self) -> None:
        self._sweep.stop()

    def action_leave(self) -> None:
        self.dismiss()


def _checked(recipe: Recipe, grid: list[str], draws: str) -> int | None:
    """The number of draws. Raises CftuiError if the sweep would not begin."""
    from cftui.engine import sweep as sweeps

    if draws and not (draws.isdecimal() and int(draws) > 0):
        raise CftuiError(f"draws {draws!r}: must be a whole number from 1, or empty for all combinations")
    count = int(draws) if draws else None
    if not grid:
        raise CftuiError("nothing to try; give values such as wd=0.05,0.1")
    sweeps.settings(sweeps.parse(recipe, grid), count)
    return count


def _field(value: str, id: str, placeholder: str) -> Input:
    field = Input(value, compact=True, id=id, placeholder=placeholder)
    field.cursor_blink = False
    return field


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float | int) else str(value)

"""Robust PCA: the factors as a low-rank part and a sparse one, its iterations watched, cancelled at a key."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static
from textual.worker import get_current_worker

from cftui.errors import CftuiError
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList

if TYPE_CHECKING:
    from cftui.analysis.maps.robust import Iteration, Robust

ABOUT = {
    "ialm": "inexact augmented Lagrangian, to 1e-7: the one to use",
    "book": "the notebook behind the chapter, slips and all",
}


class RobustScreen(Dialog["Robust | None"]):
    """``i`` and ``b`` start a solver, escape cancels it; enter shows L on the map. Dismissed with the parts or None."""

    BINDINGS = bindings("robust")
    CSS_PATH = "robust.tcss"

    def __init__(self, opened: OpenModel) -> None:
        super().__init__()
        self._opened = opened
        self._steps: list[Iteration] = []
        self._result: Robust | None = None
        self._stop = threading.Event()
        self._going = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="robust"):
            yield Static(Text("\n".join(f"{name[0]}  {name:<5} {text}" for name, text in ABOUT.items())))
            yield Static(id="robust-head")
            yield RowList(id="steps")
            yield Static(id="robust-end")

    def on_mount(self) -> None:
        box = self.query_one("#robust")
        box.border_title = f"robust PCA of {self._opened.name}: M = L + S"
        box.border_subtitle = "i b: solver   enter: on the map   escape: cancel"
        head = Text("iteration   residual   rank of L   density of S", style="dim")
        self.query_one("#robust-head", Static).update(head)
        self.query_one("#steps").focus()
        self.action_solve("ialm")

    def action_solve(self, solver: str) -> None:
        if self._going:
            self.notify(f"{self._going} is at work; escape cancels it")
            return
        self._steps, self._result, self._going = [], None, solver
        self._stop.clear()
        self.query_one("#steps", RowList).show(0, self._row)
        self.query_one("#robust-end", Static).update(f"{solver} ...")
        self._solve(solver)

    @work(thread=True, exclusive=True, group="robust")
    def _solve(self, solver: str) -> None:
        from cftui.analysis.maps.robust import Cancelled, robust_factors

        worker = get_current_worker()

        def tell(step: Iteration) -> None:
            if not worker.is_cancelled:
                self.app.call_from_thread(self._step, step)

        def cancelled() -> bool:
            return worker.is_cancelled or self._stop.is_set()

        found: Robust | None = None
        try:
            found = robust_factors(self._opened.model, solver, on_step=tell, cancelled=cancelled)
        except Cancelled:
            said = f"{solver}: cancelled"
        except CftuiError as error:
            said = str(error)
        else:
            state = "converged" if found.converged else "did not converge"
            said = f"{solver}: {state}; rank of L {found.rank}, density of S {found.density:.1%}"
            # Both meet their own stopping rule; this is what tells how good the parts are.
            said += f"\nobjective {found.objective:.2f}: nuclear norm of L + lambda |S|, less is better"
        if not worker.is_cancelled:
            self.app.call_from_thread(self._done, found, said)

    def _step(self, step: Iteration) -> None:
        self._steps.append(step)
        self._show_steps()

    def _show_steps(self) -> None:
        rows = self.query_one("#steps", RowList)
        rows.show(len(self._steps), self._row)
        if self._steps:
            rows.move_to(len(self._steps) - 1)

    def _row(self, index: int, _: int) -> Text:
        step = self._steps[index]
        return Text(f"{step.iteration:>9}   {step.residual:>8.1e}   {step.rank:>9}   {step.density:>12.1%}")

    def _done(self, found: Robust | None, said: str) -> None:
        self._going, self._result = "", found
        if found is not None:
            self._steps = list(found.steps)  # from the cache no step is told
            self._show_steps()
        self.query_one("#robust-end", Static).update(Text(said, style="bold"))

    def action_take(self) -> None:
        if self._result is not None:
            self.dismiss(self._result)
        else:
            self.notify("not done yet" if self._going else "nothing to show; i or b starts a solver")

    def action_leave(self) -> None:
        """Cancels a solver at work; with none at work, leaves."""
        if self._going:
            self._stop.set()
        else:
            self.dismiss(None)

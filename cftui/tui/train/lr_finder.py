"""The learning-rate finder: a chart, a suggestion, and a key that takes it."""

from __future__ import annotations

import math

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static
from textual_plotext import PlotextPlot

from cftui.errors import CftuiError
from cftui.tui.session.app import session_of
from cftui.tui.session.jobs import Job
from cftui.tui.shell.colours import colours
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings


class LrFinder(Dialog[float | None]):
    """fastai's ``lr_find`` for the recipe in the form. Dismissed with the suggestion, or None."""

    BINDINGS = bindings("lr_finder")
    CSS_PATH = "lr_finder.tcss"

    def __init__(self, recipe: str, data: str, options: list[str]) -> None:
        super().__init__()
        self._recipe, self._words = recipe, ["lr-find", recipe, "--data", data, *options]
        self._suggestion: float | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="lr-finder"):
            yield PlotextPlot(id="lr-chart")
            yield Static(Text("trying a hundred batches ..."), id="lr-text")

    def on_mount(self) -> None:
        box = self.query_one("#lr-finder")
        box.border_title, box.border_subtitle = f"learning rate of {self._recipe}", "enter: take it   escape: leave it"
        self._find()

    @work(exclusive=True)
    async def _find(self) -> None:
        """In a process of its own, as all training: the app's thread count and memory are not for that."""
        try:
            self._show(**await Job(session_of(self).home, self._words).run())
        except (CftuiError, OSError, ValueError) as error:
            self.query_one("#lr-text", Static).update(Text(str(error)))

    def _show(self, lr: list[float], loss: list[float], suggestion: float, **_: object) -> None:
        self._suggestion = suggestion
        chart = self.query_one(PlotextPlot)
        plt = chart.plt
        plt.clear_figure()  # an empty figure drawn before keeps its limits
        rates = [math.log10(rate) for rate in lr]
        plt.plot(rates, loss, marker="braille", color=colours(self.app.current_theme.dark).train)
        plt.vline(math.log10(suggestion), "default")
        whole = range(math.ceil(rates[0]), math.floor(rates[-1]) + 1)
        plt.xticks(list(whole), [f"1e{power}" for power in whole])
        chart.refresh()
        self.query_one("#lr-text", Static).update(Text(f"suggested: {suggestion:.2g}  (valley)", style="bold"))

    def action_take(self) -> None:
        if self._suggestion:
            self.dismiss(self._suggestion)

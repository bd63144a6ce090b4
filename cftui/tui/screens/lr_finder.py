"""The learning-rate finder: a chart, a suggestion, and a key that takes it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static
from textual_plotext import PlotextPlot

from cftui.errors import CftuiError
from cftui.tui.widgets.loss_chart import TRAIN_COLOUR

if TYPE_CHECKING:
    from cftui.data.tables import Tables
    from cftui.engine.lr_finder import LearningRates


class LrFinder(ModalScreen[float | None]):
    """fastai's ``lr_find`` for the recipe in the form. Dismissed with the suggestion, or None."""

    BINDINGS = [Binding("enter", "take", "Take it"), Binding("escape,q", "dismiss(None)", "Leave it")]
    CSS_PATH = "lr_finder.tcss"

    def __init__(self, recipe: str, tables: Tables, options: list[str]) -> None:
        super().__init__()
        self._recipe, self._tables, self._options = recipe, tables, options
        self._found: LearningRates | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="lr-finder"):
            yield PlotextPlot(id="lr-chart")
            yield Static(Text("trying a hundred batches ..."), id="lr-text")

    def on_mount(self) -> None:
        box = self.query_one("#lr-finder")
        box.border_title, box.border_subtitle = f"learning rate of {self._recipe}", "enter: take it   escape: leave it"
        self._find()

    @work(thread=True)
    def _find(self) -> None:
        import torch

        from cftui.data.ratings import Ratings
        from cftui.data.splits import split
        from cftui.engine.lr_finder import find_lr
        from cftui.engine.recipes import Options, recipe
        from cftui.engine.trainer import Trainer

        given = dict(zip(self._options[::2], self._options[1::2], strict=False))
        try:
            seed, bs = int(given.get("--seed", 0)), int(given.get("--bs", 64))
            options = Options(seed=seed, bs=bs, factors=int(given.get("--factors", 50)))
            ratings = Ratings.encode(self._tables)
            parts = split(ratings, given.get("--split", "random"), seed)
            found = find_lr(Trainer(recipe(self._recipe), options, ratings, parts, torch.device("cpu")))
        except (CftuiError, ValueError) as error:
            self.app.call_from_thread(self.query_one("#lr-text", Static).update, Text(str(error)))
            return
        self.app.call_from_thread(self._show, found)

    def _show(self, found: LearningRates) -> None:
        self._found = found
        chart = self.query_one(PlotextPlot)
        plt = chart.plt
        plt.clear_figure()  # an empty figure drawn before keeps its limits
        rates = [math.log10(lr) for lr in found.lr]
        plt.plot(rates, found.loss, marker="braille", color=TRAIN_COLOUR)
        plt.vline(math.log10(found.suggestion), "default")
        whole = range(math.ceil(rates[0]), math.floor(rates[-1]) + 1)
        plt.xticks(list(whole), [f"1e{power}" for power in whole])
        chart.refresh()
        self.query_one("#lr-text", Static).update(Text(f"suggested: {found.suggestion:.2g}  (valley)", style="bold"))

    def action_take(self) -> None:
        if self._found:
            self.dismiss(self._found.suggestion)

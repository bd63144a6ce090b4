"""The loss curve: plotext through textual-plotext, redrawn from the log at most a few times a second."""

from __future__ import annotations

from textual.app import RenderResult
from textual_plotext import PlotextPlot

from cftui.engine.events import History

# A line of raw points is slow to draw: this many per column is all that can be seen.
POINTS_PER_COLUMN = 2
SETTLED = 0.08  # share of a run after which its losses set the scale
TRAIN_COLOUR, VALID_COLOUR = (86, 180, 233), (230, 159, 0)  # Okabe-Ito: told apart by the colour-blind


class LossChart(PlotextPlot):
    """Training loss as a line, validation loss as marks: they differ by shape where there are no colours."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.history: History | None = None
        self._drawn: tuple[int, int, int] = (0, 0, 0)

    def on_mount(self) -> None:
        super().on_mount()
        self.border_title = "loss"

    def show(self, history: History) -> None:
        """Draw ``history``; nothing is sent where nothing has changed."""
        now = (id(history), len(history.windows), len(history.epochs))
        if now != self._drawn:
            self._drawn = now
            self.history = history
            self.refresh()

    def render(self) -> RenderResult:
        self._draw()
        return super().render()

    def _draw(self) -> None:
        plt = self.plt
        plt.clear_figure()
        history = self.history
        if history is None or not (history.windows or history.epochs):
            plt.title("no loss yet")
            return
        per_epoch = (history.start or {}).get("steps_per_epoch") or 1
        room = max(10, self.size.width * POINTS_PER_COLUMN)
        every = max(1, -(-len(history.windows) // room))
        # The first window's average is of one noisy handful; the last is always shown.
        windows = history.windows[::-1][::every][::-1]
        if windows:
            plt.plot(
                [w["step"] / per_epoch for w in windows],
                [w["loss"] for w in windows],
                marker="braille",
                color=TRAIN_COLOUR,
                label="train",
            )
        scored = [e for e in history.epochs if e.get("valid_loss") is not None]
        if scored:
            plt.scatter(
                [e["step"] / per_epoch for e in scored],
                [e["valid_loss"] for e in scored],
                marker="o",
                color=VALID_COLOUR,
                label="valid",
            )
        epochs = (history.start or {}).get("epochs") or 1
        plt.xlim(0, epochs)
        ticks = range(0, epochs + 1, max(1, epochs // 8))
        plt.xticks(list(ticks), [str(tick) for tick in ticks])
        # The first batches are off the scale of everything that follows: they do not set it.
        settled = (history.start or {}).get("steps", 0) * SETTLED
        losses = [w["loss"] for w in windows if w["step"] > settled] + [e["valid_loss"] for e in scored]
        losses = losses or [w["loss"] for w in windows]
        low, high = min(losses), max(losses)
        margin = (high - low) * 0.05 or 0.05
        plt.ylim(low - margin, high + margin)

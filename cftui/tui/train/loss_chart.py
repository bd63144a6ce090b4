"""The loss curves: plotext through textual-plotext, drawn from what the log says, at most once a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.app import RenderResult
from textual.color import Color
from textual_plotext import PlotextPlot

from cftui.engine.models.method import NDCG
from cftui.engine.runs.events import EpochEvent, Facts, History, WindowEvent
from cftui.tui.shell.colours import RGB, Colours, colours
from cftui.tui.train.score_drawing import draw_scores, scores

# A line of raw points is slow to draw: no more per column than can be seen.
POINTS_PER_COLUMN = 2
CELLS_PER_BAND_POINT = 3
EPOCHS_DRAWN = 200
REDRAW_SECONDS = 1.0
SETTLED = 0.08  # share of a run after which its losses set the scale
OVERLAY_MARKS = "x+*^"
BAND_MARK = "·"
LINES = {"global_mean": "mean", "bias_only": "bias only", "popularity": "popularity", "item_knn": "item kNN"}
X_AXES = ("epoch", "step", "seconds")


@dataclass(frozen=True)
class Curve:
    """A run on the chart; by its place it keeps its colour and mark."""

    name: str
    history: History
    place: int

    @property
    def mark(self) -> str:
        return OVERLAY_MARKS[self.place % len(OVERLAY_MARKS)]

    def colour(self, known: Colours) -> RGB:
        return known.overlays[self.place % len(known.overlays)]


def overlay(name: str, history: History, place: int) -> Curve:
    return Curve(name, history, place)


class LossChart(PlotextPlot):
    """Training loss as a line in the band of its batches' minima and maxima, validation loss as marks.

    Horizontal lines say what predictors without factors reach on the same split.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.history: History | None = None
        self.run_name = ""
        self.others: list[Curve] = []
        self.x_axis = "epoch"
        self.log_y = False
        self.band = True
        self._drawn: tuple[int, int, int] = (0, 0, 0)
        self._when = 0.0

    def on_mount(self) -> None:
        super().on_mount()
        self.border_title = "loss"
        self.watch(self.app, "theme", self._theme_changed, init=False)

    @property
    def _colours(self) -> Colours:
        return colours(self.app.current_theme.dark)

    def _theme_changed(self) -> None:
        self._say()
        self.refresh()

    def on_resize(self) -> None:
        self._say()

    def show(self, history: History | None, *, urgent: bool = False) -> None:
        """Draw ``history``; nothing is sent where nothing has changed, or too soon unless it is ``urgent``."""
        now = (id(history), len(history.windows), len(history.epochs) + len(history.trials)) if history else (0, 0, 0)
        if (now == self._drawn or time.monotonic() - self._when < REDRAW_SECONDS) and not urgent:
            return
        self._drawn, self._when, self.history = now, time.monotonic(), history
        self._say()
        self.refresh()

    def _say(self) -> None:
        """Draw the legend in the frame: inside, it would cover the steepest part of the curve."""
        known = self._colours
        ranks = self.history is not None and self.history.score == NDCG
        series = [(known.valid, f"o {NDCG.label}" if ranks else "o valid"), (known.best, "@ best")]
        if not ranks:
            series.insert(0, (known.train, "⠒ train"))
        if self._banded and not ranks and self.size.width > 60:
            series.append((known.band, f"{BAND_MARK} batches"))
        series += [(curve.colour(known), f"{curve.mark} {curve.name}") for curve in self.others]
        named = "  ".join("[rgb({},{},{})]{}[/]".format(*colour, label) for colour, label in series)
        self.border_title = f"{self.run_name or 'loss'}  {named}" if self.history else "loss"
        lines = dict(self.history.baselines) if self.history else {}
        if self.history and ranks:
            # The line to beat last: without room the first gives way.
            lines = dict(sorted(lines.items(), key=lambda line: line[0] == "popularity"))
            if found := scores(self.history):
                lines["run"] = found[-1][1]
        said = [f"{LINES[name]} {loss:.3f}" for name, loss in lines.items() if name in LINES]
        if "run" in lines:
            said.append(f"this run {lines['run']:.3f}")
        # A figure that is cut reads as another: the first, which is off the scale as a rule, gives way as a whole.
        while said and len("  ".join(said)) > max(self.size.width - 6, 10):
            said.pop(0)
        self.border_subtitle = "  ".join(said)

    @property
    def _banded(self) -> bool:
        """A sweep goes over all ratings at once: there are no batches to differ."""
        return self.band and (self.history is None or self.history.unit != "sweep")

    def render(self) -> RenderResult:
        self._draw()
        return super().render()

    # Coordinates

    def _x(self, history: History) -> Callable[[WindowEvent | EpochEvent], float]:
        if self.x_axis == "seconds":
            return lambda event: event["elapsed"]
        per = 1 if self.x_axis == "step" else (history.start or {}).get("steps_per_epoch") or 1
        return lambda event: event["step"] / per

    def _y(self, losses: Sequence[float]) -> list[float]:
        return [math.log10(max(loss, 1e-12)) for loss in losses] if self.log_y else list(losses)

    # Drawing

    def _draw(self) -> None:
        plt = self.plt
        plt.clear_figure()
        history = self.history
        if history is not None and history.score == NDCG:
            # Only runs judged by the same figure can be compared.
            others = [c for c in self.others if c.history.score == NDCG]
            drawn = [(c.mark, c.colour(self._colours), c.history) for c in others]
            draw_scores(plt, history, drawn, self._colours, LINES)
            return
        if history is None or not (history.windows or history.epochs):
            plt.title("no loss yet")
            return
        if not (history.windows or _scored(history)):
            plt.title("no losses: this run has no validation ratings")
            return
        x = self._x(history)
        windows = self._thin(history.windows, max(10, self.size.width * POINTS_PER_COLUMN))
        low, high = self._scale(history, windows)
        end = self._end(history, x)
        for name, loss in history.baselines.items():
            if name in LINES and low <= loss <= high:
                y = self._y([loss])[0]
                plt.hline(y, self._colours.lines)
        if self._banded and windows:
            # The extremes of wide windows: a band, not a hedge.
            wide = self._thin(history.windows, max(10, self.size.width // CELLS_PER_BAND_POINT))
            for bound in ("min", "max"):
                # Marks, not a line: it must be told from the curve without colours too.
                plt.scatter(
                    [x(w) for w in wide],
                    self._y([min(max(w[bound], low), high) for w in wide]),
                    marker=BAND_MARK,
                    color=self._colours.band,
                )
        for curve in self.others:
            if not (scored := _scored(curve.history)):
                continue
            at = self._x(curve.history)
            plt.plot(
                [at(epoch) for epoch, _ in scored],
                self._y([min(max(loss, low), high) for _, loss in scored]),
                marker=curve.mark,
                color=curve.colour(self._colours),
            )
        if windows:
            plt.plot(
                [x(w) for w in windows],
                self._y([min(max(w["loss"], low), high) for w in windows]),
                marker="braille",
                color=self._colours.train,
            )
        scored = _scored(history)
        if scored:
            ys = self._y([min(max(loss, low), high) for _, loss in scored])
            plt.scatter([x(epoch) for epoch, _ in scored], ys, marker="o", color=self._colours.valid)
            best = history.best
            if best and best["valid_loss"] is not None:
                plt.scatter([x(best)], self._y([best["valid_loss"]]), marker="@", color=self._colours.best)
        self._axes(low, high, end)
        row = (self._y([high])[0] - self._y([low])[0]) / max(self.size.height - 3, 1)
        taken: list[float] = []
        for name, loss in sorted(history.baselines.items(), key=lambda line: -line[1]):
            y = self._y([loss])[0] if loss > 0 else low
            if name in LINES and low <= loss <= high and all(abs(y - other) >= 1.5 * row for other in taken):
                taken.append(y)
                # One row above its line, over whatever is there.
                label = f"{LINES[name]} {loss:.3f}"
                plt.text(label, end, y + row, color=self._colours.lines, background=self._ground(), alignment="right")

    def _ground(self) -> tuple[int, int, int]:
        """The chart's background: plotext's own for text is white."""
        return Color.parse(self.app.theme_variables["surface"]).rgb

    @staticmethod
    def _thin(windows: list[WindowEvent], room: int) -> list[WindowEvent]:
        """Neighbouring windows merged until there are no more than ``room``; their extremes survive."""
        every = -(-len(windows) // room)
        if every <= 1:
            return windows
        groups = [windows[at : at + every] for at in range(0, len(windows), every)]
        merged = []
        for group in groups:
            window = group[-1].copy()
            window["min"], window["max"] = min(w["min"] for w in group), max(w["max"] for w in group)
            merged.append(window)
        return merged

    def _scale(self, history: History, windows: list[WindowEvent]) -> tuple[float, float]:
        """Lowest and highest loss shown: the first batches are off the scale of everything that follows."""
        losses = _settled(history, [(window["step"], window["loss"]) for window in windows])
        for known in (history, *(curve.history for curve in self.others)):
            losses += _settled(known, [(epoch["step"], loss) for epoch, loss in _scored(known)])
        low, high = min(losses), max(losses)
        margin = (high - low) * 0.05 or 0.05
        return (low / 1.05 if self.log_y else low - margin), high + margin

    def _end(self, history: History, x: Callable[[WindowEvent | EpochEvent], float]) -> float:
        start: Facts = history.start or {}
        reached: Sequence[WindowEvent | EpochEvent] = history.windows or history.epochs
        ends = [max(map(x, reached), default=0.0)]
        ends += [max((self._x(c.history)(epoch) for epoch, _ in _scored(c.history)), default=0.0) for c in self.others]
        if self.x_axis == "epoch":
            ends.append(float(start.get("epochs") or 1))
        elif self.x_axis == "step":
            ends.append(float(start.get("steps") or 1))
        return max(ends) or 1.0

    def _axes(self, low: float, high: float, end: float) -> None:
        plt = self.plt
        plt.xlim(0, end)
        if self.x_axis == "epoch":
            ticks = range(0, int(end) + 1, _round_step(int(end)))
            plt.xticks(list(ticks), [str(tick) for tick in ticks])
        else:
            marks = [end * quarter / 4 for quarter in range(5)]
            plt.xticks(marks, [f"{mark:,.0f}" if end >= 10 else f"{mark:.1f}" for mark in marks])
        bottom, top = self._y([low])[0], self._y([high])[0]
        plt.ylim(bottom, top)
        rows = max(2, min(7, self.size.height // 3))
        marks = [bottom + (top - bottom) * step / rows for step in range(rows + 1)]
        plt.yticks(marks, [f"{10**mark if self.log_y else mark:.2f}" for mark in marks])


def _scored(history: History) -> list[tuple[EpochEvent, float]]:
    """The epochs that have a validation loss, with that loss, thinned to what a chart can show."""
    scored = [(event, loss) for event in history.epochs if (loss := event.get("valid_loss")) is not None]
    every = -(-len(scored) // EPOCHS_DRAWN)
    return scored[:: every or 1] + (scored[-1:] if every > 1 else [])


def _settled(history: History, losses: list[tuple[int, float]]) -> list[float]:
    """The losses, each with its step, after the beginning of the run; all of them if there are no later ones."""
    settled = (history.start or {}).get("steps", 0) * SETTLED
    return [loss for step, loss in losses if step > settled] or [loss for _, loss in losses]


def _round_step(end: int) -> int:
    """From tick to tick, so that there are about eight to ``end``: 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if end / step < 10:
                return step
        power *= 10

"""The loss curves: plotext through textual-plotext, drawn from what the log says, at most once a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.app import RenderResult
from textual.color import Color
from textual_plotext import PlotextPlot

from cftui.engine.models.method import LOSS, NDCG
from cftui.engine.runs.events import EpochEvent, History, WindowEvent
from cftui.text import shorten
from cftui.tui.shell.colours import RGB, Colours, colours
from cftui.tui.train.canvas import ABOVE, BELOW, Canvas
from cftui.tui.train.scale import Point, Scale, scale_of, what_matters
from cftui.tui.train.score_drawing import LINES, draw_scores, is_curve

REDRAW_SECONDS = 1.0
SETTLED = 0.08  # share of a run after which its losses can set the scale
# Not the marks of cuts.
OVERLAY_MARKS = "x+*#"
BAND_MARK = "░"
SHORTEST_NAME = 4
# Baselines that set the scale; the others are shown if they are near.
TO_BEAT = ("bias_only", "item_knn", "popularity")
X_AXES = ("epoch", "step", "seconds")
BEST, VALID = "@", "o"


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
    """Training loss as a line, validation loss as a line with marks, both in the units of the loss.

    Horizontal lines say what predictors without factors reach on the same split.

    Attributes:
        others: the runs drawn beside the one that is shown.
        x_axis: one of ``X_AXES``.
        log_y: whether the y axis is logarithmic.
        band: whether the minima and maxima of the batches are drawn.
        everything: whether the y axis holds every loss; otherwise, those that matter.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.history: History | None = None
        self.run_name = ""
        self.others: list[Curve] = []
        self.x_axis = "epoch"
        self.log_y = False
        self.band = False
        self.everything = False
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

    @property
    def comparable(self) -> list[Curve]:
        """The other runs that are judged by the same figure as the one shown, and have it."""
        history = self.history
        if history is None:
            return []
        return [curve for curve in self.others if curve.history.score == history.score and _scored(curve.history)]

    def _say(self) -> None:
        """Draw the legend in the frame: inside, it would cover the steepest part of the curve."""
        known, history = self._colours, self.history
        if history is None:
            self.border_title, self.border_subtitle = "loss", ""
            return
        ranks = history.score == NDCG
        series = [(known.valid, f"{VALID} {NDCG.label if ranks else 'valid'}"), (known.best, f"{BEST} best")]
        if not ranks:
            series.insert(0, (known.train, "⠒ train"))
        if self._banded and not ranks:
            series.append((known.band, f"{BAND_MARK} batches"))
        series += [(curve.colour(known), f"{curve.mark} {curve.name}") for curve in self.comparable]
        # The name of a run is cut before the legend is; a part of the legend without room is left out.
        room = max(self.size.width - 6, 10)
        least = sum(len(label) + 2 for _, label in series[:3])
        named = [shorten(self.run_name or "loss", room - least)] if room - least >= SHORTEST_NAME else []
        length = sum(map(len, named))
        for colour, label in series:
            length += len(label) + 2 * bool(length)
            if length <= room:
                named.append("[rgb({},{},{})]{}[/]".format(*colour, label))
        self.border_title = "  ".join(named)
        self.border_subtitle = "  ".join(self._off_scale())

    def _off_scale(self) -> list[str]:
        """What is not on the chart, and the key that shows it."""
        history = self.history
        if history is None or not _drawable(history) or not (history.score == LOSS or is_curve(history)):
            return []
        scale = self.scale
        lines = [(LINES[name], value) for name, value in history.baselines.items() if name in LINES]
        off = [(name, value, ABOVE if value > scale.high else BELOW) for name, value in lines if not scale.holds(value)]
        said = [f"{name} {value:.3f} {mark}" for name, value, mark in off]
        is_cut = bool(off) or not all(scale.holds(loss) for loss in self._losses())
        if self.everything or is_cut:
            said.append("z: what matters" if self.everything else "cut: z shows all")
        while said and len("  ".join(said)) > max(self.size.width - 6, 10):
            said.pop(0)
        return said

    @property
    def _banded(self) -> bool:
        """A sweep goes over all ratings at once: there are no batches to differ."""
        return self.band and (self.history is None or self.history.unit != "sweep")

    def render(self) -> RenderResult:
        self._draw()
        return super().render()

    # Coordinates

    def _x(self, history: History) -> Callable[[WindowEvent | EpochEvent], float]:
        """Where an event is on the x axis. An epoch has its number, from 0, at its end."""
        if self.x_axis == "seconds":
            return lambda event: event["elapsed"]
        if self.x_axis == "step":
            return lambda event: event["step"]
        per = (history.start or {}).get("steps_per_epoch") or 1
        return lambda event: event["epoch"] if event["event"] == "epoch" else event["step"] / per - 1

    def _ends(self) -> tuple[float, float]:
        """The values at the left and the right end of the x axis: from the first batch to the last of all runs."""
        shown = [self.history, *(curve.history for curve in self.comparable)]
        begin = -1.0 if self.x_axis == "epoch" else 0.0
        ends = [begin]
        for history in filter(None, shown):
            x = self._x(history)
            reached: Sequence[WindowEvent | EpochEvent] = [*history.windows[-1:], *history.epochs[-1:]]
            ends += [x(event) for event in reached]
        start = (self.history.start if self.history else None) or {}
        if self.x_axis == "epoch":
            ends.append(float(start.get("epochs") or 1) - 1)
        elif self.x_axis == "step":
            ends.append(float(start.get("steps") or 1))
        return begin, max(ends) if max(ends) > begin else begin + 1

    def _losses(self) -> list[float]:
        """Every loss that the chart can show: of batches, epochs and baselines, of all runs on it."""
        history = self.history
        if history is None:
            return []
        windows = [w["loss"] for w in history.windows if w["loss"] is not None] if history.score == LOSS else []
        scored = [score for run in self._runs for _, score in _scored(run)]
        return [*windows, *scored, *(value for name, value in history.baselines.items() if name in LINES)]

    @property
    def _runs(self) -> list[History]:
        return [*([self.history] if self.history else []), *(curve.history for curve in self.comparable)]

    @property
    def scale(self) -> Scale:
        """The y axis: every loss, or those that matter (the validation losses that a run ends with, and baselines)."""
        history = self.history
        assert history is not None
        losses = self._losses()
        if self._banded and history.score == LOSS:
            losses += [bound for w in history.windows for bound in (w["min"], w["max"])] if self.everything else []
        if self.everything:
            return scale_of(min(losses), max(losses), log=self.log_y)
        # A run is judged by the best of its epochs and by the last; the first ones are shown if they are near.
        anchors = [value for name, value in history.baselines.items() if name in TO_BEAT]
        for run in self._runs:
            scores = [score for _, score in _scored(run)]
            best = run.score.best(scores, lambda score: score)
            anchors += [] if best is None else [best, scores[-1]]
        settled = _settled(history) if history.score == LOSS else []
        near = [score for run in self._runs for _, score in _scored(run)] + settled + list(history.baselines.values())
        low, high = what_matters(anchors, near) if _scored(history) or not settled else what_matters(settled, anchors)
        return scale_of(low, high, log=self.log_y)

    # Drawing

    def _draw(self) -> None:
        plt = self.plt
        plt.clear_figure()
        history = self.history
        if history is not None and history.score == NDCG and not is_curve(history):
            draw_scores(plt, history, self._colours)
            return
        if history is None or not (history.windows or history.epochs):
            plt.title("no loss yet")
            return
        if not _drawable(history):
            plt.title(
                "no losses: this run has no validation ratings"
                if history.score == LOSS
                else "no scores: this run has no validation ratings that are high enough"
            )
            return
        known, size = self._colours, (self.size.width, self.size.height)
        unit = history.unit if self.x_axis == "epoch" else self.x_axis if self.x_axis == "seconds" else ""
        canvas = Canvas(plt, size, self._ends(), self.scale, self._ground(), whole=True, unit=unit)
        self._draw_curves(canvas, history, known)
        lines = [(LINES[name], value) for name, value in history.baselines.items() if name in LINES]
        for name, value in sorted(lines, key=lambda line: line[1]):
            if canvas.scale.holds(value):
                canvas.label([f" {name} {value:.3f} ", f"{name} {value:.3f}", name], value, known.lines)
        for curve in self.comparable:
            _, last = _scored(curve.history)[-1]
            if canvas.scale.holds(last):
                name = shorten(curve.name, max(canvas.columns // 2 - 8, 8))
                named = f"{curve.mark} {name}"
                canvas.label([f"{named} {last:.3f}", named], last, curve.colour(known), slack=2)

    def _draw_curves(self, canvas: Canvas, history: History, known: Colours) -> None:
        """Band, baselines, training, the other runs, and last, over all of them, the validation of this run."""
        x = self._x(history)
        windows = [w for w in history.windows if w["loss"] is not None] if history.score == LOSS else []
        if self._banded and windows:
            starts = [x(windows[0]) - (x(windows[1]) - x(windows[0]) if len(windows) > 1 else 0), *map(x, windows)]
            spans = [(start, x(w), w["min"], w["max"]) for start, w in zip(starts, windows, strict=False)]
            canvas.band(spans, BAND_MARK, known.band)
        for name, value in history.baselines.items():
            if name in LINES and canvas.scale.holds(value):
                canvas.line(value, known.lines)
        canvas.curve([(x(w), w["loss"]) for w in windows], known.train)
        for curve in self.comparable:
            at = self._x(curve.history)
            points: list[Point] = [(at(event), score) for event, score in _scored(curve.history)]
            canvas.curve(points, curve.colour(known), marked=True)
            canvas.marks(points, curve.mark, curve.colour(known))
        points = [(x(event), score) for event, score in _scored(history)]
        canvas.curve(points, known.valid, marked=True)
        canvas.marks(points, VALID, known.valid)
        best = history.best
        if best is not None:
            score = next(score for event, score in _scored(history) if event is best)
            if canvas.scale.holds(score):
                canvas.marks([(x(best), score)], BEST, known.best)
        canvas.mark_cuts()

    def _ground(self) -> RGB:
        """The chart's background: plotext's own for text is white."""
        return Color.parse(self.app.theme_variables["surface"]).rgb


def _scored(history: History) -> list[tuple[EpochEvent, float]]:
    """The epochs that have the score by which the run is judged, with it."""
    key = history.score.key
    return [(event, score) for event in history.epochs if isinstance(score := event.get(key), float)]


def _drawable(history: History) -> bool:
    """Whether there is a curve to draw."""
    return bool(_scored(history)) or (history.score == LOSS and bool(history.windows))


def _settled(history: History) -> list[float]:
    """The training losses after the beginning of the run; all of them if there are no later ones."""
    settled = (history.start or {}).get("steps", 0) * SETTLED
    losses = [(w["step"], w["loss"]) for w in history.windows if w["loss"] is not None]
    return [loss for step, loss in losses if step > settled] or [loss for _, loss in losses]

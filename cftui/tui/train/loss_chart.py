"""The loss curves: plotext through textual-plotext, drawn from what the log says, at most once a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from textual.app import RenderResult
from textual.color import Color
from textual_plotext import PlotextPlot

from cftui.engine.models.method import LOSS, NDCG
from cftui.engine.runs.events import EpochEvent, History, WindowEvent
from cftui.text import number, shorten
from cftui.tui.shell.colours import RGB, Colours, colours
from cftui.tui.train.canvas import ABOVE, BELOW, Canvas
from cftui.tui.train.scale import Scale
from cftui.tui.train.score_drawing import LINES, draw_scores, is_curve
from cftui.tui.train.series import Series, every_loss, y_scale

REDRAW_SECONDS = 1.0
# Not the marks of cuts.
OVERLAY_MARKS = "x+*#"
BAND_MARK = "░"
SHORTEST_NAME = 4
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
        self._series: list[Series] = []
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
        key = history.score.key
        return [
            curve
            for curve in self.others
            if curve.name != self.run_name
            and curve.history.score == history.score
            and any(event.get(key) is not None for event in curve.history.epochs)
        ]

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
        shown = self._shown()
        if not shown or not shown[0].is_drawable or self._is_one_score:
            return []
        scale = self._scale(shown)
        off = {name: value for name, value in shown[0].baselines.items() if not scale.holds(value)}
        said = [
            f"{LINES[name]} {number(value, 3)} {ABOVE if value > scale.high else BELOW}" for name, value in off.items()
        ]
        if self.everything or not all(map(scale.holds, every_loss(shown))):
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

    def _shown(self) -> list[Series]:
        """The runs on the chart, the one that is followed first."""
        if self.history is None:
            return []
        before = {id(series.history): series for series in self._series if series.is_current}
        histories = (self.history, *(curve.history for curve in self.comparable))
        self._series = [before.get(id(history)) or Series.of(history) for history in histories]
        return self._series

    def _scale(self, shown: Sequence[Series]) -> Scale:
        return y_scale(shown, everything=self.everything, band=self._banded, log=self.log_y)

    @property
    def scale(self) -> Scale:
        """The y axis."""
        return self._scale(self._shown())

    # Drawing

    @property
    def _is_one_score(self) -> bool:
        """Whether the run has no curve but one figure, which is drawn beside others."""
        return self.history is not None and self.history.score == NDCG and not is_curve(self.history)

    def _draw(self) -> None:
        plt = self.plt
        plt.clear_figure()
        history = self.history
        if history is not None and self._is_one_score:
            draw_scores(plt, history, self._colours)
            return
        if history is None or not (history.windows or history.epochs):
            plt.title("no loss yet")
            return
        shown = self._shown()
        if not shown[0].is_drawable:
            figure = "losses" if history.score == LOSS else "scores"
            plt.title(
                f"no {figure}: this run has no validation ratings{'' if history.score == LOSS else ' high enough'}"
            )
            return
        known, size = self._colours, (self.size.width, self.size.height)
        unit = history.unit if self.x_axis == "epoch" else self.x_axis if self.x_axis == "seconds" else ""
        canvas = Canvas(plt, size, self._ends(), self._scale(shown), self._ground(), whole=True, unit=unit)
        self._draw_curves(canvas, shown, known)
        for name, value in sorted(shown[0].baselines.items(), key=itemgetter(1)):
            if canvas.scale.holds(value):
                name = LINES[name]
                canvas.label([f" {name} {number(value, 3)} ", f"{name} {number(value, 3)}", name], value, known.lines)
        for curve, series in zip(self.comparable, shown[1:], strict=True):
            last = series.scored[-1][1]
            if canvas.scale.holds(last):
                named = f"{curve.mark} {shorten(curve.name, max(canvas.columns // 2 - 8, 8))}"
                canvas.label([f"{named} {number(last, 3)}", named], last, curve.colour(known), slack=2)

    def _draw_curves(self, canvas: Canvas, shown: Sequence[Series], known: Colours) -> None:
        """Band, baselines, training, the other runs, and last, over all of them, the validation of this run."""
        main, *others = shown
        x, windows = self._x(main.history), main.windows
        if self._banded and windows:
            starts = [2 * x(windows[0]) - x(windows[1]) if len(windows) > 1 else x(windows[0]), *map(x, windows)]
            spans = [
                (start, x(w), w.get("min", w["loss"]), w.get("max", w["loss"]))
                for start, w in zip(starts, windows, strict=False)
            ]
            canvas.band(spans, BAND_MARK, known.band)
        for value in main.baselines.values():
            if canvas.scale.holds(value):
                canvas.line(value, known.lines)
        canvas.curve([(x(w), w["loss"]) for w in windows], known.train)
        for curve, series in zip(self.comparable, others, strict=True):
            at = self._x(series.history)
            points = [(at(event), score) for event, score in series.scored]
            canvas.marked_curve(points, curve.mark, curve.colour(known))
        canvas.marked_curve([(x(event), score) for event, score in main.scored], VALID, known.valid)
        if main.best is not None and canvas.scale.holds(main.best[1]):
            canvas.marks([(x(main.best[0]), main.best[1])], BEST, known.best)
        canvas.mark_cuts()

    def _ground(self) -> RGB:
        """The chart's background: plotext's own for text is white."""
        return Color.parse(self.app.theme_variables["surface"]).rgb

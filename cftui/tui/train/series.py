"""A run as the chart shows it: read once for all drawings, since a long run has thousands of epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

from cftui.engine.models.method import LOSS
from cftui.engine.runs.events import EpochEvent, History, WindowEvent
from cftui.tui.train.scale import Scale, scale_of, what_matters
from cftui.tui.train.score_drawing import LINES

SETTLED = 0.08  # share of a run after which its training losses are near the others
# Baselines that set the scale; the others are shown if they are near.
TO_BEAT = ("bias_only", "item_knn", "popularity")


@dataclass(frozen=True)
class Series:
    """The curves of a run.

    Attributes:
        windows: the batch losses, of a run that is judged by a loss.
        scored: the epochs that have the score by which the run is judged, with it.
        state: of the history when it was read.
    """

    history: History
    windows: list[WindowEvent]
    scored: list[tuple[EpochEvent, float]]
    state: tuple[int, ...]

    @classmethod
    def of(cls, history: History) -> Series:
        key, is_loss = history.score.key, history.score == LOSS
        windows = [window for window in history.windows if _is_drawable(window)] if is_loss else []
        scored = [(event, score) for event in history.epochs if isinstance(score := event.get(key), float)]
        return cls(history, windows, scored, _state(history))

    @property
    def is_current(self) -> bool:
        """Whether nothing has been added to the history since, and nothing taken out of it."""
        return self.state == _state(self.history)

    @property
    def is_drawable(self) -> bool:
        return bool(self.scored or self.windows)

    @cached_property
    def best(self) -> tuple[EpochEvent, float] | None:
        """The best epoch, the first of equals; None if no epoch has a score."""
        pick = max if self.history.score.higher_is_better else min
        return pick(self.scored, key=itemgetter(1), default=None)

    @property
    def baselines(self) -> dict[str, float]:
        return {name: value for name, value in self.history.baselines.items() if name in LINES}

    @cached_property
    def settled(self) -> list[float]:
        """The training losses after the beginning of the run; all of them if there are no later ones."""
        begin = (self.history.start or {}).get("steps", 0) * SETTLED
        later = [window["loss"] for window in self.windows if window["step"] > begin]
        return later or [window["loss"] for window in self.windows]


def _is_drawable(window: WindowEvent) -> bool:
    return all(window.get(name, 0.0) is not None for name in ("loss", "min", "max"))


def _state(history: History) -> tuple[int, ...]:
    """Numbers that change when a run goes on, or is resumed, which makes new lists of the old events."""
    return id(history.start), id(history.windows), id(history.epochs), len(history.windows), len(history.epochs)


def every_loss(shown: Sequence[Series]) -> Iterator[float]:
    """What the chart can show: the first run with its baselines, and the scores of the others."""
    yield from (window["loss"] for window in shown[0].windows)
    yield from shown[0].baselines.values()
    for series in shown:
        yield from (score for _, score in series.scored)


def y_scale(shown: Sequence[Series], *, everything: bool = False, band: bool = False, log: bool = False) -> Scale:
    """The y axis for these runs, the first of which has curves.

    Args:
        everything: every loss; otherwise those that matter. A run is judged by the best of its epochs and by the last,
            and beside the baselines; its first epochs and its training losses are shown if they are near.
        band: with ``everything``, the extremes of the batches as well.
        log: evenly spaced by their logarithms.
    """
    main = shown[0]
    if everything:
        losses = [*every_loss(shown)]
        losses += [bound for window in main.windows for bound in (window["min"], window["max"])] if band else []
        return scale_of(min(losses), max(losses), log=log)
    anchors = [value for name, value in main.baselines.items() if name in TO_BEAT]
    for series in shown:
        if best := series.best:
            anchors += [best[1], series.scored[-1][1]]
    if main.scored:
        near = [*main.settled, *main.baselines.values(), *(score for series in shown for _, score in series.scored)]
        return scale_of(*what_matters(anchors, near), log=log)
    return scale_of(*what_matters(main.settled, anchors), log=log)

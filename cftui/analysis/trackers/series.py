"""The event log of a run as what every experiment tracker knows: settings, and figures over steps."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from cftui.engine.runs.events import Event, EventReader
from cftui.engine.runs.folder import RunFolder

# The names of figures in trackers, by the kind of event and the name there.
NAMES: Mapping[str, Mapping[str, str]] = {
    "window": {"mean": "batch/loss", "lr": "batch/lr", "gpu_memory": "system/gpu_memory_peak"},
    "epoch": {
        "train_loss": "train/loss",
        "valid_loss": "valid/loss",
        "rmse": "valid/rmse",
        "mae": "valid/mae",
        "ndcg": "valid/ndcg",
        "coverage": "valid/coverage",
        "noise": "train/noise",
        "ratings_per_second": "train/ratings_per_second",
    },
    "trial": {"ndcg": "trial/ndcg", "l2": "trial/lambda"},
    "usage": {
        "cpu": "system/cpu",
        "memory": "system/memory",
        "gpu": "system/gpu",
        "gpu_memory_used": "system/gpu_memory",
        "power": "system/power",
        "temperature": "system/temperature",
    },
}


class Point(NamedTuple):
    """One figure at one step; ``time`` is in seconds since 1970."""

    name: str
    step: int
    value: float
    time: float


@dataclass(frozen=True)
class Series:
    """A run as trackers know it.

    Attributes:
        run: its name.
        id: tells it from a later run of the same name.
        settings: its recipe, data set and options.
        summary: its baselines, and the scores of the weights that it kept.
        status: done, stopped, failed, dead, running or stalled.
        points: the figures, in the order of their steps.
        begun: when, in seconds since 1970.
    """

    run: str
    id: str
    settings: Mapping[str, Any]
    summary: Mapping[str, float]
    status: str
    points: tuple[Point, ...]
    begun: float

    @cached_property
    def by_step(self) -> Mapping[int, Mapping[str, float]]:
        """The figures of each step, by name."""
        steps: dict[int, dict[str, float]] = {}
        for point in self.points:
            steps.setdefault(point.step, {})[point.name] = point.value
        return steps

    @cached_property
    def times(self) -> Mapping[int, float]:
        """When each step that has figures was done."""
        found: dict[int, float] = {}
        for point in self.points:
            found[point.step] = max(point.time, found.get(point.step, point.time))
        return found


def read_series(run: RunFolder) -> Series:
    """Read the event log of a run.

    The log has the seconds of fitting, and not the time of day: the points of a run that was stopped and resumed follow
    each other without the pause.

    Raises:
        CftuiError: ``run.json`` is missing or damaged.
    """
    config, history = run.config(), run.history()
    begun = datetime.datetime.fromisoformat(config.created).timestamp()
    summary = {f"baseline/{name}": value for name, value in history.baselines.items()}
    ending: Mapping[str, Any] = history.ending or {}
    scores = {name: ending.get(name) for name in ("valid_loss", "rmse", "mae", "ndcg")}
    summary |= {f"kept/{name}": value for name, value in scores.items() if isinstance(value, int | float)}
    return Series(
        run=run.name,
        id=f"{config.run}/{config.created}",
        settings={"recipe": config.recipe.name, "data": config.data.name, "device": config.device, **config.settings()},
        summary=summary,
        status=run.status(history),
        points=tuple(_points(EventReader(run.events_file).poll(), begun)),
        begun=begun,
    )


def _points(events: Iterable[Event], begun: float) -> list[Point]:
    """The figures of the events that count: a resumed run has taken back what came after its checkpoint."""
    points: list[Point] = []
    for event in events:
        if event["event"] == "resume":
            points = [point for point in points if point.step <= event["step"]]
        said: Mapping[str, Any] = dict(event)
        for name, shown in NAMES.get(event["event"], {}).items():
            value = said.get(name)
            if isinstance(value, int | float):
                points.append(Point(shown, int(said["step"]), float(value), begun + float(said["elapsed"])))
    return sorted(points, key=lambda point: point.step)

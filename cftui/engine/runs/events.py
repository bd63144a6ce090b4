"""The event log of a run: one JSON object a line, appended by the trainer, only ever read by everyone else.

    start   {run, recipe, steps, steps_per_epoch, epochs, unit, pid, process_started, host, device}
    baselines {global_mean, bias_only, item_knn}                  what a loss is worth on this split
    window  {step, epoch, loss, mean, min, max, lr, elapsed}      batch losses since the last window, aggregated
    epoch   {epoch, step, train_loss, valid_loss, rmse, mae, seconds, elapsed, ratings_per_second}
    resume  {step, epochs, steps, pid, ...}                       what was logged beyond ``step`` happened in vain
    stopped {step, ...}     done {run, valid_loss, seconds, ...}     failed {reason, ...}

Of a sampler a step is a sweep, which is an epoch (``unit`` says "sweep"); ``lr`` is null, and an epoch has besides
{noise, coverage, draws}: a typical standard deviation of ratings, the share of them inside their 90 % intervals, and
the draws kept.

``step`` counts batches from the beginning of the run; ``elapsed`` counts seconds of fitting, validation included.
A torn last line (the writer was killed, or is writing) is not an event yet.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

Event = dict[str, Any]
ENDINGS = ("done", "stopped", "failed")


class EventWriter:
    """Appends events; each line reaches the file before ``write`` returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        if self._file.tell():
            _end_torn_line(path, self._file.tell(), self._file.write)

    def write(self, event: Event) -> None:
        """Raises OSError if the disk is full. NaN is written as null: strict JSON readers know no NaN."""
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in event.items()}
        line = json.dumps(clean, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        while line:  # on a full disk the first write may be a short one, and the second says so
            line = line[self._file.write(line) :]

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()


def _end_torn_line(path: Path, size: int, write: Any) -> None:
    """A writer that was killed may have left half a line: end it, so that the next event stands on its own."""
    with path.open("rb") as file:
        file.seek(size - 1)
        if file.read(1) != b"\n":
            write(b"\n")


class EventReader:
    """Follows a log from where it last stopped reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def poll(self) -> list[Event]:
        """The complete events since the last call; none if the log is not there (yet)."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                block = file.read()
        except FileNotFoundError:
            return []
        complete = block[: block.rfind(b"\n") + 1]
        self._offset += len(complete)
        events = []
        for line in complete.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a line torn by a kill and ended by the next writer
            if isinstance(event, dict) and "event" in event:
                events.append(event)
        return events


@dataclass
class History:
    """What a log says so far, folded: the epoch table, the loss curve, and how it ended if it has."""

    start: Event | None = None
    windows: list[Event] = field(default_factory=list)
    epochs: list[Event] = field(default_factory=list)
    baselines: dict[str, float] = field(default_factory=dict)
    ending: Event | None = None

    def extend(self, events: Iterable[Event]) -> None:
        for event in events:
            kind = event["event"]
            if kind == "start":
                self.start = event
            elif kind == "baselines":
                self.baselines = {k: v for k, v in event.items() if k != "event"}
            elif kind == "window":
                self.windows.append(event)
            elif kind == "epoch":
                self.epochs.append(event)
            elif kind == "resume":
                self.start = {**(self.start or {}), **event}
                self.windows = [w for w in self.windows if w["step"] <= event["step"]]
                self.epochs = [e for e in self.epochs if e["step"] <= event["step"]]
                self.ending = None
            elif kind in ENDINGS:
                self.ending = event

    @property
    def unit(self) -> str:
        """What the run counts: an epoch, or a sweep of a sampler."""
        return str((self.start or {}).get("unit", "epoch"))

    @property
    def best(self) -> Event | None:
        """The epoch with the lowest validation loss."""
        scored = [e for e in self.epochs if e.get("valid_loss") is not None]
        return min(scored, key=lambda e: e["valid_loss"], default=None)

    @property
    def last(self) -> Event | None:
        return self.epochs[-1] if self.epochs else None

    @property
    def progress(self) -> float:
        """Share of the steps done, 0 to 1."""
        steps = (self.start or {}).get("steps") or 0
        reached = max(self.windows[-1]["step"] if self.windows else 0, self.epochs[-1]["step"] if self.epochs else 0)
        return min(1.0, reached / steps) if steps else 0.0

    @property
    def elapsed(self) -> float:
        """Seconds of fitting so far."""
        marks = [events[-1]["elapsed"] for events in (self.windows, self.epochs) if events]
        return max(marks, default=0.0)


def read_history(path: Path) -> History:
    history = History()
    history.extend(EventReader(path).poll())
    return history

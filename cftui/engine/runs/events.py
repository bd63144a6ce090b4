"""The event log of a run: one JSON object a line, appended by the trainer and only read by everyone else.

``step`` counts batches (for a sampler, sweeps) from the beginning of the run; ``elapsed`` counts seconds of fitting,
validation included. A torn last line (the writer was killed, or is writing) is not an event yet. NaN is written as
null.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NotRequired, TypedDict, cast

from cftui.engine.models.method import LOSS, NDCG, Criterion
from cftui.engine.runs.event_fields import fault
from cftui.engine.runs.windows import MANY, thin
from cftui.files import check_ordinary


class Process(TypedDict, total=False):
    """What identifies the process that trains."""

    pid: int
    process_started: float
    host: str


class Sizes(TypedDict, total=False):
    """How many ratings train and validate, and how many users gave them."""

    train: int
    valid: int
    train_users: int
    valid_users: int


class Facts(Process, Sizes, total=False):
    """What a trainer says of its work when it begins, or goes on.

    ``unit`` names what an epoch is called; ``score`` and ``higher_is_better`` say by which figure epochs are compared.
    ``processes`` is there if several fit together; ``pid`` is the first of them.
    """

    run: str
    recipe: str
    epochs: int
    steps: int
    steps_per_epoch: int
    batch_size: int
    unit: str
    score: str
    higher_is_better: bool
    device: str
    processes: int


class StartEvent(Facts):
    """Training begins."""

    event: Literal["start"]


class ResumeEvent(Facts):
    """Training goes on from ``step``; events logged after that step are superseded."""

    event: Literal["resume"]
    step: int


class BaselinesEvent(TypedDict):
    """What simple predictors reach on the same split, by the figure that the run is judged by.

    For a model that predicts ratings, the mean squared errors of ``global_mean``, ``bias_only`` and ``item_knn``; for
    one that does not, the NDCG@10 of ``popularity`` and ``item_knn``.
    """

    event: Literal["baselines"]
    global_mean: NotRequired[float]
    bias_only: NotRequired[float]
    item_knn: NotRequired[float]
    popularity: NotRequired[float]


class Memory(TypedDict, total=False):
    """Bytes in use: resident in the process, and at their peak on the GPU."""

    memory: int
    gpu_memory: int


class Usage(TypedDict):
    """What a run uses: ``cpu`` in percent of one core, and ``memory``, the bytes resident in its process.

    Of a GPU, what its driver tells: the percent of the time that it was busy, the bytes in use by all processes and
    the bytes that it has, watts, and degrees Celsius.
    """

    cpu: float
    memory: int
    gpu: NotRequired[float]
    gpu_memory_used: NotRequired[int]
    gpu_memory_total: NotRequired[int]
    power: NotRequired[float]
    temperature: NotRequired[float]


class UsageEvent(Usage):
    """What the run used since the last such event: every few seconds, and every half minute of a long run."""

    event: Literal["usage"]
    step: int
    elapsed: float


class WindowEvent(Memory):
    """Batch losses since the last window, aggregated; ``lr`` is None for a method without a learning rate."""

    event: Literal["window"]
    step: int
    epoch: int
    loss: float
    mean: float
    min: float
    max: float
    lr: float | None
    elapsed: float


class Validation(TypedDict):
    """Figures on the validation ratings, in rating units; None where there are none."""

    valid_loss: float | None
    rmse: float | None
    mae: float | None


class EpochEvent(Validation):
    """An epoch, sweep or step is done.

    A sampler adds ``noise``, a typical standard deviation of ratings; ``coverage``, the share of validation ratings
    inside their 90 % intervals; and ``draws``, the number kept. A model that does not predict ratings adds ``ndcg``,
    the NDCG@10 on the validation ratings; ``ease`` also lambda as ``l2``, ``fade``, whether older ratings count less,
    and ``left_out``, the number of items that have no weights. Other methods may add figures of their own.
    """

    event: Literal["epoch"]
    epoch: int
    step: int
    train_loss: float | None
    seconds: float
    elapsed: float
    ratings_per_second: float
    noise: NotRequired[float]
    coverage: NotRequired[float]
    draws: NotRequired[int]
    ndcg: NotRequired[float | None]
    l2: NotRequired[float]
    fade: NotRequired[bool]
    left_out: NotRequired[int]


class TrialEvent(TypedDict):
    """A setting was tried on the inner training rows: lambda, and the NDCG@10 it came to."""

    event: Literal["trial"]
    step: int
    l2: float
    ndcg: float | None
    elapsed: float


class EndEvent(TypedDict):
    """Training was finished (``done``), asked to stop (``stopped``), or ended with an error (``failed``).

    It is ``dead`` if one of several processes was lost. The scores are of the weights that were kept; a failed or dead
    run has a ``reason`` instead.
    """

    event: Literal["done", "stopped", "failed", "dead"]
    run: str
    step: int
    reason: NotRequired[str]
    epochs: NotRequired[int]
    kept_epoch: NotRequired[int | None]
    early: NotRequired[bool]
    valid_loss: NotRequired[float | None]
    rmse: NotRequired[float | None]
    mae: NotRequired[float | None]
    ndcg: NotRequired[float | None]
    seconds: NotRequired[float]


Event = StartEvent | ResumeEvent | BaselinesEvent | UsageEvent | WindowEvent | TrialEvent | EpochEvent | EndEvent
ENDINGS = ("done", "stopped", "failed", "dead")


def where_in_words(facts: Facts) -> str:
    """The device that a run is on, and by how many processes: ``cpu``, ``2 processes, cpu``."""
    processes = facts.get("processes") or 1
    return ", ".join(([f"{processes} processes"] if processes > 1 else []) + [str(facts.get("device", ""))])


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


# No event has this many bytes: a longer line is damage.
BLOCK_BYTES = 4 << 20
# Most events are windows. If more bytes than this are new, one window of several is read.
BYTES_AT_ONCE = 4 << 20
_WINDOW = b'{"event": "window"'
_decode = json.JSONDecoder().decode


class EventReader:
    """Follows a log from where it last stopped reading.

    Args:
        windows: whether the batch losses are needed; otherwise only the last window of each block is read.

    Attributes:
        fault: what is wrong with the first unreadable line, with file, line and field; else "".
    """

    def __init__(self, path: Path, *, windows: bool = True) -> None:
        self.path = path
        self.fault = ""
        self._windows = windows
        self._offset = self._lines = 0

    def poll(self) -> list[Event]:
        """The complete events since the last call; none if the log is not there (yet), or cannot be read just now."""
        return list(self.events())

    def events(self) -> Iterator[Event]:
        """What ``poll`` returns, one at a time: a long log is never in memory as a whole."""
        for number, line in self._needed():
            try:
                event = _decode(line.decode())
            except (ValueError, RecursionError):
                continue  # a line torn by a kill and ended by the next writer
            if wrong := fault(event):
                self.fault = self.fault or f"{self.path}:{number}: {wrong}"
            else:
                yield cast(Event, event)

    def _needed(self) -> Iterator[tuple[int, bytes]]:
        """The new lines with their numbers, without the windows that are skipped."""
        for first, lines, every in self._blocks():
            # The last window tells how far the run is. It is near the end, so the search is short.
            last = next((at for at in reversed(range(len(lines))) if lines[at].startswith(_WINDOW)), 0) + first
            yield from (
                (at, line)
                for at, line in enumerate(lines, first)
                if not line.startswith(_WINDOW) or not at % every or at == last
            )

    def _blocks(self) -> Iterator[tuple[int, list[bytes], int]]:
        """Runs of complete lines: the number of the first, the lines, and of how many windows one is needed."""
        try:
            check_ordinary(self.path)
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if size < self._offset:
                    self._offset = self._lines = 0  # it was cut, and is written anew
                    self.fault = ""
                file.seek(self._offset)
                every = max(1, (size - self._offset) // BYTES_AT_ONCE) if self._windows else size + 1
                rest = b""
                while block := file.read(BLOCK_BYTES):
                    *lines, rest = (rest + block).split(b"\n")
                    if len(rest) > BLOCK_BYTES:
                        self._offset, rest = self._offset + len(rest), b""
                    number, self._lines = self._lines + 1, self._lines + len(lines)
                    self._offset += sum(map(len, lines)) + len(lines)
                    yield number, lines, every
        except OSError:  # also of a network disk, which may be back at the next call
            return


@dataclass
class History:
    """What a log says so far, folded: the epoch table, the loss curve, and how it ended if it has.

    Attributes:
        windows: the batch losses; those of a long run are merged, so that their number has a bound.
        fault: what is wrong with the first unreadable line; else "".
    """

    start: Facts | None = None
    windows: list[WindowEvent] = field(default_factory=list)
    epochs: list[EpochEvent] = field(default_factory=list)
    trials: list[TrialEvent] = field(default_factory=list)
    baselines: dict[str, float] = field(default_factory=dict)
    usage: Usage | None = None
    ending: EndEvent | None = None
    fault: str = ""

    def extend(self, events: Iterable[Event]) -> None:
        for event in events:
            if event["event"] == "start":
                self.start = event
            elif event["event"] == "baselines":
                self.baselines = {k: v for k, v in event.items() if isinstance(v, float)}
            elif event["event"] == "window":
                self.windows.append(event)
                if len(self.windows) > MANY:
                    self.windows = thin(self.windows)
            elif event["event"] == "epoch":
                self.epochs.append(event)
            elif event["event"] == "trial":
                self.trials.append(event)
            elif event["event"] == "usage":
                self.usage = event
            elif event["event"] == "resume":
                before = {name: value for name, value in (self.start or {}).items() if name != "processes"}
                self.start = cast(Facts, {**before, **event})
                self.windows = [w for w in self.windows if w["step"] <= event["step"]]
                self.epochs = [e for e in self.epochs if e["step"] <= event["step"]]
                self.trials = [t for t in self.trials if t["step"] <= event["step"]]
                self.usage, self.ending = None, None
            elif event["event"] in ENDINGS:
                self.ending = event

    @property
    def unit(self) -> str:
        """What the run counts: an epoch, or a sweep of a sampler."""
        return str((self.start or {}).get("unit", "epoch"))

    @property
    def score(self) -> Criterion:
        """The figure by which its epochs are compared."""
        start = self.start or {}
        key, higher = start.get("score", LOSS.key), bool(start.get("higher_is_better", LOSS.higher_is_better))
        known = (one for one in (LOSS, NDCG) if (one.key, one.higher_is_better) == (key, higher))
        return next(known, Criterion(key, key, higher))

    @property
    def best(self) -> EpochEvent | None:
        """The epoch with the best score: the lowest loss, or the highest NDCG."""
        score = self.score
        return score.best(self.epochs, lambda epoch: cast(float | None, epoch.get(score.key)))

    @property
    def last(self) -> EpochEvent | None:
        return self.epochs[-1] if self.epochs else None

    @property
    def progress(self) -> float:
        """Share of the steps done, 0 to 1."""
        steps = (self.start or {}).get("steps") or 0
        reached = max((events[-1]["step"] for events in self._counted if events), default=0)
        return min(1.0, reached / steps) if steps else 0.0

    @property
    def _counted(self) -> tuple[Sequence[WindowEvent | TrialEvent | EpochEvent], ...]:
        """The events that say how far the run is."""
        return self.windows, self.trials, self.epochs

    @property
    def elapsed(self) -> float:
        """Seconds of fitting so far."""
        return max((events[-1]["elapsed"] for events in self._counted if events), default=0.0)


def read_history(path: Path, *, windows: bool = True) -> History:
    """Read a log from its beginning.

    Args:
        windows: whether the batch losses are needed; otherwise only the last window is read.
    """
    history, reader = History(), EventReader(path, windows=windows)
    history.extend(reader.events())
    history.fault = reader.fault
    return history

"""A run in one row, for lists of runs; and all rows of a home, read again only where files have changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from cftui.engine.models.method import Criterion
from cftui.engine.models.options import Option
from cftui.engine.runs.config import RunConfig, TrainedOn
from cftui.engine.runs.events import EventReader, History
from cftui.engine.runs.folder import LIVE, RunFolder, all_runs
from cftui.engine.runs.notes import Notes, read_notes
from cftui.engine.runs.verdict import Result, Verdict, result, verdict
from cftui.errors import CftuiError
from cftui.home import Home

# A sparkline has no more points than a table has room for.
CURVE_POINTS = 24


@dataclass(frozen=True)
class RunSummary:
    """A run in one row.

    Attributes:
        differs: the options in which it differs from the defaults of its recipe, in words: ``wd 0.2``.
        problem: what is wrong with a folder that cannot be read.
        processes: how many processes train it, or did so last.
        note, tags: what a person wrote about it.
        progress: the share of its steps that are done, from 0 to 1.
        curve: the figure that it is judged by, epoch after epoch, in at most ``CURVE_POINTS`` points.
        result: what ``verdict`` judges; None for a folder that cannot be read.
    """

    name: str
    recipe: str = ""
    differs: tuple[str, ...] = ()
    data: str = ""
    split: str = ""
    status: str = ""
    epochs: int = 0
    valid_loss: float | None = None
    rmse: float | None = None
    ndcg: float | None = None
    seconds: float = 0.0
    created: str = ""
    processes: int = 1
    problem: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    progress: float = 0.0
    curve: tuple[float, ...] = ()
    result: Result | None = None

    @property
    def what(self) -> str:
        """The recipe and what differs from its defaults."""
        return " ".join([self.recipe, ", ".join(self.differs)]).strip()

    @property
    def comparable(self) -> tuple[TrainedOn, Criterion] | None:
        """Runs may be put into one order by their figures only if these are equal."""
        return None if self.result is None else self.result.comparable

    @property
    def figure(self) -> float | None:
        """What it is judged by."""
        return None if self.result is None else self.result.value

    def as_row(self) -> dict[str, Any]:
        """The row of a table: every field but ``result``, ``progress`` and ``curve``."""
        row = asdict(replace(self, result=None))
        for name in ("result", "progress", "curve"):
            del row[name]
        return row


def summarise(run: RunFolder, history: History | None = None) -> RunSummary:
    """Describe a run in one row; what cannot be read is said in it.

    Args:
        history: what its log says, if that has been read.
    """
    try:
        config, history = run.config(), history or run.history()
        status = run.status(history)
        # A finished run may have kept an earlier epoch than its last.
        last: Mapping[str, Any] = (history.ending if status == "done" else None) or history.last or {}
        notes = _notes(run)
        return RunSummary(
            name=run.name,
            recipe=config.recipe.name,
            differs=differences(config),
            data=config.data.name,
            split=config.options.split,
            status=status,
            epochs=len(history.epochs),
            valid_loss=last.get("valid_loss"),
            rmse=last.get("rmse"),
            ndcg=last.get("ndcg"),
            seconds=history.elapsed,
            created=config.created,
            processes=(history.start or {}).get("processes") or 1,
            problem=run.obituary(history) if status in ("failed", "dead") else "",
            note=notes.note,
            tags=notes.tags,
            progress=history.progress,
            curve=_curve(history),
            result=result(run.name, config, history, status, run.lists()),
        )
    except (CftuiError, OSError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        return RunSummary(name=run.name, status="damaged", problem=str(error))


def _notes(run: RunFolder) -> Notes:
    """Damaged notes are no reason not to list the run."""
    try:
        return read_notes(run)
    except CftuiError as error:
        return Notes(note=str(error))


def differences(config: RunConfig) -> tuple[str, ...]:
    """The options in which a run differs from the defaults of its recipe: ``wd 0.2``, ``keep-best``, ``no side``."""
    described = config.recipe.described
    return tuple(in_words(name, described[name], value) for name, value in config.differences().items())


def in_words(name: str, option: Option, value: Any) -> str:
    """An option with its value, by the name that it has on the command line."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return flag if value else f"no {flag}"
    if value is None:
        return f"{flag} {option.empty}"
    return f"{flag} {value:g}" if isinstance(value, float) else f"{flag} {value}"


def _curve(history: History) -> tuple[float, ...]:
    key = history.score.key
    points = [value for epoch in history.epochs if isinstance(value := epoch.get(key), float)]
    every = -(-len(points) // CURVE_POINTS) or 1
    # Counted from the end, so that the last point is the last epoch.
    return tuple(points[::-1][::every][::-1])


@dataclass(frozen=True)
class JudgedRun:
    """A run among the others of its home.

    Attributes:
        verdict: how its figure compares with the baselines; None for a folder that cannot be read.
        best: whether it is the best of several runs that can be compared with it.
    """

    run: RunSummary
    verdict: Verdict | None = None
    best: bool = False


def judge(runs: Iterable[RunSummary]) -> list[JudgedRun]:
    """Judge each run, and find the best among those that can be compared."""
    runs = list(runs)
    groups: dict[Any, list[RunSummary]] = {}
    for run in runs:
        if run.comparable is not None:
            groups.setdefault(run.comparable, []).append(run)
    best, measured = set(), {}
    for key, group in groups.items():
        scored = [run for run in group if run.figure is not None]
        winner = key[1].best(scored, lambda run: run.figure)
        if winner is not None and len(scored) > 1:
            best.add(winner.name)
        # A run from before baselines were logged borrows those of another run: one such run is enough.
        measured[key] = [run.result for run in group if run.result and run.result.baselines][:1]
    return [
        JudgedRun(run, verdict(run.result, measured[run.comparable]) if run.result else None, run.name in best)
        for run in runs
    ]


@dataclass
class _Known:
    """A run as it was when its files had this stamp; ``history`` and ``reader`` are kept while it is live."""

    stamp: object
    summary: RunSummary
    history: History | None = None
    reader: EventReader | None = None

    def still_so(self, run: RunFolder) -> bool:
        """Whether the status is what it was; it may only change by itself while the run is live."""
        return self.history is None or run.status(self.history) == self.summary.status


@dataclass
class RunIndex:
    """All runs of a home, for a list that is read again every few seconds. Not for several threads at once."""

    home: Home
    _known: dict[str, _Known] = field(default_factory=dict)

    def read(self) -> Sequence[JudgedRun]:
        """Every run, the newest first.

        A run is read again only if a file has changed. A live run may die in silence, so its status is asked for each
        time, and only what is new of its log is read.
        """
        self._known = {run.name: self._look(run, self._known.get(run.name)) for run in reversed(all_runs(self.home))}
        return judge(known.summary for known in self._known.values())

    def _look(self, run: RunFolder, known: _Known | None) -> _Known:
        stamp = run.stamp()
        if known is not None and known.stamp == stamp and known.still_so(run):
            return known
        history, reader = History(), EventReader(run.events_file)
        if known is not None and known.history is not None and known.reader is not None:
            history, reader = known.history, known.reader
        try:
            history.extend(reader.poll())
        except (OSError, LookupError, TypeError, ValueError) as error:
            # One broken run does not hide the others.
            return _Known(stamp, RunSummary(name=run.name, status="damaged", problem=f"{run.events_file}: {error}"))
        summary = summarise(run, history)
        return _Known(stamp, summary, history, reader) if summary.status in LIVE else _Known(stamp, summary)


def verdict_on(home: Home, run: RunFolder) -> Verdict | None:
    """The verdict on a run beside the others in the home; None if its folder cannot be read."""
    known = [one.run.result for one in RunIndex(home).read() if one.run.result is not None]
    return next((verdict(own, known) for own in known if own.run == run.name), None)

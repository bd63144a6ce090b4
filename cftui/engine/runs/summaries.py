"""A run in one row, for lists of runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from cftui.engine.models.method import Criterion
from cftui.engine.models.options import Option
from cftui.engine.runs.config import RunConfig, TrainedOn
from cftui.engine.runs.events import History, read_history
from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.notes import Notes, read_notes
from cftui.engine.runs.verdict import Result, Verdict, result, verdict
from cftui.errors import CftuiError

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
        config, history = run.config(), history or read_history(run.events_file, windows=False)
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
            problem=run.obituary(history) if status in ("failed", "dead") else history.fault,
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
    keys = [run.comparable for run in runs]
    for run, key in zip(runs, keys, strict=True):
        if key is not None:
            groups.setdefault(key, []).append(run)
    best, measured = set(), {}
    for key, group in groups.items():
        scored = [run for run in group if run.figure is not None]
        winner = key[1].best(scored, lambda run: run.figure)
        if winner is not None and len(scored) > 1:
            best.add(winner.name)
        # A run from before baselines were logged borrows those of another run: one such run is enough.
        measured[key] = [run.result for run in group if run.result and run.result.baselines][:1]
    return [
        JudgedRun(run, verdict(run.result, measured[key]) if run.result else None, run.name in best)
        for run, key in zip(runs, keys, strict=True)
    ]

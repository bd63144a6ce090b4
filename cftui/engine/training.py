"""A training run from its options to its folder: what ``cftui train`` does."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any, Literal, cast

import numpy as np
import torch

from cftui.data.ratings import Ratings
from cftui.data.scale import check_scale
from cftui.data.splits import Split, split
from cftui.data.store import catalog
from cftui.engine.baselines import baselines
from cftui.engine.device import describe, is_out_of_memory
from cftui.engine.fitting import Diverged, Fitter, Hooks, Outcome, fitter_class
from cftui.engine.interrupts import StopRequested, stop_requests
from cftui.engine.list_baselines import list_baselines
from cftui.engine.models.build import architecture
from cftui.engine.models.method import LOSS, Criterion
from cftui.engine.models.options import Options
from cftui.engine.models.recipes import Recipe, all_recipes
from cftui.engine.ranks import RankLost, Ranks, current
from cftui.engine.runs import folder as runs
from cftui.engine.runs import weights
from cftui.engine.runs.config import DataFacts, RunConfig
from cftui.engine.runs.events import (
    BaselinesEvent,
    EndEvent,
    Event,
    EventWriter,
    Facts,
    ResumeEvent,
    Sizes,
    StartEvent,
    UsageEvent,
)
from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.windows import WindowClock
from cftui.engine.usage import Meter
from cftui.errors import CftuiError
from cftui.files import update_json
from cftui.home import Home
from cftui.version import __version__

Emit = Callable[[Event], None]

# Above this many ratings the baselines take seconds: compute them after the first epoch, not before the first batch.
MANY = 2_000_000


def open_ratings(home: Home, name: str, item_key: str = "title") -> Ratings:
    return catalog.open_ratings(name, home, item_key)  # type: ignore[arg-type]


def train(
    home: Home,
    recipe: Recipe,
    options: Options,
    *,
    data: str = "ml-100k",
    device: torch.device,
    name: str | None = None,
    emit: Emit = lambda event: None,
    stop_requested: StopRequested | None = None,
) -> RunFolder:
    """Train ``recipe`` in a new run folder, until the last epoch or a SIGTERM or SIGINT.

    Inside ``ranks.joined()``, all processes call this with the same arguments.

    Args:
        emit: receives every event after it is in the log.
        stop_requested: asked before every batch; by default whether SIGTERM or SIGINT has come.

    Raises:
        CftuiError: the data set or an option is not usable, or the device's memory is too small for the batch.
        Diverged: the loss exploded; the folder holds the reason and the last good weights.
        OSError: the disk is full or not writable; the log ends with the reason if it could be written.
    """
    if stop_requested is None:
        with stop_requests() as asked:
            return train(home, recipe, options, data=data, device=device, name=name, emit=emit, stop_requested=asked)
    ranks = current()
    _check_shared(recipe, ranks)
    run_name = ranks.from_first(lambda: name or runs.new_name(recipe.name, home))
    ratings = open_ratings(home, data, options.item_key)
    parts = split(ratings, options.split, options.seed)
    fitter = fitter_for(recipe, options, ratings, parts, device)
    if not ranks.is_first:
        del ratings, parts
        _take_part(fitter, stop_requested)
        return RunFolder(home.models / run_name)
    config = run_config(run_name, recipe, options, ratings, parts, device)
    with runs.created(home, config, vocabulary(ratings)) as run, EventWriter(run.events_file) as log:
        session = _Session(run, fitter, log, emit, stop_requested)
        session.record(StartEvent(event="start", **session.facts(), **sizes(ratings, parts)))
        session.fit(lambda: known_baselines(home, ratings, parts, options, recipe.fitting.score))
    return run


def resume(
    home: Home,
    run: RunFolder,
    *,
    more_epochs: int = 0,
    device: torch.device,
    emit: Emit = lambda event: None,
    stop_requested: StopRequested | None = None,
) -> None:
    """Go on with a run that was stopped or died, from its last checkpoint; or with one that is done, for more epochs.

    On the CPU a resumed run ends with the weights, to the bit, of one never interrupted. More epochs go over a
    one-cycle of their own. The number of processes may differ from before.

    Raises:
        CftuiError: there is nothing to go on with, the run is being trained, its files are damaged, or its data set is
            no longer the same.
    """
    if stop_requested is None:
        with stop_requests() as asked:
            resume(home, run, more_epochs=more_epochs, device=device, emit=emit, stop_requested=asked)
            return
    ranks = current()
    with run.lock() if ranks.is_first else nullcontext():
        ranks.from_first(lambda: _check_resumable(run, more_epochs))
        config = run.config()
        config.check_resumable()
        _check_shared(config.recipe, ranks)
        ratings = open_ratings(home, config.data.name, config.options.item_key)
        if ratings.fingerprint != config.data.fingerprint:
            raise CftuiError(
                f"{config.data.name} is no longer the data set that {run.name} was trained on",
                hint="fetch or import that one again, or train a new run",
            )
        parts = split(ratings, config.options.split, config.options.seed)
        fitter = fitter_for(config.recipe, config.options, ratings, parts, device)
        state = weights.load_checkpoint(run)
        if state is not None:
            fitter.load_state(state)
        if more_epochs:
            fitter.extend(more_epochs)
        # The checkpoint is about to be replaced.
        ranks.wait_for_all()
        if not ranks.is_first:
            del ratings, parts, state
            _take_part(fitter, stop_requested)
            return
        with EventWriter(run.events_file) as log:
            session = _Session(run, fitter, log, emit, stop_requested)
            # Before the event: killed in between, the run is still done and can be extended again.
            session.checkpoint()
            session.record(ResumeEvent(event="resume", step=fitter.step, **session.facts(), **sizes(ratings, parts)))
            # They are older than the checkpoints to come and must not pass for the outcome after a kill.
            run.weights_file.unlink(missing_ok=True)
            session.fit(lambda: known_baselines(home, ratings, parts, config.options, config.method.score))


def train_or_resume(
    home: Home,
    recipe: Recipe,
    options: Options,
    *,
    data: str,
    device: torch.device,
    name: str,
    emit: Emit = lambda event: None,
    stop_requested: StopRequested | None = None,
) -> RunFolder:
    """``train``, or, if the run ``name`` was begun with just these settings, what is left to do of it.

    Raises:
        CftuiError: as for ``train`` and ``resume``, or the run was trained with other settings.
    """
    run, ranks = RunFolder(home.models / name), current()
    if not ranks.from_first(run.config_file.exists):
        more: dict[str, Any] = {"data": data, "name": name, "stop_requested": stop_requested}
        return train(home, recipe, options, device=device, emit=emit, **more)
    config = run.config()
    mine, before = {**options.as_json(), "data": data}, {**config.options.as_json(), "data": config.data.name}
    differing = [option for option in {**mine, **before} if mine.get(option) != before.get(option)]
    if config.recipe.as_json() != recipe.as_json():
        differing = ["recipe", *differing]
    if differing:
        raise CftuiError(
            f"there is a run {name} already, trained with another {' and '.join(differing)}",
            hint="choose another name",
            option="name",
        )
    if ranks.from_first(run.status) != "done":
        resume(home, run, device=device, emit=emit, stop_requested=stop_requested)
    elif open_ratings(home, data, options.item_key).fingerprint != config.data.fingerprint:
        raise CftuiError(f"{data} is no longer the data set that {name} was trained on", hint="choose another name")
    return run


def _check_resumable(run: RunFolder, more_epochs: int) -> None:
    history = run.history()
    # Without a beginning of its log, a run passes for living while it is locked; it is this process that has locked it.
    status = run.status(history) if history.start is not None or history.ending else "dead"
    if status in runs.LIVE:
        raise CftuiError(f"run {run.name} is being trained already (status: {status})")
    if status == "done" and not more_epochs:
        raise CftuiError(f"run {run.name} is done; to continue it, say for how many more epochs: --epochs N")
    if status != "done" and more_epochs:
        raise CftuiError(f"run {run.name} is not done (status: {status}); resume it without --epochs first")


def _check_shared(recipe: Recipe, ranks: Ranks) -> None:
    """Raises CftuiError if there are several processes and they cannot fit this recipe together."""

    def is_shared(one: Recipe) -> bool:
        return bool(one.fitting.shared_fitter) and fitter_class(one.fitting, ranks.size).shares(one)

    if ranks.size > 1 and not is_shared(recipe):
        sharing = [one.name for one in all_recipes().values() if is_shared(one)]
        raise CftuiError(
            f"{recipe.name} cannot be trained by {ranks.size} processes",
            hint=f"start it without torchrun, or train one of {', '.join(sharing)}",
        )


def _take_part(fitter: Fitter, stop_requested: StopRequested) -> None:
    """Do the share of a process that is not the first. It writes nothing: the first one has the run folder."""
    fitter.fit(Hooks(should_stop=stop_requested))


def fitter_for(recipe: Recipe, options: Options, ratings: Ratings, parts: Split, device: torch.device) -> Fitter:
    """What fits ``recipe`` on these ratings.

    Raises:
        CftuiError: an option does not suit the data, or the device's memory is too small.
    """
    if ratings.counted and architecture(recipe).rates:
        raise CftuiError(
            f"{recipe.name} predicts ratings, and {ratings.name} has none: it says what was chosen",
            hint="train ease or ials",
        )
    if architecture(recipe).rates:
        check_scale(ratings)
    try:
        return fitter_class(recipe.fitting, current().size)(recipe, options, ratings, parts, device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise CftuiError(
            f"out of memory on {describe(device)}: model and ratings do not fit; try fewer --factors or --device cpu"
        ) from None


class _Session:
    """One session of a fitter with a run folder: every event goes to the log first, and the model is saved."""

    def __init__(
        self, run: RunFolder, fitter: Fitter, log: EventWriter, emit: Emit, stop_requested: StopRequested
    ) -> None:
        self.run, self.fitter, self._log, self._emit, self._stop_requested = run, fitter, log, emit, stop_requested
        history = run.history()
        self._epochs = {event["epoch"]: event for event in history.epochs}
        self._knows_baselines = bool(history.baselines)
        self._windows = WindowClock(len(history.windows), history.elapsed)
        self._meter = Meter(fitter.device)
        # A kill in the middle of writing leaves these behind; this process holds the lock, so nobody is writing them.
        for folder in (run.path, run.snapshots_folder):
            for torn in folder.glob(".*.safetensors.*"):
                torn.unlink(missing_ok=True)

    def facts(self) -> Facts:
        fitter = self.fitter
        method = fitter.recipe.fitting
        facts = Facts(
            run=self.run.name,
            recipe=fitter.recipe.name,
            epochs=fitter.steps // fitter.steps_per_epoch,
            steps=fitter.steps,
            steps_per_epoch=fitter.steps_per_epoch,
            batch_size=fitter.batch_size,
            unit=method.unit,
            score=method.score.key,
            higher_is_better=method.score.higher_is_better,
            device=describe(fitter.device),
            **runs.process_identity(),
        )
        if fitter.ranks.size > 1:
            facts["processes"] = fitter.ranks.size
        return facts

    def record(self, event: Event) -> None:
        if event["event"] == "window" and not self._windows.is_due(event["elapsed"]):
            return
        self._log.write(event)
        if event["event"] == "epoch":
            self._epochs[event["epoch"]] = event
        self._emit(event)

    def beat(self) -> None:
        """Say that the process is alive and, now and then, what it uses."""
        self.run.beat()
        if self._meter.due:
            usage, fitter = self._meter.read(), self.fitter
            self.record(UsageEvent(event="usage", step=fitter.step, elapsed=fitter.elapsed, **usage))

    def checkpoint(self) -> None:
        weights.save_checkpoint(self.run, self.fitter.state())

    def fit(self, find_baselines: Callable[[], dict[str, float]]) -> None:
        """Train, and record how it ended, however it did."""
        run, fitter = self.run, self.fitter

        def note_baselines() -> None:
            if not self._knows_baselines and not self._stop_requested():
                self._knows_baselines = True
                with suppress(MemoryError):  # they only put a loss into proportion
                    if found := find_baselines():
                        self.record(cast(BaselinesEvent, {"event": "baselines", **found}))

        def after_epoch() -> None:
            weights.save_snapshot(run, fitter.epoch - 1, fitter.model)
            note_baselines()

        short_of_memory = False
        outcome: Outcome = "stopped"
        run.beat()
        try:
            # From the first step on there is a checkpoint to go back to.
            self.checkpoint()
            if fitter.train_size <= MANY:
                note_baselines()
            outcome = fitter.fit(Hooks(self.record, self._stop_requested, after_epoch, self.checkpoint, self.beat))
            if outcome == "stopped":
                self.checkpoint()
            weights.save_weights(run, fitter.model)
        except Diverged as error:
            with suppress(OSError):
                weights.save_weights(run, fitter.model)
            self._fail(str(error))
            raise
        except RankLost as error:
            self._fail(str(error), "dead")
            raise
        except OSError as error:
            # A full disk may have no room to record that it is full.
            with suppress(OSError):
                self._fail(f"{error.filename or run.path}: {error.strerror or error}")
            raise
        except Exception as error:
            # Handled outside: in here the failed step's tensors are still alive.
            short_of_memory = is_out_of_memory(error)
            if not short_of_memory:
                self._fail(f"{type(error).__name__}: {error}")
                raise
        if short_of_memory:
            reason = f"out of memory on {describe(fitter.device)} {fitter.out_of_memory_advice()}"
            self._fail(reason)
            raise CftuiError(reason)
        self.record(self._ending(outcome))

    def _fail(self, reason: str, how: Literal["failed", "dead"] = "failed") -> None:
        self.record(EndEvent(event=how, run=self.run.name, reason=reason, step=self.fitter.step))

    def _ending(self, outcome: Outcome) -> EndEvent:
        """The last event, with the scores of the epoch whose weights were kept."""
        fitter, stopped = self.fitter, outcome == "stopped"
        kept = fitter.epoch - 1 if stopped else fitter.kept_epoch
        scores = self._epochs.get(kept)
        ending = EndEvent(
            event="stopped" if stopped else "done",
            run=self.run.name,
            step=fitter.step,
            epochs=fitter.epoch,
            kept_epoch=kept if scores and not stopped else None,
            early=outcome == "early",
            valid_loss=scores["valid_loss"] if scores else None,
            rmse=scores["rmse"] if scores else None,
            mae=scores["mae"] if scores else None,
            seconds=fitter.elapsed,
        )
        if scores and "ndcg" in scores:
            ending["ndcg"] = scores["ndcg"]
        return ending


def sizes(ratings: Ratings, parts: Split) -> Sizes:
    """How many ratings train and validate, and how many users gave them."""

    def users(rows: np.ndarray) -> int:
        marks = np.zeros(len(ratings.users), bool)
        marks[ratings.user[rows]] = True
        return int(marks.sum())

    return Sizes(
        train=len(parts.train),
        valid=len(parts.valid),
        train_users=users(parts.train),
        valid_users=users(parts.valid),
    )


def known_baselines(
    home: Home, ratings: Ratings, parts: Split, options: Options, score: Criterion = LOSS
) -> dict[str, float]:
    """The baselines of a split by this score, computed once and kept beside the runs; none without validation rows."""
    if not len(parts.valid):
        return {}
    key = "/".join([ratings.name, ratings.fingerprint, ratings.item_key, options.split, str(options.seed)])
    if score != LOSS:
        key += f"/{score.key}"
    path = home.models / ".baselines.json"
    try:
        known = dict(json.loads(path.read_text(encoding="utf-8")))
        if key in known:
            return known[key]
    except (OSError, ValueError, TypeError, RecursionError):
        pass  # missing or damaged: it is only a cache
    found = baselines(ratings, parts) if score == LOSS else list_baselines(ratings, parts)
    with suppress(OSError):
        update_json(path, lambda kept: kept.update({key: found}))
    return found


def run_config(
    name: str, recipe: Recipe, options: Options, ratings: Ratings, parts: Split, device: torch.device
) -> RunConfig:
    """What ``run.json`` says of a run that begins now."""
    return RunConfig(
        run=name,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        recipe=recipe,
        options=options,
        data=DataFacts(
            name=ratings.name,
            noun=ratings.noun,
            fingerprint=ratings.fingerprint,
            ratings=len(ratings),
            rating_range=ratings.rating_range,
            levels=ratings.levels,
            train=len(parts.train),
            valid=len(parts.valid),
            counted=ratings.counted,
        ),
        method_revision=recipe.fitting.revision,
        device=describe(device),
        versions={"cftui": __version__, "torch": str(torch.__version__), "python": platform.python_version()},
    )


def vocabulary(ratings: Ratings) -> dict[str, Any]:
    """What ``vocabulary.json`` holds: users, items and the item table."""
    table = ratings.item_table
    return {
        "users": list(ratings.users.classes),
        "items": list(ratings.items.classes),
        "item_table": {column: table[column].tolist() for column in table.columns},
    }

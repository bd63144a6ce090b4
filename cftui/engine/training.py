"""A training run from its options to its folder: what ``cftui train`` does."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

import cftui
from cftui.data.ratings import Ratings
from cftui.data.splits import Split, split
from cftui.data.store import catalog
from cftui.engine.baselines import baselines
from cftui.engine.bayes.chain import Chain
from cftui.engine.device import describe
from cftui.engine.gradient.trainer import Diverged, Hooks, Outcome, Trainer
from cftui.engine.interrupts import StopRequested, stop_requests
from cftui.engine.models.recipes import Options, Recipe
from cftui.engine.runs import folder as runs
from cftui.engine.runs import weights
from cftui.engine.runs.events import Event, EventWriter
from cftui.engine.runs.folder import RunFolder
from cftui.errors import CftuiError
from cftui.files import write_json
from cftui.home import Home

Emit = Callable[[Event], None]

# Of more ratings than these the baselines take seconds: they come after the first epoch, not before the first batch.
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
    ratings = open_ratings(home, data, options.item_key)
    parts = split(ratings, options.split, options.seed)
    trainer = trainer_for(recipe, options, ratings, parts, device)
    config = _config(recipe, options, ratings, device, train=len(parts.train), valid=len(parts.valid))
    run = runs.create(home, name or runs.new_name(recipe.name, home), config, _vocabulary(ratings))
    with run.lock(), EventWriter(run.events_file) as log:
        session = _Session(run, trainer, log, emit, stop_requested)
        session.record({"event": "start", **session.facts()})
        session.fit(lambda: known_baselines(home, ratings, parts, options))
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
    one-cycle of their own.

    Raises:
        CftuiError: there is nothing to go on with, the run is being trained, its files are damaged, or its data set is
            no longer the same.
    """
    if stop_requested is None:
        with stop_requests() as asked:
            resume(home, run, more_epochs=more_epochs, device=device, emit=emit, stop_requested=asked)
            return
    with run.lock():
        _check_resumable(run, more_epochs)
        config = run.config()
        try:
            chosen, options = Recipe(**config["recipe"]), Options(**config["options"])
        except TypeError as error:
            raise CftuiError(f"{run.config_file}: of another version of cftui ({error})") from None
        ratings = open_ratings(home, config["data"]["name"], options.item_key)
        if ratings.fingerprint != config["data"]["fingerprint"]:
            raise CftuiError(f"{config['data']['name']} is no longer the data set that {run.name} was trained on")
        parts = split(ratings, options.split, options.seed)
        trainer = trainer_for(chosen, options, ratings, parts, device)
        state = weights.load_checkpoint(run)
        if state is not None:
            trainer.load_state(state)
        if more_epochs:
            trainer.extend(more_epochs)
        with EventWriter(run.events_file) as log:
            session = _Session(run, trainer, log, emit, stop_requested)
            # Before the event: killed in between, the run is still done and can be extended again.
            session.checkpoint()
            session.record({"event": "resume", "step": trainer.step, **session.facts()})
            # Older than the checkpoints to come: what a kill leaves must not be taken for the outcome.
            run.weights_file.unlink(missing_ok=True)
            session.fit(lambda: known_baselines(home, ratings, parts, options))


def _check_resumable(run: RunFolder, more_epochs: int) -> None:
    status = run.status()
    if status in runs.LIVE:
        raise CftuiError(f"run {run.name} is being trained already (status: {status})")
    if status == "done" and not more_epochs:
        raise CftuiError(f"run {run.name} is done; to go on, say for how many more epochs: --epochs N")
    if status != "done" and more_epochs:
        raise CftuiError(f"run {run.name} is not done (status: {status}); resume it without --epochs first")


def trainer_for(
    recipe: Recipe, options: Options, ratings: Ratings, parts: Split, device: torch.device
) -> Trainer | Chain:
    """What fits ``recipe``.

    Raises:
        CftuiError: an option does not suit the data, or the device's memory is too small.
    """
    try:
        return (Chain if recipe.sampled else Trainer)(recipe, options, ratings, parts, device)
    except torch.OutOfMemoryError:
        raise CftuiError(
            f"out of memory on {describe(device)}: model and ratings do not fit; try fewer --factors or --device cpu"
        ) from None


class _Session:
    """One sitting of a trainer at a run folder: every event goes to the log first, and what is learned is saved."""

    def __init__(
        self, run: RunFolder, trainer: Trainer | Chain, log: EventWriter, emit: Emit, stop_requested: StopRequested
    ) -> None:
        self.run, self.trainer, self._log, self._emit, self._stop_requested = run, trainer, log, emit, stop_requested
        history = run.history()
        self._epochs = {event["epoch"]: event for event in history.epochs}
        self._knows_baselines = bool(history.baselines)
        # What a kill in the middle of writing left behind; the lock is ours.
        for torn in run.path.glob(".*.safetensors.*"):
            torn.unlink(missing_ok=True)

    def facts(self) -> Event:
        trainer = self.trainer
        return {
            "run": self.run.name,
            "recipe": trainer.recipe.name,
            "epochs": trainer.steps // trainer.steps_per_epoch,
            "steps": trainer.steps,
            "steps_per_epoch": trainer.steps_per_epoch,
            "batch_size": trainer.batch_size,
            "unit": trainer.unit,
            "device": describe(trainer.device),
            **runs.process_identity(),
        }

    def record(self, event: Event) -> None:
        self._log.write(event)
        if event["event"] == "epoch":
            self._epochs[event["epoch"]] = event
        self._emit(event)

    def checkpoint(self) -> None:
        weights.save_checkpoint(self.run, self.trainer.state())

    def fit(self, find_baselines: Callable[[], dict[str, float]]) -> None:
        """Train, and record how it ended, however it did."""
        run, trainer = self.run, self.trainer

        def note_baselines() -> None:
            if not self._knows_baselines and not self._stop_requested():
                self._knows_baselines = True
                with suppress(MemoryError):  # they only say what a loss is worth
                    self.record({"event": "baselines", **find_baselines()})

        def after_epoch() -> None:
            weights.save_snapshot(run, trainer.epoch - 1, trainer.model)
            note_baselines()

        short_of_memory = False
        outcome: Outcome = "stopped"
        run.beat()
        try:
            # From the first batch on there is something to go back to.
            self.checkpoint()
            if trainer.train_size <= MANY:
                note_baselines()
            outcome = trainer.fit(Hooks(self.record, self._stop_requested, after_epoch, self.checkpoint, run.beat))
            if outcome == "stopped":
                self.checkpoint()
            weights.save_weights(run, trainer.model)
        except Diverged as error:
            with suppress(OSError):
                weights.save_weights(run, trainer.model)
            self._fail(str(error))
            raise
        except torch.OutOfMemoryError:
            # Tried again outside: in here the failed step's tensors are still alive.
            short_of_memory = True
        except OSError as error:
            # A full disk may leave no room for its own obituary.
            with suppress(OSError):
                self._fail(f"{error.filename or run.path}: {error.strerror or error}")
            raise
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")
            raise
        if short_of_memory:
            reason = out_of_memory(trainer)
            self._fail(reason)
            raise CftuiError(reason)
        self.record({"event": "stopped" if outcome == "stopped" else "done", **self._result(outcome)})

    def _fail(self, reason: str) -> None:
        self.record({"event": "failed", "run": self.run.name, "reason": reason, "step": self.trainer.step})

    def _result(self, outcome: Outcome) -> Event:
        """The scores of the epoch whose weights were kept."""
        trainer = self.trainer
        kept = trainer.epoch - 1
        if trainer.options.keep_best and trainer.best and outcome != "stopped":
            kept = trainer.best[1]
        scores = self._epochs.get(kept, {})
        return {
            "run": self.run.name,
            "step": trainer.step,
            "epochs": trainer.epoch,
            "kept_epoch": kept if scores and outcome != "stopped" else None,
            "early": outcome == "early",
            "valid_loss": scores.get("valid_loss"),
            "rmse": scores.get("rmse"),
            "mae": scores.get("mae"),
            "seconds": trainer.elapsed,
        }


def out_of_memory(trainer: Trainer | Chain) -> str:
    """What to say when a batch does not fit: the largest power of two below it that does, tried for real."""
    size = trainer.options.bs
    fits = trainer.largest_batch(size // 2)
    advice = f"--bs {fits} fits" if fits else "the model alone does not fit; try fewer --factors or --device cpu"
    return f"out of memory on {describe(trainer.device)} with batches of {size:,}; {advice}"


def known_baselines(home: Home, ratings: Ratings, parts: Split, options: Options) -> dict[str, float]:
    """The baselines of a split, computed once and kept beside the runs: they depend on nothing else."""
    key = "/".join([ratings.name, ratings.fingerprint, ratings.item_key, options.split, str(options.seed)])
    path = home.models / ".baselines.json"
    try:
        known = dict(json.loads(path.read_text(encoding="utf-8")))
        if key in known:
            return known[key]
    except (OSError, ValueError, TypeError):
        known = {}  # not there yet, or damaged: it is only a cache
    known[key] = baselines(ratings, parts)
    with suppress(OSError):
        write_json(path, known)
    return known[key]


def _config(recipe: Recipe, options: Options, ratings: Ratings, device: torch.device, **rows: int) -> dict[str, Any]:
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": recipe.as_json(),
        "options": {**options.as_json(), "wd": options.decay(recipe), "wd_bias": options.bias_decay(recipe)},
        "data": {
            "name": ratings.name,
            "noun": ratings.noun,
            "fingerprint": ratings.fingerprint,
            "ratings": len(ratings),
            "rating_range": list(ratings.rating_range),
            "levels": list(ratings.levels),
            **rows,
        },
        "device": describe(device),
        "versions": {
            "cftui": cftui.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def _vocabulary(ratings: Ratings) -> dict[str, Any]:
    table = ratings.item_table
    return {
        "users": list(ratings.users.classes),
        "items": list(ratings.items.classes),
        "item_table": {column: table[column].tolist() for column in table.columns},
    }

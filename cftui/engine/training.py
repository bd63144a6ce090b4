"""A training run from its options to its folder: what ``cftui train`` does."""

from __future__ import annotations

import datetime
import platform
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

import cftui
from cftui.data import catalog
from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine import runs
from cftui.engine.architectures import Architecture
from cftui.engine.device import describe
from cftui.engine.events import Event, EventWriter
from cftui.engine.recipes import Options, Recipe
from cftui.engine.runs import RunFolder
from cftui.engine.trainer import Diverged, Trainer
from cftui.errors import CftuiError
from cftui.files import write_atomic
from cftui.home import Home

Emit = Callable[[Event], None]


def open_ratings(home: Home, name: str, item_key: str = "title") -> Ratings:
    return Ratings.encode(catalog.open_tables(name, home), item_key)  # type: ignore[arg-type]


def train(
    home: Home,
    recipe: Recipe,
    options: Options,
    *,
    data: str = "ml-100k",
    device: torch.device,
    name: str | None = None,
    emit: Emit = lambda event: None,
) -> RunFolder:
    """Train ``recipe`` in a new run folder, until the last epoch or a SIGTERM or SIGINT.

    Args:
        emit: receives every event after it is in the log.

    Raises:
        CftuiError: the data set or an option is not usable.
        Diverged: the loss stopped being a number; the folder holds the reason and the last good weights.
        OSError: the disk is full or not writable; the log ends with the reason if it could be written.
    """
    ratings = open_ratings(home, data, options.item_key)
    parts = split(ratings, options.split, options.seed)
    trainer = Trainer(recipe, options, ratings, parts, device)
    config = _config(recipe, options, ratings, device, train=len(parts.train), valid=len(parts.valid))
    run = runs.create(home, name or runs.new_name(recipe.name, home), config, _vocabulary(ratings))
    _follow(run, trainer, _start(run, trainer), emit)
    return run


def resume(home: Home, run: RunFolder, *, device: torch.device, emit: Emit = lambda event: None) -> None:
    """Go on with a run that was stopped or died, from its last checkpoint (from the start if it has none).

    On the CPU the weights it ends with are those of a run never interrupted.

    Raises:
        CftuiError: the run is done or being trained, its files are damaged, or its data set is no longer the same.
    """
    status = run.status()
    if status in ("running", "done"):
        raise CftuiError(f"run {run.name} is {status}; only a run that stopped, failed or died can be resumed")
    config = run.config()
    try:
        chosen, options = Recipe(**config["recipe"]), Options(**config["options"])
    except TypeError as error:
        raise CftuiError(f"{run.config_file}: of another version of cftui ({error})") from None
    ratings = open_ratings(home, config["data"]["name"], options.item_key)
    if ratings.fingerprint != config["data"]["fingerprint"]:
        raise CftuiError(f"{config['data']['name']} is no longer the data set that {run.name} was trained on")
    trainer = Trainer(chosen, options, ratings, split(ratings, options.split, options.seed), device)
    if run.checkpoint_file.exists():
        trainer.load_state(_load(run.checkpoint_file))
    _follow(run, trainer, {**_start(run, trainer), "event": "resume", "step": trainer.step}, emit)


def _start(run: RunFolder, trainer: Trainer) -> Event:
    return {
        "event": "start",
        "run": run.name,
        "recipe": trainer.recipe.name,
        "epochs": trainer.options.epochs,
        "steps": trainer.steps,
        "steps_per_epoch": trainer.steps_per_epoch,
        "batch_size": trainer.options.bs,
        "device": describe(trainer.device),
        **runs.process_identity(),
    }


def _follow(run: RunFolder, trainer: Trainer, start: Event, emit: Emit) -> None:
    """Fit, writing every event to the log before passing it on, and saving what the outcome calls for."""
    with EventWriter(run.events_file) as log, _stop_requests() as stop_requested:

        def record(event: Event) -> None:
            log.write(event)
            emit(event)

        def checkpoint() -> None:
            write_atomic(run.checkpoint_file, save(trainer.state()))

        record(start)
        last: Event = {}

        def keep_last(event: Event) -> None:
            if event["event"] == "epoch":
                last.update(event)
            record(event)

        try:
            finished = trainer.fit(keep_last, after_epoch=checkpoint, should_stop=stop_requested)
            checkpoint()
            save_weights(run, trainer.model)
        except Diverged as error:
            record({"event": "failed", "reason": str(error), "step": trainer.step})
            raise
        except (OSError, torch.OutOfMemoryError) as error:
            record({"event": "failed", "reason": f"{type(error).__name__}: {error}", "step": trainer.step})
            raise
        record(
            {
                "event": "done" if finished else "stopped",
                "run": run.name,
                "step": trainer.step,
                "epochs": trainer.epoch,
                "valid_loss": last.get("valid_loss"),
                "rmse": last.get("rmse"),
                "mae": last.get("mae"),
                "seconds": trainer.elapsed,
            }
        )


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """While inside, SIGTERM and SIGINT ask for an orderly stop instead of killing; SIGHUP is ignored.

    A dropped terminal must not end a training run.
    """
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    handlers: dict[int, Any] = {signal.SIGTERM: note, signal.SIGINT: note}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = signal.SIG_IGN
    try:
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    except ValueError:  # not the main thread: signals go to someone else
        before = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _config(recipe: Recipe, options: Options, ratings: Ratings, device: torch.device, **rows: int) -> dict[str, Any]:
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": recipe.as_json(),
        "options": {**options.as_json(), "wd": options.decay(recipe)},
        "data": {
            "name": ratings.name,
            "noun": ratings.noun,
            "fingerprint": ratings.fingerprint,
            "ratings": len(ratings),
            "rating_range": list(ratings.rating_range),
            "levels": sorted({float(r) for r in ratings.rating}),
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


def save_weights(run: RunFolder, model: Architecture) -> None:
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    write_atomic(run.weights_file, save(tensors))


def load_weights(run: RunFolder) -> dict[str, Tensor]:
    """The trained weights, or the last checkpoint's where training did not end.

    Raises:
        CftuiError: neither is there, or the file is damaged.
    """
    if run.weights_file.exists():
        return _load(run.weights_file)
    if run.checkpoint_file.exists():
        tensors = _load(run.checkpoint_file)
        return {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    raise CftuiError(f"{run.weights_file}: no such file; the run has no trained weights (status: {run.status()})")


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load(path.read_bytes())
    except (SafetensorError, OSError, ValueError) as error:
        raise CftuiError(f"{path}: damaged or truncated ({error})") from None

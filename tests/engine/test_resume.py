"""Resuming: from a stop, a kill or a crash to the very weights of a run never interrupted."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine import clock, training
from cftui.engine.fitting import Hooks
from cftui.engine.models.recipes import recipe
from cftui.engine.runs.events import EndEvent, EventWriter
from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.weights import load_weights
from cftui.errors import CftuiError
from cftui.home import Home
from tests.settings import options_for

CPU = torch.device("cpu")
OPTIONS = recipe("model4").options(epochs=3, bs=16, factors=4)


def fit(home: Home, name: str | None = None, **changes: Any) -> RunFolder:
    emit = changes.pop("emit", lambda event: None)
    options = recipe("model4").options(**{**OPTIONS.as_json(), **changes})
    return training.train(home, recipe("model4"), options, data="tiny", device=CPU, name=name, emit=emit)


def same_weights(one: RunFolder, other: RunFolder) -> bool:
    first, second = load_file(one.weights_file), load_file(other.weights_file)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def rewind(run: RunFolder, keep: Callable[[dict], bool]) -> None:
    """Drop events, as if they had never been written."""
    lines = run.events_file.read_text().splitlines()
    run.events_file.write_text("".join(f"{line}\n" for line in lines if keep(json.loads(line))))


def test_a_killed_run_resumes_from_its_checkpoint_to_the_same_weights(
    tiny_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "CHECKPOINT_SHARE", 1e9)
    whole, killed = fit(tiny_home, "whole"), tiny_home.models / "killed"

    def die_in_the_second_epoch(event: Any) -> None:
        # A copy made in the middle of training is what a kill leaves behind.
        if event["event"] == "window" and event["epoch"] == 1 and not killed.exists():
            shutil.copytree(tiny_home.models / "copied", killed)

    fit(tiny_home, "copied", emit=die_in_the_second_epoch)
    run = RunFolder(killed)
    with EventWriter(run.events_file) as log:
        log.write(EndEvent(event="failed", run=run.name, step=0, reason="killed"))
    assert not run.weights_file.exists()
    events: list[Any] = []
    training.resume(tiny_home, run, device=CPU, emit=events.append)
    steps = whole.history().start["steps_per_epoch"]
    assert (events[0]["event"], events[0]["step"]) == ("resume", steps)
    assert same_weights(whole, run)
    mine, theirs = run.history(), whole.history()
    assert [e["epoch"] for e in mine.epochs] == [0, 1, 2]
    assert [e["valid_loss"] for e in mine.epochs] == [e["valid_loss"] for e in theirs.epochs]
    assert [w["step"] for w in mine.windows] == [w["step"] for w in theirs.windows]


def test_a_checkpoint_takes_little_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU may take 0.4 s for an epoch of a set whose checkpoint takes 0.3 s."""
    now, saved = [0.0], []
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def save() -> None:
        now[0] += 0.3
        saved.append(now[0])

    fitting = clock.Clock(0.0)
    for _ in range(100):
        now[0] += 0.4
        if fitting.checkpoint_is_cheap():
            fitting.checkpoint(save)
    assert 5 <= len(saved) <= 8
    assert now[0] == pytest.approx(40, rel=0.06)
    assert not fitting.checkpoint_due()


@pytest.mark.parametrize("name", ["model4", "bayes", "ials"])
def test_a_checkpoint_that_takes_long_is_written_by_time_and_at_the_end(
    name: str, tiny: Ratings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "CHECKPOINT_SHARE", -1.0)
    row = recipe(name)
    options = options_for(row, epochs=4, bs=16, factors=4)
    steps: list[int] = []
    for seconds in (3600.0, 0.0):
        monkeypatch.setattr(clock, "CHECKPOINT_SECONDS", seconds)
        fitter = training.fitter_for(row, options, tiny, split(tiny, "random", 0), CPU)
        fitter.fit(Hooks(checkpoint=lambda fitter=fitter: steps.append(fitter.step)))  # type: ignore[misc]
    assert steps[0] == steps[-1] == fitter.steps
    assert len(steps[1:]) >= 4


def test_a_run_killed_before_its_first_checkpoint_starts_over(tiny_home: Home) -> None:
    whole, run = fit(tiny_home, "whole"), fit(tiny_home, "killed")
    run.checkpoint_file.unlink()
    run.weights_file.unlink()
    run.events_file.unlink()
    training.resume(tiny_home, run, device=CPU)
    assert same_weights(whole, run)
    assert run.status() == "done"


def test_a_run_killed_between_its_last_epoch_and_done_still_reports_its_loss(tiny_home: Home) -> None:
    run = fit(tiny_home, "killed")
    valid_loss = run.history().ending["valid_loss"]
    rewind(run, lambda event: event["event"] != "done")
    run.weights_file.unlink()
    with EventWriter(run.events_file) as log:
        log.write(EndEvent(event="failed", run=run.name, step=0, reason="killed"))
    events: list[Any] = []
    training.resume(tiny_home, run, device=CPU, emit=events.append)
    assert events[-1]["event"] == "done"
    assert events[-1]["valid_loss"] == valid_loss
    assert run.weights_file.exists()


class Killed(BaseException):
    """Ends a training as abruptly as one process can end itself."""


def test_weights_of_an_earlier_stop_do_not_hide_a_newer_checkpoint(tiny_home: Home) -> None:
    def stop_in_the_first_epoch(event: Any) -> None:
        if event["event"] == "window":
            os.kill(os.getpid(), signal.SIGTERM)

    def die_in_the_last_epoch(event: Any) -> None:
        if event["event"] == "window" and event["epoch"] == 2:
            raise Killed

    run = fit(tiny_home, "mine", emit=stop_in_the_first_epoch)
    assert run.status() == "stopped"
    with pytest.raises(Killed):
        training.resume(tiny_home, run, device=CPU, emit=die_in_the_last_epoch)
    newest = load_file(run.checkpoint_file)
    loaded = load_weights(run)
    assert all(torch.equal(tensor, newest[f"model.{name}"]) for name, tensor in loaded.items())


def test_stopped_twice_and_resumed_twice_ends_like_never_stopped(tiny_home: Home) -> None:
    whole = fit(tiny_home, "whole")

    def stop_at(step: int) -> Callable[[Any], None]:
        return lambda event: os.kill(os.getpid(), signal.SIGTERM) if event.get("step", 0) == step else None

    run = fit(tiny_home, "mine", emit=stop_at(5))
    assert run.status() == "stopped"
    training.resume(tiny_home, run, device=CPU, emit=stop_at(31))
    assert run.status() == "stopped"
    training.resume(tiny_home, run, device=CPU)
    logged = [json.loads(line) for line in run.events_file.read_text().splitlines()]
    assert [e["step"] for e in logged if e["event"] in ("stopped", "resume")] == [5, 5, 31, 31]
    assert run.status() == "done"
    assert same_weights(whole, run)
    losses = [e["valid_loss"] for e in whole.history().epochs]
    assert [e["valid_loss"] for e in run.history().epochs] == losses
    assert [e["train_loss"] for e in run.history().epochs] == [e["train_loss"] for e in whole.history().epochs]


def test_a_finished_run_is_not_resumed(tiny_home: Home) -> None:
    run = fit(tiny_home, "mine")
    with pytest.raises(CftuiError, match="run mine is done"):
        training.resume(tiny_home, run, device=CPU)


def test_a_damaged_checkpoint_is_named(tiny_home: Home) -> None:
    run = fit(tiny_home, "mine")
    rewind(run, lambda event: False)
    os.truncate(run.checkpoint_file, 500)
    with pytest.raises(CftuiError, match=r"checkpoint\.safetensors: damaged or truncated"):
        training.resume(tiny_home, run, device=CPU)


def test_a_run_of_another_data_set_is_not_resumed(tiny_home: Home) -> None:
    run = fit(tiny_home, "mine")
    rewind(run, lambda event: False)
    text = run.config_file.read_text()
    run.config_file.write_text(text.replace(run.config().data.fingerprint, "0" * 16))
    with pytest.raises(CftuiError, match="no longer the data set that mine was trained on"):
        training.resume(tiny_home, run, device=CPU)

"""Run folders: made whole or not at all, found by name, and honest about their state."""

from __future__ import annotations

import json
import math
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from cftui.analysis.trained import TrainedModel
from cftui.engine import training
from cftui.engine.models.recipes import recipe
from cftui.engine.runs import folder as runs
from cftui.engine.runs import index, summaries, trash, weights
from cftui.engine.runs.folder import RunFolder
from cftui.errors import CftuiError
from cftui.home import Home

CPU = torch.device("cpu")
OPTIONS = recipe("model4").options(epochs=3, bs=16, factors=4)


def fit(home: Home, name: str | None = None, **changes: Any) -> RunFolder:
    emit = changes.pop("emit", lambda event: None)
    options = recipe("model4").options(**{**OPTIONS.as_json(), **changes})
    return training.train(home, recipe("model4"), options, data="tiny", device=CPU, name=name, emit=emit)


def rewind(run: RunFolder, keep: Callable[[dict], bool]) -> None:
    """Drop events, as if they had never been written."""
    lines = run.events_file.read_text().splitlines()
    run.events_file.write_text("".join(f"{line}\n" for line in lines if keep(json.loads(line))))


def test_a_run_folder_says_how_it_came_about(tiny_home: Home) -> None:
    events: list[Any] = []
    run = fit(tiny_home, emit=events.append, seed=6, split="u2")
    config = run.config()
    assert run.name == config.run
    assert run.name.startswith("model4-")
    assert config.recipe == recipe("model4")
    assert config.options.as_json() == {**OPTIONS.as_json(), "seed": 6, "split": "u2", "wd": 0.1}
    assert config.data.name == "tiny"
    assert config.data.levels == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert {"torch", "python", "cftui"} <= set(config.versions)
    assert {p.name for p in run.path.iterdir()} == {
        "run.json",
        "events.jsonl",
        "vocabulary.json",
        "heartbeat",
        "lock",
        "snapshots",
        "weights.safetensors",
        "checkpoint.safetensors",
    }
    logged = [json.loads(line) for line in run.events_file.read_text().splitlines()]
    assert logged == events
    assert [e["event"] for e in events if e["event"] != "window"] == ["start", "baselines", *["epoch"] * 3, "done"]
    assert run.status() == "done"
    assert events[-1]["run"] == run.name
    assert events[-1]["valid_loss"] == events[-2]["valid_loss"]


def test_of_many_ratings_the_baselines_do_not_hold_up_the_first_batch(tiny_home: Home, monkeypatch) -> None:
    monkeypatch.setattr(training, "MANY", 100)
    events: list[Any] = []
    fit(tiny_home, emit=events.append, epochs=2)
    kinds = [event["event"] for event in events if event["event"] != "window"]
    assert kinds == ["start", "epoch", "baselines", "epoch", "done"]


def test_runs_are_found_by_name_prefix_and_latest(tiny_home: Home) -> None:
    for age, name in enumerate(["beta-1", "alpha-2", "alpha-1"]):
        os.utime(fit(tiny_home, name, epochs=1).config_file, (age + 1e9, age + 1e9))
    assert runs.find(tiny_home, "latest").name == "alpha-1"
    assert runs.find(tiny_home, "b").name == "beta-1"
    assert runs.find(tiny_home, "alpha-2").name == "alpha-2"
    assert [run.name for run in runs.all_runs(tiny_home)] == ["beta-1", "alpha-2", "alpha-1"]
    with pytest.raises(CftuiError, match="run 'alpha' is ambiguous: alpha-2, alpha-1"):
        runs.find(tiny_home, "alpha")
    with pytest.raises(CftuiError, match="no run 'alhpa-1'; did you mean alpha-1"):
        runs.find(tiny_home, "alhpa-1")
    with pytest.raises(CftuiError, match="no run ''"):
        runs.find(tiny_home, "")


def test_a_name_that_is_also_a_prefix_is_found(tiny_home: Home) -> None:
    fit(tiny_home, "run-1", epochs=1)
    fit(tiny_home, "run-10", epochs=1)
    assert runs.find(tiny_home, "run-1").name == "run-1"


def test_no_run_at_all_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CftuiError, match="cftui train model4"):
        runs.find(Home(tmp_path), "latest")


@pytest.mark.parametrize("name", ["latest", "", ".", "..", "../x", "a/b", "-x", "a b", "x" * 81])
def test_a_name_that_is_no_plain_name_is_refused(tiny_home: Home, name: str) -> None:
    with pytest.raises(CftuiError, match="run name"):
        fit(tiny_home, name, epochs=1) if name else runs._check_name(tiny_home, name)
    assert not tiny_home.models.exists()


def test_a_taken_name_is_refused_and_the_first_run_is_untouched(tiny_home: Home, tree) -> None:
    run = fit(tiny_home, "mine")
    before = tree(run.path)
    with pytest.raises(CftuiError, match="there is a run mine already"):
        fit(tiny_home, "mine", seed=3)
    assert tree(run.path) == before


def test_a_run_that_cannot_be_written_leaves_nothing(tiny_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, value: object) -> None:
        if path.name == "run.json":
            raise OSError(28, "No space left on device")
        path.write_text("{}")

    monkeypatch.setattr(runs, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        fit(tiny_home)
    assert list(tiny_home.models.iterdir()) == []


def test_a_full_disk_during_training_is_logged_and_harms_no_other_run(
    tiny_home: Home, tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = fit(tiny_home, "earlier")
    before = tree(earlier.path)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights, "write_atomic", full)
    with pytest.raises(OSError, match="No space"):
        fit(tiny_home, "unlucky")
    assert tree(earlier.path) == before
    unlucky = runs.find(tiny_home, "unlucky")
    assert unlucky.status() == "failed"
    assert "No space left" in summaries.summarise(unlucky).problem


def test_a_diverged_run_fails_and_says_why(tiny_home: Home) -> None:
    with pytest.raises(CftuiError, match="try a lower --lr"):
        fit(tiny_home, "wild", lr=900.0, wd=900.0, epochs=30)
    run = runs.find(tiny_home, "wild")
    assert run.status() == "failed"
    assert "lower --lr" in run.history().ending["reason"]


def test_a_log_that_was_cut_beneath_a_living_trainer_does_not_make_it_dead(tiny_home: Home) -> None:
    run = fit(tiny_home, "cut")
    os.truncate(run.events_file, 0)
    assert run.status() == "dead"
    assert run.obituary(run.history()) == "its log has no beginning: it was cut or is damaged"
    with run.lock():
        run.beat()
        assert run.status() == "running"
        assert summaries.summarise(run).problem == ""
        with pytest.raises(CftuiError, match="is being trained, but its log has no beginning"):
            runs.request_stop(run)
        with pytest.raises(CftuiError, match="is being trained; stop it first"):
            trash.remove(run)
    assert run.status() == "dead"


def test_nothing_was_last_seen_in_1970(tiny_home: Home) -> None:
    run = fit(tiny_home, "lost")
    rewind(run, lambda event: event["event"] == "start")
    history = run.history()
    run.events_file.unlink()
    run.heartbeat_file.unlink(missing_ok=True)
    said = run.obituary(history)
    assert said.startswith("process ")
    assert "seen" not in said


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_numbers_are_refused_by_name(tiny_home: Home, value: float) -> None:
    run = fit(tiny_home, "wild")
    tensors = load_file(run.weights_file)
    name = min(tensors)
    tensors[name].view(-1)[0] = value
    save_file(tensors, run.weights_file)
    with pytest.raises(CftuiError, match=f"{name} holds NaN or infinity"):
        weights.load_weights(run)


def test_status_tells_running_from_dead(tiny_home: Home) -> None:
    run = fit(tiny_home, "mine")
    shutil.copytree(run.path, tiny_home.models / "other")
    other = runs.find(tiny_home, "other")
    rewind(other, lambda event: event["event"] == "start")
    assert other.status() == "running"  # this very process
    with pytest.raises(CftuiError, match="run other is being trained; stop it first"):
        trash.remove(other)
    with pytest.raises(CftuiError, match="run other is being trained already"):
        training.resume(tiny_home, other, device=CPU)
    start = other.history().start
    for change in ({"process_started": start["process_started"] - 60}, {"pid": 2**22 + 1}):
        other.events_file.write_text(json.dumps({**start, **change}) + "\n")
        assert other.status() == "dead"
    other.events_file.write_text(json.dumps({**start, "host": "elsewhere", "pid": 1}) + "\n")
    assert other.status() == "running"
    with pytest.raises(CftuiError, match="trained on elsewhere; stop it there"):
        runs.request_stop(other)
    other.events_file.unlink()
    assert other.status() == "dead"
    trash.remove(other)
    assert not other.path.exists()
    assert run.path.exists()


def test_a_damaged_run_is_listed_as_damaged(tiny_home: Home) -> None:
    run = fit(tiny_home, "mine")
    os.truncate(run.config_file, 40)
    row = summaries.summarise(run)
    assert (row.name, row.status) == ("mine", "damaged")
    assert "run.json: damaged or truncated" in row.problem


# Several processes and one run. Threads hold different locks, as processes do.


def test_of_several_that_train_one_name_at_once_one_does_and_the_others_write_nothing(tiny_home: Home) -> None:
    together = threading.Barrier(6)
    lost: list[str] = []

    def begin(seed: int) -> None:
        together.wait()
        options = recipe("model4").options(**{**OPTIONS.as_json(), "seed": seed})
        shared: dict[str, Any] = {"data": "tiny", "device": CPU, "stop_requested": lambda: False}
        try:
            training.train(tiny_home, recipe("model4"), options, name="m", **shared)
        except CftuiError as error:
            lost.append(str(error))

    threads = [threading.Thread(target=begin, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(lost) == 5
    assert all("run m already" in one or "m is being trained already" in one for one in lost), lost
    run = RunFolder(tiny_home.models / "m")
    alone = fit(tiny_home, "alone", seed=run.config().options.seed)
    ours, its = weights.load_weights(run), weights.load_weights(alone)
    assert all(torch.equal(ours[name], its[name]) for name in its)
    assert run.events_file.read_text().count('"start"') == 1


def test_a_run_that_somebody_holds_is_neither_renamed_nor_removed_nor_resumed(tiny_home: Home, tree) -> None:
    run = fit(tiny_home, "m")
    # Its log looks dead.
    lines = [json.loads(line) for line in run.events_file.read_text().splitlines()][:-1]
    lines[0]["process_started"] = 0.0
    run.events_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run.status() == "dead"
    before = tree(tiny_home.models)
    with run.lock():
        for do in (
            lambda: trash.remove(run),
            lambda: runs.rename(tiny_home, run, "n"),
            lambda: training.resume(tiny_home, run, device=CPU),
        ):
            with pytest.raises(CftuiError, match="run m is being trained already by another process"):
                do()
        run.forget()
    assert {path: content for path, content in tree(tiny_home.models).items() if ".trash" not in str(path)} == before


def test_a_run_that_went_away_meanwhile_is_said_to_be_gone(tiny_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fit(tiny_home, "m")
    shutil.copytree(run.path, tiny_home.models / "n")
    trash.remove(run)
    with pytest.raises(CftuiError, match="run m is gone: it was removed or renamed; cftui runs lists all"):
        training.resume(tiny_home, run, device=CPU)
    # It goes while the lock is waited for.
    moved, lock = RunFolder(tiny_home.models / "n"), runs.locks.lock
    monkeypatch.setattr(runs.locks, "lock", lambda held: (lock(held), moved.path.rename(tiny_home.models / "p")))
    with pytest.raises(CftuiError, match="run n is gone"), moved.lock():
        raise AssertionError


@pytest.mark.parametrize("failing", ["write_text", "rename"])
def test_a_run_is_renamed_whole_or_not_at_all(failing, tiny_home: Home, tree, monkeypatch) -> None:
    run = fit(tiny_home, "m")
    before = tree(tiny_home.models)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((Path, failing) if failing == "write_text" else (os, failing)), full)
    with pytest.raises(OSError, match="No space") as caught:
        runs.rename(tiny_home, run, "n")
    assert caught.value.filename
    monkeypatch.undo()
    assert tree(tiny_home.models) == before
    renamed = runs.rename(tiny_home, run, "n")
    assert json.loads(renamed.config_file.read_text())["run"] == "n"
    assert not list(renamed.path.glob(".*"))


def test_a_rename_that_was_killed_leaves_a_run_of_the_new_name(tiny_home: Home) -> None:
    run = fit(tiny_home, "m")
    run.path.rename(tiny_home.models / "n")
    assert runs.find(tiny_home, "n").config().run == "n"


def test_a_run_is_not_renamed_to_a_folder_that_is_no_run(tiny_home: Home) -> None:
    run = fit(tiny_home, "m")
    (tiny_home.models / "n").mkdir()
    (tiny_home.models / "n" / "mine.txt").write_text("mine")
    with pytest.raises(CftuiError, match="n exists already; choose another name"):
        runs.rename(tiny_home, run, "n")


# What a run's folder holds


@pytest.mark.parametrize("file", ["weights.safetensors", "checkpoint.safetensors", "snapshots/000001.safetensors"])
def test_a_flipped_byte_in_tensors_is_noticed(file: str, tiny_home: Home) -> None:
    run = fit(tiny_home, "m")
    path, reads = (
        run.path / file,
        {
            "weights": weights.load_weights,
            "checkpoint": weights.load_checkpoint,
            "000001": lambda run: weights.load_snapshot(run, 1),
        },
    )
    read = reads[path.stem]
    whole = path.read_bytes()
    assert read(run)
    for place in (0.3, 0.75, 0.999):
        spoilt = bytearray(whole)
        spoilt[int(len(whole) * place)] ^= 64
        path.write_bytes(spoilt)
        with pytest.raises(CftuiError, match=f"{path.name}: damaged or truncated"):
            read(run)


def test_weights_of_earlier_versions_have_no_checksum_and_open(tiny_home: Home) -> None:
    run = fit(tiny_home, "m")
    before = weights.load_weights(run)
    run.weights_file.write_bytes(weights.save(before))
    assert all(torch.equal(value, before[name]) for name, value in weights.load_weights(run).items())


@pytest.mark.parametrize("file", ["run.json", "vocabulary.json", "weights.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nothing", "endless device"])
def test_what_is_no_file_in_the_place_of_one_is_named_at_once(file: str, kind: str, tiny_home: Home) -> None:
    run = fit(tiny_home, "m")
    path = run.path / file
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere" if kind == "link to nothing" else "/dev/zero")
    if (file, kind) == ("weights.safetensors", "link to nothing"):
        # The last checkpoint has the same.
        assert weights.load_weights(run)
        return
    with pytest.raises(CftuiError, match=path.name):
        TrainedModel.load(run)


def test_one_broken_run_does_not_hide_the_others(tiny_home: Home) -> None:
    fit(tiny_home, "good")
    for name, spoil in {"text": {"elapsed": "x"}, "list": {"epoch": []}, "nothing": {"step": None}}.items():
        broken = fit(tiny_home, name)
        lines = [json.loads(line) for line in broken.events_file.read_text().splitlines()]
        lines[-2].update(spoil)
        broken.events_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    folder = fit(tiny_home, "folder")
    folder.events_file.unlink()
    folder.events_file.mkdir()
    listed = {one.run.name: one.run for one in index.RunIndex(tiny_home).read()}
    assert set(listed) == {"good", "text", "list", "nothing", "folder"}
    assert listed["good"].status == "done"

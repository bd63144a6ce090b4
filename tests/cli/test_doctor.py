"""``cftui doctor``: it finds what is wrong, says what to do, and never fails itself."""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cftui.cli import doctor
from cftui.cli.checkup import machine, program, storage, terminal
from cftui.data import columns
from cftui.engine.runs import weights
from cftui.engine.runs.folder import RunFolder
from cftui.home import Home


@pytest.fixture
def home(tiny_runs, tmp_path: Path, cli) -> Home:
    """A published set, an imported one and a run."""
    home = Home(tmp_path / "home")
    shutil.copytree(tiny_runs[0].data, home.data)
    shutil.copytree(tiny_runs[1]["model4"].path, home.models / "model4.run")
    source = tmp_path / "mine.csv"
    source.write_text(
        "user,item,rating\n" + "".join(f"{u},{i},{1 + (u * i) % 5}\n" for u in range(9) for i in range(6))
    )
    assert cli(home, "data", "import", source, "--name", "mine").status == 0
    return home


@pytest.fixture
def run(home: Home) -> RunFolder:
    return RunFolder(home.models / "model4.run")


def problems(cli: Any, home: Home, *more: str) -> list[dict[str, str]]:
    """The problems that the report names; also checks that the exit status says whether there are any."""
    told = cli(home, "doctor", "--json", *more)
    found = [one for one in told.json["checks"] if one["state"] == "problem"]
    assert told.status == (1 if found else 0)
    assert told.json["ok"] == (not found)
    assert all(one["advice"] for one in found)
    return found


def flip(path: Path, at: int = -5) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_sound_home_has_no_problem_and_every_group_is_there(home: Home, cli) -> None:
    told = cli(home, "doctor")
    assert (told.status, told.err) == (0, "")
    assert "no problem found" in told.out
    assert "2 data sets and 1 run" in told.out
    assert {one["group"] for one in cli(home, "doctor", "--json").json["checks"]} == {*doctor.GROUPS, doctor.FILES}
    assert problems(cli, home) == []


def test_a_home_that_is_not_there_yet_is_no_problem(tmp_path: Path, cli) -> None:
    assert problems(cli, Home(tmp_path / "new")) == []


@pytest.mark.parametrize("name", ["weights.safetensors", "checkpoint.safetensors", "snapshots/000001.safetensors"])
def test_a_flipped_byte_in_a_run_is_found_however_large_the_file(name: str, home, run, cli, monkeypatch) -> None:
    monkeypatch.setattr(weights, "CHECKED_BYTES", 0)
    flip(run.path / name)
    (found,) = problems(cli, home)
    assert found["what"] == "run model4.run"
    assert name in found["says"]
    assert problems(cli, home, "--no-files") == []


@pytest.mark.parametrize("name", ["rating.npy", "user.npy", "items.json", "dataset.json"])
def test_a_damaged_file_of_an_imported_set_is_found_however_large(name: str, home: Home, cli, monkeypatch) -> None:
    monkeypatch.setattr(columns, "CHECKED_BYTES", 0)
    path = home.data / "mine" / name
    if path.suffix == ".npy":
        np.save(path, np.roll(np.load(path), 1))
    elif name == "items.json":
        path.write_text(path.read_text(encoding="utf-8").replace('"0"', '"7"'), encoding="utf-8")
    else:
        path.write_text(path.read_text(encoding="utf-8").replace('"format"', '"former"'), encoding="utf-8")
    found = problems(cli, home)
    assert found
    assert {one["what"] for one in found} == {"data set mine"}
    assert any(name in one["says"] for one in found)


def test_a_published_set_is_compared_with_its_fingerprint(home: Home, cli) -> None:
    path = home.data / "tiny" / "u.data"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    (found,) = problems(cli, home)
    assert found["what"] == "data set tiny"
    assert "truncated or altered" in found["says"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("run.json", "{"), ("vocabulary.json", '{"users": []}'), ("events.jsonl", "")],
)
def test_a_damaged_description_of_a_run_is_found(name: str, content: str, home: Home, run, cli) -> None:
    (run.path / name).write_text(content)
    found = problems(cli, home)
    assert found
    assert all(name in one["says"] for one in found)


def test_who_trains_and_who_has_died_is_said(home: Home, run, cli) -> None:
    first, *lines = run.events_file.read_text().splitlines()
    gone = json.dumps({**json.loads(first), "process_started": 1.0})
    run.events_file.write_text("\n".join([gone, *lines[:-1], ""]))
    found = {one["what"]: one for one in cli(home, "doctor", "--json").json["checks"]}
    assert found["run model4.run"]["advice"] == "cftui runs resume model4.run"
    with run.lock():
        found = {one["what"]: one for one in cli(home, "doctor", "--json").json["checks"]}
    assert "model4.run" in found["runs in training"]["says"]


def test_a_data_set_that_is_being_written_is_said_with_its_process(home: Home) -> None:
    from cftui.locks import held

    path = home.data / ".mine.lock"
    with held(path, "mine"):
        (found,) = (one for one in storage.locks(home) if one.what == "data sets being written")
    assert found.says.startswith("mine (process ")
    path.write_text("4711")  # what a process that was killed leaves behind
    (found,) = (one for one in storage.locks(home) if one.what == "data sets being written")
    assert found.says == "none"


def test_a_folder_that_cannot_be_written_and_a_full_disk_are_problems(home: Home, monkeypatch) -> None:
    assert {one.state for one in storage.folders(home)} <= {"ok", "note"}
    monkeypatch.setattr(storage, "FULL", 10**18)
    assert [one.state for one in storage.folders(home)][-1] == "problem"
    monkeypatch.setattr(storage.os, "access", lambda path, mode: False)
    assert {one.state for one in storage.folders(home)} == {"problem"}


def test_a_mistake_in_the_configuration_is_told_with_its_line(home: Home, cli, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CFTUI_CONFIG_DIR", str(tmp_path))
    (tmp_path / "config.toml").write_text('theme = "cftui-dark"\nbel = false\n')
    (found,) = problems(cli, home, "--no-files")
    assert "line 2: no setting 'bel'; did you mean bell?" in found["says"]


def test_a_library_that_is_missing_or_too_old_is_a_problem(monkeypatch) -> None:
    assert {one.state for one in program.libraries()} == {"ok"}
    wanted = ["numpy>=999", "no-such-library", "click>=8", 'also-missing>=1; extra == "parquet"']
    monkeypatch.setattr(metadata, "requires", lambda name: wanted)
    found = {one.what: one for one in program.libraries()}
    assert {what for what, one in found.items() if one.state == "problem"} == {"numpy", "no-such-library"}
    assert found["numpy"].advice == "pip install 'numpy>=999'"
    assert "not installed: parquet" in found["extras"].says


def test_a_gpu_that_pytorch_cannot_use_is_a_problem(monkeypatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    assert {one.state for one in machine.devices()} == {"ok"}
    monkeypatch.setattr(machine.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert next(machine.devices()).state == "problem"


@pytest.mark.parametrize(
    ("environment", "says", "state"),
    [
        ({"TERM": "xterm-256color"}, "256 colours", "ok"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "16 million colours", "ok"),
        ({"TERM": "xterm"}, "16 colours", "note"),
        ({}, "none", "note"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "none: NO_COLOR is set", "ok"),
    ],
)
def test_the_colours_are_those_that_the_environment_names(environment, says: str, state: str) -> None:
    found = next(one for one in terminal.terminal(environment) if one.what == "colours")
    assert found.says.startswith(says)
    assert found.state == state


@pytest.mark.parametrize(("clipboard", "state"), [("on", "ok"), ("off", "note")])
def test_tmux_is_asked_whether_it_passes_on_what_is_copied(clipboard, state, tmp_path: Path, monkeypatch) -> None:
    stub = tmp_path / "tmux"
    stub.write_text(f'#!/bin/sh\n[ "$3" = set-clipboard ] && echo {clipboard} || echo off\n')
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (found,) = terminal.clipboard({"TMUX": "/tmp/tmux"})
    assert (found.state, f"set-clipboard {clipboard}" in found.says) == (state, True)


def test_a_check_that_fails_is_a_problem_and_hides_no_other(home: Home, cli, monkeypatch) -> None:
    def broken(home: Home) -> Any:
        raise RuntimeError("what?")

    monkeypatch.setitem(doctor.GROUPS, "machine", (broken, lambda home: machine.processor()))
    (found,) = problems(cli, home, "--no-files")
    assert found["says"] == "could not be checked: RuntimeError: what?"
    assert "folders" in {one["group"] for one in cli(home, "doctor", "--json", "--no-files").json["checks"]}

"""The verbs that train tell, as the settings say, how their runs ended."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from cftui.engine.runs.folder import RunFolder
from cftui.home import Home

from ..waiting import until

SETTINGS = ("--epochs", "1", "--bs", "16", "--factors", "2", "--device", "cpu", "--data", "tiny")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file to which the command of the settings adds a line for each run that has ended."""
    monkeypatch.setenv("CFTUI_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("CFTUI_STATE_DIR", str(tmp_path))
    (tmp_path / "config.toml").write_text(f"[notify]\ncommand = 'cat >> {tmp_path}/told; echo >> {tmp_path}/told'\n")
    return tmp_path / "told"


def ends(told: Path, count: int) -> list[tuple[str, str]]:
    until(lambda: told.exists() and told.read_text().count("\n") >= count, "the command")
    said = [json.loads(line) for line in told.read_text().splitlines()]
    return [(one["run"], one["status"]) for one in said]


def test_train_and_resume_tell_and_a_sweep_tells_of_its_last_run(tiny_home: Home, cli, told: Path) -> None:
    assert cli(tiny_home, "train", "model4", *SETTINGS, "--name", "a").status == 0
    assert ends(told, 1) == [("a", "done")]
    assert cli(tiny_home, "runs", "resume", "a", "--epochs", "1", "--device", "cpu").status == 0
    assert ends(told, 2) == [("a", "done")] * 2
    assert cli(tiny_home, "sweep", "model4", *SETTINGS, "--try", "wd=0.1,0.2", "--name", "s").status == 0
    assert ends(told, 3)[2:] == [("s-best", "done")]


def test_a_run_that_fails_tells_why(tiny_home: Home, cli, told: Path) -> None:
    assert cli(tiny_home, "train", "model4", *SETTINGS, "--lr", "900", "--epochs", "9", "--name", "a").status == 1
    assert ends(told, 1) == [("a", "failed")]
    assert "loss" in json.loads(told.read_text())["text"]


@pytest.mark.slow
def test_a_training_that_is_killed_tells(fresh_home: Home, told: Path, tmp_path: Path, background, monkeypatch) -> None:
    from . import conftest

    inherited = conftest.environment
    monkeypatch.setattr(conftest, "environment", lambda **more: inherited(CFTUI_CONFIG_DIR=str(tmp_path), **more))
    training = background(fresh_home, "train", "model4", "--bs", "4096", "--epochs", "99", "--name", "mine")
    training.until(lambda: len(RunFolder(fresh_home.models / "mine").history().epochs) >= 1)
    training.process.send_signal(signal.SIGKILL)
    training.process.wait(60)
    assert ends(told, 1) == [("mine", "dead")]

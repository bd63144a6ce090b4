"""A trainer killed again and again loses nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time

import pytest
import torch

from cftui.engine.models.recipes import recipe
from cftui.engine.runs import trash
from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.weights import load_weights
from cftui.engine.training import train
from cftui.home import Home

from ..waiting import loads_torch, until
from .conftest import PROGRAM, environment

KILLS = 5
SETTINGS = {"epochs": 12, "bs": 256}


def lines(run: RunFolder) -> int:
    return run.events_file.read_bytes().count(b"\n") if run.events_file.exists() else 0


def start(home: Home, *words: str) -> subprocess.Popen:
    command = [*PROGRAM, *words, "--device", "cpu", "--home", str(home.root)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())


def until_it_logs(run: RunFolder, child: subprocess.Popen, before: int) -> None:
    """Wait for more lines in the log than there were."""
    until(lambda: lines(run) > before or child.poll() is not None, "a line in the log")
    assert child.poll() is None


@pytest.mark.slow
def test_five_kills_at_random_moments_lose_nothing(fresh_home: Home) -> None:
    whole = train(
        fresh_home, recipe("model4"), recipe("model4").options(**SETTINGS), device=torch.device("cpu"), name="whole"
    )
    run = RunFolder(fresh_home.models / "killed")
    chance = random.Random(5)
    options = [word for name, value in SETTINGS.items() for word in (f"--{name}", str(value))]
    words = ["train", "model4", *options, "--name", "killed"]
    kills = 0
    while kills < KILLS:
        before = lines(run)
        child = start(fresh_home, *words)
        try:
            # Not before this sitting has written to the log: five kills while PyTorch loads would prove nothing.
            until_it_logs(run, child, before + 1)
            # A moment at random is the point of this test: the kill is to fall anywhere.
            time.sleep(chance.uniform(0, 0.15))
            assert run.status() in ("running", "done")
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        if run.status() == "done":  # too quick for us: begin again
            trash.remove(run)
            continue
        kills += 1
        assert run.status() == "dead"
        words = ["runs", "resume", "killed"]
    assert start(fresh_home, *words).wait(120) == 0

    assert run.status() == "done"
    uninterrupted, resumed = load_weights(whole), load_weights(run)
    assert uninterrupted.keys() == resumed.keys()
    assert all(torch.equal(uninterrupted[name], resumed[name]) for name in resumed)
    scores = [[(e["epoch"], e["train_loss"], e["valid_loss"]) for e in r.history().epochs] for r in (whole, run)]
    assert scores[0] == scores[1]
    resumes = [line for line in run.events_file.read_text().splitlines() if json.loads(line)["event"] == "resume"]
    assert len(resumes) == KILLS


@pytest.mark.slow
def test_a_terminal_dropped_while_pytorch_loads_stops_nothing(fresh_home: Home) -> None:
    child = start(fresh_home, "train", "model4", "--bs", "4096", "--epochs", "2", "--name", "dropped")
    run = RunFolder(fresh_home.models / "dropped")
    until(lambda: loads_torch(child.pid), "PyTorch")
    assert not run.path.exists()
    os.kill(child.pid, signal.SIGHUP)
    assert child.wait(60) == 0
    assert run.status() == "done"


@pytest.mark.slow
def test_a_dead_run_says_why_and_what_it_said_last(fresh_home: Home, cli) -> None:
    child = start(fresh_home, "train", "model4", "--epochs", "500", "--name", "dead")
    run = RunFolder(fresh_home.models / "dead")
    until_it_logs(run, child, 4)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    run.log_file.write_text('{"progress": "run dead: 500 epochs"}\n{"event": "epoch", "epoch": 0}\na warning\n')
    shown = cli(fresh_home, "runs", "show", "dead").out
    assert f"process {child.pid} is gone, last seen" in shown
    assert "  | run dead: 500 epochs" in shown
    assert "  | a warning" in shown
    assert "event" not in shown

"""``train --requeue``: a scheduler may stop it and start it again, and the run is the same to the bit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cftui.cli.train import EventPrinter
from cftui.engine.models.recipes import recipe
from cftui.engine.runs import folder
from cftui.engine.runs.folder import RunFolder
from cftui.engine.training import train
from cftui.home import Home

from ..conftest import CHECKOUT
from ..waiting import until
from .conftest import environment

SETTINGS = ("--epochs", "4", "--bs", "16", "--factors", "4", "--device", "cpu", "--data", "tiny")
COMMAND = ("train", "model4", *SETTINGS, "--requeue", "--name", "mine")


def same_weights(one: RunFolder, other: RunFolder) -> bool:
    first, second = load_file(one.weights_file), load_file(other.weights_file)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def signals(monkeypatch):
    """Signals that this process gets after the first epoch of each training, one for each training."""
    waiting: list[signal.Signals] = []
    told = EventPrinter.__call__

    def call(self, event):
        told(self, event)
        if event["event"] == "epoch" and waiting:
            signal.raise_signal(waiting.pop(0))

    monkeypatch.setattr(EventPrinter, "__call__", call)
    return waiting


def test_a_run_in_three_pieces_is_the_run_in_one(tiny_home: Home, cli, signals) -> None:
    assert cli(tiny_home, *COMMAND[:-1], "whole").status == 0
    whole, mine = (RunFolder(tiny_home.models / name) for name in ("whole", "mine"))
    signals += [signal.SIGUSR1]
    stopped = cli(tiny_home, *COMMAND)
    assert (stopped.status, mine.status()) == (75, "stopped")
    assert "run mine has not ended" in stopped.err
    signals += [signal.SIGTERM]
    assert (cli(tiny_home, *COMMAND).status, mine.status()) == (75, "stopped")
    assert (cli(tiny_home, *COMMAND).status, mine.status()) == (0, "done")
    assert same_weights(mine, whole)
    # A job that is started once too often changes nothing.
    assert cli(tiny_home, *COMMAND).status == 0
    assert same_weights(mine, whole)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGUSR1, 75), (signal.SIGTERM, 0), (signal.SIGINT, 0)])
def test_without_requeue_only_the_schedulers_own_signal_has_the_status(number, status, tiny_home, cli, signals) -> None:
    signals += [number, number]
    assert cli(tiny_home, "train", "model4", *SETTINGS, "--name", "a").status == status
    assert cli(tiny_home, "runs", "resume", "a", "--device", "cpu").status == status
    assert RunFolder(tiny_home.models / "a").status() == "stopped"


def test_a_signal_in_the_last_batch_does_not_ask_for_another_job(tiny_home: Home, cli, monkeypatch) -> None:
    told = EventPrinter.__call__

    def call(self, event):
        told(self, event)
        if event["event"] == "done":
            signal.raise_signal(signal.SIGUSR1)

    monkeypatch.setattr(EventPrinter, "__call__", call)
    assert cli(tiny_home, *COMMAND).status == 0


def test_a_sweep_that_runs_out_of_time_says_so(tiny_home: Home, cli, monkeypatch) -> None:
    from cftui.engine import training

    record = training._Session.record

    def recording(self, event):
        record(self, event)
        if event["event"] == "epoch":
            signal.raise_signal(signal.SIGUSR1)

    monkeypatch.setattr(training._Session, "record", recording)
    assert cli(tiny_home, "sweep", "model4", *SETTINGS, "--try", "wd=0.1,0.2", "--name", "s").status == 75


def test_under_slurm_the_job_names_the_run(tiny_home: Home, cli, fails, monkeypatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert "--requeue needs --name" in fails(tiny_home, *COMMAND[:-2], status=2)
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert cli(tiny_home, *COMMAND[:-2]).status == 0
    assert RunFolder(tiny_home.models / "model4-job-4711").status() == "done"


def test_other_settings_under_the_same_name_are_refused(tiny_home: Home, cli, fails) -> None:
    assert cli(tiny_home, *COMMAND).status == 0
    assert "trained with another wd" in fails(tiny_home, *COMMAND, "--wd", "0.3")


def test_a_run_of_a_machine_that_failed_is_waited_for(tiny_home: Home, cli, signals, monkeypatch) -> None:
    signals += [signal.SIGUSR1]
    assert cli(tiny_home, *COMMAND).status == 75
    run = RunFolder(tiny_home.models / "mine")
    lines = run.events_file.read_text().splitlines(keepends=True)
    elsewhere = lines[0].replace(f'"host": "{os.uname().nodename}"', '"host": "elsewhere"')
    run.events_file.write_text("".join([elsewhere, *lines[1:-1]]))
    assert run.status() == "running"
    monkeypatch.setattr(folder, "SILENCE_SECONDS", run.seconds_silent() + 1.5)
    done = cli(tiny_home, *COMMAND)
    assert "waiting until it shows no life" in done.err
    assert (done.status, run.status()) == (0, "done")


def script() -> str:
    """The script of the documentation."""
    page = (CHECKOUT / "docs" / "slurm.md").read_text(encoding="utf-8")
    found = re.search(r"^```bash\n(#!/bin/bash\n.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def epochs_beyond(run: RunFolder, count: int) -> bool:
    return len(run.history().epochs) > count


def jobs_ended(statuses: Path, count: int) -> bool:
    return statuses.exists() and len(statuses.read_text().split()) >= count


STUBS = {
    # Starts the job, and starts it again as long as it asks for that.
    "sbatch": """
        export SLURM_JOB_ID=4711 SLURM_CPUS_PER_TASK=1
        while :; do
            rm -f "$STUB/requeue"
            bash "$1"
            echo $? >> "$STUB/statuses"
            [ -e "$STUB/requeue" ] || break
        done
    """,
    "srun": 'echo $$ > "$STUB/step"; exec "$@"',
    "scontrol": '[ "$1 $2" = "requeue 4711" ] && touch "$STUB/requeue"',
    "cftui": f'exec {sys.executable} -m cftui "$@"',
}


@pytest.mark.slow
def test_the_script_of_the_documentation_requeues_its_job(fresh_home: Home, tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.mkdir()
    for name, code in STUBS.items():
        (stub / name).write_text(f"#!/bin/bash\n{code}\n")
        (stub / name).chmod(0o755)
    settings = "--data ml-100k --epochs 20 --bs 4096 --device cpu"
    job = tmp_path / "train.sbatch"
    text = script().replace("--data ml-25m --epochs 40", settings).replace("$HOME/recommender", str(fresh_home.root))
    assert settings in text
    job.write_text(text)
    variables = environment(PATH=f"{stub}:{os.environ['PATH']}", STUB=str(stub))
    scheduler = subprocess.Popen([stub / "sbatch", job], env=variables, start_new_session=True)
    run = RunFolder(fresh_home.models / "model4-job-4711")
    statuses = stub / "statuses"
    try:
        for piece, number in enumerate((signal.SIGUSR1, signal.SIGTERM)):
            before = len(run.history().epochs)
            until(partial(epochs_beyond, run, before + 1), "an epoch of the job")
            os.kill(int((stub / "step").read_text()), number)
            until(partial(jobs_ended, statuses, piece + 1), "the end of the job")
        assert scheduler.wait(120) == 0
    finally:
        if scheduler.poll() is None:
            os.killpg(scheduler.pid, signal.SIGKILL)
            scheduler.wait()
    assert statuses.read_text().split() == ["75", "75", "0"]
    options = recipe("model4").options(epochs=20, bs=4096)
    whole = train(fresh_home, recipe("model4"), options, device=torch.device("cpu"), name="whole")
    assert same_weights(run, whole)

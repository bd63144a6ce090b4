"""One run trained by several processes, started by torchrun as a person starts them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
import torch

from cftui.engine import ranks
from cftui.engine.models.recipes import recipe
from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.summaries import summarise
from cftui.engine.runs.weights import load_weights
from cftui.engine.training import train
from cftui.home import Home

from ..engine.sharing import torchrun
from ..waiting import until

pytestmark = pytest.mark.slow
SETTINGS: dict[str, dict[str, int]] = {"bayes": {"sweeps": 40, "burn_in": 5}, "model4": {"epochs": 60, "bs": 4096}}


def started(home: Home, processes: int, *words: object) -> subprocess.Popen[str]:
    return torchrun(processes, "cftui", *words, "--device", "cpu", "--home", home.root)


def own_errors(text: str) -> list[str]:
    """The lines of cftui; torchrun itself says much more when a process fails."""
    return [line for line in text.splitlines() if line.startswith("cftui: ")]


@contextmanager
def sweeping(run: RunFolder, child: subprocess.Popen[str]) -> Iterator[dict[int, psutil.Process]]:
    """Once the run is some sweeps further than before: its processes by their ranks."""
    before = len(run.history().epochs)
    until(lambda: len(run.history().epochs) > before + 2 or child.poll() is not None, "a sweep")
    assert child.poll() is None, child.communicate()
    yield {int(one.environ()["RANK"]): one for one in psutil.Process(child.pid).children()}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_run_survives_its_processes_and_goes_on_with_any_number_of_them(name: str, fresh_home: Home) -> None:
    row, settings = recipe(name), SETTINGS[name]
    whole = train(fresh_home, row, row.options(**settings), device=torch.device("cpu"), name="whole")
    run = RunFolder(fresh_home.models / "shared")
    options = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]

    child = started(fresh_home, 2, "train", row.name, *options, "--name", "shared")
    with sweeping(run, child) as processes:
        assert summarise(run).processes == 2
        # What `runs stop` does: only the first process is told.
        processes[0].send_signal(signal.SIGTERM)
    out, errors = child.communicate(timeout=120)
    assert (child.returncode, run.status(), own_errors(errors)) == (0, "stopped", [])
    # One table, and not one for each process.
    done = range(len(run.history().epochs))
    assert [line.split()[0] for line in out.splitlines()] == [row.fitting.unit, *map(str, done)]

    child = started(fresh_home, 3, "runs", "resume", "shared")
    with sweeping(run, child) as processes:
        os.kill(processes[1].pid, signal.SIGKILL)
    _, errors = child.communicate(timeout=120)
    assert child.returncode != 0
    why = "process 1 of 3 is gone: it was killed or has crashed"
    assert own_errors(errors) == [f"cftui: {why}"]
    row_of_runs = summarise(run)
    assert (row_of_runs.status, row_of_runs.problem, row_of_runs.processes) == ("dead", why, 3)

    child = started(fresh_home, 1, "runs", "resume", "shared")
    assert (child.wait(120), run.status(), summarise(run).processes) == (0, "done", 1)
    uninterrupted, resumed = load_weights(whole), load_weights(run)
    assert uninterrupted.keys() == resumed.keys()
    losses = [[epoch["valid_loss"] for epoch in one.history().epochs] for one in (whole, run)]
    if name == "bayes":
        assert losses[0] == losses[1]
        assert [part for part in resumed if not torch.equal(uninterrupted[part], resumed[part])] == []
    else:  # the order of its sums depends on the division
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_an_error_is_said_once(fresh_home: Home) -> None:
    child = started(fresh_home, 2, "train", "collab-nn", "--name", "refused")
    _, errors = child.communicate(timeout=120)
    (line,) = own_errors(errors)
    assert line.startswith("cftui: collab-nn cannot be trained by 2 processes; start it without torchrun, or train one")
    assert (child.returncode == 0, fresh_home.models.exists()) == (False, False)


def test_what_only_another_process_met_is_the_reason(fresh_home: Home) -> None:
    """The ratings of that process's share do not fit its memory, say."""
    child = torchrun(2, "tests.cli.test_torchrun", fresh_home.root)
    _, errors = child.communicate(timeout=120)
    run = RunFolder(fresh_home.models / "unlucky")
    assert run.status() == "dead"
    assert run.obituary(run.history()) == "process 1 of 2 ended: no memory left"
    assert own_errors(errors) == ["cftui: process 1 of 2 ended: no memory left"]


def _fail_in_the_second_process(root: str) -> int:
    from cftui.cli.main import main
    from cftui.engine.bayes.gibbs import Sampler

    def fail(self: Sampler) -> None:
        raise MemoryError("no memory left")

    if ranks.launched().rank == 1:
        Sampler.draw_noise = fail  # type: ignore[method-assign]
    words = ["train", "bayes", "--sweeps", "3", "--name", "unlucky", "--device", "cpu", "--home", root]
    return main(lambda home, ascii_only: None, words)


if __name__ == "__main__":
    import sys

    sys.exit(_fail_in_the_second_process(sys.argv[1]))

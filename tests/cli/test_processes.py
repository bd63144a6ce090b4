"""The program as the shell sees it: statuses, pipes that close, signals, and full disks."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cftui.engine.models.recipes import recipe
from cftui.engine.runs.folder import RunFolder, find
from cftui.engine.training import train
from cftui.home import Home

from .conftest import PROGRAM, environment, only_line, program

# About 60 ms an epoch: long enough to be caught in the middle, short enough to wait for.
EPOCHS = 20
SETTINGS = ["--bs", "4096", "--epochs", str(EPOCHS), "--device", "cpu", "--seed", "2"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, ml_100k_folder: Path) -> RunFolder:
    """The same training, never interrupted, in this process."""
    home = Home(tmp_path_factory.mktemp("whole"))
    home.data.mkdir()
    (home.data / "ml-100k").symlink_to(ml_100k_folder)
    return train(
        home,
        recipe("model4"),
        recipe("model4").options(bs=4096, epochs=EPOCHS, seed=2),
        device=torch.device("cpu"),
        name="whole",
    )


def same_weights(one: RunFolder, other: RunFolder) -> bool:
    first, second = load_file(one.weights_file), load_file(other.weights_file)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_statuses_are_0_1_and_2(fresh_home: Home) -> None:
    good = program(fresh_home, "data", "head", "-n", "1")
    assert (good.returncode, good.stderr) == (0, "")
    assert "Kolya" in good.stdout
    bad = program(fresh_home, "similar", "fargo")
    assert (bad.returncode, bad.stdout) == (1, "")
    assert only_line(bad.stderr) == "cftui: no run yet; train one with: cftui train model4"
    wrong = program(fresh_home, "nonsense")
    assert wrong.returncode == 2
    only_line(wrong.stderr)


def test_the_app_without_a_terminal_says_so(fresh_home: Home) -> None:
    done = program(fresh_home)
    assert done.returncode == 1
    assert "needs a terminal" in only_line(done.stderr)


def test_a_failed_fetch_is_exactly_one_line(fresh_home: Home) -> None:
    done = program(fresh_home, "data", "get", "ml-100k", "--from", "/nowhere")
    assert done.returncode == 1
    assert only_line(done.stderr) == "cftui: --from /nowhere: no such file or folder"


def test_a_reader_that_leaves_early_is_no_error(fresh_home: Home) -> None:
    command = [*PROGRAM, "data", "head", "-n", "6000", "--home", str(fresh_home.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout.readline().split()[0] == b"user"
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(60) == 0
    assert errors == b""


@pytest.mark.slow
def test_training_goes_on_when_its_reader_leaves(fresh_home: Home) -> None:
    command = [*PROGRAM, "train", "model4", *SETTINGS, "--name", "piped", "--json", "--home", str(fresh_home.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(60)
    assert b"Traceback" not in errors
    assert find(fresh_home, "piped").status() == "done"


def test_a_program_without_stdout_still_works(fresh_home: Home) -> None:
    line = 'exec "$@" >&-'
    command = ["sh", "-c", line, "sh", *PROGRAM, "data", "list", "--home", str(fresh_home.root)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=environment(), timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_json_events_can_be_followed_as_they_happen(fresh_home: Home) -> None:
    # All events of ten epochs fit into a pipe's buffer: unflushed, the first would come after the last.
    settings = ["--epochs", "10", "--device", "cpu"]
    command = [*PROGRAM, "train", "model4", *settings, "--name", "live", "--json", "--home", str(fresh_home.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()) as process:
        first = json.loads(process.stdout.readline())
        status = find(fresh_home, "live").status()
        process.terminate()
        rest = process.stdout.read().splitlines()
        code = process.wait(60)
    assert first["event"] == "start"
    assert status == "running", "the first event came only when training was over"
    assert code == 0
    assert json.loads(rest[-1])["event"] == "stopped"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGTERM, "stopped"),
        (signal.SIGINT, "stopped"),
        (signal.SIGKILL, "dead"),
    ],
)
def test_an_interrupted_run_resumes_to_the_very_same_weights(
    number: signal.Signals, status: str, fresh_home: Home, background, whole: RunFolder, cli
) -> None:
    training = background(fresh_home, "train", "model4", *SETTINGS, "--name", "mine")
    run = RunFolder(fresh_home.models / "mine")
    training.until(lambda: len(run.history().epochs) >= 2)
    os.kill(training.process.pid, number)
    assert training.process.wait(60) == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert run.status() == status, "it had ended before the signal" if run.status() == "done" else ""
    assert len(run.history().epochs) < EPOCHS
    assert "Traceback" not in training.log.read_text()
    row = cli(fresh_home, "runs", "--json").json[0]
    assert (row["name"], row["status"]) == ("mine", status)
    resumed = cli(fresh_home, "runs", "resume", "latest", "--device", "cpu", "--json")
    assert resumed.status == 0
    assert (resumed.lines[0]["event"], resumed.lines[-1]["event"]) == ("resume", "done")
    assert resumed.lines[0]["step"] > 0
    assert run.status() == "done"
    assert same_weights(run, whole)
    losses = [[e["valid_loss"] for e in one.history().epochs] for one in (run, whole)]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_a_terminal_that_goes_away_stops_nothing(fresh_home: Home, background, whole: RunFolder) -> None:
    training = background(fresh_home, "train", "model4", *SETTINGS, "--name", "mine")
    run = RunFolder(fresh_home.models / "mine")
    training.until(lambda: len(run.history().epochs) >= 2)
    os.kill(training.process.pid, signal.SIGHUP)
    assert training.process.wait(60) == 0
    assert run.status() == "done"
    assert same_weights(run, whole)


@pytest.mark.slow
def test_runs_stop_ends_a_training_elsewhere_and_rm_waits_for_it(fresh_home: Home, background, cli, fails) -> None:
    training = background(fresh_home, "train", "model4", "--epochs", "1000", "--name", "long")
    run = RunFolder(fresh_home.models / "long")
    training.until(lambda: bool(run.history().windows))
    assert "is being trained; stop it first" in fails(fresh_home, "runs", "rm", "long")
    assert "run long is being trained already" in fails(fresh_home, "runs", "resume", "long")
    assert cli(fresh_home, "runs", "--json").json[0]["status"] == "running"
    assert cli(fresh_home, "runs", "stop", "lo", "--json").json == {"run": "long", "stopping": True}
    assert training.process.wait(60) == 0
    assert run.status() == "stopped"
    assert run.weights_file.exists()
    assert cli(fresh_home, "bias", "long").status == 0
    assert cli(fresh_home, "runs", "rm", "long").status == 0
    assert not run.path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("limit", [20_000, 600_000], ids=["vocabulary", "weights"])
def test_a_full_disk_is_one_line_and_earlier_runs_are_untouched(limit: int, fresh_home: Home, tree) -> None:
    earlier = train(
        fresh_home,
        recipe("model1"),
        recipe("model1").options(bs=4096, epochs=1),
        device=torch.device("cpu"),
        name="early",
    )
    before = tree(earlier.path)

    def fill_the_disk() -> None:
        # A write beyond the limit fails as it does on a full disk: in the middle, with an OSError.
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    settings = ["--bs", "4096", "--epochs", "2", "--device", "cpu", "--json", "--name", "unlucky"]
    done = program(fresh_home, "train", "model4", *settings, preexec_fn=fill_the_disk)
    assert done.returncode == 1
    only_line(done.stderr)
    assert "File too large" in done.stderr
    assert tree(earlier.path) == before
    assert not list(fresh_home.models.rglob("unlucky/weights*"))
    # What is there is whole: nothing half-written, no temporary file.
    for path in fresh_home.models.rglob("*.safetensors"):
        load_file(path)
    assert not list(fresh_home.models.rglob(".*.safetensors*"))
    if limit < 100_000:
        assert not (fresh_home.models / "unlucky").exists()
    else:
        assert find(fresh_home, "unlucky").status() == "failed"

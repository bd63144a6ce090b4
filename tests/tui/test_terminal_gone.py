"""The terminal is closed, killed or lost, at any moment: the app ends within two seconds, and its state is saved."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from ..cli.conftest import PROGRAM as COMMAND
from ..cli.conftest import environment
from ..waiting import until
from .test_pty import PROGRAM, Terminal, restored

# What is promised, and what a busy machine adds to it: the clock of this test runs on, whoever has the processor.
SECONDS = 2.0 + 8.0
TIMES = 30
# What the top line says when the model is open.
OPEN = b"user 0"


@dataclass(frozen=True)
class Moment:
    """Where the app is when its terminal goes: the keys that lead there with what each shows, what is pressed last."""

    name: str
    keys: tuple[tuple[bytes, bytes], ...] = ()
    last: bytes = b""
    screen: str = "dataset"


TRAIN = (b"2", b"epochs")
MOMENTS = (
    Moment("Search, typing", ((b"3", b"would give"),), b"stty abcdefgh " * 9, "search"),
    Moment("Dataset"),
    Moment("Train", (TRAIN,), screen="train"),
    Moment("Map, moving", ((b"4", b"PC1"),), b"\x1b[C\x1b[B" * 20, "map"),
    Moment("help", (TRAIN, (b"?", b"help: ")), screen="train"),
    Moment("palette", ((b"\x10", b"Search for commands"),)),
    Moment("suspended", (TRAIN, (b"\x1a", b"\x1b[?1049l")), screen="train"),
    Moment("quitting", (TRAIN,), b"q", "train"),
    Moment("switching", (), b"1234" * 20, ""),
    Moment("starting", screen=""),
)


@dataclass
class Bed:
    """A home with a data set and a run on it, and another run that is being trained."""

    home: Path
    trainer: subprocess.Popen
    variables: Callable[[Path], dict[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.variables = lambda state: environment(
            TERM="xterm-256color", CFTUI_STATE_DIR=str(state), CFTUI_CONFIG_DIR=str(self.home / "config")
        )

    def screen_left(self, state: Path) -> str:
        homes = json.loads((state / "state.json").read_text())["homes"]
        return homes[str(self.home)]["screen"]


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    home = tmp_path_factory.mktemp("bed")
    ratings = home / "ratings.csv"
    rows = (f"{user},{item},{1 + (user * item) % 5}" for user in range(40) for item in range(30) if (user + item) % 3)
    ratings.write_text("\n".join(["user,item,rating", *rows]))
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text('data = "small"\n')
    where = ["--home", str(home)]
    subprocess.run([*COMMAND, "data", "import", str(ratings), "--name", "small", *where], env=environment(), check=True)
    train = [*COMMAND, "train", "model4", "--data", "small", *where]
    subprocess.run([*train, "--epochs", "1", "--name", "done"], env=environment(), check=True)
    live = subprocess.Popen(
        [*train, "--epochs", "100000", "--name", "live"],
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until((home / "models" / "live" / "events.jsonl").exists, "the trainer")
        # It is here to be live, not to take the processor from what is measured.
        os.kill(live.pid, signal.SIGSTOP)
        yield Bed(home, live)
    finally:
        live.kill()
        live.wait()


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def are_gone(processes: list[psutil.Process]) -> None:
    _, left = psutil.wait_procs(processes, timeout=SECONDS)
    said = [f"{process.pid} {process.status()} {process.threads()}" for process in left]
    for process in left:
        process.kill()
    assert not left, said


def lose(bed: Bed, state: Path, moment: Moment, how: str) -> None:
    terminal = Terminal([*PROGRAM, "--home", str(bed.home)], bed.variables(state))
    try:
        if moment.name == "starting":
            time.sleep(0.1 * (int(state.name) % 8))
        else:
            terminal.shows(OPEN)
            for key, shown in moment.keys:
                before = len(terminal.seen)
                terminal.press(key)
                terminal.shows(shown, before)
            if moment.name == "suspended":
                terminal.until(terminal.stopped, "it was not suspended")
        processes = family(terminal.pid)
        terminal.press(moment.last)
        time.sleep(0.02 * (int(state.name) % 4))
        if how == "close":
            terminal.hang_up()
        else:
            processes[-1 if how == "kill the app" else 0].kill()
        are_gone(processes)
    finally:
        terminal.close()
    if moment.screen and how == "close":
        assert bed.screen_left(state) == moment.screen
    assert bed.trainer.poll() is None, "the training did not go on"


@pytest.mark.parametrize("moment", MOMENTS[:1], ids=lambda moment: moment.name)
def test_a_terminal_that_is_closed_ends_the_app(bed, tmp_path, moment):
    state = tmp_path / "1"
    state.mkdir()
    lose(bed, state, moment, "close")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.name)
def test_a_terminal_that_is_closed_ends_the_app_at_any_moment(bed, tmp_path, moment):
    """Ten moments, three times each."""
    for number in range(TIMES // len(MOMENTS)):
        state = tmp_path / str(number)
        state.mkdir()
        lose(bed, state, moment, "close")


@pytest.mark.parametrize("how", ["kill the app", "kill its parent"])
def test_whatever_kills_the_app_the_terminal_is_usable(bed, tmp_path, how):
    """SIGKILL, to either of the two processes. (SIGBUS, which a file that is cut brings, is no other.)"""
    terminal = Terminal([*PROGRAM, "--home", str(bed.home)], bed.variables(tmp_path))
    try:
        terminal.shows(b"Quit")
        terminal.quiet()
        processes = family(terminal.pid)
        assert terminal.settings() != terminal.before[:4], "the terminal was not taken over: nothing to test"
        processes[-1 if how == "kill the app" else 0].kill()
        terminal.until(terminal.ended, "it did not end")
        # An app that loses its parent may still end in its own way, or only write to the terminal what restores it.
        terminal.until(lambda: not restored(terminal.seen), "the terminal was left as the app had it")
        are_gone(processes)
        assert terminal.settings() == terminal.before[:4]
        if how == "kill the app":
            assert terminal.status == 128 + signal.SIGKILL
            terminal.shows(b"cftui: the app was killed by signal 9")
    finally:
        terminal.close()


# tmux

WAYS = (
    "kill-pane",
    "kill-session",
    "kill-server",
    "SIGKILL to the server",
    "SIGKILL to the shell",
    "SIGKILL to the app",
)
SHOWN = (("1", "small"), ("2", "epochs"), ("3", "would give"), ("4", "PC1"), ("?", "help: "))


class Tmux:
    """A tmux server of its own, with one window of 80x24 in which a shell runs the app."""

    def __init__(self, folder: Path, words: list[str], variables: dict[str, str]) -> None:
        self._socket = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        shell = {**variables, "PS1": "$ "}
        self("new-session", "-d", "-x", "80", "-y", "24", "sh", env=shell)
        self.shell = psutil.Process(int(self("display-message", "-p", "#{pane_pid}")))
        self.server = psutil.Process(int(self("display-message", "-p", "#{pid}")))
        self.press(" ".join([*COMMAND, *words]))
        self.press("Enter")

    def __call__(self, *words: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run([*self._socket, *words], env=env, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def press(self, *keys: str) -> None:
        self("send-keys", *keys)

    def shows(self, text: str) -> None:
        until(lambda: text in self("capture-pane", "-p"), repr(text), timeout=120)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
@pytest.mark.parametrize("way", WAYS)
def test_whatever_ends_tmux_ends_the_app(bed, tmp_path, way):
    for number in range(TIMES // len(WAYS)):
        folder = tmp_path / str(number)
        folder.mkdir()
        tmux = Tmux(folder, ["--home", str(bed.home)], bed.variables(folder))
        try:
            tmux.shows(OPEN.decode())
            key, shown = SHOWN[number % len(SHOWN)]
            tmux.press(key)
            tmux.shows(shown)
            processes = family(tmux.shell.pid)
            assert len(processes) == 3, processes
            if number % 2:
                tmux.press("/", *("stty abcdefgh " * 5))
            if way == "SIGKILL to the server":
                tmux.server.kill()
            elif way == "SIGKILL to the shell":
                tmux.shell.kill()
            elif way == "SIGKILL to the app":
                processes.pop(0)
                processes[-1].kill()
            else:
                tmux(way)
            are_gone(processes)
            if way == "SIGKILL to the app":
                tmux.shows("killed by signal 9")
                tmux.press("echo us''able", "Enter")
                tmux.shows("usable")
            else:
                assert (folder / "state.json").exists()
            assert bed.trainer.poll() is None, "the training did not go on"
        finally:
            tmux("kill-server")

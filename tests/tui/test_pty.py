"""The program on a real terminal: however it ends, the terminal is as it was."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cftui.home import Home

from ..cli.conftest import environment
from ..conftest import write_tiny

PATIENCE = 30.0
PROGRAM = ["-m", "cftui"]
# What each of these turns on must have been turned off again by the end.
MODES = {
    1049: "the alternate screen",
    1000: "the mouse",
    1003: "the mouse's movements",
    1006: "the mouse's wide coordinates",
    2004: "bracketed paste",
    1004: "focus reports",
}
CRASH = """
import sys
from cftui.tui.dataset.screen import DatasetScreen
def fail(*_):
    raise RuntimeError("a defect")
DatasetScreen.action_open = fail
sys.argv = ["cftui", *sys.argv[1:]]
from cftui.__main__ import main
main()
"""


class Terminal:
    """A program on a pty of 80x24, in a session of its own, as a login shell would have it."""

    def __init__(self, words: list[str], variables: dict[str, str]) -> None:
        self.seen = b""
        self.status: int | None = None
        pid, self._fd = pty.fork()
        if not pid:
            os.execve(sys.executable, [sys.executable, *words], variables)
        self.pid = pid
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self._fd)

    def _read(self, seconds: float) -> None:
        if select.select([self._fd], [], [], seconds)[0]:
            # Linux: EIO when the last process has closed the other side.
            with contextlib.suppress(OSError):
                self.seen += os.read(self._fd, 1 << 16)

    def until(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{what}; the last it wrote: {self.seen[-2000:]!r}"
            self._read(0.05)

    def shows(self, text: bytes, after: int = 0) -> None:
        self.until(lambda: text in self.seen[after:], f"{text!r} never came")

    def quiet(self, seconds: float = 0.4) -> None:
        """Until nothing has been written for so long."""
        length = -1
        while length != len(self.seen):
            length, end = len(self.seen), time.monotonic() + seconds
            while time.monotonic() < end:
                self._read(0.05)

    def press(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def settings(self) -> list:
        """Echo, line editing, signals at keys."""
        return termios.tcgetattr(self._fd)[:4]

    def stopped(self) -> bool:
        pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
        if pid and not os.WIFSTOPPED(status):
            self.status = os.waitstatus_to_exitcode(status)
            raise AssertionError(f"it ended with {self.status} instead of being suspended")
        return bool(pid)

    def ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                for _ in range(20):
                    self._read(0.01)
        return self.status is not None

    def hang_up(self) -> None:
        """Close the terminal, as a window is closed or a line is lost."""
        os.close(self._fd)
        self._fd = -1

    def close(self) -> None:
        """End whatever is left."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.pid).children(recursive=True):
                child.kill()
        if self.status is None:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        if self._fd >= 0:
            os.close(self._fd)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    home = Home(tmp_path / "home")
    home.data.mkdir(parents=True)
    (tmp_path / "state").mkdir()
    opened: list[Terminal] = []

    def start(*words: str, **more: str) -> Terminal:
        variables = environment(
            TERM="xterm-256color",
            CFTUI_STATE_DIR=str(tmp_path / "state"),
            CFTUI_CONFIG_DIR=str(tmp_path / "config"),
            **more,
        )
        opened.append(Terminal([*(words or PROGRAM), "--home", str(home.root)], variables))
        opened[-1].shows(b"Press g")
        opened[-1].quiet(0.2)
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def restored(seen: bytes) -> list[str]:
    """What the program turned on and did not turn off again."""
    left = []
    for mode, what in MODES.items():
        changes = re.findall(rb"\x1b\[\?%d([hl])" % mode, seen)
        assert mode == 1004 or b"h" in changes, f"{what} was never turned on: nothing to test"
        if changes and changes[-1] != b"l":
            left.append(what)
    if re.findall(rb"\x1b\[\?25([hl])", seen)[-1] != b"h":
        left.append("the hidden cursor")
    if re.findall(rb"\x1b\[\?7([hl])", seen)[-1] != b"h":
        left.append("cut lines")
    return left


def words_after_it(seen: bytes) -> str:
    """What is left on the terminal below the prompt, escape sequences taken out."""
    tail = seen[seen.rindex(b"\x1b[?1049l") :]
    return re.sub(rb"\x1b(?:\[[?<>=]?[0-9;]*[a-zA-Z]|\]\S*?\x07)", b"", tail).decode().replace("\r", "").strip("\a\n ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "status"),
    [("q", 0), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP)],
    ids=["q", "SIGTERM", "SIGHUP"],
)
def test_however_it_is_left_the_terminal_is_as_it_was_and_the_status_says_how(how, status, started, tmp_path):
    terminal = started()
    assert terminal.settings() != terminal.before[:4], "the terminal was not taken over: nothing to test"
    if how == "q":
        terminal.press(b"2q")
    else:
        os.kill(terminal.pid, how)
    terminal.until(terminal.ended, "it did not end")
    assert terminal.status == status
    assert restored(terminal.seen) == []
    assert terminal.settings() == terminal.before[:4]
    assert words_after_it(terminal.seen) == ""
    state = (tmp_path / "state" / "state.json").read_text()
    assert f'"screen": "{"train" if how == "q" else "dataset"}"' in state


def test_a_signal_before_the_first_paint_leaves_nothing_behind(tmp_path, started):
    terminal = started()
    variables = environment(TERM="xterm-256color", CFTUI_STATE_DIR=str(tmp_path), CFTUI_CONFIG_DIR=str(tmp_path))
    early = Terminal([*PROGRAM, "--home", str(tmp_path)], variables)
    try:
        early.shows(b"\x1b[?1049h")
        os.kill(early.pid, signal.SIGTERM)
        early.until(early.ended, "it did not end")
        assert b"\x1b[?1049l" in early.seen
        assert b"\x1b[?25h" in early.seen
        assert early.settings() == early.before[:4]
    finally:
        early.close()
    terminal.press(b"q")
    terminal.until(terminal.ended, "it did not end")


def test_a_crash_ends_in_one_line_with_status_1_and_the_terminal_as_it_was(started, tmp_path):
    terminal = started("-c", CRASH)
    terminal.press(b"o")
    terminal.until(terminal.ended, "it did not end")
    assert terminal.status == 1
    assert restored(terminal.seen) == []
    assert terminal.settings() == terminal.before[:4]
    log = tmp_path / "state" / "cftui.log"
    said = words_after_it(terminal.seen)
    assert "".join(said.split()) == f"cftui:internalerror:RuntimeError:adefect;detailsin{log}"
    assert "Traceback (most recent call last)" in log.read_text()


@pytest.mark.slow
def test_ctrl_z_gives_the_terminal_back_and_fg_paints_it_again(started):
    terminal = started()
    terminal.press(b"\x1a")
    terminal.until(terminal.stopped, "it was not suspended")
    terminal.quiet(0.1)
    assert restored(terminal.seen) == []
    assert terminal.settings() == terminal.before[:4]
    before = len(terminal.seen)
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.shows(b"\x1b[?1049h", before)
    terminal.shows(b"Press g", before)
    assert terminal.settings() != terminal.before[:4]
    before = len(terminal.seen)
    terminal.press(b"2")
    terminal.shows(b"epochs", before)
    terminal.press(b"q")
    terminal.until(terminal.ended, "it did not end")
    assert terminal.status == 0
    assert restored(terminal.seen) == []


def test_a_configuration_that_is_wrong_is_one_line_and_the_screen_is_not_touched(tmp_path):
    (tmp_path / "config").mkdir()
    config = tmp_path / "config" / "config.toml"
    config.write_text('\n[keys]\n"search.wy" = "w"\n')
    variables = environment(TERM="xterm-256color", CFTUI_CONFIG_DIR=str(tmp_path / "config"))
    terminal = Terminal([*PROGRAM, "--home", str(tmp_path)], variables)
    try:
        terminal.until(terminal.ended, "it did not end")
    finally:
        terminal.close()
    said = terminal.seen.decode()
    assert terminal.status == 1
    assert said.count("\n") == 1
    assert "no action 'search.wy'" in said
    assert f"{config}, line 3" in said
    assert "\x1b" not in said


def test_an_escape_sequence_in_a_title_never_reaches_the_terminal(tmp_path):
    """On the wire, not only in what Textual was about to write."""
    folder = write_tiny(tmp_path / "source")
    items = folder / "u.item"
    items.write_bytes(items.read_bytes().replace(b"Fargo (1996)", b"\x1b]0;owned\x07Fargo\x9b31m"))
    home = Home(tmp_path / "home")
    script = f"""
import dataclasses, shutil, sys
from pathlib import Path
from cftui.data.store import catalog
from cftui.data.formats.movielens import read_tables
read = lambda folder: dataclasses.replace(read_tables(folder), name="odd", label="Odd")
catalog.KNOWN["odd"] = dataclasses.replace(catalog.KNOWN["ml-100k"], name="odd", fingerprint="", read=read)
shutil.copytree({str(folder)!r}, {str(home.data / "odd")!r})
sys.argv = ["cftui", *sys.argv[1:]]
from cftui.__main__ import main
main()
"""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text('data = "odd"\n')
    variables = environment(
        TERM="xterm-256color", CFTUI_CONFIG_DIR=str(tmp_path / "config"), CFTUI_STATE_DIR=str(tmp_path)
    )
    terminal = Terminal(["-c", script, "--home", str(home.root)], variables)
    try:
        terminal.shows(b"Film ")
        terminal.press(b"m")
        terminal.shows(b"owned")
        terminal.press(b"q")
        terminal.until(terminal.ended, "it did not end")
    finally:
        terminal.close()
    assert b"\x1b]0;" not in terminal.seen
    assert b"\x9b" not in terminal.seen.replace(b"\xc2\x9b", b"\x9b")

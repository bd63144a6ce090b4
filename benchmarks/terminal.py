"""What the app costs a terminal, measured on a real pty: first paint, idle, a live run, a key press.

    python benchmarks/terminal.py [--columns 80] [--lines 24]

The figures are of the app's own process; the trainer is another one. Budgets are DESIGN.md's.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import psutil
from markdown import table

from cftui.home import Home

QUIET = 0.25  # seconds without a byte that end a repaint


class Terminal:
    """A program on a pty; everything it writes is read and counted."""

    def __init__(self, command: list[str], columns: int, lines: int, environment: dict[str, str]) -> None:
        self.bytes = 0
        self.seen = b""
        self.started = time.perf_counter()
        pid, self._fd = pty.fork()
        if not pid:
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = psutil.Process(pid)

    def read(self, seconds: float) -> float | None:
        """Read for so long; when the last byte came, None if none did."""
        last, until = None, time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            ready, _, _ = select.select([self._fd], [], [], left)
            if ready:
                block = os.read(self._fd, 1 << 16)
                self.bytes += len(block)
                self.seen = (self.seen + block)[-200_000:]
                last = time.perf_counter()
        return last

    def until(self, text: bytes, seconds: float = 30.0) -> float:
        """Seconds since the start at which ``text`` had been seen."""
        while text not in self.seen:
            if time.perf_counter() - self.started > seconds:
                raise TimeoutError(f"{text!r} never came")
            self.read(0.005)
        return time.perf_counter() - self.started

    def press(self, key: bytes) -> float:
        """Milliseconds from a key to the last byte of its repaint."""
        before = time.perf_counter()
        os.write(self._fd, key)
        last, quiet = None, time.perf_counter() + QUIET
        while time.perf_counter() < quiet:
            ready, _, _ = select.select([self._fd], [], [], quiet - time.perf_counter())
            if ready:
                self.bytes += len(os.read(self._fd, 1 << 16))
                last = time.perf_counter()
                quiet = last + QUIET
        return ((last or before) - before) * 1000

    def cost(self, seconds: float) -> tuple[float, float]:
        """Share of a core, and bytes a second, over so many seconds."""
        cpu, written, start = sum(self.process.cpu_times()[:2]), self.bytes, time.perf_counter()
        self.read(seconds)
        passed = time.perf_counter() - start
        return (sum(self.process.cpu_times()[:2]) - cpu) / passed, (self.bytes - written) / passed

    def close(self) -> None:
        self.process.kill()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.process.pid, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=80)
    parser.add_argument("--lines", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch))
        home.data.mkdir()
        (home.data / "ml-100k").symlink_to(Home.find().data / "ml-100k")
        app = [sys.executable, "-m", "cftui"]
        environment = {**os.environ, "CFTUI_HOME": scratch, "TERM": "xterm-256color"}
        environment.pop("COLORTERM", None)
        train = [*app, "train", "model4", "--device", "cpu"]
        quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(train, check=True, **quiet)

        paints = []
        for _ in range(5):
            terminal = Terminal(app, arguments.columns, arguments.lines, environment)
            paints.append(terminal.until(b"Dataset"))
            terminal.close()

        terminal = Terminal(app, arguments.columns, arguments.lines, environment)
        terminal.until(b"idle")
        terminal.read(4)
        idle_cpu, idle_bytes = terminal.cost(arguments.seconds)
        terminal.press(b"3")
        terminal.read(1)
        keys = [terminal.press(bytes([letter])) for letter in b"the silence of the lambs star trek the first contact"]
        terminal.close()

        # Two sizes of batch: a run that logs often, and one in which little happens.
        with subprocess.Popen([*train, "--epochs", "400"], **quiet) as trainer:
            time.sleep(3)
            terminal = Terminal(app, arguments.columns, arguments.lines, environment)
            terminal.until(b"training")
            terminal.press(b"2")
            terminal.read(3)
            live_cpu, live_bytes = terminal.cost(arguments.seconds)
            terminal.close()
            trainer.kill()

    keys.sort()
    rows = [
        ["first paint, warm (median of 5)", f"{statistics.median(paints):.2f} s", "0.4 s"],
        ["idle: share of a core", f"{idle_cpu:.1%}", "1 %"],
        ["idle: bytes a second", f"{idle_bytes:,.0f}", "0"],
        ["live run on the Train screen: share of a core", f"{live_cpu:.1%}", "10 %"],
        ["live run: bytes a second", f"{live_bytes:,.0f}", "40,000"],
        [f"key press in search, p95 of {len(keys)}", f"{keys[int(len(keys) * 0.95)]:.0f} ms", "50 ms"],
    ]
    print(f"{arguments.columns}x{arguments.lines}")
    print(table(["what", "measured", "budget"], rows))


if __name__ == "__main__":
    main()

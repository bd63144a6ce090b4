"""Run a program on a pty, and read, count and time its output."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import termios
import time

import psutil

QUIET = 0.25  # a repaint ends after this many seconds without a byte


class Terminal:
    """A program on a pty, whose output is read and counted.

    Attributes:
        bytes: the number of bytes that it has written.
        seen: the last of these bytes.
    """

    def __init__(self, command: list[str], columns: int, lines: int, environment: dict[str, str]) -> None:
        self.bytes = 0
        self.seen = b""
        self.started = time.perf_counter()
        pid, self._fd = pty.fork()
        if not pid:
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = psutil.Process(pid)

    def _take(self) -> None:
        block = os.read(self._fd, 1 << 16)
        self.bytes += len(block)
        self.seen = (self.seen + block)[-200_000:]

    def read(self, seconds: float) -> float | None:
        """Read for ``seconds``. Return the time of the last byte, or None if no byte came."""
        last, until = None, time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            ready, _, _ = select.select([self._fd], [], [], left)
            if ready:
                self._take()
                last = time.perf_counter()
        return last

    def until(self, text: bytes, seconds: float = 30.0) -> float:
        """Wait for ``text`` and return the seconds since the start.

        Raises:
            TimeoutError: ``text`` did not come within ``seconds`` after the start.
        """
        while text not in self.seen:
            if time.perf_counter() - self.started > seconds:
                raise TimeoutError(f"{text!r} never came")
            self.read(0.005)
        return time.perf_counter() - self.started

    def send(self, keys: bytes) -> None:
        """Press keys, and wait for nothing."""
        os.write(self._fd, keys)

    def press(self, key: bytes, patience: float = QUIET, quiet: float = QUIET) -> float:
        """Press a key; return the milliseconds until the last byte of its repaint, or 0 if no byte came.

        Args:
            patience: seconds to wait for the first byte.
            quiet: the repaint ends after this many seconds without a byte.
        """
        before = time.perf_counter()
        self.send(key)
        last, end = None, before + patience
        while (left := end - time.perf_counter()) > 0:
            ready, _, _ = select.select([self._fd], [], [], left)
            if ready:
                self._take()
                last = time.perf_counter()
                end = last + quiet
        return ((last or before) - before) * 1000

    def cpu(self) -> float:
        """Return the seconds of the processor that the program, which waits for the app, and the app have used."""
        # Linux has a clock for each process, by this number; psutil counts in hundredths of a second.
        both = (self.process, *self.process.children())
        return sum(time.clock_gettime((~one.pid) << 3 | 2) for one in both)

    def cost(self, seconds: float) -> tuple[float, float]:
        """Measure for ``seconds``. Return the share of a core used, and the bytes written per second."""
        cpu, written, start = self.cpu(), self.bytes, time.perf_counter()
        self.read(seconds)
        passed = time.perf_counter() - start
        return (self.cpu() - cpu) / passed, (self.bytes - written) / passed

    def close(self) -> None:
        for one in (*self.process.children(recursive=True), self.process):
            one.kill()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.process.pid, 0)
        os.close(self._fd)

"""The app's parent process, which is small, waits, and outlives it: whatever kills the app, the terminal is usable.

The app is forked before anything heavy is imported. A shell waits for the parent, so that its prompt comes after the
terminal has been restored. The parent passes on what happens to it: signals, a terminal that hangs up, being suspended
and continued; its exit status is the app's. Nothing here imports Textual.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Callable

from cftui.tui.terminal.lifeline import Lifeline

# The app ends itself within a second of being told to; see ``watch``. This is for an app that cannot even do that.
PATIENCE_SECONDS = 1.6
# A shell continues the parent and the app at the same time; the parent gives that so long to be noticed.
CONTINUED_SECONDS = 0.1
PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)

# Signals that end the app on purpose: nothing has to be said of them.
QUIETLY = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def run_below(start: Callable[[Lifeline], int]) -> int:
    """Run ``start`` in a child process and return its exit status; in the child, return what ``start`` returned.

    Raises:
        OSError: No process could be made.
    """
    read, write = os.pipe()
    stdin = sys.stdin.fileno()
    lifeline = Lifeline(os.ttyname(stdin), termios.tcgetattr(stdin), read, mmap.mmap(-1, 1))
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        os.close(write)
        return start(lifeline)
    os.close(read)
    return _Parent(pid, lifeline, write, stdin).wait()


class _Parent:
    """Waits for the app with process id ``pid``."""

    def __init__(self, pid: int, lifeline: Lifeline, pipe: int, terminal: int) -> None:
        self._pid, self._lifeline, self._pipe, self._terminal = pid, lifeline, pipe, terminal
        self._told = 0
        self._deadline = 0.0

    def wait(self) -> int:
        """Return the exit status of the app; the terminal is usable then."""
        wake, woken = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in (*PASSED_ON, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGTSTP, lambda *_: os.kill(self._pid, signal.SIGTSTP))
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        poll.register(self._terminal, 0)
        while (status := self._ended()) is None:
            left = max(0.0, self._deadline - time.monotonic()) if self._deadline else None
            for source, event in poll.poll(None if left is None else left * 1000 + 1):
                if source == self._terminal and event:
                    poll.unregister(self._terminal)
                    self._tell(signal.SIGHUP)
            with contextlib.suppress(BlockingIOError):
                for came in os.read(wake, 256):
                    if came in PASSED_ON:
                        self._tell(came)
            if self._deadline and time.monotonic() > self._deadline:
                os.kill(self._pid, signal.SIGKILL)
        self._lifeline.restore()
        return self._status(status)

    def _tell(self, number: int) -> None:
        """Let the app know of a signal, and expect its end."""
        if not self._told:
            self._told, self._deadline = number, time.monotonic() + PATIENCE_SECONDS
        with contextlib.suppress(OSError):
            os.write(self._pipe, bytes([128 + number]))
        if number == signal.SIGQUIT:
            os.kill(self._pid, number)

    def _ended(self) -> int | None:
        """How the app has ended, as ``waitpid`` says it; None if it has not. If it was suspended, so is the parent."""
        pid, status = os.waitpid(self._pid, os.WNOHANG | os.WUNTRACED)
        if not pid:
            return None
        if not os.WIFSTOPPED(status):
            return status
        return self._suspend()

    def _suspend(self) -> int | None:
        """Stop beside the app, and continue with it. Return how it has ended meanwhile; None if it has not."""
        gave_back = self._lifeline.is_as_before()
        if gave_back:
            self._lifeline.give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        end = time.monotonic() + CONTINUED_SECONDS
        while time.monotonic() < end:
            pid, status = os.waitpid(self._pid, os.WNOHANG | os.WCONTINUED)
            if pid and not os.WIFCONTINUED(status):
                return status
            if pid:
                break
            time.sleep(0.005)
        else:
            os.kill(self._pid, signal.SIGCONT)
        if gave_back:
            self._lifeline.take()
        return None

    def _status(self, status: int) -> int:
        code = os.waitstatus_to_exitcode(status)
        if code >= 0:
            return code
        if self._told:
            return 128 + self._told
        if -code in QUIETLY:
            return 128 - code
        words = signal.strsignal(-code) or ""
        memory = "; was memory short?" if -code == signal.SIGKILL else ""
        with contextlib.suppress(OSError):
            print(f"cftui: the app was killed by signal {-code} ({words}){memory}", file=sys.stderr, flush=True)
        return 128 - code

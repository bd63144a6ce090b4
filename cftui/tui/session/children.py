"""The processes that end with the app, so that they can be ended without its event loop, too."""

from __future__ import annotations

import contextlib
import os
import signal

_pids: set[int] = set()


def add(pid: int) -> None:
    _pids.add(pid)


def discard(pid: int) -> None:
    _pids.discard(pid)


def interrupt_all() -> None:
    """Interrupt each of them, as Ctrl+C does. Any thread may do so."""
    for pid in list(_pids):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGINT)

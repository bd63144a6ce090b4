"""Waiting for what another process or thread does; for the app's own loop, ``tui/looking.py`` has ``wait``."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

# Generous: a loaded machine is no reason to fail.
PATIENCE = 60.0


def until(condition: Callable[[], object], what: str = "it", timeout: float = PATIENCE) -> None:
    """Wait for a condition to become true; fails, naming ``what`` was waited for, if it never does."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"{what} never came to be in {timeout:.0f} s"
        time.sleep(0.005)


def loads_torch(pid: int) -> bool:
    """Whether a process has begun to load PyTorch, which takes it a second or more. Linux only."""
    try:
        return any("torch" in file.path for file in psutil.Process(pid).memory_maps())
    except psutil.NoSuchProcess:
        return False

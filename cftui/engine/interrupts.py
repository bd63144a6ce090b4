"""Signals while a trainer works: asked to stop it stops in order; a terminal that goes away stops nothing.

No torch here: whoever starts training wants this in place before that is imported.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

StopRequested = Callable[[], bool]


@contextmanager
def stop_requests() -> Iterator[StopRequested]:
    """While inside, SIGTERM and SIGINT are noted instead of killing, and SIGHUP is ignored.

    Yields a function that says whether a stop was asked for.
    """
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    handlers: dict[int, Any] = {signal.SIGTERM: note, signal.SIGINT: note}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = signal.SIG_IGN
    try:
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    except ValueError:  # not the main thread: signals go to someone else
        before = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

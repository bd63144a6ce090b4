"""Signals during training: a request to stop ends a run in an orderly way, and a closed terminal does not end it.

This module does not import torch, because signals must be handled before torch is imported.
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
    """In this context, SIGTERM and SIGINT are recorded instead of ending the process, and SIGHUP is ignored.

    Yields:
        A function that returns whether a stop was requested.
    """
    requests: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        requests.append(number)

    handlers: dict[int, Any] = {signal.SIGTERM: note, signal.SIGINT: note}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = signal.SIG_IGN
    try:
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    except ValueError:  # not the main thread, which alone can handle signals
        before = {}
    try:
        yield lambda: bool(requests)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

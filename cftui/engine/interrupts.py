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


class StopRequests:
    """The signals that have asked to stop.

    Attributes:
        signals: their numbers, in the order in which they came.
    """

    def __init__(self) -> None:
        self.signals: list[int] = []

    def __call__(self) -> bool:
        """Whether a stop was requested."""
        return bool(self.signals)

    @property
    def out_of_time(self) -> bool:
        """Whether a scheduler has announced, by SIGUSR1, that the time of the job is over."""
        return signal.SIGUSR1 in self.signals


@contextmanager
def stop_requests() -> Iterator[StopRequests]:
    """In this context, SIGTERM, SIGINT and SIGUSR1 are recorded instead of ending the process; SIGHUP is ignored.

    Yields:
        What says whether a stop was requested.
    """
    requests = StopRequests()

    def note(number: int, frame: FrameType | None) -> None:
        requests.signals.append(number)

    handlers: dict[int, Any] = {signal.SIGTERM: note, signal.SIGINT: note, signal.SIGUSR1: note}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = signal.SIG_IGN
    try:
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    except ValueError:  # not the main thread, which alone can handle signals
        before = {}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Seconds of fitting, and what is due when."""

from __future__ import annotations

import time

HEARTBEAT_SECONDS = 1.0
# Between epochs' own checkpoints: what a kill can cost at the most.
CHECKPOINT_SECONDS = 30.0


class Clock:
    """Seconds of fitting, and what is due when. Not for anything that decides what is learned."""

    def __init__(self, already: float) -> None:
        self._start = time.perf_counter() - already
        self._epoch = self._beat = self._checkpoint = time.perf_counter()

    def elapsed(self) -> float:
        return time.perf_counter() - self._start

    def start_epoch(self) -> None:
        self._epoch = time.perf_counter()

    def epoch(self) -> float:
        return time.perf_counter() - self._epoch

    def beat_due(self) -> bool:
        now = time.perf_counter()
        if now - self._beat < HEARTBEAT_SECONDS:
            return False
        self._beat = now
        return True

    def checkpoint_due(self) -> bool:
        return time.perf_counter() - self._checkpoint > CHECKPOINT_SECONDS

    def checkpointed(self) -> None:
        self._checkpoint = time.perf_counter()

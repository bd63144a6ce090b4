"""The clock of a run: seconds of fitting, and when heartbeats and checkpoints are due."""

from __future__ import annotations

import time
from collections.abc import Callable

HEARTBEAT_SECONDS = 1.0
# Between two checkpoints: a killed run loses at most this much work.
CHECKPOINT_SECONDS = 30.0
# Checkpoints after epochs take at most this share of the time: where a GPU works on a large data set, one takes as long
# as an epoch.
CHECKPOINT_SHARE = 0.05


class Clock:
    """Measures the seconds of fitting, and says when a heartbeat or a checkpoint is due.

    Nothing that affects the result may depend on it.

    Args:
        already: the seconds that a resumed run spent before.
    """

    def __init__(self, already: float) -> None:
        self._start = time.perf_counter() - already
        self._epoch = self._beat = self._checkpoint = time.perf_counter()
        self._checkpoint_took = 0.0

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

    def checkpoint_is_cheap(self) -> bool:
        """Whether one more checkpoint now keeps to ``CHECKPOINT_SHARE``."""
        since = time.perf_counter() - self._checkpoint
        return self._checkpoint_took <= CHECKPOINT_SHARE * since

    def checkpoint_after_epoch_due(self) -> bool:
        return self.checkpoint_due() or self.checkpoint_is_cheap()

    def checkpoint(self, save: Callable[[], None]) -> None:
        """Call ``save``, which makes the checkpoint."""
        before = time.perf_counter()
        save()
        self._checkpoint = time.perf_counter()
        self._checkpoint_took = self._checkpoint - before

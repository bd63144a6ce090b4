"""The training loss as fastai shows it, gathered without waiting for the device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SMOOTHING = 0.98


class TrainLoss:
    """fastai's training loss (an exponential average, debiased, carried across epochs) and its raw windows.

    Losses stay on the device until a window is full: one synchronisation per window, not per batch.
    """

    def __init__(self, window: int, device: torch.device) -> None:
        self._buffer = torch.zeros(window, device=device)
        self._filled = 0
        self.average = 0.0
        self.count = 0

    def resize(self, window: int) -> None:
        """Change how many losses make a window; what is in hand must have been drained."""
        self._buffer = torch.zeros(window, device=self._buffer.device)
        self._filled = 0

    @property
    def full(self) -> bool:
        return self._filled == len(self._buffer)

    def add(self, loss: Tensor) -> None:
        self._buffer[self._filled] = loss
        self._filled += 1

    def drain(self) -> list[float]:
        """The losses since the last call, oldest first, worked into the average."""
        losses: list[float] = self._buffer[: self._filled].tolist()
        self._filled = 0
        for loss in losses:
            self.average = SMOOTHING * self.average + (1 - SMOOTHING) * loss
        self.count += len(losses)
        return losses

    @property
    def smoothed(self) -> float:
        return self.average / (1 - SMOOTHING**self.count) if self.count else math.nan

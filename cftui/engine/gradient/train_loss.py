"""The training loss as fastai shows it, gathered without waiting for the device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SMOOTHING = 0.98


class TrainLoss:
    """fastai's training loss (an exponential average, debiased, carried across epochs) and its raw windows.

    Losses stay on the device until a window is full or an epoch ends, not per batch. A window may span epochs.
    """

    def __init__(self, window: int, device: torch.device) -> None:
        self._buffer = torch.zeros(window, device=device)
        self._filled = self._settled = 0
        self.average = 0.0
        self.count = 0

    def resize(self, window: int) -> None:
        """Change how many losses make a window; what is in hand must have been drained."""
        self._buffer = torch.zeros(window, device=self._buffer.device)
        self._filled = self._settled = 0

    @property
    def full(self) -> bool:
        return self._filled == len(self._buffer)

    def add(self, loss: Tensor) -> None:
        self._buffer[self._filled] = loss
        self._filled += 1

    def settle(self) -> list[float]:
        """Work the losses that came since the last call into the average, and return them, oldest first.

        The one place that waits for the device.
        """
        losses: list[float] = self._buffer[self._settled : self._filled].tolist()
        for loss in losses:
            self.average = SMOOTHING * self.average + (1 - SMOOTHING) * loss
        self.count += len(losses)
        self._settled = self._filled
        return losses

    def drain(self) -> list[float]:
        """The losses of the window so far, which then begins anew."""
        self.settle()
        losses: list[float] = self._buffer[: self._settled].tolist()
        self._filled = self._settled = 0
        return losses

    @property
    def smoothed(self) -> float:
        return self.average / (1 - SMOOTHING**self.count) if self.count else math.nan

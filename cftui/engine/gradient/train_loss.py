"""The training loss as fastai shows it, collected without waiting for the device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SMOOTHING = 0.98


class TrainLoss:
    """fastai's training loss, and windows of the raw losses per batch.

    fastai's training loss is a debiased exponential average that is carried across epochs. The losses stay on the
    device until a window is full or an epoch ends. A window may span epochs.

    Attributes:
        average: the exponential average before debiasing.
        count: the number of losses in it.
    """

    def __init__(self, window: int, device: torch.device) -> None:
        self._buffer = torch.zeros(window, device=device)
        self._filled = 0
        self._losses: list[float] = []
        self.average = 0.0
        self.count = 0

    def resize(self, window: int) -> None:
        """Change how many losses make a window. The current window must have been drained."""
        self._buffer = torch.zeros(window, device=self._buffer.device)
        self._filled, self._losses = 0, []

    @property
    def full(self) -> bool:
        """Whether the window must be drained before the next loss."""
        return self._filled == len(self._buffer)

    def add(self, loss: Tensor) -> None:
        """Add the loss of one batch, a scalar on the device."""
        self._buffer[self._filled] = loss
        self._filled += 1

    def settle(self) -> list[float]:
        """Add the losses since the last call to the average, and return them, oldest first.

        Only this method waits for the device.
        """
        if self._filled == len(self._losses):
            return []
        losses: list[float] = self._buffer[len(self._losses) : self._filled].tolist()
        for loss in losses:
            self.average = SMOOTHING * self.average + (1 - SMOOTHING) * loss
        self.count += len(losses)
        self._losses += losses
        return losses

    def drain(self) -> list[float]:
        """Return the losses of the window so far, and start a new window."""
        self.settle()
        losses, self._losses, self._filled = self._losses, [], 0
        return losses

    @property
    def smoothed(self) -> float:
        """The debiased average, NaN before the first loss."""
        return self.average / (1 - SMOOTHING**self.count) if self.count else math.nan

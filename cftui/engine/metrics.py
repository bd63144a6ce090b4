"""How good predictions are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from cftui.engine.models.architectures import Architecture

# How many standard deviations to either side hold nine tenths of a normal.
NINETY = 1.6448536269514722
# Bounds the memory of an evaluation pass, not its result.
CHUNK = 65_536


@dataclass(frozen=True)
class Score:
    """Over ``n`` ratings: mean squared error, its root, and mean absolute error, in rating units."""

    n: int
    mse: float
    mae: float

    @property
    def rmse(self) -> float:
        return math.sqrt(self.mse)


@torch.no_grad()
def predict(model: Architecture, user: Tensor, item: Tensor) -> Tensor:
    """Predicted ratings for pairs of codes: ``[n], [n] -> [n]``, in evaluation mode, mode restored afterwards."""
    was_training = model.training
    model.eval()
    parts = [model(u, i) for u, i in zip(user.split(CHUNK), item.split(CHUNK), strict=True)]
    model.train(was_training)
    return torch.cat(parts) if parts else torch.empty(0, device=user.device)


def score(predicted: Tensor, rating: Tensor) -> Score:
    """Compare ``predicted [n]`` with ``rating [n]``; an empty set scores NaN."""
    # float64: 20,000 float32 squares already lose the sixth digit, and MPS has no float64 of its own.
    error = (predicted - rating).cpu().double()
    return Score(len(rating), mse=error.square().mean().item(), mae=error.abs().mean().item())

"""The error of predictions: MSE, RMSE and MAE."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from cftui.engine.models.architectures import Architecture

# A normal distribution has 90 % of its mass within this many standard deviations of its mean.
NINETY = 1.6448536269514722
# Predictions are computed for this many ratings at a time. This bounds the memory and does not change the result.
CHUNK = 65_536


@dataclass(frozen=True)
class Score:
    """The mean squared error over ``n`` ratings, its root and the mean absolute error, in rating units.

    Attributes:
        ndcg: NDCG@10 of the lists, for a model that does not predict ratings; the errors are then NaN. None if no user
            has anything relevant.
    """

    n: int
    mse: float = math.nan
    mae: float = math.nan
    ndcg: float | None = None

    @property
    def rmse(self) -> float:
        return math.sqrt(self.mse)


@torch.no_grad()
def predict(model: Architecture, user: Tensor, item: Tensor) -> Tensor:
    """Predict the ratings of pairs of codes: ``[n], [n] -> [n]``.

    The model predicts in evaluation mode; its mode is restored afterwards.
    """
    was_training = model.training
    model.eval()
    parts = [model(u, i) for u, i in zip(user.split(CHUNK), item.split(CHUNK), strict=True)]
    model.train(was_training)
    return torch.cat(parts) if parts else torch.empty(0, device=user.device)


def score(predicted: Tensor, rating: Tensor) -> Score:
    """Compare ``predicted [n]`` with ``rating [n]``. Without ratings, the errors are NaN."""
    error = predicted - rating
    # In float64, because a sum of 20,000 float32 squares is wrong in its sixth digit. MPS has no float64.
    error = (error.cpu() if error.device.type == "mps" else error).double()
    mse, mae = torch.stack((error.square().mean(), error.abs().mean())).tolist()
    return Score(len(rating), mse=mse, mae=mae)

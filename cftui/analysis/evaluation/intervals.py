"""How sure a prediction is: where nine of ten ratings lie, for a model that knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cftui.analysis.trained import TrainedModel
from cftui.engine.bayes.posterior import BayesianFactors
from cftui.engine.metrics import NINETY
from cftui.errors import CftuiError

By = Literal["mean", "lower", "upper"]
# Pairs whose users' rows are looked up at a time: bounds the memory, not the result.
PAIRS = 16_384
# Of what one can rank by, what each is good for.
RANKINGS: dict[By, str] = {"mean": "most liked", "lower": "safe", "upper": "adventurous"}


@dataclass(frozen=True, eq=False)
class Intervals:
    """Predictions with what is uncertain of them, float32 ``[n]`` each, in rating units.

    Attributes:
        centre: the mean of the draws, which may be beyond an end of the scale.
        sd: the standard deviation of a rating around that: what is uncertain of user and item, and noise.
        uncertainty: the part of it that more ratings would take away, the standard deviation of ``centre`` itself.
        scale: the lowest and the highest rating.
    """

    centre: np.ndarray
    sd: np.ndarray
    uncertainty: np.ndarray
    scale: tuple[float, float]

    @property
    def mean(self) -> np.ndarray:
        """The prediction: ``centre``, cut to the scale."""
        return self.centre.clip(*self.scale)

    @property
    def low(self) -> np.ndarray:
        """Nine of ten ratings lie between ``low`` and ``high``, both cut to the scale."""
        return (self.centre - NINETY * self.sd).clip(*self.scale)

    @property
    def high(self) -> np.ndarray:
        return (self.centre + NINETY * self.sd).clip(*self.scale)

    def score(self, by: By) -> np.ndarray:
        """What to rank by: the centre, or the end of the 90 % interval of the centre alone that is below or above it.

        The noise of a rating is left out: it says how scattered the user rates, not how sure one can be of an item.
        """
        return self.centre + {"mean": 0.0, "lower": -NINETY, "upper": NINETY}[by] * self.uncertainty


def has_intervals(model: TrainedModel) -> bool:
    return isinstance(model.module, BayesianFactors)


def check_intervals(model: TrainedModel) -> BayesianFactors:
    """The model's module. Raises CftuiError if it does not know how sure it is."""
    if not isinstance(model.module, BayesianFactors):
        raise CftuiError(f"{model.run.name}: {model.recipe.name} predicts no intervals; bayes does")
    return model.module


def intervals(model: TrainedModel, row: np.ndarray, items: np.ndarray | None = None) -> Intervals:
    """For a user with this row ``[d]``, of the items with these codes ``[n]``, or of all.

    Raises:
        CftuiError: the model does not know how sure it is.
    """
    module = check_intervals(model)
    codes = np.arange(len(model.items)) if items is None else items
    item = torch.from_numpy(np.ascontiguousarray(codes, dtype=np.int64))
    user = torch.from_numpy(np.asarray(row, dtype=np.float32))
    with torch.no_grad():
        moments = module.moments(user.expand(len(item), -1), item)
    return _of(model, *moments)


def pair_intervals(model: TrainedModel, users: np.ndarray, items: np.ndarray) -> Intervals:
    """For pairs of codes ``[n], [n]``. Raises CftuiError as ``intervals`` does."""
    module = check_intervals(model)
    user, item = (torch.from_numpy(np.ascontiguousarray(codes, dtype=np.int64)) for codes in (users, items))
    parts = []
    with torch.no_grad():
        # The rows of all users at once may be larger than memory.
        for some, of in zip(user.split(PAIRS), item.split(PAIRS), strict=True):
            parts.append(module.moments(module.user_rows(some), of))
    centre, sd, uncertainty = (torch.cat(column) for column in zip(*parts, strict=True))
    return _of(model, centre, sd, uncertainty)


def _of(model: TrainedModel, centre: Tensor, sd: Tensor, uncertainty: Tensor) -> Intervals:
    return Intervals(centre.numpy(), sd.numpy(), uncertainty.numpy(), model.rating_range)

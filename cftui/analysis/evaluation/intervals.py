"""How sure a prediction is: intervals that hold 90 % of ratings, for models that give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cftui.analysis.trained import TrainedModel
from cftui.engine.metrics import NINETY
from cftui.engine.models.architectures import RatingMoments
from cftui.errors import CftuiError

By = Literal["mean", "lower", "upper"]
# Pairs whose users' rows are looked up at a time: bounds the memory, not the result.
PAIRS = 16_384
# What each way of ranking is good for.
RANKINGS: dict[By, str] = {"mean": "most liked", "lower": "safe", "upper": "adventurous"}


@dataclass(frozen=True, eq=False)
class Intervals:
    """Predictions with their uncertainty, float32 ``[n]`` each, in rating units.

    Attributes:
        centre: the mean prediction, not clipped to the scale.
        sd: the standard deviation of a rating around it: uncertainty of user and item, and noise.
        uncertainty: the part that more ratings would remove, the standard deviation of ``centre`` itself.
        scale: the lowest and the highest rating.
    """

    centre: np.ndarray
    sd: np.ndarray
    uncertainty: np.ndarray
    scale: tuple[float, float]

    @property
    def mean(self) -> np.ndarray:
        """The prediction: ``centre``, clipped to the scale."""
        return self.centre.clip(*self.scale)

    @property
    def low(self) -> np.ndarray:
        """90 % of ratings lie between ``low`` and ``high``, both clipped to the scale."""
        return (self.centre - NINETY * self.sd).clip(*self.scale)

    @property
    def high(self) -> np.ndarray:
        return (self.centre + NINETY * self.sd).clip(*self.scale)

    def score(self, by: By) -> np.ndarray:
        """What to rank by: the centre, or the lower or upper end of the 90 % interval of the centre itself.

        The noise of ratings is left out: it says how scattered the user's ratings are, not how uncertain an item is.
        """
        return self.centre + {"mean": 0.0, "lower": -NINETY, "upper": NINETY}[by] * self.uncertainty


def has_intervals(model: TrainedModel) -> bool:
    """Whether the model knows how sure it is."""
    nobody = torch.zeros(1, dtype=torch.int64)
    with torch.no_grad():
        return model.module.moments(model.module.user_rows(nobody), nobody) is not None


def check_intervals(model: TrainedModel) -> None:
    """Raises CftuiError if the model does not know how sure it is."""
    if not has_intervals(model):
        raise CftuiError(f"{model.name}: {model.recipe.name} predicts no intervals; bayes does")


def _moments(model: TrainedModel, rows: Tensor, item: Tensor) -> RatingMoments:
    with torch.no_grad():
        moments = model.module.moments(rows, item)
    if moments is None:
        raise CftuiError(f"{model.name}: {model.recipe.name} predicts no intervals; bayes does")
    return moments


def intervals(model: TrainedModel, row: np.ndarray, items: np.ndarray | None = None) -> Intervals:
    """Intervals for a user with this row ``[d]`` and the items with these codes ``[n]``, by default all items.

    Raises:
        CftuiError: the model does not know how sure it is.
    """
    codes = np.arange(len(model.items)) if items is None else items
    item = torch.from_numpy(np.ascontiguousarray(codes, dtype=np.int64))
    user = torch.from_numpy(np.asarray(row, dtype=np.float32))
    return _of(model, _moments(model, user.expand(len(item), -1), item))


def pair_intervals(model: TrainedModel, users: np.ndarray, items: np.ndarray) -> Intervals:
    """Intervals for pairs of codes ``[n], [n]``. Raises CftuiError as ``intervals`` does."""
    user, item = (torch.from_numpy(np.ascontiguousarray(codes, dtype=np.int64)) for codes in (users, items))
    parts = []
    # The rows of all users at once may be larger than memory.
    for some, rated in zip(user.split(PAIRS), item.split(PAIRS), strict=True):
        parts.append(_moments(model, model.module.user_rows(some), rated))
    return _of(model, RatingMoments(*(torch.cat(column) for column in zip(*parts, strict=True))))


def _of(model: TrainedModel, moments: RatingMoments) -> Intervals:
    centre, sd, uncertainty = (column.numpy() for column in moments)
    return Intervals(centre, sd, uncertainty, model.rating_range)

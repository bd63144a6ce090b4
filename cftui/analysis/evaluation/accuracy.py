"""A model against its own ratings: the chapter's results, its errors, and the calibration of its intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cftui.analysis.evaluation.calibration import Calibration, calibrate
from cftui.analysis.evaluation.intervals import has_intervals, pair_intervals
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.engine import metrics
from cftui.errors import CftuiError


def results(model: TrainedModel, ratings: Ratings, rows: int = 9, seed: int | None = None) -> pd.DataFrame:
    """The chapter's ``show_results``: validation ratings beside their predictions.

    The columns are ``user``, ``title``, ``rating`` and ``rating_pred``; rows are drawn at random, and ``seed``
    repeats a draw.

    Raises:
        CftuiError: the split has no validation ratings, or the model predicts no ratings.
    """
    model.check_rates()
    valid = model.split(ratings).valid
    if not len(valid):
        raise CftuiError(f"{model.name}: split {model.options.split} has no validation ratings to show")
    chosen = np.random.default_rng(seed).choice(valid, size=min(rows, len(valid)), replace=False)
    user, item = ratings.user[chosen], ratings.item[chosen]
    return pd.DataFrame(
        {
            "user": [model.users.classes[code] for code in user],
            "title": [model.titles[code] for code in item],
            "rating": ratings.rating[chosen],
            "rating_pred": model.predict(user, item),
        }
    )


def evaluate(model: TrainedModel, ratings: Ratings) -> dict[str, metrics.Score]:
    """Scores on the run's own ``train`` and ``valid`` ratings; empty for a model that predicts no ratings."""
    import torch

    if len(ratings.items) != len(model.items) or len(ratings.users) != len(model.users):
        raise CftuiError(f"{model.name}: {ratings.name} has other users or {model.nouns} than it was trained on")
    found: dict[str, metrics.Score] = {}
    if not model.rates:
        return found
    parts = model.split(ratings)
    for name, rows in (("train", parts.train), ("valid", parts.valid)):
        predicted = model.predict(ratings.user[rows], ratings.item[rows])
        found[name] = metrics.score(torch.from_numpy(predicted), torch.from_numpy(ratings.rating[rows]))
    return found


def calibration(model: TrainedModel, ratings: Ratings) -> Calibration | None:
    """The model's calibration on its validation ratings; None if it gives no intervals."""
    if not has_intervals(model):
        return None
    rows = model.split(ratings).valid
    found = pair_intervals(model, ratings.user[rows], ratings.item[rows])
    return calibrate(found.centre, found.sd, ratings.rating[rows], found.scale)

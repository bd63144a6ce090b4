"""Reading a trained model: biases, neighbours, predictions, recommendations, results.

Each function returns a data frame whose ``code`` column points into the model's item vocabulary.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.engine import metrics
from cftui.errors import CftuiError


def _items(model: TrainedModel, codes: np.ndarray) -> pd.DataFrame:
    rows = model.item_table.iloc[codes]
    return pd.DataFrame({"code": codes, "title": rows["title"].to_numpy(), "ratings": rows["ratings"].to_numpy()})


def biases(model: TrainedModel) -> pd.DataFrame:
    """Every item by its bias, lowest first: columns ``code``, ``title``, ``ratings``, ``bias``.

    The head are the chapter's least liked items, "regardless of how well the latent factors match"; the tail the most.

    Raises:
        CftuiError: the architecture has no biases.
    """
    codes = 1 + np.argsort(model.item_bias[1:], kind="stable")
    return _items(model, codes).assign(bias=model.item_bias[codes])


def similar(model: TrainedModel, item: int, n: int = 10, *, min_ratings: int = 0) -> pd.DataFrame:
    """The nearest items by the cosine of their factors: ``code``, ``title``, ``ratings``, ``cosine``, nearest first.

    The chapter's ``nn.CosineSimilarity``: norms are kept from falling below 1e-8. The item itself is left out.
    """
    factors = model.item_factors
    norms = np.maximum(np.linalg.norm(factors, axis=1), 1e-8)
    cosine = (factors @ factors[item]) / (norms * norms[item])
    allowed = model.counts >= min_ratings
    allowed[[0, item]] = False
    return _best(model, cosine, allowed, n, "cosine")


def recommend(model: TrainedModel, user: int, ratings: Ratings, n: int = 10, *, min_ratings: int = 0) -> pd.DataFrame:
    """The items a user has not rated with the highest predictions: ``code``, ``title``, ``ratings``, ``predicted``."""
    allowed = model.counts >= min_ratings
    allowed[0] = False
    allowed[ratings.item[ratings.user == user]] = False
    return _best(model, model.predict_all(user), allowed, n, "predicted")


def _best(model: TrainedModel, scores: np.ndarray, allowed: np.ndarray, n: int, column: str) -> pd.DataFrame:
    codes = np.flatnonzero(allowed)
    codes = codes[np.argsort(-scores[codes], kind="stable")[:n]]
    return _items(model, codes).assign(**{column: scores[codes]})


def actual_rating(ratings: Ratings, user: int, item: int) -> float | None:
    """What the user really gave the item: the mean where two ids share a title, None where there is no rating."""
    given = ratings.rating[(ratings.user == user) & (ratings.item == item)]
    return float(given.mean()) if len(given) else None


def results(model: TrainedModel, ratings: Ratings, rows: int = 9, seed: int | None = None) -> pd.DataFrame:
    """The chapter's ``show_results``: validation ratings beside their predictions.

    Columns ``user``, ``title``, ``rating``, ``rating_pred``; rows drawn at random, ``seed`` repeats a draw.
    """
    valid = model.split(ratings).valid
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
    """Scores on the run's own ``train`` and ``valid`` ratings."""
    import torch

    if len(ratings.items) != len(model.items) or len(ratings.users) != len(model.users):
        raise CftuiError(f"{model.run.name}: {ratings.name} has other users or {model.nouns} than it was trained on")
    parts = model.split(ratings)
    found = {}
    for name, rows in (("train", parts.train), ("valid", parts.valid)):
        predicted = model.predict(ratings.user[rows], ratings.item[rows])
        found[name] = metrics.score(torch.from_numpy(predicted), torch.from_numpy(ratings.rating[rows]))
    return found

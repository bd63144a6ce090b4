"""Baselines for a loss: three predictors without factors, scored on the same split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cftui.data.ratings import Ratings
from cftui.data.splits import Split

# From Koren 2010 ("Factor in the neighbors"), with the values that Surprise uses by default.
USER_SHRINKAGE, ITEM_SHRINKAGE, SWEEPS = 15.0, 10.0, 10
NEIGHBOURS, SIMILARITY_SHRINKAGE = 40, 100.0
# Item kNN multiplies several dense tables. It is skipped if one of them would have more cells than this.
CELLS = 10_000_000


@dataclass(frozen=True)
class Biases:
    """A prediction without factors: the mean, plus the bias of the user, plus the bias of the item.

    Attributes:
        mean: the mean training rating.
        user: float64 ``[users]``.
        item: float64 ``[items]``.
    """

    mean: float
    user: np.ndarray
    item: np.ndarray

    def predict(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        return self.mean + self.user[user] + self.item[item]


def fit_biases(ratings: Ratings, rows: np.ndarray) -> Biases:
    """Fit shrunken user and item biases by alternating least squares over the ratings in ``rows``."""
    user, item, rating = ratings.user[rows], ratings.item[rows], ratings.rating[rows].astype(np.float64)
    mean = float(rating.mean())
    n_users, n_items = len(ratings.users), len(ratings.items)
    per_user, per_item = np.bincount(user, minlength=n_users), np.bincount(item, minlength=n_items)
    b_user, b_item = np.zeros(n_users), np.zeros(n_items)
    for _ in range(SWEEPS):
        b_item = np.bincount(item, rating - mean - b_user[user], n_items) / (ITEM_SHRINKAGE + per_item)
        b_user = np.bincount(user, rating - mean - b_item[item], n_users) / (USER_SHRINKAGE + per_user)
    return Biases(mean, b_user, b_item)


def item_knn(ratings: Ratings, split: Split, biases: Biases) -> np.ndarray:
    """Predict the ratings of ``split.valid`` from each user's ratings of the 40 most similar items, float64 ``[n]``.

    The similarity of two items is the cosine of their residuals after ``biases``, shrunk by the number of users who
    rated both. The prediction adds to that of ``biases`` the similarity-weighted mean of the neighbours' residuals.
    """
    n_users, n_items = len(ratings.users), len(ratings.items)
    user, item = ratings.user[split.train], ratings.item[split.train]
    residual = np.zeros((n_users, n_items), np.float32)
    # If a user rated two ids with the same title, the last rating counts.
    residual[user, item] = ratings.rating[split.train] - biases.predict(user, item)
    rated = np.zeros_like(residual)
    rated[user, item] = 1
    square = np.square(residual)
    common = rated.T @ rated
    norm = np.sqrt((square.T @ rated) * (rated.T @ square))
    similarity = (
        np.maximum(residual.T @ residual / np.maximum(norm, 1e-8), 0) * common / (common + SIMILARITY_SHRINKAGE)
    )
    np.fill_diagonal(similarity, 0)

    v_user, v_item = ratings.user[split.valid], ratings.item[split.valid]
    predicted = biases.predict(v_user, v_item)
    for who in np.unique(v_user):
        mine = np.flatnonzero(rated[who])
        rows = np.flatnonzero(v_user == who)
        if not len(mine):
            continue
        weights = similarity[v_item[rows][:, None], mine]  # [rows, mine]
        if len(mine) > NEIGHBOURS:
            least = np.partition(weights, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS, None]
            weights = np.where(weights >= least, weights, 0)
        total = weights.sum(axis=1)
        predicted[rows] += np.where(total > 0, weights @ residual[who, mine] / np.maximum(total, 1e-8), 0)
    return predicted


def baselines(ratings: Ratings, split: Split) -> dict[str, float]:
    """Return the mean squared errors on ``split.valid`` of ``global_mean``, ``bias_only`` and ``item_knn``.

    ``item_knn`` is left out if its tables would be too large.
    """
    truth = ratings.rating[split.valid].astype(np.float64)
    biases = fit_biases(ratings, split.train)

    def mse(predicted: np.ndarray | float) -> float:
        return float(np.square(truth - predicted).mean())

    losses = {
        "global_mean": mse(biases.mean),
        "bias_only": mse(biases.predict(ratings.user[split.valid], ratings.item[split.valid])),
    }
    n_users, n_items = len(ratings.users), len(ratings.items)
    if n_items * max(n_users, n_items) <= CELLS:
        losses["item_knn"] = mse(item_knn(ratings, split, biases))
    return losses

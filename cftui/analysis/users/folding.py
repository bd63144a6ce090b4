"""Fold-in: the row of a user the model was never trained on, from a few ratings, and what to ask such a user next.

The items stay as they are; only the user's row is fitted. It is ridge regression in the metric of the trained users:
minimise

    sum_i (rating_i - rate(row, item_i))^2 / noise  +  (row - mean)' P (row - mean)

with the trained users' mean and precision P (inverse covariance) and the model's mean squared error as noise, so that
nothing is left to tune: without ratings the row is the average user's, and every rating moves it in the directions in
which users are known to differ. If predictions are not linear in the row (a sigmoid range, a network, a softmax), the
problem is solved by Gauss-Newton steps, each of them a ridge regression on the linearised model.

A model may know better: ``bayes`` draws the row from its own distribution of users, one draw for each of its draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cftui.analysis.trained import TrainedModel
from cftui.errors import CftuiError

STEPS = 12
TOLERANCE = 1e-6
# A Gauss-Newton step that does not help is halved, down to this share of it.
LEAST_STEP = 1e-3
# Ratings whose pull is found by predicting without them.
EXACT = 200
# Keeps the covariance of few users in many dimensions invertible.
JITTER = 1e-3
# Mean squared error assumed for a run that has none on record.
NOISE = 1.0
NOTHING = np.empty(0)


@dataclass(frozen=True, eq=False)
class UserPrior:
    """What is known of a user before the first rating.

    Attributes:
        mean: float64 ``[d]``, the average trained user's row.
        covariance, precision: float64 ``[d, d]``.
        noise: variance of a rating around its prediction, in rating units squared.
    """

    mean: np.ndarray
    covariance: np.ndarray
    precision: np.ndarray
    noise: float


def prior(model: TrainedModel) -> UserPrior | None:
    """The distribution of users: the model's own if it has one, else that of the trained users' rows.

    None for a model that predicts no ratings: it makes a user's row itself.

    Raises:
        CftuiError: the model cannot fold in a user.
    """
    check_folds_in(model)
    if not model.rates:
        return None
    own = model.module.row_prior()
    if own is not None:
        covariance = own.covariance.double().numpy()
        return UserPrior(own.mean.double().numpy(), covariance, np.linalg.inv(covariance), own.noise)
    rows = model.user_rows[1:].astype(np.float64)
    mean = rows.mean(axis=0) if len(rows) else model.user_rows[0].astype(np.float64)
    away = rows - mean
    covariance = away.T @ away / max(len(rows) - 1, 1)
    spread = float(np.trace(covariance)) / len(covariance)
    covariance += np.eye(len(covariance)) * (JITTER * spread or 1e-6)
    return UserPrior(mean, covariance, np.linalg.inv(covariance), model.valid_loss or NOISE)


def check_folds_in(model: TrainedModel) -> None:
    """Raises CftuiError if the model cannot fit a new user to ratings."""
    if not model.module.folds_in:
        raise CftuiError(f"no new users for this model: {model.recipe.name} knows only the users it was trained on")


def linearise(model: TrainedModel, row: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictions ``[n]`` for a user's row ``[d]`` and their gradient by it ``[n, d]``, float64.

    For ``bayes``, whose row holds many draws, the gradient is by their mean.
    """
    codes = torch.from_numpy(np.asarray(items, dtype=np.int64))
    slopes = model.module.row_slopes(codes)
    if slopes is not None:
        return model.rate(row, items).astype(np.float64), slopes.double().numpy()
    # Each prediction has a copy of the row to itself, so one backward pass gives every gradient.
    rows = torch.from_numpy(row.astype(np.float32)).expand(len(items), -1).clone().requires_grad_()
    with torch.enable_grad():
        rated = model.module.rate(rows, codes)
        if not rated.requires_grad:  # predictions that do not depend on the user
            return rated.numpy().astype(np.float64), np.zeros((len(items), len(row)))
        (gradient,) = torch.autograd.grad(rated.sum(), rows)
    return rated.detach().numpy().astype(np.float64), gradient.numpy().astype(np.float64)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A folded-in user, with the arrays that show what each rating did; they are empty if the model made the row.

    Attributes:
        row: float32 ``[d]``.
        residual: ratings less their predictions, float64 ``[n]``.
        reach: how far each rating pulls the row per unit of its residual, float64 ``[n, d]``: its gradient times the
            remaining covariance.
        leverage: variance of each prediction under that covariance, float64 ``[n]``.
    """

    row: np.ndarray
    residual: np.ndarray
    reach: np.ndarray
    leverage: np.ndarray


def fold_in(model: TrainedModel, items: np.ndarray, ratings: np.ndarray, known: UserPrior | None = None) -> np.ndarray:
    """The row of a user who gave ``items [n]`` (codes) these ``ratings [n]``: float32 ``[d]``.

    Args:
        known: the prior, if it has been computed already.
        ratings: NaN is a like without a rating, which says nothing to a model that predicts ratings.
    """
    return fit(model, items, ratings, known).row


def fit(model: TrainedModel, items: np.ndarray, ratings: np.ndarray, known: UserPrior | None = None) -> Fitted:
    """``fold_in``, with the effect of each rating on the row."""
    check_folds_in(model)
    items, ratings = _used(model, items, ratings)
    own = model.module.new_user(*_tensors(items, ratings))
    if own is not None:
        return Fitted(own.numpy(), NOTHING, NOTHING, NOTHING)
    known = known or prior(model)
    if known is None:
        raise CftuiError(f"{model.recipe.name} cannot fold in a user: its architecture makes no row from ratings")
    row, target = known.mean.copy(), np.asarray(ratings, dtype=np.float64)

    def cost(predicted: np.ndarray, row: np.ndarray) -> float:
        away = row - known.mean
        return float(np.square(target - predicted).sum() / known.noise + away @ known.precision @ away)

    predicted, gradient = linearise(model, row, items)
    now = cost(predicted, row)
    for _ in range(STEPS if len(items) else 0):
        covariance = covariance_after(known, gradient)
        residual = target - predicted + gradient @ (row - known.mean)
        step = known.mean + covariance @ (gradient.T @ residual) / known.noise - row
        share = 1.0
        while True:
            tried = row + share * step
            predicted_there, gradient_there = linearise(model, tried, items)
            there = cost(predicted_there, tried)
            if there <= now or share < LEAST_STEP:
                break
            share /= 2
        gained = now - there
        if gained < 0:
            break
        row, predicted, gradient, now = tried, predicted_there, gradient_there, there
        if gained <= TOLERANCE * (1 + now):
            break
    reach = gradient @ covariance_after(known, gradient)
    leverage = (reach * gradient).sum(axis=1)
    return Fitted(row.astype(np.float32), target - predicted, reach, leverage)


def _used(model: TrainedModel, items: np.ndarray, ratings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without likes, if the model predicts ratings."""
    if not model.rates or not np.isnan(ratings).any():
        return items, ratings
    rated = ~np.isnan(ratings)
    return items[rated], ratings[rated]


def _tensors(items: np.ndarray, ratings: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(np.asarray(items, np.int64)), torch.from_numpy(np.asarray(ratings, np.float32))


def covariance_after(known: UserPrior, gradient: np.ndarray) -> np.ndarray:
    """The covariance of a user's row after items with these gradients ``[n, d]`` are rated: ``[d, d]``."""
    return np.linalg.inv(known.precision + gradient.T @ gradient / known.noise)


def pulls(
    model: TrainedModel,
    items: np.ndarray,
    ratings: np.ndarray,
    item: int,
    known: UserPrior | None = None,
    fitted: Fitted | None = None,
) -> np.ndarray:
    """How much each of a user's ratings moves the prediction for ``item``: float64 ``[n]``, in rating units.

    Leave-one-out on the folded-in row: the prediction with all ratings less that without this one. The row without a
    rating is not fitted again but found by one step from the row with it (Sherman and Morrison), which is exact if
    predictions are linear in the row, and close otherwise. For users with many ratings only the ``EXACT`` strongest go
    through the model again; the pull of the others is taken along the gradient.

    ``bayes`` averages over its draws, each of them exact (``BayesianFactors.pulls``).

    A like without a rating moves no model of ratings: NaN.

    Args:
        fitted: the folded-in user, if computed already.
    """
    if not len(items):
        return np.empty(0)
    if model.rates and (likes := np.isnan(ratings)).any():
        found = np.full(len(items), np.nan)
        found[~likes] = pulls(model, items[~likes], ratings[~likes], item, known, fitted)
        return found
    own = model.module.pulls(*_tensors(items, ratings), item)
    if own is not None:
        return own.numpy().astype(np.float64)
    known = known or prior(model)
    assert known is not None  # a model that predicts no ratings finds its own
    fitted = fitted or fit(model, items, ratings, known)
    row = fitted.row.astype(np.float64)
    (here,), (slope,) = linearise(model, row, np.array([item]))
    change = fitted.reach * (fitted.residual / (known.noise - fitted.leverage))[:, None]
    moved = change @ slope
    most = np.argsort(-np.abs(moved), kind="stable")[:EXACT]
    without = torch.from_numpy((row - change[most]).astype(np.float32))
    with torch.no_grad():
        rated = model.module.rate(without, torch.full((len(without),), item)).numpy()
    moved[most] = here - rated.astype(np.float64)
    return moved


def questions(
    model: TrainedModel,
    items: np.ndarray,
    ratings: np.ndarray,
    n: int = 10,
    *,
    passed: np.ndarray | None = None,
    known: UserPrior | None = None,
    row: np.ndarray | None = None,
    candidates: int = 400,
) -> np.ndarray:
    """Which items to ask a new user about next: int64 codes, the most informative first.

    Among the best known items, these are the ones whose rating would reduce the summed predictive variance of all of
    them most, weighted by how likely the user knows the item at all (its share of ratings). Each is chosen as if the
    ones before it had been answered, so that they do not ask the same thing twice. For a model that predicts no ratings
    they are simply the best known items.

    Args:
        items, ratings: the answers so far ``[m]``.
        passed: items that the user skipped.
        row: ``fold_in`` of the answers, if computed already.
    """
    known = known or prior(model)
    well_known = np.argsort(-model.counts, kind="stable")
    pool = well_known[well_known != 0][:candidates]
    if known is None:
        asked = items if passed is None else np.concatenate((items, passed))
        return pool[~np.isin(pool, asked)][:n]
    row = (fold_in(model, items, ratings, known) if row is None else row).astype(np.float64)
    gradient = linearise(model, row, pool)[1]
    answered = linearise(model, row, items)[1] if len(items) else gradient[:0]
    covariance = covariance_after(known, answered)
    familiar = model.counts[pool] / max(float(model.counts[pool[0]]), 1.0)
    open_ = ~np.isin(pool, items)
    if passed is not None:
        open_ &= ~np.isin(pool, passed)
    chosen = []
    for _ in range(min(n, int(open_.sum()))):
        shared = gradient @ covariance @ gradient.T
        told = familiar * np.square(shared).sum(axis=0) / (known.noise + np.diag(shared))
        best = int(np.where(open_, told, -np.inf).argmax())
        chosen.append(int(pool[best]))
        open_[best] = False
        reach = covariance @ gradient[best]
        covariance = covariance - np.outer(reach, reach) / (known.noise + gradient[best] @ reach)
    return np.array(chosen, dtype=np.int64)

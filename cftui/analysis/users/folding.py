"""A user the model was never trained on, found from a few ratings: fold-in, and what to ask him.

The items stay as they are; only the user's row is fitted. It is ridge regression in the metric of the trained users:
minimise

    sum_i (rating_i - rate(row, item_i))^2 / noise  +  (row - mean)' P (row - mean)

with the trained users' mean and precision P (inverse covariance) and the model's mean squared error as noise, so that
nothing is left to tune: without ratings one is the average user, and every rating moves one in the directions users
are known to differ in. Where a prediction is not linear in the row (a sigmoid range, a network, a softmax), the
problem is solved by Gauss-Newton steps, each of them a ridge regression on the linearised model.

``bayes`` has a distribution of users of its own: there the row is drawn from it, one draw for each of the model's, and
what else is asked of a row's neighbourhood is answered in the mean of the draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cftui.analysis.trained import TrainedModel
from cftui.engine.bayes.posterior import BayesianFactors

STEPS = 12
TOLERANCE = 1e-6
# A Gauss-Newton step that does not help is halved, down to this share of it.
LEAST_STEP = 1e-3
# Ratings whose pull is found by predicting without them.
EXACT = 200
# Keeps the covariance of few users in many dimensions invertible.
JITTER = 1e-3
# Mean squared error taken for granted where a run has none on record.
NOISE = 1.0
NOTHING = np.empty(0)


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of a user before his first rating.

    Attributes:
        mean: float64 ``[d]``, the average trained user's row.
        covariance, precision: float64 ``[d, d]``.
        noise: variance of a rating around its prediction, in rating units squared.
    """

    mean: np.ndarray
    covariance: np.ndarray
    precision: np.ndarray
    noise: float


def prior(model: TrainedModel) -> Prior:
    """The distribution of the trained users' rows, the unknown left out; of ``bayes``, its own prior, averaged over the
    draws, in d = k + 1 dimensions."""
    if isinstance(model.module, BayesianFactors):
        return _mean_prior(model.module)
    rows = model.user_rows[1:].astype(np.float64)
    mean = rows.mean(axis=0) if len(rows) else model.user_rows[0].astype(np.float64)
    away = rows - mean
    covariance = away.T @ away / max(len(rows) - 1, 1)
    spread = float(np.trace(covariance)) / len(covariance)
    covariance += np.eye(len(covariance)) * (JITTER * spread or 1e-6)
    return Prior(mean, covariance, np.linalg.inv(covariance), model.valid_loss or NOISE)


def _mean_prior(module: BayesianFactors) -> Prior:
    prior = module.user_prior
    implicit, side = prior.shifts_of_new(torch.zeros(0, dtype=torch.int64))
    mean = (prior.mean + implicit + side).mean(dim=0).double().numpy()
    covariance = torch.linalg.inv(prior.precision.double()).mean(dim=0).numpy()
    noise = float(module.users[..., -1].mean() * module.items[..., -1].mean())
    return Prior(mean, covariance, np.linalg.inv(covariance), noise)


def linearise(model: TrainedModel, row: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictions ``[n]`` for a user's row ``[d]`` and their gradient by it ``[n, d]``, float64.

    Of ``bayes``, whose row is many draws, the gradient by their mean.
    """
    if isinstance(model.module, BayesianFactors):
        by_row = np.column_stack((model.item_factors[items], np.ones(len(items))))
        return model.rate(row, items).astype(np.float64), by_row.astype(np.float64)
    # Each prediction has a copy of the row to itself, so one backward pass gives every gradient.
    rows = torch.from_numpy(row.astype(np.float32)).expand(len(items), -1).clone().requires_grad_()
    with torch.enable_grad():
        rated = model.module.rate(rows, torch.from_numpy(np.asarray(items, dtype=np.int64)))
        (gradient,) = torch.autograd.grad(rated.sum(), rows)
    return rated.detach().numpy().astype(np.float64), gradient.numpy().astype(np.float64)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A folded-in user, with what is needed to say what each rating did; of ``bayes``, which needs nothing, empty.

    Attributes:
        row: float32 ``[d]``.
        residual: ratings less their predictions, float64 ``[n]``.
        reach: how far each rating pulls the row per unit of its residual, float64 ``[n, d]``: its gradient times the
            covariance that is left.
        leverage: variance of each prediction under that covariance, float64 ``[n]``.
    """

    row: np.ndarray
    residual: np.ndarray
    reach: np.ndarray
    leverage: np.ndarray


def fold_in(model: TrainedModel, items: np.ndarray, ratings: np.ndarray, known: Prior | None = None) -> np.ndarray:
    """The row of a user who gave ``items [n]`` (codes) these ``ratings [n]``: float32 ``[d]``.

    Args:
        known: the prior, where it is at hand already.
    """
    return fit(model, items, ratings, known).row


def fit(model: TrainedModel, items: np.ndarray, ratings: np.ndarray, known: Prior | None = None) -> Fitted:
    """``fold_in``, with what the ratings did to the row."""
    if isinstance(model.module, BayesianFactors):
        return Fitted(model.module.new_user(*_tensors(items, ratings)).numpy(), NOTHING, NOTHING, NOTHING)
    known = known or prior(model)
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


def _tensors(items: np.ndarray, ratings: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(np.asarray(items, np.int64)), torch.from_numpy(np.asarray(ratings, np.float32))


def covariance_after(known: Prior, gradient: np.ndarray) -> np.ndarray:
    """What is still uncertain of a user's row once items with these gradients ``[n, d]`` are rated: ``[d, d]``."""
    return np.linalg.inv(known.precision + gradient.T @ gradient / known.noise)


def pulls(
    model: TrainedModel,
    items: np.ndarray,
    ratings: np.ndarray,
    item: int,
    known: Prior | None = None,
    fitted: Fitted | None = None,
) -> np.ndarray:
    """How much each of a user's ratings moves the prediction for ``item``: float64 ``[n]``, in rating units.

    Leave-one-out on the folded-in row: the prediction with all ratings less that without this one. The row without a
    rating is not fitted again but found by one step from the row with it (Sherman and Morrison), which is exact where
    predictions are linear in the row, and close elsewhere. Of a user of many ratings only the ``EXACT`` that pull most
    go through the model again; for the others the pull is taken along its gradient.

    Of ``bayes`` the mean over the draws, each of them exact (``BayesianFactors.pulls``).

    Args:
        fitted: the user folded in, where that is at hand already.
    """
    if not len(items):
        return np.empty(0)
    if isinstance(model.module, BayesianFactors):
        return model.module.pulls(*_tensors(items, ratings), item).numpy().astype(np.float64)
    known = known or prior(model)
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
    known: Prior | None = None,
    row: np.ndarray | None = None,
    candidates: int = 400,
) -> np.ndarray:
    """Which items to ask a new user about next: int64 codes, what tells most first.

    Of the best known items, those whose rating would narrow most what is uncertain about all of them (the expected
    drop in summed predictive variance), times how likely it is that he knows the item at all (its share of ratings).
    Each is chosen as if the ones before it had been answered, so that they do not ask the same thing twice.

    Args:
        items, ratings: his answers so far ``[m]``.
        passed: items he had nothing to say to.
        row: what ``fold_in`` makes of the answers, where it is at hand already.
    """
    known = known or prior(model)
    row = (fold_in(model, items, ratings, known) if row is None else row).astype(np.float64)
    well_known = np.argsort(-model.counts, kind="stable")
    pool = well_known[well_known != 0][:candidates]
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

"""The features in the prior of ``bayes``: who rated what, side information, and the numbers of training ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cftui.data.features import Features, item_features, user_features
from cftui.data.ratings import Ratings
from cftui.engine.bayes.incidence import Incidence, implicit_basis, scale_of

# Implicit sets are projected on this many directions. On MovieLens 100K (u1 to u3), using all directions changes the
# RMSE by -0.001 to 0.0002 and takes twice the time.
RANK = 128
# At most this many names are used, the most frequent ones: the time for the basis of the weights grows with the cube of
# their number.
MOST_NAMES = 256


@dataclass(frozen=True, eq=False)
class PriorFeatures:
    """The features of one side, float32. A kind that is left out has no columns.

    Attributes:
        implicit: the implicit sets, projected on ``directions``, ``[n, r]``.
        directions: ``[m, r]``.
        side: side information by name, then the standardised logarithm of the count and its square, ``[n, f]``.
        counts: mean, standard deviation, minimum and maximum of that logarithm over the rows with ratings, ``[4]``.
        rated: which rows have ratings, bool ``[n]``.
    """

    implicit: Tensor
    directions: Tensor
    side: Tensor
    counts: Tensor
    rated: Tensor

    @property
    def names(self) -> Tensor:
        """The columns of ``side`` that are known of a row without ratings."""
        return self.side[:, :-2]

    def groups(self) -> dict[str, Tensor]:
        """Return the kinds of features that have columns, by the name of their attribute."""
        groups = {"implicit": self.implicit, "side": self.side}
        return {kind: x for kind, x in groups.items() if x.shape[1]}


def known_features(
    ratings: Ratings, users: Incidence, items: Incidence, implicit: bool, side: bool, generator: torch.Generator
) -> tuple[PriorFeatures, PriorFeatures]:
    """Compute the features of users and of items.

    Args:
        ratings: the data set, for the names of its side information; its ratings are not read.
        users, items: the training ratings from either side.
        implicit, side: whether to use these kinds of features.
        generator: for the randomised directions of the implicit sets.
    """
    sides = []
    for own, other, features in ((users, items, user_features), (items, users, item_features)):
        device = own.rating.device
        none = torch.zeros(own.n, 0, device=device)
        directions, sets = torch.zeros(own.m, 0, device=device), none
        if implicit:
            directions = implicit_basis(own, other, RANK, generator)
            sets = own.all_sums(directions) * scale_of(own.counts)
        log, counts = _log_counts(own.counts)
        names = _names(features(ratings)).to(device)
        columns = torch.cat((names, log, log.square()), dim=1) if side else none
        sides.append(PriorFeatures(sets, directions, columns, counts, own.counts > 0))
    return sides[0], sides[1]


def _log_counts(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return the standardised logarithms of the counts ``[n, 1]``, and the four numbers of ``PriorFeatures.counts``."""
    log = counts.float().log1p()
    rated = log[counts > 0]
    deviation, mean = torch.std_mean(rated, correction=0)
    deviation = deviation.clamp(min=1e-3)  # 0 if all counts are equal
    bounds = torch.stack((mean, deviation, rated.min(), rated.max()))
    return ((log.clamp(min=bounds[2]) - mean) / deviation).unsqueeze(1), bounds


def _names(features: Features) -> Tensor:
    """Return ``[n, f]``: for each name that a row has, 1 / sqrt(the number of names that it has)."""
    codes = torch.from_numpy(features.codes).long()
    used = np.bincount(features.codes.ravel(), minlength=len(features.names))[1:]
    kept = np.sort(np.argsort(-used, kind="stable")[:MOST_NAMES])
    having = torch.zeros(len(codes), len(features.names))
    having.scatter_(1, codes, 1.0)
    having = having[:, 1:][:, torch.from_numpy(kept)]
    return having / having.sum(dim=1, keepdim=True).clamp(min=1).sqrt()

"""What the prior of ``bayes`` knows of users and items beside their ratings' values: features of the training ratings'
who-rated-what, of side information, and of how many there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cftui.data.features import Features, item_features, user_features
from cftui.data.ratings import Ratings
from cftui.engine.bayes.incidence import Incidence, implicit_basis, scale_of

# Implicit sets are told apart in so many directions. All there are on MovieLens 100K (u1 to u3) move the RMSE by -0.001
# to 0.0002, and take twice the time.
RANK = 128
# Of more names than these the most frequent are used: the weights' basis takes the cube of their number.
MOST_NAMES = 256


@dataclass(frozen=True, eq=False)
class Known:
    """The features of one side, float32; none of a kind where it is left out.

    Attributes:
        implicit, directions: ``[n, r]``, ``[m, r]``.
        side: ``[n, f]``, side information by name, then the standardised logarithm of the count, and its square.
        counts: ``[4]``, mean, standard deviation, least and largest of that logarithm.
    """

    implicit: Tensor
    directions: Tensor
    side: Tensor
    counts: Tensor

    def groups(self) -> dict[str, Tensor]:
        """Those there are, by the name of their attribute."""
        groups = {"implicit": self.implicit, "side": self.side}
        return {kind: x for kind, x in groups.items() if x.shape[1]}


def known_features(
    ratings: Ratings, users: Incidence, items: Incidence, implicit: bool, side: bool, generator: torch.Generator
) -> tuple[Known, Known]:
    """Of users and of items.

    Args:
        users, items: the training ratings from either side; no others are looked at.
        implicit, side: whether to use these kinds.
    """
    found = []
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
        found.append(Known(sets, directions, columns, counts))
    return found[0], found[1]


def _log_counts(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Standardised logarithms ``[n, 1]``, and what standardised them (``Known.counts``)."""
    log = counts.float().log1p()
    known = log[1:] if len(log) > 1 else log
    deviation, mean = torch.std_mean(known, correction=0)
    deviation = deviation.clamp(min=1e-3)  # all alike
    bounds = torch.stack((mean, deviation, known.min(), known.max()))
    return ((log.clamp(min=bounds[2]) - mean) / deviation).unsqueeze(1), bounds


def _names(features: Features) -> Tensor:
    """``[n, f]``: one over the root of how many a row has, for each that it has."""
    codes = torch.from_numpy(features.codes).long()
    used = np.bincount(features.codes.ravel(), minlength=len(features.names))[1:]
    kept = np.sort(np.argsort(-used, kind="stable")[:MOST_NAMES])
    having = torch.zeros(len(codes), len(features.names))
    having.scatter_(1, codes, 1.0)
    having = having[:, 1:][:, torch.from_numpy(kept)]
    return having / having.sum(dim=1, keepdim=True).clamp(min=1).sqrt()

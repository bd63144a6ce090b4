"""What a rating is worth to a model that learns what people choose: its input value, from 0 to 1."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cftui.data.ratings import Ratings
from cftui.engine.fitting import rows_on


def input_values(rating: Tensor, scale: tuple[float, float], graded: bool = True, counted: bool = False) -> Tensor:
    """The input values of ratings ``[n]``, float32 ``[n]``.

    Without grades every rating is worth 1: all that counts is that the item was chosen. Graded values go along the
    curve 6t^5 - 15t^4 + 10t^3, where t is the place on the rating scale from 0 to 1: ratings of 1 to 5 become 0, .10,
    .5, .90 and 1. The curve is flat at both ends, because whether somebody gave a 4 or a 5 says little about what they
    will choose next. The values 0, .1, .5, .9, 1, found by search on the inner training rows of MovieLens 100K, lie
    within 0.004 of it.

    Counts have no scale: graded, a count of c is worth log2(1 + c), so that the first choice counts most.

    Args:
        scale: the lowest and the highest rating. If they are equal, every value is 1.
    """
    low, high = scale
    if counted and graded:
        return torch.log2(1 + rating.float())
    if not graded or high <= low:
        return torch.ones_like(rating, dtype=torch.float32)
    t = ((rating.double() - low) / (high - low)).clamp(0, 1)
    return (t**3 * (t * (6 * t - 15) + 10)).float()


def chosen_until(ratings: Ratings, rows: np.ndarray) -> np.ndarray:
    """What users chose and did not rate, until the last of their ratings among ``rows``.

    User, item and time, int64 ``[3, m]``. What came later is left out: it would tell of the time that is to be
    predicted. With all ratings, nothing is to be predicted.
    """
    known = ratings.unrated
    if known is None:
        return np.zeros((3, 0), np.int64)
    found = np.stack((known.user, known.item, known.timestamp))
    if len(rows) == len(ratings):
        return found
    last = np.full(len(ratings.users), np.iinfo(np.int64).min)
    np.maximum.at(last, ratings.user[rows], ratings.timestamp[rows])
    return found[:, found[2] <= last[found[0]]]


# Buffers of ``Histories`` that runs of earlier versions lack.
HISTORIES_LATER = ("histories.counted", "histories.unrated")


class Histories(nn.Module):
    """What each user chose, with input values: a sparse matrix ``[users, items]`` in compressed rows.

    Attributes:
        starts: where each user's entries begin, int64 ``[users + 1]``.
        items: item codes, int32 ``[n]``, ascending for each user.
        values: input values, float32 ``[n]``.
        scale: the lowest and the highest rating, ``[2]``.
        graded, counted: whether input values are graded, and whether what they are made of is counts: bool ``[1]``.
        unrated: the input value of what was chosen and not rated, ``[1]``.
    """

    starts: Tensor
    items: Tensor
    values: Tensor
    scale: Tensor
    graded: Tensor
    counted: Tensor
    unrated: Tensor

    def __init__(self, users: int, items: int) -> None:
        super().__init__()
        self.users_known, self.items_known = users, items
        self.register_buffer("starts", torch.zeros(users + 1, dtype=torch.int64))
        self.register_buffer("items", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("values", torch.zeros(0))
        self.register_buffer("scale", torch.zeros(2))
        self.register_buffer("graded", torch.zeros(1, dtype=torch.bool))
        self.register_buffer("counted", torch.zeros(1, dtype=torch.bool))
        self.register_buffer("unrated", torch.ones(1))

    @classmethod
    def of(cls, ratings: Ratings, rows: np.ndarray, graded: bool, device: torch.device) -> Histories:
        """The histories that the ratings in ``rows`` are, on the device, and what was chosen and not rated until then.

        What was not rated is worth as much as the mean of the ratings.
        """
        user, item, rating = rows_on(device, ratings, rows)
        self = cls(len(ratings.users), len(ratings.items)).to(device)
        self.scale = torch.tensor(ratings.rating_range, dtype=torch.float32, device=device)
        self.graded = torch.tensor([graded], device=device)
        self.counted = torch.tensor([ratings.counted], device=device)
        key, values = user * self.items_known + item, self.value(rating)
        chosen = torch.from_numpy(chosen_until(ratings, rows)).to(device)
        if chosen.numel():
            self.unrated = values.mean().reshape(1)
            more = chosen[0] * self.items_known + chosen[1]
            more = more[~torch.isin(more, key)]
            key, values = torch.cat((key, more)), torch.cat((values, self.unrated.expand(len(more))))
        key, order = key.sort(stable=True)
        values = values[order]
        # Somebody may have rated two ids of one title: the higher rating counts.
        key, groups = key.unique_consecutive(return_inverse=True)
        self.values = values.new_zeros(len(key)).scatter_reduce_(0, groups, values, "amax")
        self.items = (key % self.items_known).int()
        counts = torch.bincount(key // self.items_known, minlength=self.users_known)
        self.starts = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
        return self

    def value(self, rating: Tensor) -> Tensor:
        """The input values of ratings ``[n]``; NaN is what was chosen and not rated."""
        low, high = self.scale.tolist()
        values = input_values(rating, (low, high), bool(self.graded), bool(self.counted))
        return torch.where(rating.isnan(), self.unrated, values)

    def of_user(self, user: int) -> tuple[Tensor, Tensor]:
        """One user's item codes int64 ``[n]`` and input values ``[n]``."""
        start, stop = self.starts[user], self.starts[user + 1]
        return self.items[start:stop].long(), self.values[start:stop]

    def dense(self, users: Tensor, weights: Tensor | None = None, entries: int | None = None) -> Tensor:
        """The rows of users ``[b]``, ``[b, items]``.

        Args:
            weights: what each entry is multiplied by, ``[n]``.
            entries: the number of entries of these users; if it is not given, the device has to be asked for it.
        """
        values = self.values if weights is None else self.values * weights
        users = users.long()
        starts = self.starts[users]
        counts = self.starts[users + 1] - starts
        row = torch.repeat_interleave(torch.arange(len(users), device=users.device), counts, output_size=entries)
        first = counts.cumsum(0) - counts
        at = torch.arange(len(row), device=users.device) - first[row] + starts[row]
        found = self.values.new_zeros(len(users), self.items_known)
        found[row, self.items[at].long()] = values[at]
        return found

    def row(self, items: Tensor, rating: Tensor) -> Tensor:
        """The row of a new user who gave ``items [n]`` these ratings ``[n]``: ``[items]``."""
        found = self.values.new_zeros(self.items_known)
        return found.scatter_reduce_(0, items.long(), self.value(rating), "amax", include_self=True)

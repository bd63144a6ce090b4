"""What posterior draws say about a row before its ratings: the prior of users, or of items."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Expected(NamedTuple):
    """The prior of one row in each draw: what its mean is the sum of ``[S, d]``, and its precision ``[S, d, d]``."""

    mean: Tensor
    implicit: Tensor
    side: Tensor
    precision: Tensor

    @property
    def expected(self) -> Tensor:
        return self.mean + self.implicit + self.side


class Prior(nn.Module):
    """The prior of the rows of one side in each of S draws, d = k + 1.

    Attributes:
        mean, precision: of rows with ratings, ``[S, d]``, ``[S, d, d]``.
        shape: ``[S]``: a noise precision is Gamma(shape, shape).
        implicit, implicit_weights: features of each row ``[n, r]`` and their weights ``[S, r, d]``; together they shift
            the prior's mean.
        directions: ``[m, r]``: a set's implicit features are the sum of its members' over the root of their number.
        side, side_weights: the same for side information and counts, ``[n, f]``, ``[S, f, d]``; the last two columns of
            ``side`` are the standardised logarithm of the number of ratings, and its square.
        counts: ``[4]``, for standardising that logarithm: mean, standard deviation, lowest and highest value.
        rated: which rows have ratings, bool ``[n]``.
        new_mean, new_precision, new_weights: of rows without ratings, whose mean is shifted by side information without
            counts only: ``[S, d]``, ``[S, d, d]``, ``[S, f - 2, d]``. Runs from before these were drawn have none.
    """

    mean: Tensor
    precision: Tensor
    shape: Tensor
    implicit: Tensor
    implicit_weights: Tensor
    directions: Tensor
    side: Tensor
    side_weights: Tensor
    counts: Tensor
    rated: Tensor
    new_mean: Tensor
    new_precision: Tensor
    new_weights: Tensor

    # What older runs do not have.
    LATER = ("rated", "new_mean", "new_precision", "new_weights")

    def __init__(self, n: int, m: int, d: int) -> None:
        super().__init__()
        sizes = {
            "mean": (0, d),
            "precision": (0, d, d),
            "shape": (0,),
            "implicit": (n, 0),
            "implicit_weights": (0, 0, d),
            "directions": (m, 0),
            "side": (n, 0),
            "side_weights": (0, 0, d),
            "counts": (4,),
            "new_mean": (0, d),
            "new_precision": (0, d, d),
            "new_weights": (0, 0, d),
        }
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(size))
        self.register_buffer("rated", torch.ones(n, dtype=torch.bool))

    def of(self, row: int) -> Expected:
        """The prior of a row of the training ratings."""
        if self.rated[row] or not len(self.new_mean):
            return self._of_rated(self.implicit[row], self.side[row])
        return self._of_newcomer(self.side[row])

    def of_new(self, rated: Tensor) -> Expected:
        """The prior of a new user whose only known fact is the implicit set ``rated [n]`` (codes).

        Side information is that of the average row, except for the number of ratings.
        """
        rated = rated.unique()
        side = self.side[1:].mean(dim=0) if len(self.side) > 1 else self.side[0]
        if not len(rated) and len(self.new_mean):
            return self._of_newcomer(side)
        implicit = self.directions.index_select(0, rated).sum(dim=0) / math.sqrt(max(1, len(rated)))
        if len(side):
            mean, deviation, least, largest = self.counts.tolist()
            # Not beyond the counts that the model was trained on.
            level = (min(max(math.log1p(len(rated)), least), largest) - mean) / deviation
            side = torch.cat((side[:-2], side.new_tensor([level, level**2])))
        return self._of_rated(implicit, side)

    def expected_newcomers(self, rows: Tensor) -> Tensor:
        """The expectations in each draw of ``rows [n]``, as if they had no ratings: ``[n, S, d]``."""
        names = self.side[rows, : self.new_weights.shape[1]]
        return self.new_mean + torch.einsum("sfd,nf->nsd", self.new_weights, names)

    def _of_rated(self, implicit: Tensor, side: Tensor) -> Expected:
        shifts = (
            torch.einsum("srd,r->sd", self.implicit_weights, implicit),
            torch.einsum("sfd,f->sd", self.side_weights, side),
        )
        return Expected(self.mean, *shifts, self.precision)

    def _of_newcomer(self, side: Tensor) -> Expected:
        names = torch.einsum("sfd,f->sd", self.new_weights, side[: self.new_weights.shape[1]])
        return Expected(self.new_mean, torch.zeros_like(names), names, self.new_precision)

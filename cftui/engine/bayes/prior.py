"""What posterior draws say about a row before its ratings: the prior of users, or of items."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Prior(nn.Module):
    """The prior of the rows of one side in each of S draws, d = k + 1.

    Attributes:
        mean, precision: ``[S, d]``, ``[S, d, d]``.
        shape: ``[S]``: a noise precision is Gamma(shape, shape).
        implicit, implicit_weights: features of each row ``[n, r]`` and their weights ``[S, r, d]``; together they shift
            the prior's mean.
        directions: ``[m, r]``: a set's implicit features are the sum of its members' over the root of their number.
        side, side_weights: the same for side information and counts, ``[n, f]``, ``[S, f, d]``; the last two columns of
            ``side`` are the standardised logarithm of the number of ratings, and its square.
        counts: ``[4]``, for standardising that logarithm: mean, standard deviation, lowest and highest value.
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

    # Each draw has its own of these; the others are the same for all draws.
    DRAWN = ("mean", "precision", "shape", "implicit_weights", "side_weights")

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
        }
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(size))

    def shifts(self, row: int) -> tuple[Tensor, Tensor]:
        """What a row's implicit set and its side information add to the prior's mean: two ``[S, d]``."""
        return self._shifts(self.implicit[row], self.side[row])

    def _shifts(self, implicit: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
        return (
            torch.einsum("srd,r->sd", self.implicit_weights, implicit),
            torch.einsum("sfd,f->sd", self.side_weights, side),
        )

    def shifts_of_new(self, rated: Tensor) -> tuple[Tensor, Tensor]:
        """The same for a new user whose only known fact is the implicit set ``rated [n]`` (codes).

        Side information is that of the average row, except for the number of ratings.
        """
        rated = rated.unique()
        implicit = self.directions.index_select(0, rated).sum(dim=0) / math.sqrt(max(1, len(rated)))
        side = self.side[1:].mean(dim=0) if len(self.side) > 1 else self.side[0]
        if len(side):
            mean, deviation, least, largest = self.counts.tolist()
            # Not beyond the counts that the model was trained on.
            level = (min(max(math.log1p(len(rated)), least), largest) - mean) / deviation
            side = torch.cat((side[:-2], side.new_tensor([level, level**2])))
        return self._shifts(implicit, side)

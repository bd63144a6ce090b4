"""Who rated what: the Gibbs sampler's sums over the ratings of a user or an item.

Each sum adds in the order of the ratings, on a GPU as well, so that it has the same bits every time; a sparse matrix
product of cuSPARSE has not.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor

# Intermediate results hold at most this many floats at a time. This bounds the memory and does not change the result.
CELLS = 16_000_000
# The randomised range finder (Halko, Martinsson and Tropp 2011) draws OVERSAMPLING more directions than are needed and
# makes PASSES passes over the data.
OVERSAMPLING, PASSES = 16, 3


class Incidence:
    """The ratings seen from one side, in blocks of rows.

    The rows are users and the columns items, or the other way round.

    Args:
        row, column: codes ``[N]``.
        rating: float32 ``[N]``.
        n, m: the numbers of rows and columns.
        width: the floats that a caller computes per row; a block has as many rows as ``CELLS`` allows.

    Attributes:
        row, column: int32 ``[N]``, with ascending rows.
        rating: the ratings in the same order, float32 ``[N]``.
        order: the position of each rating in the arguments, int64 ``[N]``.
        counts: the number of ratings in each row, int64 ``[n]``.
        blocks: the first row of each block and the row after its last.
    """

    def __init__(self, row: Tensor, column: Tensor, rating: Tensor, n: int, m: int, width: int) -> None:
        self.n, self.m = n, m
        self.order = row.argsort(stable=True)
        self.row, self.column = row[self.order].int(), column[self.order].int()
        self.rating = rating[self.order]
        self.counts = torch.bincount(row, minlength=n)
        self._starts = torch.cat((self.counts.new_zeros(1), self.counts.cumsum(0)))
        edges = [*range(0, n, max(1, CELLS // width)), n]
        self.blocks = list(itertools.pairwise(edges))
        # Where each block's ratings begin and end, and within them each row's.
        self._spans = [(int(self._starts[start]), int(self._starts[stop])) for start, stop in self.blocks]
        self._offsets = [
            (self._starts[start : stop + 1] - first).int()
            for (start, stop), (first, _) in zip(self.blocks, self._spans, strict=True)
        ]

    def sums(self, block: int, table: Tensor, values: Tensor | None = None) -> Tensor:
        """For each row of a block, sum the rows of ``table [m, w]`` that it rated: ``[rows of the block, w]``.

        Args:
            values: what each rating's row of the table is multiplied by, ``[N]``.
        """
        first, last = self._spans[block]
        return F.embedding_bag(
            self.column[first:last],
            table,
            self._offsets[block],
            mode="sum",
            per_sample_weights=None if values is None else values[first:last],
            include_last_offset=True,
        )

    def weighted_sums(self, block: int, table: Tensor) -> Tensor:
        """Do the same as ``sums``, with each row of the table multiplied by the rating."""
        return self.sums(block, table, self.rating)

    def all_sums(self, table: Tensor) -> Tensor:
        """Return ``sums`` for the rows of all blocks: ``[n, w]``."""
        return torch.cat([self.sums(block, table) for block in range(len(self.blocks))])

    def totals(self, values: Tensor, weights: Tensor) -> Tensor:
        """For each row, sum ``values [N]`` times ``weights [m]`` over its ratings: ``[n]``.

        The values must be in the order of ``row``.
        """
        parts = [self.sums(block, weights.unsqueeze(1), values) for block in range(len(self.blocks))]
        return torch.cat(parts).squeeze(1)


def scale_of(counts: Tensor) -> Tensor:
    """Return the factor by which SVD++ scales an implicit set, 1 / sqrt(count): ``[n] -> float32 [n, 1]``."""
    return counts.clamp(min=1).float().rsqrt().unsqueeze(1)


def implicit_basis(own: Incidence, other: Incidence, rank: int, generator: torch.Generator) -> Tensor:
    """Return orthonormal directions ``[m, rank]`` in which the implicit sets differ most.

    These are the leading right singular vectors of the incidence of ``own`` after each row is divided by the root of
    its count. A randomised range finder computes them. If there are at most ``rank`` columns, the result is the
    identity ``[m, m]``.
    """
    device = own.rating.device
    if own.m <= rank:
        return torch.eye(own.m, device=device)
    scale = scale_of(own.counts)
    probe = torch.randn(own.m, min(own.m, rank + OVERSAMPLING), generator=generator).to(device)
    for _ in range(PASSES):
        probe = torch.linalg.qr(other.all_sums(own.all_sums(probe) * scale.square())).Q
    image = own.all_sums(probe) * scale
    directions = torch.linalg.eigh(image.T @ image).eigenvectors[:, -rank:]
    return probe @ directions

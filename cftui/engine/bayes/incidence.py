"""Who rated what, as sparse rows: what the Gibbs sampler's sums over ratings are products with."""

from __future__ import annotations

import itertools
import warnings

import torch
from torch import Tensor

# Floats of intermediate results held at a time: bounds the memory, not the result.
CELLS = 16_000_000
# Directions beyond those wanted, and passes over the data, of the randomised basis (Halko, Martinsson and Tropp 2011).
OVERSAMPLING, PASSES = 16, 3


class Incidence:
    """The ratings from one side, ``n`` rows of users or items against ``m`` of the other, in blocks of rows.

    Args:
        row, column: codes ``[N]``.
        rating: float32 ``[N]``.
        width: floats that are made of each row at a time; a block has so many rows as ``CELLS`` allows.

    Attributes:
        row, column: int32 ``[N]``, the rows ascending.
        rating: in the same order.
        order: int64 ``[N]``, where each stood in what was given.
        counts: int64 ``[n]``, ratings of each row.
        blocks: first and last (exclusive) row of each block.
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
        ones = torch.ones_like(self.rating)
        self._known = [self._sparse(block, ones) for block in self.blocks]
        self._rated = [self._sparse(block, self.rating) for block in self.blocks]

    def _sparse(self, block: tuple[int, int], values: Tensor) -> Tensor:
        start, stop = block
        first, last = int(self._starts[start]), int(self._starts[stop])
        starts = (self._starts[start : stop + 1] - first).int()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "in beta state"
            return torch.sparse_csr_tensor(
                starts, self.column[first:last], values[first:last], (stop - start, self.m), check_invariants=False
            )

    def sums(self, block: int, table: Tensor) -> Tensor:
        """Sum of the rows of ``table [m, w]`` over each row's ratings: ``[rows of the block, w]``."""
        return self._known[block] @ table

    def weighted_sums(self, block: int, table: Tensor) -> Tensor:
        """The same, each row of the table times the rating."""
        return self._rated[block] @ table

    def all_sums(self, table: Tensor) -> Tensor:
        """``sums`` over all blocks: ``[n, w]``."""
        return torch.cat([self.sums(block, table) for block in range(len(self.blocks))])

    def totals(self, values: Tensor, weights: Tensor) -> Tensor:
        """Sum of ``values [N] * weights [m]`` over each row's ratings: ``[n]``. The values are in this order."""
        parts = [self._sparse(block, values) @ weights.unsqueeze(1) for block in self.blocks]
        return torch.cat(parts).squeeze(1)


def scale_of(counts: Tensor) -> Tensor:
    """What an implicit set of so many is divided by, as SVD++ does: ``[n] -> float32 [n, 1]``."""
    return counts.clamp(min=1).float().rsqrt().unsqueeze(1)


def implicit_basis(own: Incidence, other: Incidence, rank: int, generator: torch.Generator) -> Tensor:
    """Directions ``[m, rank]`` in which the implicit sets differ most, orthonormal: of X, the incidence of ``own`` with
    every row divided by the root of its count, the leading right singular vectors, found by a randomised range finder.

    All of them, the identity, where there are no more than ``rank`` columns.
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

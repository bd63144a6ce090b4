"""Who rated what: the Gibbs sampler's sums over the ratings of a user or an item.

Each sum adds in the order of the ratings, on a GPU as well, so that it has the same bits every time; a sparse matrix
product of cuSPARSE has not.

If several processes fit together, each has the ratings of a stretch of rows and computes their sums.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor

from cftui.engine.ranks import ALONE, Ranks

# Intermediate results hold at most this many floats at a time. This bounds the memory and does not change the result.
CELLS = 16_000_000
# The randomised range finder (Halko, Martinsson and Tropp 2011) draws OVERSAMPLING more directions than are needed and
# makes PASSES passes over the data.
OVERSAMPLING, PASSES = 16, 3
# Solving for a row takes about as long as adding up this many ratings.
ROW_RATINGS = 8
# The last bit of what LAPACK computes for a row depends on where in a cache line its matrix begins. In a batch of
# matrices that repeats after this many rows, whatever the size of a matrix of floats.
ALIGNED_ROWS = 16


class Incidence:
    """The ratings seen from one side, in blocks of rows.

    The rows are users and the columns items, or the other way round.

    Args:
        row, column: codes ``[N]``.
        rating: float32 ``[N]``.
        n, m: the numbers of rows and columns.
        width: the floats that a caller computes per row; a block has as many rows as ``CELLS`` allows.
        ranks: the processes, which share the rows.

    Attributes:
        size: N, the number of ratings of all processes.
        row, column: int32 ``[own ratings]``, with ascending rows.
        rating: the ratings in the same order, float32.
        order: the position of each rating in the arguments, int64.
        counts: the number of ratings in each row, int64 ``[n]``.
        blocks: the first row of each block and the row after its last.
        own: the same for this process's part of each block, which may be empty.
    """

    def __init__(
        self, row: Tensor, column: Tensor, rating: Tensor, n: int, m: int, width: int, ranks: Ranks = ALONE
    ) -> None:
        self.n, self.m, self.size, self._ranks = n, m, len(row), ranks
        self.counts = torch.bincount(row, minlength=n)
        edges = [*range(0, n, max(1, CELLS // width)), n]
        self.blocks = list(itertools.pairwise(edges))
        stretches = self._stretches(ranks.size)
        self._rows = [stop - start for start, stop in stretches]
        own_start, own_stop = stretches[ranks.rank]
        starts = torch.cat((self.counts.new_zeros(1), self.counts.cumsum(0)))
        span = slice(int(starts[own_start]), int(starts[own_stop]))
        # Copied, so that nothing of the others' ratings is kept.
        order = row.argsort(stable=True)
        self.order = order if ranks.size == 1 else order[span].clone()
        del order
        self.row, self.column = row[self.order].int(), column[self.order].int()
        self.rating = rating[self.order]
        self.own = [(max(start, own_start), min(stop, own_stop)) for start, stop in self.blocks]
        self.own = [(start, max(start, stop)) for start, stop in self.own]
        # Where the ratings of each part begin and end, and within them each row's.
        starts -= span.start
        self._spans = [(int(starts[start]), int(starts[stop])) if start < stop else (0, 0) for start, stop in self.own]
        self._offsets = [
            (starts[start : stop + 1] - first).int()
            for (start, stop), (first, _) in zip(self.own, self._spans, strict=True)
        ]

    def _stretches(self, processes: int) -> list[tuple[int, int]]:
        """The rows of each process, the first and the one after the last: about the same work for all."""
        work = (self.counts + ROW_RATINGS).cumsum(0)
        targets = torch.arange(1, processes, device=work.device) * work[-1] / processes
        edges = torch.searchsorted(work.double(), targets.double()).tolist()
        # As far from the block's first row as whole cache lines are.
        starts = [next(start for start, stop in self.blocks if row < stop) for row in edges]
        edges = [start + (row - start) // ALIGNED_ROWS * ALIGNED_ROWS for row, start in zip(edges, starts, strict=True)]
        return list(itertools.pairwise([0, *edges, self.n]))

    def gathered(self, rows: Tensor) -> Tensor:
        """What all processes computed for their rows, ``[own rows, ...]``, together: ``[n, ...]``."""
        return rows if self._ranks.size == 1 else torch.cat(self._ranks.gather(rows, self._rows))

    def sums(self, block: int, table: Tensor, values: Tensor | None = None) -> Tensor:
        """For each own row of a block, sum the rows of ``table [m, w]`` that it rated: ``[own rows, w]``.

        Args:
            values: what each rating's row of the table is multiplied by, ``[own ratings]``.
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
        return self.gathered(self._own_sums(table))

    def totals(self, values: Tensor, weights: Tensor) -> Tensor:
        """For each row, sum ``values [own ratings]`` times ``weights [m]`` over its ratings: ``[n]``.

        The values must be in the order of ``row``.
        """
        return self.gathered(self._own_sums(weights.unsqueeze(1), values)).squeeze(1)

    def _own_sums(self, table: Tensor, values: Tensor | None = None) -> Tensor:
        parts = [self.sums(block, table, values) for block, (start, stop) in enumerate(self.own) if start < stop]
        return torch.cat(parts) if parts else table.new_zeros(0, table.shape[1])


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

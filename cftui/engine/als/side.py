"""One side of an alternating least-squares problem: every row's normal equations, in batches of like rows.

Several processes take turns with the batches, and each has the ratings of its own batches' rows only.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from cftui.engine.device import workers
from cftui.engine.ranks import ALONE, Ranks

# Gathered factors at a time: what fits the caches of a CPU, or keeps a GPU busy.
CELLS, CELLS_CUDA = 2**20, 2**27


class Side:
    """The ratings seen from one side, rows sorted by their number of ratings so that a batch is padded little.

    The rows are users and the columns items, or the other way round.

    Args:
        row, column: codes ``[N]``.
        value: targets, float32 ``[N]``.
        n, m: the numbers of rows and columns.
        k: the number of factors that ``solve`` finds.
        ranks: the processes, which share the rows.

    Attributes:
        counts: the number of ratings in each row, int64 ``[n]``.
    """

    def __init__(
        self, row: Tensor, column: Tensor, value: Tensor, n: int, m: int, k: int, ranks: Ranks = ALONE
    ) -> None:
        self.n, self.m, self._ranks = n, m, ranks
        self.counts = torch.bincount(row, minlength=n)
        batches = list(self._batches(k, CELLS_CUDA if value.device.type == "cuda" else CELLS))
        # Batch after batch to the next process: their rows have about as many ratings.
        shares = [batches[rank :: ranks.size] for rank in range(ranks.size)]
        self._rows_of = [torch.cat([self.counts[:0], *(rows for rows, _ in share)]) for share in shares]
        self._own_batches, self._turns = shares[ranks.rank], len(batches)
        own_counts = self.counts
        if ranks.size > 1:
            is_own = torch.zeros(n, dtype=torch.bool, device=row.device)
            is_own[self._rows_of[ranks.rank]] = True
            kept = is_own[row]
            row, column, value = row[kept], column[kept], value[kept]
            own_counts = torch.where(is_own, self.counts, 0)
        order = row.argsort(stable=True)
        # The last entry is the padding: column m, whose factors are 0.
        self.column = torch.cat((column[order].int(), column.new_full((1,), m).int()))
        self.value = torch.cat((value[order], value.new_zeros(1)))
        self._starts = own_counts.cumsum(0) - own_counts

    def _batches(self, k: int, cells: int) -> Iterator[tuple[Tensor, int]]:
        """The rows with ratings, those with few first, in batches that are solved at once, with the most of a row."""
        by_count = self.counts.argsort(stable=True)
        ordered = self.counts[by_count].tolist()
        start = ordered.count(0)
        while start < self.n:
            # As many rows as fit at the width of the last of them.
            stop = min(self.n, start + max(1, cells // (max(ordered[start], k) * k)))
            stop = min(stop, start + max(1, cells // (max(ordered[stop - 1], k) * k)))
            yield by_count[start:stop], ordered[stop - 1]
            start = stop

    def sums(self, table: Tensor) -> Tensor:
        """For each row, the sum of its columns' rows of ``table [m, w]``, each times its target: ``[n, w]``."""
        ends = torch.cat((self._starts, self._starts.new_full((1,), len(self.value) - 1))).int()
        on_cpu = table.device.type == "cpu"
        return self._together(self._sparse_sums(table, ends) if on_cpu else self._ordered_sums(table, ends))

    def _ordered_sums(self, table: Tensor, ends: Tensor) -> Tensor:
        """``sums`` for a GPU, in the order of the ratings: cuSPARSE's sums differ from run to run."""
        column, value = self.column[:-1], self.value[:-1]
        return F.embedding_bag(column, table, ends, mode="sum", per_sample_weights=value, include_last_offset=True)

    def _sparse_sums(self, table: Tensor, ends: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "in beta state"
            rows = torch.sparse_csr_tensor(
                ends, self.column[:-1], self.value[:-1], (self.n, self.m), check_invariants=False
            )
        return rows @ table

    def _together(self, found: Tensor) -> Tensor:
        """What all processes have found for their own rows, from ``found [n, w]`` of each: ``[n, w]``."""
        if self._ranks.size > 1:
            parts = self._ranks.gather(found[self._rows_of[self._ranks.rank]], list(map(len, self._rows_of)))
            for rows, part in zip(self._rows_of, parts, strict=True):
                found[rows] = part
        return found

    def solve(
        self,
        table: Tensor,
        base: Tensor,
        ridge: Tensor,
        after_batch: Callable[[], bool] = lambda: False,
    ) -> tuple[Tensor, float] | None:
        """Each row's least-squares factors: minimise sum (y - x'q)^2 over its columns, plus x' (base + ridge I) x.

        Args:
            table: the factors of the columns, ``[m, k]``.
            base: ``[k, k]``.
            ridge: ``[n]``.
            after_batch: called after each batch; once it returns true the work is given up.

        Returns:
            The factors ``[n, k]``, and by how much they lower the sum of the squared targets; None if given up.

        Raises:
            torch.linalg.LinAlgError: an equation has no solution.
        """
        k = table.shape[1]
        padded = torch.cat((table, table.new_zeros(1, k)))
        found, gains = table.new_zeros(self.n, k), table.new_zeros(self._turns, dtype=torch.float64)

        @torch.no_grad()  # each thread has to be told
        def solved(batch: tuple[Tensor, int]) -> Tensor:
            """Write the factors of a batch of rows into ``found``; return their gain."""
            rows, width = batch
            place = torch.arange(width, device=table.device)
            at = torch.where(
                place < self.counts[rows].unsqueeze(1), self._starts[rows].unsqueeze(1) + place, len(self.value) - 1
            ).view(-1)
            # On the CPU, this gathers ten times as fast as an index, and so does a product from the left.
            known = padded.index_select(0, self.column.index_select(0, at)).view(len(rows), width, k)
            moment = (self.value.index_select(0, at).view(len(rows), 1, width) @ known).squeeze(1)
            matrix = torch.baddbmm(base, known.transpose(1, 2), known)
            matrix.diagonal(dim1=1, dim2=2).add_(ridge[rows].unsqueeze(1))
            # Whether it failed is asked once, at the end: each answer takes a wait for the device.
            root, failed = torch.linalg.cholesky_ex(matrix)
            factors = torch.cholesky_solve(moment.unsqueeze(2), root).squeeze(2)
            found[rows] = factors
            gain = (factors * moment).sum(dtype=torch.float64)
            # Told to all processes by the number.
            return torch.where(failed.any(), math.nan, gain)

        with workers(table.device) as each:
            for turn, gain in enumerate(each(solved, self._own_batches)):
                gains[self._ranks.rank + turn * self._ranks.size] = gain
                if after_batch():
                    return None
        # Added up in the order of the batches, whoever solved them.
        gained = sum(self._ranks.sum(gains).tolist())
        if math.isnan(gained):
            raise torch.linalg.LinAlgError("a matrix is not positive definite")
        return self._together(found), gained

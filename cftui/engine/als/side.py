"""One side of an alternating least-squares problem: every row's normal equations, in batches of like rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# Gathered factors at a time: what fits the caches of a CPU, or keeps a GPU busy.
CELLS, CELLS_CUDA = 2**20, 2**27


class Side:
    """The ratings seen from one side, rows sorted by their number of ratings so that a batch is padded little.

    The rows are users and the columns items, or the other way round.

    Args:
        row, column: codes ``[N]``.
        value: targets, float32 ``[N]``.
        n, m: the numbers of rows and columns.
    """

    def __init__(self, row: Tensor, column: Tensor, value: Tensor, n: int, m: int) -> None:
        self.n, self.m = n, m
        order = row.argsort(stable=True)
        # The last entry is the padding: column m, whose factors are 0.
        self.column = torch.cat((column[order].int(), column.new_full((1,), m).int()))
        self.value = torch.cat((value[order], value.new_zeros(1)))
        self.counts = torch.bincount(row, minlength=n)
        self._starts = self.counts.cumsum(0) - self.counts
        self._by_count = self.counts.argsort(stable=True)
        # The same numbers in ascending order, on the host, where batches are cut without waiting for a GPU.
        self._widths: list[int] = self.counts[self._by_count].tolist()

    def sums(self, table: Tensor) -> Tensor:
        """For each row, the sum of its columns' rows of ``table [m, w]``, each times its target: ``[n, w]``."""
        ends = torch.cat((self._starts, self._starts.new_full((1,), len(self.value) - 1))).int()
        return self._sparse_sums(table, ends) if table.device.type == "cpu" else self._ordered_sums(table, ends)

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
        found, gained = table.new_zeros(self.n, k), table.new_zeros((), dtype=torch.float64)
        unsolved = torch.zeros((), dtype=torch.int32, device=table.device)
        most = CELLS_CUDA if table.device.type == "cuda" else CELLS
        eye = torch.eye(k, device=table.device)
        start = self._widths.count(0)
        while start < self.n:
            width = self._widths[start]
            # As many rows as fit at the width of the last of them.
            stop = min(self.n, start + max(1, most // (max(width, k) * k)))
            width = self._widths[stop - 1]
            stop = min(stop, start + max(1, most // (max(width, k) * k)))
            rows = self._by_count[start:stop]
            width = self._widths[stop - 1]
            place = torch.arange(width, device=table.device)
            at = torch.where(
                place < self.counts[rows].unsqueeze(1), self._starts[rows].unsqueeze(1) + place, len(self.value) - 1
            ).view(-1)
            # On the CPU, this gathers ten times as fast as an index, and so does a product from the left.
            known = padded.index_select(0, self.column.index_select(0, at)).view(len(rows), width, k)
            moment = (self.value.index_select(0, at).view(len(rows), 1, width) @ known).squeeze(1)
            matrix = torch.baddbmm(base, known.transpose(1, 2), known)
            matrix += ridge[rows, None, None] * eye
            # Whether it failed is asked once, at the end: each answer takes a wait for the device.
            root, failed = torch.linalg.cholesky_ex(matrix)
            unsolved = torch.maximum(unsolved, failed.max())
            solved = torch.cholesky_solve(moment.unsqueeze(2), root).squeeze(2)
            found[rows] = solved
            gained += (solved * moment).sum(dtype=torch.float64)
            start = stop
            if after_batch():
                return None
        gain, failures = torch.stack((gained, unsolved.double())).tolist()
        if failures:
            raise torch.linalg.LinAlgError("a matrix is not positive definite")
        return found, gain

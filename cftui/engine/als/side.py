"""One side of an alternating least-squares problem: every row's normal equations, in batches of like rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
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
        self._empty = int((self.counts == 0).sum())

    def sums(self, table: Tensor) -> Tensor:
        """For each row, the sum of its columns' rows of ``table [m, w]``, each times its target: ``[n, w]``."""
        ends = torch.cat((self._starts, self._starts.new_full((1,), len(self.value) - 1))).int()
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
        most = CELLS_CUDA if table.device.type == "cuda" else CELLS
        eye = torch.eye(k, device=table.device)
        start = self._empty
        while start < self.n:
            width = int(self.counts[self._by_count[start]])
            # As many rows as fit at the width of the last of them.
            stop = min(self.n, start + max(1, most // (max(width, k) * k)))
            width = int(self.counts[self._by_count[stop - 1]])
            stop = min(stop, start + max(1, most // (max(width, k) * k)))
            rows = self._by_count[start:stop]
            width = int(self.counts[rows[-1]])
            place = torch.arange(width, device=table.device)
            at = torch.where(
                place < self.counts[rows].unsqueeze(1), self._starts[rows].unsqueeze(1) + place, len(self.value) - 1
            )
            known = padded[self.column[at].long()]  # [b, width, k]
            moment = (known.transpose(1, 2) @ self.value[at].unsqueeze(2)).squeeze(2)
            matrix = torch.baddbmm(base, known.transpose(1, 2), known)
            matrix += ridge[rows, None, None] * eye
            solved = torch.cholesky_solve(moment.unsqueeze(2), torch.linalg.cholesky(matrix)).squeeze(2)
            found[rows] = solved
            gained += (solved * moment).sum(dtype=torch.float64)
            start = stop
            if after_batch():
                return None
        return found, float(gained)

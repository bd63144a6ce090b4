"""Robust PCA: a matrix as a low-rank one plus a sparse one, by principal component pursuit.

Minimises ``||L||_* + lambda ||S||_1`` (nuclear norm, sum of absolute entries) subject to ``L + S = M`` (Candès, Li, Ma
and Wright 2009, arXiv 0912.3599) with the inexact augmented Lagrangian of Lin, Chen and Ma 2010 (arXiv 1009.5055,
algorithm 5 and their ``inexact_alm_rpca.m``): as published, or as the chapter ran it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np

from cftui.analysis.trained import TrainedModel
from cftui.errors import CftuiError, suggestion
from cftui.files import write_atomic

# The format of the cache; raise it whenever a solver's numbers change.
FORMAT = 1


class Cancelled(Exception):
    """The caller asked a decomposition to stop."""


@dataclass(frozen=True)
class Iteration:
    """The state after one iteration.

    Attributes:
        iteration: from 1.
        residual: ``||M - L - S||_F / ||M||_F``.
        rank: of L.
        density: share of S's entries that are not zero.
    """

    iteration: int
    residual: float
    rank: int
    density: float


@dataclass(frozen=True)
class Solver:
    """One way to run the augmented Lagrangian.

    Attributes:
        start, growth, cap: the penalty mu begins at ``start / ||M||_2`` and is multiplied by ``growth`` at every
            iteration, to at most ``cap`` times its start.
        row_sums: the multiplier's scale takes the largest row sum where the paper has the largest entry.
        truncated: L is cut to a guessed rank, 1 at first.
        tolerance: stop below this residual.
        iterations: upper bound on the number of iterations.
    """

    name: str
    start: float
    growth: float
    cap: float
    row_sums: bool
    truncated: bool
    tolerance: float
    iterations: int


SOLVERS = {
    solver.name: solver
    for solver in (
        Solver("ialm", 1.25, 1.5, 1e7, row_sums=False, truncated=False, tolerance=1e-7, iterations=1000),
        # fast.ai, Computational Linear Algebra, lesson 3: pcp(X, maxiter=10, k=10) with TOL = 1e-9.
        Solver("book", 12.5, 15, np.inf, row_sums=True, truncated=True, tolerance=1e-9, iterations=10),
    )
}


@dataclass(frozen=True, eq=False)
class Robust:
    """``M = L + S``, to within the last step's residual.

    Attributes:
        low_rank, sparse: L and S, float64 ``[n, k]``.
        steps: one per iteration; none for a matrix of zeros.
        solver: its name.
        converged: whether the solver's own stopping rule was met, so that L + S is M. The wanted L and S are those with
            the lowest ``objective``, which this alone does not ensure.
        objective: ``||L||_* + lambda ||S||_1``. If two solvers converged, the lower value is closer to the optimum.
    """

    low_rank: np.ndarray
    sparse: np.ndarray
    steps: tuple[Iteration, ...]
    solver: str
    converged: bool
    objective: float

    @property
    def rank(self) -> int:
        """The rank of L."""
        return self.steps[-1].rank if self.steps else 0

    @property
    def density(self) -> float:
        """Share of S's entries that are not zero."""
        return self.steps[-1].density if self.steps else 0.0

    @property
    def residual(self) -> float:
        """``||M - L - S||_F / ||M||_F``."""
        return self.steps[-1].residual if self.steps else 0.0

    @property
    def iterations(self) -> int:
        return len(self.steps)


def robust_pca(
    matrix: np.ndarray,
    solver: str = "ialm",
    *,
    on_step: Callable[[Iteration], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Robust:
    """Decompose a matrix ``[n, k]``.

    ``ialm`` is the reference algorithm with its authors' parameters: lambda ``1 / sqrt(max(n, k))``, mu from
    ``1.25 / ||M||_2`` by 1.5 up to 1e7 times its start, until the residual is below 1e-7 or 1000 iterations are over.

    ``book`` is the function of the fast.ai notebook that the chapter took it from, which departs from the paper it
    cites. The multiplier is scaled by the largest row sum (numpy's ``norm(X, inf)``) where the paper has the largest
    entry. mu starts ten times as high and grows by 15 (both are multiplied by ``k=10``), and is never capped: the line
    that should do so compares, and would cut, the number of rows. L has a guessed rank, 1 at first, which grows by
    5 % of the smaller side at a time. It ends when the residual is below 1e-9, or after 10 iterations. With mu that
    large the residual vanishes whatever L and S are, so that it converges within a few iterations to an L of too low
    a rank and an S without a zero; its ``objective`` shows it. One thing is not kept: the notebook's singular values
    come from fbpca's random projections, here they are exact, so that a result can be repeated.

    Args:
        on_step: called after every iteration.
        cancelled: called before every iteration; returns true to stop.

    Raises:
        Cancelled: ``cancelled`` returned true.
        CftuiError: no such solver, or the matrix is empty or holds numbers that are not finite.
        ValueError: ``matrix`` does not have two dimensions.
    """
    rules = solver_named(solver)
    data = np.asarray(matrix, dtype=np.float64)
    if data.ndim != 2:
        raise ValueError(f"a matrix has two dimensions, not {data.ndim}")
    if not data.size:
        raise CftuiError(f"a matrix of {data.shape[0]} x {data.shape[1]} has nothing to decompose")
    odd = data.size - int(np.isfinite(data).sum())
    if odd:
        raise CftuiError(f"{odd:,} of {data.size:,} numbers to decompose are not finite")
    if data.shape[0] >= data.shape[1]:
        return _pursue(data, rules, on_step, cancelled)
    found = _pursue(np.ascontiguousarray(data.T), rules, on_step, cancelled)
    return replace(found, low_rank=np.ascontiguousarray(found.low_rank.T), sparse=np.ascontiguousarray(found.sparse.T))


def solver_named(name: str) -> Solver:
    """A solver by its name. Raises CftuiError if there is no such solver."""
    if name not in SOLVERS:
        raise CftuiError(f"no robust PCA solver {name!r}; {suggestion(name, list(SOLVERS))}")
    return SOLVERS[name]


def _pursue(
    data: np.ndarray,
    rules: Solver,
    on_step: Callable[[Iteration], None] | None,
    cancelled: Callable[[], bool] | None,
) -> Robust:
    """``robust_pca`` of a matrix with at least as many rows as columns."""
    size = float(np.linalg.norm(data))
    low_rank = np.zeros_like(data)
    if size == 0:
        return Robust(low_rank, low_rank.copy(), (), rules.name, True, 0.0)
    steps: list[Iteration] = []
    rows, columns = data.shape
    weight = 1 / np.sqrt(rows)
    spectral = float(_right_singular(data)[0][0])
    entries = np.abs(data)
    largest = float(entries.sum(axis=1).max() if rules.row_sums else entries.max())
    multiplier = data / max(spectral, largest / weight)
    mu = rules.start / spectral
    highest = mu * rules.cap
    guess = 1 if rules.truncated else columns
    for iteration in range(1, rules.iterations + 1):
        if cancelled is not None and cancelled():
            raise Cancelled
        shifted = data + multiplier / mu
        sparse = shrink(shifted - low_rank, weight / mu)
        low_rank, values = _threshold(shifted - sparse, 1 / mu, guess)
        rank = len(values)
        if rules.truncated:
            guess = min(columns, rank + (1 if rank < guess else round(0.05 * columns)))
        left = data - low_rank - sparse
        multiplier += mu * left
        mu = min(mu * rules.growth, highest)
        step = Iteration(iteration, float(np.linalg.norm(left)) / size, rank, np.count_nonzero(sparse) / sparse.size)
        steps.append(step)
        if on_step is not None:
            on_step(step)
        if step.residual < rules.tolerance:
            break
    objective = float(values.sum() + weight * np.abs(sparse).sum())
    return Robust(low_rank, sparse, tuple(steps), rules.name, step.residual < rules.tolerance, objective)


def shrink(matrix: np.ndarray, by: float) -> np.ndarray:
    """Soft threshold: every entry moves towards zero by ``by``, and entries within ``by`` become zero."""
    return matrix - np.clip(matrix, -by, by)


def _right_singular(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values ``[k]``, descending, and right singular vectors ``[k, k]`` (in rows) of a tall matrix.

    They are those of the small triangle of its QR decomposition: several times faster than a decomposition of the
    whole and as accurate, where those of ``M'M`` would lose half of the digits.
    """
    from scipy.linalg import qr, svd

    # For a matrix [n, k] this mode returns [n, k]; its first k rows are the triangle.
    triangle = qr(matrix, mode="r", check_finite=False)[0][: matrix.shape[1]]
    _, values, vectors = svd(triangle, check_finite=False)
    return values, vectors


def _threshold(matrix: np.ndarray, by: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The matrix with its ``most`` largest singular values lowered ``by`` that much, and those above 0 ``[rank]``."""
    values, vectors = _right_singular(matrix)
    rank = min(most, int((values > by).sum()))
    kept = vectors[:rank]
    # U f(s) V' without U: M V f(s)/s V'.
    return matrix @ ((kept.T * (1 - by / values[:rank])) @ kept), values[:rank] - by


def cache_file(model: TrainedModel, solver: str) -> Path:
    return model.folder().path / f"robust-{solver_named(solver).name}.npz"


def robust_factors(
    model: TrainedModel,
    solver: str = "ialm",
    *,
    on_step: Callable[[Iteration], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Robust:
    """``robust_pca`` of a run's item factors, the unknown left out: ``[items - 1, k]``.

    The result is cached in the run folder and read from there (without calling ``on_step``) as long as the factors are
    the same. A cache that cannot be read is computed again; one that cannot be written is skipped. Nothing is cached
    for a model in memory, or for one shown as after an earlier epoch.

    Raises:
        Cancelled: ``cancelled`` returned true.
        CftuiError: no such solver, or there are no items, or their factors are not finite.
    """
    path, factors = cache_file(model, solver), model.item_factors[1:]
    digest = _digest(factors)
    found = _read_cache(path, solver, factors.shape, digest)
    if found is not None:
        return found
    try:
        found = robust_pca(factors, solver, on_step=on_step, cancelled=cancelled)
    except CftuiError as error:
        raise CftuiError(f"{model.name}: {error}") from None
    if model.epoch is None:
        with suppress(OSError):
            _write_cache(path, found, digest)
    return found


def _digest(factors: np.ndarray) -> str:
    """A digest of the format of the cache and the factors."""
    head = f"{FORMAT} {factors.dtype.str} {factors.shape}\n".encode()
    return hashlib.sha256(head + np.ascontiguousarray(factors).tobytes()).hexdigest()


def _write_cache(path: Path, found: Robust, digest: str) -> None:
    content = io.BytesIO()
    np.savez(
        content,
        digest=digest,
        low_rank=found.low_rank,
        sparse=found.sparse,
        steps=np.array([astuple(step) for step in found.steps], dtype=np.float64).reshape(-1, 4),
        converged=found.converged,
        objective=found.objective,
    )
    write_atomic(path, content.getvalue())


def _read_cache(path: Path, solver: str, shape: tuple[int, ...], digest: str) -> Robust | None:
    """The cached result; None if it is missing, damaged, or of other factors."""
    try:
        with np.load(path, allow_pickle=False) as cache:
            if str(cache["digest"]) != digest:
                return None
            low_rank, sparse, steps = cache["low_rank"], cache["sparse"], cache["steps"]
            converged, objective = bool(cache["converged"]), float(cache["objective"])
        if {low_rank.shape, sparse.shape} != {shape} or {low_rank.dtype, sparse.dtype} != {np.dtype(np.float64)}:
            return None
        taken = tuple(Iteration(int(at), float(left), int(rank), float(dense)) for at, left, rank, dense in steps)
    except Exception:
        # A damaged zip file can raise nearly any error; in every case the result is computed again.
        return None
    return Robust(low_rank, sparse, taken, solver, converged, objective)

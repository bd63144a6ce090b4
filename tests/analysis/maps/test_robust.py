"""Robust PCA: planted matrices come back, the published and the notebook's loops written out, the cache."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from cftui.analysis.maps import robust
from cftui.analysis.maps.robust import SOLVERS, Cancelled, Iteration, Robust, robust_factors, robust_pca
from cftui.analysis.trained import TrainedModel
from cftui.engine.runs.folder import RunFolder
from cftui.errors import CftuiError


def planted(rows: int, columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A matrix of rank 5, and one of which 5 % is as large as the first or larger."""
    random = np.random.default_rng(seed)
    low_rank = random.normal(size=(rows, 5)) @ random.normal(size=(5, columns))
    spoilt = random.random((rows, columns)) < 0.05
    return low_rank, np.where(spoilt, random.uniform(-10, 10, (rows, columns)), 0)


def distance(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def equal(a: Robust, b: Robust) -> bool:
    arrays = np.array_equal(a.low_rank, b.low_rank) and np.array_equal(a.sparse, b.sparse)
    rest = ("steps", "solver", "converged", "objective")
    return arrays and all(getattr(a, name) == getattr(b, name) for name in rest)


def cut(matrix: np.ndarray, by: float) -> np.ndarray:
    return np.sign(matrix) * np.maximum(np.abs(matrix) - by, 0)


def published(data: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Lin, Chen and Ma's inexact_alm_rpca.m, line by line."""
    weight = 1 / np.sqrt(len(data))
    spectral = np.linalg.norm(data, 2)
    y = data / max(spectral, np.abs(data).max() / weight)
    low_rank = np.zeros_like(data)
    mu = 1.25 / spectral
    highest = mu * 1e7
    iterations, residual = 0, np.inf
    while residual >= 1e-7 and iterations < 1000:
        iterations += 1
        sparse = cut(data - low_rank + y / mu, weight / mu)
        u, s, v = np.linalg.svd(data - sparse + y / mu, full_matrices=False)
        low_rank = u @ np.diag(np.maximum(s - 1 / mu, 0)) @ v
        z = data - low_rank - sparse
        y = y + mu * z
        mu = min(mu * 1.5, highest)
        residual = float(np.linalg.norm(z) / np.linalg.norm(data))
    return low_rank, sparse, iterations


def notebook(data: np.ndarray, k: int = 10) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The fast.ai notebook's pcp with exact singular values; also the ranks it came through."""
    rows, columns = data.shape
    weight = 1 / np.sqrt(rows)
    spectral = np.linalg.norm(data, 2)
    y = data / max(spectral, np.linalg.norm(data, np.inf) / weight)
    mu, rho, guess = k * 1.25 / spectral, k * 1.5, 1
    low_rank, ranks = np.zeros_like(data), []
    for _ in range(10):
        shifted = data + y / mu
        sparse = cut(shifted - low_rank, weight / mu)
        u, s, v = np.linalg.svd(shifted - sparse, full_matrices=False)
        s = s[:guess] - 1 / mu
        rank = int((s > 0).sum())
        low_rank = u[:, :rank] @ np.diag(s[:rank]) @ v[:rank]
        ranks.append(rank)
        guess = rank + (1 if rank < guess else round(0.05 * columns))
        z = data - low_rank - sparse
        y = y + mu * z
        mu *= rho
        if np.linalg.norm(z) / np.linalg.norm(data) < 1e-9:
            break
    return low_rank, sparse, ranks


@pytest.fixture(scope="module")
def factors(trained) -> np.ndarray:
    return trained[2].item_factors[1:]


@pytest.mark.parametrize("shape", [(300, 100), (100, 300), (150, 150)])
def test_what_was_planted_comes_back(shape: tuple[int, int]) -> None:
    low_rank, sparse = planted(*shape)
    found = robust_pca(low_rank + sparse)
    assert found.converged
    assert found.rank == 5
    assert found.density == pytest.approx(np.count_nonzero(sparse) / sparse.size, abs=0.001)
    assert distance(found.low_rank, low_rank) < 1e-5
    assert distance(found.sparse, sparse) < 1e-5
    assert found.low_rank.dtype == found.sparse.dtype == np.float64
    assert found.low_rank.flags.c_contiguous


def test_the_notebooks_solver_comes_to_another_answer_and_the_objective_says_so() -> None:
    low_rank, sparse = planted(300, 100)
    found, best = robust_pca(low_rank + sparse, "book"), robust_pca(low_rank + sparse)
    assert found.converged
    assert found.density > 0.9
    assert distance(found.low_rank, low_rank) > 0.1
    assert best.objective < 0.5 * found.objective


def test_on_the_trained_factors_the_stopping_rule_is_met(factors: np.ndarray) -> None:
    found = robust_pca(factors)
    assert found.converged
    left = np.linalg.norm(factors - found.low_rank - found.sparse) / np.linalg.norm(factors)
    assert left == pytest.approx(found.residual, rel=1e-3)
    assert left < 1e-7
    assert found.iterations < 100
    assert np.linalg.matrix_rank(found.low_rank) == found.rank < 50
    assert np.count_nonzero(found.sparse) / found.sparse.size == found.density < 1


def test_the_objective_is_what_it_says_and_nearly_the_least(factors: np.ndarray, monkeypatch) -> None:
    def objective(low_rank: np.ndarray, sparse: np.ndarray) -> float:
        return np.linalg.svd(low_rank, compute_uv=False).sum() + np.abs(sparse).sum() / np.sqrt(len(factors))

    found, book = robust_pca(factors), robust_pca(factors, "book")
    assert found.objective == pytest.approx(objective(found.low_rank, found.sparse), rel=1e-9)
    assert book.objective == pytest.approx(objective(book.low_rank, book.sparse), rel=1e-9)
    assert found.objective < 0.95 * book.objective
    assert found.objective < objective(factors, np.zeros_like(factors))
    # A penalty that grows slowly comes as near as can be.
    monkeypatch.setitem(SOLVERS, "slow", dataclasses.replace(SOLVERS["ialm"], name="slow", growth=1.05))
    slow = robust_pca(factors, "slow")
    assert slow.objective <= found.objective < 1.005 * slow.objective


def test_ialm_is_the_published_loop(factors: np.ndarray) -> None:
    low_rank, sparse, iterations = published(factors.astype(float))
    found = robust_pca(factors)
    assert found.iterations == iterations
    np.testing.assert_allclose(found.low_rank, low_rank, atol=1e-9)
    np.testing.assert_allclose(found.sparse, sparse, atol=1e-9)


def test_book_is_the_notebooks_loop(factors: np.ndarray) -> None:
    low_rank, sparse, ranks = notebook(factors.astype(float))
    found = robust_pca(factors, "book")
    assert [step.rank for step in found.steps] == ranks
    assert ranks[0] == 1
    np.testing.assert_allclose(found.low_rank, low_rank, atol=1e-9)
    np.testing.assert_allclose(found.sparse, sparse, atol=1e-9)


def test_the_notebooks_rule_is_met_even_where_there_is_nothing_to_find() -> None:
    found = robust_pca(np.random.default_rng(3).normal(size=(400, 200)), "book")
    assert found.converged
    assert found.residual < 1e-9
    assert found.iterations <= 10


def test_a_solver_cut_short_has_not_converged(monkeypatch) -> None:
    monkeypatch.setitem(SOLVERS, "ialm", dataclasses.replace(SOLVERS["ialm"], iterations=4))
    found = robust_pca(np.add(*planted(60, 40)))
    assert (found.iterations, found.converged) == (4, False)


def test_every_step_is_told_as_it_happens() -> None:
    told: list[Iteration] = []
    found = robust_pca(np.add(*planted(60, 40)), on_step=told.append)
    assert tuple(told) == found.steps
    assert [step.iteration for step in told] == list(range(1, found.iterations + 1))
    assert told[-1].residual == found.residual < told[0].residual


def test_it_stops_between_iterations_when_told_to() -> None:
    told: list[Iteration] = []
    with pytest.raises(Cancelled):
        robust_pca(np.add(*planted(60, 40)), on_step=told.append, cancelled=lambda: len(told) == 3)
    assert len(told) == 3


@pytest.mark.parametrize("solver", list(SOLVERS))
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2)])
def test_the_smallest_matrices_are_split_too(solver: str, shape: tuple[int, int]) -> None:
    data = np.arange(1.0, 1 + shape[0] * shape[1]).reshape(shape)
    found = robust_pca(data, solver)
    assert found.low_rank.shape == found.sparse.shape == shape
    assert found.converged
    np.testing.assert_allclose(found.low_rank + found.sparse, data, atol=1e-5)


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_zeros_are_both_low_rank_and_sparse(solver: str) -> None:
    found = robust_pca(np.zeros((6, 4)), solver)
    assert not found.low_rank.any()
    assert not found.sparse.any()
    assert found.converged
    assert (found.rank, found.density, found.residual, found.iterations, found.objective) == (0, 0, 0, 0, 0)


def test_the_matrix_given_is_not_altered() -> None:
    data = np.add(*planted(40, 30))
    before = data.copy()
    robust_pca(data)
    assert np.array_equal(data, before)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(odd: float) -> None:
    data = np.ones((4, 3))
    data[1, 2] = odd
    with pytest.raises(CftuiError, match="1 of 12 numbers to decompose are not finite"):
        robust_pca(data)


def test_what_is_no_matrix_is_refused() -> None:
    with pytest.raises(CftuiError, match="0 x 5 has nothing"):
        robust_pca(np.empty((0, 5)))
    with pytest.raises(ValueError, match="two dimensions"):
        robust_pca(np.ones(5))


def test_an_unknown_solver_is_met_with_the_near_misses() -> None:
    with pytest.raises(CftuiError, match=r"no robust PCA solver 'ialn'; did you mean ialm\?"):
        robust_pca(np.ones((2, 2)), "ialn")


# --- the cache ---


@pytest.fixture
def model(tiny_runs, tmp_path: Path) -> TrainedModel:
    """A model in a run folder of its own."""
    return TrainedModel.load(RunFolder(shutil.copytree(tiny_runs[1]["model4"].path, tmp_path / "own")))


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """The solvers of the decompositions that were computed."""
    made: list[str] = []

    def counting(matrix, solver, **options):
        made.append(solver)
        return robust_pca(matrix, solver, **options)

    monkeypatch.setattr(robust, "robust_pca", counting)
    return made


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_a_second_look_reads_what_the_first_found(model: TrainedModel, calls: list[str], solver: str) -> None:
    told: list[Iteration] = []
    first = robust_factors(model, solver, on_step=told.append)
    assert (model.run.path / f"robust-{solver}.npz").is_file()
    assert equal(first, robust_pca(model.item_factors[1:], solver))
    second = robust_factors(TrainedModel.load(model.run), solver, on_step=lambda step: pytest.fail("computed"))
    assert calls == [solver]
    assert equal(first, second)
    assert second.steps == tuple(told)
    assert [type(value) for value in dataclasses.astuple(second.steps[0])] == [int, float, int, float]


def test_the_real_factors_come_back_from_the_cache(trained, tmp_path: Path, calls: list[str]) -> None:
    model = TrainedModel.load(RunFolder(shutil.copytree(trained[1].path, tmp_path / "real")))
    first, second = robust_factors(model), robust_factors(model)
    assert calls == ["ialm"]
    assert first.low_rank.shape == (1664, 50)
    assert equal(first, second)


def test_other_factors_are_decomposed_anew(model: TrainedModel, calls: list[str]) -> None:
    before = robust_factors(model)
    model.__dict__["item_factors"] = model.item_factors * np.float32(1.5)
    after = robust_factors(model)
    assert calls == ["ialm", "ialm"]
    np.testing.assert_allclose(after.low_rank, 1.5 * before.low_rank, atol=1e-5)
    assert equal(after, robust_factors(model))
    assert len(calls) == 2


def test_a_cache_of_another_format_is_not_read(model: TrainedModel, calls: list[str], monkeypatch) -> None:
    robust_factors(model)
    monkeypatch.setattr(robust, "FORMAT", robust.FORMAT + 1)
    robust_factors(model)
    assert len(calls) == 2


def damages(whole: bytes) -> dict[str, bytes]:
    middle = len(whole) // 2
    return {
        "empty": b"",
        "noise": b"\x80\x04noise" * 50,
        "cut": whole[:middle],
        "altered": whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :],
        "no directory": whole[:-30],
        "a single array": np.lib.format.magic(1, 0) + whole[:100],
    }


@pytest.mark.parametrize("kind", ["empty", "noise", "cut", "altered", "no directory", "a single array"])
def test_a_damaged_cache_is_replaced(model: TrainedModel, calls: list[str], kind: str) -> None:
    first = robust_factors(model)
    path = robust.cache_file(model, "ialm")
    whole = path.read_bytes()
    path.write_bytes(damages(whole)[kind])
    assert equal(robust_factors(model), first)
    assert len(calls) == 2
    assert equal(robust_factors(model), first)
    assert len(calls) == 2


def test_a_cache_of_the_wrong_shape_is_replaced(model: TrainedModel, calls: list[str]) -> None:
    first = robust_factors(model)
    path = robust.cache_file(model, "ialm")
    with np.load(path) as cache:
        arrays = dict(cache)
    np.savez(path, **{**arrays, "sparse": arrays["sparse"][:, :2]})
    assert equal(robust_factors(model), first)
    assert len(calls) == 2


def test_what_cannot_be_kept_is_found_all_the_same(model: TrainedModel, calls: list[str], monkeypatch, tree) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(robust, "write_atomic", full)
    before = tree(model.run.path)
    assert equal(robust_factors(model), robust_factors(model))
    assert len(calls) == 2
    assert tree(model.run.path) == before


def test_a_folder_in_the_place_of_the_cache_is_let_be(model: TrainedModel) -> None:
    robust.cache_file(model, "ialm").mkdir()
    assert robust_factors(model).converged
    assert [path.name for path in model.run.path.glob("*robust*")] == ["robust-ialm.npz"]


def test_nothing_is_kept_of_a_decomposition_that_was_stopped(model: TrainedModel) -> None:
    with pytest.raises(Cancelled):
        robust_factors(model, cancelled=lambda: True)
    assert not robust.cache_file(model, "ialm").exists()


def test_looking_at_an_earlier_epoch_leaves_the_cache_alone(model: TrainedModel, calls: list[str]) -> None:
    last = robust_factors(model)
    earlier = robust_factors(model.at_epoch(0))
    assert not np.array_equal(earlier.low_rank, last.low_rank)
    assert equal(robust_factors(model), last)
    assert len(calls) == 2


def test_a_solver_that_is_none_names_no_file(model: TrainedModel) -> None:
    with pytest.raises(CftuiError, match="no robust PCA solver"):
        robust_factors(model, "../../elsewhere")


def test_factors_that_are_not_finite_are_refused_by_name(model: TrainedModel) -> None:
    model.__dict__["item_factors"] = np.full_like(model.item_factors, np.nan)
    with pytest.raises(CftuiError, match=f"{model.run.name}: .* not finite"):
        robust_factors(model)


@pytest.mark.parametrize("recipe", ["model1", "collab-nn", "cross-entropy"])
def test_models_of_every_kind_can_be_decomposed(recipe: str, tiny_runs, tmp_path: Path) -> None:
    model = TrainedModel.load(RunFolder(shutil.copytree(tiny_runs[1][recipe].path, tmp_path / "run")))
    found = robust_factors(model)
    np.testing.assert_allclose(found.low_rank + found.sparse, model.item_factors[1:], atol=1e-5)

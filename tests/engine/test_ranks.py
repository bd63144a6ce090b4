"""Several processes that fit one model: who has which rows, and that it is the same model for any number of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cftui.engine import ranks, training
from cftui.engine.als.side import Side
from cftui.engine.bayes import incidence
from cftui.engine.bayes.incidence import Incidence
from cftui.engine.models.recipes import recipe
from cftui.engine.ranks import Launched, Ranks, launched
from cftui.errors import CftuiError
from cftui.home import Home

from .sharing import FITS, fit_all, torchrun

STARTED = {"TORCHELASTIC_RUN_ID": "none", "RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}


def test_only_what_torchrun_started_is_one_of_several() -> None:
    assert launched(STARTED) == Launched(rank=3, size=8, local=1)
    # A cluster sets these for programs of its own.
    assert launched({"RANK": "3", "WORLD_SIZE": "8"}) == Launched(rank=0, size=1, local=0)
    with pytest.raises(CftuiError, match="torchrun"):
        launched({"TORCHELASTIC_RUN_ID": "none", "RANK": "3"})


def ratings_at_random(users: int = 500, items: int = 60) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randperm(users * items, generator=generator)[: users * items // 5]
    return pairs // items, pairs % items, torch.randn(len(pairs), generator=generator)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_every_rating_is_of_one_process_and_the_work_is_alike(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidence, "CELLS", 150)
    user, item, rating = ratings_at_random()
    parts = [Incidence(user, item, rating, 500, 60, 1, Ranks(rank, size)) for rank in range(size)]
    whole = Incidence(user, item, rating, 500, 60, 1)
    for name in ("row", "column", "rating", "order"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
    assert all(part.size == len(user) for part in parts)
    assert max(len(part.row) for part in parts) < 1.5 * len(user) / size
    own = [span for part in parts for span in part.own if span[0] < span[1]]
    assert [row for start, stop in own for row in range(start, stop)] == list(range(500))
    # The matrices of a part are at the same place in a cache line as they are in the whole block.
    assert len(whole.blocks) > 1
    assert all((start - next(a for a, b in whole.blocks if start < b)) % 16 == 0 for start, _ in own)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_process_solves_its_own_rows_from_its_own_ratings(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cftui.engine.als.side.CELLS", 900)
    user, item, value = ratings_at_random()
    table, base, ridge = torch.randn(60, 3), torch.eye(3), torch.ones(500)
    wanted, gained = Side(user, item, value, 500, 60, 3).solve(table, base, ridge)
    monkeypatch.setattr(Ranks, "gather", lambda self, mine, counts: [mine.new_zeros(n, 3) for n in counts])
    monkeypatch.setattr(Ranks, "sum", lambda self, tensor: tensor)
    gains, kept = 0.0, 0
    for rank in range(size):
        side = Side(user, item, value, 500, 60, 3, Ranks(rank, size))
        monkeypatch.setattr(side, "_together", lambda found: found)
        solved, own = side.solve(table, base, ridge)
        rows = solved.any(dim=1)
        assert torch.equal(solved[rows], wanted[rows])
        assert len(side.value) - 1 == side.counts[rows].sum()
        gains, kept = gains + own, kept + len(side.value) - 1
    assert gains == pytest.approx(gained)
    assert kept == len(user)


def test_a_recipe_that_cannot_be_shared_is_refused(tiny_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "_current", Ranks(0, 2))
    row = recipe("collab-nn")
    with pytest.raises(CftuiError, match=r"collab-nn cannot be trained by 2 processes; start it without torchrun, or"):
        training.train(tiny_home, row, row.options(), data="tiny", device=torch.device("cpu"))
    assert not tiny_home.models.exists()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3])
def test_any_number_of_processes_fits_the_same_model(
    processes: int, ml_100k_folder: Path, tmp_path: Path, alone: dict
) -> None:
    child = torchrun(processes, "tests.engine.sharing", ml_100k_folder, tmp_path)
    _, errors = child.communicate(timeout=300)
    assert child.returncode == 0, errors
    for name in FITS:
        shared, wanted = load_file(tmp_path / f"{name}.safetensors"), alone[name]
        # The seconds that it took are among the numbers.
        elapsed = 2 if name.startswith("bayes") else 3
        shared["numbers"][elapsed] = wanted["numbers"][elapsed]
        assert shared.keys() == wanted.keys()
        if name.startswith("model"):
            # The order of a sum depends on the division; the last losses are among the numbers.
            assert shared["numbers"].tolist() == pytest.approx(wanted["numbers"].tolist(), rel=1e-6, nan_ok=True)
            torch.testing.assert_close(shared, wanted, rtol=1e-3, atol=2e-5)
            continue
        differing = [part for part in shared if not torch.equal(shared[part], wanted[part])]
        assert differing == [], name


@pytest.fixture(scope="module")
def alone(ml_100k_folder: Path) -> dict:
    """What one process fits."""
    return fit_all(ml_100k_folder)

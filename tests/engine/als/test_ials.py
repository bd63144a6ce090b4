"""iALS against its formula: the rows it solves for, the objective it lowers, whatever the size of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.als import side
from cftui.engine.als.ials import Ials
from cftui.engine.als.side import Side
from cftui.engine.fitting import Diverged, Hooks
from cftui.engine.models.recipes import RECIPES

CPU = torch.device("cpu")


def fitter(ratings: Ratings, **values: Any) -> Ials:
    row = RECIPES["ials"]
    options = row.options(factors=4, sweeps=5, unobserved=0.3, reg=0.02, **values)
    return Ials(row, options, ratings, split(ratings, "random", 0), CPU)  # type: ignore[arg-type]


def objective(model: Any) -> float:
    """The objective by its definition, over all pairs."""
    known = model.histories
    user = torch.repeat_interleave(torch.arange(known.users_known), known.starts.diff())
    scores = model.users.double() @ model.items.double().T
    observed = (known.values.double() - scores[user, known.items.long()]).square().sum()
    per_user, per_item = known.starts.diff(), torch.bincount(known.items, minlength=known.items_known)
    users, items = known.users_known - 1, known.items_known - 1
    penalty = ((per_user + 0.3 * items) * model.users.double().square().sum(1)).sum()
    penalty = penalty + ((per_item + 0.3 * users) * model.items.double().square().sum(1)).sum()
    return float(observed + 0.3 * scores.square().sum() + 0.02 * penalty) / len(known.values)


def test_the_loss_reported_is_the_objective_and_falls(tiny: Ratings) -> None:
    one = fitter(tiny)
    events: list[Any] = []
    seen: list[float] = []
    one.fit(Hooks(emit=events.append, after_epoch=lambda: seen.append(objective(one.model))))
    losses = [event["train_loss"] for event in events if event["event"] == "epoch"]
    assert losses == sorted(losses, reverse=True)
    assert [losses[0], losses[-1]] == pytest.approx([seen[0], seen[-1]], rel=1e-5)


def test_no_small_change_of_a_row_lowers_the_objective(tiny: Ratings) -> None:
    one = fitter(tiny)
    one.fit()
    best = objective(one.model)
    random = torch.Generator().manual_seed(0)
    for _ in range(20):
        kept = one.model.users.clone()
        user = int(torch.randint(1, len(kept), (1,), generator=random))
        one.model.users[user] += 0.01 * torch.randn(4, generator=random)
        assert objective(one.model) > best
        one.model.users.copy_(kept)


@pytest.mark.parametrize("cells", [1, 60, 2**20])
def test_every_row_is_its_own_least_squares_solution(cells: int, monkeypatch) -> None:
    monkeypatch.setattr(side, "CELLS", cells)
    random = np.random.default_rng(0)
    row, column = (random.integers(1, size, 90) for size in (9, 7))
    pairs = np.unique(np.stack((row, column)), axis=1)
    row, column = torch.from_numpy(pairs)
    value = torch.from_numpy(random.random(len(row)).astype(np.float32))
    table = torch.from_numpy(random.normal(size=(7, 3)).astype(np.float32))
    base, ridge = 0.5 * torch.eye(3) + 0.1, torch.from_numpy(random.random(9).astype(np.float32)) + 0.1
    found = Side(row, column, value, 9, 7, 3).solve(table, base, ridge)
    assert found is not None
    solved, gained = found
    total = 0.0
    for one in range(9):
        mine = row == one
        known, target = table[column[mine]].double(), value[mine].double()
        matrix = known.T @ known + base.double() + ridge[one].double() * torch.eye(3)
        wanted = torch.linalg.solve(matrix, known.T @ target)
        torch.testing.assert_close(solved[one].double(), wanted, rtol=1e-4, atol=1e-5)
        total += float(wanted @ (known.T @ target))
    assert gained == pytest.approx(total, rel=1e-5)
    assert Side(row, column, value, 9, 7, 3).solve(table, base, ridge, lambda: True) is None


def test_more_sweeps_go_on_where_the_first_ended(tiny: Ratings) -> None:
    one, other = fitter(tiny), fitter(tiny)
    one.fit()
    one.extend(3)
    one.fit()
    other.cycle = (0, 8)
    other.fit()
    assert torch.equal(one.model.users, other.model.users)


def test_what_is_not_a_number_is_said(tiny: Ratings) -> None:
    one = fitter(tiny)
    one.model.users.fill_(float("nan"))
    with pytest.raises(Diverged, match="sweep 0 gave something that is not a number; use a larger --reg"):
        one.fit()


def test_threads_change_nothing_and_stop_when_they_are_told(monkeypatch) -> None:
    monkeypatch.setattr(side, "CELLS", 60)
    random = torch.Generator().manual_seed(0)
    row = torch.randint(1, 300, (3000,), generator=random)
    column, value = torch.randint(1, 40, (3000,), generator=random), torch.rand(3000, generator=random)
    table, base = torch.rand(40, 3, generator=random), 0.5 * torch.eye(3)
    one = Side(row, column, value, 300, 40, 3)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(one.solve(table, base, torch.full((300,), 0.1)))
            assert torch.get_num_threads() == threads
        # What has not begun by then is left alone.
        begun: list[int] = []
        count = torch.linalg.cholesky_ex
        monkeypatch.setattr(torch.linalg, "cholesky_ex", lambda matrix: begun.append(1) or count(matrix))
        assert one.solve(table, base, torch.full((300,), 0.1), lambda: True) is None
        assert len(begun) < len(one._own_batches) / 2
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert found[0] is not None
    assert found[1] is not None
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]

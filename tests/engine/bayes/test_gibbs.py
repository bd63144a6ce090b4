"""The Gibbs sampler: every conditional against formulas written out, and the whole against its own model."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from cftui.engine.bayes import gibbs, incidence
from cftui.engine.bayes.gibbs import Sampler, Side
from cftui.engine.bayes.incidence import Incidence, implicit_basis, scale_of

from .sampling import DOUBLE, as_double, chain, draw_prior, draw_ratings, other_of, turned

SIDES = pytest.mark.parametrize("which", ["users", "items"])


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[tuple[int, ...]], Tensor]], None]:
    """Give the sampler other standard normals: what a draw is made of, shape to tensor."""

    def use(make: Callable[[tuple[int, ...]], Tensor]) -> None:
        def randn(*size: Any, dtype: torch.dtype = torch.float32, **_: Any) -> Tensor:
            shape = size[0] if isinstance(size[0], (tuple, torch.Size)) else size
            return make(tuple(shape)).to(dtype)

        monkeypatch.setattr(torch, "randn", randn)

    return use


def unit(at: int) -> Callable[[tuple[int, ...]], Tensor]:
    """A normal of zeros but for one entry, counted over all, that is 1."""

    def make(shape: tuple[int, ...]) -> Tensor:
        flat = torch.zeros(math.prod(shape))
        flat[at] = 1
        return flat.view(shape)

    return make


def covariance(draw: Callable[[], Tensor], size: int, noise: Callable) -> Tensor:
    """The covariance of a draw that is linear in ``size`` standard normals."""
    noise(torch.zeros)
    mean = draw().flatten().to(DOUBLE)
    moved = []
    for at in range(size):
        noise(unit(at))
        moved.append(draw().flatten().to(DOUBLE) - mean)
    spread = torch.stack(moved, dim=1)
    return spread @ spread.T


def row_conditional(sampler: Sampler, own: Side, row: int) -> tuple[Tensor, Tensor]:
    """Mean and covariance of one row given everything else, one rating after the other."""
    other, precision = other_of(sampler, own), own.prior.precision.clone()
    expected = own.prior.mean.clone()
    for group in own.prior.groups:
        expected += as_double(group.x[row]) @ as_double(group.weights)
    moment = own.prior.precision @ expected
    for one, two, rating in turned(sampler, own):
        if one == row:
            design = torch.cat((as_double(other.rows[two, :-1]), torch.ones(1, dtype=DOUBLE)))
            weight = sampler.alpha * own.noise[row].item() * other.noise[two].item()
            precision += weight * torch.outer(design, design)
            moment += weight * design * (rating - other.rows[two, -1].item())
    return torch.linalg.solve(precision, moment), torch.linalg.inv(precision)


@SIDES
def test_rows_are_drawn_from_their_conditional(which: str, noise, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = chain()
    own = getattr(sampler, which)
    other, before = other_of(sampler, own), own.rows.clone()

    def draw() -> Tensor:
        sampler.draw_rows(own, other)
        return own.rows.clone()

    n, d = own.rows.shape
    noise(torch.zeros)
    mean = draw()
    own.rows = before
    spread = covariance(draw, n * d, noise)
    for row in range(n):
        wanted, uncertain = row_conditional(sampler, own, row)
        np.testing.assert_allclose(mean[row], wanted, rtol=1e-4, atol=1e-4)
        block = slice(row * d, (row + 1) * d)
        np.testing.assert_allclose(spread[block, block], uncertain, rtol=1e-3, atol=1e-4)
        spread[block, block] = 0
    assert spread.abs().max() < 1e-6  # of one another they are independent


def test_the_blocks_change_nothing(noise, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = chain(users=20)
    monkeypatch.setattr(incidence, "CELLS", 3)
    parts = chain(users=20)
    noise(torch.zeros)
    whole.draw_rows(whole.users, whole.items)
    assert len(parts.users.incidence.blocks) == 7
    parts.draw_rows(parts.users, parts.items)
    torch.testing.assert_close(parts.users.rows, whole.users.rows)
    assert parts.users.rows.std() > 0.1


@SIDES
@pytest.mark.parametrize("at", [0, 1])
def test_weights_are_drawn_from_their_conditional(which: str, at: int, noise, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are matrix normal, with covariance (X'X + tau)^-1 over features and Lambda^-1 over columns."""
    sampler = chain(features=(3, 2))
    own = getattr(sampler, which)
    prior = own.prior
    group, others = prior.groups[at], [g for g in prior.groups if g is not prior.groups[at]]
    prior.groups = [group]
    own.rows -= torch.stack([as_double(g.x) @ as_double(g.weights) for g in others]).sum(dim=0).float()
    tau, start = group.tau, group.weights
    asked: list[tuple[float, float]] = []
    monkeypatch.setattr(gibbs, "draw_gamma", lambda *given: (asked.append(given), 1.25)[1])

    def draw() -> Tensor:
        group.tau, group.weights = tau, start
        prior.draw_weights(own.rows)
        return group.weights

    x = as_double(group.x)
    gram = torch.linalg.inv(x.T @ x + tau * torch.eye(x.shape[1], dtype=DOUBLE))
    noise(torch.zeros)
    mean = as_double(draw())
    np.testing.assert_allclose(mean, gram @ x.T @ (as_double(own.rows) - prior.mean), rtol=1e-4, atol=1e-5)
    spread = covariance(draw, mean.numel(), noise)
    np.testing.assert_allclose(spread, torch.kron(gram, torch.linalg.inv(prior.precision)), rtol=1e-3, atol=1e-5)
    assert group.tau == 1.25
    shape, rate = asked[0]
    assert shape == gibbs.TAU[0] + mean.numel() / 2
    assert rate == pytest.approx(gibbs.TAU[1] + torch.trace(mean @ prior.precision @ mean.T).item() / 2, rel=1e-5)


def test_a_group_is_drawn_given_the_others(noise) -> None:
    sampler = chain(features=(3, 2))
    noise(torch.zeros)
    own, prior = sampler.users, sampler.users.prior
    tau_of_second = prior.groups[1].tau
    second = as_double(prior.groups[1].x) @ as_double(prior.groups[1].weights)
    x, tau = as_double(prior.groups[0].x), prior.groups[0].tau
    rest = as_double(own.rows) - prior.mean - second
    prior.draw_weights(own.rows)
    wanted = torch.linalg.solve(x.T @ x + tau * torch.eye(3, dtype=DOUBLE), x.T @ rest)
    np.testing.assert_allclose(prior.groups[0].weights, wanted, rtol=1e-4, atol=1e-5)
    # The second is drawn given the first as it is now.
    x, rest = as_double(prior.groups[1].x), as_double(own.rows) - prior.mean - x @ as_double(prior.groups[0].weights)
    mean = torch.linalg.solve(x.T @ x + tau_of_second * torch.eye(2), x.T @ rest)
    np.testing.assert_allclose(prior.groups[1].weights, mean, rtol=1e-4, atol=1e-5)


@SIDES
def test_mean_and_precision_are_drawn_together(which: str, noise, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = chain()
    own = getattr(sampler, which)
    prior, (n, d) = own.prior, own.rows.shape
    drawn = prior.precision * 1.5
    asked: list[tuple[float, Tensor]] = []
    monkeypatch.setattr(gibbs, "draw_wishart", lambda *given: (asked.append(given), drawn)[1])
    rest = as_double(own.rows).clone()
    for group in prior.groups:
        rest -= as_double(group.x) @ as_double(group.weights)
    centre = rest.mean(dim=0)
    monkeypatch.setattr(gibbs, "LAMBDA", (3.0, 2.0))
    scatter = 2 * torch.eye(d, dtype=DOUBLE) + n * gibbs.PULL / (n + gibbs.PULL) * torch.outer(centre, centre)
    for row in rest:
        scatter += torch.outer(row - centre, row - centre)
    for group in prior.groups:
        for weights in as_double(group.weights):
            scatter += group.tau * torch.outer(weights, weights)

    def draw() -> Tensor:
        prior.draw_prior(own.rows)
        return prior.mean

    noise(torch.zeros)
    np.testing.assert_allclose(draw(), centre * n / (n + gibbs.PULL), rtol=1e-4, atol=1e-5)
    degrees, given = asked[0]
    assert degrees == d + 3 + n + sum(len(group.weights) for group in prior.groups)
    np.testing.assert_allclose(given, scatter, rtol=1e-4, atol=1e-4)
    assert prior.precision is drawn
    spread = covariance(draw, d, noise)
    np.testing.assert_allclose(spread, torch.linalg.inv((n + gibbs.PULL) * drawn), rtol=1e-6)


def test_a_wishart_has_its_moments() -> None:
    torch.manual_seed(0)
    root = torch.randn(3, 3, dtype=DOUBLE)
    scatter, degrees, n = root @ root.T + torch.eye(3), 5.0, 6000
    draws = torch.stack([gibbs.draw_wishart(degrees, scatter) for _ in range(n)])
    scale = torch.linalg.inv(scatter)
    # Var W_ij = degrees (S_ij^2 + S_ii S_jj).
    variance = degrees * (scale.square() + torch.outer(scale.diagonal(), scale.diagonal()))
    assert ((draws.mean(dim=0) - degrees * scale).abs() < 4 * (variance / n).sqrt()).all()
    np.testing.assert_allclose(draws.var(dim=0) / variance, 1, atol=0.15)
    assert torch.equal(draws, draws.mT)


def test_noise_is_drawn_from_its_conditionals(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = chain()
    errors = [
        (user, item, (rating - sampler.rate(torch.tensor([user]), torch.tensor([item])).item()) ** 2)
        for user, item, rating in turned(sampler, sampler.users)
    ]
    before = sampler.users.noise.tolist(), sampler.items.noise.tolist()
    asked: list[tuple[Tensor, Tensor]] = []

    class Recorder:
        def __init__(self, shape: Tensor, rate: Tensor, **_: Any) -> None:
            asked.append((shape, rate))
            self.drawn = shape / rate

        def sample(self) -> Tensor:
            return self.drawn

    monkeypatch.setattr(gibbs, "Gamma", Recorder)
    monkeypatch.setattr(gibbs, "draw_shape", lambda noise: 7.0)
    shape = sampler.users.shape
    sampler.draw_noise()
    alpha, users, items = asked
    assert alpha[0].item() == gibbs.ALPHA[0] + len(errors) / 2
    weighed = sum(error * before[0][user] * before[1][item] for user, item, error in errors)
    assert alpha[1].item() == pytest.approx(gibbs.ALPHA[1] + weighed / 2, rel=1e-5)
    assert sampler.loss == pytest.approx(sum(error for *_, error in errors) / len(errors), rel=1e-5)
    for user in range(7):
        own = [(item, error) for one, item, error in errors if one == user]
        assert users[0][user].item() == shape + len(own) / 2
        rate = shape + sampler.alpha * sum(error * before[1][item] for item, error in own) / 2
        assert users[1][user].item() == pytest.approx(rate, rel=1e-5)
    # The items' given the users' as just drawn.
    for item in range(5):
        own = [(user, error) for user, one, error in errors if one == item]
        rate = shape + sampler.alpha * sum(error * sampler.users.noise[user].item() for user, error in own) / 2
        assert items[0][item].item() == shape + len(own) / 2
        assert items[1][item].item() == pytest.approx(rate, rel=1e-5)
    assert (sampler.users.shape, sampler.items.shape) == (7.0, 7.0)


def test_no_variance_is_below_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the residuals, the noise of a user and an item is drawn as if they were of size ``floor``."""
    sampler = chain(users=6, items=5)
    sampler._floor = 0.3
    monkeypatch.setattr(sampler, "_squared_residuals", lambda: torch.full((len(sampler.users.incidence.row),), 1e-9))
    drawn = []
    for _ in range(200):
        sampler.draw_noise()
        known = sampler.users.incidence
        drawn.append(sampler.noise_variance(known.row, known.column))
    assert 0.2 < torch.stack(drawn).median().item() < 0.5


@SIDES
def test_rows_without_ratings_are_drawn_from_their_names_alone(which: str, noise) -> None:
    user, item = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([0, 1, 2, 1, 0])
    rating = torch.tensor([1.0, -1.0, 0.5, 0.2, -0.7])
    sides = Incidence(user, item, rating, 4, 4, 1), Incidence(item, user, rating, 4, 4, 1)
    names = torch.randn(4, 2), torch.randn(4, 2)
    sampler = Sampler(*sides, ([torch.randn(4, 3)], [torch.randn(4, 3)]), names, 2, 0)
    for _ in range(3):
        sampler.step()
    own, own_names = getattr(sampler, which), names[which == "items"]
    assert (own.rated.tolist(), own.unrated.tolist()) == ([0, 1, 2], [3])
    prior = own.newcomers
    wanted = prior.mean + as_double(own_names[3]) @ as_double(prior.groups[0].weights)
    noise(torch.zeros)
    sampler.draw_newcomers(own)
    np.testing.assert_allclose(own.rows[3], wanted, rtol=1e-5, atol=1e-6)

    def draw() -> Tensor:
        sampler.draw_newcomers(own)
        return own.rows[3].clone()

    np.testing.assert_allclose(covariance(draw, 3, noise), torch.linalg.inv(prior.precision), rtol=1e-4, atol=1e-6)
    # The gain is for items without ratings.
    rated, unrated = (sampler._fit(torch.tensor([1]), torch.tensor([at])) for at in (0, 3))
    assert sampler.rate(torch.tensor([1]), torch.tensor([0])) == rated
    assert sampler.rate(torch.tensor([1]), torch.tensor([3])) == unrated + sampler.gain[1]
    beyond = sampler.items.rows[[0, 1]] - sampler.items.newcomers.expected(sampler.items.rows[:3])[[0, 1]]
    np.testing.assert_allclose(sampler.gain[1], (sampler.users.rows[1] * beyond.mean(dim=0))[:-1].sum(), rtol=1e-5)
    assert sampler.gain[3] == 0


def test_the_shape_of_the_noise_is_drawn_by_its_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = torch.rand(12) + 0.5
    seen: list[Tensor] = []
    monkeypatch.setattr(torch, "multinomial", lambda share, n: (seen.append(share), torch.tensor([3]))[1])
    assert gibbs.draw_shape(drawn) == gibbs.SHAPES[3].item()
    fit = np.array([stats.gamma.logpdf(drawn.double(), s, scale=1 / s).sum() for s in gibbs.SHAPES.tolist()])
    np.testing.assert_allclose(seen[0], np.exp(fit - fit.max()) / np.exp(fit - fit.max()).sum(), rtol=1e-6)


@SIDES
@pytest.mark.parametrize("cells", [4, 10**6])
def test_sums_over_ratings_are_plain_loops(which: str, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidence, "CELLS", cells)
    sampler = chain(users=11, items=6)
    own = getattr(sampler, which)
    known, pairs = own.incidence, turned(sampler, own)
    table, weights = torch.randn(known.m, 3), torch.rand(known.m)
    values = torch.arange(len(pairs), dtype=torch.float32)
    once, rated, total = torch.zeros(known.n, 3), torch.zeros(known.n, 3), torch.zeros(known.n)
    at = {
        (row, column): place
        for place, (row, column) in enumerate(zip(known.row.tolist(), known.column.tolist(), strict=True))
    }
    for row, column, rating in pairs:
        once[row] += table[column]
        rated[row] += rating * table[column]
        total[row] += values[at[row, column]] * weights[column]
    torch.testing.assert_close(known.all_sums(table), once)
    blocks = range(len(known.blocks))
    assert (len(blocks) > 1) == (cells == 4)
    torch.testing.assert_close(torch.cat([known.weighted_sums(block, table) for block in blocks]), rated)
    torch.testing.assert_close(known.totals(values, weights), total)


def test_the_basis_of_wide_sets_keeps_what_differs_most() -> None:
    generator = torch.Generator().manual_seed(1)
    user, item = (torch.rand(60, 40, generator=generator) < 0.3).nonzero(as_tuple=True)
    ones = torch.ones(len(user))
    own, other = Incidence(user, item, ones, 60, 40, 1), Incidence(item, user, ones, 40, 60, 1)
    sets = torch.zeros(60, 40, dtype=DOUBLE)
    sets[user, item] = 1
    sets *= as_double(scale_of(own.counts))
    left = torch.linalg.svdvals(sets)[8:].square().sum()
    directions = as_double(implicit_basis(own, other, 8, generator))
    assert directions.shape == (40, 8)
    np.testing.assert_allclose(directions.T @ directions, np.eye(8), atol=1e-5)
    missed = (sets - sets @ directions @ directions.T).square().sum()
    assert left * (1 - 1e-6) <= missed <= left * 1.01
    assert torch.equal(implicit_basis(own, other, 40, generator), torch.eye(40))


# What must be distributed in the same way, however the model is drawn from: functions of all parts of the state, kept
# from the heavy tails that a prior of precisions has.
FUNCTIONS: dict[str, Callable[[Sampler], float]] = {
    "alpha": lambda s: math.log(s.alpha),
    "user shape": lambda s: math.log(s.users.shape),
    "item shape": lambda s: math.log(s.items.shape),
    "user noise": lambda s: s.users.noise[0].log().item(),
    "item noise": lambda s: s.items.noise.log().mean().item(),
    "user precision": lambda s: torch.logdet(s.users.prior.precision).item(),
    "item precision": lambda s: math.log(s.items.prior.precision[0, 0].item()),
    "user tau": lambda s: math.log(s.users.prior.groups[0].tau),
    "user mean": lambda s: math.tanh(s.users.prior.mean[0].item()) ** 2,
    "item bias mean": lambda s: math.tanh(s.items.prior.mean[-1].item()),
    "weight": lambda s: math.tanh(s.users.prior.groups[0].weights[0, 0].item()) ** 2,
    "item weight": lambda s: math.tanh(s.items.prior.groups[0].weights[1, -1].item()) ** 2,
    "row": lambda s: math.tanh(s.users.rows[1, 0].item()) ** 2,
    "bias": lambda s: math.tanh(s.items.rows[2, -1].item()) ** 2,
    "prediction": lambda s: math.tanh(s.rate(torch.tensor([3]), torch.tensor([1])).item()) ** 2,
    "rating": lambda s: math.tanh(s.users.incidence.rating[0].item()) ** 2,
    "loss": lambda s: math.log1p(gibbs_loss(s)),
}


def gibbs_loss(sampler: Sampler) -> float:
    return sampler._squared_residuals().mean().item()


@pytest.fixture
def tame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Priors that a short chain can walk through from end to end."""
    monkeypatch.setattr(gibbs, "TAU", (20.0, 20.0))
    monkeypatch.setattr(gibbs, "ALPHA", (6.0, 3.0))
    monkeypatch.setattr(gibbs, "LAMBDA", (20.0, 22.0))
    monkeypatch.setattr(gibbs, "SHAPES", torch.logspace(0, 1.3, 6, dtype=DOUBLE))


@pytest.mark.slow
def test_sweeps_and_new_ratings_in_turn_leave_the_joint_distribution_alone(tame: None) -> None:
    """Geweke (2004): a chain of sweeps, each followed by new ratings, is to look like draws from the prior."""
    torch.manual_seed(11)
    sampler = chain(users=5, items=4, factors=1, features=(2,), pairs=12)
    direct = []
    for _ in range(4000):
        draw_prior(sampler)
        draw_ratings(sampler)
        direct.append([function(sampler) for function in FUNCTIONS.values()])
    in_turn = []
    for _ in range(4000):
        sampler.step()
        draw_ratings(sampler)
        in_turn.append([function(sampler) for function in FUNCTIONS.values()])
    one, two = np.array(direct), np.array(in_turn)
    # Successive draws depend on each other, so take the error from means over batches longer than the chain's memory.
    batches = two.reshape(40, -1, two.shape[1]).mean(axis=1)
    error = np.sqrt(one.var(axis=0) / len(one) + batches.var(axis=0, ddof=1) / len(batches))
    z = dict(zip(FUNCTIONS, (two.mean(axis=0) - one.mean(axis=0)) / error, strict=True))
    assert max(map(abs, z.values())) < 4, z


@pytest.mark.slow
def test_planted_parameters_are_covered_at_the_nominal_rate(tame: None) -> None:
    """Simulation-based calibration (Talts et al. 2018): among draws from the posterior, given ratings drawn with a
    parameter that was drawn from the prior, every rank of that is as likely.

    ``CFTUI_CALIBRATION=500`` for more than a quick look.
    """
    torch.manual_seed(5)
    replicas, draws, apart, burn = int(os.environ.get("CFTUI_CALIBRATION", 50)), 9, 10, 30
    seen, unseen = torch.tensor([2]), torch.tensor([1])

    def quantities(sampler: Sampler) -> list[float]:
        known = sampler.users.incidence
        pairs = sampler.rate(known.row[:1], known.column[:1]), sampler.rate(seen, unseen)
        users, items = sampler.users, sampler.items
        return [
            *(pair.item() for pair in pairs),
            sampler.alpha * users.noise.mean().item() * items.noise.mean().item(),
            (users.rows[:, -1].mean() + items.rows[:, -1].mean()).item(),
            (users.rows[:, -1].max() - users.rows[:, -1].min()).item(),
            torch.logdet(users.prior.precision).item() + torch.logdet(items.prior.precision).item(),
            math.log(users.prior.groups[0].tau),
        ]

    ranks = []
    for replica in range(replicas):
        sampler = chain(users=6, items=5, factors=1, features=(2,), pairs=22, seed=replica)
        draw_prior(sampler)
        draw_ratings(sampler)
        planted = quantities(sampler)
        draw_prior(sampler)  # begin elsewhere
        for _ in range(burn):
            sampler.step()
        below = np.zeros(len(planted))
        for _ in range(draws):
            for _ in range(apart):
                sampler.step()
            below += np.array(quantities(sampler)) < planted
        ranks.append(below)
    counts = np.stack([np.histogram(column, bins=5, range=(-0.5, draws + 0.5))[0] for column in np.array(ranks).T])
    chances = [stats.chisquare(row).pvalue for row in counts]
    assert min(chances) > 0.001, (counts, chances)
    inside = ((np.array(ranks) >= 1) & (np.array(ranks) <= draws - 1)).mean(axis=0)
    # Between the least and the largest of nine draws lie eight tenths.
    assert np.abs(inside - 0.8).max() < 4 * math.sqrt(0.8 * 0.2 / replicas), inside

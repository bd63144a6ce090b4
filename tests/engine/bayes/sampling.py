"""Small chains for the tests of the sampler, and draws from the model itself."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor
from torch.distributions import Gamma

from cftui.engine.bayes import gibbs
from cftui.engine.bayes.gibbs import Sampler, Side
from cftui.engine.bayes.incidence import Incidence

DOUBLE = torch.float64


def chain(
    users: int = 7, items: int = 5, factors: int = 2, features: tuple[int, ...] = (3, 2), pairs: int = 0, seed: int = 0
) -> Sampler:
    """A chain at a state drawn at random, with ratings at random, not from the model. Every user and item has ratings.

    Args:
        features: how many columns each group of either side has.
        pairs: how many are rated, none twice; by default three of five.
    """
    generator = torch.Generator().manual_seed(seed)
    while True:
        every = torch.randperm(users * items, generator=generator)[: pairs or users * items * 3 // 5]
        user, item = every // items, every % items
        if len(user.unique()) == users and len(item.unique()) == items:
            break
    rating = torch.randn(len(every), generator=generator)
    sides = Incidence(user, item, rating, users, items, 1), Incidence(item, user, rating, items, users, 1)
    of_users, of_items = ([torch.randn(n, f, generator=generator) for f in features] for n in (users, items))
    sampler = Sampler(*sides, (of_users, of_items), (of_users[-1], of_items[-1]), factors, seed)
    d = factors + 1
    for side in (sampler.users, sampler.items):
        n = len(side.rows)
        side.rows = torch.randn(n, d, generator=generator)
        side.prior.mean = torch.randn(d, generator=generator, dtype=DOUBLE)
        root = torch.randn(d, d, generator=generator, dtype=DOUBLE)
        side.prior.precision = root @ root.T + torch.eye(d, dtype=DOUBLE)
        side.noise = torch.rand(n, generator=generator) + 0.5
        for group in side.prior.groups:
            group.weights = torch.randn(group.weights.shape, generator=generator)
            group.tau = 0.5 + torch.rand(1, generator=generator).item()
    sampler.alpha = 1.7
    return sampler


def draw_prior(sampler: Sampler) -> None:
    """Put the chain at a draw from the prior, by formulas of its own."""
    d = sampler.d
    for side in (sampler.users, sampler.items):
        # A Wishart with a whole number of degrees of freedom is the sum of that many outer products of normals.
        root = torch.randn(d, d + round(gibbs.LAMBDA[0]), dtype=DOUBLE) / gibbs.LAMBDA[1] ** 0.5
        side.prior.precision = root @ root.T
        covariance = torch.linalg.inv(side.prior.precision)
        covariance = (covariance + covariance.T) / 2
        spread = torch.linalg.cholesky(covariance)
        side.prior.mean = spread @ torch.randn(d, dtype=DOUBLE) / gibbs.PULL**0.5
        for group in side.prior.groups:
            group.tau = Gamma(*torch.tensor(gibbs.TAU, dtype=DOUBLE)).sample().item()
            free = torch.randn(group.weights.shape, dtype=DOUBLE)
            group.weights = (free @ spread.T / group.tau**0.5).float()
        side.rows = side.prior.expected(side.rows) + (torch.randn(len(side.rows), d, dtype=DOUBLE) @ spread.T).float()
        side.shape = gibbs.SHAPES[torch.randint(len(gibbs.SHAPES), ())].item()
        side.noise = Gamma(side.shape, side.shape).sample((len(side.rows),))
    sampler.alpha = Gamma(*torch.tensor(gibbs.ALPHA, dtype=DOUBLE)).sample().item()


def draw_ratings(sampler: Sampler) -> None:
    """Replace the ratings by a draw of them, given the state of the chain."""
    users, items = sampler.users.incidence, sampler.items.incidence
    drawn = sampler.rate(users.row, users.column)
    drawn = drawn + torch.randn(len(drawn)) * sampler.noise_variance(users.row, users.column).sqrt()
    for incidence, rating in ((users, drawn), (items, drawn[sampler._by_item])):
        incidence.rating = rating


def pairs_of(sampler: Sampler) -> list[tuple[int, int, float]]:
    """``(user, item, rating)`` of every rating."""
    known = sampler.users.incidence
    return list(zip(known.row.tolist(), known.column.tolist(), known.rating.tolist(), strict=True))


def turned(sampler: Sampler, own: Side) -> list[tuple[int, int, float]]:
    """The same with ``own``'s side first."""
    pairs = pairs_of(sampler)
    return pairs if own is sampler.users else [(item, user, rating) for user, item, rating in pairs]


def other_of(sampler: Sampler, own: Side) -> Side:
    return sampler.items if own is sampler.users else sampler.users


def copied(side: Side) -> Side:
    """With the tensors that a sweep writes into copied."""
    return dataclasses.replace(side, rows=side.rows.clone())


def as_double(tensor: Tensor) -> Tensor:
    return tensor.to(DOUBLE)

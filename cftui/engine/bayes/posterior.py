"""Posterior draws as a model like the others: it predicts their mean and knows how much they vary.

This is the architecture of the recipe ``bayes``. It has no parameters to train; its buffers hold what ``gibbs.Sampler``
drew, one slice per draw, rotated so that the factors of all draws point the same way (``KeptDraws``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Gamma

from cftui.engine.bayes.gibbs import draw_normal
from cftui.engine.bayes.prior import Prior
from cftui.engine.bayes.terms import draw_terms
from cftui.engine.device import seeded
from cftui.engine.models.architectures import Architecture, Learned, RatingMoments, RowPrior, Shape
from cftui.engine.models.loading import load_resized
from cftui.engine.models.terms import Baseline, Question, Terms

# Floats looked up at a time: bounds the memory, not the result.
CELLS = 8_000_000


class Conditional(NamedTuple):
    """The distribution N(P^-1 h, P^-1) of a row in each draw, and its ingredients."""

    design: Tensor  # [S, n, d], the items' factors, and 1
    target: Tensor  # [S, n], the ratings, less offset and item bias
    weight: Tensor  # [S, n], their precisions
    precision: Tensor  # [S, d, d], P
    moment: Tensor  # [S, d], h


class BayesianFactors(Architecture):
    """The mean over draws of ``p . q + b + c``, clipped to the rating scale; for items without ratings, plus a gain.

    A user's row is the draws of ``[p, b, gain, 1 / (alpha a)]``, concatenated: ``[S (k + 3)]``. The gain is that of
    ``gibbs.Sampler``.

    Attributes:
        users: ``[users, S, k + 3]``.
        items: ``[items, S, k + 3]``, of ``[q, c, 1 if it has no ratings else 0, 1 / a]``.
        alpha: ``[S]``.
        offset, unit: ``[1]`` each: everything that is drawn is of (rating - offset) / unit.
        scale: ``[2]``, the lowest and the highest rating.
    """

    tables_are = "drawn"

    users: Tensor
    items: Tensor
    alpha: Tensor
    offset: Tensor
    unit: Tensor
    scale: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.factors = shape.factors
        self.register_buffer("users", torch.zeros(shape.users, 0, shape.factors + 3))
        self.register_buffer("items", torch.zeros(shape.items, 0, shape.factors + 3))
        self.register_buffer("alpha", torch.zeros(0))
        self.register_buffer("offset", torch.zeros(1))
        self.register_buffer("unit", torch.ones(1))
        self.register_buffer("scale", torch.zeros(2))
        self.user_prior = Prior(shape.users, shape.items, shape.factors + 1)
        self.item_prior = Prior(shape.items, shape.users, shape.factors + 1)

    @property
    def tables(self) -> dict[str, tuple[int, int]]:
        """What every sweep draws."""
        return {name: (len(self.get_buffer(name)), self.factors + 2) for name in ("users", "items")}

    @property
    def draws(self) -> int:
        """S."""
        return len(self.alpha)

    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        """Load as any module does, but take the numbers of draws and features from ``state_dict``."""
        for name in ("users", "items"):
            table = state_dict.get(name)
            if table is not None and table.dim() == 3 and table.shape[2] == self.factors + 2:  # from before the gain
                wider = torch.cat((table[..., :-1], torch.zeros_like(table[..., :1]), table[..., -1:]), dim=2)
                state_dict = {**state_dict, name: wider}
        later = ("unit", *(f"{side}_prior.{name}" for side in ("user", "item") for name in Prior.LATER))
        return load_resized(super().load_state_dict, self, state_dict, *args, later=later, **kwargs)

    def user_rows(self, user: Tensor) -> Tensor:
        return self.users.index_select(0, user.long()).flatten(1)

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        return torch.cat([drawn.mean(dim=1) for drawn, _ in self._parts(rows, item)]).clamp(*self.scale)

    def rate_draws(self, rows: Tensor, item: Tensor) -> Tensor:
        """The rating in each draw: ``[b, S]``."""
        return torch.cat([drawn for drawn, _ in self._parts(rows, item)])

    def moments(self, rows: Tensor, item: Tensor) -> RatingMoments:
        """Mean and standard deviations over the draws, ``[b]`` each."""
        moments = []
        for drawn, variance in self._parts(rows, item):
            mean = drawn.mean(dim=1)
            # torch.var_mean over short rows takes thirty times as long.
            uncertain = (drawn - mean.unsqueeze(1)).square_().mean(dim=1)
            moments.append((mean, (uncertain + variance).sqrt(), uncertain.sqrt()))
        return RatingMoments(*(torch.cat(column) for column in zip(*moments, strict=True)))

    def _parts(self, rows: Tensor, item: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Each draw's rating ``[b, S]`` and the mean noise variance ``[b]``, in one or more parts that fit memory."""
        if len(rows) > 1 and rows.stride(0) == 0:
            yield self._draw_for_one(rows[0], item)
            return
        size = max(1, CELLS // max(1, rows.shape[1]))
        for part in zip(rows.split(size), item.long().split(size), strict=True):
            yield self._draw(*part)

    def _draw(self, rows: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        k = self.factors
        x, y = rows.unflatten(1, (self.draws, k + 3)), self.items.index_select(0, item)
        drawn = (x[..., :k] * y[..., :k]).sum(dim=2) + x[..., k] + y[..., k] + x[..., k + 1] * y[..., k + 1]
        return drawn * self.unit + self.offset, (x[..., -1] * y[..., -1]).mean(dim=1) * self.unit.square()

    def _draw_for_one(self, row: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        """The same for one row ``[S (k + 2)]`` and many items: one matrix product, fast enough for every key press."""
        k, draws = self.factors, self.draws
        x = row.unflatten(0, (draws, k + 3))
        # Each draw's column holds the multipliers of its own numbers of an item, and zeros elsewhere.
        columns = row.new_zeros(draws, k + 3, draws + 1)
        each = torch.arange(draws)
        columns[each, :k, each] = x[:, :k]
        columns[each, k, each] = 1
        columns[each, k + 1, each] = x[:, k + 1]
        columns[:, -1, draws] = x[:, -1] / draws
        every = len(item) == len(self.items) and torch.equal(item, torch.arange(len(item)))
        table = self.items if every else self.items.index_select(0, item.long())
        product = table.flatten(1) @ columns.flatten(0, 1)
        drawn = (product[:, :draws] + x[:, k]) * self.unit + self.offset
        return drawn, product[:, draws] * self.unit.square()

    def learned(self) -> Learned:
        """Means over the draws, in units of the ratings: a dot product and a bias are added to a rating as they are."""
        k, users, items, unit = self.factors, self.users.mean(dim=1), self.items.mean(dim=1), self.unit
        root = unit.sqrt()
        return Learned(users[:, :k] * root, items[:, :k] * root, users[:, k] * unit, items[:, k] * unit)

    def baseline(self, rows: np.ndarray, learned: Learned) -> Baseline:
        """Nothing: each draw has a baseline of its own."""
        return Baseline(np.zeros(0), np.zeros(0))

    def terms(self, question: Question) -> Terms:
        return draw_terms(self, question)

    def row_prior(self) -> RowPrior:
        """The mean over the draws of the prior of a user without ratings, in d = k + 1 dimensions."""
        nobody = self.user_prior.of_new(torch.zeros(0, dtype=torch.int64))
        covariance = torch.linalg.inv(nobody.precision.double()).mean(dim=0)
        noise = self.users[..., -1].mean() * self.items[..., -1].mean() * self.unit.square()
        return RowPrior(nobody.expected.mean(dim=0), covariance, float(noise))

    def row_slopes(self, items: Tensor) -> Tensor:
        """The gradient by the mean of the draws: the items' mean factors, and 1 for the bias."""
        factors = self.items.index_select(0, items.long()).mean(dim=1)[:, : self.factors]
        return torch.cat((factors, torch.ones_like(factors[:, :1])), dim=1) * self.unit

    def centre_newcomers(self) -> None:
        """Give the rows of items without ratings the mean over the draws that they are expected to have.

        They are drawn around their expectations. The mean of some hundred draws is far from that of all where a row may
        be almost anything; their spread is kept.
        """
        prior, k = self.item_prior, self.factors
        new = (~prior.rated).nonzero().squeeze(1)
        rows = self.items[new, :, : k + 1]
        apart = rows - prior.expected_newcomers(new)
        self.items[new, :, : k + 1] = rows - apart.mean(dim=1, keepdim=True)

    def new_user(self, items: Tensor, rating: Tensor, seed: int = 0) -> Tensor:
        """One draw of the user's row from each draw's conditional distribution given the ratings: ``[S (k + 3)]``.

        The user's noise is drawn after the row, for which it is taken to be that of most users. Nothing but the ratings
        is known, so the side information is that of the average user. The same ratings give the same row.
        """
        known = self._condition(items, rating)
        shape = self.user_prior.shape
        with seeded(torch.device("cpu"), seed):
            rows = draw_normal(known.precision, known.moment)
            error = (known.target - torch.einsum("snd,sd->sn", known.design, rows)).square()
            rate = shape + (known.weight * error).sum(dim=1) / 2
            noise = Gamma(shape + len(items) / 2, rate, validate_args=False).sample()
        gain = torch.einsum("sk,sk->s", rows[:, : self.factors], self._beyond_names(items))
        return torch.cat((rows, gain.unsqueeze(1), 1 / (self.alpha * noise).unsqueeze(1)), dim=1).flatten()

    def _beyond_names(self, items: Tensor) -> Tensor:
        """The mean over ``items [n]`` of what their factors have beyond their names: ``[S, k]``."""
        items, k = items.long().unique(), self.factors
        items = items[self.item_prior.rated[items]]
        if not len(items) or not len(self.item_prior.new_mean):
            return self.items.new_zeros(self.draws, k)
        expected = self.item_prior.expected_newcomers(items)
        return (self.items[items, :, :k] - expected[..., :k]).mean(dim=0)

    def pulls(self, items: Tensor, rating: Tensor, item: int) -> Tensor:
        """How much each of these ratings moves the prediction for ``item`` of a user folded in from them: ``[n]``.

        The conditional mean with all of them less that without this one, in closed form (Sherman and Morrison), and
        averaged over the draws. The implicit set and the gain are left as they are.
        """
        known = self._condition(items, rating)
        covariance = torch.linalg.inv(known.precision)
        mean = torch.einsum("sde,se->sd", covariance, known.moment)
        reach = torch.einsum("snd,sde->sne", known.design, covariance) * known.weight.unsqueeze(2)
        leverage = torch.einsum("snd,snd->sn", reach, known.design)
        residual = known.target - torch.einsum("snd,sd->sn", known.design, mean)
        slope = torch.cat((self.items[item, :, : self.factors], torch.ones_like(self.alpha).unsqueeze(1)), dim=1)
        moved = torch.einsum("snd,sd->sn", reach, slope) * residual / (1 - leverage)
        return moved.mean(dim=0) * self.unit

    def scores(self, users: Tensor) -> Tensor:
        """What ``rate`` clips, without the parts that are the same for all items of a user: ``[b, items]``.

        The mean over draws of a dot product is itself a dot product, of all draws' factors side by side.
        """
        x = self.users.index_select(0, users)
        # The user's own bias and noise are replaced by the weights of the item's, so that no copy of the items is made.
        x[..., self.factors], x[..., -1] = 1, 0
        return x.flatten(1) @ self.items.flatten(1).T / self.draws

    def _condition(self, items: Tensor, rating: Tensor) -> Conditional:
        """The conditional distribution of a user's row given the ratings, in each draw."""
        k, prior, items = self.factors, self.user_prior, items.long()
        known = self.items.index_select(0, items).transpose(0, 1)  # [S, n, k + 3]
        design = torch.cat((known[..., :k], torch.ones_like(known[..., :1])), dim=2)
        target = (rating.to(self.users) - self.offset) / self.unit - known[..., k]
        weight = self.alpha.unsqueeze(1) / known[..., -1]
        before = prior.of_new(items)
        moment = torch.einsum("sde,se->sd", before.precision, before.expected)
        moment = moment + torch.einsum("snd,sn->sd", design, weight * target)
        precision = before.precision + torch.einsum("snd,sn,sne->sde", design, weight, design)
        return Conditional(design, target, weight, precision, moment)

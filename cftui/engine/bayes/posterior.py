"""Draws from a posterior as a model like the others: it predicts their mean, and knows how far they are apart.

The architecture of the recipe ``bayes``. It has no parameters to be trained; its buffers are what ``gibbs.Sampler``
drew, one slice a draw, turned so that the factors of all draws point the same way (``align``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Gamma

from cftui.engine.bayes.gibbs import draw_normal
from cftui.engine.models.architectures import Architecture, Learned, Shape

# Floats looked up at a time: bounds the memory, not the result.
CELLS = 8_000_000


class Prior(nn.Module):
    """What the draws say of the rows of one side before their ratings, S draws, d = k + 1.

    Attributes:
        mean, precision: ``[S, d]``, ``[S, d, d]``.
        shape: ``[S]``: a noise precision is Gamma(shape, shape).
        implicit, implicit_weights: of each row ``[n, r]`` and ``[S, r, d]``; together they shift the prior's mean.
        directions: ``[m, r]``: a set's implicit features are the sum of its members' over the root of their number.
        side, side_weights: the same of side information and counts, ``[n, f]``, ``[S, f, d]``; in ``side`` the last two
            columns are the standardised logarithm of the number of ratings, and its square.
        counts: ``[4]``, what standardises that logarithm: mean, standard deviation, least and largest.
    """

    mean: Tensor
    precision: Tensor
    shape: Tensor
    implicit: Tensor
    implicit_weights: Tensor
    directions: Tensor
    side: Tensor
    side_weights: Tensor
    counts: Tensor

    # Of these each draw has its own; the others are the same for all.
    DRAWN = ("mean", "precision", "shape", "implicit_weights", "side_weights")

    def __init__(self, n: int, m: int, d: int) -> None:
        super().__init__()
        sizes = {
            "mean": (0, d),
            "precision": (0, d, d),
            "shape": (0,),
            "implicit": (n, 0),
            "implicit_weights": (0, 0, d),
            "directions": (m, 0),
            "side": (n, 0),
            "side_weights": (0, 0, d),
            "counts": (4,),
        }
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(size))

    def shifts(self, row: int) -> tuple[Tensor, Tensor]:
        """What its implicit set and its side information add to the prior's mean of a row: two ``[S, d]``."""
        return self._shifts(self.implicit[row], self.side[row])

    def _shifts(self, implicit: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
        return (
            torch.einsum("srd,r->sd", self.implicit_weights, implicit),
            torch.einsum("sfd,f->sd", self.side_weights, side),
        )

    def shifts_of_new(self, rated: Tensor) -> tuple[Tensor, Tensor]:
        """The same for somebody with the implicit set ``rated [n]`` (codes) of whom nothing else is known: what is
        known of the average row, and how many these are."""
        rated = rated.unique()
        implicit = self.directions.index_select(0, rated).sum(dim=0) / math.sqrt(max(1, len(rated)))
        side = self.side[1:].mean(dim=0) if len(self.side) > 1 else self.side[0]
        if len(side):
            mean, deviation, least, largest = self.counts.tolist()
            # Not further out than anybody was trained on.
            level = (min(max(math.log1p(len(rated)), least), largest) - mean) / deviation
            side = torch.cat((side[:-2], side.new_tensor([level, level**2])))
        return self._shifts(implicit, side)


class Conditional(NamedTuple):
    """The distribution N(P^-1 h, P^-1) of a row in each draw, and what it is made of."""

    design: Tensor  # [S, n, d], the items' factors, and 1
    target: Tensor  # [S, n], the ratings, less what is the item's
    weight: Tensor  # [S, n], their precisions
    precision: Tensor  # [S, d, d], P
    moment: Tensor  # [S, d], h


class BayesianFactors(Architecture):
    """The mean over draws of ``p . q + b + c``, cut to the scale.

    A user's row is the draws of ``[p, b, 1 / (alpha a)]``, one after the other: ``[S (k + 2)]``.

    Attributes:
        users: ``[users, S, k + 2]``.
        items: ``[items, S, k + 2]``, of ``[q, c, 1 / a]``.
        alpha: ``[S]``.
        offset: ``[1]``, what was taken from the ratings before.
        scale: ``[2]``, the lowest and the highest rating.
    """

    users: Tensor
    items: Tensor
    alpha: Tensor
    offset: Tensor
    scale: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.factors = shape.factors
        self.register_buffer("users", torch.zeros(shape.users, 0, shape.factors + 2))
        self.register_buffer("items", torch.zeros(shape.items, 0, shape.factors + 2))
        self.register_buffer("alpha", torch.zeros(0))
        self.register_buffer("offset", torch.zeros(1))
        self.register_buffer("scale", torch.zeros(2))
        self.user_prior = Prior(shape.users, shape.items, shape.factors + 1)
        self.item_prior = Prior(shape.items, shape.users, shape.factors + 1)

    @property
    def draws(self) -> int:
        """S."""
        return len(self.alpha)

    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        """As of any module, but for the number of draws and of features, which are those of ``state_dict``."""
        for name, buffer in self.named_buffers():
            new = state_dict.get(name)
            # Everything but the vocabularies and the number of factors may be of another size.
            if new is None or new.dim() != buffer.dim():
                continue
            fixed = [old == found for old, found in zip(buffer.shape, new.shape, strict=True) if old]
            if all(fixed) and new.is_floating_point():
                owner, _, own = name.rpartition(".")
                setattr(self.get_submodule(owner), own, torch.empty_like(new, dtype=buffer.dtype))
        return super().load_state_dict(state_dict, *args, **kwargs)

    def user_rows(self, user: Tensor) -> Tensor:
        return self.users.index_select(0, user.long()).flatten(1)

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        return torch.cat([drawn.mean(dim=1) for drawn, _ in self._parts(rows, item)]).clamp(*self.scale)

    def rate_draws(self, rows: Tensor, item: Tensor) -> Tensor:
        """What each draw says: ``[b, S]``."""
        return torch.cat([drawn for drawn, _ in self._parts(rows, item)])

    def moments(self, rows: Tensor, item: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of the ratings ``[b]`` that users with these rows would give these items, three ``[b]``: mean, not cut;
        standard deviation around it; and the part of that which is uncertainty of the mean itself, not noise."""
        found = []
        for drawn, variance in self._parts(rows, item):
            mean = drawn.mean(dim=1)
            # torch.var_mean over short rows takes thirty times as long.
            uncertain = (drawn - mean.unsqueeze(1)).square_().mean(dim=1)
            found.append((mean, (uncertain + variance).sqrt(), uncertain.sqrt()))
        mean, sd, uncertainty = (torch.cat(column) for column in zip(*found, strict=True))
        return mean, sd, uncertainty

    def _parts(self, rows: Tensor, item: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Each draw's rating ``[b, S]`` and their mean noise variance ``[b]``, in parts small enough for memory; one at
        least."""
        if len(rows) > 1 and rows.stride(0) == 0:
            yield self._draw_for_one(rows[0], item)
            return
        size = max(1, CELLS // max(1, rows.shape[1]))
        for part in zip(rows.split(size), item.long().split(size), strict=True):
            yield self._draw(*part)

    def _draw(self, rows: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        k = self.factors
        x, y = rows.unflatten(1, (self.draws, k + 2)), self.items.index_select(0, item)
        drawn = (x[..., :k] * y[..., :k]).sum(dim=2) + x[..., k] + y[..., k] + self.offset
        return drawn, (x[..., k + 1] * y[..., k + 1]).mean(dim=1)

    def _draw_for_one(self, row: Tensor, item: Tensor) -> tuple[Tensor, Tensor]:
        """The same of one row ``[S (k + 2)]`` for many items: one matrix product, quick enough for every key press."""
        k, draws = self.factors, self.draws
        x = row.unflatten(0, (draws, k + 2))
        # Each draw's column holds what its own numbers of an item are multiplied by, and zeros elsewhere.
        columns = row.new_zeros(draws, k + 2, draws + 1)
        each = torch.arange(draws)
        columns[each, :k, each] = x[:, :k]
        columns[each, k, each] = 1
        columns[:, k + 1, draws] = x[:, k + 1] / draws
        every = len(item) == len(self.items) and torch.equal(item, torch.arange(len(item)))
        table = self.items if every else self.items.index_select(0, item.long())
        product = table.flatten(1) @ columns.flatten(0, 1)
        return product[:, :draws] + (x[:, k] + self.offset), product[:, draws]

    def learned(self) -> Learned:
        """Means over the draws."""
        k, users, items = self.factors, self.users.mean(dim=1), self.items.mean(dim=1)
        return Learned(users[:, :k], items[:, :k], users[:, k], items[:, k])

    def new_user(self, items: Tensor, rating: Tensor, seed: int = 0) -> Tensor:
        """The row ``[S (k + 2)]`` of a user who gave ``items [n]`` (codes) these ``rating [n]``: of every draw's
        conditional distribution of a user given his ratings, one draw.

        His noise is drawn after his row, for which it is taken to be that of most users. Nothing is known of him beside
        his ratings, so his side information is that of the average user. The same ratings give the same row.
        """
        known = self._condition(items, rating)
        shape = self.user_prior.shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            rows = draw_normal(known.precision, known.moment)
            error = (known.target - torch.einsum("snd,sd->sn", known.design, rows)).square()
            rate = shape + (known.weight * error).sum(dim=1) / 2
            noise = Gamma(shape + len(items) / 2, rate, validate_args=False).sample()
        return torch.cat((rows, 1 / (self.alpha * noise).unsqueeze(1)), dim=1).flatten()

    def pulls(self, items: Tensor, rating: Tensor, item: int) -> Tensor:
        """How much each of these ratings moves the prediction for ``item`` of somebody folded in from them: ``[n]``.

        The conditional mean with all of them less that without this one, in closed form (Sherman and Morrison), and
        averaged over the draws. That the item is in the implicit set is left as it is.
        """
        known = self._condition(items, rating)
        covariance = torch.linalg.inv(known.precision)
        mean = torch.einsum("sde,se->sd", covariance, known.moment)
        reach = torch.einsum("snd,sde->sne", known.design, covariance) * known.weight.unsqueeze(2)
        leverage = torch.einsum("snd,snd->sn", reach, known.design)
        residual = known.target - torch.einsum("snd,sd->sn", known.design, mean)
        slope = torch.cat((self.items[item, :, :-2], torch.ones_like(self.alpha).unsqueeze(1)), dim=1)
        moved = torch.einsum("snd,sd->sn", reach, slope) * residual / (1 - leverage)
        return moved.mean(dim=0)

    def scores(self, users: Tensor) -> Tensor:
        """What ``rate`` cuts, but for what is the same for all items of a user: ``[b, items]``, in the same order.

        The mean over draws of a dot product is itself one, of all draws' factors side by side.
        """
        x = self.users.index_select(0, users)
        # The user's own bias and noise give way to what the item's are worth, so that no copy of the items is made.
        x[..., self.factors], x[..., self.factors + 1] = 1, 0
        return x.flatten(1) @ self.items.flatten(1).T / self.draws

    def _condition(self, items: Tensor, rating: Tensor) -> Conditional:
        """What the draws say of somebody's row, given his ratings."""
        k, prior, items = self.factors, self.user_prior, items.long()
        known = self.items.index_select(0, items).transpose(0, 1)  # [S, n, k + 2]
        design = torch.cat((known[..., :k], torch.ones_like(known[..., :1])), dim=2)
        target = rating.to(self.users) - self.offset - known[..., k]
        weight = self.alpha.unsqueeze(1) / known[..., k + 1]
        expected = prior.mean + sum(prior.shifts_of_new(items))
        moment = torch.einsum("sde,se->sd", prior.precision, expected)
        moment = moment + torch.einsum("snd,sn->sd", design, weight * target)
        precision = prior.precision + torch.einsum("snd,sn,sne->sde", design, weight, design)
        return Conditional(design, target, weight, precision, moment)

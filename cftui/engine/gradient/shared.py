"""Training by several processes: the users are divided, every process has all items.

Each process has the ratings, the rows and the moments of its own users. A batch is the same as in one process, and
each process works through its own users' part of it. Then the gradients of the items are added up, which is the one
exchange of a step, and all take the same step on the items.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine import metrics
from cftui.engine.fitting import Hooks, Outcome, rows_on
from cftui.engine.gradient.method import GradientOptions
from cftui.engine.gradient.schedule import Pace
from cftui.engine.gradient.steps import PART, Moments, PackedStep, by_user
from cftui.engine.gradient.trainer import CUDA_WINDOW, Trainer
from cftui.engine.models.architectures import Architecture, Shape
from cftui.engine.models.build import Weights, build
from cftui.engine.models.recipes import Recipe
from cftui.engine.ranks import Ranks

# Rows below the items' gradients that are added up with them: the squared errors, and how many processes want to stop.
SPARE = 2
# Any shape: a model of it says whether its architecture is a dot product.
SMALL = Shape(users=2, items=2, factors=1, y_range=None, levels=(1.0, 2.0))


def owners(counts: np.ndarray, processes: int) -> np.ndarray:
    """Which process has each user, ``[users]``: dealt out by their numbers of ratings ``[users]``, back and forth."""
    turn = np.arange(len(counts)) % (2 * processes)
    owner = np.empty(len(counts), np.int64)
    owner[np.argsort(-counts, kind="stable")] = np.minimum(turn, 2 * processes - 1 - turn)
    return owner


class SharedStep(PackedStep):
    """``PackedStep`` on the rows of this process's users and of all items.

    Args:
        codes: the users of each process.
        batch: the ratings in the batches of all processes together.

    Attributes:
        wants_stop: whether this process was asked to stop.
    """

    def __init__(
        self,
        model: Architecture,
        decay: float,
        bias_decay: float | None,
        codes: Sequence[Tensor],
        batch: int,
        ranks: Ranks,
    ) -> None:
        super().__init__(model, decay, bias_decay)
        self._codes, self._batch, self._ranks = codes, batch, ranks
        # What the parameters of the model are views of.
        self._full, self._items_from = self._table.data, self._users
        self._users = len(codes[ranks.rank])
        items = torch.arange(self._items_from, len(self._full), device=self._full.device)
        self._own = torch.cat((codes[ranks.rank], items))
        self._table = nn.Parameter(self._full[self._own])
        rows, width = self._table.shape
        self._summed = self._full.new_zeros(rows + SPARE, width)
        self._grad = self._summed[:rows]
        # A checkpoint is that of one process, so that any number of them can go on with it.
        self._whole = self._moments if ranks.is_first else None
        self._moments = Moments(self._table.data)
        self.optimizer = self
        self.wants_stop = False
        self._stops = self._full.new_zeros(())

    @property
    def stops(self) -> bool:
        """Whether any process was asked to stop before the last step. On a GPU, the answer takes a wait."""
        return bool(self._stops > 0)

    @torch.no_grad()
    def __call__(self, user: Tensor, item: Tensor, rating: Tensor, pace: Pace) -> Tensor:
        if len(rating) > PART and rating.device.type == "cpu":
            user, item, rating = by_user(user, item, rating)
        parts = zip(user.split(PART), item.split(PART), rating.split(PART), strict=True)
        self._summed[-1, 0] = sum(self._accumulate(*part, self._batch)[1] for part in parts)
        self._summed[-2, 0] = float(self.wants_stop)
        self._ranks.sum(self._summed[self._users :])
        squared, self._stops = self._summed[-1, 0] / self._batch, self._summed[-2, 0].clone()
        self._update(pace)
        self._summed.zero_()
        return squared

    def own_table(self) -> Tensor:
        """A copy of the rows that this process trains."""
        return self._table.data.clone()

    def restore(self, table: Tensor) -> None:
        self._table.data.copy_(table)

    def show_own(self) -> None:
        """Let the model have the rows of this process. Those of the other users are as they were gathered last."""
        self._full[self._own] = self._table.data

    def gather(self) -> None:
        """Let the model have the rows of all users, and the first process all moments."""
        self._gather(self._table.data, self._full)
        for name in ("exp_avg", "exp_avg_sq"):
            self._gather(getattr(self._moments, name), None if self._whole is None else getattr(self._whole, name))
        if self._whole is not None:
            self._whole.step.copy_(self._moments.step)

    def _gather(self, own: Tensor, full: Tensor | None) -> None:
        parts = self._ranks.gather(own[: self._users], list(map(len, self._codes)))
        if full is not None:
            for codes, part in zip(self._codes, parts, strict=True):
                full[codes] = part
            full[self._items_from :] = own[self._users :]

    def state_dict(self) -> dict[str, Any]:
        """The moments as they were gathered last; only the first process has them."""
        return {"state": {}} if self._whole is None else self._whole.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take this process's rows from a model and from moments that are whole."""
        whole = self._whole or Moments(self._full)
        whole.load_state_dict(state_dict)
        self._moments.step.copy_(whole.step)
        for name in ("exp_avg", "exp_avg_sq"):
            getattr(self._moments, name).copy_(getattr(whole, name)[self._own])
        self._table.data.copy_(self._full[self._own])


class SharedTrainer(Trainer):
    """A ``Trainer`` that is one of several processes."""

    fit_batch: SharedStep

    def __init__(
        self, recipe: Recipe, options: GradientOptions, ratings: Ratings, split: Split, device: torch.device
    ) -> None:
        super().__init__(recipe, options, ratings, split, device)
        self.fit_batch = SharedStep(
            self.model, options.wd, options.bias_decay, self._codes, self.batch_size, self.ranks
        )

    @classmethod
    def shares(cls, recipe: Recipe) -> bool:
        return bool(build(recipe, SMALL).dot_parameters())

    def _load(self, ratings: Ratings, split: Split) -> None:
        users, rank = len(ratings.users), self.ranks.rank
        user = ratings.user[split.train]
        owner = owners(np.bincount(user, minlength=users), self.ranks.size)
        codes = [np.flatnonzero(owner == one) for one in range(self.ranks.size)]
        self._codes = [torch.from_numpy(one).to(self.device) for one in codes]
        is_own = owner[user] == rank
        # Where each training rating is among this process's; -1 for those of the others.
        place = np.where(is_own, np.cumsum(is_own, dtype=np.int32) - 1, np.int32(-1))
        self._place = torch.from_numpy(place.astype(np.int32, copy=False)).to(self.device)
        row = torch.zeros(users, dtype=torch.int64, device=self.device)
        row[self._codes[rank]] = torch.arange(len(codes[rank]), device=self.device)
        own_user, item, rating = rows_on(self.device, ratings, split.train[is_own])
        self._train = row[own_user], item, rating
        self._valid = rows_on(self.device, ratings, split.valid[owner[ratings.user[split.valid]] == rank])

    def fit(self, hooks: Hooks | None = None) -> Outcome:
        hooks = hooks or Hooks()
        save = hooks.checkpoint

        def checkpoint() -> None:
            self.fit_batch.gather()
            save()

        return super().fit(dataclasses.replace(hooks, checkpoint=checkpoint))

    def _fit(self, hooks: Hooks) -> Outcome:
        outcome = super()._fit(hooks)
        self.fit_batch.gather()
        return outcome

    def _stops(self, hooks: Hooks) -> bool:
        self.fit_batch.wants_stop = hooks.should_stop()
        return (self.device.type != "cuda" or self.step % CUDA_WINDOW == 0) and self.fit_batch.stops

    def _batches(self, epoch: int, skip: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        size, steps = self.batch_size, self.steps_per_epoch
        places = self._place[self._epoch_order(epoch)[skip * size : steps * size]]
        at = (places >= 0).nonzero().squeeze(1)
        places = places[at]
        # How many ratings of each batch are this process's.
        sizes = torch.bincount(at // size, minlength=steps - skip).tolist()
        del at
        yield from zip(*(column.index_select(0, places).split(sizes) for column in self._train), strict=True)

    def validate(self) -> metrics.Score:
        self.fit_batch.show_own()
        user, item, rating = self._valid
        error = (metrics.predict(self.model, user, item) - rating).double()
        sums = torch.stack((error.new_tensor(len(rating)), error.square().sum(), error.abs().sum()))
        n, squared, absolute = self.ranks.sum(sums).tolist()
        return metrics.Score(int(n), squared / n, absolute / n) if n else metrics.Score(0)

    def out_of_memory_advice(self) -> str:
        return f"with batches of {self.batch_size:,}; try a smaller --bs, fewer --factors or more processes"

    def _sound_weights(self) -> Weights:
        return {"own": self.fit_batch.own_table()}

    def _copy_weights(self) -> Weights:
        self.fit_batch.gather()
        return super()._copy_weights() if self.ranks.is_first else {}

    def _restore(self, weights: Weights) -> None:
        if "own" in weights:
            self.fit_batch.restore(weights["own"])
            self.fit_batch.gather()
        else:
            super()._restore(weights)

    def state(self) -> Weights:
        return super().state() if self.ranks.is_first else {}

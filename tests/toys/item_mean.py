"""A way of fitting as somebody would add it by the documentation: every item's mean, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine import metrics
from cftui.engine.fitting import Fitter, Hooks, Outcome, rows_on, validation
from cftui.engine.models.architectures import Architecture, Learned, Shape
from cftui.engine.models.build import Weights, shape_of
from cftui.engine.models.method import Method
from cftui.engine.models.options import Options, option
from cftui.engine.models.recipes import Recipe
from cftui.engine.runs.events import EpochEvent


class ItemMean(Architecture):
    """Predicts an item's mean rating, shrunk towards the mean of all."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.means = nn.Parameter(torch.zeros(shape.items))

    def user_rows(self, user: Tensor) -> Tensor:
        return self.means.new_zeros(len(user), 1)

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        return self.means[item] + 0 * rows[:, 0]

    def learned(self) -> Learned:
        return Learned(self.means.new_zeros(1, 1), self.means[:, None])


@dataclass(frozen=True)
class MeanOptions(Options):
    shrink: float = option(
        5.0,
        "shrinkage",
        float,
        "Ratings at the overall mean that each item begins with.",
        ok=lambda value: value >= 0,
        rule="a number from 0",
        short="shrink",
    )


class MeanFitter(Fitter):
    """The closed form: one step over all ratings."""

    model: ItemMean
    step: int = 0
    steps: int = 1
    train_size: int

    def __init__(
        self, recipe: Recipe, options: MeanOptions, ratings: Ratings, split: Split, device: torch.device
    ) -> None:
        super().__init__(recipe, options, ratings, split, device)
        self.model = ItemMean(shape_of(recipe, ratings, 0))
        self._train, self._valid = (rows_on(device, ratings, rows) for rows in (split.train, split.valid))
        self.train_size = len(split.train)

    def fit(self, hooks: Hooks | None = None) -> Outcome:
        hooks = hooks or Hooks()
        if hooks.should_stop():
            return "stopped"
        _, item, rating = self._train
        mean, shrink, size = rating.mean(), self.options.shrink, len(self.model.means)
        counts = torch.bincount(item, minlength=size)
        sums = torch.zeros(size).index_add_(0, item.long(), rating)
        self.model.means.data = (sums + shrink * mean) / (counts + shrink)
        self.step = 1
        loss = metrics.score(metrics.predict(self.model, *self._train[:2]), rating).mse
        hooks.emit(
            EpochEvent(
                event="epoch",
                epoch=0,
                step=1,
                train_loss=loss,
                **validation(self.validate()),
                seconds=0.0,
                elapsed=0.0,
                ratings_per_second=1.0,
            )
        )
        hooks.after_epoch()
        hooks.checkpoint()
        return "finished"

    def validate(self) -> metrics.Score:
        user, item, rating = self._valid
        return metrics.score(metrics.predict(self.model, user, item), rating)

    def state(self) -> Weights:
        return {"model.means": self.model.means.detach().clone(), "step": torch.tensor([self.step])}

    def load_state(self, tensors: Weights) -> None:
        self.model.means.data, self.step = tensors["model.means"], int(tensors["step"])


METHOD = Method(
    name="item-mean",
    how="computed at once",
    unit="step",
    options=MeanOptions,
    fitter=f"{__name__}:MeanFitter",
    grid=("shrink=1,5,25",),
)

PATH = f"{__name__}:METHOD"
RECIPE = Recipe("item-mean", "the mean of each item", f"{__name__}:ItemMean", method="item-mean", sigmoid=False)

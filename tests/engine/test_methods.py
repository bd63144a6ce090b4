"""A further way of fitting plugs in by a file of its own and one row in the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine import metrics
from cftui.engine.fitting import Fitter, Hooks, Outcome, rows_on, validation
from cftui.engine.models import methods
from cftui.engine.models.architectures import Architecture, Learned, Shape
from cftui.engine.models.build import Weights, shape_of
from cftui.engine.models.method import Method
from cftui.engine.models.options import Options, option
from cftui.engine.models.recipes import RECIPES, Recipe, recipe
from cftui.engine.runs.events import EpochEvent
from cftui.engine.training import resume, train
from cftui.errors import CftuiError
from cftui.home import Home

CPU = torch.device("cpu")


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


@pytest.fixture
def item_mean(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """The method's row, and a recipe that uses it."""
    monkeypatch.setitem(methods.METHODS, "item-mean", f"{__name__}:METHOD")
    row = Recipe("item-mean", "the mean of each item", f"{__name__}:ItemMean", method="item-mean", sigmoid=False)
    monkeypatch.setitem(RECIPES, row.name, row)
    return row


def test_it_trains_into_a_run_folder_that_opens_and_predicts(tiny_home: Home, item_mean: Recipe) -> None:
    events: list[Any] = []
    run = train(
        tiny_home, item_mean, item_mean.options(shrink=2.0), data="tiny", device=CPU, name="m", emit=events.append
    )
    assert run.status() == "done"
    assert [event["event"] for event in events] == ["start", "baselines", "epoch", "done"]
    assert (events[0]["unit"], events[0]["epochs"]) == ("step", 1)
    baselines = run.history().baselines
    assert run.history().ending["valid_loss"] < baselines["global_mean"]
    model = TrainedModel.load(run)
    assert isinstance(model.options, MeanOptions)
    assert model.options.shrink == 2.0
    assert model.recipe == item_mean
    ratings = model.ratings(tiny_home)
    assert model.predict(ratings.user[:5], ratings.item[:5]).shape == (5,)


def test_it_cannot_be_continued_and_says_so(tiny_home: Home, item_mean: Recipe) -> None:
    run = train(tiny_home, item_mean, item_mean.options(), data="tiny", device=CPU, name="m")
    with pytest.raises(CftuiError, match="item-mean is fitted at once; there is nothing to continue"):
        resume(tiny_home, run, more_epochs=2, device=CPU)
    assert run.status() == "done"


def test_it_has_its_own_options_and_no_others(item_mean: Recipe) -> None:
    with pytest.raises(CftuiError, match="item-mean has no learning rate: it is computed at once"):
        item_mean.options(lr=0.1)
    with pytest.raises(CftuiError, match="model4 has no shrinkage: it is trained by gradients"):
        recipe("model4").options(shrink=1.0)
    with pytest.raises(CftuiError, match=r"shrinkage '-1\.0': must be a number from 0"):
        item_mean.options(shrink=-1.0)


def test_a_sweep_varies_what_its_method_names(tiny_home: Home, item_mean: Recipe) -> None:
    from cftui.engine.sweep import best, parse, settings, sweep

    tried = settings(parse(item_mean, item_mean.fitting.grid))
    assert tried == [{"shrink": 1.0}, {"shrink": 5.0}, {"shrink": 25.0}]
    shared: dict[str, Any] = {"data": "tiny", "device": CPU, "stop_requested": lambda: False}
    trials = list(sweep(tiny_home, item_mean, item_mean.options(), tried, name="s", **shared))
    winner = best(trials, item_mean.fitting.score)
    assert winner is not None
    assert winner.loss == min(trial.loss for trial in trials)

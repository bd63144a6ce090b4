"""A further way of fitting plugs in by a file of its own and one row in the table."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cftui.analysis.trained import TrainedModel
from cftui.engine.models import methods
from cftui.engine.models.recipes import RECIPES, Recipe, recipe
from cftui.engine.training import resume, train
from cftui.errors import CftuiError
from cftui.home import Home
from tests.toys import item_mean as toy

CPU = torch.device("cpu")


@pytest.fixture
def item_mean(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """The method's row, and a recipe that uses it."""
    monkeypatch.setitem(methods.METHODS, toy.METHOD.name, toy.PATH)
    monkeypatch.setitem(RECIPES, toy.RECIPE.name, toy.RECIPE)
    return toy.RECIPE


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
    assert isinstance(model.options, toy.MeanOptions)
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

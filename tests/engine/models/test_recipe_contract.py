"""What every recipe owes, whatever its architecture. A new row in the table is tested by being there."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine import metrics
from cftui.engine.gradient.trainer import Trainer
from cftui.engine.models.recipes import RECIPES
from cftui.engine.training import fitter_for
from tests.settings import RATING, options_for

from ..fitting import fit

CPU = torch.device("cpu")
SETTINGS = {"epochs": 3, "bs": 16, "factors": 8, "seed": 4}

# What depends on the data or the recipe alone, not on the seed.
SAME_FOR_ALL = ("levels", "num_batches_tracked", "_features.codes", "directions", "offset", "unit", "scale", "rated")

Make = Callable[..., Any]


@pytest.fixture
def make(tiny: Ratings) -> Make:
    """An untrained trainer on the tiny data."""

    def trainer(name: str, **changes: object) -> Any:
        options = options_for(RECIPES[name], **{**SETTINGS, **changes})
        return fitter_for(RECIPES[name], options, tiny, split(tiny, options.split, options.seed), CPU)

    return trainer


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def identical(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def all_pairs(ratings: Ratings) -> tuple[torch.Tensor, torch.Tensor]:
    users, items = np.meshgrid(np.arange(len(ratings.users)), np.arange(len(ratings.items)), indexing="ij")
    return torch.from_numpy(users.ravel().copy()), torch.from_numpy(items.ravel().copy())


@pytest.mark.parametrize("name", RATING)
class TestEveryRecipeThatRates:
    def test_loss_falls(self, name: str, make: Make, tiny: Ratings) -> None:
        trainer = make(name, epochs=30)
        users, items = torch.tensor(tiny.user), torch.tensor(tiny.item)

        def loss() -> float:
            return metrics.score(metrics.predict(trainer.model, users, items), torch.tensor(tiny.rating)).mse

        before = loss()
        events: list[Any] = []
        assert fit(trainer, events.append)
        epochs = [event for event in events if event["event"] == "epoch"]
        assert [event["epoch"] for event in epochs] == list(range(30))
        assert epochs[-1]["train_loss"] < epochs[0]["train_loss"]
        # A chain begins where its first draws happen to be, a gradient at nothing.
        assert loss() < (1.0 if RECIPES[name].method == "bayes" else 0.75) * before
        assert loss() < 0.9 * float(tiny.rating.var())

    def test_a_batch_predicts_what_each_pair_alone_does(self, name: str, make: Make, tiny: Ratings) -> None:
        trainer = make(name)
        fit(trainer)
        users, items = (codes[::17] for codes in all_pairs(tiny))
        together = metrics.predict(trainer.model, users, items)
        pairs = zip(users, items, strict=True)
        alone = torch.cat([metrics.predict(trainer.model, u[None], i[None]) for u, i in pairs])
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
        assert together.std() > 0

    def test_predicting_changes_nothing(self, name: str, make: Make, tiny: Ratings) -> None:
        trainer = make(name)
        before = weights(trainer)
        metrics.predict(trainer.model, *all_pairs(tiny))
        assert identical(before, weights(trainer))
        assert trainer.model.training

    def test_the_same_seed_gives_identical_weights_and_another_does_not(self, name: str, make: Make) -> None:
        first = make(name)
        torch.manual_seed(123)  # what others draw must not matter
        second, other = make(name), make(name, seed=5)
        assert identical(weights(first), weights(second))
        assert not identical(weights(first), weights(other))
        fit(first)
        torch.rand(7)
        fit(second)
        fit(other)
        assert identical(weights(first), weights(second))
        for weight, value in weights(first).items():
            if value.numel() and not weight.endswith(SAME_FOR_ALL):
                assert not torch.equal(value, weights(other)[weight]), weight

    def test_predictions_stay_in_range(self, name: str, make: Make, tiny: Ratings) -> None:
        trainer = make(name, lr=0.5, wd=0.0)
        fit(trainer)
        predicted = metrics.predict(trainer.model, *all_pairs(tiny))
        assert torch.isfinite(predicted).all()
        if name == "cross-entropy":
            low, high = 1.0, 5.0
        else:
            assert trainer.model.y_range == ((0.0, 5.5) if RECIPES[name].sigmoid else None)
            low, high = trainer.model.y_range or (-torch.inf, torch.inf)
        assert ((low <= predicted) & (predicted <= high)).all()

    def test_the_unknown_user_and_item_have_a_prediction(self, name: str, make: Make) -> None:
        trainer = make(name)
        fit(trainer)
        users, items = torch.tensor([0, 0, 3]), torch.tensor([0, 5, 0])
        predicted = metrics.predict(trainer.model, users, items)
        assert predicted.shape == (3,)
        assert torch.isfinite(predicted).all()

    def test_a_run_folder_loads_to_the_model_that_was_trained(self, name: str, make: Make, tiny_runs, tiny) -> None:
        _, runs = tiny_runs
        trainer = make(name, epochs=2, seed=0)
        fit(trainer)
        model = TrainedModel.load(runs[name])
        assert identical(weights(trainer), dict(model.module.state_dict()))
        users, items = all_pairs(tiny)
        mine = model.predict(users.numpy(), items.numpy())
        assert np.array_equal(mine, metrics.predict(trainer.model, users, items).numpy())

    def test_what_was_learned_has_the_shape_of_the_vocabularies(self, name: str, tiny_runs, tiny: Ratings) -> None:
        learned = TrainedModel.load(tiny_runs[1][name]).learned
        assert learned.user_factors.shape[0] == len(tiny.users)
        assert learned.item_factors.shape[0] == len(tiny.items)
        biased = name in ("model3", "model4", "model5", "collab", "cross-entropy", "hybrid", "bayes")
        assert (learned.item_bias is not None) == (learned.user_bias is not None) == biased
        if biased:
            assert learned.user_bias.shape == (len(tiny.users),)
            assert learned.item_bias.shape == (len(tiny.items),)

    def test_a_row_is_all_that_a_rating_depends_on_of_a_user(self, name: str, make: Make, tiny: Ratings) -> None:
        trainer = make(name)
        fit(trainer)
        model = trainer.model.eval()
        users, items = all_pairs(tiny)
        with torch.no_grad():
            rows, wanted = model.user_rows(users), model(users, items)
            assert torch.equal(model.rate(rows, items), wanted)
            assert torch.equal(rows, model.user_rows(torch.arange(len(tiny.users)))[users])
            if RECIPES[name].method != "bayes":  # of which a row is all draws, not their mean
                learned = model.learned()
                assert torch.equal(rows[:, : learned.user_factors.shape[1]], learned.user_factors[users])
            dot = model.dot_parameters()
            if "user_bias" in dot:
                assert torch.equal(rows[:, -1], dot["user_bias"].reshape(-1)[users])
            scrambled = [value for key, value in model.state_dict().items() if key.startswith(("user", "u_"))]
            scrambled = [value for value in scrambled if value.is_floating_point()]
            assert scrambled
            for parameter in scrambled:
                parameter.fill_(float("nan"))
            assert torch.equal(model.rate(rows, items), wanted)
            assert model(users, items).isnan().all()

    def test_each_row_is_rated_for_on_its_own(self, name: str, tiny_runs, tiny: Ratings) -> None:
        model = TrainedModel.load(tiny_runs[1][name])
        rows, users, items = model.user_rows, *(codes.numpy() for codes in all_pairs(tiny))
        wanted = model.predict(users, items).reshape(len(tiny.users), len(tiny.items))
        assert rows.shape[0] == len(tiny.users)
        for user in range(len(tiny.users)):
            np.testing.assert_allclose(model.rate(rows[user]), wanted[user], rtol=0, atol=1e-6)
        some = np.array([7, 0, 7, 12])
        np.testing.assert_allclose(model.rate(rows[5], some), wanted[5][some], rtol=0, atol=1e-6)
        assert model.rate(rows[5], np.array([], dtype=np.int64)).shape == (0,)
        moved = model.rate(rows[5] + 1)
        assert not np.allclose(moved, wanted[5], atol=1e-3)

    @pytest.mark.parametrize("draw", range(2))
    def test_interrupted_and_resumed_ends_like_never_interrupted(self, name: str, draw: int, make: Make) -> None:
        whole = make(name)
        assert fit(whole)
        stop_at = random.Random(f"{name} {draw}").randrange(1, whole.steps)
        stop_at += whole.steps_per_epoch > 1 and stop_at % whole.steps_per_epoch == 0  # in the middle of an epoch
        first = make(name)
        assert not fit(first, should_stop=lambda: first.step >= stop_at)
        assert first.step == stop_at
        second = make(name)
        second.load_state(load(save(first.state())))
        assert second.step == stop_at
        assert fit(second)
        assert identical(weights(whole), weights(second))
        if RECIPES[name].method != "bayes":
            assert second.train_loss.smoothed == whole.train_loss.smoothed
        assert second.validate() == whole.validate()
        assert second.elapsed > first.elapsed

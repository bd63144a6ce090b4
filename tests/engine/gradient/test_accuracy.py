"""The chapter's table on the real data: as good as measured, and in the chapter's order."""

from __future__ import annotations

import pytest
import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.bayes.chain import Chain
from cftui.engine.gradient.trainer import Trainer
from cftui.engine.models.recipes import RECIPES

from ...settings import bayes_options, gradient_options
from ..fitting import fit

# Validation loss after 5 epochs at batch 64 with seed 1; a split alone moves it by +-0.012, a rewrite by far less.
MEASURED = {"model1": 0.890, "model2": 0.876, "model3": 0.895, "model4": 0.818}
ALLOWANCE = 0.01
# The mean over five seeds that the project promises.
PROMISED = {"model1": 0.895, "model2": 0.895, "model3": 0.905, "model4": 0.830}


@pytest.fixture(scope="module")
def losses(ratings: Ratings) -> dict[str, tuple[float, float]]:
    """``(train_loss, valid_loss)`` of the last epoch."""
    found = {}
    for name in MEASURED:
        options = gradient_options(RECIPES[name], seed=1)
        trainer = Trainer(RECIPES[name], options, ratings, split(ratings, "random", 1), torch.device("cpu"))
        last: dict = {}
        fit(trainer, last.update)
        found[name] = last["train_loss"], trainer.validate().mse
        assert last["valid_loss"] == found[name][1]
    return found


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.slow
def test_validation_loss_is_as_measured(name: str, losses: dict[str, tuple[float, float]]) -> None:
    assert losses[name][1] == pytest.approx(MEASURED[name], abs=ALLOWANCE)
    assert losses[name][1] <= PROMISED[name] + ALLOWANCE


@pytest.mark.slow
def test_the_order_of_the_chapters_table_holds(losses: dict[str, tuple[float, float]]) -> None:
    valid = {name: loss for name, (_, loss) in losses.items()}
    assert valid["model4"] < valid["model2"] < valid["model3"]
    assert valid["model4"] < valid["model1"] < valid["model3"]


@pytest.mark.slow
def test_weight_decay_cures_the_overfitting_of_model3(losses: dict[str, tuple[float, float]]) -> None:
    assert losses["model3"][0] < losses["model4"][0]
    assert losses["model3"][1] > losses["model4"][1]


def test_model4_as_a_run_reaches_its_figure(trained) -> None:
    _, run, _ = trained
    ending = run.history().ending
    assert ending["event"] == "done"
    assert ending["valid_loss"] == pytest.approx(0.824, abs=ALLOWANCE)
    assert ending["rmse"] == pytest.approx(ending["valid_loss"] ** 0.5)
    assert len(run.history().epochs) == 5


def test_two_threads_repeat_themselves_bit_by_bit(ratings: Ratings) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        options, found = gradient_options(RECIPES["embedding-nn"], epochs=1, bs=8192), []
        for _ in range(2):
            parts = split(ratings, "random", 0)
            trainer = Trainer(RECIPES["embedding-nn"], options, ratings, parts, torch.device("cpu"))
            fit(trainer)
            found.append(trainer.model.state_dict())
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.slow
def test_bayes_beats_them_all_and_knows_how_sure_it_is(
    ratings: Ratings, losses: dict[str, tuple[float, float]]
) -> None:
    """Sixty sweeps. Measured: 0.768, and 90.2 % of the ratings inside their 90 % intervals."""
    options = bayes_options(RECIPES["bayes"], seed=1, epochs=60)
    chain = Chain(RECIPES["bayes"], options, ratings, split(ratings, "random", 1), torch.device("cpu"))
    chain.fit()
    assert chain.validate().mse == pytest.approx(0.768, abs=ALLOWANCE)
    assert chain.validate().mse < min(valid for _, valid in losses.values()) - 0.03
    assert 0.88 < chain.coverage() < 0.92

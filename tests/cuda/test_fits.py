"""Every recipe on the simulated device: the CPU's numbers to the bit, and no wait where none is expected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import folds
from cftui.engine.bayes.chain import Chain
from cftui.engine.crossval import cross_validate
from cftui.engine.fitting import Hooks
from cftui.engine.gradient.lr_finder import find_lr
from cftui.engine.gradient.trainer import CUDA_WINDOW, Trainer
from cftui.engine.models.recipes import RECIPES
from cftui.errors import CftuiError
from tests.cuda.conftest import unexpected_waits
from tests.cuda.fits import SETTINGS, compare, fitter, same_bits, state_of, sum_as_a_gpu_does
from tests.cuda.simulated import CPU, CUDA, Device, simulated_cuda
from tests.settings import options_for

GRADIENT = [name for name, row in RECIPES.items() if row.method == "gradient"]
ONE_OF_EACH_METHOD = ("model4", "hybrid", "bayes", "ease", "ials")


@pytest.fixture(autouse=True)
def as_a_gpu_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    sum_as_a_gpu_does(monkeypatch)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)


@pytest.mark.parametrize("name", RECIPES)
def test_a_fit_is_that_of_the_cpu(name: str, tiny: Ratings) -> None:
    unexpected_waits(compare(name, tiny, simulated_cuda()))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("model3", {"patience": 1, "keep_best": True, "epochs": 2}),
        ("model4", {"wd_bias": 0.02}),
        ("bayes", {"implicit": False}),
        ("bayes", {"part": "time"}),
        ("ease", {"part": "time"}),
        ("ease", {"l2": 20.0, "graded": False}),
        ("ials", {"graded": False}),
    ],
)
def test_its_options_work_there(name: str, changes: dict[str, Any], tiny: Ratings) -> None:
    unexpected_waits(compare(name, tiny, simulated_cuda(), **changes))


@pytest.mark.parametrize("name", ["model4", "hybrid", "bayes", "ials"])
def test_it_stops_goes_on_and_is_extended_to_the_same_bits(name: str, tiny: Ratings, cuda: Device) -> None:
    whole, first, second = (fitter(name, tiny, CUDA) for _ in range(3))
    whole.fit()
    middle = whole.steps // 2
    assert first.fit(Hooks(should_stop=lambda: first.step >= middle)) == "stopped"
    second.load_state(first.state())
    assert second.fit() == "finished"
    for one in (whole, second):
        one.extend(2)
        assert one.fit() == "finished"
    assert same_bits(state_of(whole), state_of(second))


@pytest.mark.parametrize("name", ["model4", "bayes", "ials"])
def test_a_run_goes_on_on_another_device(name: str, tiny: Ratings) -> None:
    whole, stopped = fitter(name, tiny, CPU), fitter(name, tiny, CPU)
    whole.fit()
    stopped.fit(Hooks(should_stop=lambda: stopped.step >= whole.steps // 2))
    with simulated_cuda() as cuda:
        resumed = fitter(name, tiny, CUDA)
        resumed.load_state(stopped.state())
        assert resumed.fit() == "finished"
        state = state_of(resumed)
    assert same_bits(state, state_of(whole))
    unexpected_waits(cuda)


def test_the_search_of_ease_goes_on_where_it_was(tiny: Ratings, cuda: Device) -> None:
    whole, first, second = (fitter("ease", tiny, CUDA) for _ in range(3))
    whole.fit()
    assert first.fit(Hooks(should_stop=lambda: first.step >= 3)) == "stopped"
    second.load_state(first.state())
    assert second.fit() == "finished"
    assert same_bits(state_of(whole), state_of(second))


@pytest.mark.parametrize("name", ONE_OF_EACH_METHOD)
def test_folds_are_those_of_the_cpu(name: str, tiny: Ratings) -> None:
    row = RECIPES[name]
    options = options_for(row, **{**SETTINGS, "epochs": 2})

    def scores(device: torch.device) -> list[Any]:
        parts = list(folds(tiny, 2, 0))
        # What judges a fold gets a model on the CPU.
        judged = cross_validate(row, options, tiny, parts, device, judge=lambda _, model: model.scores(torch.arange(3)))
        return [(one.score, one.coverage, one.judged.numpy()) for one in judged]

    ours = scores(CPU)
    with simulated_cuda() as cuda:
        theirs = scores(CUDA)
    for (score, coverage, lists), (their_score, their_coverage, their_lists) in zip(ours, theirs, strict=True):
        assert repr((score, coverage)) == repr((their_score, their_coverage))
        np.testing.assert_array_equal(lists, their_lists)
    unexpected_waits(cuda)


@pytest.mark.parametrize("name", ["model4", "embedding-nn"])
def test_the_learning_rate_finder_finds_that_of_the_cpu(name: str, tiny: Ratings) -> None:
    def found(device: torch.device) -> Any:
        trainer = fitter(name, tiny, device)
        assert isinstance(trainer, Trainer)
        return find_lr(trainer)

    ours = found(CPU)
    with simulated_cuda() as cuda:
        assert found(CUDA) == ours
    unexpected_waits(cuda)


def test_losses_are_read_once_a_window(tiny: Ratings, cuda: Device) -> None:
    trainer = fitter("model4", tiny, CUDA, bs=4, epochs=4)
    trainer.fit()
    assert trainer.steps > 10 * CUDA_WINDOW
    reads = cuda.waits["engine/gradient/train_loss.py:TrainLoss.settle"]
    assert reads <= trainer.steps / CUDA_WINDOW + trainer.epoch + 1
    assert set(cuda.waits) == {"engine/gradient/train_loss.py:TrainLoss.settle", "engine/metrics.py:score"}
    assert cuda.waits["engine/metrics.py:score"] == trainer.epoch


def test_a_sweep_of_ials_waits_for_few_numbers(tiny: Ratings, cuda: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many batches it takes."""
    monkeypatch.setattr("cftui.engine.als.side.CELLS_CUDA", 1)
    one = fitter("ials", tiny, CUDA, epochs=2)
    cuda.waits.clear()
    one.fit()
    assert cuda.waits["engine/als/side.py:Side.solve"] == 2 * one.steps
    assert cuda.waits["engine/als/ials.py:Ials._sweep"] <= one.steps


def test_a_sweep_of_bayes_waits_no_more_often_for_more_ratings(tiny: Ratings, cuda: Device) -> None:
    chain = fitter("bayes", tiny, CUDA, epochs=1, burn_in=0)
    assert isinstance(chain, Chain)
    counts = []
    for cells in (16_000_000, 200):
        # The same sweep again, over blocks of a few rows.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cftui.engine.bayes.incidence.CELLS", cells)
            one = fitter("bayes", tiny, CUDA, epochs=1, burn_in=0)
        cuda.waits.clear()
        one.fit()
        counts.append(cuda.waits.total())
    assert counts[0] == counts[1] < 60


@pytest.mark.parametrize("name", ["model4", "hybrid", "bayes", "ials"])
def test_a_device_that_is_too_small_is_told_with_advice(name: str, tiny: Ratings, cuda: Device) -> None:
    cuda.memory = 400
    with pytest.raises(CftuiError, match=r"out of memory on simulated GPU: .*try fewer --factors or --device cpu"):
        fitter(name, tiny, CUDA)

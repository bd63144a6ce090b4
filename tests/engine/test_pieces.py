"""Schedule, initialisation, decay groups, running loss, metrics, device, recipes: each alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cftui.engine import device, metrics
from cftui.engine.gradient.method import GradientOptions
from cftui.engine.gradient.schedule import one_cycle
from cftui.engine.gradient.steps import parameter_groups
from cftui.engine.gradient.train_loss import TrainLoss
from cftui.engine.models import architectures, summary
from cftui.engine.models.build import build, y_range
from cftui.engine.models.options import described
from cftui.engine.models.recipes import RECIPES, recipe
from cftui.errors import CftuiError

from ..settings import gradient_options

SHAPE = architectures.Shape(users=944, items=1665, factors=50, y_range=(0.0, 5.5), levels=(1.0, 2.0, 3.0, 4.0, 5.0))


def test_one_cycle_at_its_corners() -> None:
    start, peak, end = (one_cycle(step, 400, 5e-3) for step in (0, 100, 400))
    assert tuple(start) == pytest.approx((2e-4, 0.95))
    assert tuple(peak) == pytest.approx((5e-3, 0.85))
    assert tuple(end) == pytest.approx((5e-8, 0.95))
    middle_up, middle_down = one_cycle(50, 400, 5e-3), one_cycle(250, 400, 5e-3)
    assert tuple(middle_up) == pytest.approx(((2e-4 + 5e-3) / 2, 0.9))
    assert tuple(middle_down) == pytest.approx(((5e-8 + 5e-3) / 2, 0.9))


@given(st.integers(8, 5000), st.floats(1e-5, 10), st.data())
def test_one_cycle_climbs_then_falls_and_momentum_does_the_opposite(steps: int, peak: float, data) -> None:
    step = data.draw(st.integers(0, steps - 1))
    now, after = one_cycle(step, steps, peak), one_cycle(step + 1, steps, peak)
    assert 0 < now.lr <= peak * (1 + 1e-12)
    assert 0.85 - 1e-12 <= now.momentum <= 0.95 + 1e-12
    if (step + 1) / steps <= 0.25:
        assert after.lr >= now.lr
        assert after.momentum <= now.momentum
    elif step / steps >= 0.25:
        assert after.lr <= now.lr
        assert after.momentum >= now.momentum


def test_embeddings_begin_as_fastai_begins_them() -> None:
    torch.manual_seed(0)
    weight = architectures.embedding(20_000, 50).weight.detach()
    assert weight.abs().max() <= 0.02
    # fmod wraps what lies beyond two sigma to near 0: variance 1 - 8 (phi(2) - (1 - Phi(2))) = 0.750.
    assert weight.std().item() == pytest.approx(0.00866, rel=0.004)
    assert weight.mean().item() == pytest.approx(0, abs=5e-5)


def test_bare_parameters_begin_normal_without_a_cut() -> None:
    torch.manual_seed(0)
    weight = architectures.create_params(20_000, 50).detach()
    assert weight.std().item() == pytest.approx(0.01, rel=0.004)
    assert weight.abs().max() > 0.03


@pytest.mark.parametrize(("rows", "width"), [(944, 74), (1665, 102), (10, 6), (10**9, 600)])
def test_embedding_sizes_follow_the_rule(rows: int, width: int) -> None:
    assert architectures.embedding_size(rows) == width


def test_the_networks_have_the_layers_of_the_chapter() -> None:
    net: Any = build(recipe("embedding-nn"), SHAPE)
    kinds = [type(layer).__name__ for layer in net.layers]
    assert kinds == ["Linear", "ReLU", "BatchNorm1d"] * 2 + ["Linear"]
    linears = [layer for layer in net.layers if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linears] == [(176, 100), (100, 50), (50, 1)]
    assert [layer.bias is not None for layer in linears] == [False, False, True]
    assert all((layer.bias == 1e-3).all() for layer in net.layers if isinstance(layer, nn.BatchNorm1d))
    plain: Any = build(recipe("collab-nn"), SHAPE)
    assert [type(layer).__name__ for layer in plain.layers] == ["Linear", "ReLU", "Linear"]
    assert plain.layers[0].weight.shape == (100, 176)


@pytest.mark.parametrize("name", [name for name, row in RECIPES.items() if row.method == "gradient"])
def test_only_batchnorm_and_linear_biases_are_spared_decay(name: str) -> None:
    model = build(RECIPES[name], SHAPE)
    names = {id(p): n for n, p in model.named_parameters()}
    groups = {group["weight_decay"]: {names[id(p)] for p in group["params"]} for group in parameter_groups(model, 0.1)}
    spared = {
        "collab-nn": {"layers.0.bias", "layers.2.bias"},
        "embedding-nn": {"layers.2.weight", "layers.2.bias", "layers.5.weight", "layers.5.bias", "layers.6.bias"},
        "cross-entropy": {"classify.bias"},
    }.get(name, set())
    assert groups.get(0.0, set()) == spared
    assert groups[0.1] == set(names.values()) - spared


def test_the_sigmoid_range_of_five_stars_is_the_chapters() -> None:
    assert y_range((1.0, 5.0)) == (0.0, 5.5)
    low, high = y_range((0.5, 10.0))
    assert low < 0.5
    assert high > 10.0


@given(st.lists(st.floats(0, 100, width=32), min_size=1, max_size=60), st.integers(1, 9))
def test_train_loss_is_a_debiased_average_whatever_the_window(losses: list[float], window: int) -> None:
    running = TrainLoss(window, torch.device("cpu"))
    drained: list[float] = []
    for loss in losses:
        running.add(torch.tensor(loss))
        if running.full:
            drained += running.drain()
    drained += running.drain()
    assert drained == losses
    average = 0.0
    for loss in losses:
        average = 0.98 * average + 0.02 * loss
    assert running.smoothed == pytest.approx(average / (1 - 0.98 ** len(losses)), rel=1e-9, abs=1e-12)
    assert running.drain() == []


def test_train_loss_of_nothing_is_not_a_number() -> None:
    assert math.isnan(TrainLoss(3, torch.device("cpu")).smoothed)


@given(st.lists(st.tuples(st.floats(-9, 9, width=32), st.floats(1, 5, width=32)), min_size=1, max_size=50))
def test_metrics_agree_with_numpy(pairs: list[tuple[float, float]]) -> None:
    predicted, rating = np.array(pairs, dtype=np.float32).T
    score = metrics.score(torch.from_numpy(predicted.copy()), torch.from_numpy(rating.copy()))
    error = (predicted - rating).astype(np.float64)
    assert score.n == len(pairs)
    assert score.mse == pytest.approx(np.mean(error**2), rel=1e-9, abs=1e-12)
    assert score.rmse == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9, abs=1e-12)
    assert score.mae == pytest.approx(np.mean(np.abs(error)), rel=1e-9, abs=1e-12)


def test_cross_entropy_predicts_the_expectation_and_trains_on_the_level() -> None:
    model: Any = build(recipe("cross-entropy"), SHAPE)
    user, item, rating = torch.tensor([1, 2, 3]), torch.tensor([4, 5, 6]), torch.tensor([1.0, 5.0, 3.0])
    logits = model.logits(model.user_rows(user), item).detach()
    share = logits.exp() / logits.exp().sum(1, keepdim=True)
    expected = (share * torch.arange(1.0, 6.0)).sum(1)
    torch.testing.assert_close(model(user, item).detach(), expected)
    objective, squared = model.losses(user, item, rating)
    level = torch.tensor([0, 4, 2])
    torch.testing.assert_close(objective.detach(), -share[torch.arange(3), level].log().mean())
    torch.testing.assert_close(squared, ((expected - rating) ** 2).mean())
    assert not squared.requires_grad


def test_a_device_that_is_not_there_is_said_to_be_missing() -> None:
    assert device.choose("cpu").type == "cpu"
    assert device.choose("auto").type in ("cpu", "cuda", "mps")
    for name in ("gpu", "", "cuda:x", "meta"):
        with pytest.raises(CftuiError, match="no device"):
            device.choose(name)
    with pytest.raises(CftuiError, match=r"device cuda:99: this machine has \w+ CUDA device"):
        device.choose("cuda:99")


def test_an_unknown_recipe_is_told_the_near_ones() -> None:
    with pytest.raises(CftuiError, match="no recipe 'modle4'; did you mean model4"):
        recipe("modle4")
    with pytest.raises(CftuiError, match=r"no recipe 'zzz'; choose from model1, .*cross-entropy"):
        recipe("zzz")


OPTIONS = described(GradientOptions)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("epochs", ("0", "x", "1.5", "")),
        ("lr", ("0", "nan", "-1", "inf")),
        ("wd", ("-0.1", "nan")),
        ("bs", ("1",)),
        ("factors", ("0", "5000")),
        ("seed", ("-1", "2147483648")),
    ],
)
def test_a_wrong_hyper_parameter_is_told_what_it_must_be(name: str, bad: tuple[str, ...]) -> None:
    for text in bad:
        with pytest.raises(CftuiError, match=f"{OPTIONS[name].label} '{text}': must be a"):
            OPTIONS[name].parse(text)


def test_good_hyper_parameters_parse_and_bad_ones_cannot_be_built() -> None:
    assert OPTIONS["lr"].parse(" 5e-3 ") == 5e-3
    assert OPTIONS["bs"].parse("4_096") == 4096
    with pytest.raises(CftuiError, match="batch size"):
        GradientOptions(bs=1)
    assert gradient_options(recipe("model4")).wd == 0.1
    assert gradient_options(recipe("model1")).wd == 0.01
    assert gradient_options(recipe("model4"), wd=0.0).wd == 0.0


def test_summary_counts_every_parameter() -> None:
    for row in RECIPES.values():
        model = build(row, SHAPE)
        total = sum(line["parameters"] for line in summary.layers(model))
        # Sampled and solved models count every number of a draw or of the solution as a parameter.
        solved = {
            "bayes": (944 + 1665) * (SHAPE.factors + 2),
            "ials": (944 + 1665) * SHAPE.factors,
            "ease": 1664 * 1664,
        }
        assert total == solved.get(row.method, 0) + sum(p.numel() for p in model.parameters())
    assert sum(line["parameters"] for line in summary.layers(build(recipe("model4"), SHAPE))) == (944 + 1665) * 51

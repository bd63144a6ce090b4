"""The trainer against a loop written from the formulas: Adam by hand, one-cycle by hand, nothing fused."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from cftui.data.ratings import Ratings
from cftui.data.splits import Split, split
from cftui.data.tables import Tables
from cftui.engine import metrics
from cftui.engine.gradient.method import GradientOptions
from cftui.engine.gradient.trainer import Trainer
from cftui.engine.models.recipes import RECIPES

from ...settings import gradient_options, options_for
from ..fitting import fit

CPU = torch.device("cpu")
GRADIENT = [name for name, row in RECIPES.items() if row.method == "gradient"]


@pytest.fixture(scope="module")
def by_id(tiny_tables: Tables) -> Ratings:
    """Keyed by id, so that a pair of codes names one rating."""
    return Ratings.encode(tiny_tables, "id")


def trainer_of(name: str, ratings: Ratings, **changes: object) -> Trainer:
    options = options_for(RECIPES[name], **{"epochs": 2, "bs": 16, "factors": 8, "item_key": "id", **changes})
    assert isinstance(options, GradientOptions)
    return Trainer(RECIPES[name], options, ratings, split(ratings, "random", options.seed), CPU)


def batches_of(trainer: Trainer) -> list[tuple[Tensor, Tensor]]:
    """Fit, and return the (user, item) batches that the model was trained on, in order."""
    seen: list[tuple[Tensor, Tensor]] = []
    draw = trainer._batches

    def look(*arguments: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for user, item, rating in draw(*arguments):
            seen.append((user.clone(), item.clone()))
            yield user, item, rating

    trainer._batches = look  # type: ignore[assignment, method-assign]
    assert fit(trainer)
    assert len(seen) == trainer.steps
    return seen


def plain_fit(
    model: torch.nn.Module, batches: list, rating_of: dict, peak: float, decay: float, bias_decay: float | None = None
) -> list[float]:
    """Fit ``model`` in place as the fastai paper trail has it; returns the batch losses."""
    exempt = {
        f"{name}.{kind}"
        for name, module in model.named_modules()
        for kind in (("weight", "bias") if "BatchNorm" in type(module).__name__ else ("bias",))
        if isinstance(module, torch.nn.Linear) or "BatchNorm" in type(module).__name__
    }
    mean = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    square = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    losses = []
    for step, (user, item) in enumerate(batches):
        done = step / len(batches)
        if done < 0.25:
            share = (1 - math.cos(math.pi * done / 0.25)) / 2
            lr, momentum = peak / 25 + (peak - peak / 25) * share, 0.95 - 0.10 * share
        else:
            share = (1 - math.cos(math.pi * (done - 0.25) / 0.75)) / 2
            lr, momentum = peak + (peak / 1e5 - peak) * share, 0.85 + 0.10 * share
        rating = torch.tensor([rating_of[pair] for pair in zip(user.tolist(), item.tolist(), strict=True)])
        loss = ((model(user, item) - rating) ** 2).mean()
        model.zero_grad()
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            for name, p in model.named_parameters():
                grad = torch.zeros_like(p) if p.grad is None else p.grad
                if name not in exempt:
                    own = decay if bias_decay is None or "_bias" not in name else bias_decay
                    p.mul_(1 - lr * own)
                mean[name].mul_(momentum).add_(grad, alpha=1 - momentum)
                square[name].mul_(0.99).add_(grad * grad, alpha=0.01)
                root = (square[name] / (1 - 0.99 ** (step + 1))).sqrt() + 1e-5
                p.sub_(lr * (mean[name] / (1 - momentum ** (step + 1))) / root)
    return losses


@pytest.mark.parametrize("bias_decay", [None, 3.0])
@pytest.mark.parametrize(
    "name", [name for name, row in RECIPES.items() if name != "cross-entropy" and row.method == "gradient"]
)
def test_training_equals_a_plain_loop(name: str, bias_decay: float | None, by_id: Ratings) -> None:
    trainer = trainer_of(name, by_id, wd_bias=bias_decay)
    reference = copy.deepcopy(trainer.model)
    batches = batches_of(trainer)
    rating_of = dict(
        zip(zip(by_id.user.tolist(), by_id.item.tolist(), strict=True), by_id.rating.tolist(), strict=True)
    )
    decay, own = trainer.options.wd, trainer.options.bias_decay
    losses = plain_fit(reference, batches, rating_of, peak=5e-3, decay=decay, bias_decay=own)
    for weight, value in reference.state_dict().items():
        torch.testing.assert_close(trainer.model.state_dict()[weight], value, rtol=1e-4, atol=2e-5)
    average = 0.0
    for loss in losses:
        average = 0.98 * average + 0.02 * loss
    assert trainer.train_loss.smoothed == pytest.approx(average / (1 - 0.98 ** len(losses)), rel=1e-5)


def test_an_epoch_is_a_permutation_less_the_last_partial_batch(by_id: Ratings) -> None:
    trainer = trainer_of("model4", by_id, epochs=3, bs=50)
    rows = split(by_id, "random", 0).train
    assert len(rows) % 50
    batches = batches_of(trainer)
    assert len(batches) == 3 * (len(rows) // 50)
    assert {len(user) for user, _ in batches} == {50}
    training = set(zip(by_id.user[rows].tolist(), by_id.item[rows].tolist(), strict=True))
    per_epoch = len(rows) // 50
    orders = []
    for epoch in range(3):
        pairs = [
            pair
            for user, item in batches[epoch * per_epoch : (epoch + 1) * per_epoch]
            for pair in zip(user.tolist(), item.tolist(), strict=True)
        ]
        assert len(set(pairs)) == len(pairs), "a rating was drawn twice in one epoch"
        assert set(pairs) <= training
        orders.append(pairs)
    assert orders[0] != orders[1] != orders[2]
    assert set(orders[0]) != set(orders[1]), "the same ratings are dropped in every epoch"


def test_validation_never_trains(by_id: Ratings) -> None:
    trainer = trainer_of("model4", by_id)
    rows = split(by_id, "random", 0).valid
    held_back = set(zip(by_id.user[rows].tolist(), by_id.item[rows].tolist(), strict=True))
    for user, item in batches_of(trainer):
        assert held_back.isdisjoint(zip(user.tolist(), item.tolist(), strict=True))


def test_validation_loss_weighs_every_rating_alike(by_id: Ratings, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of("embedding-nn", by_id)
    fit(trainer)
    rows = split(by_id, "random", 0).valid
    # Chunks of 7 leave a last one of another size: a mean of chunk means would differ.
    monkeypatch.setattr(metrics, "CHUNK", 7)
    assert len(rows) % 7
    trainer.model.eval()
    with torch.no_grad():
        predicted = trainer.model(torch.from_numpy(by_id.user[rows]), torch.from_numpy(by_id.item[rows]))
    trainer.model.train()
    error = predicted.double().numpy() - by_id.rating[rows]
    score = trainer.validate()
    assert score.n == len(rows)
    assert score.mse == pytest.approx((error**2).mean(), rel=1e-6)
    assert score.mae == pytest.approx(abs(error).mean(), rel=1e-6)
    assert score.rmse == pytest.approx(math.sqrt((error**2).mean()), rel=1e-6)


def test_a_batch_larger_than_the_training_set_is_refused(by_id: Ratings) -> None:
    from cftui.errors import CftuiError

    with pytest.raises(CftuiError, match="batch size 100000: more than the"):
        trainer_of("model4", by_id, bs=100_000)


def test_windows_cover_every_batch_once(by_id: Ratings, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of("model4", by_id, epochs=40, bs=8)
    losses: list[float] = []
    add = trainer.train_loss.add
    monkeypatch.setattr(trainer.train_loss, "add", lambda loss: [losses.append(loss.item()), add(loss)])
    windows: list[Any] = []
    fit(trainer, lambda event: windows.append(event) if event["event"] == "window" else None)
    assert len(losses) == trainer.steps
    assert len(windows) < 800 < trainer.steps, "a window of losses is logged for nearly every batch"
    start = 0
    for window in windows:
        inside = losses[start : window["step"]]
        assert window["mean"] == pytest.approx(sum(inside) / len(inside))
        assert (window["min"], window["max"]) == (min(inside), max(inside))
        start = window["step"]
    assert start == trainer.steps
    assert windows[-1]["loss"] == trainer.train_loss.smoothed


def test_divergence_is_said_and_stops_the_training(by_id: Ratings) -> None:
    from cftui.engine.fitting import Diverged

    trainer = trainer_of("model1", by_id, epochs=40, lr=900.0, wd=900.0)
    with pytest.raises(Diverged, match="try a lower --lr"):
        fit(trainer)


def test_a_checkpoint_of_another_model_is_refused(by_id: Ratings) -> None:
    from cftui.errors import CftuiError

    state = trainer_of("model4", by_id).state()
    with pytest.raises(CftuiError, match="checkpoint does not fit"):
        trainer_of("collab", by_id).load_state(state)
    with pytest.raises(CftuiError, match="checkpoint does not fit"):
        trainer_of("model4", by_id).load_state({k: v for k, v in state.items() if k.startswith("model.")})


def test_training_draws_nothing_from_the_global_generator(by_id: Ratings) -> None:
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    fit(trainer_of("model4", by_id))
    assert torch.equal(torch.rand(2), wanted)


def test_every_split_can_be_trained_on(by_id: Ratings) -> None:
    for name in ("random", "u3", "time"):
        parts = split(by_id, name)
        assert isinstance(parts, Split)
        trainer = Trainer(RECIPES["model4"], gradient_options(RECIPES["model4"], epochs=1, bs=16), by_id, parts, CPU)
        assert fit(trainer)
        assert trainer.validate().n == len(parts.valid)

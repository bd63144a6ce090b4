"""Explanations: the terms sum to the prediction, whatever the model, and are what plain loops and brute force find."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cftui.analysis.explain.explaining import Explanation, baseline, explain
from cftui.analysis.trained import TrainedModel
from cftui.engine.models.architectures import Architecture, Hybrid, Learned, Shape
from cftui.engine.models.recipes import RECIPES
from cftui.errors import CftuiError
from tests.settings import RATING

from ..wildness import wild

DOT = ["model1", "model2", "model3", "model4", "model5", "collab", "hybrid"]
NETWORKS = ["collab-nn", "embedding-nn"]
STEPS = 20_000


@pytest.fixture(scope="module")
def models(tiny_runs) -> dict[str, TrainedModel]:
    """Every recipe as trained, and as ``wild``."""
    found = {name: TrainedModel.load(run) for name, run in tiny_runs[1].items()}
    return found | {f"wild {name}": wild(model) for name, model in found.items()}


def exact(model: TrainedModel, row: np.ndarray, item: int) -> float:
    """The prediction in float64."""
    module = copy.deepcopy(model.module)
    if isinstance(module, Hybrid):
        # The sums over an item's features are float32 wherever they are used.
        learned, module.item_features = module.learned(), None
        module.item_factors.weight.data, module.item_bias.weight.data = learned.item_factors, learned.item_bias[:, None]
    module.double()
    return float(module.rate(torch.from_numpy(row).double().unsqueeze(0), torch.tensor([item])))


def total(explanation: Explanation) -> float:
    return math.fsum(term.stars for term in explanation.terms)


# What is sampled has no parameters to run wild.
EVERY = [
    f"{prefix}{name}"
    for prefix in ("", "wild ")
    for name, row in ((name, RECIPES[name]) for name in RATING)
    if not (prefix and row.method == "bayes")
]


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_terms_sum_to_the_prediction(name: str, models, data: st.DataObject) -> None:
    model = models[name]
    users, width = model.user_rows.shape
    item = data.draw(st.integers(0, len(model.items) - 1), "item")
    user = data.draw(st.none() | st.integers(0, users - 1), "user")
    if user is None:
        seed, scale = (
            data.draw(st.integers(0, 2**32), "seed"),
            data.draw(st.sampled_from((0.0, 0.01, 1.0, 5.0)), "scale"),
        )
        row = (np.random.default_rng(seed).normal(size=width) * scale).astype(np.float32)
    else:
        row = model.user_rows[user]
    found = explain(model, row, item)
    rated = float(model.rate(row, np.array([item]))[0])
    close = 1e-5 * max(1, abs(rated))
    assert found.item == item
    assert found.prediction == rated
    assert abs(total(found) - rated) < close
    assert found.error == pytest.approx(rated - total(found), abs=1e-12)
    again = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert again["error"] == found.error
    assert [term["stars"] for term in again["terms"]] == [term.stars for term in found.terms]
    # What is not rounding of float32 is the method's own, and there is none of it.
    assert total(found) == pytest.approx(exact(model, row, item), abs=1e-9, rel=1e-9)
    if name.endswith("cross-entropy"):
        assert found.raw is None
        assert {term.raw for term in found.terms} == {None}
    else:
        assert found.raw == pytest.approx(math.fsum(term.raw for term in found.terms), abs=1e-12)
        bounds = model.module.y_range
        through = found.raw
        if bounds:
            through = bounds[0] + (bounds[1] - bounds[0]) / (1 + math.exp(-found.raw))
        elif model.recipe.method == "bayes":
            through = min(max(found.raw, 1.0), 5.0)
        assert through == pytest.approx(rated, abs=close)


@pytest.mark.parametrize("name", EVERY)
def test_the_order_is_baseline_biases_then_the_largest(name: str, models) -> None:
    model = models[name]
    found = explain(model, model.user_rows[4], 7)
    kinds = [term.kind for term in found.terms]
    first = ["baseline", "user bias", "item bias"] if model.has_bias else ["baseline"]
    if model.recipe.method == "bayes":
        first += [kind for kind in kinds if kind in ("implicit", "side")]
    assert kinds[: len(first)] == first
    sizes = [abs(term.stars) for term in found.terms[len(first) :]]
    assert sizes == sorted(sizes, reverse=True)
    rest = found.terms[len(first) :]
    if model.recipe.name in NETWORKS:
        users, items = model.user_rows.shape[1], model.item_factors.shape[1]
        names = {f"user factor {at}" for at in range(users)} | {f"{model.noun} factor {at}" for at in range(items)}
        assert {term.kind for term in rest} == {"user", "item"}
    else:
        names = {f"factor {at}" for at in range(8)}
        assert {term.kind for term in rest} == {"factor"}
    assert {term.name for term in rest} == names
    assert len(rest) == len(names)
    assert all(term.name.endswith(f" {term.index}") for term in rest)


@pytest.mark.parametrize("name", EVERY)
def test_grouped_terms_sum_to_the_same(name: str, models) -> None:
    model = models[name]
    found = explain(model, model.user_rows[2], 3)
    least = [term for term in found.terms if term.kind in ("baseline", "user bias", "item bias")]
    known = sorted((t for t in found.terms if t.kind in ("implicit", "side")), key=lambda t: -abs(t.stars))
    for n in sorted({len(least) + 1, len(least) + 2, 6, len(least) + len(known) + 1, len(found.terms) - 1}):
        short = found.grouped(n)
        # What follows from sets and side information goes before the factors, however small.
        always = [term for term in found.terms if term in least or term in known[: n - 1 - len(least)]]
        assert len(short) == n
        assert math.fsum(term.stars for term in short) == pytest.approx(total(found), abs=1e-12)
        if found.raw is None:
            assert short[-1].raw is None
        else:
            assert math.fsum(term.raw for term in short) == pytest.approx(found.raw, abs=1e-12)
        *kept, more = short
        assert (more.name, more.kind, more.index) == (f"{len(found.terms) - n + 1} more", "more", None)
        assert kept == [term for term in found.terms if term in kept]
        assert kept[: len(always)] == always
        left = [term for term in found.terms if term not in kept]
        assert max(abs(t.stars) for t in left) <= min((abs(t.stars) for t in kept[len(always) :]), default=math.inf)
    assert found.grouped(len(found.terms)) == found.terms
    with pytest.raises(ValueError, match=f"at least {len(least)} and the rest"):
        found.grouped(len(least))


@pytest.mark.parametrize("name", [*DOT, *(f"wild {name}" for name in DOT)])
def test_a_dot_products_terms_are_a_plain_loop(name: str, models) -> None:
    model, user, item = models[name], 9, 11
    found = {(term.kind, term.index): term for term in explain(model, model.user_rows[user], item).terms}
    learned, bounds = model.learned, model.module.y_range
    raw: dict = {}
    base = 0.0
    if learned.user_bias is not None:
        users, items = learned.user_bias.tolist(), learned.item_bias.tolist()
        mean_user, mean_item = sum(users[1:]) / len(users[1:]), sum(items[1:]) / len(items[1:])
        base = mean_user + mean_item
        raw["user bias", None] = users[user] - mean_user
        raw["item bias", None] = items[item] - mean_item
    for at, (u, v) in enumerate(
        zip(learned.user_factors[user].tolist(), learned.item_factors[item].tolist(), strict=True)
    ):
        raw["factor", at] = u * v
    moved = sum(raw.values())
    slope, link = 1.0, base
    if bounds:
        low, high = bounds
        sigmoids = [1 / (1 + math.exp(-(base + (step + 0.5) / STEPS * moved))) for step in range(STEPS)]
        slope = sum((high - low) * s * (1 - s) for s in sigmoids) / STEPS
        link = low + (high - low) / (1 + math.exp(-base))
    assert found["baseline", None].raw == pytest.approx(base, abs=1e-9)
    assert found["baseline", None].stars == pytest.approx(link, abs=1e-9)
    assert found.keys() == {("baseline", None), *raw}
    for key, part in raw.items():
        assert found[key].raw == pytest.approx(part, abs=1e-9)
        assert found[key].stars == pytest.approx(part * slope, abs=1e-7)


def brute_force(model: TrainedModel, row: np.ndarray, item: int) -> tuple[np.ndarray, np.ndarray]:
    """Integrated gradients of prediction and score by a Riemann sum, ``[k_user + k_item]`` each."""
    module: Any = copy.deepcopy(model.module)
    layers = module.layers.double()
    start = torch.from_numpy(
        np.concatenate((model.user_rows[1:].astype(float).mean(0), model.item_factors[1:].astype(float).mean(0)))
    )
    end = torch.from_numpy(np.concatenate((row, model.item_factors[item])).astype(float))
    points = start + (torch.arange(STEPS, dtype=torch.float64).unsqueeze(1) + 0.5) / STEPS * (end - start)
    points.requires_grad_()
    low, high = model.module.y_range
    scores = layers(points)
    (raw,) = torch.autograd.grad(scores.sum(), points, retain_graph=True)
    (stars,) = torch.autograd.grad((low + (high - low) * scores.sigmoid()).sum(), points)
    moved = (end - start).numpy()
    return stars.mean(0).numpy() * moved, raw.mean(0).numpy() * moved


@pytest.mark.parametrize("name", [*NETWORKS, *(f"wild {name}" for name in NETWORKS)])
def test_integrated_gradients_are_brute_force(name: str, models) -> None:
    model, item = models[name], 5
    row = model.user_rows[8]
    if name.startswith("wild"):
        # The case is worth trying only if many units of the first layer differ between the two ends.
        known = baseline(model)
        ends = np.stack((np.concatenate((known.user, known.item)), np.concatenate((row, model.item_factors[item]))))
        before = model.module.layers[0](torch.from_numpy(ends).float())
        assert ((before[0] > 0) != (before[1] > 0)).sum() > 20
    stars, raw = brute_force(model, row, item)
    terms = explain(model, row, item).terms[1:]
    places = [term.index + (len(row) if term.kind == "item" else 0) for term in terms]
    assert sorted(places) == list(range(len(stars)))
    size = max(1e-3, float(np.abs(raw).max()))
    np.testing.assert_allclose([term.stars for term in terms], stars[places], atol=2e-3 * size)
    np.testing.assert_allclose([term.raw for term in terms], raw[places], atol=2e-3 * size)


@pytest.mark.parametrize("name", ["cross-entropy", "wild cross-entropy"])
def test_the_softmaxs_terms_are_brute_force(name: str, models) -> None:
    model, user, item = models[name], 3, 12
    module = copy.deepcopy(model.module).double()
    users, items = module.user_bias.weight, module.item_bias.weight
    base = module.classify.bias + users[1:].mean(0) + items[1:].mean(0)
    parts: dict[tuple[str, int | None], Any] = {
        ("user bias", None): users[user] - users[1:].mean(0),
        ("item bias", None): items[item] - items[1:].mean(0),
    }
    products = module.user_factors.weight[user] * module.item_factors.weight[item]
    for at in range(8):
        parts["factor", at] = module.classify.weight[:, at] * products[at]
    path = base + (torch.arange(STEPS).double().unsqueeze(1) + 0.5) / STEPS * sum(parts.values())
    path.requires_grad_()
    (gradient,) = torch.autograd.grad(module.expected(path).sum(), path)
    terms = explain(model, model.user_rows[user], item).terms
    assert terms[0].stars == pytest.approx(float(module.expected(base)), abs=1e-9)
    assert {(term.kind, term.index) for term in terms[1:]} == parts.keys()
    for term in terms[1:]:
        assert term.stars == pytest.approx(float(gradient.mean(0) @ parts[term.kind, term.index]), abs=1e-6)


@pytest.mark.parametrize("name", [f"wild {name}" for name in NETWORKS])
def test_what_is_at_its_baseline_contributes_nothing(name: str, models) -> None:
    model = models[name]
    known = baseline(model)
    row = model.user_rows[6].copy()
    row[2] = known.user[2]
    by_name = {term.name: term for term in explain(model, row, 4).terms}
    assert abs(by_name["user factor 2"].stars) < 1e-6
    assert abs(by_name["user factor 2"].raw) < 1e-6
    assert abs(by_name["user factor 3"].stars) > 1e-4
    everything = explain(model, known.user, 4)
    assert max(abs(term.stars) for term in everything.terms if term.kind == "user") < 1e-12
    average_pair = torch.from_numpy(np.concatenate((known.user, known.item))).float().unsqueeze(0)
    low, high = model.module.y_range
    start = low + (high - low) * float(model.module.layers(average_pair).sigmoid())
    assert everything.terms[0].stars == pytest.approx(start, abs=1e-5)


@pytest.mark.parametrize("name", ["model4", "wild collab", "cross-entropy"])
def test_the_average_user_without_tastes_is_all_baseline(name: str, models) -> None:
    model = models[name]
    known = baseline(model)
    row = np.zeros(model.user_rows.shape[1])
    row[-len(known.user) :] = known.user
    terms = explain(model, row, 9).terms
    assert all(term.stars == 0 for term in terms if term.kind in ("user bias", "factor"))
    # The limit of the slope, where the item is average as well.
    still = explain(model, row, 9, dataclasses.replace(known, item=_item_baseline(model, 9)))
    assert {term.stars for term in still.terms[1:]} == {0.0}
    assert math.isfinite(still.terms[0].stars)


def _item_baseline(model: TrainedModel, item: int) -> np.ndarray:
    module: Any = model.module
    if model.recipe.name == "cross-entropy":
        return module.item_bias.weight[item].double().numpy()
    return model.item_bias[item : item + 1].astype(float)


@pytest.mark.parametrize("name", ["wild model2", "wild model4", "wild collab-nn", "wild cross-entropy"])
def test_extremes_neither_overflow_nor_leave_a_remainder(name: str, models) -> None:
    model = models[name]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for sign in (1, -1):
            row = (sign * 2000 * np.sign(np.random.default_rng(0).normal(size=model.user_rows.shape[1]))).astype("f4")
            found = explain(model, row, 3)
            assert abs(found.error) < 1e-5


def test_methods_and_links_are_in_words(models) -> None:
    def words(name: str) -> tuple[str, str]:
        found = explain(models[name], models[name].user_rows[1], 1)
        return found.method, found.link

    assert words("model1") == ("The prediction is the sum of its terms; the baseline is a score of 0.", "none")
    method, link = words("model4")
    assert "Aumann-Shapley" in method
    assert "the mean user bias and the mean movie bias" in method
    assert link == "sigmoid range (0, 5.5)"
    method, link = words("collab-nn")
    assert "Integrated gradients" in method
    assert "the average user with the average movie" in method
    assert link == "sigmoid range (0, 5.5)"
    method, link = words("cross-entropy")
    assert "mean logits" in method
    assert link == "expectation over the softmax of 1..5"
    for name in RATING:
        assert words(name)[0].endswith(".")
        assert words(name)[0].count(". ") == 0


def test_a_real_example_reads_well(trained) -> None:
    model: TrainedModel = trained[2]
    user, item = model.user_code(196), model.item_code("Fargo (1996)")
    found = explain(model, model.user_rows[user], item)
    assert found.prediction == pytest.approx(float(model.predict(np.array([user]), np.array([item]))[0]), abs=1e-6)
    assert abs(found.error) < 1e-6
    names = [term.name for term in found.terms]
    assert names[:3] == ["baseline", "user bias", "movie bias"]
    assert len(names) == 53
    baseline, _, movie = found.terms[:3]
    assert 2.5 < baseline.stars < 3.5
    # Fargo is liked by most.
    assert movie.stars > 0.1
    short = found.grouped(8)
    assert short[-1].name == "46 more"
    assert math.fsum(term.stars for term in short) == pytest.approx(found.prediction, abs=1e-6)


class Constant(Architecture):
    """An architecture of another family."""

    def __init__(self) -> None:
        super().__init__(Shape(2, 2, 1, None, ()))

    def user_rows(self, user: Tensor) -> Tensor:
        return torch.zeros(len(user), 1)

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        return torch.full((len(rows),), 3.0)

    def learned(self) -> Learned:
        return Learned(torch.zeros(2, 1), torch.zeros(2, 1))


def test_other_architectures_are_named(models) -> None:
    other = dataclasses.replace(models["model4"], module=Constant())
    with pytest.raises(CftuiError, match="model4"):
        explain(other, np.zeros(1, np.float32), 1)
    module = copy.deepcopy(models["collab-nn"].module)
    module.layers[1] = nn.Tanh()
    curved = dataclasses.replace(models["collab-nn"], module=module)
    with pytest.raises(CftuiError, match="collab-nn"):
        explain(curved, curved.user_rows[1], 1)

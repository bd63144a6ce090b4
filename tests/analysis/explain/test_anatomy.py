"""The anatomy of a batch: its numbers are the model's, and its gradients what finite differences say."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from rich.cells import cell_len

from cftui.analysis.explain.anatomy import Anatomy, anatomy, describe
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.engine.models.recipes import RECIPES
from cftui.errors import CftuiError

# Of 30 users, so that some occur twice.
ROWS = 12
# Small, so that no ReLU switches within it.
STEP = 1e-7
SOFTMAX, NETWORKS = "cross-entropy", ("collab-nn", "embedding-nn")


@pytest.fixture(scope="module", params=[name for name, row in RECIPES.items() if row.method == "gradient"])
def case(request, tiny_runs) -> tuple[TrainedModel, Ratings, Anatomy]:
    """A model, its ratings and the anatomy of a batch; embeddings scaled up, for gradients that show in float32."""
    home, runs = tiny_runs
    model = TrainedModel.load(runs[request.param])
    with torch.no_grad():
        for name, parameter in model.module.named_parameters():
            if name.startswith(("user_", "item_", "u_", "i_")):
                parameter.mul_(3)
    ratings = model.ratings(home)
    return model, ratings, anatomy(model, ratings, rows=ROWS, seed=1)


def codes(found: Anatomy) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    user = torch.tensor([part.user_code for part in found.ratings])
    item = torch.tensor([part.item_code for part in found.ratings])
    return user, item, torch.tensor([part.rating for part in found.ratings])


def test_the_batch_is_of_training_ratings(case) -> None:
    model, ratings, found = case
    train = model.split(ratings).train
    known = {(int(ratings.user[r]), int(ratings.item[r]), float(ratings.rating[r])) for r in train}
    assert len(found.ratings) == ROWS
    for part in found.ratings:
        assert (part.user_code, part.item_code, part.rating) in known
        assert model.users.classes[part.user_code] == part.user
        assert model.titles[part.item_code] == part.title
    assert anatomy(model, ratings, rows=ROWS, seed=1) == found
    assert anatomy(model, ratings, rows=ROWS, seed=2) != found
    assert len(anatomy(model, ratings, rows=10**6, seed=None).ratings) == len(train)


def test_the_numbers_are_the_models(case) -> None:
    model, _, found = case
    user, item, rating = codes(found)
    predicted = model.predict(user.numpy(), item.numpy())
    np.testing.assert_allclose([part.prediction for part in found.ratings], predicted, atol=1e-6)
    objective, squared = model.module.losses(user, item, rating)
    assert found.loss == pytest.approx(float(objective), abs=1e-6)
    assert found.squared_error == pytest.approx(float(squared), abs=1e-6)
    assert found.objective == ("cross-entropy" if model.recipe.name == SOFTMAX else "mean squared error")
    assert found.loss == pytest.approx(sum(part.loss for part in found.ratings) / ROWS, rel=1e-5)
    for part in found.ratings:
        np.testing.assert_array_equal(part.user_vector, model.learned.user_factors[part.user_code].numpy())
        np.testing.assert_array_equal(part.item_vector, model.item_factors[part.item_code])
        assert part.error == pytest.approx(part.prediction - part.rating, abs=1e-6)
        assert part.squared_error == pytest.approx(part.error**2, rel=1e-5)


def test_every_step_follows_from_the_one_before(case) -> None:
    model, _, found = case
    name = model.recipe.name
    for part in found.ratings:
        assert (part.user_bias is not None) == (part.item_bias is not None) == model.has_bias
        if name in NETWORKS:
            assert part.product is part.dot is part.probabilities is None
            both = torch.tensor([*part.user_vector, *part.item_vector]).unsqueeze(0)
            assert part.score == pytest.approx(float(model.module.layers(both)), abs=1e-5)
            hidden = model.module.layers[:2](both)
            assert part.active[0] == int((hidden > 0).sum())
            assert len(part.active) == sum(layer == "ReLU" for layer in found.layers)
            assert found.layers[0] == f"Linear {both.shape[1]} -> 100"
        else:
            assert part.active is found.layers is None
            np.testing.assert_allclose(part.product, np.multiply(part.user_vector, part.item_vector), rtol=1e-5)
        if name == SOFTMAX:
            weight, bias = (p.numpy() for p in (model.module.classify.weight, model.module.classify.bias))
            np.testing.assert_allclose(part.dot, weight @ np.array(part.product) + bias, atol=1e-5)
            np.testing.assert_allclose(part.score, np.sum([part.dot, part.user_bias, part.item_bias], 0), atol=1e-5)
            powers = np.exp(part.score)
            np.testing.assert_allclose(part.probabilities, powers / powers.sum(), atol=1e-6)
            assert part.prediction == pytest.approx(np.dot(part.probabilities, found.levels), abs=1e-5)
            assert part.loss == pytest.approx(-math.log(part.probabilities[found.levels.index(part.rating)]), abs=1e-5)
            continue
        assert part.loss == pytest.approx(part.squared_error, rel=1e-5)
        if name not in NETWORKS:
            assert part.dot == pytest.approx(sum(part.product), abs=1e-5)
            assert part.score == pytest.approx(part.dot + (part.user_bias or 0) + (part.item_bias or 0), abs=1e-5)
        through = part.score
        if found.y_range:
            low, high = found.y_range
            through = low + (high - low) / (1 + math.exp(-part.score))
        assert part.prediction == pytest.approx(through, abs=1e-5)


def difference(module: Any, batch: tuple, table: torch.Tensor, at: tuple[int, ...]) -> float:
    """The batch's objective by one number of a table of a float64 module, by a central difference."""
    before = float(table[at])
    sides = []
    for sign in (1, -1):
        table[at] = before + sign * STEP
        sides.append(float(module.losses(*batch)[0]))
    table[at] = before
    return (sides[0] - sides[1]) / (2 * STEP)


@torch.no_grad()
def test_the_gradients_are_finite_differences(case) -> None:
    model, _, found = case
    module = copy.deepcopy(model.module).double()
    user, item, rating = codes(found)
    batch = user, item, rating.double()
    assert len(set(user.tolist())) < ROWS
    learned = module.learned()
    if model.recipe.name == "hybrid":  # what it learned are sums; these are summands
        learned = learned._replace(user_factors=module.user_factors.weight, item_factors=module.item_factors.weight)
    sides = (("user_code", "user_gradient", learned.user_factors), ("item_code", "item_gradient", learned.item_factors))
    for code_name, gradient_name, table in sides:
        for code in {getattr(part, code_name) for part in found.ratings}:
            # An embedding receives the sum over the ratings it takes part in.
            parts = [getattr(part, gradient_name) for part in found.ratings if getattr(part, code_name) == code]
            gradient = np.sum(parts, axis=0)
            for column in (0, len(gradient) // 2, len(gradient) - 1):
                wanted = difference(module, batch, table, (code, column))
                assert gradient[column] == pytest.approx(wanted, rel=1e-3, abs=1e-6)
    if model.has_bias:
        stored = model.recipe.name in (SOFTMAX, "hybrid")
        table = module.user_bias.weight if stored else module.dot_parameters()["user_bias"]
        by_user = table.reshape(len(table), -1)
        for code in set(user.tolist()):
            parts = [np.atleast_1d(part.score_gradient) for part in found.ratings if part.user_code == code]
            for column, gradient in enumerate(np.sum(parts, axis=0)):
                assert gradient == pytest.approx(difference(module, batch, by_user, (code, column)), rel=1e-3, abs=1e-6)


def test_the_gradient_by_the_score_is_the_formula(case) -> None:
    model, _, found = case
    for part in found.ratings:
        if model.recipe.name == SOFTMAX:
            hot = [float(level == part.rating) for level in found.levels]
            np.testing.assert_allclose(part.score_gradient, (np.array(part.probabilities) - hot) / ROWS, atol=1e-6)
            continue
        slope = 1.0
        if found.y_range:
            low, high = found.y_range
            share = (part.prediction - low) / (high - low)
            slope = (high - low) * share * (1 - share)
        assert part.score_gradient == pytest.approx(2 / ROWS * part.error * slope, rel=1e-4, abs=1e-6)
        if part.dot is not None:
            np.testing.assert_allclose(
                part.user_gradient, np.multiply(part.score_gradient, part.item_vector), rtol=1e-4, atol=1e-7
            )


def test_the_model_is_left_as_it_was(case) -> None:
    model, ratings, _ = case
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    anatomy(model, ratings)
    assert all(torch.equal(value, before[name]) for name, value in model.module.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in model.module.parameters())
    assert not model.module.training


def test_it_is_json(case) -> None:
    _, _, found = case
    again = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert again["loss"] == found.loss
    assert len(again["ratings"]) == ROWS
    assert again["ratings"][0]["user_gradient"] == list(found.ratings[0].user_gradient)


def test_the_description_fits_and_shows_every_step(case) -> None:
    model, ratings, _ = case
    found = anatomy(model, ratings)
    for width, factors in ((50, 5), (80, 5), (80, 3), (120, 8)):
        lines = describe(found, width, factors).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert width < 80 or not any("…" in line for line in lines)
    text = describe(found, 80, 3)
    for part in found.ratings:
        assert f"user {part.user}, {part.title}: x = [{part.user_code}, {part.item_code}], y = {part.rating:g}" in text
    # Where there is no room for a formula and its result, the number is not what is cut.
    for narrower, (name, wanted) in itertools.product(
        (54, 80), (("prediction ", "prediction"), ("squared error ", "squared_error"))
    ):
        lines = describe(found, narrower, 3).splitlines()
        shown = [float(line.split()[-1]) for line in lines if line.startswith(f"  {name}")]
        assert shown == pytest.approx([getattr(part, wanted) for part in found.ratings], rel=5e-3, abs=5e-5)
    length = len(found.ratings[0].user_vector)
    assert f"user vector u [{length}]" in text
    assert f"... {length - 3} more" in text
    assert f"{np.linalg.norm(found.ratings[0].user_vector):.3g}" in text
    assert f"{found.loss:.4f}; the gradients are of this" in text
    assert ("cross-entropy" in text) == (model.recipe.name == SOFTMAX)
    assert ("sigmoid_range(s, 0, 5.5)" in text) == (found.y_range is not None)
    assert ("Linear" in text) == (model.recipe.name in NETWORKS)
    assert ("product u * v" in text) == (model.recipe.name not in NETWORKS)


def test_titles_can_be_anything(tiny_runs) -> None:
    home, runs = tiny_runs
    model = TrainedModel.load(runs["model4"])
    found = anatomy(model, model.ratings(home), rows=1)
    strange = dataclasses.replace(found.ratings[0], title="\x1b[31m\nred " + "映画" * 60)
    lines = describe(dataclasses.replace(found, ratings=(strange,))).split("\n")
    assert len(lines) == len(describe(found).split("\n"))
    assert max(map(cell_len, lines)) <= 80
    assert "\x1b" not in "".join(lines)


def test_what_cannot_be_done_is_said(tiny_runs, tiny: Ratings) -> None:
    model = TrainedModel.load(tiny_runs[1]["model4"])
    with pytest.raises(ValueError, match="at least one"):
        anatomy(model, tiny, rows=0)
    fewer = dataclasses.replace(tiny, users=type(tiny.users)(tiny.users.classes[:-1]))
    with pytest.raises(CftuiError, match="other users"):
        anatomy(model, fewer)


def test_a_real_batch(trained, ratings: Ratings) -> None:
    model: TrainedModel = trained[2]
    found = anatomy(model, ratings)
    assert len(found.ratings) == 3
    text = describe(found)
    assert "... 45 more" in text
    assert max(map(len, text.splitlines())) <= 80
    assert found.loss == pytest.approx(sum(part.squared_error for part in found.ratings) / 3, rel=1e-5)

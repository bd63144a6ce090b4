"""Recipes added as the documentation says train, evaluate and recommend, and say in a line what they cannot do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cftui.analysis import ranking
from cftui.analysis.evaluation import accuracy
from cftui.analysis.evaluation.intervals import has_intervals
from cftui.analysis.explain.anatomy import anatomy
from cftui.analysis.explain.explaining import explain
from cftui.analysis.exports import export
from cftui.analysis.maps.mapping import principal_map
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people
from cftui.data.ratings import Ratings
from cftui.engine.models.recipes import RECIPES
from cftui.engine.rankings import evaluate_rankings, popularity, predicted
from cftui.engine.training import train
from cftui.errors import CftuiError
from cftui.home import Home
from tests.settings import options_for
from tests.toys import TOYS

from ...conftest import write_tiny

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=TOYS)
def added(request, tmp_path_factory, tiny_known: str):
    """``(home, model, ratings)`` of a run of each recipe."""
    home, row = Home(tmp_path_factory.mktemp("added")), TOYS[request.param]
    write_tiny(home.data / tiny_known)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, row.name, row)
        options = options_for(row, epochs=20, bs=16, factors=4, lr=0.05)
        run = train(home, row, options, data=tiny_known, device=CPU, name=row.name)
        model = TrainedModel.load(run)
        yield home, model, model.ratings(home)


def test_it_learns_and_its_log_says_so(added: tuple[Home, TrainedModel, Ratings]) -> None:
    _, model, ratings = added
    scores = accuracy.evaluate(model, ratings)
    assert scores["train"].mse < float(ratings.rating.var())
    assert model.valid_loss == pytest.approx(scores["valid"].mse, rel=1e-5)


def test_it_recommends_what_it_predicts_highest(added: tuple[Home, TrainedModel, Ratings]) -> None:
    home, model, ratings = added
    who = people.person(model, ratings, home, 7)
    best = ranking.recommend(model, who, 3)
    assert len(best) == 3
    assert not set(best["code"]) & set(who.items.tolist())
    unseen = [code for code in range(1, len(model.items)) if code not in who.items]
    me = model.user_code(7)
    top = max(unseen, key=lambda code: float(model.predict(np.array([me]), np.array([code]))[0]))
    assert best["code"].iloc[0] == top


def test_its_lists_are_judged_by_its_own_predictions(added: tuple[Home, TrainedModel, Ratings]) -> None:
    _, model, ratings = added
    parts = model.split(ratings)
    scorers = {"model": predicted(model.module), "popularity": popularity(ratings, parts)}
    found = evaluate_rankings(ratings, parts, scorers, k=3, relevant=3.5)
    assert 0 < found.rankings["model"].ndcg <= 1
    users = np.arange(1, 4)
    scores = predicted(model.module)(users)
    assert scores.shape == (3, len(model.items))
    for at, user in enumerate(users):
        by_pair = model.predict(np.full(len(model.items), user), np.arange(len(model.items)))
        np.testing.assert_allclose(scores[at].numpy(), by_pair, atol=1e-5)


def test_what_it_cannot_do_is_one_line(added: tuple[Home, TrainedModel, Ratings], tmp_path: Path) -> None:
    home, model, ratings = added
    who = people.person(model, ratings, home, 7)
    assert not has_intervals(model)
    with pytest.raises(CftuiError, match=f"no explanation for this model: .*{model.recipe.name}"):
        explain(model, who.row, 3, who=who)
    with pytest.raises(CftuiError, match=f"no anatomy for this model: {model.recipe.name}"):
        anatomy(model, ratings)
    with pytest.raises(CftuiError, match="has no biases"):
        ranking.biases(model)
    if model.has_factors:
        assert len(ranking.similar(model, 3, 4)) == 4
        assert len(principal_map(model)[0].table) == len(model.items) - 1
        return
    for impossible in (
        lambda: ranking.similar(model, 3, 4),
        lambda: principal_map(model),
        lambda: export(model, "csv", tmp_path),
    ):
        with pytest.raises(CftuiError, match=f"no factors in this model: {model.recipe.name}"):
            impossible()
    assert not list(tmp_path.iterdir())
    with pytest.raises(CftuiError, match="no new users for this model"):
        people.folded(model, "me", np.array([1]), np.array([5.0], np.float32))

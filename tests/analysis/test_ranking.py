"""Biases, neighbours, predictions, recommendations, results: against loops written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cftui.analysis import ranking
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.errors import CftuiError

SILENCE = "Silence of the Lambs, The (1991)"


@pytest.fixture(scope="module")
def model(trained) -> TrainedModel:
    return trained[2]


def plain_rating(model: TrainedModel, user: int, item: int) -> float:
    """model4's formula, one number at a time."""
    learned = model.learned
    total = float(learned.user_bias[user]) + float(learned.item_bias[item])
    for p, q in zip(learned.user_factors[user].tolist(), learned.item_factors[item].tolist(), strict=True):
        total += p * q
    return 5.5 / (1 + math.exp(-total))


def test_biases_ascend_and_hold_every_movie_once(model: TrainedModel) -> None:
    table = ranking.biases(model)
    assert list(table.columns) == ["code", "title", "ratings", "bias"]
    assert (np.diff(table["bias"]) >= 0).all()
    assert sorted(table["code"]) == list(range(1, 1665))
    learned = model.learned.item_bias.numpy()
    assert np.array_equal(table["bias"].to_numpy(), learned[table["code"]])
    assert table["title"].tolist() == [model.items.classes[code] for code in table["code"]]


def test_the_most_liked_movies_agree_with_common_sense(model: TrainedModel) -> None:
    most = set(ranking.biases(model)["title"].tail(5))
    classics = {
        "Titanic (1997)",
        "Shawshank Redemption, The (1994)",
        "Star Wars (1977)",
        "Schindler's List (1993)",
        "L.A. Confidential (1997)",
        "Silence of the Lambs, The (1991)",
        "Rear Window (1954)",
        "Good Will Hunting (1997)",
        "As Good As It Gets (1997)",
        "Usual Suspects, The (1995)",
        "Casablanca (1942)",
    }
    assert len(most & classics) >= 3
    least = ranking.biases(model).head(5)
    assert most.isdisjoint(least["title"])
    # The chapter's own list of the least liked; splits differ in which five come first.
    chapter = ("Children of the Corn", "Lawnmower Man 2", "Crow: City of Angels", "Mortal Kombat: Annih", "Beautician")
    twenty = ranking.biases(model)["title"].head(20)
    assert sum(any(name in title for title in twenty) for name in chapter) >= 3


def test_the_cosine_is_the_chapters(model: TrainedModel) -> None:
    item = model.item_code(SILENCE)
    table = ranking.similar(model, item, 2000)
    assert len(table) == 1663
    assert item not in set(table["code"])
    assert (np.diff(table["cosine"]) <= 0).all()
    factors = model.item_factors.astype(float)
    for row in table.iloc[[0, 1, 700, 1662]].itertuples():
        dot = sum(a * b for a, b in zip(factors[item], factors[row.code], strict=True))
        lengths = [math.sqrt(sum(a * a for a in factors[code])) for code in (item, row.code)]
        assert row.cosine == pytest.approx(dot / (lengths[0] * lengths[1]), abs=1e-5)


def test_neighbours_can_be_asked_to_be_known(model: TrainedModel) -> None:
    table = ranking.similar(model, model.item_code(SILENCE), 10, min_ratings=100)
    assert len(table) == 10
    assert (table["ratings"] >= 100).all()
    assert table["cosine"].iloc[0] > 0.3


def test_predictions_are_the_formula(model: TrainedModel, ratings: Ratings) -> None:
    user = model.user_code("196")
    everything = model.predict_all(user)
    assert everything.shape == (1665,)
    for item in (0, 1, model.item_code(SILENCE), 1664):
        assert everything[item] == pytest.approx(plain_rating(model, user, item), abs=1e-5)
    rows = np.arange(0, 100_000, 9973)
    some = model.predict(ratings.user[rows], ratings.item[rows])
    wanted = [plain_rating(model, u, i) for u, i in zip(ratings.user[rows], ratings.item[rows], strict=True)]
    np.testing.assert_allclose(some, wanted, atol=1e-5)


def test_recommendations_are_the_best_of_what_is_unseen(model: TrainedModel, ratings: Ratings) -> None:
    user = model.user_code(196)
    seen = set(ratings.item[ratings.user == user].tolist())
    table = ranking.recommend(model, user, ratings, 10)
    assert seen.isdisjoint(table["code"])
    everything = model.predict_all(user)
    unseen = [code for code in range(1, 1665) if code not in seen]
    best = sorted(unseen, key=lambda code: -everything[code])[:10]
    assert table["code"].tolist() == best
    known = ranking.recommend(model, user, ratings, 2000, min_ratings=50)
    assert (known["ratings"] >= 50).all()
    assert len(known) == sum(model.counts[code] >= 50 for code in unseen)


def test_actual_ratings_average_what_two_ids_of_one_title_got(ratings: Ratings) -> None:
    user, item = ratings.user_code(196), ratings.item_code("Kolya (1996)")
    assert ranking.actual_rating(ratings, user, item) == 3.0
    assert ranking.actual_rating(ratings, user, ratings.item_code("GoldenEye (1995)")) is None
    pairs = ratings.user * len(ratings.items) + ratings.item
    values, counts = np.unique(pairs, return_counts=True)
    twice = values[counts > 1][0]
    user, item = divmod(int(twice), len(ratings.items))
    assert ranking.actual_rating(ratings, user, item) == ratings.rating[pairs == twice].mean()


def test_results_come_from_the_validation_set(model: TrainedModel, ratings: Ratings) -> None:
    table = ranking.results(model, ratings, 40, seed=5)
    assert list(table.columns) == ["user", "title", "rating", "rating_pred"]
    valid = split(ratings, "random", 0).valid
    held_back = {
        (ratings.users.classes[u], ratings.items.classes[i], float(r))
        for u, i, r in zip(ratings.user[valid], ratings.item[valid], ratings.rating[valid], strict=True)
    }
    for row in table.itertuples():
        assert (row.user, row.title, row.rating) in held_back
        expected = plain_rating(model, model.user_code(row.user), model.item_code(row.title))
        assert row.rating_pred == pytest.approx(expected, abs=1e-5)
    assert table.equals(ranking.results(model, ratings, 40, seed=5))
    assert not table.equals(ranking.results(model, ratings, 40, seed=6))


def test_evaluation_repeats_what_training_reported(model: TrainedModel, ratings: Ratings) -> None:
    scores = ranking.evaluate(model, ratings)
    reported = model.run.history().epochs[-1]
    assert scores["valid"].n == 20_000
    assert scores["train"].n == 80_000
    assert scores["valid"].mse == pytest.approx(reported["valid_loss"], rel=1e-6)
    assert scores["valid"].mae == pytest.approx(reported["mae"], rel=1e-6)
    assert scores["train"].mse < scores["valid"].mse


@pytest.mark.parametrize("name", ["model1", "model2", "collab-nn", "embedding-nn"])
def test_a_model_without_biases_says_so(name: str, tiny_runs) -> None:
    model = TrainedModel.load(tiny_runs[1][name])
    assert not model.has_bias
    with pytest.raises(CftuiError, match=f"{name} has no biases"):
        ranking.biases(model)


@pytest.mark.parametrize("name", ["model3", "model4", "model5", "collab", "cross-entropy"])
def test_the_liked_stand_above_the_disliked_in_every_biased_model(name: str, tiny_home) -> None:
    import torch

    from cftui.engine.recipes import Options, recipe
    from cftui.engine.training import train

    options = Options(epochs=30, bs=16, factors=4)
    run = train(tiny_home, recipe(name), options, data="tiny", device=torch.device("cpu"))
    model = TrainedModel.load(run)
    ratings = model.ratings(tiny_home)
    means = np.array([ratings.rating[ratings.item == code].mean() for code in range(1, len(model.items))])
    assert np.corrcoef(means, model.item_bias[1:])[0, 1] > 0.8

"""Biases, neighbours, predictions, recommendations, results: against loops written out."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cftui.analysis import ranking
from cftui.analysis.evaluation import accuracy
from cftui.analysis.ranking import Filter
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users.people import Person, person
from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.errors import CftuiError

SILENCE = "Silence of the Lambs, The (1991)"


@pytest.fixture(scope="module")
def model(trained) -> TrainedModel:
    return trained[2]


@pytest.fixture(scope="module")
def one96(trained, ratings: Ratings) -> Person:
    home, _, model = trained
    return person(model, ratings, home, 196)


def with_factors(model: TrainedModel, factors: np.ndarray) -> TrainedModel:
    """The same model, its items where ``factors [items, k]`` says."""
    other = dataclasses.replace(model)
    moved = model.learned._replace(item_factors=torch.from_numpy(np.asarray(factors, dtype=np.float32)))
    other.__dict__["learned"] = moved
    return other


def loop(factors: np.ndarray, item: int, metric: str) -> list[float]:
    """Cosine or distance of every item to one, a number at a time."""
    rows = factors.astype(float).tolist()
    found = []
    for row in rows:
        if metric == "cosine":
            dot = sum(a * b for a, b in zip(row, rows[item], strict=True))
            lengths = [math.sqrt(sum(a * a for a in one)) for one in (row, rows[item])]
            found.append(dot / (lengths[0] * lengths[1]))
        else:
            found.append(math.sqrt(sum((a - b) ** 2 for a, b in zip(row, rows[item], strict=True))))
    return found


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


def test_the_plain_mean_beside_the_bias_is_pandas(model: TrainedModel, ratings: Ratings, tables) -> None:
    table = ranking.biases(model, ratings)
    assert list(table.columns) == ["code", "title", "ratings", "bias", "mean"]
    raw = tables.titled.groupby("title")["rating"].agg(["mean", "size"])
    np.testing.assert_allclose(table["mean"], raw.loc[table["title"], "mean"], rtol=1e-6)
    assert table["ratings"].tolist() == raw.loc[table["title"], "size"].tolist()
    assert table.drop(columns="mean").equals(ranking.biases(model))


@pytest.mark.parametrize("metric", ranking.METRICS)
def test_neighbours_are_a_plain_loop_over_all_items(metric: str, model: TrainedModel) -> None:
    item = model.item_code(SILENCE)
    wanted = loop(model.item_factors, item, metric)
    table = ranking.similar(model, item, 2000, metric=metric)
    assert list(table.columns) == ["code", "title", "ratings", metric]
    assert sorted(table["code"]) == [code for code in range(1, 1665) if code != item]
    np.testing.assert_allclose(table[metric], [wanted[code] for code in table["code"]], atol=1e-5)
    steps = np.diff(table[metric])
    assert (steps <= 0).all() if metric == "cosine" else (steps >= 0).all()
    assert table["title"].tolist() == [model.titles[code] for code in table["code"]]
    assert table["ratings"].tolist() == model.counts[table["code"]].tolist()
    assert ranking.similar(model, item, 7, metric=metric).equals(table.head(7))


def test_without_being_asked_the_answer_is_the_chapters(model: TrainedModel) -> None:
    item = model.item_code(SILENCE)
    factors = model.learned.item_factors
    distances = torch.nn.CosineSimilarity(dim=1)(factors, factors[item][None])
    chapter = [code for code in distances.argsort(descending=True).tolist() if code not in (0, item)]
    table = ranking.similar(model, item)
    assert table["code"].tolist() == chapter[:10]
    np.testing.assert_allclose(table["cosine"], distances[chapter[:10]], atol=1e-6)
    for metric in ranking.METRICS:
        plain = ranking.similar(model, item, 50, metric=metric)
        assert plain.equals(ranking.similar(model, item, 50, metric=metric, shrink=0))


@pytest.mark.parametrize("shrink", [ranking.SHRINK, 3.5])
def test_shrinkage_trusts_an_item_by_its_ratings(shrink: float, model: TrainedModel) -> None:
    item = model.item_code(SILENCE)
    for metric in ranking.METRICS:
        plain, table = (ranking.similar(model, item, 2000, metric=metric, shrink=s) for s in (0, shrink))
        raw = dict(zip(plain["code"], plain[metric], strict=True))
        for code, count, found in zip(table["code"], table["ratings"], table[metric], strict=True):
            trust = count / (count + shrink)
            wanted = raw[code] * trust if metric == "cosine" else raw[code] / trust
            assert found == pytest.approx(wanted, rel=1e-5)
        steps = np.diff(table[metric])
        assert (steps <= 0).all() if metric == "cosine" else (steps >= 0).all()


def test_with_shrinkage_a_movie_of_two_ratings_is_no_discovery(model: TrainedModel) -> None:
    item = model.item_code(SILENCE)
    assert ranking.similar(model, item, 10)["ratings"].min() < 10
    assert ranking.similar(model, item, 10, shrink=ranking.SHRINK)["ratings"].min() >= 50


def test_another_metric_is_refused_by_name(model: TrainedModel) -> None:
    with pytest.raises(CftuiError, match="no metric 'cosin'; did you mean cosine"):
        ranking.similar(model, 1, metric="cosin")


@pytest.mark.parametrize("metric", ranking.METRICS)
def test_items_equally_near_come_in_the_order_of_their_codes(metric: str, tiny_runs) -> None:
    model = TrainedModel.load(tiny_runs[1]["model4"])
    factors = np.zeros((20, 8))
    factors[:, 0] = 1
    factors[[3, 9]] = [0, 1, 0, 0, 0, 0, 0, 0]
    same = with_factors(model, factors)
    others = [code for code in range(1, 20) if code not in (3, 5, 9)]
    for n in (1, 4, len(others), 18):
        assert ranking.similar(same, 5, n, metric=metric)["code"].tolist() == [*others, 3, 9][:n]


def test_an_item_without_any_factors_is_like_nothing(tiny_runs) -> None:
    model = TrainedModel.load(tiny_runs[1]["model4"])
    factors = model.item_factors.copy()
    factors[4] = 0
    assert ranking.similar(with_factors(model, factors), 4, 30)["cosine"].tolist() == [0.0] * 18
    near = ranking.similar(with_factors(model, factors), 7, 30).set_index("code")["cosine"]
    assert near[4] == 0
    assert np.isfinite(near).all()


def test_neighbours_can_be_asked_to_be_known_and_of_a_genre(model: TrainedModel) -> None:
    item = model.item_code(SILENCE)
    everything = ranking.similar(model, item, 2000)
    known = ranking.similar(model, item, 10, only=Filter(min_ratings=100))
    assert known["code"].tolist() == everything.loc[everything["ratings"] >= 100, "code"].tolist()[:10]
    assert known["cosine"].iloc[0] > 0.3
    both = ranking.similar(model, item, 2000, only=Filter(50, "Comedy"))
    wanted = [
        code
        for code in everything["code"]
        if model.counts[code] >= 50 and "Comedy" in model.item_table["genres"][code].split("|")
    ]
    assert both["code"].tolist() == wanted
    assert 50 < len(wanted) < 200


scores = st.lists(st.sampled_from([-1.5, 0.0, 0.25, 0.25000001, 3.0]), min_size=1, max_size=30)


@settings(deadline=None)
@given(scores, st.data(), st.integers(0, 40))
def test_the_best_are_the_highest_of_those_allowed(values: list[float], data: st.DataObject, n: int) -> None:
    allowed = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    wanted = sorted((code for code, ok in enumerate(allowed) if ok), key=lambda code: -values[code])[:n]
    assert ranking.best_of(np.array(values), np.array(allowed), n).tolist() == wanted


def test_predictions_are_the_formula(model: TrainedModel, ratings: Ratings) -> None:
    user = model.user_code("196")
    everything = model.rate(model.user_rows[user])
    assert everything.shape == (1665,)
    for item in (0, 1, model.item_code(SILENCE), 1664):
        assert everything[item] == pytest.approx(plain_rating(model, user, item), abs=1e-5)
    rows = np.arange(0, 100_000, 9973)
    some = model.predict(ratings.user[rows], ratings.item[rows])
    wanted = [plain_rating(model, u, i) for u, i in zip(ratings.user[rows], ratings.item[rows], strict=True)]
    np.testing.assert_allclose(some, wanted, atol=1e-5)


def test_recommendations_are_the_best_of_what_is_unseen(model: TrainedModel, ratings: Ratings, one96: Person) -> None:
    user = model.user_code(196)
    seen = set(ratings.item[ratings.user == user].tolist())
    table = ranking.recommend(model, one96, 10)
    assert list(table.columns) == ["code", "title", "ratings", "predicted"]
    assert seen.isdisjoint(table["code"])
    everything = [plain_rating(model, user, code) for code in range(1665)]
    unseen = [code for code in range(1, 1665) if code not in seen]
    best = sorted(unseen, key=lambda code: -everything[code])[:10]
    assert table["code"].tolist() == best
    np.testing.assert_allclose(table["predicted"], [everything[code] for code in best], atol=1e-5)
    known = ranking.recommend(model, one96, 2000, only=Filter(50))
    assert (known["ratings"] >= 50).all()
    assert len(known) == sum(model.counts[code] >= 50 for code in unseen)
    war = ranking.recommend(model, one96, 2000, only=Filter(0, "War"))
    assert set(war["code"]) == {code for code in unseen if "War" in model.item_table["genres"][code].split("|")}


def test_who_has_rated_everything_gets_nothing_recommended(tiny_runs) -> None:
    model = TrainedModel.load(tiny_runs[1]["model4"])
    codes = np.arange(1, len(model.items))
    who = Person("all", model.user_rows[3], codes, np.ones(len(codes), np.float32), trained=False)
    assert len(ranking.recommend(model, who, 10)) == 0


def test_actual_ratings_average_what_two_ids_of_one_title_got(trained, ratings: Ratings, one96: Person) -> None:
    home, _, model = trained
    assert one96.rating(ratings.item_code("Kolya (1996)")) == 3.0
    assert one96.rating(ratings.item_code("GoldenEye (1995)")) is None
    pairs = pd.DataFrame({"user": ratings.user, "item": ratings.item, "rating": ratings.rating})
    twice = pairs.groupby(["user", "item"])["rating"].agg(["size", "mean", "nunique"]).reset_index()
    twice = twice[(twice["size"] > 1) & (twice["nunique"] > 1)].iloc[0]
    who = person(model, ratings, home, ratings.users.classes[int(twice["user"])])
    assert who.rating(int(twice["item"])) == twice["mean"]


def test_results_come_from_the_validation_set(model: TrainedModel, ratings: Ratings) -> None:
    table = accuracy.results(model, ratings, 40, seed=5)
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
    assert table.equals(accuracy.results(model, ratings, 40, seed=5))
    assert not table.equals(accuracy.results(model, ratings, 40, seed=6))


def test_evaluation_repeats_what_training_reported(model: TrainedModel, ratings: Ratings) -> None:
    scores = accuracy.evaluate(model, ratings)
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


@pytest.mark.parametrize("name", ["model3", "model4", "model5", "collab", "cross-entropy", "hybrid"])
def test_the_liked_stand_above_the_disliked_in_every_biased_model(name: str, tiny_home) -> None:
    import torch

    from cftui.engine.models.recipes import recipe
    from cftui.engine.training import train

    options = recipe(name).options(epochs=30, bs=16, factors=4)
    run = train(tiny_home, recipe(name), options, data="tiny", device=torch.device("cpu"))
    model = TrainedModel.load(run)
    ratings = model.ratings(tiny_home)
    means = np.array([ratings.rating[ratings.item == code].mean() for code in range(1, len(model.items))])
    assert np.corrcoef(means, model.item_bias[1:])[0, 1] > 0.8

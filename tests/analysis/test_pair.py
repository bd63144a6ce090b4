"""Two runs as one recommender: which pairs are refused, what orders the list, and why an item is in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cftui.analysis import pair
from cftui.analysis.evaluation.intervals import intervals
from cftui.analysis.pair import Pair
from cftui.analysis.ranking import Filter
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.rankings import evaluate_rankings
from cftui.errors import CftuiError


@pytest.fixture(scope="module")
def models(tiny_runs) -> dict[str, TrainedModel]:
    return {name: TrainedModel.load(tiny_runs[1][name]) for name in ("ease", "ials", "bayes", "model4")}


@pytest.fixture(params=["bayes", "model4"])
def both(request: pytest.FixtureRequest, models, tiny: Ratings) -> Pair:
    return Pair.of(models["ease"], models[request.param], tiny)


def test_both_numbers_are_those_of_the_two_runs(both: Pair, tiny: Ratings, tiny_runs) -> None:
    who = both.person(tiny, tiny_runs[0], 7)
    table = both.recommend(who, 6)
    codes = table["code"].to_numpy(copy=True)
    assert not set(codes) & set(who.chooser.items)
    np.testing.assert_allclose(table["score"], both.chooser.scores(who.chooser.row)[codes])
    np.testing.assert_allclose(table["predicted"], both.rater.rate(who.rater.row)[codes])
    assert table["place"].tolist() == list(range(1, len(table) + 1))
    assert ("low" in table) == (both.rater.recipe.name == "bayes")
    assert table["liked"].between(0, 1).all()


def test_each_order_puts_first_what_it_says(both: Pair, tiny: Ratings, tiny_runs) -> None:
    who = both.person(tiny, tiny_runs[0], 7)
    everything = len(both.chooser.items)
    by = {order: both.recommend(who, everything, order=order) for order in pair.ORDERS}
    assert by["choice"]["score"].is_monotonic_decreasing
    assert by["rating"]["predicted"].is_monotonic_decreasing
    product = np.maximum(by["both"]["score"], pair.LEAST_SCORE) * by["both"]["liked"] ** pair.POWER
    assert (np.diff(product) <= 1e-12).all()
    assert len({tuple(table["code"]) for table in by.values()}) > 1
    assert set(pair.ORDERED_BY) == set(pair.ORDERS)


def test_the_chance_of_liking_counts_from_halfway_below_what_is_liked(models, tiny: Ratings) -> None:
    both = Pair.of(models["ease"], models["bayes"], tiny)
    assert (both.liked, both.cut) == (4.0, 3.5)
    row = both.rater.user_row(7)
    found = intervals(both.rater, row)
    wanted = torch.distributions.Normal(torch.tensor(found.centre), torch.tensor(found.sd))
    np.testing.assert_allclose(both.likings(row), 1 - wanted.cdf(torch.tensor(3.5)).numpy(), atol=1e-6)


def test_the_lists_that_are_judged_are_those_that_are_shown(both: Pair, tiny: Ratings, tiny_runs) -> None:
    parts = split(tiny, "random", 0)
    for order in pair.ORDERS:
        found = evaluate_rankings(tiny, parts, {"pair": both.scorer(order)}, k=3)
        scores = both.scorer(order)(found.codes)
        assert scores.shape == (found.users, len(tiny.items))
        row = both.scorer(order)(np.array([7]))[0].numpy()
        table = both.recommend(both.person(tiny, tiny_runs[0], 7), 5, order=order)
        shown = row[table["code"].to_numpy(copy=True)]
        assert (np.diff(shown) <= 0).all()


def test_a_filter_and_a_profile_work_as_for_one_run(both: Pair, tiny: Ratings, tiny_runs) -> None:
    who = both.person(tiny, tiny_runs[0], 7)
    assert (both.recommend(who, 9, only=Filter(min_ratings=18))["ratings"] >= 18).all()


def test_what_cannot_be_paired_says_why(models, tiny: Ratings) -> None:
    ease, bayes = models["ease"], models["bayes"]
    with pytest.raises(CftuiError, match=r"ials\.run predicts no ratings: it cannot say what would be rated how"):
        Pair.of(ease, models["ials"], tiny)
    for change, what in (
        ({"options": replace(bayes.options, seed=3)}, "seed"),
        ({"options": replace(bayes.options, split="time")}, "split"),
        ({"options": replace(bayes.options, item_key="id")}, "item key"),
        ({"fingerprint": "other"}, "data set"),
    ):
        with pytest.raises(
            CftuiError, match=f"ease.run and bayes.run differ in their {what}: one may have been trained"
        ):
            Pair.of(ease, replace(bayes, **change), tiny)


def test_reasons_are_the_ratings_that_add_most(models, tiny: Ratings, tiny_runs) -> None:
    from cftui.analysis.users import folding, people

    model = models["ease"]
    who = people.folded(model, "me", np.array([2, 5, 9]), np.array([5, 5, 1], np.float32))
    (first,) = pair.reasons(model, who, np.array([12]), n=3)
    pulls = folding.pulls(model, who.items, who.given, 12)
    wanted = [float(pull) for pull in sorted(pulls, reverse=True) if pull > 0]
    assert [reason.part for reason in first] == pytest.approx(wanted)
    assert all(str(reason).endswith(f" {reason.rating:g}") for reason in first)
    assert pair.reasons(models["model4"], people.person(models["model4"], tiny, tiny_runs[0], 7), np.array([3])) == [[]]

"""Figures of lists beside their accuracy: against plain loops, and intervals against what they promise."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from cftui.analysis.evaluation import lists
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.data.splits import Split, split
from cftui.engine import list_baselines
from cftui.engine.rankings import METRICS, Evaluation, Lists, predicted
from cftui.errors import CftuiError


@pytest.fixture(scope="module")
def judged(tiny_runs, tiny: Ratings) -> tuple[Split, Evaluation]:
    model, parts = TrainedModel.load(tiny_runs[1]["ease"]), split(tiny, "random", 0)
    return parts, list_baselines.beside_baselines(tiny, parts, {"model": predicted(model.module)}, k=4)


@pytest.mark.parametrize("name", ["model", "popularity", "chance"])
def test_what_lists_are_like_is_what_a_plain_loop_says(name: str, judged, tiny: Ratings) -> None:
    parts, found = judged
    shown = [code for one in found.lists[name].items.tolist() for code in one if code > 0]
    raters = {
        code: {tiny.user[row] for row in parts.train if tiny.item[row] == code} for code in range(len(tiny.items))
    }
    times = Counter(tiny.item[parts.train].tolist())
    people = len({tiny.user[row] for row in parts.train})
    exposure = sorted(shown.count(code) for code in times)
    pairs = [abs(one - other) for one in exposure for other in exposure]
    gini = sum(pairs) / (2 * len(exposure) ** 2 * (sum(exposure) / len(exposure)))
    cosines = []
    for one in found.lists[name].items.tolist():
        each = [
            len(raters[a] & raters[b]) / math.sqrt(len(raters[a]) * len(raters[b]))
            for a, b in combinations([code for code in one if code > 0], 2)
        ]
        cosines += [sum(each) / len(each)] if each else []
    wanted = lists.Beyond(
        coverage=len(set(shown)) / len(times),
        gini=gini,
        novelty=sum(-math.log2(len(raters[code]) / people) for code in shown) / len(shown),
        popularity=sum(times[code] for code in shown) / len(shown),
        diversity=1 - sum(cosines) / len(cosines),
    )
    said = lists.beyond(tiny, parts, found, name)
    # Two ids with one title: a user may have rated the item twice.
    assert said.as_json() == pytest.approx(wanted.as_json(), rel=1e-5)


def test_terciles_cover_everybody_and_everything_relevant(judged, tiny: Ratings) -> None:
    parts, found = judged
    ndcg = found.per_user(found.lists["model"])[:, METRICS.index("ndcg")]
    sizes = [len(part) for part in np.array_split(np.arange(found.users), 3)]
    means = lists.by_activity(tiny, parts, found, "model")
    assert np.average(means, weights=sizes) == pytest.approx(ndcg.mean())
    shares = lists.by_popularity(tiny, parts, found, "model")
    assert all(0 <= share <= 1 for share in shares)
    recall = found.lists["model"].hits.sum() / found.wanted.sum()
    assert min(shares) <= recall <= max(shares)


def test_an_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    inside = 0
    for at in range(200):
        found = lists.bootstrap(random.beta(1, 3, size=120), seed=at)
        assert found.low < found.mean < found.high
        inside += found.low <= 0.25 <= found.high
    assert 0.89 <= inside / 200 <= 0.99
    assert math.isnan(lists.bootstrap(np.zeros(0)).mean)


def test_a_difference_says_whether_it_is_chance(judged) -> None:
    _, found = judged
    same = lists.difference(found, "model", "model")
    assert same.is_chance
    assert (same.better, same.worse) == (0, 0)
    assert "may be chance" in same.in_words("A", "B")
    drawn = np.random.default_rng(0).random((2, 100, 4)) < [[[0.2]], [[0.6]]]
    made = {name: Lists(np.ones((100, 4), np.int32), hits) for name, hits in zip("ab", drawn, strict=True)}
    apart = lists.difference(Evaluation(4, 4.0, np.arange(100), np.full(100, 3), made), "a", "b")
    assert not apart.is_chance
    assert apart.first < apart.second
    assert apart.better < apart.worse
    assert apart.in_words("A", "B").startswith("the lists of B are better than those of A: NDCG ")
    nobody = Evaluation(
        4,
        9.0,
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
        {name: Lists(np.zeros((0, 4), np.int32), np.zeros((0, 4), bool)) for name in ("a", "b")},
    )
    with pytest.raises(CftuiError, match="no user has anything relevant"):
        lists.difference(nobody, "a", "b")


def test_popularity_is_the_better_of_its_two_counts(ratings: Ratings) -> None:
    parts = split(ratings, "random", 0)
    found = list_baselines.beside_baselines(ratings, parts, {})
    assert list(found.lists) == ["popularity", "item_knn", "chance"]
    ndcg = {name: one.ndcg for name, one in found.rankings.items()}
    # Measured beside other programs: 0.168 by all ratings, 0.172 by those of 4 or more.
    assert ndcg["popularity"] == pytest.approx(0.1724, abs=5e-4)
    assert ndcg["chance"] < 0.02
    assert 0.28 < ndcg["item_knn"] < 0.36

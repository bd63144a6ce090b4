"""Ranking metrics: against a plain loop, against cases worked by hand, and whatever the size of a chunk."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import UNKNOWN, Ratings, Vocabulary
from cftui.data.splits import Split
from cftui.engine import rankings as evaluation
from cftui.engine.bayes.posterior import BayesianFactors
from cftui.engine.models.recipes import RECIPES
from cftui.engine.rankings import Ranking, check_threshold, evaluate_rankings, measure, threshold, top
from cftui.errors import CftuiError

Row = tuple[int, int, float]


def made(train: Sequence[Row], valid: Sequence[Row], users: int, items: int) -> tuple[Ratings, Split]:
    """Ratings of 1 to 5 from ``(user, item, rating)`` rows, codes from 1, and which of them validate."""
    rows = [*valid, *train]
    user, item, rating = (np.array([row[column] for row in rows]) for column in range(3))
    ratings = Ratings(
        name="made",
        noun="thing",
        user=user.astype(np.int64),
        item=item.astype(np.int64),
        rating=rating.astype(np.float32),
        timestamp=np.zeros(len(rows), np.int64),
        users=Vocabulary((UNKNOWN, *range(1, users + 1))),
        items=Vocabulary((UNKNOWN, *range(1, items + 1))),
        item_key="id",
        rating_range=(1.0, 5.0),
        fingerprint="made",
        user_table=pd.DataFrame(),
        item_table=pd.DataFrame(),
    )
    return ratings, Split("made", train=np.arange(len(valid), len(rows)), valid=np.arange(len(valid)))


def loop(ratings: Ratings, split: Split, score, k: int, relevant: float) -> tuple[int, Ranking]:
    """The protocol a user and an item at a time; ``score(user, item)``."""
    seen, liked, known = defaultdict(set), defaultdict(set), set()
    for row in split.train:
        seen[ratings.user[row]].add(ratings.item[row])
        known.add(ratings.item[row])
    for row in split.valid:
        if ratings.rating[row] >= relevant:
            liked[ratings.user[row]].add(ratings.item[row])
    totals, users = [0.0] * 7, 0
    for user in sorted(liked):
        wanted = liked[user] - seen[user]
        if not wanted:
            continue
        users += 1
        ranked = sorted(known - seen[user], key=lambda item: (-score(user, item), item))[:k]
        hits, gain, precisions, first, looked = 0, 0.0, 0.0, 0.0, 0.0
        for place, item in enumerate(ranked, 1):
            if item in wanted:
                hits += 1
                gain += 1 / math.log2(place + 1)
                precisions += hits / place
                first = first or 1 / place
                looked += 0.15 * 0.85 ** (place - 1)
        most = min(k, len(wanted))
        ideal = sum(1 / math.log2(place + 1) for place in range(1, most + 1))
        values = hits / k, hits / len(wanted), gain / ideal, precisions / most, first, float(hits > 0), looked
        for at, value in enumerate(values):
            totals[at] += value
    return users, Ranking(*(total / users if users else math.nan for total in totals))


def same(found: Ranking, wanted: Ranking) -> None:
    assert found.as_json() == pytest.approx(wanted.as_json(), rel=1e-9, nan_ok=True)


def table_scorer(table: np.ndarray):
    scores = torch.from_numpy(table)
    return lambda users: scores[torch.from_numpy(users)]


def test_measures_worked_by_hand() -> None:
    hits = torch.tensor([[True, False, True], [False, True, False], [False, False, False], [True, True, True]])
    found = measure(hits, torch.tensor([2, 1, 4, 7]))
    third = 1 / math.log2(3)
    wanted = [
        # Places 1 and 3 of two: AP = (1/1 + 2/3) / 2.
        [2 / 3, 1, (1 + 1 / 2) / (1 + third), (1 + 2 / 3) / 2, 1, 1, 0.15 * (1 + 0.85**2)],
        # Place 2, the only one there is.
        [1 / 3, 1, third, 1 / 2, 1 / 2, 1, 0.15 * 0.85],
        [0, 0, 0, 0, 0, 0, 0],
        # A full list of hits is perfect but for its recall: seven do not fit into three places.
        [1, 3 / 7, 1, 1, 1, 1, 0.15 * (1 + 0.85 + 0.85**2)],
    ]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))


def test_the_best_come_first_and_ties_by_code() -> None:
    nan, inf = math.nan, math.inf
    scores = torch.tensor([[9, 1, 3, 3, 2, 3], [0, 0, 0, 0, 0, 0], [9, nan, -1, inf, -inf, 2], [9, 1, 2, 3, 4, 5.0]])
    allowed = torch.ones(4, 6, dtype=torch.bool)
    allowed[:, 0] = False
    allowed[3, 3:] = False
    assert top(scores, allowed, 3).tolist() == [[2, 3, 5], [1, 2, 3], [3, 5, 2], [2, 1, -1]]
    # All of them, and places that nobody fills; NaN and minus infinity are the last, by code.
    assert top(scores, allowed, 7).tolist()[2] == [3, 5, 2, 1, 4, -1, -1]


@given(st.data())
def test_top_is_a_stable_sort(data: st.DataObject) -> None:
    b, n, k = (data.draw(st.integers(1, most)) for most in (4, 30, 35))
    # Few distinct values: ties are the rule, at the last place as well.
    scores = np.array(data.draw(st.lists(st.integers(-2, 2), min_size=b * n, max_size=b * n)), np.float32).reshape(b, n)
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=b * n, max_size=b * n))).reshape(b, n)
    found = top(torch.from_numpy(scores), torch.from_numpy(allowed), k).tolist()
    for at in range(b):
        wanted = sorted(np.flatnonzero(allowed[at]), key=lambda code: (-scores[at, code], code))[:k]
        assert found[at] == [*wanted, *[-1] * (k - len(wanted))]


def test_an_evaluation_worked_by_hand() -> None:
    train = [(1, 1, 5), (1, 2, 4), (2, 1, 3), (2, 3, 2), (3, 4, 1)]
    valid = [
        (1, 3, 4),  # liked
        (1, 4, 3.5),  # not liked enough
        (1, 5, 5),  # liked, but nobody has rated 5 in training: missed, whatever its score
        (2, 2, 5),  # liked
        (2, 1, 5),  # rated in training as well (two ids, one title): neither ranked nor relevant
        (3, 1, 2),  # the only one of user 3, who likes nothing
    ]
    ratings, split = made(train, valid, users=3, items=5)
    scores = np.zeros((4, 6), np.float32)
    scores[1] = [99, 99, 99, 1, 2, 99]  # of 3 and 4, the candidates, 4 comes first; 3 is at place 2
    scores[2] = [99, 99, 1, 99, 0, 99]  # 2 before 4: place 1
    found = evaluate_rankings(ratings, split, {"made": table_scorer(scores)}, k=2, relevant=4)
    assert (found.k, found.relevant, found.users) == (2, 4, 2)
    third = 1 / math.log2(3)
    one = [1 / 2, 1 / 2, third / (1 + third), (1 / 2) / 2, 1 / 2, 1, 0.15 * 0.85]
    two = [1 / 2, 1, 1, 1, 1, 1, 0.15]
    same(found.rankings["made"], Ranking(*np.mean([one, two], axis=0)))


def test_popularity_counts_training_ratings_only() -> None:
    train = [(1, 3, 1), (2, 3, 1), (3, 2, 5), (4, 2, 5), (4, 3, 1), (4, 1, 5)]
    valid = [(1, 1, 5), (2, 1, 5), (3, 1, 5)]  # 1 is the most rated of all, but not in training
    ratings, split = made(train, valid, users=5, items=3)
    scorer = evaluation.popularity(ratings, split)
    assert top(scorer(np.array([5])), torch.tensor([[False, True, True, True]]), 3).tolist() == [[3, 2, 1]]
    found = evaluate_rankings(ratings, split, {"popularity": scorer}, k=1)
    # Users 1 and 2 are offered item 2, user 3 item 3; item 1 comes second.
    assert found.rankings["popularity"].precision == 0
    assert evaluate_rankings(ratings, split, {"popularity": scorer}, k=2).rankings["popularity"].map == 0.5


def uncut(model: TrainedModel, user: int) -> np.ndarray:
    """What a user would give everything, what lies beyond the scale left there: it is ranked all the same."""
    if not isinstance(model.module, BayesianFactors):
        return model.scores(model.user_row(user))
    row = torch.from_numpy(model.user_rows[user]).expand(len(model.items), -1)
    return model.module.rate_draws(row, torch.arange(len(model.items))).mean(dim=1).numpy()


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("k", "relevant"), [(3, 4.0), (10, 3.0)])
def test_every_recipe_is_ranked_as_the_plain_loop_ranks_it(name: str, k: int, relevant: float, tiny_runs) -> None:
    home, runs = tiny_runs
    model = TrainedModel.load(runs[name])
    ratings = model.ratings(home)
    split = model.split(ratings)
    predicted = {user: uncut(model, user) for user in range(len(model.users))}
    scorers = {"model": evaluation.predicted(model.module), "popularity": evaluation.popularity(ratings, split)}
    found = evaluate_rankings(ratings, split, scorers, k=k, relevant=relevant)
    users, wanted = loop(ratings, split, lambda user, item: predicted[user][item], k, relevant)
    assert found.users == users > 15
    same(found.rankings["model"], wanted)
    counts = np.bincount(ratings.item[split.train], minlength=len(ratings.items))
    same(found.rankings["popularity"], loop(ratings, split, lambda user, item: counts[item], k, relevant)[1])


ROWS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 5)), min_size=1, max_size=25)


@given(train=ROWS, valid=ROWS, k=st.integers(1, 9), relevant=st.integers(1, 6), seed=st.integers(0, 99))
def test_any_ratings_are_ranked_as_the_plain_loop_ranks_them(
    train: list[Row], valid: list[Row], k: int, relevant: int, seed: int
) -> None:
    ratings, split = made(train, valid, users=4, items=7)
    scores = np.random.default_rng(seed).integers(0, 4, (5, 8)).astype(np.float32)
    found = evaluate_rankings(ratings, split, {"made": table_scorer(scores)}, k=k, relevant=relevant)
    users, wanted = loop(ratings, split, lambda user, item: scores[user, item], k, relevant)
    assert found.users == users
    same(found.rankings["made"], wanted)


def test_the_size_of_a_chunk_changes_nothing(tiny_runs, monkeypatch: pytest.MonkeyPatch) -> None:
    home, runs = tiny_runs
    model = TrainedModel.load(runs["collab-nn"])
    ratings = model.ratings(home)
    scorer, split = evaluation.predicted(model.module), model.split(ratings)
    whole = evaluate_rankings(ratings, split, {"model": scorer})
    asked: list[int] = []
    told: list[tuple[int, int]] = []

    def counting(users: np.ndarray) -> torch.Tensor:
        asked.append(len(users))
        return scorer(users)

    monkeypatch.setattr(evaluation, "CELLS", 7 * len(ratings.items))
    parts = evaluate_rankings(ratings, split, {"model": counting}, progress=lambda *done: told.append(done))
    assert max(asked) == 7
    assert sum(asked) == whole.users == parts.users
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1][0] == told[-1][1]
    same(parts.rankings["model"], whole.rankings["model"])


def test_a_sample_is_the_same_users_every_time(tiny_runs) -> None:
    home, runs = tiny_runs
    model = TrainedModel.load(runs["model4"])
    ratings = model.ratings(home)
    scorers, split = {"model": evaluation.predicted(model.module)}, model.split(ratings)
    whole = evaluate_rankings(ratings, split, scorers)
    some = [evaluate_rankings(ratings, split, scorers, sample=9) for _ in range(2)]
    assert some[0].codes.tolist() == some[1].codes.tolist() != whole.codes.tolist()
    assert some[0].rankings == some[1].rankings != whole.rankings
    assert 0 < some[0].users <= 9
    assert evaluate_rankings(ratings, split, scorers, sample=10_000).rankings == whole.rankings


def test_a_shorter_list_is_the_beginning_of_a_longer_one(tiny_runs) -> None:
    home, runs = tiny_runs
    model = TrainedModel.load(runs["model4"])
    ratings = model.ratings(home)
    scorers, split = {"model": evaluation.predicted(model.module)}, model.split(ratings)
    long, short = (evaluate_rankings(ratings, split, scorers, k=k) for k in (8, 3))
    assert long.at(3) == short.rankings
    assert long.lists["model"].items[:, :3].tolist() == short.lists["model"].items.tolist()


def test_knowing_the_answers_is_perfect_but_for_what_training_does_not_know(trained, ratings: Ratings) -> None:
    _, _, model = trained
    split = model.split(ratings)
    truth = np.zeros((len(ratings.users), len(ratings.items)), np.float32)
    truth[ratings.user[split.valid], ratings.item[split.valid]] = ratings.rating[split.valid]
    found = evaluate_rankings(ratings, split, {"truth": table_scorer(truth)}, k=1_000)
    # 17 or so of twenty thousand are of movies without a training rating.
    assert 0.98 < found.rankings["truth"].recall < 1
    assert 0.98 < found.rankings["truth"].ndcg < 1


@pytest.mark.parametrize(
    ("low", "high", "levels", "wanted"),
    [
        (1, 5, (1, 2, 3, 4, 5), 4),
        (0.5, 5, tuple(half / 2 for half in range(1, 11)), 4),
        (1, 10, tuple(range(1, 11)), 8),
        (0, 1, (0, 1), 1),
        (-10, 10, (-10, -2.5, 5.25, 9), 5.25),
        (1, 1, (1,), 1),
        # Nobody has given more than 2 of a scale to 5.
        (1, 5, (1, 2), 4),
    ],
)
def test_what_is_liked_is_read_off_the_scale(low: float, high: float, levels: tuple, wanted: float) -> None:
    ratings, _ = made([(1, 1, level) for level in levels], [], users=1, items=1)
    object.__setattr__(ratings, "rating_range", (float(low), float(high)))
    assert threshold(ratings) == wanted


def test_the_threshold_is_inclusive_and_by_default_that_of_the_scale() -> None:
    ratings, split = made([(1, 1, 5), (2, 2, 5)], [(1, 2, 4), (2, 1, 3)], users=2, items=2)
    scores = {"made": table_scorer(np.zeros((3, 3), np.float32))}
    assert evaluate_rankings(ratings, split, scores).users == 1
    assert evaluate_rankings(ratings, split, scores).relevant == 4
    assert evaluate_rankings(ratings, split, scores, relevant=3).users == 2


def test_nothing_relevant_is_no_number_and_is_said_where_it_was_asked_for() -> None:
    ratings, split = made([(1, 1, 5)], [(1, 2, 3)], users=1, items=2)
    found = evaluate_rankings(ratings, split, {"made": table_scorer(np.zeros((2, 3), np.float32))})
    assert found.users == 0
    assert all(math.isnan(value) for value in found.rankings["made"].as_json().values())
    with pytest.raises(CftuiError, match=r"no validation rating of 4.5 or more; made is rated 1 to 5"):
        check_threshold(ratings, split.valid, 4.5)
    check_threshold(ratings, split.valid, 3)


def test_the_protocol_says_what_was_done() -> None:
    ratings, split = made([(1, 1, 5)], [(1, 2, 3)], users=1, items=2)
    protocol = evaluate_rankings(ratings, split, {}, relevant=3.5).protocol
    for part in ("ratings of 3.5 or more", "training rating", "counts as missed", "ties by item code", "mean over"):
        assert part in protocol

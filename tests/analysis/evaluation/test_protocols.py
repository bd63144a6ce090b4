"""Protocols by name: what each holds back, whom it judges, and the figures it reports."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch

from cftui.analysis.evaluation import protocols
from cftui.analysis.evaluation.protocols import PROTOCOLS, judge
from cftui.data.ratings import Ratings
from cftui.engine.models.recipes import RECIPES
from cftui.engine.rankings import Evaluation, Lists
from cftui.errors import CftuiError
from tests.settings import options_for
from tests.toys import TOYS

CPU = torch.device("cpu")
SMALL = {"epochs": 2, "bs": 16, "factors": 4}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_no_rating_is_both_known_and_to_be_found(name: str, tiny: Ratings) -> None:
    if name == "given":
        tiny = dataclasses.replace(tiny, held_back=np.arange(len(tiny)) % 4 == 0)
    for part in PROTOCOLS[name].parts(tiny, 3):
        known = [] if part.known is None else part.known.tolist()
        rows = [*part.split.train.tolist(), *known, *part.split.valid.tolist()]
        assert len(rows) == len(set(rows))
        assert len(part.split.valid)
        again = list(PROTOCOLS[name].parts(tiny, 3))
        assert any(np.array_equal(one.split.valid, part.split.valid) for one in again)


def test_recommenders_divides_each_item_as_its_splitter_does(tiny: Ratings) -> None:
    (part,) = PROTOCOLS["recommenders"].parts(tiny, 42)
    np.random.seed(42)
    drawn = np.random.rand(len(tiny))
    for item in np.unique(tiny.item):
        rows = sorted(np.flatnonzero(tiny.item == item), key=lambda row: drawn[row])
        cut = round(0.75 * len(rows))
        assert set(rows[:cut]) <= set(part.split.train)
        assert set(rows[cut:]) <= set(part.split.valid)


def test_codex_holds_back_five_of_each_user_once(tiny: Ratings) -> None:
    parts = list(PROTOCOLS["codex"].parts(tiny, 0))
    assert len(parts) == 5
    held = Counter(user for part in parts for user in tiny.user[part.split.valid].tolist())
    counts = Counter(tiny.user.tolist())
    assert held == {user: min(5, count) for user, count in counts.items()}


def test_the_last_of_each_user_and_the_last_of_all(tiny: Ratings) -> None:
    (part,) = PROTOCOLS["last-out"].parts(tiny, 0)
    assert sorted(tiny.user[part.split.valid]) == sorted(set(tiny.user))
    for row in part.split.valid:
        mine = tiny.user == tiny.user[row]
        assert tiny.timestamp[row] == tiny.timestamp[mine].max()
    (part,) = PROTOCOLS["global-time"].parts(tiny, 0)
    assert tiny.timestamp[part.split.train].max() <= tiny.timestamp[part.split.valid].min()


def test_unseen_users_are_folded_in_from_what_is_known_of_them(tiny: Ratings) -> None:
    (part,) = PROTOCOLS["unseen-users"].parts(tiny, 0)
    assert part.known is not None
    trained, held = set(tiny.user[part.split.train]), set(tiny.user[part.split.valid])
    assert not trained & held
    assert set(tiny.user[part.known]) >= held
    for name in ("ease", "model4"):
        row = RECIPES[name]
        (found,) = judge(row, options_for(row, **SMALL), PROTOCOLS["unseen-users"], tiny, CPU, k=3)
        assert set(found.codes) <= held
        # Whom nobody has folded in would get one and the same list.
        assert len({tuple(one) for one in found.lists["model"].items.tolist()}) > 1
        rated = {(tiny.user[row], tiny.item[row]) for row in part.known}
        for user, items in zip(found.codes, found.lists["model"].items, strict=True):
            assert not {(user, item) for item in items} & rated
    toy = TOYS["one-hot"]
    with pytest.raises(CftuiError, match="knows only the users it was trained on"):
        list(judge(toy, options_for(toy, **SMALL), PROTOCOLS["unseen-users"], tiny, CPU))


def test_sampled_ranks_among_a_hundred_others_at_most(tiny: Ratings) -> None:
    row = RECIPES["ease"]
    (full,) = judge(row, options_for(row), PROTOCOLS["last-out"], tiny, CPU, graded=False, k=3)
    (few,) = judge(row, options_for(row), PROTOCOLS["sampled"], tiny, CPU, graded=False, k=3)
    # The tiny set has no more than a hundred items: everything is sampled.
    assert few.rankings["model"] == pytest.approx(full.rankings["model"])


def test_map_is_divided_by_r_where_the_protocol_does_so() -> None:
    hits = np.array([[True, False, True]])
    found = Evaluation(3, 4.0, np.array([1]), np.array([6]), {"model": Lists(np.array([[1, 2, 3]], np.int32), hits)})
    figures = PROTOCOLS["recommenders"].figures(found, "model")
    assert figures["map_r"] == pytest.approx((1 + 2 / 3) / 6)
    assert PROTOCOLS["cftui"].figures(found, "model")["map"] == pytest.approx((1 + 2 / 3) / 3)


@pytest.mark.slow
def test_the_input_is_chosen_by_what_is_relevant_and_on_training_rows(ratings: Ratings, monkeypatch) -> None:
    seen: list[bool] = []
    real = protocols._choose_input

    def choose(*given):
        chosen = real(*given)
        seen.append(chosen.graded)
        return chosen

    monkeypatch.setattr(protocols, "_choose_input", choose)
    row = RECIPES["ease"]
    options = options_for(row, l2=300.0)
    ndcg = {}
    for name in ("cftui", "recommenders"):
        (found,) = judge(row, options, PROTOCOLS[name], ratings, CPU)
        ndcg[name] = found.rankings["model"].ndcg
    # The grade says something about what a user will like, and nothing about what they will rate at all.
    assert seen == [True, False]
    assert ndcg["cftui"] > 0.38
    assert ndcg["recommenders"] > 0.47


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(CftuiError, match="no protocol 'recomenders'; did you mean recommenders"):
        protocols.protocol("recomenders")

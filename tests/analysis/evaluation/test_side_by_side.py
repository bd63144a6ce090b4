"""Lists side by side: which runs are compared, what a user is shown, and in which order the users come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cftui.analysis import ranking
from cftui.analysis.evaluation import side_by_side as comparing
from cftui.analysis.evaluation.side_by_side import runs_alike, side_by_side
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people
from cftui.data.ratings import Ratings
from cftui.engine.rankings import METRICS
from cftui.errors import CftuiError


def test_the_best_runs_on_the_same_ratings_are_compared(tiny_runs, tiny: Ratings) -> None:
    home, runs = tiny_runs
    model = TrainedModel.load(runs["ease"])
    alike = [run.name for run in runs_alike(model, home)]
    assert alike[0] == "ials.run"
    assert model.name not in alike
    losses = {run.name: run.history().ending["valid_loss"] for run in runs.values()}
    assert [losses[name] for name in alike[1:]] == sorted(losses[name] for name in alike[1:])
    other = replace(model, options=replace(model.options, seed=8))
    assert runs_alike(other, home) == []
    assert side_by_side(model, tiny, home).names == ["ease.run", "ials.run", alike[1], "popularity"]


def test_each_list_says_what_hits_and_where_it_is_in_the_first(tiny_runs, tiny: Ratings) -> None:
    home, runs = tiny_runs
    model = TrainedModel.load(runs["ease"])
    found = side_by_side(model, tiny, home, k=4)
    valid = model.split(tiny).valid
    relevant = {(tiny.user[row], tiny.item[row]) for row in valid if tiny.rating[row] >= 4}
    for user in found.users:
        lists = found.lists(int(user))
        assert lists is not None
        first = [place.code for place in lists["ease.run"]]
        for places in lists.values():
            for place in places:
                assert place.hit == ((user, place.code) in relevant)
                assert place.first == (first.index(place.code) + 1 if place.code in first else None)
    assert found.lists(0) is None
    ndcg = {name: found.found.per_user(found.found.lists[name])[:, METRICS.index("ndcg")] for name in found.names}
    spread = np.ptp(np.stack([*ndcg.values()]), axis=0)
    by_user = dict(zip(found.found.codes.tolist(), spread, strict=True))
    assert [by_user[user] for user in found.users.tolist()] == sorted(spread, reverse=True)


def test_nothing_to_judge_by_is_said(tiny_runs, tiny: Ratings, monkeypatch) -> None:
    home, runs = tiny_runs
    model = TrainedModel.load(runs["ease"])
    with pytest.raises(CftuiError, match="split none holds back nothing that is relevant"):
        side_by_side(replace(model, options=replace(model.options, split="none")), tiny, home)
    monkeypatch.setattr(comparing, "RUNS", 1)
    assert side_by_side(model, tiny, home).names == ["ease.run", "popularity"]


def test_the_lists_judged_leave_out_only_what_trained(tiny_runs, tiny: Ratings) -> None:
    """What is held back may be in a list, or it could not be hit; a recommendation leaves out everything rated."""
    home, runs = tiny_runs
    model = TrainedModel.load(runs["ease"])
    found = side_by_side(model, tiny, home, k=19)
    user = int(found.users[0])
    who = people.person(model, tiny, home, model.users.classes[user])
    lists = found.lists(user)
    assert lists is not None
    shown = [place.code for place in lists["ease.run"] if place.code not in set(who.items.tolist())]
    assert shown == ranking.recommend(model, who, 19)["code"].tolist()


def test_the_runs_can_be_chosen_and_popularity_is_one_of_them(tiny_runs, tiny: Ratings) -> None:
    home, runs = tiny_runs
    model = TrainedModel.load(runs["ease"])
    found = side_by_side(model, tiny, home, names=["bayes.run", "popularity"])
    assert found.names == ["bayes.run", "popularity"]
    assert side_by_side(model, tiny, home, names=["ials.run", "ease.run"]).names == ["ials.run", "ease.run"]
    by_itself = side_by_side(model, tiny, home)
    assert found.ndcg["popularity"] == by_itself.ndcg["popularity"]
    four = ["ease.run", "popularity", "bayes.run", "ials.run"]
    lists = side_by_side(model, tiny, home, names=four).lists(int(by_itself.users[0]))
    assert lists is not None
    assert [*lists] == four


def test_what_cannot_be_compared_is_refused_in_one_line(tiny_runs, tiny: Ratings) -> None:
    home, runs = tiny_runs
    model = TrainedModel.load(runs["ease"])
    for names in (["ease.run"], ["ease.run", "ease.run"]):
        with pytest.raises(CftuiError, match=r"^1 list chosen; choose 2 to 4, popularity may be one of them$"):
            side_by_side(model, tiny, home, names=names)
    with pytest.raises(CftuiError, match="5 lists chosen"):
        side_by_side(model, tiny, home, names=["ease.run", "popularity", "bayes.run", "ials.run", "model4.run"])
    other = replace(model, name="other", options=replace(model.options, seed=8))
    with pytest.raises(CftuiError, match=r"not compared: other and ials.run differ in their seed"):
        side_by_side(other, tiny, home, names=["ials.run", "popularity"])
    with pytest.raises(CftuiError, match=r"no run 'gone'"):
        side_by_side(model, tiny, home, names=["gone", "popularity"])

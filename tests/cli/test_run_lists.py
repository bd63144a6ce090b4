"""``cftui runs lists``: every run on the same ratings beside the baselines, and lists side by side for a user."""

from __future__ import annotations

import json

import pytest

from cftui.analysis.evaluation.side_by_side import side_by_side
from cftui.analysis.trained import TrainedModel


@pytest.fixture
def there(tiny_runs, cli):
    home = tiny_runs[0]

    def run(*words: str) -> str:
        return cli(home, "runs", "lists", *words).out

    return run


def test_all_runs_on_the_same_ratings_are_put_into_one_table(there) -> None:
    rows = json.loads(there("ease.run", "--json"))
    names = [row["run"] for row in rows]
    assert {"ease.run", "ials.run", "bayes.run", "popularity", "item kNN"} <= {*names}
    assert [row["ndcg"] for row in rows] == sorted((row["ndcg"] for row in rows), reverse=True)
    assert all(row["novelty"] > 0 for row in rows)
    two = json.loads(there("ease.run", "bayes.run", "--json"))
    assert {row["run"] for row in two} == {"ease.run", "bayes.run", "popularity", "item kNN"}
    text = there("ease.run", "bayes.run")
    assert "NDCG@10" in text.splitlines()[0]
    assert "novelty" in text.splitlines()[0]


def test_lists_stand_side_by_side_for_a_user(there, tiny_runs, tiny) -> None:
    model = TrainedModel.load(tiny_runs[1]["ease"])
    user = str(model.users.classes[side_by_side(model, tiny, tiny_runs[0]).users[0]])
    found = json.loads(there("ease.run", "popularity", "bayes.run", "--user", user, "--json"))
    assert [*found["lists"]] == ["ease.run", "popularity", "bayes.run"]
    first = [one["title"] for one in found["lists"]["ease.run"]]
    assert [one["first"] for one in found["lists"]["ease.run"]] == [*range(1, len(first) + 1)]
    for one in found["lists"]["bayes.run"]:
        assert one["first"] == (first.index(one["title"]) + 1 if one["title"] in first else None)
    head, *rows = there("ease.run", "popularity", "--user", user).splitlines()
    assert "ease.run" in head
    assert len(rows) == len(first)
    assert len(json.loads(there("ease.run", "--user", user, "--json"))["lists"]) == 4


def test_what_cannot_be_shown_is_said_in_one_line(tiny_runs, fails) -> None:
    def refused(*words: str) -> str:
        return fails(tiny_runs[0], "runs", "lists", *words)

    assert "no user 999" in refused("ease.run", "--user", "999")
    assert "no run 'gone'" in refused("gone")
    five = ["ease.run", "ials.run", "bayes.run", "model4.run", "popularity"]
    assert "5 lists chosen; choose 2 to 4" in refused(*five, "--user", "3")

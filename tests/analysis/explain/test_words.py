"""Why in words: every sentence is checked against the ratings and the model, by counting and by plain loops."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from cftui.analysis.explain.explaining import explain
from cftui.analysis.explain.words import FEW, digits_for, in_words
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people
from cftui.analysis.users.people import Person
from cftui.data.ratings import Ratings
from cftui.engine.models.recipes import RECIPES
from tests.settings import CHOOSING, RATING


def words_for(model: TrainedModel, ratings: Ratings, who: Person, item: int) -> tuple[tuple[str, ...], pd.DataFrame]:
    """The sentences, and each of the user's ratings with what it adds: the pulls, or the parts of the score."""
    terms = explain(model, who.row, item, who=who).terms
    if model.rates and model.module.folds_in:
        moved = people.pulls(model, who, item)
        return in_words(model, ratings, who, item, terms, moved), moved
    own = [(term.index, model.titles[term.index or 0], term.stars) for term in terms if term.kind == "rated"]
    return in_words(model, ratings, who, item, terms), pd.DataFrame(own, columns=["code", "title", "pull"])


def folded(model: TrainedModel, given: dict[int, float]) -> Person:
    return people.folded(model, "me", np.array([*given], np.int64), np.array([*given.values()], np.float32))


def one(words: tuple[str, ...], pattern: str) -> re.Match[str]:
    """The sentence that matches; there is exactly one."""
    found = [match for sentence in words if (match := re.fullmatch(pattern, sentence))]
    assert len(found) == 1, f"{pattern} in {words}"
    return found[0]


@pytest.mark.parametrize("kind", ["trained", "profile"])
@pytest.mark.parametrize("name", list(RECIPES))
def test_the_words_are_true_of_every_recipe(name: str, kind: str, tiny_runs, tiny: Ratings) -> None:
    model = TrainedModel.load(tiny_runs[1][name])
    for user in (1, 2, 7):
        who = people.person(model, tiny, tiny_runs[0], user)
        if kind == "profile":
            who = folded(model, dict(zip(who.items.tolist(), who.given.tolist(), strict=True)))
        for item in range(1, len(model.items), 4):
            words, moved = words_for(model, tiny, who, item)
            given = who.rating(item)
            assert [word for word in words if "gave it" in word] == ([] if given is None else [f"gave it {given:g}"])
            for said, high, sign in (("liked", True, 1), ("disliked", False, -1)):
                for sentence in words:
                    if sentence.startswith(f"{said} "):
                        for title, value in re.findall(r"(.+?) ([\d.]+)(?: and |$)", sentence.removeprefix(f"{said} ")):
                            code = model.titles.index(title)
                            assert who.rating(code) == float(value)
                            assert float(value) >= 4 if high else float(value) <= 2
                            assert sign * float(moved[moved["code"] == code]["pull"].sum()) > 0
                            assert code != item
            if not model.rates:
                count = int((tiny.item == item).sum())
                assert f"this movie was rated by {count} of 30 users" in words
                continue
            own, usual = float(who.given.mean()), float(tiny.rating.mean())
            habit = one(words, r"rates (.+) \((.+), all (.+)\)")
            assert habit.group(2, 3) == (f"{own:.1f}", f"{usual:.1f}")
            if habit[1] != "like most":
                assert habit[1] == f"{abs(own - usual):.1f} {'higher' if own > usual else 'lower'} than most"
            assert (habit[1] == "like most") == (abs(own - usual) < 0.2)
            mean = float(tiny.rating[tiny.item == item].mean())
            assert one(words, r"this movie (?:is|was) .* \(mean ([\d.]+).*\)")[1] == f"{mean:.1f}"
            factors = [term.stars for term in explain(model, who.row, item, who=who).terms if term.kind == "factor"]
            taste = [sentence for sentence in words if "their taste" in sentence]
            assert bool(taste) == bool(factors and model.has_bias)
            if taste and "matter" not in taste[0]:
                assert f"({sum(factors):+.1f})" in taste[0]
                assert ("does not fit" in taste[0]) == (sum(factors) < 0)


def test_what_is_named_first_is_what_adds_most(trained, ratings: Ratings) -> None:
    home, _, model = trained
    who = people.person(model, ratings, home, 405)
    item = model.item_code("Fargo (1996)")
    words, moved = words_for(model, ratings, who, item)
    assert words[0] == "rates 1.7 lower than most (1.8, all 3.5)"
    assert words[1] == "this movie is loved (mean 4.2)"
    speaks = moved[(moved["pull"] > 0) & (moved["rating"] >= 4)].head(2)
    named = [f"{title} {value:g}" for title, value in zip(speaks["title"], speaks["rating"], strict=True)]
    assert f"liked {' and '.join(named)}" in words


def test_an_item_is_loved_as_its_bias_says_and_few_ratings_are_said(trained, ratings: Ratings) -> None:
    home, _, model = trained
    who = people.person(model, ratings, home, 196)
    order = 1 + np.argsort(model.item_bias[1:])
    for item, word in ((order[-1], "is loved"), (order[0], "is disliked"), (order[len(order) // 2], "rated like most")):
        sentence = one(in_words(model, ratings, who, int(item)), r"this movie .* \(mean .*\)")[0]
        assert word in sentence
        assert ("only" in sentence) == (model.counts[item] < FEW)


def test_without_an_explanation_or_fold_in_the_nearest_high_ratings_are_named(trained, ratings: Ratings) -> None:
    home, _, model = trained
    who = people.person(model, ratings, home, 196)
    item = model.item_code("Fargo (1996)")
    sentence = one(in_words(model, ratings, who, item), "liked .*")[0]
    likes = who.items[who.given >= 4]
    worth = (model.unit_factors[likes] @ model.unit_factors[item]) * (who.given[who.given >= 4] - 3)
    assert model.titles[likes[worth.argmax()]] in sentence


def test_nobody_without_ratings_is_said_to_rate_high_or_low(tiny_runs, tiny: Ratings) -> None:
    model = TrainedModel.load(tiny_runs[1]["model4"])
    words, _ = words_for(model, tiny, folded(model, {}), 1)
    assert words[0] == "has no ratings yet: this is what anybody would give the movie"
    assert not any(sentence.startswith(("liked", "disliked")) for sentence in words)


@pytest.mark.parametrize(("times", "digits"), [(0.1, 2), (2, 1), (20, 0), (1000, 0)])
def test_the_words_are_on_the_scale_of_the_data(times: float, digits: int, tiny_runs, tiny: Ratings) -> None:
    ends = (times, 5 * times)
    assert digits_for(ends[1] - ends[0]) == digits
    ratings = dataclasses.replace(tiny, rating=(tiny.rating * times).astype(np.float32), rating_range=ends)
    model = dataclasses.replace(TrainedModel.load(tiny_runs[1]["model4"]), rating_range=ends)
    who = people.person(model, ratings, tiny_runs[0], 1)
    own, usual = who.given.mean(), ratings.rating.mean()
    words = in_words(model, ratings, who, 1)
    assert f"({own:.{digits}f}, all {usual:.{digits}f})" in words[0] + words[1]


@pytest.mark.parametrize("name", CHOOSING)
def test_of_counts_it_is_said_what_was_chosen(name: str, tiny_runs, tiny: Ratings) -> None:
    model = dataclasses.replace(TrainedModel.load(tiny_runs[1][name]), counted=True)
    ratings = dataclasses.replace(tiny, counted=True)
    who = people.person(model, ratings, tiny_runs[0], 1)
    item = int(who.items[0])
    words, _ = words_for(model, ratings, who, item)
    times = round(float(who.given[0]))
    assert words[0] == f"chose it {times} time{'s' if times > 1 else ''}"
    assert words[1].startswith("this movie was chosen by ")
    assert words[2].startswith("chose ")
    assert not re.search("rate|liked|taste", " ".join(words))


def test_every_recipe_is_among_those_tested() -> None:
    assert sorted([*RATING, *CHOOSING]) == sorted(RECIPES)

"""Whom predictions are for: found by what is known of them, described, and what moves their predictions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import folding, people, profiles
from cftui.analysis.users.people import Person
from cftui.data.ratings import Ratings, Vocabulary
from cftui.data.tables import Tables
from cftui.engine.models.recipes import RECIPES
from cftui.errors import CftuiError
from cftui.home import Home


@pytest.fixture(scope="module")
def model(trained) -> TrainedModel:
    return trained[2]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home for profiles and nothing else."""
    return Home(tmp_path)


def found(ratings: Ratings, query: str) -> list:
    return [ratings.users.classes[code] for code in people.search_users(ratings, query)]


def busiest(tables: Tables, keep: pd.Series) -> list[int]:
    """Ids of the users for whom ``keep`` holds, those with the most ratings first, among equals the lower id."""
    counts = tables.ratings["user"].value_counts()
    return sorted(tables.users.loc[keep, "user"], key=lambda user: (-counts[user], user))


QUERIES = {
    "": lambda u: u["age"] > 0,
    "20-29": lambda u: u["age"].between(20, 29),
    "73": lambda u: (u["age"] == 73) | (u["user"] == 73),
    "m": lambda u: (u["gender"] == "M") | (u["occupation"] == "marketing"),
    "F": lambda u: u["gender"] == "F",
    "Prog": lambda u: u["occupation"] == "programmer",
    "f 30-39 writ": lambda u: (u["gender"] == "F") & u["age"].between(30, 39) & (u["occupation"] == "writer"),
    "writer 45": lambda u: (u["occupation"] == "writer") & ((u["age"] == 45) | (u["user"] == 45)),
    "196 m": lambda u: (u["user"] == 196) & (u["gender"] == "M"),
    "196 f": lambda u: u["user"] < 0,
    "nobody": lambda u: u["user"] < 0,
    "99999": lambda u: u["user"] < 0,
    "29-20": lambda u: u["user"] < 0,
    "m nobody": lambda u: u["user"] < 0,
}


@pytest.mark.parametrize("query", QUERIES)
def test_users_are_those_that_every_word_fits_the_busiest_first(query: str, ratings: Ratings, tables: Tables) -> None:
    wanted = busiest(tables, QUERIES[query](tables.users))
    if query == "73":
        wanted = [73, *(user for user in wanted if user != 73)]
    assert found(ratings, query) == wanted


def test_a_lone_number_finds_the_id_first_then_the_age(ratings: Ratings, tables: Tables) -> None:
    aged = busiest(tables, tables.users["age"] == 25)
    assert 25 not in aged
    assert found(ratings, "25") == [25, *aged]
    assert found(ratings, "943") == [943]


def test_a_data_set_that_knows_nothing_of_its_users_finds_them_by_id(tiny: Ratings) -> None:
    bare = dataclasses.replace(tiny, user_table=tiny.user_table[["user", "ratings"]])
    assert found(bare, "12") == [12]
    assert found(bare, "writer") == []
    assert len(found(bare, "")) == 30
    assert people.facts(bare, 12) == {}


def test_an_id_of_letters_is_found_as_it_is_written(tiny: Ratings) -> None:
    named = dataclasses.replace(tiny, users=Vocabulary.of([f"User{n:02}" for n in range(30)]))
    assert found(named, "User07") == ["User07"]


def test_facts_are_what_the_data_set_says_and_no_more(ratings: Ratings, tiny: Ratings) -> None:
    assert people.facts(ratings, ratings.user_code(196)) == {"age": "49", "gender": "M", "occupation": "writer"}
    table = tiny.user_table.copy()
    table.loc[4, "occupation"] = ""
    table.loc[4, "age"] = np.nan
    assert people.facts(dataclasses.replace(tiny, user_table=table), 4) == {"gender": "M"}
    assert people.facts(tiny, 0) == {}


@pytest.mark.parametrize("name", [196, "196"])
def test_a_user_of_the_data_set_has_the_row_that_was_trained(
    name: str | int, model: TrainedModel, ratings: Ratings, tables: Tables, home: Home
) -> None:
    who = people.person(model, ratings, home, name)
    raw = tables.titled[tables.titled["user"] == 196]
    assert (who.name, who.trained) == ("196", True)
    assert np.array_equal(who.row, model.user_rows[model.user_code(196)])
    assert [model.titles[code] for code in who.items] == raw["title"].tolist()
    assert who.given.tolist() == raw["rating"].tolist()


def test_a_saved_profile_is_somebody_too(model: TrainedModel, ratings: Ratings, home: Home) -> None:
    items, given = np.array([50, 900, 3]), np.array([5, 1, 4], np.float32)
    profiles.save(home, "anna", model, items, given)
    who = people.person(model, ratings, home, "anna")
    assert (who.name, who.trained) == ("anna", False)
    assert who.items.tolist() == items.tolist()
    assert who.given.tolist() == given.tolist()
    assert np.array_equal(who.row, folding.fold_in(model, items, given))
    assert (who.rating(900), who.rating(901)) == (1.0, None)


def test_who_is_not_known_is_told_who_is(model: TrainedModel, ratings: Ratings, home: Home) -> None:
    with pytest.raises(CftuiError) as caught:
        people.person(model, ratings, home, "anna")
    assert str(caught.value) == "no user anna in ml-100k; ids run from 1 to 943"
    for own in ("zoe", "ben"):
        profiles.save(home, own, model, np.array([1]), np.array([5.0]))
    for name in ("anna", 944, "../ben", "#na#"):
        with pytest.raises(CftuiError) as caught:
            people.person(model, ratings, home, name)
        expected = f"no user {name} in ml-100k; ids run from 1 to 943; saved profiles: ben, zoe"
        assert str(caught.value) == expected


def test_what_somebody_rated_stands_beside_what_is_predicted(
    model: TrainedModel, ratings: Ratings, tables: Tables, home: Home
) -> None:
    who = people.person(model, ratings, home, 196)
    table = people.rated(model, who)
    assert list(table.columns) == ["code", "title", "ratings", "rating", "predicted"]
    raw = tables.titled[tables.titled["user"] == 196].set_index("title")["rating"]
    assert dict(zip(table["title"], table["rating"], strict=True)) == raw.to_dict()
    keys = list(zip(-table["rating"], -table["ratings"], strict=True))
    assert keys == sorted(keys)
    users = np.full(len(table), model.user_code(196))
    np.testing.assert_allclose(table["predicted"], model.predict(users, np.array(table["code"])), atol=1e-5)
    assert table["ratings"].tolist() == model.counts[table["code"]].tolist()


def test_taste_counts_an_item_in_each_of_its_genres(
    model: TrainedModel, ratings: Ratings, tables: Tables, home: Home
) -> None:
    table = people.taste(model, people.person(model, ratings, home, 196))
    raw = tables.titled[tables.titled["user"] == 196].merge(tables.items[["item", "genres"]], on="item")
    wanted: dict[str, list[float]] = {}
    for genres, rating in zip(raw["genres"], raw["rating"], strict=True):
        for genre in genres.split("|"):
            wanted.setdefault(genre, []).append(rating)
    assert set(table["genre"]) == set(wanted)
    for row in table.itertuples():
        assert row.ratings == len(wanted[row.genre])
        assert row.mean == pytest.approx(sum(wanted[row.genre]) / row.ratings)
        assert row.beside == pytest.approx(row.mean - raw["rating"].mean(), abs=1e-6)
    assert (np.diff(table["ratings"]) <= 0).all()


def test_who_has_rated_nothing_has_no_taste(tiny_runs) -> None:
    model = TrainedModel.load(tiny_runs[1]["model4"])
    nobody = Person("nobody", model.user_rows[0], np.array([], int), np.array([], np.float32), trained=False)
    assert list(people.taste(model, nobody).columns) == ["genre", "ratings", "mean", "beside"]
    for table in (people.taste(model, nobody), people.rated(model, nobody), people.pulls(model, nobody, 3)):
        assert len(table) == 0
    assert nobody.rating(3) is None


@pytest.mark.parametrize("name", RECIPES)
def test_the_ratings_that_pull_most_come_first_and_keep_their_numbers(name: str, tiny_runs, tiny: Ratings) -> None:
    model = TrainedModel.load(tiny_runs[1][name])
    who = people.person(model, tiny, tiny_runs[0], 7)
    table = people.pulls(model, who, 11)
    assert list(table.columns) == ["code", "title", "rating", "pull"]
    wanted = sorted(zip(who.items, who.given, folding.pulls(model, who.items, who.given, 11), strict=True))
    assert sorted(zip(table["code"], table["rating"], table["pull"], strict=True)) == wanted
    assert (np.diff(table["pull"].abs()) <= 0).all()
    assert table["title"].tolist() == [model.titles[code] for code in table["code"]]


@pytest.mark.parametrize(
    ("query", "groups"),
    [
        ("25", {"25-34"}),
        ("30-40", {"25-34", "35-44"}),
        ("60", {"56+"}),
        ("17", {"Under 18"}),
        ("18", {"18-24"}),
        ("10-99", {"Under 18", "18-24", "25-34", "35-44", "56+"}),
        ("40-30", set()),
    ],
)
def test_an_age_is_found_in_its_group(query: str, groups: set[str], tiny: Ratings) -> None:
    """As MovieLens 1M has them."""
    known = ["Under 18", "18-24", "25-34", "35-44", "56+", None]
    table = tiny.user_table.assign(age=[known[code % len(known)] for code in range(len(tiny.user_table))])
    others = dataclasses.replace(tiny, user_table=table)
    codes = [code for code in people.search_users(others, query) if str(tiny.users.classes[code]) != query]
    wanted = [code for code in range(1, len(table)) if table["age"][code] in groups]
    assert sorted(codes) == [code for code in wanted if str(tiny.users.classes[code]) != query]

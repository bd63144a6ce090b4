"""Rows without a rating: nothing to a model of ratings, and kept as choices for the others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cftui.data.columns import read_ratings, read_tables
from cftui.data.ratings import ItemKey, Ratings
from cftui.data.store.asked import Asked
from cftui.data.store.importing import import_ratings, imported_in_words
from cftui.errors import CftuiError
from cftui.home import Home

# Of "cy" and "jam" nothing is rated; bob chose milk twice, and rated it another time.
ROWS = """user,item,rating,time
ann,tea,4,100
ann,milk,0,200
bob,tea,5,100
bob,milk,0,100
bob,water,0,300
bob,water,0,400
bob,milk,1,500
ann,jam,0,100
cy,tea,0,100
dan,water,2,100
"""


def imported(tmp_path: Path, text: str = ROWS, **asked: object) -> tuple[Home, dict, list[str]]:
    file = tmp_path / "r.csv"
    said: list[str] = []
    file.write_text(text)
    home = Home(tmp_path / "home")
    facts = import_ratings(file, "drinks", home, Asked(unrated=(0.0,), **asked), said.append)  # type: ignore[arg-type]
    return home, facts, said


def chosen(ratings: Ratings) -> list[tuple[object, object, int]]:
    found = ratings.unrated
    assert found is not None
    users, items = ratings.users.classes, ratings.items.classes
    rows = zip(found.user.tolist(), found.item.tolist(), found.timestamp.tolist(), strict=True)
    return [(users[user], items[item], time) for user, item, time in rows]


@pytest.mark.parametrize("key", ["title", "id"])
def test_what_was_chosen_and_never_rated_is_kept_once(key: ItemKey, tmp_path: Path) -> None:
    home, facts, said = imported(tmp_path)
    folder = home.data / "drinks"
    for ratings in (read_ratings(folder, key, ""), Ratings.encode(read_tables(folder, ""), key)):
        assert len(ratings) == 4
        assert chosen(ratings) == [("ann", "milk", 200), ("bob", "water", 300)]
        assert ratings.unrated is not None
        assert ratings.unrated.of_user(ratings.user_code("dan")).tolist() == []
    assert (facts["unrated"], facts["unrated_pairs"]) == (6, 2)
    assert said[-2:] == [
        "left out 6 rows without a rating or with 0",
        "2 pairs without a rating are kept as choices, for ease and ials",
    ]
    assert ", 2 more chosen and not rated" in imported_in_words(facts)


def test_a_set_without_such_rows_is_as_ever(tmp_path: Path) -> None:
    home, facts, _ = imported(tmp_path, "user,item,rating\nann,tea,4\nbob,tea,5\nbob,milk,1\nann,milk,2\n")
    assert facts["unrated_pairs"] == 0
    assert read_ratings(home.data / "drinks", "id", "").unrated is None
    assert not list((home.data / "drinks").glob("unrated*"))


def test_rows_added_to_a_set_add_choices_and_a_rating_takes_the_place_of_one(tmp_path: Path) -> None:
    home, _, _ = imported(tmp_path)
    more = tmp_path / "more.csv"
    more.write_text("user,item,rating,time\nann,milk,3,900\ndan,tea,0,900\nann,water,2,100\n")
    facts = import_ratings(more, "drinks", home, Asked(unrated=(0.0,)), into=True)
    ratings = read_ratings(home.data / "drinks", "id", "")
    assert (len(ratings), facts["unrated_pairs"]) == (6, 2)
    assert chosen(ratings) == [("bob", "water", 300), ("dan", "tea", 900)]


def test_a_test_part_tells_nothing(tmp_path: Path) -> None:
    text = ROWS.replace("time\n", "time,split\n", 1).replace("00\n", "00,train\n")
    text = text.replace("bob,water,0,300,train", "bob,water,0,300,test").replace(
        "water,0,400,train", "water,0,400,test"
    )
    home, _, _ = imported(tmp_path, text.replace("dan,water,2,100,train", "dan,water,2,100,train\nann,water,3,9,test"))
    ratings = read_ratings(home.data / "drinks", "id", "")
    assert chosen(ratings) == [("ann", "milk", 200)]


def test_counts_of_zero_are_no_choices(tmp_path: Path) -> None:
    file = tmp_path / "plays.csv"
    file.write_text("user,item,plays\nann,tea,40\nann,milk,0\nbob,tea,5\nbob,milk,1\n")
    facts = import_ratings(file, "plays", Home(tmp_path), Asked(counts="plays"))
    assert (facts["unrated"], facts["unrated_pairs"]) == (1, 0)


def test_a_damaged_column_is_named(tmp_path: Path) -> None:
    home, _, _ = imported(tmp_path)
    folder = home.data / "drinks"
    column = np.load(folder / "unrated_item.npy")
    np.save(folder / "unrated_item.npy", column + 100)
    with pytest.raises(CftuiError, match=r"unrated_item\.npy: damaged \(its checksum differs\); again"):
        read_ratings(folder, "id", "again")
    facts = json.loads((folder / "dataset.json").read_text())
    del facts["checksums"]
    (folder / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(CftuiError, match=r"unrated_item\.npy: row numbers outside the 3 items"):
        read_ratings(folder, "id", "")

"""Rows added to a data set, and items that share a title."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cftui.data.ratings import Ratings
from cftui.data.store import catalog
from cftui.data.store.asked import Asked
from cftui.data.store.importing import import_ratings
from cftui.errors import CftuiError
from cftui.home import Home

FIRST = "user,item,rating,time\nann,1,4,1600000000\nann,2,2,1600000001\nbob,1,5,1600000002\n"


def bring(content: str, tmp_path: Path, *, into: bool = False, **asked: Any) -> tuple[dict, list[tuple], list[str]]:
    path, home = tmp_path / "rows.csv", Home(tmp_path / "home")
    said: list[str] = []
    path.write_text(content)
    facts = import_ratings(path, "own", home, Asked(**asked), say=said.append, into=into)
    ratings = catalog.open_tables("own", home).ratings
    return facts, list(ratings[["user", "item", "rating"]].itertuples(index=False, name=None)), said


def test_rows_are_added_and_the_latest_counts(tmp_path: Path) -> None:
    bring(FIRST, tmp_path, noun="beer", label="Beers")
    more = "user,item,rating,time\nbob,2,1,1700000000\nann,1,3,1700000001\nbob,1,2,1500000000\ncid,9,4,1700000002\n"
    facts, found, said = bring(more, tmp_path, into=True)
    assert found == [("ann", 2, 2.0), ("bob", 1, 5.0), ("bob", 2, 1.0), ("ann", 1, 3.0), ("cid", 9, 4.0)]
    assert "2 rows added to 3; 2 of a pair rated before: last" in said
    assert (facts["added_to"], facts["replaced"], facts["rows"], facts["ratings"]) == (3, 2, 4, 5)
    assert (facts["noun"], facts["label"]) == ("beer", "Beers")


def test_the_mean_of_old_and_new(tmp_path: Path) -> None:
    bring(FIRST, tmp_path)
    assert ("ann", 1, 3.5) in bring("user,item,rating\nann,1,3\n", tmp_path, into=True, duplicates="mean")[1]


def test_counts_add_up_and_do_not_mix_with_ratings(tmp_path: Path) -> None:
    bring("user,item,plays\nann,1,4\nann,2,2\nbob,1,5\n", tmp_path)
    assert ("ann", 1, 7.0) in bring("user,item,plays\nann,1,3\n", tmp_path, into=True)[1]
    with pytest.raises(CftuiError, match="own holds counts, and the file ratings"):
        bring("user,item,rating\nann,1,3\nbob,2,1\n", tmp_path, into=True)


def test_there_must_be_a_set_to_add_to(tmp_path: Path) -> None:
    with pytest.raises(CftuiError, match="--into own: no imported data set has that name; --name makes a new one"):
        bring(FIRST, tmp_path, into=True)


def test_two_items_with_one_title_stay_two(tmp_path: Path) -> None:
    items, home = tmp_path / "items.csv", Home(tmp_path / "home")
    items.write_text("item,title\n1,Hamlet\n2,Hamlet\n3,Emma\n")
    _, _, said = bring(FIRST + "bob,3,1,1600000003\n", tmp_path, items=items)
    assert "2 items share their title with another: their ids are added to it, as in 'Hamlet [1]'" in said
    tables = catalog.open_tables("own", home)
    assert tables.items["title"].tolist() == ["Hamlet [1]", "Hamlet [2]", "Emma"]
    assert len(Ratings.encode(tables, "title").items) == len(Ratings.encode(tables, "id").items) == 4
    # And once more, when rows are added.
    bring("user,item,rating\ncid,2,3\n", tmp_path, into=True)
    assert catalog.open_tables("own", home).items["title"].tolist() == ["Hamlet [1]", "Hamlet [2]", "Emma"]

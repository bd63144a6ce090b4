"""Data sets that come with a split of their own: a second file, a column, or the masks of a published benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import io

from cftui.data import columns
from cftui.data.ratings import Ratings
from cftui.data.splits import offered, split
from cftui.data.store import catalog
from cftui.data.store.asked import Asked
from cftui.data.store.importing import import_ratings
from cftui.errors import CftuiError
from cftui.home import Home

TRAIN = "user,item,rating\nann,a,5\nann,b,1\nbob,a,4\nbob,c,2\n"
TEST = "user,item,rating\nann,c,3\nbob,b,2\n"
COLUMN = (
    "user,item,rating,split\nann,a,5,train\nann,c,3,test\nann,b,1,train\nbob,b,2,test\nbob,a,4,train\nbob,c,2,train\n"
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def bring(tmp_path: Path, home: Home) -> Callable[..., tuple[Ratings, dict[str, Any], list[str]]]:
    """``bring(train, test, **asked)``: import them as ``own``; return the ratings, the facts and what was said."""

    def run(train: str, test: str | None = None, **asked: Any) -> tuple[Ratings, dict[str, Any], list[str]]:
        (tmp_path / "train.csv").write_text(train)
        if test is not None:
            (tmp_path / "test.csv").write_text(test)
            asked["test"] = tmp_path / "test.csv"
        said: list[str] = []
        facts = import_ratings(tmp_path / "train.csv", "own", home, Asked(**asked), said.append)
        return catalog.open_ratings("own", home, "id"), facts, said

    return run


def pairs(ratings: Ratings, rows: np.ndarray) -> set[tuple[Any, Any, float]]:
    users, items = (
        [vocabulary.classes[code] for code in codes[rows]]
        for vocabulary, codes in ((ratings.users, ratings.user), (ratings.items, ratings.item))
    )
    return set(zip(users, items, ratings.rating[rows].tolist(), strict=True))


PAIRS = {("ann", "c", 3.0), ("bob", "b", 2.0)}


def test_a_second_file_is_the_test_part(bring: Callable[..., Any]) -> None:
    ratings, facts, _ = bring(TRAIN, TEST)
    parts = split(ratings, "given")
    assert pairs(ratings, parts.valid) == PAIRS
    assert pairs(ratings, parts.train) == {("ann", "a", 5), ("ann", "b", 1), ("bob", "a", 4), ("bob", "c", 2)}
    assert (facts["rows"], facts["held_back"], facts["given_split"]) == (6, 2, True)


@pytest.mark.parametrize("asked", [{}, {"split_column": "split"}, {"split_column": "split=test"}])
def test_a_column_names_the_part_of_each_row(bring: Callable[..., Any], asked: dict[str, str]) -> None:
    ratings, _, said = bring(COLUMN, **asked)
    assert pairs(ratings, split(ratings, "given").valid) == PAIRS
    assert asked or "--split-column split" in said[0]


def test_frames_and_codes_hold_back_the_same_rows(bring: Callable[..., Any], home: Home) -> None:
    ratings, _, _ = bring(COLUMN)
    tables = catalog.open_tables("own", home)
    assert ratings.held_back is not None
    assert tables.held_back is not None
    assert (Ratings.encode(tables, "id").held_back == ratings.held_back).all()
    columns.check(home.data / "own")


def test_the_fingerprint_covers_the_split(bring: Callable[..., Any]) -> None:
    plain, _, _ = bring(COLUMN.replace(",split", ",x").replace(",train", ",0").replace(",test", ",0"), user="user")
    held, _, _ = bring(COLUMN)
    other, _, _ = bring(COLUMN.replace("ann,a,5,train", "ann,a,5,test"))
    assert plain.held_back is None
    assert len({plain.fingerprint, held.fingerprint, other.fingerprint}) == 3


def test_those_of_the_test_part_alone_are_in_the_vocabulary(bring: Callable[..., Any]) -> None:
    ratings, _, _ = bring(TRAIN, TEST + "cy,a,3\nann,new,4\n")
    train = split(ratings, "given").train
    assert ratings.user_code("cy") not in ratings.user[train]
    assert ratings.item_code("new") not in ratings.item[train]


def test_what_trains_is_not_judged_as_well(bring: Callable[..., Any]) -> None:
    """The model would know the answer."""
    ratings, facts, said = bring(TRAIN, TEST + "ann,a,1\n")
    assert pairs(ratings, split(ratings, "given").valid) == PAIRS
    assert any("left out 1 rating of the test part" in line for line in said)
    assert facts["rows"] == facts["ratings"] + facts["merged"] == 7


def test_the_titles_of_both_files_are_known(bring: Callable[..., Any]) -> None:
    train = "user,item,rating,title\nann,1,5,Alien\nann,2,1,Brazil\nbob,1,4,Alien\n"
    ratings, _, _ = bring(train, "user,item,rating,title\nbob,3,2,Cube\n")
    assert ratings.item_table["title"].tolist()[1:] == ["Alien", "Brazil", "Cube"]


def test_added_rows_train(bring: Callable[..., Any], home: Home, tmp_path: Path) -> None:
    bring(TRAIN, TEST)
    (tmp_path / "more.csv").write_text("user,item,rating\nann,d,4\n")
    import_ratings(tmp_path / "more.csv", "own", home, into=True)
    ratings = catalog.open_ratings("own", home, "id")
    parts = split(ratings, "given")
    assert pairs(ratings, parts.valid) == PAIRS
    assert len(parts.train) == 5


def test_the_masks_of_a_benchmark(home: Home, tmp_path: Path) -> None:
    """Douban, Flixster and YahooMusic of Monti et al. are published so."""
    every = np.array([[5.0, 1, 0], [4, 0, 2], [3, 2, 1]])
    train = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0]])
    test = np.array([[0, 0, 0], [0, 0, 1], [1, 0, 0]])
    io.savemat(tmp_path / "douban.mat", {"M": every, "Otraining": train, "Otest": test, "W_users": np.eye(3)})
    said: list[str] = []
    import_ratings(tmp_path / "douban.mat", "douban", home, say=said.append)
    ratings = catalog.open_ratings("douban", home, "id")
    parts = split(ratings, "given")
    assert pairs(ratings, parts.valid) == {(2, 3, 2.0), (3, 1, 3.0)}
    assert pairs(ratings, parts.train) == {(1, 1, 5.0), (1, 2, 1.0), (2, 1, 4.0), (3, 2, 2.0)}
    assert "1 rating is in neither part" in said[0]


@pytest.mark.parametrize(
    ("content", "asked", "words"),
    [
        (COLUMN.replace("test", "z"), {"split_column": "split"}, "--split-column COL=TEXT"),
        (COLUMN, {"split_column": "split=probe"}, "holds 'train', 'test'"),
        (COLUMN.replace("train", "test"), {}, "all ratings are of the test part"),
        (COLUMN, {"split_column": "fold"}, "no column 'fold' (--split-column)"),
    ],
)
def test_a_column_that_does_not_say_it_is_refused(
    bring: Callable[..., Any], content: str, asked: dict[str, str], words: str
) -> None:
    with pytest.raises(CftuiError) as caught:
        bring(content, **asked)
    assert words in str(caught.value)


def test_without_a_test_part_given_is_refused(bring: Callable[..., Any]) -> None:
    ratings, _, _ = bring(TRAIN)
    with pytest.raises(CftuiError, match="--test FILE"):
        split(ratings, "given")


def test_a_data_set_offers_the_splits_that_it_has() -> None:
    assert offered((), has_given=False) == ("random", "time", "none")
    assert offered(("u1", "u2"), has_given=True) == ("random", "u1", "u2", "time", "given", "none")


def test_a_damaged_mark_of_the_test_part_is_named(bring: Callable[..., Any], home: Home) -> None:
    bring(TRAIN, TEST)
    marks = home.data / "own" / "held_back.npy"
    np.save(marks, ~np.load(marks))
    with pytest.raises(CftuiError, match=r"held_back\.npy: damaged \(its checksum differs\)"):
        columns.read_ratings(home.data / "own", "id", "")

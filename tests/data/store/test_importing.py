"""Somebody's own ratings: every make of file, every kind of mistake; one clear error or the right answer."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cftui.data.formats import dialects, encodings, unpacking
from cftui.data.formats.values import as_int, parse_genres, parse_rating, parse_time
from cftui.data.ratings import Ratings
from cftui.data.statistics import crosstab, describe, duplicate_titles, head, histogram, most_rated
from cftui.data.store import catalog, importing, read
from cftui.data.store.asked import Asked
from cftui.data.store.importing import import_ratings
from cftui.engine.models.build import y_range
from cftui.errors import CftuiError
from cftui.home import Home

PLAIN = "user,item,rating,time\nann,1,4.5,1700000000\nbob,1,2,1700000001\nann,2,0.5,1700000002\n"
# The fuzz runs a few hundred in the suite; CFTUI_FUZZ=10000 asks for more.
EXAMPLES = int(os.environ.get("CFTUI_FUZZ", "150"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def bring(tmp_path: Path, home: Home) -> Callable[..., Any]:
    """``bring(content, file_name, **asked)``: write the file, import it as ``own``, return facts, tables and notes."""

    def run(content: str | bytes, name: str = "ratings.csv", **asked: Any) -> tuple[dict, Any, list[str]]:
        path = tmp_path / name
        said: list[str] = []
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        facts = import_ratings(path, "own", home, Asked(**asked), say=said.append)
        return facts, catalog.open_tables("own", home), said

    return run


@pytest.fixture
def refused(bring: Callable[..., Any], home: Home) -> Callable[..., str]:
    """The message with which a file is refused; nothing of it may stay."""

    def run(content: str | bytes, name: str = "ratings.csv", **asked: Any) -> str:
        with pytest.raises(CftuiError) as caught:
            bring(content, name, **asked)
        assert "\n" not in str(caught.value)
        assert not home.data.exists() or list(home.data.iterdir()) == []
        return str(caught.value)

    return run


def triples(tables: Any) -> list[tuple]:
    return list(tables.ratings[["user", "item", "rating"]].itertuples(index=False, name=None))


EXPECTED = [("ann", 1, 4.5), ("bob", 1, 2.0), ("ann", 2, 0.5)]


# Formats


def _lines(delimiter: str) -> str:
    return PLAIN.replace(",", delimiter)


def _json(content: str) -> str:
    rows = [line.split(",") for line in content.splitlines()]
    return "".join(json.dumps(dict(zip(rows[0], row, strict=True))) + "\n" for row in rows[1:])


def _zipped(content: bytes, name: str = "ratings.csv") -> bytes:
    import io

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(name, content)
    return out.getvalue()


FORMATS = {
    "csv": ("a.csv", PLAIN.encode()),
    "tsv": ("a.tsv", _lines("\t").encode()),
    "semicolons": ("a.csv", _lines(";").encode()),
    "pipes": ("a.txt", _lines("|").encode()),
    "double colons": ("a.dat", _lines("::").encode()),
    "json lines": ("a.jsonl", _json(PLAIN).encode()),
    "crlf": ("a.csv", PLAIN.replace("\n", "\r\n").encode()),
    "lone cr": ("a.csv", PLAIN.replace("\n", "\r").encode()),
    "byte-order mark": ("a.csv", b"\xef\xbb\xbf" + PLAIN.encode()),
    "bom and quotes": ("a.csv", b'\xef\xbb\xbf"user",' + PLAIN.encode()[5:]),
    "utf-16": ("a.csv", PLAIN.encode("utf-16")),
    "quoted": ("a.csv", PLAIN.replace("ann", '"ann"').encode()),
    "blank lines": ("a.csv", PLAIN.replace("\n", "\n\n").encode()),
    "no last newline": ("a.csv", PLAIN.rstrip().encode()),
    "blanks around": ("a.csv", PLAIN.replace(",", " , ").encode()),
    "gzip": ("a.csv.gz", gzip.compress(PLAIN.encode())),
    "bzip2": ("a.csv.bz2", bz2.compress(PLAIN.encode())),
    "xz": ("a.csv.xz", lzma.compress(PLAIN.encode())),
    "zip": ("a.zip", _zipped(PLAIN.encode())),
    "packed under another name": ("a.csv", gzip.compress(PLAIN.encode())),
}


@pytest.mark.parametrize("case", FORMATS)
def test_every_format_reads_as_the_same_ratings(case: str, bring: Callable[..., Any]) -> None:
    name, content = FORMATS[case]
    facts, tables, said = bring(content, name)
    assert triples(tables) == EXPECTED
    assert tables.ratings["timestamp"].tolist() == [1700000000, 1700000001, 1700000002]
    assert tables.rating_range == (0.5, 4.5)
    assert (facts["ratings"], facts["users"], facts["items"], facts["skipped"]) == (3, 2, 2, 0)
    assert "--user user --item item --rating rating --time time" in said[0]


def test_the_same_ratings_have_the_same_fingerprint_however_they_came(bring: Callable[..., Any]) -> None:
    assert len({bring(content, name)[0]["fingerprint"] for name, content in FORMATS.values()}) == 1


def test_no_header_is_read_in_the_usual_order(bring: Callable[..., Any]) -> None:
    content = PLAIN.split("\n", 1)[1]
    for asked in ({}, {"user": "1", "item": "2", "rating": "3"}):
        _, tables, said = bring(content, **asked)
        assert triples(tables) == EXPECTED
        assert tables.ratings["timestamp"].tolist() == [1700000000, 1700000001, 1700000002]
        assert "--time 4" in said[0]
    _, tables, _ = bring(content, time="")
    assert not tables.ratings["timestamp"].any()


def test_columns_are_found_by_name_in_any_case_and_their_order_does_not_matter(bring: Callable[..., Any]) -> None:
    content = "Stars,note,ISBN,Reviewer ID\n3,x,9,a\n4,y,9,b\n"
    _, tables, _ = bring(content.replace("x,9,a", "x,8,a"))
    assert triples(tables) == [("a", 8, 3.0), ("b", 9, 4.0)]


def test_one_item_is_refused_and_its_column_named(refused: Callable) -> None:
    message = refused("who,what,stars\na,9,3\nb,9,4\n", user="who", item="what", rating="stars", noun="beer")
    assert "all ratings are of one beer, '9'" in message
    assert "is 'what' the right column (--item)?" in message


def test_encodings_are_guessed_and_may_be_named(bring: Callable[..., Any], refused: Callable) -> None:
    content = "user,item,rating\nRené,Émile,1\nZoë,b,2\n"
    for encoding in ("utf-8", "latin-1", "cp1252"):
        _, tables, said = bring(content.encode(encoding))
        assert triples(tables) == [("René", "Émile", 1.0), ("Zoë", "b", 2.0)]
        assert ("--encoding" in said[0]) == (encoding != "utf-8")
    _, tables, _ = bring(content.encode("cp850"), encoding="cp850")
    assert tables.users["user"].tolist() == ["René", "Zoë"]


def test_a_column_without_a_name_is_no_lack_of_a_header(bring: Callable[..., Any]) -> None:
    """As pandas writes an index."""
    _, tables, _ = bring(",user,item,rating\n0,ann,1,4.5\n1,bob,1,2\n2,ann,2,0.5\n")
    assert triples(tables) == EXPECTED


def test_items_without_a_header_lose_none(bring: Callable[..., Any], tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("x,First\ny,Second\n")
    content = "user,item,rating\na,x,1\nb,y,2\n"
    assert bring(content, items=items, item_id="1", title="2")[1].items["title"].tolist() == ["First", "Second"]
    items.write_text("id,title\nx,First\ny,Second\n")
    assert bring(content, items=items, item_id="1", title="2")[1].items["title"].tolist() == ["First", "Second"]


# Values


def test_ids_are_whole_numbers_only_if_all_are_written_so(bring: Callable[..., Any]) -> None:
    def ids(*users: str) -> list:
        rows = "".join(f"{user},{at % 2},{at}\n" for at, user in enumerate(users))
        return bring(f"user,item,rating\n{rows}")[1].users["user"].tolist()

    assert ids("10", "9", "-1") == [-1, 9, 10]
    assert ids("7", "007", "8") == ["007", "7", "8"]
    assert ids("1.0", "2", "3") == ["1.0", "2", "3"]
    assert ids(str(2**63 - 1), "1", "2") == [1, 2, 2**63 - 1]
    # One beyond 64 bits: they stay text, none is altered.
    assert ids(str(2**63), "1", "2") == ["1", "2", str(2**63)]
    assert ids("10" * 90, "9", "x") == ["10" * 90, "9", "x"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("964982703", 964982703),
        ("964982703000", 964982703),
        ("964982703000000", 964982703),
        ("964982703.5", 964982703),
        ("1.5e9", 1_500_000_000),
        ("-1", -1),
        ("", 0),
        ("2000-07-30", 964915200),
        ("2000-07-30T18:45:03Z", 964982703),
        ("2000-07-30 20:45:03+02:00", 964982703),
        ("1969-12-31T23:59:59.5", -1),
    ],
)
def test_times(text: str, seconds: int) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["noon", "30/07/2000", "1e400", "nan", "9" * 30, "2000-13-01"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="time "):
        parse_time(text)


@pytest.mark.parametrize("text", ["", "x", "nan", "-inf", "Infinity", "1_0", "0x10", "1e999", "4,5", "٣", "1e10"])
def test_what_is_no_rating(text: str) -> None:
    with pytest.raises(ValueError, match="rating"):
        parse_rating(text)


def test_small_values() -> None:
    assert parse_rating(" +.5e1 ") == 5
    assert as_int("0") == 0
    assert as_int("-0") is None
    assert as_int("1_0") is None
    assert parse_genres('["a", "b"]') == parse_genres("a, b") == parse_genres("a|b") == "a|b"
    assert parse_genres("[not json") == "[not json"


@pytest.mark.parametrize(
    ("values", "expected"),
    [((0.5, 5), (-0.625, 5.5625)), ((1, 5), (0, 5.5)), ((-10, 10), (-15, 12.5)), ((0, 100), (-25, 112.5))],
)
def test_the_scale_and_the_sigmoid_follow_from_the_ratings(
    values: tuple[float, float], expected: tuple[float, float], bring: Callable[..., Any]
) -> None:
    _, tables, _ = bring(f"user,item,rating\na,1,{values[0]}\nb,2,{values[1]}\n")
    assert tables.rating_range == values
    assert y_range(tables.rating_range) == expected


TWICE = "user,item,rating,time\na,1,1,10\nb,1,5,20\na,1,2,30\na,2,3,40\na,1,6,25\n"


@pytest.mark.parametrize("quoted", [False, True])
def test_duplicates_are_resolved_by_the_rule(quoted: bool, bring: Callable[..., Any], refused: Callable) -> None:
    content = TWICE.replace("b,", '"b",') if quoted else TWICE
    assert "ratings.csv:4: user a rates item 1 twice (first on line 2), one of 2;" in refused(
        content, duplicates="error"
    )
    facts, tables, said = bring(content)
    assert triples(tables) == [("b", 1, 5.0), ("a", 1, 2.0), ("a", 2, 3.0)], "the latest, not the last line"
    assert facts["merged"] == 2
    assert triples(bring(content, time="")[1]) == [("b", 1, 5.0), ("a", 2, 3.0), ("a", 1, 6.0)]
    assert any("2 ratings of an item by a user who rates it again: --duplicates last" in line for line in said)
    _, tables, _ = bring(content, duplicates="mean")
    assert triples(tables) == [("b", 1, 5.0), ("a", 1, 3.0), ("a", 2, 3.0)]
    assert tables.ratings["timestamp"].tolist() == [20, 30, 40]


# About the items


def test_titles_genres_and_years(bring: Callable[..., Any], tmp_path: Path) -> None:
    items = tmp_path / "books.csv"
    items.write_text('item,name,kinds,published\n2,"Emma, a novel","a,b",1815-12-23\n7,Unread,,\n,x,,\n', "utf-8")
    asked = {"items": items, "title": "name", "genres": "kinds", "year": "published", "noun": "book", "skip_bad": 1}
    _, tables, said = bring(PLAIN, **asked)
    assert tables.items.to_dict("list") == {
        "item": [1, 2, 7],
        "title": ["1", "Emma, a novel", "Unread"],
        "year": [0, 1815, 0],
        "genres": ["", "a|b", ""],
    }
    assert tables.noun == "book"
    assert any("1 of 2 rated books are not in" in line for line in said)
    assert any(f"skipped 1 malformed rows of {items}: line 4: no book" in line for line in said)
    assert head(tables).columns.tolist() == ["user", "book", "rating", "timestamp", "title"]


@pytest.mark.parametrize(
    ("content", "asked", "complaint"),
    [
        ("item,title\n8,x\n", {}, "no id in it (such as '8') is the id of a rated item (such as '1')"),
        ("item,title\n1,x\n1,y\n", {}, "line 3: item '1' occurs twice"),
        (
            "item,caption\n1,x\n",
            {},
            "no column looks like the title; give --item-id and --title, which are columns",
        ),
        ("item,title\n1,x\n", {"title": "name"}, "no column 'name' (--title)"),
        ("item,title\n1,#na#\n", {}, "is reserved for the unknown"),
        ("item,title\n", {}, "no id in it"),
        ("", {}, "an empty file"),
    ],
)
def test_what_is_wrong_with_the_items(
    content: str, asked: dict, complaint: str, refused: Callable, tmp_path: Path
) -> None:
    items = tmp_path / "items.csv"
    items.write_text(content)
    assert complaint in refused(PLAIN, items=items, **asked)


# What is kept


@pytest.mark.parametrize("item_key", ["title", "id"])
def test_the_short_way_reads_what_the_long_way_encodes(item_key: Any, bring: Callable[..., Any], home: Home) -> None:
    """Titles that repeat, ids without a title, items that nobody rates."""
    items = Path(home.root.parent, "items.csv")
    items.write_text("item,title\n1,Same\n2,Same\n3,Unrated\n5,Amber\n0,Same\n")
    random = np.random.default_rng(1)
    rows = "".join(f"u{random.integers(9)},{random.choice([1, 2, 4, 5])},{random.integers(1, 6)}\n" for _ in range(60))
    _, tables, _ = bring(f"user,item,rating\n{rows}", items=items)
    short, long = catalog.open_ratings("own", home, item_key), Ratings.encode(tables, item_key)
    for name in ("user", "item", "rating", "timestamp"):
        assert np.array_equal(getattr(short, name), getattr(long, name)), name
    for name in ("name", "noun", "users", "items", "item_key", "rating_range", "fingerprint", "known_splits"):
        assert getattr(short, name) == getattr(long, name), name
    pd.testing.assert_frame_equal(short.item_table, long.item_table)
    pd.testing.assert_frame_equal(short.user_table, long.user_table)
    plain = tables.ratings.merge(tables.items, on="item", how="left")["title"].tolist()
    assert tables.titled["title"].astype(str).tolist() == plain


def test_the_statistics_know_data_without_times(bring: Callable[..., Any]) -> None:
    _, tables, _ = bring("user,item,rating\na,x,1\nb,y,2\na,y,3\n")
    facts = describe(tables)
    assert (facts["first"], facts["last"], facts["ids_consecutive"]) == ("", "", False)
    assert crosstab(tables).shape == (2, 2)
    assert len(most_rated(tables)) == len(most_rated(tables, "user")) == 2
    assert duplicate_titles(tables).empty
    assert histogram(tables)["count"].tolist() == [1, 1, 1]


def test_reading_never_alters_the_files(bring: Callable[..., Any], home: Home, tree: Callable) -> None:
    bring(PLAIN)
    before = tree(home.root)
    assert sorted(before) == [f"data/own/{name}" for name in sorted(KEPT)]
    ratings = catalog.open_ratings("own", home)
    ratings.rating[:] = 0
    assert tree(home.root) == before


KEPT = ("dataset.json", "item.npy", "items.json", "rating.npy", "timestamp.npy", "user.npy", "users.json")


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("damage", ["gone", "empty", "truncated", "other"])
@pytest.mark.parametrize("read", [catalog.open_tables, catalog.open_ratings])
def test_a_damaged_set_is_not_opened(
    name: str, damage: str, read: Callable, bring: Callable[..., Any], home: Home
) -> None:
    bring(PLAIN)
    path = home.data / "own" / name
    content = {"empty": b"", "truncated": path.read_bytes()[:-12], "other": b'{"kind": "imported"}'}
    path.unlink() if damage == "gone" else path.write_bytes(content[damage])
    with pytest.raises(CftuiError) as caught:
        read("own", home)
    if name != "dataset.json" or damage == "other":
        assert str(path) in str(caught.value)
        assert "import it again: cftui data import FILE --name own" in str(caught.value)


def test_codes_outside_the_tables_are_noticed(bring: Callable[..., Any], home: Home) -> None:
    bring(PLAIN)
    np.save(home.data / "own" / "item.npy", np.array([0, 1, 2], dtype=np.int32))
    with pytest.raises(CftuiError, match="its checksum differs"):
        catalog.open_ratings("own", home)
    facts = json.loads((home.data / "own" / "dataset.json").read_text())
    del facts["checksums"]  # as in sets imported by older versions
    (home.data / "own" / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(CftuiError, match="row numbers outside the 2 items"):
        catalog.open_ratings("own", home)


# Names


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("ml-100k", "a published or synthetic data set"),
        ("ML-100K", "a published or synthetic data set"),
        ("synth-mine", "a published or synthetic data set"),
        ("../own", "letters, digits"),
        ("", "letters, digits"),
        (".own", "letters, digits"),
        ("a/b", "letters, digits"),
        ("a b", "letters, digits"),
        ("x" * 65, "letters, digits"),
        ("taken", "exists already and was not imported"),
    ],
)
def test_names_that_are_refused(name: str, complaint: str, home: Home, tmp_path: Path, tree: Callable) -> None:
    (home.data / "taken").mkdir(parents=True)
    (home.data / "taken" / "precious").write_text("x")
    (tmp_path / "a.csv").write_text(PLAIN)
    before = tree(tmp_path)
    with pytest.raises(CftuiError, match=complaint):
        import_ratings(tmp_path / "a.csv", name, home)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("noun", ["title", "User", "", " book", "a\nb", "b" * 31, "3"])
def test_nouns_that_are_refused(noun: str, refused: Callable) -> None:
    assert "--noun" in refused(PLAIN, noun=noun)


def test_an_import_replaces_its_forerunner_only_when_it_succeeds(bring: Callable[..., Any], home: Home, tree) -> None:
    bring(PLAIN)
    before = tree(home.root)
    with pytest.raises(CftuiError):
        bring("user,item,rating\na,b,x\n")
    assert tree(home.root) == before
    bring(TWICE)
    assert len(catalog.open_tables("own", home).ratings) == 3
    assert [path.name for path in home.data.iterdir()] == ["own"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), MemoryError])
def test_an_interruption_leaves_nothing(
    error: Any, bring: Callable[..., Any], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object) -> None:
        raise error

    monkeypatch.setattr(importing.columns, "write_json", stop)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        bring(PLAIN)
    assert list(home.data.iterdir()) == []


# Bad files

ROWS = [
    ("a,b", "2 columns where 3 belong"),
    ("a,b,3,4", "4 columns where 3 belong"),
    ("a,b,x", "rating 'x' is not a number"),
    ("a,b,-inf", "rating -inf is not a finite number"),
    ("a,b,1e300", "rating '1e300' is beyond 1e+09"),
    (",b,3", "no user"),
    ("a, ,3", "no item"),
    ("#na#,b,3", "user '#na#' is reserved for the unknown"),
    ("a\0,b,3", "user 'a\\x00' holds a control character"),
    ("a" * 501 + ",b,3", "user of 501 characters"),
]
GOOD = "user,item,rating\na,1,4\nb,2,5\n{}\na,2,3\n"


@pytest.mark.parametrize(("row", "reason"), ROWS)
def test_a_bad_row_is_named_or_tolerated(row: str, reason: str, bring: Callable[..., Any], refused: Callable) -> None:
    message = refused(GOOD.format(row))
    assert f"ratings.csv: 1 malformed row: line 4: {reason}" in message
    assert message.endswith("--skip-bad 1")
    facts, tables, said = bring(GOOD.format(row), skip_bad=1)
    assert triples(tables) == [("a", 1, 4.0), ("b", 2, 5.0), ("a", 2, 3.0)]
    assert facts["skipped"] == 1
    assert any("skipped 1 malformed rows" in line and reason in line for line in said)


def test_a_quote_is_what_makes_every_line_a_row(bring: Callable[..., Any], refused: Callable) -> None:
    content = GOOD.format('"a"x,b,3')
    assert """line 4: quoting: ',' expected after '"'""" in refused(content, quote="double")
    facts, _, said = bring(content)
    assert facts["ratings"] == 4
    assert "--quote none" in said[0]


def test_a_row_without_a_rating_is_left_out_and_counted(bring: Callable[..., Any]) -> None:
    for cell in ("", "nan", "NA", "null", " "):
        facts, tables, said = bring(GOOD.format(f"a,b,{cell}"))
        assert triples(tables) == [("a", 1, 4.0), ("b", 2, 5.0), ("a", 2, 3.0)]
        assert (facts["rows"], facts["unrated"], facts["skipped"]) == (4, 1, 0)
        assert "left out 1 row without a rating" in said


def test_five_bad_rows_are_shown_and_the_others_counted(refused: Callable, bring: Callable[..., Any]) -> None:
    content = GOOD.format("\n".join(f"a,b,x{at}" for at in range(12)))
    message = refused(content)
    assert "12 malformed rows: line 4: rating 'x0'" in message
    assert "line 8: rating 'x4' is not a number; and 7 more;" in message
    assert "more than the 11 of --skip-bad" in refused(content, skip_bad=11)
    assert bring(content, skip_bad=12)[0]["skipped"] == 12


def test_lines_are_counted_through_quoted_line_ends_and_blank_lines(refused: Callable) -> None:
    message = refused('user,review,item,rating\na,"two\nlines",1,2\n\nb,x,2,3\nd,x,,1\n')
    assert "line 6: no item" in message


FILES = {
    "empty": (b"", "an empty file"),
    "blank lines": (b"\n\n  \n", "holds only blank lines"),
    "a bom only": (b"\xef\xbb\xbf", "holds only blank lines"),
    "header only": (b"user,item,rating\n", "no ratings in it, only a header"),
    "one user": (b"user,item,rating\na,1,2\na,2,3\n", "all ratings are of one user, 'a'"),
    "one rating": (b"user,item,rating\na,1,2\nb,2,2\n", "every rating is 2"),
    "no such columns": (b"who,what,how\na,1,2\n", "no column looks like the user; give --user one of who, what"),
    "duplicate columns": (b"user,item,rating,rating\na,1,2,3\n", "columns 3 and 4 are both named 'rating'"),
    "quote left open": (b'user,item,rating\na,1,2\n"b,2\nc,1,4\n', "ratings.csv:3: a quote is opened here and never"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "ratings.csv: "),
    "json array": (b"[1, 2]\n", "ratings.csv: "),
    "deep json": (b'{"a":' * 50_000 + b"\n", "no JSON object in its first lines"),
    "not gzip": (b"\x1f\x8b\x08\x00nothing", "not a readable gzip file"),
    "gzip cut short": (gzip.compress(PLAIN.encode() * 50)[:-20], "not a readable gzip file"),
    "zip cut short": (_zipped(PLAIN.encode())[:-30], "not a readable zip file"),
    "xz cut short": (lzma.compress(PLAIN.encode())[:-20], "not a readable xz file"),
    "nothing in a zip": (b"PK\x05\x06" + b"\0" * 18, "holds nothing"),
    "escaping zip": (_zipped(PLAIN.encode(), "../../ratings.csv"), "points outside the archive"),
    "absolute zip": (_zipped(PLAIN.encode(), "/etc/ratings.csv"), "points outside the archive"),
    "windows zip": (_zipped(PLAIN.encode(), "..\\ratings.csv"), "points outside the archive"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_holds_no_ratings_is_one_clear_error(case: str, refused: Callable) -> None:
    content, complaint = FILES[case]
    assert complaint in refused(content)


def test_duplicate_columns_can_be_told_apart_by_number(bring: Callable[..., Any]) -> None:
    _, tables, _ = bring("user,item,rating,rating\na,1,2,3\nb,2,3,4\n", rating="4")
    assert tables.ratings["rating"].tolist() == [3, 4]


def test_lines_in_another_encoding_are_bad_rows(refused: Callable, bring: Callable[..., Any]) -> None:
    content = "user,item,rating\nRené,1,2\nZoë,2,3\n".encode() + "Jürgen,1,4\n".encode("latin-1")
    assert "line 4: user 'J\\udcfcrgen' is not UTF-8" in refused(content)
    assert bring(content, skip_bad=1)[1].users["user"].tolist() == ["René", "Zoë"]


def test_a_name_in_another_encoding_is_no_obstacle(bring: Callable[..., Any]) -> None:
    content = "user,item,st\xe4rs,rating\nRené,1,2,3\nZoë,2,3,4\nZoë,1,3,4\n".encode().replace("\xe4".encode(), b"\xe4")
    facts, _, _ = bring(content, rating="3")
    assert facts["columns"]["rating"] == "st?rs"


def test_an_encoding_that_does_not_fit_is_an_error(refused: Callable) -> None:
    assert "no such encoding" in refused(PLAIN, encoding="klingon")
    assert "no such encoding" in refused(PLAIN, encoding="hex")
    assert "not in utf-16" in refused(PLAIN.encode("utf-16") + b"x", encoding="utf-16")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, _zipped])
def test_a_bomb_does_not_go_off(pack: Callable[[bytes], bytes], refused: Callable, monkeypatch) -> None:
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED", 100_000)
    bomb = pack(b"user,item,rating\n" + b"0" * 30_000_000)
    assert "a zip bomb?" in refused(bomb)


def test_a_bomb_is_known_before_it_fills_the_disk(
    tmp_path: Path, refused: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has been unpacked is compared with what has been read, not with the whole archive."""
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED", 100_000)
    monkeypatch.setattr(unpacking, "BLOCK", 100_000)
    seen, check = [], unpacking._check_ratio
    monkeypatch.setattr(
        unpacking, "_check_ratio", lambda path, size, packed: seen.append(size) or check(path, size, packed)
    )
    bomb = gzip.compress(b"0" * 200_000_000) + gzip.compress(np.random.default_rng(1).bytes(2_000_000))
    assert "a zip bomb?" in refused(bomb)
    assert max(seen) < 60_000_000


def test_what_does_not_fit_on_the_disk_is_not_unpacked(refused: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(9, 8, 1))
    assert "bytes do not fit on the disk of" in refused(_zipped(PLAIN.encode()))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_endless_line_is_refused_by_its_number(encoding: str, refused: Callable, monkeypatch) -> None:
    monkeypatch.setattr(encodings, "LINE_BYTES", 10_000)
    monkeypatch.setattr(encodings, "BLOCK", 3_000)
    content = PLAIN + "é,2," + "3" * 20_000 + "\nc,1,4\n"
    said = refused(content.encode(encoding))
    assert f":{PLAIN.count(chr(10)) + 1}: a line of more than 0.01 MB: not a table of ratings" in said


def test_an_endless_quoted_cell_is_refused_by_its_line(refused: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "LINE_BYTES", 200_000)
    content = PLAIN + 'c,1,"4\n' + "c,1,4\n" * 100_000
    said = refused(content)
    assert f":{PLAIN.count(chr(10)) + 1}: a quote is opened here, and a cell of more than 0.2 MB follows" in said


def test_a_long_cell_is_read(bring: Callable[..., Any]) -> None:
    long = "x" * 150_000 + " , y"
    _, tables, _ = bring(f'user,item,rating,title\na,1,2,"{long}"\nb,2,3,short\n')
    assert long in tables.items["title"].tolist()


def test_parquet_without_pyarrow_says_what_to_install(refused: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cftui.data.formats.books.find_spec", lambda name: None)
    assert "pip install 'cftui-workbench[parquet]'" in refused(b"PAR1", "ratings.parquet")


def test_a_folder_and_a_file_that_is_not_there(home: Home, tmp_path: Path) -> None:
    for path, complaint in ((tmp_path, "a folder"), (tmp_path / "none.csv", "no such file")):
        with pytest.raises(CftuiError, match=complaint):
            import_ratings(path, "own", home)
    assert not home.data.exists() or not list(home.data.iterdir())


@pytest.mark.parametrize("delimiter", ["", '"', "\n", "abcdef"])
def test_delimiters_that_cannot_be(delimiter: str, refused: Callable) -> None:
    assert "--delimiter" in refused(PLAIN, delimiter=delimiter)


# Anything at all

cells = st.one_of(
    st.sampled_from(
        ["a", "b", "c", "1", "2", "007", "3.5", "5", "0.5", "nan", "inf", "", " ", "#na#", str(2**63), "1e5"]
    ),
    st.sampled_from(
        ['"', '"a"', '"a', "é", "\0", "\ufeff", "[REC]", "2020-01-01", "-1", "1_0", "9" * 40, "'", "\u2028"]
    ),
    st.text(max_size=5),
)
tables_of_text = st.builds(
    lambda rows, delimiter, end, header, bom: bom + end.join(delimiter.join(row) for row in [header, *rows]),
    st.lists(st.lists(cells, min_size=1, max_size=5) | st.tuples(*[st.sampled_from("abc123")] * 3), max_size=12),
    st.sampled_from([",", "\t", ";", "|", "::"]),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    st.sampled_from(
        [["user", "item", "rating"], ["user", "item", "rating", "time"], ["1", "2", "3"], ["user", "user"]]
    ),
    st.sampled_from(["", "\ufeff"]),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2),
)
json_lines = st.lists(
    st.dictionaries(st.sampled_from(["user", "item", "rating", "x"]), json_values, max_size=4).map(json.dumps)
    | st.text(max_size=6),
    max_size=8,
).map("\n".join)
contents = st.one_of(
    st.binary(max_size=120),
    st.builds(
        lambda text, encoding, pack, cut: pack(text.encode(encoding, "surrogatepass"))[: cut or None],
        tables_of_text | json_lines,
        st.sampled_from(["utf-8", "utf-8", "utf-16"]),
        st.sampled_from([bytes, bytes, bytes, gzip.compress, bz2.compress, lzma.compress, _zipped]),
        st.sampled_from([0, 0, 0, -1, -9]),
    ),
    st.builds(
        lambda text, junk, at: text.encode("utf-8", "replace")[:at] + junk + text.encode("utf-8", "replace")[at:],
        tables_of_text,
        st.binary(max_size=4),
        st.integers(0, 60),
    ),
)
askings = st.builds(
    Asked,
    user=st.sampled_from([None, None, "1", "user", "9", "٣"]),
    item=st.sampled_from([None, None, "2", "item"]),
    rating=st.sampled_from([None, None, "3", "rating", "0"]),
    time=st.sampled_from([None, None, "4"]),
    delimiter=st.sampled_from([None, None, None, "tab", ",", "::", " "]),
    encoding=st.sampled_from([None, None, None, "latin-1", "utf-16", "ascii"]),
    duplicates=st.sampled_from(importing.RULES),
    skip_bad=st.sampled_from([0, 1, 1000]),
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=contents, asked=askings)
@example(content=b"user,item,rating\na,1,2\r\nb,2,3\n", asked=Asked())
def test_anything_is_a_clear_error_or_a_data_set(content: bytes, asked: Asked) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path, home = Path(scratch, "ratings.csv"), Home(Path(scratch, "home"))
        path.write_bytes(content)
        quickly, slowly = (_outcome(path, home, asked, rows) for rows in (False, True))
    assert quickly == slowly


def _outcome(path: Path, home: Home, asked: Asked, row_by_row: bool) -> Any:
    """The message, or all that was read: the same whether in one vectorised pass or row by row."""
    with pytest.MonkeyPatch.context() as patch:
        if row_by_row:
            patch.setattr(read, "quick", lambda *args: None)
        facts, complaint = None, ""
        with contextlib.suppress(CftuiError):
            facts = import_ratings(path, "own", home, asked)
        if facts is None:
            with pytest.raises(CftuiError) as caught:
                import_ratings(path, "own", home, asked)
            complaint = str(caught.value)
    if facts is None:
        assert path.name in complaint or "--" in complaint
        assert not home.data.exists() or list(home.data.iterdir()) == []
        return complaint
    tables, ratings = catalog.open_tables("own", home), catalog.open_ratings("own", home)
    assert len(tables.ratings) == len(ratings) == facts["ratings"] > 1
    assert np.isfinite(ratings.rating).all()
    assert not tables.ratings.duplicated(["user", "item"]).any()
    assert len(ratings.users) > 2
    assert len(ratings.items) > 2
    describe(tables)
    found = (
        triples(tables),
        ratings.timestamp.tolist(),
        facts["skipped"],
    )
    shutil.rmtree(home.data / "own")
    return found


@pytest.mark.parametrize("file", ["user.npy", "item.npy", "rating.npy", "timestamp.npy", "users.json", "items.json"])
def test_a_flipped_byte_in_an_imported_set_is_noticed(file: str, bring: Callable[..., Any], home: Home) -> None:
    facts, _, _ = bring(PLAIN)
    path = home.data / facts["name"] / file
    whole = path.read_bytes()
    for place in (len(whole) - 1, len(whole) - 3):
        spoilt = bytearray(whole)
        spoilt[place] ^= 1
        path.write_bytes(spoilt)
        with pytest.raises(CftuiError, match=f"{path.name}: .*(checksum differs|damaged).*import it again"):
            catalog.open_ratings(facts["name"], home)


@pytest.mark.parametrize("file", ["dataset.json", "rating.npy", "items.json"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nothing"])
def test_what_is_no_file_in_an_imported_set_is_named_at_once(
    file: str, kind: str, bring: Callable[..., Any], home: Home
) -> None:
    facts, _, _ = bring(PLAIN)
    path = home.data / facts["name"] / file
    found = catalog.find(facts["name"], home)
    path.unlink()
    {"pipe": lambda: os.mkfifo(path), "folder": path.mkdir, "link to nothing": lambda: path.symlink_to("no")}[kind]()
    with pytest.raises(CftuiError, match=path.name):
        found.ratings()

"""Spoilt files: the message names the file, the line and what is wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cftui.data.formats.movielens import read_tables, year_of
from cftui.errors import CftuiError

LINE = 3  # the line of u.data that each case spoils


def spoil(folder: Path, new: str | bytes, name: str = "u.data", line: int = LINE) -> Path:
    lines = (folder / name).read_bytes().split(b"\n")
    lines[line - 1] = new.encode("latin-1") if isinstance(new, str) else new
    (folder / name).write_bytes(b"\n".join(lines))
    return folder / name


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("1\t2\t3", "3 columns where 4 belong"),
        ("1\t2\t3\t880000000\t9", "5 columns where 4 belong"),
        ("1 2 3 880000000", "1 columns where 4 belong"),
        ("", "1 columns where 4 belong"),
        ("1\t2\tx\t880000000", "rating 'x' is not a number"),
        ("1\t2\t\t880000000", "rating '' is not a number"),
        ("1\t2\t6\t880000000", "rating 6 is outside the range 1 to 5"),
        ("1\t2\t0\t880000000", "rating 0 is outside the range 1 to 5"),
        ("1\t2\t-1\t880000000", "rating -1 is outside the range"),
        ("1\t2\tnan\t880000000", "rating nan is outside the range"),
        ("1\t2\tinf\t880000000", "rating inf is outside the range"),
        ("one\t2\t3\t880000000", "user 'one' is not a whole number"),
        ("1\ttwo\t3\t880000000", "movie 'two' is not a whole number"),
        ("1\t2.5\t3\t880000000", "movie '2.5' is not a whole number"),
        ("1\t2\t3\tnoon", "timestamp 'noon' is not a whole number"),
        ("1\t2\t3\t", "timestamp '' is not a whole number"),
        ("99999999999999999999\t2\t3\t880000000", "is too large"),
        ("1_9\t2\t3\t880000000", "user '1_9' is not a whole number"),
        ("1\t2\t0_3\t880000000", "rating '0_3' is not a number"),
        ("31\t2\t3\t880000000", "user 31 is not in u.user"),
        ("1\t21\t3\t880000000", "movie 21 is not in u.item"),
    ],
)
def test_a_bad_rating_is_named_with_its_line(tiny_folder: Path, row: str, complaint: str) -> None:
    path = spoil(tiny_folder, row)
    with pytest.raises(CftuiError) as caught:
        read_tables(tiny_folder)
    assert str(caught.value).startswith(f"{path}:{LINE}: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_second_rating_of_the_same_pair_names_both_lines(tiny_folder: Path) -> None:
    first = (tiny_folder / "u.data").read_text().split("\n")[0]
    user, movie, _, _ = first.split("\t")
    path = spoil(tiny_folder, f"{user}\t{movie}\t3\t880000000", line=5)
    with pytest.raises(CftuiError) as caught:
        read_tables(tiny_folder)
    assert str(caught.value) == f"{path}:5: user {user} rates movie {movie} twice (first on line 1)"


def test_the_first_of_several_bad_rows_is_named(tiny_folder: Path) -> None:
    spoil(tiny_folder, "1\t2\tx\t1", line=9)
    spoil(tiny_folder, "1\t2\t9\t1", line=4)
    with pytest.raises(CftuiError, match=r"u\.data:4: rating 9"):
        read_tables(tiny_folder)


@pytest.mark.parametrize(
    ("name", "row", "complaint"),
    [
        ("u.item", "3|Short (1995)|01-Jan-1995||", "5 columns where 24 belong"),
        ("u.item", "three|Title (1995)|||" + "|0" * 19, "id 'three' is not a whole number"),
        ("u.item", "2|Title (1995)|||" + "|0" * 19, "id 2 occurs twice (first on line 2)"),
        ("u.item", "3|Title (1995)|||" + "|7" * 19, "a genre flag is neither 0 nor 1"),
        ("u.user", "3|24|M|writer", "4 columns where 5 belong"),
        ("u.user", "3|old|M|writer|00000", "age 'old' is not a whole number"),
        ("u.user", "1|24|M|writer|00000", "id 1 occurs twice (first on line 1)"),
    ],
)
def test_a_bad_item_or_user_is_named_with_its_line(tiny_folder: Path, name: str, row: str, complaint: str) -> None:
    path = spoil(tiny_folder, row, name)
    with pytest.raises(CftuiError) as caught:
        read_tables(tiny_folder)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert complaint in str(caught.value)


@pytest.mark.parametrize("name", ["u.data", "u.item", "u.user"])
def test_a_missing_or_empty_file_is_named(tiny_folder: Path, name: str) -> None:
    (tiny_folder / name).write_text("")
    with pytest.raises(CftuiError, match=f"{name}: no"):
        read_tables(tiny_folder)
    (tiny_folder / name).unlink()
    with pytest.raises(CftuiError, match=f"{name}: no such file"):
        read_tables(tiny_folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.rstrip(b"\n"),
    ],
    ids=["windows line ends", "no last line end"],
)
def test_harmless_differences_read_the_same(tiny_folder: Path, change: Callable[[bytes], bytes]) -> None:
    before = read_tables(tiny_folder).fingerprint
    for name in ("u.data", "u.item", "u.user"):
        (tiny_folder / name).write_bytes(change((tiny_folder / name).read_bytes()))
    assert read_tables(tiny_folder).fingerprint == before


def test_half_stars_are_ratings_too(tiny_folder: Path) -> None:
    user, movie, _, _ = (tiny_folder / "u.data").read_text().split("\n")[0].split("\t")
    spoil(tiny_folder, f"{user}\t{movie}\t3.5\t880000000", line=1)
    assert read_tables(tiny_folder).ratings["rating"].iloc[0] == 3.5


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=st.binary(max_size=40))
def test_no_bytes_in_a_line_escape_as_another_error(tiny_folder: Path, row: bytes) -> None:
    original = (tiny_folder / "u.data").read_bytes()
    spoil(tiny_folder, row)
    try:
        with contextlib.suppress(CftuiError):
            read_tables(tiny_folder)
    finally:
        (tiny_folder / "u.data").write_bytes(original)


@pytest.mark.parametrize(
    ("title", "year"),
    [("Fargo (1996)", 1996), ("Fargo (1996) ", 1996), ("Land Before Time III (V) (1995)", 1995), ("unknown", 0)],
)
def test_the_year_stands_in_the_last_parentheses(title: str, year: int) -> None:
    assert year_of(title) == year
    assert year_of("1900 (V)") == 0

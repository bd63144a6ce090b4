"""Read MovieLens 100K in its official layout, as the chapter does, and name what is wrong with a copy.

``u.data`` is tab-separated (user, movie, rating, timestamp); ``u.item`` is pipe-delimited, latin-1, 24 columns of
which the last 19 are genre flags; ``u.user`` holds age, gender, occupation and zip code.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from cftui.data.tables import Tables
from cftui.errors import CftuiError

RATING_COLUMNS = ("user", "item", "rating", "timestamp")
RATING_RANGE = (1.0, 5.0)
# The order of the flags in u.item, which is also the content of u.genre.
GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
_ITEM_FIELDS = 5 + len(GENRES)
_USER_FIELDS = 5
_YEAR = re.compile(r"\((\d{4})\)\s*$")


def read_tables(folder: Path) -> Tables:
    """Read an ``ml-100k`` folder.

    Returns:
        100,000 x 4 ratings in file order, 1,682 items, 943 users.

    Raises:
        CftuiError: a file is missing, or a row is malformed; the message names file and line.
    """
    for name in ("u.data", "u.item", "u.user"):
        if not (folder / name).is_file():
            raise CftuiError(f"{folder / name}: no such file; a MovieLens 100K folder holds u.data, u.item and u.user")
    items = _read_items(folder / "u.item")
    users = _read_users(folder / "u.user")
    ratings = _read_ratings(folder / "u.data")
    _check_ids(folder / "u.data", ratings, "item", items["item"], "movie", "u.item")
    _check_ids(folder / "u.data", ratings, "user", users["user"], "user", "u.user")
    return Tables(
        name="ml-100k",
        label="MovieLens 100K",
        noun="movie",
        ratings=ratings,
        items=items,
        users=users,
        rating_range=RATING_RANGE,
        known_splits=("u1", "u2", "u3", "u4", "u5"),
    )


def year_of(title: str) -> int:
    """The year in the parentheses that end a MovieLens title, or 0."""
    found = _YEAR.search(title)
    return int(found[1]) if found else 0


def _read_ratings(path: Path) -> pd.DataFrame:
    """Read in one vectorised pass; a file that fails is read again line by line, to name the line."""
    try:
        frame = pd.read_csv(
            path,
            sep="\t",
            header=None,
            names=list(RATING_COLUMNS),
            index_col=False,
            dtype={"user": "int64", "item": "int64", "rating": "float64", "timestamp": "int64"},
            quoting=csv.QUOTE_NONE,
            skip_blank_lines=False,
            on_bad_lines="error",
        )
    except (ValueError, OverflowError, pd.errors.ParserError):
        frame = None
    if frame is None or not _well_formed(path, frame):
        _diagnose(path)
    return frame.astype({"rating": "float32"})


def _well_formed(path: Path, frame: pd.DataFrame) -> bool:
    low, high = RATING_RANGE
    return (
        len(frame) > 0
        and bool(frame["rating"].between(low, high).all())
        and not frame.duplicated(["user", "item"]).any()
        # pandas silently drops surplus fields, so count the separators.
        and path.read_bytes().count(b"\t") == (len(RATING_COLUMNS) - 1) * len(frame)
    )


def _diagnose(path: Path) -> NoReturn:
    """Name the first bad row of ``path``. Always raises."""
    low, high = RATING_RANGE
    seen: dict[tuple[int, int], int] = {}
    number = 0
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), 1):
        where = f"{path}:{number}"
        fields = line.split("\t")
        if len(fields) != len(RATING_COLUMNS):
            raise CftuiError(
                f"{where}: {len(fields)} columns where {len(RATING_COLUMNS)} belong "
                f"(user, movie, rating, timestamp, separated by tabs): {line[:60]!r}"
            )
        user = _whole(where, "user", fields[0])
        item = _whole(where, "movie", fields[1])
        _whole(where, "timestamp", fields[3])
        try:
            rating = float(_strict(fields[2]))
        except ValueError:
            raise CftuiError(f"{where}: rating {fields[2]!r} is not a number") from None
        if not (math.isfinite(rating) and low <= rating <= high):
            raise CftuiError(f"{where}: rating {fields[2]} is outside the range {low:g} to {high:g}")
        first = seen.setdefault((user, item), number)
        if first != number:
            raise CftuiError(f"{where}: user {user} rates movie {item} twice (first on line {first})")
    raise CftuiError(f"{path}: no ratings in it" if number == 0 else f"{path}: cannot be read as ratings")


def _strict(text: str) -> str:
    """A whole number. Python reads ``1_9`` as one; pandas, and the authors of files, do not."""
    if "_" in text:
        raise ValueError(text)
    return text


def _whole(where: str, what: str, text: str) -> int:
    try:
        value = int(_strict(text))
    except ValueError:
        raise CftuiError(f"{where}: {what} {text!r} is not a whole number") from None
    if abs(value) >= 2**63:
        raise CftuiError(f"{where}: {what} {text!r} is too large")
    return value


def _check_ids(path: Path, ratings: pd.DataFrame, column: str, known: pd.Series, noun: str, file: str) -> None:
    missing = ~ratings[column].isin(known)
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise CftuiError(f"{path}:{row + 1}: {noun} {ratings[column].iloc[row]} is not in {file}")


def _rows(path: Path, fields: int, parse: Callable[[str, list[str]], tuple]) -> list[tuple]:
    """Parse a pipe-delimited latin-1 file; the first column must be a new whole number on every line."""
    rows: list[tuple] = []
    seen: dict[int, int] = {}
    # Only \n ends a line here: latin-1 files may hold \x85, which splitlines() would cut at.
    for number, line in enumerate(path.read_text(encoding="latin-1").split("\n"), 1):
        line = line.rstrip("\r")
        if not line.strip():
            continue
        where = f"{path}:{number}"
        values = line.split("|")
        if len(values) != fields:
            raise CftuiError(f"{where}: {len(values)} columns where {fields} belong (separated by |): {line[:60]!r}")
        key = _whole(where, "id", values[0])
        if seen.setdefault(key, number) != number:
            raise CftuiError(f"{where}: id {key} occurs twice (first on line {seen[key]})")
        rows.append((key, *parse(where, values)))
    if not rows:
        raise CftuiError(f"{path}: nothing in it")
    return rows


def _read_items(path: Path) -> pd.DataFrame:
    def parse(where: str, values: list[str]) -> tuple:
        flags = values[5:]
        if not set(flags) <= {"0", "1"}:
            raise CftuiError(f"{where}: a genre flag is neither 0 nor 1")
        # Three official titles end in a blank, which the mirror lacks.
        title = values[1].strip()
        return (
            title,
            year_of(title),
            "|".join(g for g, flag in zip(GENRES, flags, strict=True) if flag == "1"),
        )

    return pd.DataFrame(_rows(path, _ITEM_FIELDS, parse), columns=["item", "title", "year", "genres"])


def _read_users(path: Path) -> pd.DataFrame:
    def parse(where: str, values: list[str]) -> tuple:
        return _whole(where, "age", values[1]), values[2], values[3], values[4]

    return pd.DataFrame(_rows(path, _USER_FIELDS, parse), columns=["user", "age", "gender", "occupation", "zip_code"])

"""One person's ratings in a file: a CSV of titles, or what Letterboxd, IMDb and Goodreads give their users."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from cftui.errors import CftuiError

# Names of columns, the likeliest first. "Original Title" and "IMDb Rating" are other things.
TITLE = ("title", "name", "movie", "film", "book")
RATING = ("your rating", "my rating", "rating", "stars")
YEAR = ("year", "release year", "original publication year", "year published")
DELIMITERS = ",;\t"
_NUMBER = re.compile(r"\s*-?\d+([.,]\d+)?\s*")


@dataclass(frozen=True)
class Source:
    """A service whose exports are recognised.

    Attributes:
        column: a column that only its exports have.
        scale: its rating scale.
        unrated: what its exports have in the place of a missing rating, besides nothing.
    """

    name: str
    column: str
    scale: tuple[float, float]
    unrated: tuple[float, ...] = ()


SOURCES = (
    Source("Letterboxd", "letterboxd uri", (0.5, 5.0)),
    Source("IMDb", "const", (1.0, 10.0)),
    Source("Goodreads", "my rating", (1.0, 5.0), (0.0,)),
)


@dataclass(frozen=True)
class Line:
    """One row.

    Attributes:
        line: its number in the file, as an editor shows it.
        year: 0 if it is not known.
        text: the rating as it was written.
    """

    line: int
    title: str
    year: int
    text: str


@dataclass(frozen=True)
class Export:
    """What a file holds.

    Attributes:
        source: where it comes from; None for any other file.
        columns: the names of the columns of titles and, if there are such, ratings and years.
        rated: whether there is a column of ratings.
    """

    source: Source | None
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    rated: bool = True


def read_export(path: Path, noun: str = "") -> Export:
    """Read a file of one person's ratings.

    Args:
        noun: what the data set calls an item, which may be the name of the column of titles.

    Raises:
        CftuiError: the file cannot be read, has no column of titles, or none of ratings and yet one of numbers.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
        head = next((line for line in text.splitlines() if line.strip()), "")
        delimiter = max(DELIMITERS, key=head.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except FileNotFoundError:
        raise CftuiError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CftuiError(f"{path}: not a CSV of title,rating ({str(error).strip().splitlines()[0]})") from None
    names = [name.strip().lower() for name in rows[0][1]] if rows else []
    title = _column(path, names, (*TITLE, noun.lower()))
    year = next((names.index(name) for name in YEAR if name in names), None)
    rating = None
    if set(names) & {*RATING} or _numbers(rows[1:], {title, year}):
        rating = _column(path, names, RATING)
    lines = []
    for number, row in rows[1:]:
        if len(row) > len(names):
            raise CftuiError(f"{path}, line {number}: put a title with a comma in quotes")
        cells = [cell.strip() for cell in row] + [""] * (len(names) - len(row))
        lines.append(
            Line(
                number,
                cells[title],
                0 if year is None else _year(cells[year]),
                cells[rating] if rating is not None else "",
            )
        )
    columns = tuple(names[at] for at in (title, rating, year) if at is not None)
    source = next((one for one in SOURCES if one.column in names), None)
    return Export(source, columns, tuple(lines), rated=rating is not None)


def _column(path: Path, names: Sequence[str], wanted: Sequence[str]) -> int:
    found = next((name for name in wanted if name and name in names), None)
    if found is None or names.count(found) > 1:
        have = ", ".join(names) or "none"
        raise CftuiError(f"{path}: needs the columns title and rating, once each; it has {have}"[:300])
    return names.index(found)


def _numbers(rows: Sequence[tuple[int, list[str]]], known: set[int | None]) -> bool:
    """Whether a column that is not ``known`` holds nothing but numbers: ratings, by another name."""
    columns = zip_longest(*(row for _, row in rows), fillvalue="")
    return any(all(map(_NUMBER.fullmatch, cells)) for at, cells in enumerate(columns) if at not in known)


def _year(text: str) -> int:
    found = re.match(r"\d{4}", text)
    return int(found[0]) if found else 0


def mapped(value: float, source: tuple[float, float], target: tuple[float, float]) -> float:
    """A rating of one scale on another: of stars, 8 of 10 is 4 of 5; of other scales, the share between the ends."""
    if source == target:
        return value
    low, high = target
    if 0 <= source[0] <= 1 and 0 <= low <= 1:
        value = value * high / source[1]
    else:
        value = low + (value - source[0]) / (source[1] - source[0]) * (high - low)
    return min(max(value, low), high)

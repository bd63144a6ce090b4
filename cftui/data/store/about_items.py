"""Titles, years and genres of items: from a file of their own, or from columns of the ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cftui.data.formats import guessing
from cftui.data.formats.dialects import COMMENTED
from cftui.data.formats.movielens import year_of
from cftui.data.formats.tabular import Faults, Table, open_table
from cftui.data.formats.times import parse_times
from cftui.data.formats.values import is_missing, is_number, parse_genres, parse_id, parse_year, shown
from cftui.data.ratings import UNKNOWN
from cftui.data.store.asked import Asked, Say, say_format
from cftui.data.store.read import Read
from cftui.errors import CftuiError

# Title, year and genres by id.
Described = dict[str, tuple[str, int, str]]
# What a file about items is called in an archive.
_WANTED = ("item", "movie", "film", "book", "title", "song", "track", "artist", "game", "product", "beer")


def described(asked: Asked, ids: list[str], item_column: str, scratch: Path, say: Say) -> Described:
    """Read title, year and genres by id from the file about the items."""
    assert asked.items is not None
    given = [column for column in (asked.item_id, asked.title, asked.genres, asked.year) if column is not None]
    wanted = (asked.noun.casefold(), *_WANTED)
    table = open_table(
        asked.items, scratch, encoding=asked.encoding, quote=asked.quote, shape="rows", named=given, wanted=wanted
    )
    places = _places(table, asked, item_column, ids, say)
    roles, faults = list(places), Faults(asked.items, asked.skip_bad)
    found: Described = {}
    rated = set(ids)
    unread = 0
    for number, cells, span in table.rows(list(places.values())):
        if cells in ("", COMMENTED):
            continue
        try:
            if isinstance(cells, str):
                raise ValueError(cells)
            row = dict(zip(roles, cells, strict=True))
            key = parse_id(asked.noun, row["item"])
            key = key.partition(".")[0] if key not in rated and key.endswith(".0") else key
            facts, readable = described_as(key, row["title"], row.get("genres", ""), row.get("year"))
            if found.setdefault(key, facts) != facts:
                raise ValueError(f"{asked.noun} {shown(key)} occurs twice, as {shown(found[key][0])} before")
        except ValueError as error:
            faults.add(number, str(error), span)
            continue
        unread += not readable
    faults.check(len(found))
    if faults.count:
        say(f"skipped {faults.count:,} malformed rows of {asked.items}: {faults.text}")
    if unread:
        say(f"{unread:,} years of {asked.items} cannot be read; the year in the title is used there")
    named = sum(key in found for key in ids)
    if not named:
        example = shown(next(iter(found), ""))
        raise CftuiError(
            f"no id in it (such as {example}) is the id of a rated item (such as {shown(ids[0])})",
            where=asked.items or "",
            hint="is the column right (--item-id)?",
            option="item-id",
        )
    if named < len(ids):
        say(
            f"{len(ids) - named:,} of {len(ids):,} rated {asked.noun}s are not in {asked.items}; "
            "their ids become their titles"
        )
    return found


def from_ratings(read: Read, asked: Asked, say: Say) -> Described | None:
    """What the ratings themselves say about their items, or None; the first row of an item counts."""
    if "title" not in read.labels:
        return None
    empty = [""] * len(read.item_ids)
    found: Described = {}
    titles, genres, years = (read.labels.get(role, empty) for role in ("title", "genres", "year"))
    for key, title, kinds, year in zip(read.item_ids, titles, genres, years, strict=True):
        try:
            found[key], _ = described_as(key, title, kinds, year)
        except ValueError:
            found[key] = key, 0, ""
    return found


def described_as(key: str, title: str, genres: str, year: str | None) -> tuple[tuple[str, int, str], bool]:
    """Title, year and genres of an item, and whether its year could be read. Raises ValueError with the reason."""
    title = " ".join(title.split()) or key
    if title == UNKNOWN:
        raise ValueError(f"title {UNKNOWN!r} is reserved for the unknown")
    genres = parse_genres(genres)
    for text in (title, genres):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{text[:40]!a} is not UTF-8; is all of the file in one encoding?") from None
    at = _year(year) if year is not None else 0
    return (title, at or year_of(title), genres), year is None or bool(at) or is_missing(year.strip())


def _year(text: str) -> int:
    """The year of a year or a date, or 0."""
    text = text.strip()
    if found := parse_year(text):
        return found
    if is_number(text) and text.endswith(".0"):
        return parse_year(text[:-2])
    if is_missing(text) or is_number(text):
        return 0
    known = parse_times([text])
    return (
        0 if known.reasons else 1970 + int(known.seconds.astype("datetime64[s]").astype("datetime64[Y]")[0].astype(int))
    )


def _places(table: Table, asked: Asked, item_column: str, ids: Sequence[str], say: Say) -> dict[str, int]:
    places, guessed = {}, []
    positions = {} if table.header else _by_position(table, ids)
    for role, option in (("item", "item-id"), ("title", "title"), ("genres", "genres"), ("year", "year")):
        column = asked.item_id if role == "item" else getattr(asked, role)
        if column is None and role == "item" and item_column in table.columns and table.header:
            column = item_column
        elif column is None:
            column = guessing.role_of(role, table.columns, asked.noun) if table.header else None
            column = str(positions[role] + 1) if column is None and role in positions else column
            column = _remaining_id(table) if column is None and role == "item" else column
            if column is not None:
                guessed.append(f"--{option} {column}")
        if column is None and role in ("item", "title"):
            there = guessing.listed(table.columns)
            what = f"no column looks like the {role}"
            hint = f"give --item-id and --title, which are columns of this file: {there}"
            raise CftuiError(what, where=table.path, hint=hint, option=option)
        if column is not None:
            places[role] = table.index(column, option)
    say_format(table, replace(asked, delimiter=None, shape=table.shape), guessed, say)
    return places


def _remaining_id(table: Table) -> str | None:
    """A column called ``id`` in a file about items."""
    return next((name for name in table.columns if name.casefold() == "id"), None) if table.header else None


def _by_position(table: Table, ids: Sequence[str]) -> dict[str, int]:
    """Id and title in a file without a header: the first column that holds ids of rated items, and the next text."""
    known = set(ids)
    columns = [[row[at].strip() for row in table.first if at < len(row)] for at in range(len(table.columns))]
    hits = [sum(cell in known for cell in cells) for cells in columns]
    item = max(range(len(columns)), key=lambda at: hits[at]) if any(hits) else 0
    rest = [at for at in range(len(columns)) if at != item]
    title = next((at for at in rest if not all(map(is_number, columns[at]))), None)
    found = {"item": item} | ({"title": title} if title is not None else {})
    genres = next((at for at in rest if at != title and any("|" in cell for cell in columns[at])), None)
    return found | ({"genres": genres} if genres is not None else {})

"""Import ratings from a file of almost any format into binary columns; a failed import leaves nothing behind."""

from __future__ import annotations

import datetime
import os
import re
import tempfile
from array import array
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from cftui.data import columns
from cftui.data.formats import guessing
from cftui.data.formats.movielens import year_of
from cftui.data.formats.tabular import Columns, Faults, Table, open_table, quick
from cftui.data.formats.values import as_int, parse_genres, parse_id, parse_rating, parse_time, parse_year, shown
from cftui.data.ratings import UNKNOWN
from cftui.data.store import catalog
from cftui.errors import CftuiError
from cftui.files import new_folder
from cftui.home import Home

Say = Callable[[str], None]
Duplicates = Literal["last", "mean", "error"]
RULES = ("last", "mean", "error")
# Names that a noun cannot have: columns of the ratings, and files of a data set.
_TAKEN = {"title", "user", "rating", "ratings", "timestamp", "year", "genres"}


@dataclass(frozen=True)
class Asked:
    """What the user says about the files; everything else is guessed.

    Attributes:
        user, item, rating, time: columns of the ratings, by name or by number from 1.
        counts: in the place of ``rating``, the column that says how often the user chose the item.
        no_rating: the file has neither; every row says that the user chose the item once more.
        counts_given: false if ``counts`` was guessed, which is then reported.
        items: a file about the items, with its columns ``title``, ``genres``, ``year``; ``item_id`` is the one that
            holds the ids in ``item``.
        duplicates: which rating counts if a user rates an item twice: the last in the file, the mean, or none.
        skip_bad: number of malformed rows to tolerate in each file.
    """

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    time: str | None = None
    counts: str | None = None
    no_rating: bool = False
    counts_given: bool = True
    items: Path | None = None
    item_id: str | None = None
    title: str | None = None
    genres: str | None = None
    year: str | None = None
    noun: str = "item"
    label: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    duplicates: Duplicates = "last"
    skip_bad: int = 0

    @property
    def counted(self) -> bool:
        """Whether the file says what was chosen, and not how it was rated."""
        return self.no_rating or self.counts is not None


@dataclass(frozen=True, eq=False)
class _Read:
    """Ratings as read from a file: codes ``[n]`` into the distinct ids, and the line number of each."""

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray
    time: np.ndarray
    line: np.ndarray
    user_ids: list[str]
    item_ids: list[str]


def import_ratings(
    file: Path, name: str, home: Home, asked: Asked | None = None, say: Say = lambda line: None
) -> dict[str, Any]:
    """Import ``file`` as the data set ``name`` and return its facts, as written to ``dataset.json``.

    An imported set of that name is replaced, once the new one is complete. ``say`` receives the guesses and the
    number of skipped rows, one line each.

    Raises:
        CftuiError: the name is taken or not plain, or the files hold no ratings that could be used; the message names
            file, line and what to change.
    """
    asked = asked or Asked()
    target = _target(name, home)
    _check_noun(asked.noun)
    if (asked.rating is not None) + (asked.counts is not None) + asked.no_rating > 1:
        raise CftuiError("give one of --rating, --counts and --no-rating", option="rating")
    if asked.duplicates not in RULES:
        rules = ", ".join(RULES)
        raise CftuiError(f"must be one of {rules}", where=f"--duplicates {asked.duplicates}", option="duplicates")
    with new_folder(target) as building:
        with tempfile.TemporaryDirectory(dir=building, prefix="scratch-") as scratch:
            content, found = _content(file, asked, Path(scratch), say)
        facts = {
            "name": name,
            "label": _readable(asked.label or name),
            "noun": asked.noun,
            "kind": catalog.IMPORTED,
            "imported": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **found,
        }
        columns.write(building, content, facts)
    return columns.read_facts(target, catalog.known(name, home).remedy)


def _target(name: str, home: Home) -> Path:
    if not catalog.is_plain(name):
        raise CftuiError(
            "letters, digits, dots, dashes and underscores only, and a letter or digit first",
            where=f"--name {shown(name)}",
            option="name",
        )
    if catalog.is_reserved(name):
        what = "that is a published or synthetic data set"
        raise CftuiError(what, where=f"--name {name}", hint="choose another name", option="name")
    target = home.data / name
    if os.path.lexists(target) and not catalog.is_imported(name, home):
        what = f"{target} exists already and was not imported"
        raise CftuiError(what, where=f"--name {name}", hint="choose another name", option="name")
    return target


def _check_noun(noun: str) -> None:
    if not re.fullmatch(r"[^\W\d_]([^\W_]|[ -]){0,29}", noun) or noun != noun.strip():
        raise CftuiError("give one word for one item, such as book", where=f"--noun {shown(noun)}", option="noun")
    if noun.casefold() in _TAKEN:
        what = "that is the name of something else here"
        raise CftuiError(what, where=f"--noun {noun}", hint="choose another word", option="noun")


def _content(file: Path, asked: Asked, scratch: Path, say: Say) -> tuple[columns.Content, dict[str, Any]]:
    value = [] if asked.no_rating else [asked.counts or asked.rating]
    given = [asked.user, asked.item, *value, *([asked.time] if asked.time else [])]
    numbered = all(column is not None and column.isdecimal() for column in given)
    table = open_table(
        file, _sub(scratch, "ratings"), delimiter=asked.delimiter, encoding=asked.encoding, numbered=numbered
    )
    asked = _guess_counts(table, asked)
    places = _places(table, asked, say)
    faults = Faults(file, asked.skip_bad)
    read = _read(table, places, faults, asked.counted)
    faults.check()
    if not len(read.rating):
        only = "malformed rows" if faults.count else "a header"
        raise CftuiError(f"no ratings in it, only {only}", where=file)
    if faults.count:
        say(f"skipped {faults.count:,} malformed rows of {file}: {faults.text}")
    read, twice = _resolve(file, read, "sum" if asked.counted else asked.duplicates)
    if twice and not asked.counted:
        say(f"{twice:,} ratings of an item by a user who rates it again: --duplicates {asked.duplicates}")
    for what, ids in (("user", read.user_ids), (asked.noun, read.item_ids)):
        if len(ids) == 1:
            option = "user" if what == "user" else "item"
            raise CftuiError(
                f"all ratings are of one {what}, {shown(ids[0])}: nothing can be learned from that",
                where=file,
                hint=f"is {table.columns[places[option]]!r} the right column (--{option})?",
                option=option,
            )
    rating = read.rating.astype(np.float32)
    if rating.min() == rating.max() and not asked.counted:
        raise CftuiError(
            f"every rating is {rating.min():g}: nothing can be learned from that",
            where=file,
            hint=f"is {table.columns[places['rating']]!r} the right column (--rating)?",
            option="rating",
        )
    described = _items(asked, read.item_ids, table.columns[places["item"]], scratch, say) if asked.items else None
    content = _encode(read, rating, described)
    facts: dict[str, Any] = {
        "source": _readable(str(file.absolute())),
        "columns": {role: table.columns[at] for role, at in places.items()},
        "delimiter": table.delimiter,
        "encoding": table.plain.encoding,
        "duplicates": "sum" if asked.counted else asked.duplicates,
        "counted": asked.counted,
        "merged": twice,
        "skipped": faults.count,
        "items_source": _readable(str(asked.items.absolute())) if asked.items else None,
    }
    return content, facts


def _readable(text: str) -> str:
    """What the command line gave, bytes that are no UTF-8 replaced: it goes into a JSON file."""
    return text.encode(errors="replace").decode()


def _sub(scratch: Path, name: str) -> Path:
    (scratch / name).mkdir()
    return scratch / name


def _guess_counts(table: Table, asked: Asked) -> Asked:
    """Take a column such as ``plays`` for counts where nobody said what the values are and no column is of ratings."""
    if asked.counted or asked.rating is not None or guessing.role_of("rating", table.columns, asked.noun) is not None:
        return asked
    return replace(asked, counts=guessing.role_of("counts", table.columns, asked.noun), counts_given=False)


def _places(table: Table, asked: Asked, say: Say) -> dict[str, int]:
    """The places of user, item, rating and (if any) time; reports the guesses."""
    places, guessed = {}, []
    for role in ("user", "item", "rating", "time"):
        if role == "rating" and asked.no_rating:
            continue
        counts = role == "rating" and asked.counts is not None
        given = asked.counts if counts else getattr(asked, role)
        column = given if given is not None else guessing.role_of(role, table.columns, asked.noun)
        if role == "time" and not column:
            continue  # there is no such column, or it is left out
        if column is None:
            there = ", ".join(table.columns[:20])
            what, hint = f"no column looks like the {role}", f"give --{role} one of {there}"
            if role == "rating":
                hint += "; or --counts one that counts plays or purchases, or --no-rating if every row is one"
            raise CftuiError(what, where=table.path, hint=hint, option=role)
        places[role] = table.index(column, role)
        if given is None or (counts and not asked.counts_given):
            guessed.append(f"--{'counts' if counts else role} {table.columns[places[role]]}")
    _say_format(table, asked, guessed, say)
    at: dict[int, str] = {}
    for role, place in places.items():
        if at.setdefault(place, role) != role:
            what = f"column {table.columns[place]!r} for both --{at[place]} and --{role}"
            raise CftuiError(what, where=table.path, hint="give each its own column", option=role)
    return places


def _say_format(table: Table, asked: Asked, guessed: list[str], say: Say) -> None:
    if table.kind == "csv" and asked.delimiter is None:
        names = {"\t": "tab", ",": "comma", " ": "space"}
        guessed.append(f"--delimiter {names.get(table.delimiter, repr(table.delimiter))}")
    if asked.encoding is None and table.plain.encoding not in ("", "utf-8"):
        guessed.append(f"--encoding {table.plain.encoding}")
    if guessed:
        say(f"guessed for {table.path} (give an option to change it): {' '.join(guessed)}")


# Reading


def _read(table: Table, places: dict[str, int], faults: Faults, counted: bool) -> _Read:
    if len(set(places.values())) == len(places):
        # Without ratings the items are read in their place, and not used.
        value = places.get("rating", places["item"])
        found = quick(table, places["user"], places["item"], value, places.get("time"))
        read = None if found is None else _parsed(found, 1 + int(table.header), "rating" in places, counted)
        if read is not None:
            return read
    return _row_by_row(table, places, faults, counted)


def _value(text: str, counted: bool) -> float:
    """A rating, or a count above 0. Raises ValueError with the reason."""
    value = parse_rating(text)
    if counted and value <= 0:
        raise ValueError(f"count {shown(text)} is not above 0")
    return value


def _parsed(found: Columns, first_line: int, valued: bool, counted: bool) -> _Read | None:
    """Parse each distinct text once, by the same functions as row by row; None if one is malformed.

    Args:
        valued: whether there is a column of ratings or counts; otherwise every row counts as one.
    """
    try:
        users, user_ids = _distinct("user", found.user, found.texts["user"])
        items, item_ids = _distinct("item", found.item, found.texts["item"])
        texts = found.texts["rating"]
        levels = np.array([_value(text, counted) for text in texts] if valued else [1.0] * len(texts), np.float64)
    except ValueError:
        return None
    n = len(found.user)
    time = np.zeros(n, np.int64) if found.time is None else found.time
    # ``parse_time`` on all at once, for whole numbers.
    for _ in range(3):
        if n and (time.min() <= -(10**11) or time.max() >= 10**11):
            time = np.where((time <= -(10**11)) | (time >= 10**11), time // 1000, time)
    if n and (time.min() <= -(10**11) or time.max() >= 10**11):
        return None
    line = np.arange(first_line, first_line + n)
    return _Read(users, items, levels[found.rating], time, line, user_ids, item_ids)


def _distinct(what: str, codes: np.ndarray, texts: list[str]) -> tuple[np.ndarray, list[str]]:
    ids: dict[str, int] = {}
    # Blanks around an id do not change it.
    place = np.array([ids.setdefault(parse_id(what, text), len(ids)) for text in texts], dtype=np.int32)
    return place[codes], list(ids)


def _row_by_row(table: Table, places: dict[str, int], faults: Faults, counted: bool) -> _Read:
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    kept: dict[str, array] = {field.name: array("d" if field.name == "rating" else "q") for field in fields(_Read)[:5]}
    user, item, rating, time, line = kept.values()
    for number, cells in table.rows(list(places.values())):
        if isinstance(cells, str):
            faults.add(number, cells)
            continue
        try:
            row = dict(zip(places, cells, strict=True))
            who, what = parse_id("user", row["user"]), parse_id("item", row["item"])
            value = _value(row["rating"], counted) if "rating" in row else 1.0
            moment = parse_time(row["time"]) if "time" in row else 0
        except ValueError as error:
            faults.add(number, str(error))
            continue
        user.append(users.setdefault(who, len(users)))
        item.append(items.setdefault(what, len(items)))
        rating.append(value)
        time.append(moment)
        line.append(number)
    arrays = {name: np.frombuffer(values, values.typecode) for name, values in kept.items()}
    return _Read(**arrays, user_ids=list(users), item_ids=list(items))


def _resolve(file: Path, read: _Read, rule: Duplicates | Literal["sum"]) -> tuple[_Read, int]:
    """Reduce to one rating per user and item, in the place of the last; also return the number removed.

    Counts are added up.
    """
    key = read.user.astype(np.int64) * len(read.item_ids) + read.item
    again = pd.Series(key).duplicated(keep="first").to_numpy()
    count = int(again.sum())
    if not count:
        return read, 0
    if rule == "error":
        at = int(np.flatnonzero(again)[0])
        first = int(np.flatnonzero(key == key[at])[0])
        raise CftuiError(
            f"user {read.user_ids[read.user[at]]} rates item {read.item_ids[read.item[at]]} twice "
            f"(first on line {read.line[first]}), one of {count:,}",
            where=f"{file}:{read.line[at]}",
            hint="--duplicates last or mean keeps one",
            option="duplicates",
        )
    rating = read.rating
    if rule in ("mean", "sum"):
        which, _ = pd.factorize(key)
        total = np.bincount(which, rating)
        rating = (total / np.bincount(which) if rule == "mean" else total)[which]
    last = ~pd.Series(key).duplicated(keep="last").to_numpy()
    columns_of = {name: getattr(read, name)[last] for name in ("user", "item", "time", "line")}
    return _Read(**columns_of, rating=rating[last], user_ids=read.user_ids, item_ids=read.item_ids), count


def _items(asked: Asked, ids: list[str], item_column: str, scratch: Path, say: Say) -> dict[str, tuple[str, int, str]]:
    """Read title, year and genres by id from the file about the items."""
    assert asked.items is not None
    given = [column for column in (asked.item_id, asked.title, asked.genres, asked.year) if column is not None]
    numbered = asked.title is not None and all(column.isdecimal() for column in given)
    table = open_table(asked.items, _sub(scratch, "items"), encoding=asked.encoding, numbered=numbered)
    places, guessed = {}, []
    for role, option in (("item", "item-id"), ("title", "title"), ("genres", "genres"), ("year", "year")):
        column = asked.item_id if role == "item" else getattr(asked, role)
        if column is None and role == "item" and item_column in table.columns and table.header:
            column = item_column
        elif column is None:
            column = guessing.role_of(role, table.columns, asked.noun) if table.header else None
            column = "1" if column is None and role == "item" and numbered else column
            if column is not None:
                guessed.append(f"--{option} {column}")
        if column is None and role in ("item", "title"):
            there = ", ".join(table.columns[:20])
            what, hint = f"no column looks like the {role}", f"give --{option} one of {there}"
            raise CftuiError(what, where=table.path, hint=hint, option=option)
        if column is not None:
            places[role] = table.index(column, option)
    _say_format(table, Asked(delimiter="x" if table.kind != "csv" else None, encoding=asked.encoding), guessed, say)
    roles, faults = list(places), Faults(asked.items, asked.skip_bad)
    found: dict[str, tuple[str, int, str]] = {}
    for number, cells in table.rows(list(places.values())):
        try:
            if isinstance(cells, str):
                raise ValueError(cells)
            row = dict(zip(roles, cells, strict=True))
            key = parse_id(asked.noun, row["item"])
            if key in found:
                raise ValueError(f"{asked.noun} {shown(key)} occurs twice")
            title = " ".join(row["title"].split()) or key
            if title == UNKNOWN:
                raise ValueError(f"title {UNKNOWN!r} is reserved for the unknown")
            genres = parse_genres(row.get("genres", ""))
            _encodable(title, genres)
        except ValueError as error:
            faults.add(number, str(error))
            continue
        found[key] = title, parse_year(row["year"]) if "year" in row else year_of(title), genres
    faults.check()
    if faults.count:
        say(f"skipped {faults.count:,} malformed rows of {asked.items}: {faults.text}")
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


def _encodable(*texts: str) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{text[:40]!a} is not UTF-8; is all of the file in one encoding?") from None


# Encoding


def _sorted(ids: list[str]) -> tuple[list[int] | list[str], np.ndarray]:
    """Sort the ids, as whole numbers if all are; also return the place of each, int32 ``[ids]``."""
    whole = [as_int(one) for one in ids]
    numbers = [one for one in whole if one is not None]
    values: Any = numbers if len(numbers) == len(ids) else ids
    order = sorted(range(len(ids)), key=values.__getitem__)
    place = np.empty(len(ids), dtype=np.int32)
    place[order] = np.arange(len(ids), dtype=np.int32)
    return [values[at] for at in order], place


def _encode(read: _Read, rating: np.ndarray, described: dict[str, tuple[str, int, str]] | None) -> columns.Content:
    described = described or {}
    known = set(read.item_ids)
    every = [*read.item_ids, *(key for key in described if key not in known)]
    users, user_place = _sorted(read.user_ids)
    items, item_place = _sorted(every)
    facts = [described.get(str(key), (str(key), 0, "")) for key in items]
    return columns.Content(
        user=user_place[read.user],
        item=item_place[read.item],
        rating=rating,
        timestamp=read.time,
        users=pd.DataFrame({"user": users}),
        items=pd.DataFrame(
            {
                "item": items,
                "title": [title for title, _, _ in facts],
                "year": [year for _, year, _ in facts],
                "genres": [genres for _, _, genres in facts],
            }
        ),
    )


def imported_in_words(facts: dict[str, Any]) -> str:
    """What was imported, for the line after it: ``1,200 ratings, 1 to 5, by 40 users of 90 beers``."""
    low, high = facts["rating_range"]
    by = f"{facts['users']:,} users of {facts['items']:,} {facts['noun']}s"
    if facts.get("counted"):
        return f"{facts['ratings']:,} pairs, counted 1 to {high:g} times, by {by}"
    return f"{facts['ratings']:,} ratings, {low:g} to {high:g}, by {by}"


def recipe_for(facts: dict[str, Any]) -> str:
    """The recipe to try first."""
    return "ease" if facts.get("counted") else "model4"

"""Import ratings from a file of almost any format into binary columns; a failed import leaves nothing behind."""

from __future__ import annotations

import datetime
import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from cftui.data import columns
from cftui.data.formats import guessing, scores
from cftui.data.formats.tabular import SHAPES, Faults, Table, looks_like_matrix, open_table
from cftui.data.formats.values import shown
from cftui.data.store import adding, catalog, parts
from cftui.data.store.about_items import described, from_ratings
from cftui.data.store.asked import RULES, Asked, Duplicates, Say
from cftui.data.store.encoding import encode
from cftui.data.store.read import Read, read
from cftui.data.store.roles import guessed, is_feedback, places_of
from cftui.errors import CftuiError
from cftui.files import new_folder
from cftui.home import Home
from cftui.text import level, plural

# Names that a noun cannot have: columns of the ratings, and files of a data set.
_TAKEN = {"title", "user", "rating", "ratings", "timestamp", "year", "genres"}
# Above this, not every whole number is kept exactly.
EXACT = 2**24


def import_ratings(
    file: Path, name: str, home: Home, asked: Asked | None = None, say: Say = lambda line: None, *, into: bool = False
) -> dict[str, Any]:
    """Import ``file`` as the data set ``name`` and return its facts, as written to ``dataset.json``.

    An imported set of that name is replaced, once the new one is complete. ``say`` receives the guesses and the
    number of rows that were not used, one line each.

    Args:
        into: add the rows to the imported set of that name, by the same rule for duplicates.

    Raises:
        CftuiError: the name is taken or not plain, or the files hold no ratings that could be used; the message names
            file, line and what to change.
    """
    asked = asked or Asked()
    target = _target(name, home)
    _check(asked)
    with new_folder(target) as building:
        # Not before: until then another process may add rows to the set, or replace it.
        before = adding.read_set(name, home) if into else None
        if before is not None:
            asked = replace(asked, noun=before.noun, label=asked.label or before.label)
        with tempfile.TemporaryDirectory(dir=building, prefix="scratch-") as scratch:
            content, found = _content(file, asked, Path(scratch), say, before)
        facts = {
            "name": name,
            "label": _readable(asked.label or name),
            "noun": asked.noun,
            "kind": catalog.IMPORTED,
            "imported": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **found,
        }
        columns.write(building, content, facts)
        return columns.read_facts(building, "import it again")


def _check(asked: Asked) -> None:
    _check_noun(asked.noun)
    if (asked.rating is not None) + (asked.counts is not None) + asked.no_rating > 1:
        raise CftuiError("give one of --rating, --counts and --no-rating", option="rating")
    if asked.test is not None and asked.split_column is not None:
        raise CftuiError("give one of --test and --split-column", option="test")
    if asked.duplicates not in RULES:
        rules = ", ".join(RULES)
        raise CftuiError(f"must be one of {rules}", where=f"--duplicates {asked.duplicates}", option="duplicates")
    if asked.only is not None and not all(asked.only.partition("=")):
        raise CftuiError("give COL=TEXT, such as behaviour=play", where=f"--only {shown(asked.only)}", option="only")
    if asked.shape is not None and asked.shape not in SHAPES:
        shapes = ", ".join(SHAPES)
        raise CftuiError(f"must be one of {shapes}", where=f"--shape {asked.shape}", option="shape")


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


def _content(
    file: Path, asked: Asked, scratch: Path, say: Say, before: adding.Before | None
) -> tuple[columns.Content, dict[str, Any]]:
    named = [column for column in (asked.user, asked.item, asked.rating, asked.counts, asked.time) if column]
    table = open_table(
        file,
        _sub(scratch, "ratings"),
        delimiter=asked.delimiter,
        encoding=asked.encoding,
        quote=asked.quote,
        header=asked.header,
        shape=asked.shape,
        named=named,
    )
    guess = guessed(table, asked)
    places, counted = places_of(table, guess, asked, say)
    faults = Faults(file, asked.skip_bad)
    found = _read(table, places, faults, asked, counted)
    if asked.rating is None and asked.counts is None and not counted and is_feedback(found):
        counted = True
        say(
            f"{table.columns[places['rating']]} holds whole numbers with a long tail: read as counts, of plays or "
            f"purchases (--rating {table.columns[places['rating']]} if they are ratings)"
        )
    faults.check(len(found.line))
    _say_rows(found, faults, asked, say)
    if before is None:
        _check_rows(table, places, found, faults, counted, asked)
    elif not len(found.line):
        raise CftuiError("no ratings in it", where=file)
    _say_odd(table, places, found, counted, asked, say)
    skipped = faults.count
    if asked.test is not None:
        test, faults = _read_test(asked, asked.test, _sub(scratch, "test"), counted, "rating" in places, say)
        found, skipped = parts.with_test(found, test), skipped + faults.count
    parts.check(found, file)
    read_rows = len(found.line)
    found, twice = _resolve(file, found, "sum" if counted else asked.duplicates, asked.test)
    if twice and not counted:
        say(f"{plural(twice, 'rating')} of an item by a user who rates it again: --duplicates {asked.duplicates}")
    found, leaks = parts.without_known(found)
    if leaks:
        say(f"left out {plural(leaks, 'rating')} of the test part whose user and item are in the training part as well")
    about = (
        described(asked, found.item_ids, table.columns[places["item"]], _sub(scratch, "items"), say)
        if asked.items
        else from_ratings(found, asked, say)
    )
    replaced = 0
    if before is not None:
        found, about = before.joined(found, about, counted)
        found, replaced = _resolve(file, found, "sum" if counted else asked.duplicates)
        added = read_rows - twice - replaced - leaks
        found, _ = parts.without_known(found)
        what = (
            "added up with those of the same user and item"
            if counted
            else f"of a pair rated before: {asked.duplicates}"
        )
        say(f"{added:,} rows added to {before.ratings:,}; {replaced:,} {what}")
    _say_rounded(found.rating, say)
    content = encode(found, found.rating.astype(np.float32), about, say)
    if content.unrated is not None:
        say(f"{content.unrated.shape[1]:,} pairs without a rating are kept as choices, for ease and ials")
    facts: dict[str, Any] = {
        "source": _source(file),
        "columns": {role: _readable(table.columns[at]) for role, at in places.items()},
        "delimiter": table.delimiter,
        "encoding": table.plain.encoding,
        "duplicates": "sum" if counted else asked.duplicates,
        "counted": counted,
        "rows": found.rows,
        "merged": twice + leaks,
        "skipped": skipped,
        "unrated": found.unrated,
        "left_out": found.left_out,
        **({"added_to": before.ratings, "replaced": replaced} if before is not None else {}),
        "items_source": _source(asked.items) if asked.items else None,
        "test_source": _source(asked.test) if asked.test else None,
    }
    if found.held_back is not None:
        facts["held_back"] = int(found.held_back.sum())
    assert found.rows == read_rows + skipped + found.unrated + found.left_out
    return content, facts


def _read(table: Table, places: dict[str, int], faults: Faults, asked: Asked, counted: bool) -> Read:
    return read(
        table, places, faults, counted=counted, guessed_time=asked.time is None, only=asked.only_text,
        unrated=asked.unrated, test=asked.split_text,
    )  # fmt: skip


def _read_test(asked: Asked, file: Path, scratch: Path, counted: bool, valued: bool, say: Say) -> tuple[Read, Faults]:
    """The file of the test part, read as that of the training part, and its malformed rows.

    Args:
        valued: whether the training part has a column of ratings or counts.
    """
    table = open_table(
        file,
        scratch,
        delimiter=asked.delimiter,
        encoding=asked.encoding,
        quote=asked.quote,
        header=asked.header,
        shape=asked.shape,
    )
    places, _ = places_of(table, guessed(table, asked), asked, say)
    if ("rating" in places) != valued:
        have = "no ratings" if valued else "ratings"
        what = f"holds {have}, and the training part {'does' if valued else 'has none'}"
        raise CftuiError(what, where=file, hint="--rating COL says which column", option="test")
    faults = Faults(file, asked.skip_bad)
    found = _read(table, places, faults, asked, counted)
    faults.check(len(found.line))
    _say_rows(found, faults, asked, say)
    if not len(found.line):
        raise CftuiError("no ratings in it", where=file, option="test")
    return found, faults


def _readable(text: str) -> str:
    """What the command line or a header gave, bytes that are no UTF-8 replaced: it goes into a JSON file."""
    return text.encode(errors="replace").decode()


def _source(path: Path) -> str:
    return "-" if str(path) == "-" else _readable(str(path.absolute()))


def _sub(scratch: Path, name: str) -> Path:
    (scratch / name).mkdir()
    return scratch / name


# What is said of the rows


def _say_rows(found: Read, faults: Faults, asked: Asked, say: Say) -> None:
    """Every row that is not used is counted here."""
    for line in found.said:
        say(line)
    if faults.count:
        say(f"skipped {faults.count:,} malformed rows of {faults.path}: {faults.text}")
    if found.unrated:
        codes = f" or with {', '.join(f'{code:g}' for code in asked.unrated)}" if asked.unrated else ""
        say(f"left out {plural(found.unrated, 'row')} without a rating{codes}")
    if found.left_out:
        say(f"left out {plural(found.left_out, 'row')} in which {asked.only_column} is not {asked.only_text}")
    if found.empty:
        say(f"{plural(found.empty, 'row')} without any cell")


def _say_odd(table: Table, places: dict[str, int], found: Read, counted: bool, asked: Asked, say: Say) -> None:
    """What is odd about the ratings, and the option that sets it right."""
    if "rating" in places and "only" not in places:
        at = guessing.two_scales(table.columns, table.first, places)
        if at is not None:
            kinds = sorted({row[at] for row in table.first})
            say(
                f"column {table.word(at)} says what happened ({', '.join(kinds[:5])}), and the numbers of all are "
                f"taken together: keep one with --only {table.word(at)}={kinds[0]}"
            )
    if looks_like_matrix(table):
        say(f"{table.path} looks like a matrix of users and items, read as a rating a row: --shape matrix reads it")
    if counted or "rating" not in places:
        return
    assert found.levels is not None
    levels, weights = found.levels
    if scores.are_counts(levels, weights):
        column = table.word(places["rating"])
        say(f"{column} looks like counts of plays or purchases: --counts {column} reads them so")
    code = scores.not_rated(levels, weights)
    if code is not None:
        share = weights[levels == code].sum() / weights.sum()
        say(
            f"{share:.0%} of the ratings are {code:g}, apart from the others: if it means 'not rated', "
            f"--unrated {code:g} leaves these rows out, except for ease and ials"
        )


def _say_rounded(rating: np.ndarray, say: Say) -> None:
    """Large ratings are kept as float32, which cannot hold every whole number above 2^24."""
    kept = rating.astype(np.float32).astype(np.float64)
    off = np.flatnonzero((np.abs(rating) > EXACT) & (kept != rating))
    if len(off):
        one, count = off[0], plural(len(off), "rating")
        say(f"{count} above {EXACT:,} kept to seven digits: {level(rating[one])} as {level(kept[one])}")


def _check_rows(table: Table, places: dict[str, int], found: Read, faults: Faults, counted: bool, asked: Asked) -> None:
    """Raises CftuiError if nothing can be learned from the ratings."""
    file = table.path
    if not len(found.line):
        only = "malformed rows" if faults.count else "a header"
        only = "rows without a rating" if found.unrated else "rows of another kind" if found.left_out else only
        raise CftuiError(f"no ratings in it, only {only}", where=file)
    for what, ids in (("user", found.user_ids), (asked.noun, found.item_ids)):
        if len(ids) == 1:
            option = "user" if what == "user" else "item"
            hint = f"is {table.columns[places[option]]!r} the right column (--{option})?"
            if counted and found.unrated:
                column = table.word(places["rating"])
                hint = f"--no-rating counts every row, and --rating {column} reads ratings, of which 0 is one"
            raise CftuiError(
                f"all ratings are of one {what}, {shown(ids[0])}: nothing can be learned from that",
                where=file,
                hint=hint,
                option=option,
            )
    if not counted and found.rating.min() == found.rating.max():
        column = table.columns[places["rating"]]
        what = f"every rating is {found.rating.min():g}: nothing can be learned from that"
        hint = f"is {column!r} the right column (--rating)? --no-rating reads each row as a choice"
        raise CftuiError(what, where=file, hint=hint, option="rating")


def _resolve(file: Path, read: Read, rule: Duplicates | Literal["sum"], test: Path | None = None) -> tuple[Read, int]:
    """Reduce to one rating per user and item, in the place of the last; also return the number removed.

    The last is that of the latest time, and of these the last in the file. Counts are added up. A training and a test
    part are reduced each on its own.

    Args:
        test: the file of the test part, if it has its own.
    """
    key = read.user.astype(np.int64) * len(read.item_ids) + read.item
    if read.held_back is not None:
        key = 2 * key + read.held_back
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
            where=f"{test if test and read.held_back is not None and read.held_back[at] else file}:{read.line[at]}",
            hint="--duplicates last or mean keeps one",
            option="duplicates",
        )
    rating = read.rating
    if rule in ("mean", "sum"):
        which, _ = pd.factorize(key)
        total = np.bincount(which, rating)
        rating = (total / np.bincount(which) if rule == "mean" else total)[which]
    # Only the few that are rated twice are sorted: that is quick for a large file.
    several = np.flatnonzero(pd.Series(key).duplicated(keep=False).to_numpy())
    order = several[np.argsort(read.time[several], kind="stable")] if read.timed else several
    kept = np.ones(len(key), dtype=bool)
    kept[order[pd.Series(key[order]).duplicated(keep="last").to_numpy()]] = False
    return replace(read, rating=rating).where(kept), count


def imported_in_words(facts: dict[str, Any]) -> str:
    """What was imported, for the line after it: ``1,200 ratings, 1 to 5, by 40 users of 90 beers``."""
    low, high = (level(end) for end in facts["rating_range"])
    by = f"{plural(facts['users'], 'user')} of {plural(facts['items'], facts['noun'])}"
    if facts.get("counted"):
        return f"{facts['ratings']:,} pairs, counted {low} to {high} times, by {by}{parts.in_words(facts)}"
    chosen = f", {facts['unrated_pairs']:,} more chosen and not rated" if facts.get("unrated_pairs") else ""
    return f"{plural(facts['ratings'], 'rating')}, {low} to {high}, by {by}{chosen}{parts.in_words(facts)}"


def recipe_for(facts: dict[str, Any]) -> str:
    """The recipe to try first."""
    return "ease" if facts.get("counted") else "model4"

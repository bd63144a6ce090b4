"""The larger MovieLens sets as GroupLens publishes them: ``::`` between the columns of a .dat, or CSV with a header.

These sets have millions of ratings. They are read in one vectorised pass and cached as binary columns beside the files,
in ``columns/``, until the files change. A file that the pass cannot read is read again line by line, to name the line.
"""

from __future__ import annotations

import csv
import io
import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cftui.data import columns
from cftui.data.features import AGE_GROUPS
from cftui.data.formats.encodings import blocks
from cftui.data.formats.layouts import Layout
from cftui.data.formats.movielens import year_of
from cftui.data.formats.tabular import Faults
from cftui.data.formats.values import as_int, parse_rating, shown
from cftui.data.ratings import UNKNOWN, ItemKey, Ratings
from cftui.data.tables import Tables
from cftui.errors import CftuiError
from cftui.files import new_folder

NOUN = "movie"
CACHE = "columns"
NO_GENRES = "(no genres listed)"
# Tags on fewer movies than TAGGED say nothing about other movies; each movie keeps its TAGS most frequent ones. Both
# were chosen on the training ratings of ml-latest-small, where results hardly depend on them.
TAGGED = 3
TAGS = 8
# The occupations by their codes, from the README of ML-1M.
OCCUPATIONS = (
    "other or not specified",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
)


HIGH = 5.0


def read_tables(layout: Layout, folder: Path) -> Tables:
    """The data set as frames, from the binary columns, which are written first if necessary.

    Raises:
        CftuiError: a file is missing, or a row is malformed; the message names file and line.
    """
    return columns.read_tables(_cache(layout, folder), _remedy(layout.name))


def read_ratings(layout: Layout, folder: Path, item_key: ItemKey) -> Ratings:
    """The data set encoded as ``Ratings.encode(read_tables(layout, folder), item_key)`` would."""
    return columns.read_ratings(_cache(layout, folder), item_key, _remedy(layout.name))


def _remedy(name: str) -> str:
    return f"fetch it again: cftui data get {name}"


def _stamp(layout: Layout, folder: Path) -> dict[str, list[int]]:
    """Size and modification time of every file: the cache is valid while these are the same."""
    found = {}
    for name in (*layout.files, *filter(lambda name: (folder / name).is_file(), [layout.tags])):
        try:
            facts = (folder / name).stat()
        except OSError:
            there = ", ".join(layout.files)
            raise CftuiError(f"{folder / name}: no such file; a {layout.label} folder holds {there}") from None
        found[name] = [facts.st_size, facts.st_mtime_ns]
    return found


def _cache(layout: Layout, folder: Path) -> Path:
    stamp, cache = _stamp(layout, folder), folder / CACHE
    try:
        facts = json.loads((cache / columns.FACTS).read_text(encoding="utf-8"))
        if (facts["stamp"], facts["format"]) == (stamp, columns.FORMAT) and _whole(cache):
            return cache
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    content = _read(layout, folder)
    with new_folder(cache, wait=True) as building:
        facts = {
            "name": layout.name,
            "label": layout.label,
            "noun": NOUN,
            "rating_range": [layout.low, HIGH],
            "stamp": stamp,
        }
        columns.write(building, content, facts)
    return cache


def _whole(cache: Path) -> bool:
    """Whether the columns can be opened. A damaged cache is written again without complaint."""
    try:
        columns.check(cache)
    except CftuiError:
        return False
    return True


def _read(layout: Layout, folder: Path) -> columns.Content:
    items = _read_movies(layout, folder / layout.movies)
    if (folder / layout.tags).is_file():
        tags = _read_tags(layout, folder / layout.tags)
        items["tags"] = [tags.get(item, "") for item in items["item"].tolist()]
    frame = _read_ratings(layout, folder / layout.ratings)
    user, user_ids = pd.factorize(frame["user"].to_numpy(), sort=True)
    place = items["item"].searchsorted(frame["item"].to_numpy())
    found = np.minimum(place, len(items) - 1)
    wrong = items["item"].to_numpy()[found] != frame["item"].to_numpy()
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        line = row + 1 + int(not layout.dat)
        raise CftuiError(f"{folder / layout.ratings}:{line}: movie {frame['item'].iloc[row]} is not in {layout.movies}")
    pair = user.astype(np.int64) * len(items) + found
    again = pd.Series(pair).duplicated().to_numpy()
    if again.any():
        row = int(np.flatnonzero(again)[0])
        line = row + 1 + int(not layout.dat)
        raise CftuiError(
            f"{folder / layout.ratings}:{line}: user {frame['user'].iloc[row]} rates movie {frame['item'].iloc[row]} "
            f"a second time"
        )
    users = pd.DataFrame({"user": user_ids})
    if layout.users:
        users = users.merge(_read_users(folder / layout.users), on="user", how="left", validate="1:1").fillna("")
    return columns.Content(
        user=user.astype(np.int32),
        item=found.astype(np.int32),
        rating=frame["rating"].to_numpy(),
        timestamp=frame["timestamp"].to_numpy(),
        users=users,
        items=items,
    )


# Ratings


def _read_ratings(layout: Layout, path: Path) -> pd.DataFrame:
    """Columns ``user``, ``item``, ``timestamp`` (int64) and ``rating`` (float32), in file order."""
    # pandas reads ``::`` slowly, but ``:`` quickly, with empty columns in between.
    step = 2 if layout.dat else 1
    kinds: dict[str, Any] = {"user": "int64", "item": "int64", "rating": "float32", "timestamp": "int64"}
    names = [name if not at else f"{name}{at}" for name in kinds for at in range(step)][: 3 * step + 1]
    try:
        # An infinity among whole numbers is an error, about which numpy would warn as well.
        with np.errstate(invalid="ignore"):
            frame = pd.read_csv(
                path,
                sep=":" if layout.dat else ",",
                header=None,
                skiprows=int(not layout.dat),
                names=names,
                usecols=list(kinds),
                dtype=kinds,
                index_col=False,
                quoting=csv.QUOTE_NONE,
                skip_blank_lines=False,
                na_filter=False,
                engine="c",
            )
    except (ValueError, OverflowError, pd.errors.ParserError):
        frame = None
    if frame is None or not _well_formed(layout, path, frame):
        raise _diagnosis(layout, path)
    return frame


def _well_formed(layout: Layout, path: Path, frame: pd.DataFrame) -> bool:
    rating = frame["rating"].to_numpy()
    doubled = rating / np.float32(layout.low)
    if not len(frame) or rating.min() < layout.low or rating.max() > HIGH or (doubled != np.rint(doubled)).any():
        return False
    # pandas silently drops surplus fields, and text between the colons, so count the separators.
    rows, mark, cuts, lone = len(frame) + int(not layout.dat), b"::" if layout.dat else b",", 0, 0
    for block in blocks(path):
        cuts, lone = cuts + block.count(mark), lone + block.count(mark[:1])
    return cuts == 3 * rows and lone == 3 * rows * len(mark)


def _diagnosis(layout: Layout, path: Path) -> CftuiError:
    """Describe what is wrong with the file, from a second reading, line by line."""
    faults = Faults(path)
    mark, count = "::" if layout.dat else ",", 0
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if number == 1 and not layout.dat:
                if line.strip() != "userId,movieId,rating,timestamp":
                    faults.add(1, f"{shown(line.strip())} where userId,movieId,rating,timestamp belongs")
                continue
            count += 1
            cells = line.strip().split(mark)
            try:
                if len(cells) != 4:
                    raise ValueError(f"{len(cells)} columns where 4 belong (separated by {mark})")
                for what, cell in (("user", cells[0]), ("movie", cells[1]), ("timestamp", cells[3])):
                    if as_int(cell) is None:
                        raise ValueError(f"{what} {shown(cell)} is not a whole number")
                value = parse_rating(cells[2])
                if not layout.low <= value <= HIGH or not (value / layout.low).is_integer():
                    raise ValueError(f"rating {cells[2]} is not on the scale of {layout.low:g} to {HIGH:g}")
            except ValueError as error:
                faults.add(number, str(error))
    if not count:
        return CftuiError(f"{path}: no ratings in it")
    rows = f"{faults.count:,} malformed row{'s' if faults.count > 1 else ''}: {faults.text}"
    return CftuiError(f"{path}: {rows if faults.count else 'cannot be read as ratings'}; {_remedy(layout.name)}")


# Movies, tags and users


def _rows(path: Path, dat: bool, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells; ``strict`` about quotes."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # 1M is latin-1, the others UTF-8.
        text = content.decode("latin-1")
    if not dat:
        reader = csv.reader(io.StringIO(text, newline=""), strict=strict)
        line = 1
        try:
            for cells in reader:
                if cells and line > 1:
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise CftuiError(f"{path}:{line}: quoting: {error}") from None
        return
    # Only \n ends a line here: latin-1 files may hold \x85, which splitlines() would cut at.
    for line, row in enumerate(text.split("\n"), 1):
        if row.strip():
            yield line, row.rstrip("\r").split("::")


def _read_movies(layout: Layout, path: Path) -> pd.DataFrame:
    found: dict[int, tuple[str, int, str]] = {}
    for line, cells in _rows(path, layout.dat):
        if layout.dat and len(cells) > 3:
            cells = [cells[0], "::".join(cells[1:-1]), cells[-1]]
        if len(cells) != 3:
            raise CftuiError(f"{path}:{line}: {len(cells)} columns where 3 belong (movie, title, genres)")
        key, title = _id(path, line, "movie", cells[0]), cells[1].strip() or cells[0]
        if key in found:
            raise CftuiError(f"{path}:{line}: movie {key} occurs twice")
        if title == UNKNOWN:
            raise CftuiError(f"{path}:{line}: title {UNKNOWN!r} is reserved for the unknown")
        genres = "" if cells[2].strip() == NO_GENRES else cells[2].strip()
        found[key] = title, year_of(title), genres
    if not found:
        raise CftuiError(f"{path}: nothing in it")
    rows = [(key, *found[key]) for key in sorted(found)]
    return pd.DataFrame(rows, columns=["item", "title", "year", "genres"])


def _read_tags(layout: Layout, path: Path) -> dict[int, str]:
    """The tags of each movie, joined by ``|``: its ``TAGS`` most frequent ones that at least ``TAGGED`` movies have.

    Tags are free text; capitals and blanks are ignored.
    """
    users, movies, tags = array("q"), array("q"), array("q")
    texts: dict[str, int] = {}
    for line, cells in _rows(path, layout.dat, strict=False):
        if len(cells) != 4 and not (layout.dat and len(cells) > 4):
            raise CftuiError(f"{path}:{line}: {len(cells)} columns where 4 belong (user, movie, tag, timestamp)")
        text = " ".join("::".join(cells[2:-1]).casefold().replace("|", "/").split())
        if text:
            users.append(_id(path, line, "user", cells[0]))
            movies.append(_id(path, line, "movie", cells[1]))
            tags.append(texts.setdefault(text, len(texts)))
    given = pd.DataFrame({"user": users, "item": movies, "tag": tags}).drop_duplicates()
    people = given.groupby(["item", "tag"]).size().reset_index(name="people")
    people = people[people.groupby("tag")["item"].transform("size") >= TAGGED]
    people["text"] = np.array([*texts], dtype=object)[people["tag"]]
    best = people.sort_values(["people", "text"], ascending=[False, True]).groupby("item").head(TAGS)
    return best.groupby("item")["text"].agg("|".join).to_dict()


def _read_users(path: Path) -> pd.DataFrame:
    """Columns ``user``, ``gender``, ``age`` and ``occupation`` in the words of the README, ``zip_code``."""
    found: dict[int, tuple[str, str, str, str]] = {}
    for line, cells in _rows(path, dat=True):
        if len(cells) != 5:
            raise CftuiError(f"{path}:{line}: {len(cells)} columns where 5 belong (user, gender, age, occupation, zip)")
        key = _id(path, line, "user", cells[0])
        if key in found:
            raise CftuiError(f"{path}:{line}: user {key} occurs twice")
        age, occupation = _id(path, line, "age", cells[2]), _id(path, line, "occupation", cells[3])
        if cells[1] not in ("F", "M") or age not in AGE_GROUPS or not 0 <= occupation < len(OCCUPATIONS):
            raise CftuiError(
                f"{path}:{line}: gender, age or occupation is not one of the codes in the README: {cells[1:4]}"
            )
        found[key] = cells[1], AGE_GROUPS[age], OCCUPATIONS[occupation], cells[4]
    rows = [(key, *facts) for key, facts in found.items()]
    return pd.DataFrame(rows, columns=["user", "gender", "age", "occupation", "zip_code"])


def _id(path: Path, line: int, what: str, text: str) -> int:
    value = as_int(text.strip())
    if value is None:
        raise CftuiError(f"{path}:{line}: {what} {shown(text)} is not a whole number")
    return value

"""A data set as binary columns: the format of imported sets, and of the cache of the larger published ones.

A folder holds ``.npy`` columns, read memory-mapped: ``user`` and ``item`` (int32 rows of the tables below), ``rating``
(float32) and ``timestamp`` (int64), in file order; ``users.json`` and ``items.json``, the tables, a list per column and
sorted by id; and ``dataset.json``, the facts. A set that came with a test part has ``held_back`` (bool) as well, and
one that knows what was chosen and not rated has ``unrated_user``, ``unrated_item`` and ``unrated_timestamp``.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cftui.data.ratings import ItemKey, Ratings, Unrated
from cftui.data.tables import Tables
from cftui.errors import CftuiError
from cftui.files import check_ordinary, write_json

COLUMNS = {"user": np.int32, "item": np.int32, "rating": np.float32, "timestamp": np.int64}
FORMAT = 1
# Rows processed at a time.
BLOCK = 1_000_000
# A file is compared with its checksum when it is opened, unless that would take long.
CHECKED_BYTES = 10_000_000
FACTS = "dataset.json"
# The column of a set that came with a test part.
HELD_BACK = "held_back"
# The columns of what users chose and did not rate, in a set that knows it.
UNRATED = {"unrated_user": np.int32, "unrated_item": np.int32, "unrated_timestamp": np.int64}


@dataclass(frozen=True, eq=False)
class Content:
    """The content of the files.

    Attributes:
        user, item: int ``[n]``: row numbers of the tables.
        rating: float ``[n]``; timestamp: int ``[n]``, seconds since 1970, 0 if missing.
        users: column ``user`` and what is known about the users, sorted by id; each has ratings.
        items: columns ``item``, ``title``, ``year``, ``genres``, sorted by id; some may have no ratings.
        held_back: bool ``[n]``: which ratings are of the test part; None without one.
        unrated: user, item and time of what was chosen and not rated, int64 ``[3, m]``; None if nothing was.
    """

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray
    timestamp: np.ndarray
    users: pd.DataFrame
    items: pd.DataFrame
    held_back: np.ndarray | None = None
    unrated: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class ColumnTables(Tables):
    """``Tables`` with the fingerprint that was recorded when they were written, and titles that need no merge."""

    recorded: str = ""
    item_rows: np.ndarray | None = None

    @cached_property
    def fingerprint(self) -> str:
        return self.recorded

    @cached_property
    def titled(self) -> pd.DataFrame:
        # Sorted categories: ``Ratings.encode`` numbers titles in this order.
        which, titles = pd.factorize(self.items["title"], sort=True)
        return self.ratings.assign(title=pd.Categorical.from_codes(which[self.item_rows], categories=titles))


def write(folder: Path, content: Content, facts: dict[str, Any]) -> str:
    """Write ``content`` into an empty folder, the facts last; returns its fingerprint.

    Args:
        facts: at least ``name``, ``label`` and ``noun``; ``rating_range`` is derived from the ratings if missing, and
            ``counted`` says that they are counts.
    """
    digest, checksums = hashlib.sha256(), {}
    for name, kind in COLUMNS.items():
        values = np.ascontiguousarray(getattr(content, name), dtype=kind)
        np.save(folder / f"{name}.npy", values)
        digest.update(values.data)
        checksums[f"{name}.npy"] = _checksum(values)
    if content.held_back is not None:
        np.save(folder / f"{HELD_BACK}.npy", content.held_back)
        digest.update(HELD_BACK.encode() + content.held_back.tobytes())
        checksums[f"{HELD_BACK}.npy"] = _checksum(content.held_back)
    if content.unrated is not None:
        for (name, kind), rows in zip(UNRATED.items(), content.unrated, strict=True):
            values = np.ascontiguousarray(rows, dtype=kind)
            np.save(folder / f"{name}.npy", values)
            digest.update(name.encode() + values.tobytes())
            checksums[f"{name}.npy"] = _checksum(values)
    for name in ("users", "items"):
        text = json.dumps(getattr(content, name).to_dict("list"), ensure_ascii=False)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
        digest.update(text.encode())
        checksums[f"{name}.json"] = f"{zlib.crc32(text.encode()):08x}"
    fingerprint = digest.hexdigest()[:16]
    rating = np.asarray(content.rating, dtype=np.float32)
    derived = {
        "rating_range": [float(rating.min()), float(rating.max())],
        "ratings": len(rating),
        "users": len(content.users),
        "items": len(content.items),
        "given_split": content.held_back is not None,
        "unrated_pairs": 0 if content.unrated is None else content.unrated.shape[1],
        "fingerprint": fingerprint,
        "checksums": checksums,
        "format": FORMAT,
    }
    write_json(folder / FACTS, {**derived, **facts})
    return fingerprint


def _checksum(values: np.ndarray) -> str:
    # It is to notice an accident, at more than a gigabyte a second.
    return f"{zlib.crc32(values.data):08x}"


def read_facts(folder: Path, remedy: str) -> dict[str, Any]:
    """Read ``dataset.json``. Raises CftuiError, ending in ``remedy``, if it is missing, damaged or outdated."""
    path = folder / FACTS
    try:
        check_ordinary(path)
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or not isinstance(facts.get("checksums", {}), dict):
            raise ValueError("not a JSON object, or its checksums are none")
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']} instead of {FORMAT}")
        low, high = facts["rating_range"]
        _ = [float(low), float(high), *(int(facts[key]) for key in ("ratings", "users", "items"))]
        _ = [facts[key] for key in ("name", "label", "noun", "fingerprint")]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CftuiError(f"{path}: missing, damaged, or of another version ({error}); {remedy}") from None
    return facts


def check(folder: Path, remedy: str = "") -> None:
    """Raises CftuiError if a file is missing, truncated or malformed."""
    facts = read_facts(folder, remedy)
    _columns(folder, facts, remedy)
    _held_back(folder, facts, remedy)
    _unrated(folder, facts, remedy)
    for name in ("users", "items"):
        _side(folder, name, facts, remedy)


def damaged_files(folder: Path) -> list[str]:
    """Compare every file with its checksum, however large it is, and return a line for each that differs.

    Raises:
        CftuiError: ``dataset.json``, which holds the checksums, is missing or damaged.
    """
    problems = []
    for name, kept in read_facts(folder, "").get("checksums", {}).items():
        path = folder / Path(name).name
        try:
            check_ordinary(path)
            is_array = path.suffix == ".npy"
            found = _checksum(np.load(path, mmap_mode="r")) if is_array else f"{zlib.crc32(path.read_bytes()):08x}"
        except (OSError, EOFError, ValueError) as error:
            problems.append(f"{path}: missing or truncated ({error})")
            continue
        if found != kept:
            problems.append(f"{path}: its checksum differs")
    return problems


def read_tables(folder: Path, remedy: str) -> Tables:
    """The data set as frames.

    Raises:
        CftuiError: a file is missing, truncated or not what it should be; the message ends in ``remedy``.
    """
    facts = read_facts(folder, remedy)
    columns = _columns(folder, facts, remedy)
    users, items = (_side(folder, name, facts, remedy) for name in ("users", "items"))
    ratings = {
        "user": users["user"].array.take(columns["user"]),
        "item": items["item"].array.take(columns["item"]),
        "rating": columns["rating"],
        "timestamp": columns["timestamp"],
    }
    held_back = _held_back(folder, facts, remedy)
    found = _tables(facts, pd.DataFrame(ratings, copy=False), users, items, columns["item"], held_back)
    unrated = _unrated(folder, facts, remedy)
    if unrated is None:
        return found
    user, item, timestamp = unrated.values()
    raw = {"user": users["user"].array.take(user), "item": items["item"].array.take(item), "timestamp": timestamp}
    return replace(found, unrated=pd.DataFrame(raw))


def read_ratings(folder: Path, item_key: ItemKey, remedy: str) -> Ratings:
    """The data set encoded as ``Ratings.encode(read_tables(folder), item_key)`` would, without the frames.

    Raises:
        CftuiError: as ``read_tables``, or ``item_key`` is neither title nor id.
    """
    if item_key not in ("title", "id"):
        raise CftuiError(f"no item key {item_key!r}; choose title or id")
    facts = read_facts(folder, remedy)
    columns = _columns(folder, facts, remedy)
    users, items = (_side(folder, name, facts, remedy) for name in ("users", "items"))
    rated = np.flatnonzero(sum(np.bincount(rows, minlength=len(items)) for rows in _blocks(columns["item"])))
    code_of = np.zeros(len(items), dtype=np.int64)
    which, keys = pd.factorize(items["title" if item_key == "title" else "item"].iloc[rated], sort=True)
    code_of[rated] = which + 1
    # These tables have no ratings: ``assemble`` takes everything else from them.
    tables = _tables(facts, pd.DataFrame(), users, items, columns["item"], _held_back(folder, facts, remedy))
    return Ratings.assemble(
        tables,
        item_key,
        user=np.add(columns["user"], 1, dtype=np.int64),
        user_ids=users["user"].tolist(),
        item=_taken(code_of, columns["item"]),
        item_ids=keys.tolist(),
        rating=columns["rating"],
        timestamp=columns["timestamp"],
        unrated=_coded(_unrated(folder, facts, remedy), code_of),
    )


def _coded(unrated: dict[str, np.ndarray] | None, code_of: np.ndarray) -> Unrated | None:
    """What was chosen and not rated, in the codes of the ratings."""
    if unrated is None:
        return None
    user, item, timestamp = unrated.values()
    return Unrated(np.add(user, 1, dtype=np.int64), code_of[item], timestamp)


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Blocks of ``rows``: numpy copies an index as int64, which for tens of millions takes longer than the rest."""
    return (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))


def _taken(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """``values[rows]``, block by block."""
    found = np.empty(len(rows), values.dtype)
    for block, out in zip(_blocks(rows), _blocks(found), strict=True):
        values.take(block, out=out, mode="clip")  # ``_columns`` has checked the bounds
    return found


def _tables(
    facts: dict[str, Any],
    ratings: pd.DataFrame,
    users: pd.DataFrame,
    items: pd.DataFrame,
    item_rows: np.ndarray,
    held_back: np.ndarray | None,
) -> ColumnTables:
    low, high = facts["rating_range"]
    return ColumnTables(
        name=facts["name"],
        label=facts["label"],
        noun=facts["noun"],
        ratings=ratings,
        items=items,
        users=users,
        rating_range=(low, high),
        counted=bool(facts.get("counted", False)),
        held_back=held_back,
        recorded=facts["fingerprint"],
        item_rows=item_rows,
    )


def _side(folder: Path, name: str, facts: dict[str, Any], remedy: str) -> pd.DataFrame:
    path = folder / f"{name}.json"
    wanted = {"users": {"user"}, "items": {"item", "title", "year", "genres"}}[name]
    try:
        check_ordinary(path)
        text = path.read_bytes()
        kept = facts.get("checksums", {}).get(path.name)
        if kept is not None and len(text) <= CHECKED_BYTES and kept != f"{zlib.crc32(text):08x}":
            raise ValueError("its checksum differs")
        frame = pd.DataFrame(json.loads(text))
        if not wanted <= set(frame.columns) or len(frame) != facts[name]:
            raise ValueError(f"{len(frame)} rows instead of {facts[name]}, or columns missing")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CftuiError(f"{path}: missing or damaged ({error}); {remedy}") from None
    return frame


def _columns(folder: Path, facts: dict[str, Any], remedy: str) -> dict[str, np.ndarray]:
    """All arrays, once types, lengths and bounds are what ``dataset.json`` says."""
    return _checked(folder, COLUMNS, facts["ratings"], facts, remedy)


def _unrated(folder: Path, facts: dict[str, Any], remedy: str) -> dict[str, np.ndarray] | None:
    """What was chosen and not rated: the arrays of ``UNRATED``, likewise checked."""
    pairs = facts.get("unrated_pairs", 0)
    return _checked(folder, UNRATED, pairs, facts, remedy) if pairs else None


def _checked(
    folder: Path, kinds: Mapping[str, type], length: int, facts: dict[str, Any], remedy: str
) -> dict[str, np.ndarray]:
    columns = load_columns(folder, kinds, dict.fromkeys(kinds, length), remedy)
    for name, column in columns.items():
        kept = facts.get("checksums", {}).get(f"{name}.npy")
        if kept is not None and column.nbytes <= CHECKED_BYTES and kept != _checksum(column):
            raise CftuiError(f"{folder / name}.npy: damaged (its checksum differs); {remedy}")
        what = name.removeprefix("unrated_")
        if what in ("user", "item") and len(column):
            size = facts[f"{what}s"]
            if not 0 <= column.min() <= column.max() < size:
                raise CftuiError(f"{folder / name}.npy: row numbers outside the {size} {what}s; {remedy}")
    return columns


def _held_back(folder: Path, facts: dict[str, Any], remedy: str) -> np.ndarray | None:
    if not facts.get("given_split", False):
        return None
    return _checked(folder, {HELD_BACK: np.bool_}, facts["ratings"], facts, remedy)[HELD_BACK]


def load_columns(
    folder: Path, kinds: Mapping[str, type], lengths: Mapping[str, int], remedy: str
) -> dict[str, np.ndarray]:
    """The ``.npy`` columns of a folder, memory-mapped.

    Args:
        kinds, lengths: the type and the number of rows that each must have.

    Raises:
        CftuiError: a file is missing, truncated or not what it should be; the message ends in ``remedy``.
    """
    columns = {}
    for name, kind in kinds.items():
        path = folder / f"{name}.npy"
        try:
            check_ordinary(path)
            # Copy on write: torch needs writable arrays, and the file must not change.
            column = np.load(path, mmap_mode="c").view(np.ndarray)
        except (OSError, EOFError, ValueError) as error:
            raise CftuiError(f"{path}: missing or truncated ({error}); {remedy}") from None
        if column.dtype != kind or column.shape != (lengths[name],):
            stored = f"{column.dtype} {list(column.shape)} instead of {np.dtype(kind)} [{lengths[name]}]"
            raise CftuiError(f"{path}: {stored}; {remedy}")
        columns[name] = column
    return columns

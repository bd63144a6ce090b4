"""The training and the test part of a data set that comes with a split of its own: joined, checked, without leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cftui.data.store.read import Read
from cftui.errors import CftuiError


def codes(known: Sequence[str], new: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """The place of each new id among all of them, int32 ``[new]``, and all ids."""
    ids = {one: place for place, one in enumerate(known)}
    return np.array([ids.setdefault(one, len(ids)) for one in new], dtype=np.int32), list(ids)


def joined(first: Read, second: Read) -> np.ndarray | None:
    """Which ratings of two data sets, one behind the other, are of a test part; None if neither has one."""
    if first.held_back is None and second.held_back is None:
        return None
    each = (np.zeros(len(one.line), bool) if one.held_back is None else one.held_back for one in (first, second))
    return np.concatenate(list(each))


def with_test(train: Read, test: Read) -> Read:
    """The rows of both; those of ``test`` form the test part."""
    users, user_ids = codes(train.user_ids, test.user_ids)
    items, item_ids = codes(train.item_ids, test.item_ids)
    place = {"user": users[test.user], "item": items[test.item]}
    rows: dict[str, Any] = {
        name: np.concatenate((getattr(train, name), place.get(name, getattr(test, name))))
        for name in ("user", "item", "rating", "time", "line")
    }
    counts: dict[str, Any] = {
        name: getattr(train, name) + getattr(test, name) for name in ("rows", "unrated", "left_out", "empty")
    }
    held = np.repeat([False, True], [len(train.line), len(test.line)])
    labels = {
        role: _labels(train.labels.get(role, []), test.labels.get(role, []), len(train.item_ids), len(item_ids), items)
        for role in train.labels.keys() | test.labels.keys()
    }
    return replace(
        train, **rows, **counts, user_ids=user_ids, item_ids=item_ids, timed=train.timed and test.timed,
        labels=labels, held_back=held,
    )  # fmt: skip


def _labels(train: Sequence[str], test: Sequence[str], known: int, size: int, place: np.ndarray) -> list[str]:
    """What is said of each item: by the training part or, of the others, by the test part."""
    found = [*(train or [""] * known), *[""] * (size - known)]
    for at, text in zip(place.tolist(), test, strict=False):
        found[at] = found[at] or text
    return found


def without_known(read: Read) -> tuple[Read, int]:
    """Without the test ratings of a pair that trains, and how many there were: a model would know the answer."""
    if read.held_back is None:
        return read, 0
    key = read.user.astype(np.int64) * len(read.item_ids) + read.item
    leaks = read.held_back & pd.Index(key).isin(key[~read.held_back])
    count = int(leaks.sum())
    return (read.where(~leaks), count) if count else (read, 0)


def check(read: Read, path: Path) -> None:
    """Raises CftuiError if one of the two parts is empty."""
    if read.held_back is None or (read.held_back.any() and not read.held_back.all()):
        return
    which = "test" if read.held_back.all() else "training"
    hint = "name the text of the test part: --split-column COL=TEXT, or --test FILE"
    raise CftuiError(f"all ratings are of the {which} part", where=path, hint=hint, option="split-column")


def in_words(facts: Mapping[str, object]) -> str:
    """``, 20,000 of them held back (--split given)``; empty for a set without a test part."""
    return f", {facts['held_back']:,} of them held back (--split given)" if facts.get("given_split") else ""

"""Ratings as read from a file, encoded as the columns and tables of a data set."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from cftui.data import columns
from cftui.data.formats.values import as_int, shown
from cftui.data.store.about_items import Described
from cftui.data.store.asked import Say
from cftui.data.store.read import Read


def _sorted(ids: list[str]) -> tuple[list[int] | list[str], np.ndarray]:
    """Sort the ids, as whole numbers if all are; also return the place of each, int32 ``[ids]``."""
    whole = [as_int(one) for one in ids]
    numbers = [one for one in whole if one is not None]
    values: Any = numbers if len(numbers) == len(ids) else ids
    order = sorted(range(len(ids)), key=values.__getitem__)
    place = np.empty(len(ids), dtype=np.int32)
    place[order] = np.arange(len(ids), dtype=np.int32)
    return [values[at] for at in order], place


def _told_apart(titles: list[str], ids: list[Any], say: Say) -> list[str]:
    """Titles with the id behind those that several items have, so that these stay several wherever titles are shown."""
    counts = Counter(titles)
    found = [f"{title} [{one}]" if counts[title] > 1 else title for title, one in zip(titles, ids, strict=True)]
    if several := sum(count for count in counts.values() if count > 1):
        example = shown(next(one for one in found if one not in counts))
        say(f"{several:,} items share their title with another: their ids are added to it, as in {example}")
    return found


def encode(read: Read, rating: np.ndarray, described: Described | None, say: Say) -> columns.Content:
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
        held_back=read.held_back,
        unrated=_unrated(read, user_place, item_place),
        users=pd.DataFrame({"user": users}),
        items=pd.DataFrame(
            {
                "item": items,
                "title": _told_apart([title for title, _, _ in facts], items, say),
                "year": [year for _, year, _ in facts],
                "genres": [genres for _, _, genres in facts],
            }
        ),
    )


def _unrated(read: Read, user_place: np.ndarray, item_place: np.ndarray) -> np.ndarray | None:
    """What was chosen and not rated, each pair once and no rated pair: int64 ``[3, m]``; None if nothing."""
    user, item, time = read.chosen.among(read.user_ids, read.item_ids)
    key = user * len(read.item_ids) + item
    rated = np.isin(key, read.user.astype(np.int64) * len(read.item_ids) + read.item)
    _, first = np.unique(key, return_index=True)
    kept = np.sort(first[~rated[first]])
    return np.stack((user_place[user[kept]], item_place[item[kept]], time[kept])) if len(kept) else None

"""Ratings encoded for training: arrays of codes, and the vocabularies that they point into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from cftui.data.tables import Tables
from cftui.errors import CftuiError, suggestion

UNKNOWN = "#na#"
ItemKey = Literal["title", "id"]


@dataclass(frozen=True)
class Vocabulary:
    """A mapping from raw ids to consecutive codes and back. Code 0 is the unknown, ``#na#``, as in the chapter."""

    classes: tuple[str | int, ...]

    def __post_init__(self) -> None:
        if not self.classes or self.classes[0] != UNKNOWN:
            raise ValueError(f"a vocabulary begins with {UNKNOWN!r}")

    @classmethod
    def of(cls, raw: Iterable[str | int]) -> Vocabulary:
        """The vocabulary of these ids, sorted and without repetition."""
        return cls((UNKNOWN, *sorted(set(raw))))

    def __len__(self) -> int:
        return len(self.classes)

    @cached_property
    def _codes(self) -> dict[str | int, int]:
        return {raw: code for code, raw in enumerate(self.classes)}

    def code(self, raw: str | int) -> int | None:
        """The code of one id, or None. ``"196"`` finds the id 196, since typed ids are always text."""
        found = self._codes.get(raw)
        if found is None and isinstance(raw, str) and raw.strip().isdecimal():
            found = self._codes.get(int(raw))
        elif found is None and isinstance(raw, (int, np.integer)):
            found = self._codes.get(str(raw))
        return found or None

    def encode(self, raw: Sequence[str | int] | pd.Series) -> np.ndarray:
        """Codes of the ids, int64 ``[n]``; unknown ids become 0."""
        return np.maximum(pd.Index(self.classes, dtype=object).get_indexer(pd.Index(raw, dtype=object)), 0)


class Grouped:
    """An index of the rows of each code, built once: ``rows(code)`` then takes no time, whatever the size.

    Args:
        codes: int ``[n]``.
        size: the size of the vocabulary.
    """

    def __init__(self, codes: np.ndarray, size: int) -> None:
        self._starts = np.concatenate(([0], np.cumsum(np.bincount(codes, minlength=size))))
        # Ratings sorted by user, as in the larger sets, need no separate order.
        in_order = bool((codes[1:] >= codes[:-1]).all())
        self._order = None if in_order else np.argsort(codes, kind="stable").astype(np.uint32)

    def rows(self, code: int) -> np.ndarray:
        """Row numbers in ascending order."""
        start, end = self._starts[code], self._starts[code + 1]
        return np.arange(start, end) if self._order is None else self._order[start:end].astype(np.int64)


@dataclass(frozen=True, eq=False)
class Unrated:
    """What users chose and did not rate.

    Attributes:
        user, item: int64 codes ``[m]``; timestamp: int64 seconds ``[m]``, 0 if missing.
    """

    user: np.ndarray
    item: np.ndarray
    timestamp: np.ndarray

    def __len__(self) -> int:
        return len(self.user)

    @cached_property
    def _last_user(self) -> int:
        return int(self.user.max(initial=0))

    @cached_property
    def _by_user(self) -> Grouped:
        return Grouped(self.user, self._last_user + 1)

    def of_user(self, user: int) -> np.ndarray:
        """The item codes of one user, int64."""
        return self.item[self._by_user.rows(user)] if user <= self._last_user else self.item[:0]


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings as the engine trains on them.

    Attributes:
        user, item: int64 codes ``[n]``.
        rating: float32 ``[n]``.
        timestamp: int64 seconds ``[n]``.
        users, items: the vocabularies the codes point into.
        user_table, item_table: one row per code, row 0 for the unknown. ``item_table`` has ``title``, ``year``,
            ``genres``, ``ratings`` (their number) and, if the data set has them, ``tags``.
        item_key: what identifies an item. ``title`` (the chapter's choice) merges ids that share a title.
        counted: whether ``rating`` holds how often the user chose the item (plays, purchases, views), and not a rating.
        held_back: bool ``[n]``, which ratings are of the test part that the data set came with; None if it has none.
        unrated: what users chose and did not rate: input for models of choices, and nothing to any other; None if
            nothing is known.
    """

    name: str
    noun: str
    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray
    timestamp: np.ndarray
    users: Vocabulary
    items: Vocabulary
    item_key: ItemKey
    rating_range: tuple[float, float]
    fingerprint: str
    user_table: pd.DataFrame = field(repr=False)
    item_table: pd.DataFrame = field(repr=False)
    known_splits: tuple[str, ...] = ()
    counted: bool = False
    held_back: np.ndarray | None = None
    unrated: Unrated | None = None

    def __len__(self) -> int:
        return len(self.rating)

    @cached_property
    def by_user(self) -> Grouped:
        """The rows of each user."""
        return Grouped(self.user, len(self.users))

    @cached_property
    def by_item(self) -> Grouped:
        """The rows of each item."""
        return Grouped(self.item, len(self.items))

    @cached_property
    def mean(self) -> float:
        """The mean of all ratings; 0 without ratings."""
        return float(self.rating.mean(dtype=np.float64)) if len(self.rating) else 0.0

    @cached_property
    def item_means(self) -> np.ndarray:
        """Mean rating per item code, float64 ``[items]``, NaN without ratings."""
        sums = np.bincount(self.item, weights=self.rating, minlength=len(self.items))
        counts = np.bincount(self.item, minlength=len(self.items))
        return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)

    @cached_property
    def levels(self) -> tuple[float, ...]:
        """The distinct rating values, ascending; none for counts, which have no scale."""
        if self.counted:
            return ()
        # Hashing: sorting tens of millions of ratings to find ten values takes seconds.
        return tuple(sorted(float(value) for value in pd.unique(self.rating)))

    @property
    def nouns(self) -> str:
        return f"{self.noun}s"

    @classmethod
    def encode(cls, tables: Tables, item_key: ItemKey = "title") -> Ratings:
        """Encode a data set, keying items by title or by id.

        Raises:
            CftuiError: ``item_key`` is neither.
        """
        if item_key not in ("title", "id"):
            raise CftuiError(f"no item key {item_key!r}; choose title or id")
        frame = tables.titled
        keys = frame["title"] if item_key == "title" else frame["item"]
        user_codes, user_ids = pd.factorize(frame["user"], sort=True)
        item_codes, item_ids = pd.factorize(keys, sort=True)
        return cls.assemble(
            tables,
            item_key,
            user=user_codes.astype(np.int64) + 1,
            user_ids=user_ids.tolist(),
            item=item_codes.astype(np.int64) + 1,
            item_ids=item_ids.tolist(),
            rating=frame["rating"].to_numpy(np.float32),
            timestamp=frame["timestamp"].to_numpy(np.int64),
            unrated=cls._unrated(tables, item_key, user_ids, item_ids),
        )

    @staticmethod
    def _unrated(tables: Tables, item_key: ItemKey, user_ids: pd.Index, item_ids: pd.Index) -> Unrated | None:
        if tables.unrated is None:
            return None
        frame = tables.unrated
        keys = frame["item"]
        if item_key == "title":
            keys = keys.map(tables.items.drop_duplicates("item").set_index("item")["title"])
        user, item = (pd.Index(ids).get_indexer(raw) for ids, raw in ((user_ids, frame["user"]), (item_ids, keys)))
        return Unrated(user + 1, item + 1, frame["timestamp"].to_numpy(np.int64))

    @classmethod
    def assemble(
        cls,
        tables: Tables,
        item_key: ItemKey,
        *,
        user: np.ndarray,
        user_ids: list[str | int],
        item: np.ndarray,
        item_ids: list[str | int],
        rating: np.ndarray,
        timestamp: np.ndarray,
        unrated: Unrated | None = None,
    ) -> Ratings:
        """Assemble encoded ratings with the names and tables of ``tables``, whose ``ratings`` are not read.

        Args:
            user, item: int64 codes ``[n]``, from 1.
            user_ids, item_ids: the ids of the codes, sorted, without the unknown.
        """
        users, items = (UNKNOWN, *user_ids), (UNKNOWN, *item_ids)
        column = "title" if item_key == "title" else "item"
        item_table = tables.items.drop_duplicates(column).set_index(column, drop=False).reindex(list(items))
        item_table["ratings"] = np.bincount(item, minlength=len(items))
        kept = [name for name in ("title", "year", "genres", "ratings", "tags") if name in item_table]
        item_table = item_table.reset_index(drop=True)[kept]
        item_table = item_table.fillna({"title": UNKNOWN, "year": 0, "genres": "", "tags": ""}).astype({"year": int})
        user_table = tables.users.set_index("user", drop=False).reindex(list(users)).reset_index(drop=True)
        user_table["ratings"] = np.bincount(user, minlength=len(users))
        return cls(
            name=tables.name,
            noun=tables.noun,
            user=user,
            item=item,
            rating=rating,
            timestamp=timestamp,
            users=Vocabulary(users),
            items=Vocabulary(items),
            item_key=item_key,
            rating_range=tables.rating_range,
            fingerprint=tables.fingerprint,
            user_table=user_table,
            item_table=item_table,
            known_splits=tables.known_splits,
            counted=tables.counted,
            held_back=tables.held_back,
            unrated=unrated,
        )

    def user_code(self, raw: str | int) -> int:
        """The code of a user. Raises CftuiError if the data set has no such user."""
        code = self.users.code(raw)
        if code is None:
            ids = self.users.classes[1:]
            span = f"ids run from {ids[0]} to {ids[-1]}" if ids else "there are none"
            raise CftuiError(f"no user {raw} in {self.name}; {span}")
        return code

    def item_code(self, raw: str | int) -> int:
        """The code of an item by its exact key. Raises CftuiError if the data set has no such item."""
        code = self.items.code(raw)
        if code is None:
            near = suggestion(str(raw), [str(c) for c in self.items.classes[1:]]) if isinstance(raw, str) else ""
            hint = near if near.startswith("did") else "search for it in the app"
            raise CftuiError(f"no {self.noun} {raw!r} in {self.name}; {hint}")
        return code

"""A data set as its publisher wrote it: three data frames and a fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Totals:
    """The ratings of each user, or of each item, counted and summed.

    Attributes:
        codes: for each rating, which of ``ids`` it belongs to, int32 ``[n]``.
        ids: raw ids in the order in which they first occur.
        ratings: their numbers of ratings, int64 ``[ids]``; ``sums`` the sums of their ratings, float64 ``[ids]``.
    """

    codes: np.ndarray
    ids: pd.Index
    ratings: np.ndarray
    sums: np.ndarray

    @classmethod
    def of(cls, ids: pd.Series, ratings: pd.Series) -> Totals:
        codes, found = pd.factorize(ids)
        sums = np.bincount(codes, weights=ratings.to_numpy(np.float64), minlength=len(found))
        return cls(codes.astype(np.int32), pd.Index(found), np.bincount(codes, minlength=len(found)), sums)

    @property
    def frame(self) -> pd.DataFrame:
        """Columns ``ratings`` and ``total``, by raw id."""
        return pd.DataFrame({"ratings": self.ratings, "total": self.sums}, index=self.ids)


@dataclass(frozen=True, eq=False)
class Tables:
    """A data set with raw ids, before encoding.

    Attributes:
        name: what ``--data`` calls it, and the name of its folder.
        label: its name for people.
        noun: the word for one item on screen, such as ``movie``.
        ratings: columns ``user``, ``item``, ``rating``, ``timestamp`` (seconds since 1970, UTC), in file order.
        items: columns ``item``, ``title``, ``year`` (0 where unknown), ``genres`` (joined by ``|``)
            and, if there are any, ``tags`` (likewise, the most frequent first).
        users: column ``user``, then what is known about the users (``age``, ``gender``, ``occupation``).
        rating_range: the lowest and the highest rating of the scale.
        known_splits: names of the published splits that go with the row order (``u1`` ...).
        counted: whether the column ``rating`` holds how often an item was chosen, and not a rating.
        held_back: bool ``[n]``, which ratings are of the test part that the data set came with; None if it has none.
        unrated: columns ``user``, ``item``, ``timestamp``: what users chose and did not rate; None if nothing is known.
            Each has ratings elsewhere, and no pair is among the ratings.
    """

    name: str
    label: str
    noun: str
    ratings: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    rating_range: tuple[float, float]
    known_splits: tuple[str, ...] = ()
    counted: bool = False
    held_back: np.ndarray | None = None
    unrated: pd.DataFrame | None = None

    @property
    def nouns(self) -> str:
        return f"{self.noun}s"

    @cached_property
    def per_user(self) -> Totals:
        """The ratings of each user, which every statistic needs: found once, since of many ratings it takes a while."""
        return Totals.of(self.ratings["user"], self.ratings["rating"])

    @cached_property
    def per_item(self) -> Totals:
        """The same of each item."""
        return Totals.of(self.ratings["item"], self.ratings["rating"])

    def totals(self, column: str) -> Totals:
        """``per_user`` or ``per_item``, by the name of the column."""
        return self.per_user if column == "user" else self.per_item

    @cached_property
    def titled(self) -> pd.DataFrame:
        """The ratings merged with the titles, as in the chapter, in file order."""
        return self.ratings.merge(self.items[["item", "title"]], on="item", how="left")

    @cached_property
    def fingerprint(self) -> str:
        """A hex digest of the content: the same data has the same digest, whatever its source and packing."""
        digest = hashlib.sha256()
        for frame in (self.ratings, self.items, self.users):
            for column in frame.columns:
                values = frame[column]
                digest.update(f"{column}:{len(values)}\n".encode())
                if pd.api.types.is_numeric_dtype(values):
                    digest.update(np.ascontiguousarray(values.to_numpy(), dtype="<f8").tobytes())
                else:
                    digest.update("\x1f".join(values.astype(str)).encode())
        return digest.hexdigest()[:16]

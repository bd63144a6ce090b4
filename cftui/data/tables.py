"""A data set as its publisher wrote it: three data frames and a fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Tables:
    """Raw ids, nothing encoded yet.

    Attributes:
        name: what ``--data`` calls it, and the name of its folder.
        label: what a person calls it.
        noun: what one item is called on screen (``movie``), singular.
        ratings: columns ``user``, ``item``, ``rating``, ``timestamp`` (seconds since 1970, UTC), in file order.
        items: columns ``item``, ``title``, ``year`` (0 where unknown), ``genres`` (joined by ``|``)
            and, where there are any, ``tags`` (likewise, those that most people gave first).
        users: columns ``user``, then whatever is known of them (``age``, ``gender``, ``occupation``).
        rating_range: the lowest and highest rating the scale allows.
        known_splits: names of the published splits that go with the row order (``u1`` ...).
    """

    name: str
    label: str
    noun: str
    ratings: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    rating_range: tuple[float, float]
    known_splits: tuple[str, ...] = ()

    @property
    def nouns(self) -> str:
        return f"{self.noun}s"

    @cached_property
    def titled(self) -> pd.DataFrame:
        """The ratings merged with the titles, as in the chapter; file order kept."""
        return self.ratings.merge(self.items[["item", "title"]], on="item", how="left")

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest of the content: the same for the same data, wherever it came from and however it was packed."""
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

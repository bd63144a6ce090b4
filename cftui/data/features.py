"""Side features: facts about users and items other than ratings, as codes that a model can learn from."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cftui.data.ratings import Ratings

# Items with more features keep the most frequent ones: each feature costs every row of the table a column.
MOST = 24

# Age groups by their youngest age, from the README of ML-1M; ages in years are grouped in the same way.
AGE_GROUPS = {1: "Under 18", 18: "18-24", 25: "25-34", 35: "35-44", 45: "45-49", 50: "50-55", 56: "56+"}


@dataclass(frozen=True, eq=False)
class Features:
    """The features of one side, users or items.

    Attributes:
        codes: int32 ``[rows, most]``, the features of each code of the vocabulary, padded with 0. Row 0, the unknown,
            has no features. ``most`` is 0 if nothing is known about any row.
        names: the names of the codes, ascending; ``names[0]``, for the padding, is empty.
    """

    codes: np.ndarray
    names: tuple[str, ...]


def item_features(ratings: Ratings) -> Features:
    """The features of items: genres, the decade of release if the year is known, and tags if there are any."""
    table = ratings.item_table
    decades = ([f"{year // 10 * 10}s"] if year else [] for year in table["year"].tolist())
    parts = [_listed("genre", table["genres"]), decades]
    if "tags" in table:
        parts.append(_listed("tag", table["tags"]))
    return _encoded(list(itertools.chain.from_iterable(row)) for row in zip(*parts, strict=True))


def user_features(ratings: Ratings) -> Features:
    """The features of users: age group, gender and occupation, as far as the data set has them."""
    table = ratings.user_table
    columns = [
        [f"{name} {value}" if value else "" for value in words(table[name])]
        for name, words in (("age", _age_groups), ("gender", _words), ("occupation", _words))
        if name in table
    ]
    rows = zip(*columns, strict=True) if columns else [()] * len(table)
    return _encoded([name for name in row if name] for row in rows)


def _encoded(rows: Iterable[Sequence[str]]) -> Features:
    """Turn features by name into codes."""
    having = list(rows)
    counts = Counter(itertools.chain.from_iterable(having))
    kept = [sorted(names, key=lambda name: (-counts[name], name))[:MOST] for names in having]
    names = ("", *sorted(set(itertools.chain.from_iterable(kept))))
    code_of = {name: code for code, name in enumerate(names)}
    codes = np.zeros((len(kept), max(map(len, kept), default=0)), dtype=np.int32)
    for row, found in zip(codes, kept, strict=True):
        row[: len(found)] = sorted(code_of[name] for name in found)
    return Features(codes, names)


def _listed(kind: str, column: pd.Series) -> Iterator[list[str]]:
    """The features of each row, such as ``genre Drama``, each once, from a column of words joined by ``|``."""
    return ([f"{kind} {name}" for name in dict.fromkeys(text.split("|")) if name] for text in column)


def _words(column: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else str(value).strip() for value in column]


def _age_groups(column: pd.Series) -> list[str]:
    """Map ages in years, as in MovieLens 100K, to the groups of 1M; age groups stay as they are."""
    if not pd.api.types.is_numeric_dtype(column):
        return _words(column)
    youngest = min(AGE_GROUPS)
    return ["" if pd.isna(age) else AGE_GROUPS[max(s for s in AGE_GROUPS if s <= max(age, youngest))] for age in column]

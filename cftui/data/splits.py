"""Which ratings train and which validate. Every split is a pure function of the data, its name and a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cftui.data.ratings import Ratings
from cftui.errors import CftuiError

VALID_SHARE = 0.2
NAMES = ("random", "u1", "u2", "u3", "u4", "u5", "time")


@dataclass(frozen=True)
class Split:
    """Row numbers into ``Ratings``: int64 ``train [n_train]`` and ``valid [n_valid]``, disjoint and complete."""

    name: str
    train: np.ndarray
    valid: np.ndarray


def split(ratings: Ratings, name: str = "random", seed: int = 0) -> Split:
    """Divide the ratings.

    ``random`` is fastai's: the first int(0.2 n) rows of a permutation drawn from ``seed`` validate. ``u1`` ...
    ``u5`` are MovieLens 100K's official folds, five runs of 20,000 rows in file order. ``time`` validates on the
    last fifth of each user's ratings.

    Raises:
        CftuiError: no such split, or the data set was not published with that one.
    """
    if name == "random":
        return _random(len(ratings), seed)
    if name == "time":
        return _time(ratings)
    if name in ratings.known_splits:
        return _fold(len(ratings), ratings.known_splits.index(name), len(ratings.known_splits))
    if name in NAMES:
        raise CftuiError(f"{ratings.name} has no official split {name}; use random or time")
    raise CftuiError(f"no split {name!r}; there is: {', '.join(NAMES)}")


def _random(n: int, seed: int) -> Split:
    import torch

    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).numpy()
    cut = int(VALID_SHARE * n)
    return Split("random", train=order[cut:], valid=order[:cut])


def _fold(n: int, k: int, folds: int) -> Split:
    rows = np.arange(n)
    inside = (rows >= k * n // folds) & (rows < (k + 1) * n // folds)
    return Split(f"u{k + 1}", train=rows[~inside], valid=rows[inside])


def _time(ratings: Ratings) -> Split:
    # A stable sort: ratings of the same second stay in file order.
    order = np.lexsort((ratings.timestamp, ratings.user))
    counts = np.bincount(ratings.user, minlength=len(ratings.users))
    ends = np.cumsum(counts)
    user = ratings.user[order]
    from_end = ends[user] - 1 - np.arange(len(order))
    last = from_end < (VALID_SHARE * counts[user]).astype(np.int64)
    return Split("time", train=np.sort(order[~last]), valid=np.sort(order[last]))

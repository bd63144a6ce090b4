"""Splits into training and validation ratings. Every split is a pure function of the data, its name and a seed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cftui.data.ratings import Ratings
from cftui.errors import CftuiError
from cftui.text import plural

VALID_SHARE = 0.2
GIVEN = "given"
NAMES = ("random", "u1", "u2", "u3", "u4", "u5", "time", GIVEN, "none")
# A suffix to the name of a split: its training ratings are divided once more, and its validation ratings left out.
INNER = ".inner"
FOLD = re.compile(r"fold([1-9]\d{0,8})of([1-9]\d{0,8})")


@dataclass(frozen=True)
class Split:
    """Row numbers into ``Ratings``: int64 ``train [n_train]`` and ``valid [n_valid]``, disjoint.

    Together they are all rows, except in an inner split.
    """

    name: str
    train: np.ndarray
    valid: np.ndarray


def split(ratings: Ratings, name: str = "random", seed: int = 0) -> Split:
    """Divide the ratings by a named split.

    ``random`` is fastai's: the first int(0.2 n) rows of a permutation drawn from ``seed`` validate. ``u1`` ...
    ``u5`` are MovieLens 100K's official folds, five runs of 20,000 rows in file order. ``time`` validates on the
    last fifth of each user's ratings. ``fold2of5`` is the second of five random ``folds``.
    ``given`` validates on the test part that the data set came with.
    ``none`` trains on every row and validates on none of them, for a model that goes to work.
    ``u1.inner`` is for choosing settings: a random fifth of the rows that train in ``u1`` validates.

    Raises:
        CftuiError: there is no such split, the data set was not published with it, or is too small for it: nothing
            would validate.
    """
    parts = _divide(ratings, name, seed)
    if not len(parts.valid) and name != "none":
        by_time = name.removesuffix(INNER) == "time"
        why = "no user has five ratings" if by_time else f"it has only {plural(len(ratings), 'rating')}"
        raise CftuiError(
            f"{ratings.name}: split {name} leaves no rating to validate on, because {why}",
            hint=f"use {'--split random' if by_time else 'more ratings'}, or --split none to train on all of them",
            option="split",
        )
    return parts


def _divide(ratings: Ratings, name: str, seed: int) -> Split:
    if name.endswith(INNER):
        return inner(split(ratings, name.removesuffix(INNER), seed), seed)
    if found := FOLD.fullmatch(name):
        which, k = map(int, found.groups())
        if which > k:
            raise CftuiError(f"no split {name!r}: there are only {k} folds")
        _check_folds(ratings, k)
        return _random_fold(_permutation(len(ratings), seed), which - 1, k)
    if name == "random":
        return _random(len(ratings), seed)
    if name == "time":
        return Split("time", *_by_time(ratings, np.arange(len(ratings))))
    if name == GIVEN:
        return _given(ratings)
    if name == "none":
        return Split("none", train=np.arange(len(ratings)), valid=np.empty(0, np.int64))
    if name in ratings.known_splits:
        return _fold(len(ratings), ratings.known_splits.index(name), len(ratings.known_splits))
    if name in NAMES:
        raise CftuiError(f"{ratings.name} has no official split {name}; use random or time")
    hint = f"choose from {', '.join(NAMES)}"
    raise CftuiError(f"no split {name!r}", hint=hint, option="split", kind="unknown")


def inner(outer: Split, seed: int = 0) -> Split:
    """The training rows of a split divided once more, for choosing settings: a random fifth of them validates."""
    parts = _random(len(outer.train), seed)
    return Split(f"{outer.name}{INNER}", train=outer.train[parts.train], valid=outer.train[parts.valid])


def inner_alike(ratings: Ratings, outer: Split, seed: int = 0) -> Split:
    """As ``inner``, but by time if the outer split is: settings that depend on what comes later are chosen by it."""
    if outer.name != "time":
        return inner(outer, seed)
    return Split(f"{outer.name}{INNER}", *_by_time(ratings, outer.train))


def folds(ratings: Ratings, k: int, seed: int = 0) -> Iterator[Split]:
    """``k`` random splits, ``fold1of5`` to ``fold5of5``, made as they are asked for.

    Each rating validates in exactly one of them, in stretches of one permutation drawn from ``seed``. The first of
    five is the split ``random`` of the same seed.

    Raises:
        CftuiError: fewer than two folds, or more than ratings.
    """
    _check_folds(ratings, k)

    def each() -> Iterator[Split]:
        order = _permutation(len(ratings), seed)
        for which in range(k):
            yield _random_fold(order, which, k)

    # A separate generator: a wrong k raises at the call, not when the first fold is drawn.
    return each()


def official_folds(ratings: Ratings) -> Iterator[Split]:
    """The folds that the data set was published with, in their order.

    Raises:
        CftuiError: it was published without folds.
    """
    if not ratings.known_splits:
        raise CftuiError(f"{ratings.name} has no official folds; give a number of random ones")
    return (split(ratings, name) for name in ratings.known_splits)


def _check_folds(ratings: Ratings, k: int) -> None:
    if not 2 <= k <= len(ratings):
        raise CftuiError(f"{k} folds: must be a number from 2 to the {len(ratings):,} ratings of {ratings.name}")


def _permutation(n: int, seed: int) -> np.ndarray:
    import torch

    return torch.randperm(n, generator=torch.Generator().manual_seed(seed)).numpy()


def _random_fold(order: np.ndarray, which: int, k: int) -> Split:
    start, end = which * len(order) // k, (which + 1) * len(order) // k
    rest = np.concatenate((order[:start], order[end:]))
    return Split(f"fold{which + 1}of{k}", train=rest, valid=order[start:end])


def _random(n: int, seed: int) -> Split:
    order = _permutation(n, seed)
    cut = int(VALID_SHARE * n)
    return Split("random", train=order[cut:], valid=order[:cut])


def _fold(n: int, k: int, folds: int) -> Split:
    rows = np.arange(n)
    inside = (rows >= k * n // folds) & (rows < (k + 1) * n // folds)
    return Split(f"u{k + 1}", train=rows[~inside], valid=rows[inside])


def _given(ratings: Ratings) -> Split:
    if ratings.held_back is None:
        hint = "import it again with --test FILE or --split-column COL, or use random"
        raise CftuiError(f"{ratings.name} came without a split of its own", hint=hint, option="split")
    return Split(GIVEN, train=np.flatnonzero(~ratings.held_back), valid=np.flatnonzero(ratings.held_back))


def offered(known: tuple[str, ...], *, has_given: bool) -> tuple[str, ...]:
    """The names of the splits that a data set has.

    Args:
        known: its official folds; has_given: whether it came with a test part.
    """
    official = NAMES[1:6]
    return tuple(name for name in NAMES if (name not in official or name in known) and (name != GIVEN or has_given))


def _by_time(ratings: Ratings, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All but the last fifth of each user's ratings among these rows, and the last fifth."""
    if len(ratings) and not ratings.timestamp.any():
        hint = "import it again with --time COL, or take the split random"
        raise CftuiError(f"{ratings.name} has no times, so nothing comes last", hint=hint, option="split")
    # The sort is stable: ratings of the same second stay in file order.
    order = rows[np.lexsort((ratings.timestamp[rows], ratings.user[rows]))]
    user = ratings.user[order]
    counts = np.bincount(user, minlength=len(ratings.users))
    from_end = np.cumsum(counts)[user] - 1 - np.arange(len(order))
    last = from_end < (VALID_SHARE * counts[user]).astype(np.int64)
    return np.sort(order[~last]), np.sort(order[last])

"""Synthetic ratings in the shape of a published data set, with long tails and a planted truth of known RMSE floor.

Rating = score + noise, rounded and clipped to the scale; score = mean + b_u + b_i + p_u . q_i. No predictor that knows
only user and item can expect to beat E[rating | score], so its RMSE over all ratings is the floor recorded in
``dataset.json``.

A folder holds ``.npy`` columns, read memory-mapped: ``user``, ``item`` (int32 ids from 1), ``rating`` (float32) and
``timestamp`` (int64), sorted by user, then item; ``user_count`` and ``item_count`` (int32); ``item_year`` (int16) and
``item_genres`` (int32, one bit per genre). Everything in it is a function of shape and seed (and of numpy's generators,
which may change between versions: hence the fingerprint of the content).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cftui.data.columns import COLUMNS, load_columns
from cftui.data.formats.movielens import GENRES
from cftui.data.ratings import UNKNOWN, ItemKey, Ratings, Vocabulary
from cftui.data.synth.shapes import MIN_PER_USER, PREFIX, Shape, shape
from cftui.data.tables import Tables
from cftui.errors import CftuiError
from cftui.files import new_folder, write_json
from cftui.home import Home

# Ratings generated at a time: bounds the memory, and changes what a seed generates.
CHUNK = 1_000_000
SIDES = {"user_count": np.int32, "item_count": np.int32, "item_year": np.int16, "item_genres": np.int32}
NOUN = "movie"
FLOOR_IS = (
    "RMSE of E[rating | planted score] over all ratings, the expectation taken over the Gaussian noise through "
    "rounding and clipping; biases_only: the same without p_u . q_i, its variance counted as noise; mean_only: "
    "the standard deviation of the ratings"
)
DAY = 86_400

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Planted:
    """The planted truth. Codes count from 0 here: row u belongs to the user with id u + 1.

    Attributes:
        user_bias, item_bias: float32 ``[users]``, ``[items]``.
        user_factors, item_factors: float32 ``[users, rank]``, ``[items, rank]``.
    """

    shape: Shape
    user_bias: np.ndarray
    item_bias: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray

    def biases(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """The score without the factors, float32 ``[n]``."""
        return np.float32(self.shape.mean) + self.user_bias[user] + self.item_bias[item]

    def score(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """The score mean + b_u + b_i + p_u . q_i, float32 ``[n]``, before noise and rounding."""
        return self.biases(user, item) + np.einsum("nk,nk->n", self.user_factors[user], self.item_factors[item])


def plant(shape: Shape, seed: int) -> Planted:
    """Draw the truth of ``shape`` from ``seed``."""
    random = _random(seed, 0)
    # A sum of ``rank`` products of two normals with deviation s has deviation s ** 2 * sqrt(rank).
    entry = math.sqrt(shape.factors / math.sqrt(shape.rank))

    def normal(deviation: float, *size: int) -> np.ndarray:
        return random.standard_normal(size, dtype=np.float32) * np.float32(deviation)

    return Planted(
        shape,
        user_bias=normal(shape.user_bias, shape.users),
        item_bias=normal(shape.item_bias, shape.items),
        user_factors=normal(entry, shape.users, shape.rank),
        item_factors=normal(entry, shape.items, shape.rank),
    )


def expected(shape: Shape, score: np.ndarray, noise: float | None = None) -> np.ndarray:
    """E[rating | score] under Gaussian noise, through rounding and clipping, float64 ``[n]``.

    A rating is ``low`` plus one ``step`` for every threshold (half-way between two levels) that score + noise passes.
    """
    from scipy.special import ndtr

    noise = shape.noise if noise is None else noise
    thresholds = np.arange(shape.low + shape.step / 2, shape.high, shape.step)
    # Interpolate in a table, exact to 1e-6: the normal integral is slow for 25 million scores.
    start, per_unit = shape.low - 8 * noise, 1000
    grid = start + np.arange(math.ceil((shape.high + 8 * noise - start) * per_unit)) / per_unit
    table = shape.low + shape.step * ndtr((grid[:, None] - thresholds) / noise).sum(axis=1)
    place = np.clip((score.astype(np.float64) - start) * per_unit, 0, len(table) - 2)
    below = place.astype(np.int64)
    return table[below] + (place - below) * np.diff(table)[below]


def make(name: str, home: Home, *, seed: int = 0, scale: float = 1.0, say: Say = lambda line: None) -> Path:
    """Generate a data set of shape ``name`` in ``home.data`` and return its folder.

    An existing set of the same seed and scale is kept; any other is replaced once the new one is complete.

    Raises:
        CftuiError: no such shape, or nothing of that scale can be made.
    """
    wanted, target = shape(name, scale), home.data / f"{PREFIX}{name}"
    if _is_made(target, wanted, seed):
        say(f"{target.name} (seed {seed}) is already in {target}")
        return target
    if target.exists():
        say(f"{target} holds another seed or scale, or is damaged: replacing it")
    say(f"making {wanted.ratings:,} ratings by {wanted.users:,} users of {wanted.items:,} {NOUN}s")
    with new_folder(target) as building:
        scores, digest = _write(wanted, seed, building)
        write_json(
            building / "dataset.json",
            {
                "name": target.name,
                "label": f"synthetic {name}" + ("" if scale == 1 else f" x {scale:g}") + f", seed {seed}",
                "seed": seed,
                "scale": scale,
                **scores,
                "floor_is": FLOOR_IS,
                "fingerprint": digest,
                "shape": asdict(wanted),
                "numpy": np.__version__,
            },
        )
    say(f"{target.name} is in {target}; RMSE floor {scores['floor']:.5f}, biases only {scores['biases_only']:.5f}")
    return target


def _is_made(target: Path, wanted: Shape, seed: int) -> bool:
    if not target.is_dir():
        return False
    try:
        facts = read_facts(target)
        _columns(target, facts)
    except CftuiError:
        return False
    return facts["shape"] == json.loads(json.dumps(asdict(wanted))) and facts["seed"] == seed


# Making


def _random(seed: int, stage: int, chunk: int = 0) -> np.random.Generator:
    """Independent random streams: what one stage draws does not depend on how much another drew."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stage, chunk)))


def _write(shape: Shape, seed: int, folder: Path) -> tuple[dict[str, float], str]:
    """Fill ``folder`` with the columns. Returns the reference RMSEs and the fingerprint."""
    planted = plant(shape, seed)
    activity = _activity(shape, _random(seed, 1))
    joined = _random(seed, 6).integers(shape.first, shape.first + 9 * (shape.last - shape.first) // 10, shape.users)
    item_count = np.zeros(shape.items, dtype=np.int64)
    squared = {"floor": 0.0, "biases_only": 0.0}
    blurred = math.hypot(shape.noise, shape.factors)
    total = total_squared = 0.0
    digests = {name: hashlib.sha256() for name in COLUMNS}
    with _new_columns(folder, shape.ratings) as columns:
        at = 0
        for chunk, (user, item) in enumerate(_pairs(shape, activity, seed)):
            random = _random(seed, 4, chunk)
            score = planted.score(user, item)
            rating = _on_scale(shape, score + np.float32(shape.noise) * random.standard_normal(len(score), np.float32))
            made = {
                "user": user + 1,
                "item": item + 1,
                "rating": rating,
                "timestamp": _timestamps(shape, joined[user], random),
            }
            for name, values in made.items():
                stored = np.ascontiguousarray(values, dtype=COLUMNS[name])
                columns[name][at : at + len(user)] = stored
                digests[name].update(stored.data)
            at += len(user)
            item_count += np.bincount(item, minlength=shape.items)
            exact = rating.astype(np.float64)
            squared["floor"] += _sum_of_squares(exact - expected(shape, score))
            squared["biases_only"] += _sum_of_squares(exact - expected(shape, planted.biases(user, item), blurred))
            total += float(exact.sum())
            total_squared += _sum_of_squares(exact)
    if at != shape.ratings:
        raise AssertionError(f"{at} ratings made instead of {shape.ratings}")
    sides = _sides(shape, activity, item_count, _random(seed, 5))
    for name, values in sides.items():
        np.save(folder / f"{name}.npy", values)
        digests[name] = hashlib.sha256(values.data)
    n = shape.ratings
    scores = {name: math.sqrt(value / n) for name, value in squared.items()}
    scores["mean_only"] = math.sqrt(total_squared / n - (total / n) ** 2)
    whole = "".join(f"{name}:{digest.hexdigest()}\n" for name, digest in digests.items())
    return scores, hashlib.sha256(whole.encode()).hexdigest()[:16]


def _sum_of_squares(values: np.ndarray) -> float:
    return float(np.dot(values, values))


@contextmanager
def _new_columns(folder: Path, n: int) -> Iterator[dict[str, np.ndarray]]:
    columns: dict[str, Any] = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=kind, shape=(n,))
        for name, kind in COLUMNS.items()
    }
    yield columns
    for column in columns.values():
        column.flush()


def _activity(shape: Shape, random: np.random.Generator) -> np.ndarray:
    """Ratings per user, int64 ``[users]``: the minimum plus a log-normal share of the rest, to the exact sum."""
    room = shape.most_per_user - MIN_PER_USER
    extra = shape.ratings - MIN_PER_USER * shape.users
    weights = np.exp(shape.spread * random.standard_normal(shape.users))
    # The factor at which the capped shares add up, by bisection.
    below, above = 0.0, float(room / weights.min())
    for _ in range(100):
        middle = (below + above) / 2
        below, above = (middle, above) if np.minimum(middle * weights, room).sum() < extra else (below, middle)
    shares = np.minimum(below * weights, room)
    counts = np.floor(shares).astype(np.int64)
    # Give what rounding down lost to the users who lost most and have room; stable, so that ties do not matter.
    open_first = np.argsort(np.where(counts < room, counts - shares, np.inf), kind="stable")
    counts[open_first[: extra - counts.sum()]] += 1
    return counts + MIN_PER_USER


def _popularity(shape: Shape, random: np.random.Generator) -> np.ndarray:
    """The probability that a rating is of each item, float64 ``[items]``: Zipf-Mandelbrot in random order."""
    weight = 1 / (np.arange(1, shape.items + 1) + shape.shift) ** shape.exponent
    return random.permutation(weight / weight.sum())


def _pairs(shape: Shape, activity: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Chunks of distinct (user, item) pairs, int64 ``[n]`` each, counted from 0, sorted by user, then item.

    User u rates ``activity[u]`` items, drawn by popularity without replacement, and every item is rated.
    """
    popularity = _popularity(shape, _random(seed, 2))
    ends = np.cumsum(activity)
    # First draw one rating of every item, in a slot drawn from all: busy users get more of the rare items.
    slots = _random(seed, 3).choice(shape.ratings, shape.items, replace=False)
    owner = np.searchsorted(ends, slots, side="right")
    by_owner = np.argsort(owner, kind="stable")
    owner = owner[by_owner]
    first = 0
    for chunk in range(math.ceil(shape.ratings / CHUNK)):
        last = int(np.searchsorted(ends, (chunk + 1) * CHUNK, side="right"))
        if chunk == math.ceil(shape.ratings / CHUNK) - 1:
            last = shape.users
        given = slice(*np.searchsorted(owner, [first, last]))
        taken = (owner[given] - first) * shape.items + by_owner[given]
        keys = _draw(activity[first:last], np.sort(taken), popularity, _random(seed, 3, chunk + 1))
        user, item = np.divmod(keys, shape.items)
        yield user + first, item
        first = last


def _draw(counts: np.ndarray, taken: np.ndarray, popularity: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Complete ``taken`` to ``counts[u]`` distinct items for every user: sorted keys user x items + item.

    Redrawing repeated items is drawing without replacement. Users with many items, for whom that takes long, get
    theirs by one exponential clock per item, the first to ring, which has the same distribution.
    """
    items = len(popularity)
    busy = counts > items / 50
    wanted = np.where(busy, 0, counts)
    cumulative = np.cumsum(popularity)
    cumulative[-1] = 1
    open_keys, done = taken[~busy[taken // items]], []
    while True:
        missing = wanted - np.bincount(open_keys // items, minlength=len(wanted))
        owed = missing > 0
        still_open = owed[open_keys // items]
        done.append(open_keys[~still_open])
        if not owed.any():
            break
        user = np.repeat(np.flatnonzero(owed), missing[owed])
        item = np.searchsorted(cumulative, random.random(len(user)), side="right")
        drawn = np.sort(np.concatenate([open_keys[still_open], user * items + item]))
        # Ten times faster than np.unique, which hashes.
        open_keys = drawn[np.diff(drawn, prepend=-1) > 0]
        wanted = np.where(owed, wanted, 0)
    for one in np.flatnonzero(busy).tolist():
        clocks = random.standard_exponential(items, np.float32) / popularity
        mine = slice(*np.searchsorted(taken, [one * items, (one + 1) * items]))
        clocks[taken[mine] - one * items] = 0
        done.append(one * items + np.argpartition(clocks, counts[one] - 1)[: counts[one]])
    return np.sort(np.concatenate(done))


def _on_scale(shape: Shape, value: np.ndarray) -> np.ndarray:
    """The nearest rating on the scale, float32 ``[n]``."""
    steps = np.rint((value - np.float32(shape.low)) / np.float32(shape.step))
    return np.clip(steps * np.float32(shape.step) + np.float32(shape.low), shape.low, shape.high)


def _timestamps(shape: Shape, joined: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Timestamps, int64 ``[n]``: most ratings on the day the user joined, the others over the following months."""
    n = len(joined)
    later = random.random(n, np.float32) < 0.4
    days = later * random.standard_exponential(n, np.float32) * 90
    return np.minimum(joined + DAY * days.astype(np.int64) + random.integers(0, 3 * 3600, n), shape.last - 1)


def _sides(
    shape: Shape, activity: np.ndarray, item_count: np.ndarray, random: np.random.Generator
) -> dict[str, np.ndarray]:
    # Released before the first rating; most of them recently.
    newest = int(1970 + shape.first / (365.2425 * DAY))
    year = newest - np.minimum(random.gamma(1.2, 12, shape.items), 70)
    flags = random.random((shape.items, len(GENRES))) < 0.11
    flags[:, 0] = False  # "unknown"
    flags[np.arange(shape.items), random.integers(1, len(GENRES), shape.items)] = True
    made = {
        "user_count": activity,
        "item_count": item_count,
        "item_year": year,
        "item_genres": flags @ (1 << np.arange(len(GENRES))),
    }
    return {name: made[name].astype(kind) for name, kind in SIDES.items()}


# Reading


@dataclass(frozen=True, eq=False)
class SynthTables(Tables):
    """``Tables`` with the fingerprint that was recorded when they were generated, and titles that need no merge."""

    recorded: str = ""

    @cached_property
    def fingerprint(self) -> str:
        return self.recorded

    @cached_property
    def titled(self) -> pd.DataFrame:
        titles = pd.Categorical.from_codes(self.ratings["item"].to_numpy() - 1, categories=self.items["title"])
        return self.ratings.assign(title=titles)


def read_facts(folder: Path) -> dict[str, Any]:
    """Read ``dataset.json``: seed, scale, ``floor``, ``biases_only``, ``mean_only``, fingerprint and shape.

    Raises:
        CftuiError: it is missing or damaged.
    """
    path = folder / "dataset.json"
    try:
        facts = json.loads(path.read_text())
        Shape(**facts["shape"])
        # Each of these must exist.
        _ = {key: facts[key] for key in ("name", "label", "seed", "scale", "floor", "fingerprint")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CftuiError(f"{path}: missing, damaged, or of another version ({error}); {_again(folder)}") from None
    return facts


def read_tables(folder: Path) -> Tables:
    """The data set as frames. The columns of the ratings are the memory-mapped files; nothing is copied.

    Raises:
        CftuiError: a file is missing, truncated or malformed.
    """
    facts = read_facts(folder)
    columns, made = _columns(folder, facts), Shape(**facts["shape"])
    item_table = _item_table(made, columns)
    return SynthTables(
        name=facts["name"],
        label=facts["label"],
        noun=NOUN,
        ratings=pd.DataFrame({name: columns[name] for name in COLUMNS}, copy=False),
        items=item_table.assign(item=np.arange(1, made.items + 1))[["item", "title", "year", "genres"]],
        users=pd.DataFrame({"user": np.arange(1, made.users + 1)}),
        rating_range=(made.low, made.high),
        recorded=facts["fingerprint"],
    )


def read_ratings(folder: Path, item_key: ItemKey = "title") -> Ratings:
    """The data set encoded as ``Ratings.encode(read_tables(folder), item_key)`` would, in a few hundredths of its time.

    Raises:
        CftuiError: a file is missing, truncated or malformed; ``item_key`` is neither title nor id.
    """
    if item_key not in ("title", "id"):
        raise CftuiError(f"no item key {item_key!r}; choose title or id")
    facts = read_facts(folder)
    columns, made = _columns(folder, facts), Shape(**facts["shape"])
    users = range(1, made.users + 1)
    item_table = _item_table(made, columns)
    unknown = pd.DataFrame({"title": [UNKNOWN], "year": [0], "genres": [""], "ratings": [0]})
    return Ratings(
        name=facts["name"],
        noun=NOUN,
        # Ids count from 1, and titles sort like ids, so codes are ids.
        user=columns["user"].astype(np.int64),
        item=columns["item"].astype(np.int64),
        rating=columns["rating"],
        timestamp=columns["timestamp"],
        users=Vocabulary((UNKNOWN, *users)),
        items=Vocabulary((UNKNOWN, *(item_table["title"] if item_key == "title" else range(1, made.items + 1)))),
        item_key=item_key,
        rating_range=(made.low, made.high),
        fingerprint=facts["fingerprint"],
        user_table=pd.DataFrame(
            {"user": [math.nan, *users], "ratings": np.concatenate([[0], columns["user_count"]])},
        ),
        item_table=pd.concat([unknown, item_table], ignore_index=True),
    )


def _again(folder: Path) -> str:
    return f"make it again with: cftui data synth {folder.name.removeprefix(PREFIX)}"


def _item_table(made: Shape, columns: dict[str, np.ndarray]) -> pd.DataFrame:
    """Columns title, year, genres, ratings, one row per item."""
    years, width = columns["item_year"].astype(np.int64), len(str(made.items))
    titles = [f"Item {number:0{width}} ({year})" for number, year in enumerate(years.tolist(), 1)]
    # There are few combinations of genres and many items.
    masks, which = np.unique(columns["item_genres"], return_inverse=True)
    names = ["|".join(genre for bit, genre in enumerate(GENRES) if mask >> bit & 1) for mask in masks.tolist()]
    genres = [names[index] for index in which.tolist()]
    counts = columns["item_count"].astype(np.int64)
    return pd.DataFrame({"title": titles, "year": years, "genres": genres, "ratings": counts})


def _columns(folder: Path, facts: dict[str, Any]) -> dict[str, np.ndarray]:
    """All arrays, memory-mapped, once their types and lengths are what ``dataset.json`` says."""
    made = Shape(**facts["shape"])
    lengths = {**dict.fromkeys(COLUMNS, made.ratings), **dict.fromkeys(SIDES, made.items), "user_count": made.users}
    return load_columns(folder, {**COLUMNS, **SIDES}, lengths, _again(folder))

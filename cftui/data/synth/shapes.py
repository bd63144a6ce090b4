"""Shapes of synthetic data sets: sizes, tails and noise. No arrays here, so that importing this is quick."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace

from cftui.errors import CftuiError

PREFIX = "synth-"
# As in MovieLens, which publishes no user with fewer ratings.
MIN_PER_USER = 20
MAX_SCALE = 10.0


def _seconds(year: int) -> int:
    return int(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC).timestamp())


@dataclass(frozen=True)
class Shape:
    """The shape of a data set to generate.

    Attributes:
        users, items, ratings: exact counts; every item is rated, every user rates at least ``MIN_PER_USER`` items.
        low, high, step: the rating scale.
        spread: sigma of the log-normal distribution of a user's ratings beyond the minimum.
        exponent, shift: popularity of the item at rank r is 1 / (r + shift) ** exponent (Zipf-Mandelbrot).
        mean, user_bias, item_bias, factors, noise: the planted score is mean + b_u + b_i + p_u . q_i and the rating is
            the score plus noise, put on the scale; the last four are standard deviations of those terms.
        rank: length of p_u and q_i.
        first, last: timestamps lie between, in seconds since 1970.
    """

    name: str
    users: int
    items: int
    ratings: int
    low: float
    high: float
    step: float
    spread: float
    exponent: float
    shift: float
    first: int
    last: int
    # Chosen so that ratings spread as MovieLens's do (standard deviation 1.05) and the factors matter: without them
    # the RMSE is a fifth above the floor.
    mean: float = 3.5
    user_bias: float = 0.4
    item_bias: float = 0.45
    factors: float = 0.5
    noise: float = 0.7
    rank: int = 8

    @property
    def most_per_user(self) -> int:
        """The most ratings of one user: half of all items."""
        return self.items // 2


# Spread, exponent and shift bring medians and maxima close to those of the set with that name.
SHAPES = {
    shape.name: shape
    for shape in (
        Shape("tiny", 300, 200, 12_000, 1, 5, 1, 0.6, 1.0, 10, _seconds(1997), _seconds(1999)),
        Shape("ml-100k", 943, 1_682, 100_000, 1, 5, 1, 1.14, 2.0, 100, _seconds(1997), _seconds(1999)),
        Shape("ml-1m", 6_040, 3_706, 1_000_209, 1, 5, 1, 1.14, 1.5, 100, _seconds(2000), _seconds(2004)),
        Shape("ml-25m", 162_541, 59_047, 25_000_095, 0.5, 5, 0.5, 1.39, 2.0, 150, _seconds(1995), _seconds(2020)),
        Shape("ml-32m", 200_948, 87_585, 32_000_204, 0.5, 5, 0.5, 1.39, 2.0, 150, _seconds(1995), _seconds(2024)),
    )
}


def shape(name: str, scale: float = 1.0) -> Shape:
    """The shape ``name`` with users, items and ratings multiplied by ``scale``.

    Raises:
        CftuiError: there is no such shape, or that size cannot be generated.
    """
    if name not in SHAPES:
        raise CftuiError(f"no shape {name!r}; choose from {', '.join(SHAPES)}")
    if not 0 < scale <= MAX_SCALE:
        raise CftuiError(f"scale {scale:g}: must be above 0 and at most {MAX_SCALE:g}")
    whole = SHAPES[name]
    users, items, ratings = (round(scale * n) for n in (whole.users, whole.items, whole.ratings))
    scaled = replace(whole, users=users, items=items, ratings=max(ratings, MIN_PER_USER * users))
    if not items <= scaled.ratings <= users * scaled.most_per_user * 0.8 or scaled.most_per_user < MIN_PER_USER:
        raise CftuiError(f"scale {scale:g} of {name}: {users:,} users and {items:,} items are too few")
    return scaled

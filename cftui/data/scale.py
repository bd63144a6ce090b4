"""The rating scale: the distance between its levels, and a value that is too far from all others to belong to it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from cftui.data.ratings import Ratings
from cftui.errors import CftuiError

# A level stands apart if its distance from the others is this many times their range, and at most this share of the
# ratings has it.
APART, MOST_APART = 1000, 0.001


def step_of(levels: tuple[float, ...]) -> float:
    """The least distance between two levels, given ascending; 0 if there are fewer than two."""
    return min((above - below for below, above in pairwise(levels)), default=0.0)


def check_scale(ratings: Ratings) -> None:
    """Raises CftuiError, and names the rating, if one is so far from all others that no scale holds both."""
    levels = ratings.levels
    if len(levels) < 3:
        return
    for stray, nearest, rest in ((levels[-1], levels[-2], levels[:-1]), (levels[0], levels[1], levels[1:])):
        if abs(stray - nearest) <= APART * (rest[-1] - rest[0]):
            continue
        rows = np.flatnonzero(ratings.rating == np.float32(stray))
        if len(rows) > max(1, MOST_APART * len(ratings)):
            continue
        user = ratings.users.classes[ratings.user[rows[0]]]
        title = ratings.item_table["title"].iloc[ratings.item[rows[0]]]
        others = f"all other ratings are from {rest[0]:g} to {rest[-1]:g}"
        raise CftuiError(
            f"{ratings.name}: user {user} gave {title} {stray:g}; {others}",
            hint="correct or remove that row in the file and import it again",
        )

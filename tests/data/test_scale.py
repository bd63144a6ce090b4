"""The rating scale, and what is refused because it does not fit one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from cftui.data.frames import tables_of
from cftui.data.ratings import Ratings
from cftui.data.scale import check_scale, step_of
from cftui.data.splits import split
from cftui.engine.models.recipes import recipe
from cftui.engine.training import fitter_for
from cftui.errors import CftuiError

ROLES = dict.fromkeys(("user", "item", "rating", "time", "title"))


def ratings_of(values: list[float], users: int = 10) -> Ratings:
    at = np.arange(len(values))
    frame = pd.DataFrame({"user": at % users, "item": at // users, "rating": values, "time": 1_500_000_000 + at})
    return Ratings.encode(tables_of(frame, None, ROLES, "stars", "item"), "id")


def test_the_step_of_a_scale() -> None:
    assert step_of((0.5, 1.0, 3.0)) == 0.5
    assert step_of((3.0,)) == 0
    assert step_of(()) == 0


def test_one_absurd_rating_is_named() -> None:
    values = [float(1 + at % 5) for at in range(100)]
    values[37] = 50_000
    ratings = ratings_of(values)
    with pytest.raises(CftuiError, match=r"^stars: user 7 gave 3 50000; all other ratings are from 1 to 5"):
        check_scale(ratings)
    for name in ("bayes", "model4"):
        row = recipe(name)
        with pytest.raises(CftuiError, match="user 7 gave 3"):
            fitter_for(row, row.options(), ratings, split(ratings), torch.device("cpu"))


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0, 3.0, 4.0, 5.0] * 20,
        [0.0, 100.0] * 50,
        [-3.0, 5.0, 7.0] * 30,
        [float(2**at) for at in range(17)] * 6,
        [0.0] * 60 + [99.0, 98.0, 97.0] * 13,
    ],
    ids=["stars", "two ends", "negative", "skewed", "a code"],
)
def test_a_wide_scale_is_a_scale(values: list[float]) -> None:
    check_scale(ratings_of(values))


def test_a_split_that_leaves_nothing_to_validate_is_refused() -> None:
    few = ratings_of([3.0, 4.0, 1.0])
    with pytest.raises(CftuiError, match=r"^stars: split random leaves no rating .* it has only 3 ratings"):
        split(few)
    assert len(split(few, "none").train) == 3
    four_each = ratings_of([1.0, 2.0, 3.0, 4.0] * 10)
    with pytest.raises(CftuiError, match=r"split time leaves no rating .* no user has five ratings"):
        split(four_each, "time")
    assert len(split(four_each).valid) == 8

"""The rows of each user and item, found once for all; means per item."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cftui.data.ratings import Grouped, Ratings


@given(st.lists(st.integers(0, 12)), st.integers(13, 20))
def test_the_rows_of_a_code_are_where_it_stands_in_their_order(codes: list[int], size: int) -> None:
    column = np.array(codes, dtype=np.int64)
    grouped = Grouped(column, size)
    for code in range(size):
        assert grouped.rows(code).tolist() == np.flatnonzero(column == code).tolist()


@pytest.mark.parametrize(("by", "column", "vocabulary"), [("by_user", "user", "users"), ("by_item", "item", "items")])
def test_real_ratings_are_divided_without_rest(by: str, column: str, vocabulary: str, ratings: Ratings) -> None:
    grouped, codes, size = getattr(ratings, by), getattr(ratings, column), len(getattr(ratings, vocabulary))
    assert len(grouped.rows(0)) == 0
    for code in (1, 196, size - 1):
        assert np.array_equal(grouped.rows(code), np.flatnonzero(codes == code))
    together = np.concatenate([grouped.rows(code) for code in range(size)])
    assert np.array_equal(np.sort(together), np.arange(len(ratings)))


def test_means_per_item_are_pandas_and_nothing_where_there_are_none(ratings: Ratings, tables) -> None:
    raw = tables.titled.groupby("title")["rating"].mean()
    np.testing.assert_allclose(ratings.item_means[1:], raw.loc[list(ratings.items.classes[1:])], rtol=1e-6)
    assert np.isnan(ratings.item_means[0])
    assert len(ratings.item_means) == len(ratings.items)


def test_levels_are_the_ratings_there_are(ratings: Ratings, tiny: Ratings) -> None:
    assert ratings.levels == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert tiny.levels == tuple(sorted(pd.unique(tiny.rating).tolist()))

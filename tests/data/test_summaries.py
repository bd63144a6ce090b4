"""Ratings summed by group, against sums made the plain way; and values of any scale in bins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cftui.data import statistics, summaries
from cftui.data.tables import Tables
from cftui.text import figure

# The longest time in days that is still cut into spans of a kind.
TIMES = {1: "day", 30: "day", 200: "week", 900: "month", 3000: "quarter", 9000: "year", 20_000: "decade"}
FIGURES = {
    0: "0",
    3.52986: "3.53",
    1682: "1,682",
    12345.678: "12,346",
    0.01234: "0.0123",
    -2.5: "-2.50",
    3e-9: "3e-09",
    2.5e16: "2.5e+16",
}


def rated(tables: Tables, values: np.ndarray, **changes: Any) -> Tables:
    return replace(tables, ratings=tables.ratings.assign(rating=np.resize(values, len(tables.ratings))), **changes)


def timed(tables: Tables, times: np.ndarray) -> Tables:
    return replace(tables, ratings=tables.ratings.assign(timestamp=times.astype(np.int64)))


def test_an_item_of_several_genres_counts_in_each(tables: Tables) -> None:
    found = summaries.genres(tables).set_index("genre")
    drama = tables.items[tables.items["genres"].str.split("|").map(lambda genres: "Drama" in genres)]
    ratings = tables.ratings[tables.ratings["item"].isin(drama["item"])]["rating"]
    assert found.loc["Drama", ["items", "ratings"]].tolist() == [725, len(ratings)]
    assert found.loc["Drama", "mean"] == pytest.approx(ratings.mean())
    assert len(found) == 19


def test_ages_are_in_groups_of_ten_years_youngest_first(tables: Tables) -> None:
    found = summaries.people(tables, "age")
    assert found["age"].tolist() == [f"{age}-{age + 9}" for age in range(0, 80, 10)]
    assert found["users"].tolist() == [1, 76, 332, 241, 168, 94, 27, 4]
    assert found["ratings"].sum() == 100_000


def test_ages_that_the_data_set_groups_stay_so(tiny_tables: Tables) -> None:
    groups = ["56+", "Under 18", "25-34"]
    users = tiny_tables.users.assign(age=[groups[at % 3] for at in range(len(tiny_tables.users))])
    assert summaries.people(replace(tiny_tables, users=users), "age")["age"].tolist() == ["Under 18", "25-34", "56+"]


@pytest.mark.parametrize("kind", ["gender", "occupation"])
def test_users_by_what_is_known_of_them(tables: Tables, kind: str) -> None:
    merged = tables.ratings.merge(tables.users, on="user")
    found = summaries.people(tables, kind).set_index(kind)
    assert found["users"].to_dict() == tables.users[kind].value_counts().to_dict()
    assert found["ratings"].to_dict() == merged[kind].value_counts().to_dict()
    assert found["mean"].to_dict() == pytest.approx(merged.groupby(kind)["rating"].mean().to_dict())
    assert found["ratings"].is_monotonic_decreasing


def test_what_is_not_known_has_no_rows(tiny_tables: Tables) -> None:
    bare = replace(
        tiny_tables,
        users=tiny_tables.users[["user"]],
        items=tiny_tables.items.assign(genres=""),
        ratings=tiny_tables.ratings.assign(timestamp=0),
    )
    assert {name for name, frame in summaries.all_groups(bare).items() if len(frame)} == {"per_user", "per_item"}


def test_ratings_over_time_are_those_of_each_week(tables: Tables) -> None:
    found = summaries.over_time(tables)
    assert found.attrs["unit"] == "week"
    when = pd.to_datetime(tables.ratings["timestamp"], unit="s")
    week = (when.dt.normalize() - pd.to_timedelta(when.dt.day_of_week, unit="D")).dt.strftime("%Y-%m-%d")
    expected = tables.ratings.groupby(week.to_numpy()).agg(ratings=("rating", "size"), users=("user", "nunique"))
    assert found.set_index("from")[["ratings", "users"]].to_dict() == expected.to_dict()


@pytest.mark.parametrize("days", TIMES)
def test_time_is_cut_into_as_many_spans_as_can_be_read(tiny_tables: Tables, days: int) -> None:
    times = np.linspace(1_000, 1_000 + days * 86_400 - 1, len(tiny_tables.ratings))
    found = summaries.over_time(timed(tiny_tables, times))
    assert found.attrs["unit"] == TIMES[days]
    assert len(found) <= summaries.SPANS
    assert found["ratings"].sum() == len(times)


def test_ratings_without_a_time_are_left_out_of_it(tiny_tables: Tables) -> None:
    times = tiny_tables.ratings["timestamp"].to_numpy(copy=True)
    times[::2] = 0
    assert summaries.over_time(timed(tiny_tables, times))["ratings"].sum() == (times != 0).sum()


def test_users_by_their_number_of_ratings(tables: Tables) -> None:
    found = summaries.by_activity(tables)
    ends = list(zip(found["from"], found["to"], strict=True))
    assert ends == [(20, 49), (50, 99), (100, 199), (200, 499), (500, 737)]
    numbers = tables.ratings["user"].value_counts()
    assert found["users"].tolist() == [int(numbers.between(*span).sum()) for span in ends]
    assert found["ratings"].sum() == 100_000


def test_a_scale_of_few_values_has_a_row_for_each(tables: Tables) -> None:
    assert statistics.histogram(rated(tables, np.arange(11)), 50)["rating"].tolist() == list(range(11))


@pytest.mark.parametrize("values", [np.arange(41) * 0.25, np.arange(50) * 0.1])
def test_the_steps_of_a_longer_scale_have_a_row_each_where_there_is_room(tables: Tables, values: np.ndarray) -> None:
    assert len(statistics.histogram(rated(tables, values), 50)) == len(values)
    assert "to" in statistics.histogram(rated(tables, values), 20)


def test_a_few_dozen_values_with_gaps_are_no_scale_and_cut_into_bins(tables: Tables) -> None:
    assert "to" in statistics.histogram(rated(tables, np.arange(30) ** 3), 50)
    assert "to" not in statistics.histogram(rated(tables, np.arange(20) ** 3), 50)


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_a_scale_of_thousands_of_values_is_cut_into_bins_of_one_width(tables: Tables, size: float) -> None:
    found = statistics.histogram(rated(tables, np.arange(10_001) * size), 20)
    assert len(found) == 20
    assert np.allclose((found["to"] - found["rating"]) / size, 500)
    assert found["count"].sum() == 100_000
    # Each holds as many of the values as the others; the last one its upper end, too.
    assert found["count"].max() / found["count"].min() < 1.02


def test_counts_are_cut_where_their_digits_change(tables: Tables) -> None:
    found = statistics.histogram(rated(tables, np.arange(1, 1001), counted=True), 20)
    assert found["rating"].tolist() == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert found["to"].tolist() == [1, 4, 9, 19, 49, 99, 199, 499, 999, 1000]
    assert (found["count"] == 100 * (found["to"] - found["rating"] + 1)).all()


@pytest.mark.parametrize("value", FIGURES)
def test_numbers_of_any_magnitude_are_short(value: float) -> None:
    assert figure(value) == FIGURES[value]

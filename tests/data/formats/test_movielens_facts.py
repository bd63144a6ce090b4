"""What the chapter says of MovieLens 100K, asked of the real files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cftui.data import statistics
from cftui.data.ratings import UNKNOWN, Ratings
from cftui.data.tables import Tables


def test_the_facts_the_chapter_states(tables: Tables) -> None:
    facts = statistics.describe(tables)
    wanted = {
        "ratings": 100_000,
        "users": 943,
        "items": 1682,
        "titles": 1664,
        "duplicate_titles": 18,
        "rating_min": 1,
        "rating_max": 5,
        "ids_consecutive": True,
        "first": "1997-09-20T03:05:10Z",
        "last": "1998-04-22T23:10:38Z",
    }
    assert {key: facts[key] for key in wanted} == wanted
    assert facts["rating_mean"] == pytest.approx(3.52986, abs=1e-5)
    assert facts["density"] == pytest.approx(100_000 / (943 * 1682))
    assert facts["ratings_per_user"] == {"min": 20, "median": 65, "max": 737}
    assert facts["ratings_per_item"] == {"min": 1, "median": 27, "max": 583}


def test_ids_with_a_gap_are_not_called_consecutive(tiny_tables: Tables) -> None:
    assert statistics.describe(tiny_tables)["ids_consecutive"]
    from dataclasses import replace

    gap = replace(tiny_tables, ratings=tiny_tables.ratings[tiny_tables.ratings["user"] != 7])
    assert not statistics.describe(gap)["ids_consecutive"]


def test_head_is_the_file_order_merged_with_titles(tables: Tables) -> None:
    head = statistics.head(tables, 3)
    assert list(head.columns) == ["user", "movie", "rating", "timestamp", "title"]
    assert head["user"].tolist() == [196, 186, 22]
    assert head["movie"].tolist() == [242, 302, 377]
    assert head["rating"].tolist() == [3, 3, 1]
    assert head["timestamp"].tolist() == [881250949, 891717742, 878887116]
    assert head["title"].tolist() == ["Kolya (1996)", "L.A. Confidential (1997)", "Heavyweights (1994)"]


def test_first_movies_with_year_and_genres(tables: Tables) -> None:
    first = tables.items.head(3)
    assert first["title"].tolist() == ["Toy Story (1995)", "GoldenEye (1995)", "Four Rooms (1995)"]
    assert first["year"].tolist() == [1995, 1995, 1995]
    assert first["genres"].tolist() == ["Animation|Children's|Comedy", "Action|Adventure|Thriller", "Thriller"]


def test_titles_are_read_as_latin_1(tables: Tables) -> None:
    titles = set(tables.items["title"])
    assert "Misérables, Les (1995)" in titles
    assert sum(title.startswith("Á") for title in titles) == 1
    assert tables.items.set_index("item").loc[267, ["title", "year"]].tolist() == ["unknown", 0]


def test_users_have_age_gender_and_occupation(tables: Tables) -> None:
    user = tables.users.set_index("user").loc[196]
    assert (user["age"], user["gender"], user["occupation"]) == (49, "M", "writer")


def test_duplicate_titles_name_both_ids(tables: Tables) -> None:
    twice = statistics.duplicate_titles(tables)
    assert len(twice) == 18
    row = twice.iloc[0]
    assert (row["title"], row["item"], row["first"]) == ("Chasing Amy (1997)", 268, 246)
    counts = tables.ratings["item"].value_counts()
    assert (row["ratings"], row["first_ratings"]) == (counts[268], counts[246])


def test_histogram_counts_every_rating_value(tables: Tables) -> None:
    table = statistics.histogram(tables)
    assert table["rating"].tolist() == [1, 2, 3, 4, 5]
    assert table["count"].tolist() == [6110, 11370, 27145, 34174, 21201]
    assert table["share"].sum() == pytest.approx(1)
    assert table["share"].iloc[3] == pytest.approx(0.34174)


def test_popularity_is_the_long_tail(tables: Tables) -> None:
    counts = statistics.popularity(tables)
    assert counts[0] == 583
    assert counts.sum() == 100_000
    assert (np.diff(counts) <= 0).all()


def test_most_rated_movie_is_star_wars(tables: Tables) -> None:
    top = statistics.most_rated(tables).iloc[0]
    assert (top["title"], top["ratings"]) == ("Star Wars (1977)", 583)
    assert statistics.most_rated(tables, "user").iloc[0]["ratings"] == 737


@pytest.mark.parametrize("window", [(0, 0), (300, 0), (0, 450)])
def test_crosstab_window_agrees_with_pandas(tables: Tables, window: tuple[int, int]) -> None:
    ratings = tables.ratings
    full = pd.crosstab(ratings["user"], ratings["item"], values=ratings["rating"], aggfunc="mean")
    from_user, from_item = window
    mine = statistics.crosstab(tables, 12, 9, from_user=from_user, from_item=from_item)
    theirs = full.iloc[from_user : from_user + 12, from_item : from_item + 9]
    assert mine.shape == (12, 9)
    assert mine.index.tolist() == theirs.index.tolist()
    assert mine.columns.tolist() == theirs.columns.tolist()
    np.testing.assert_array_equal(mine.to_numpy(), theirs.to_numpy())
    assert mine.isna().to_numpy().any()


def test_crosstab_averages_a_pair_that_stands_twice(tiny_tables: Tables) -> None:
    from dataclasses import replace

    twice = pd.DataFrame({"user": [1, 1], "item": [2, 2], "rating": [2.0, 5.0], "timestamp": [0, 0]})
    assert statistics.crosstab(replace(tiny_tables, ratings=twice)).loc[1, 2] == 3.5


def test_densest_crosstab_shows_the_most_active(tables: Tables) -> None:
    table = statistics.crosstab(tables, 15, 15, densest=True)
    assert table.index[0] == 405
    assert table.columns[0] == 50
    assert table.notna().to_numpy().mean() > 0.8


def test_items_keyed_by_title_merge_the_duplicates(tables: Tables, ratings: Ratings) -> None:
    assert (len(ratings.users), len(ratings.items)) == (944, 1665)
    assert len(Ratings.encode(tables, "id").items) == 1683
    chasing = ratings.item_code("Chasing Amy (1997)")
    counts = tables.ratings["item"].value_counts()
    assert (ratings.item == chasing).sum() == counts[246] + counts[268]
    assert ratings.item_table["ratings"].iloc[chasing] == counts[246] + counts[268]


def test_codes_point_back_at_the_raw_ratings(tables: Tables, ratings: Ratings) -> None:
    titled = tables.titled
    assert [ratings.users.classes[code] for code in ratings.user[:500]] == titled["user"].head(500).tolist()
    assert [ratings.items.classes[code] for code in ratings.item[:500]] == titled["title"].head(500).tolist()
    assert ratings.item_table["title"].iloc[0] == UNKNOWN
    assert ratings.rating.dtype == np.float32
    assert (ratings.user > 0).all()
    assert (ratings.item > 0).all()

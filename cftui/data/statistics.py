"""Statistics of a data set: the questions that the chapter asks, and a few more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cftui.data.tables import Tables


def describe(tables: Tables) -> dict[str, Any]:
    """The facts of ``cftui data stats``, JSON-ready.

    ``density`` is ratings / (users x items); ``ids_consecutive`` asks, as the chapter does, whether user and item
    ids run from 1 without a gap; ``duplicate_titles`` counts the ids whose title an earlier id has already;
    ``first`` and ``last`` are empty if the ratings have no times. If the values are counts, ``counted`` says so, and
    ``total`` is their sum.
    """
    ratings, items = tables.ratings, tables.items
    users, rated = ratings["user"].nunique(), ratings["item"].nunique()
    titles = items.loc[items["item"].isin(ratings["item"]), "title"]
    timed = bool(ratings["timestamp"].any())
    per_user, per_item = ratings.groupby("user").size(), ratings.groupby("item").size()
    return {
        "name": tables.name,
        "label": tables.label,
        "ratings": len(ratings),
        "users": users,
        "items": rated,
        "titles": int(titles.nunique()),
        "duplicate_titles": len(duplicate_titles(tables)),
        "rating_min": _number(ratings["rating"].min()),
        "rating_max": _number(ratings["rating"].max()),
        "rating_mean": round(float(ratings["rating"].astype(float).mean()), 5),
        **({"total": _number(float(ratings["rating"].astype(float).sum()))} if tables.counted else {}),
        "counted": tables.counted,
        "density": len(ratings) / (users * rated),
        "ids_consecutive": _consecutive(ratings["user"]) and _consecutive(ratings["item"]),
        "first": _moment(ratings["timestamp"].min()) if timed else "",
        "last": _moment(ratings["timestamp"].max()) if timed else "",
        "ratings_per_user": _spread(per_user),
        "ratings_per_item": _spread(per_item),
        "fingerprint": tables.fingerprint,
    }


def _number(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(value)


def _consecutive(ids: pd.Series) -> bool:
    if not pd.api.types.is_integer_dtype(ids):
        return False
    return bool(np.array_equal(np.sort(ids.unique()), np.arange(1, ids.nunique() + 1)))


def _moment(seconds: float) -> str:
    return pd.Timestamp(int(seconds), unit="s").strftime("%Y-%m-%dT%H:%M:%SZ")


def _spread(counts: pd.Series) -> dict[str, float | int]:
    return {"min": int(counts.min()), "median": _number(counts.median()), "max": int(counts.max())}


def histogram(tables: Tables) -> pd.DataFrame:
    """Columns ``rating``, ``count``, ``share``, one row per distinct rating, ascending."""
    counts = tables.ratings["rating"].value_counts().sort_index()
    return pd.DataFrame({"rating": counts.index, "count": counts.to_numpy(), "share": counts.to_numpy() / counts.sum()})


def popularity(tables: Tables) -> np.ndarray:
    """Ratings per item, most first: the long tail. int64 ``[items]``."""
    return tables.ratings["item"].value_counts().to_numpy()


def head(tables: Tables, rows: int = 5) -> pd.DataFrame:
    """The first ratings merged with their titles, columns named as the data set names its items."""
    return (
        tables.titled.head(rows)
        .assign(rating=lambda frame: frame["rating"].map(_number))
        .rename(columns={"item": tables.noun})
    )


def duplicate_titles(tables: Tables) -> pd.DataFrame:
    """The items whose title an earlier item has: the chapter's ``movies[movies.duplicated(subset=['title'])]``.

    Columns ``item``, ``title``, ``first`` (the first id with the title), ``ratings`` and ``first_ratings``.
    """
    items = tables.items
    repeated = items[items.duplicated(subset=["title"])]
    first = items.drop_duplicates("title").set_index("title")["item"]
    counts = tables.ratings["item"].value_counts()
    found = repeated[["item", "title"]].assign(first=repeated["title"].map(first))
    return found.assign(
        ratings=found["item"].map(counts).fillna(0).astype(int),
        first_ratings=found["first"].map(counts).fillna(0).astype(int),
    ).reset_index(drop=True)


def most_rated(tables: Tables, column: str = "item") -> pd.DataFrame:
    """Ratings and mean rating per item (with title) or per user, most rated first."""
    grouped = tables.ratings.groupby(column)["rating"].agg(ratings="size", mean="mean").reset_index()
    extra = tables.items[["item", "title"]] if column == "item" else tables.users
    return (
        grouped.merge(extra, on=column, how="left")
        .sort_values(["ratings", column], ascending=[False, True])
        .reset_index(drop=True)
    )


def crosstab(
    tables: Tables,
    users: int = 10,
    items: int = 10,
    *,
    from_user: int = 0,
    from_item: int = 0,
    densest: bool = False,
) -> pd.DataFrame:
    """A window of the user x item table, NaN without a rating (the chapter's ``pd.crosstab``).

    Args:
        users, items: size of the window.
        from_user, from_item: number of users and items to skip.
        densest: order by number of ratings instead of by id, as the book's picture of the table does.
    """
    ratings = tables.ratings

    def window(column: str, start: int, size: int) -> list:
        ids = ratings[column].value_counts().index if densest else np.sort(ratings[column].unique())
        return list(ids[start : start + size])

    rows, columns = window("user", from_user, users), window("item", from_item, items)
    inside = ratings[ratings["user"].isin(rows) & ratings["item"].isin(columns)]
    # Averaged as in the chapter: a data set may contain a pair twice.
    table = inside.pivot_table(index="user", columns="item", values="rating", aggfunc="mean")
    return table.reindex(index=rows, columns=columns).rename_axis(columns=tables.noun)

"""Statistics of a data set: the questions that the chapter asks, and a few more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cftui.data.summaries import log_edges
from cftui.data.tables import Tables, Totals

# A rating that should be at the end of a bin may be off by the last bit of a float.
SLACK = 1e-9
# So many distinct ratings are shown one by one, whatever lies between them.
FEW = 20


def describe(tables: Tables) -> dict[str, Any]:
    """The facts of ``cftui data stats``, JSON-ready.

    ``density`` is ratings / (users x items); ``ids_consecutive`` asks, as the chapter does, whether user and item
    ids run from 1 without a gap, and ``ids`` says so in words; ``duplicate_titles`` counts the ids whose title an
    earlier id has already;
    ``first`` and ``last`` are empty if the ratings have no times. If the values are counts, ``counted`` says so, and
    ``total`` is their sum.
    """
    ratings, items = tables.ratings, tables.items
    users, rated = len(tables.per_user.ids), len(tables.per_item.ids)
    titles = items.loc[items["item"].isin(tables.per_item.ids), "title"]
    timed = bool(ratings["timestamp"].any())
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
        "ids_consecutive": _consecutive(tables.per_user.ids) and _consecutive(tables.per_item.ids),
        "ids": _ids_in_words(tables.per_user.ids, tables.per_item.ids),
        # 0 is a missing time.
        "first": _moment(ratings["timestamp"][ratings["timestamp"] != 0].min()) if timed else "",
        "last": _moment(ratings["timestamp"].max()) if timed else "",
        "ratings_per_user": _spread(tables.per_user.ratings),
        "ratings_per_item": _spread(tables.per_item.ratings),
        "fingerprint": tables.fingerprint,
    }


def _number(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(value)


def _ids_in_words(users: pd.Index, items: pd.Index) -> str:
    """Whether ids are numbers, and those without a gap."""
    if not (pd.api.types.is_integer_dtype(users) and pd.api.types.is_integer_dtype(items)):
        return "text"
    return "consecutive, no gaps" if _consecutive(users) and _consecutive(items) else "numbers with gaps"


def _consecutive(ids: pd.Index) -> bool:
    return pd.api.types.is_integer_dtype(ids) and np.array_equal(ids.sort_values(), np.arange(1, len(ids) + 1))


def _moment(seconds: float) -> str:
    return pd.Timestamp(int(seconds), unit="s").strftime("%Y-%m-%dT%H:%M:%SZ")


def _spread(counts: np.ndarray) -> dict[str, float | int]:
    return {"min": int(counts.min()), "median": _number(np.median(counts)), "max": int(counts.max())}


def histogram(tables: Tables, most: int | None = None) -> pd.DataFrame:
    """Columns ``rating``, ``count``, ``share``, one row per distinct rating, ascending.

    With more than ``most`` distinct ratings, or more than a few that are not the steps of a scale, the rows are bins
    instead, and ``to`` is the upper end of each: bins of equal width between round ends, the last with its upper end;
    1, 2-4, 5-9, 10-19 ... for counts.
    """
    found = tables.ratings["rating"].value_counts().sort_index()
    values, counts = found.index.to_numpy(), found.to_numpy()
    share = counts / counts.sum()
    if most is None or len(values) <= min(most, FEW) or (len(values) <= most and _steps(values) <= most):
        return pd.DataFrame({"rating": found.index, "count": counts, "share": share})
    if tables.counted:
        low = log_edges(int(values[-1]))
        high = np.append(low[1:] - 1, int(values[-1]))
        at = np.searchsorted(low, values, side="right") - 1
    else:
        step, first, bins = _round_bins(float(values[0]), float(values[-1]), most)
        at = np.clip(np.floor(values / step + SLACK).astype(np.int64) - first, 0, bins - 1)
        low, high = (np.arange(first, first + bins) * step, np.arange(first + 1, first + bins + 1) * step)
    counts = np.bincount(at, weights=counts, minlength=len(low)).astype(np.int64)
    return pd.DataFrame({"rating": low, "to": high, "count": counts, "share": counts / counts.sum()})


def _steps(values: np.ndarray) -> float:
    """How many of its smallest steps a scale has from its lowest to its highest level, given ascending."""
    return float((values[-1] - values[0]) / np.diff(values).min()) - SLACK


def _round_bins(low: float, high: float, most: int) -> tuple[float, int, int]:
    """At most ``most`` bins that hold ``low`` to ``high``: their width, how many widths the first begins at, how many.

    The width is 1, 2 or 5 times a power of ten.
    """
    power = 10.0 ** np.floor(np.log10((high - low) / most))
    for step in (factor * power for factor in (1, 2, 5, 10, 20, 50)):
        first, last = np.floor(low / step + SLACK), np.ceil(high / step - SLACK)
        if last - first <= most:
            break
    return float(step), int(first), int(last - first)


def popularity(tables: Tables) -> np.ndarray:
    """Ratings per item, most first: the long tail. int64 ``[items]``."""
    return np.sort(tables.per_item.ratings)[::-1]


def head(tables: Tables, rows: int = 5) -> pd.DataFrame:
    """The first ratings merged with their titles, columns named as the data set names its items."""
    return (
        tables.ratings.head(rows)
        .merge(tables.items[["item", "title"]], on="item", how="left")
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
    counts = tables.per_item.frame["ratings"]
    found = repeated[["item", "title"]].assign(first=repeated["title"].map(first))
    return found.assign(
        ratings=found["item"].map(counts).fillna(0).astype(int),
        first_ratings=found["first"].map(counts).fillna(0).astype(int),
    ).reset_index(drop=True)


def most_rated(tables: Tables, column: str = "item") -> pd.DataFrame:
    """Ratings and mean rating per item (with title) or per user, most rated first."""
    totals = tables.totals(column)
    grouped = pd.DataFrame({column: totals.ids, "ratings": totals.ratings, "mean": totals.sums / totals.ratings})
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

    def window(totals: Totals, start: int, size: int) -> tuple[list, np.ndarray]:
        """The ids, and which ratings are theirs."""
        order = np.argsort(-totals.ratings, kind="stable") if densest else totals.ids.argsort()
        chosen = order[start : start + size]
        inside = np.zeros(len(totals.ids), dtype=bool)
        inside[chosen] = True
        return totals.ids[chosen].tolist(), inside[totals.codes]

    (rows, theirs), (columns, of_those) = (
        window(tables.per_user, from_user, users),
        window(tables.per_item, from_item, items),
    )
    inside = tables.ratings[theirs & of_those]
    # Averaged as in the chapter: a data set may contain a pair twice.
    table = inside.pivot_table(index="user", columns="item", values="rating", aggfunc="mean")
    return table.reindex(index=rows, columns=columns).rename_axis(columns=tables.noun)


def titles_of(tables: Tables, items: list) -> list[str]:
    """The titles of raw ids of items; the id itself if it has no title."""
    titles = tables.items.drop_duplicates("item").set_index("item")["title"]
    return [str(titles.get(item, item)) for item in items]

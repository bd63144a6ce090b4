"""Ratings summed by group: genres, kinds of users, spans of time, and users or items by their number of ratings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cftui.data.features import AGE_GROUPS
from cftui.data.tables import Tables

# What is known of users in some data sets.
KINDS = ("age", "gender", "occupation")
# At most this many spans of time: days, weeks, months, quarters, years or decades.
SPANS = 40
UNITS = (
    ("day", "D", 1),
    ("week", "D", 7),
    ("month", "M", 1),
    ("quarter", "M", 3),
    ("year", "Y", 1),
    ("decade", "Y", 10),
)
DAY = 86_400
# Day 0 is a Thursday; weeks begin on Mondays.
TO_MONDAY = 3


def all_groups(tables: Tables) -> dict[str, pd.DataFrame]:
    """All of the tables below, by name; those that the data set knows nothing for have no rows."""
    kinds = {"age": "ages", "gender": "genders", "occupation": "occupations"}
    return {
        "genres": genres(tables),
        **{name: people(tables, kind) for kind, name in kinds.items()},
        "over_time": over_time(tables),
        "per_user": by_activity(tables, "user"),
        "per_item": by_activity(tables, "item"),
    }


def genres(tables: Tables) -> pd.DataFrame:
    """Columns ``genre``, ``items``, ``ratings`` and ``mean``, most ratings first; no rows if no genre is known.

    An item of several genres counts in each.
    """
    items = tables.items[["item", "genres"]]
    each = items.assign(genre=items["genres"].fillna("").str.split("|")).explode("genre")
    return _grouped(each[each["genre"] != ""].join(tables.per_item.frame, on="item"), "genre", "items")


def people(tables: Tables, kind: str) -> pd.DataFrame:
    """Users by age, gender or occupation: columns ``kind``, ``users``, ``ratings`` and ``mean``.

    Ages are in groups of ten years, or as the data set groups them, youngest first; the others by ratings, most first.
    No rows if the data set does not know.
    """
    users = tables.users
    if kind not in users:
        return pd.DataFrame(columns=[kind, "users", "ratings", "mean"])
    known = users[["user", kind]].dropna().join(tables.per_user.frame, on="user")
    if kind != "age":
        known[kind] = known[kind].astype(str).str.strip()
        return _grouped(known[known[kind] != ""], kind, "users")
    order = [*AGE_GROUPS.values()]
    if pd.api.types.is_numeric_dtype(known["age"]):
        decades = known["age"].astype(int) // 10 * 10
        known["age"] = [f"{decade}-{decade + 9}" for decade in decades]
        order = [f"{decade}-{decade + 9}" for decade in sorted(set(decades))]
    place = {name: at for at, name in enumerate(order)}
    found = _grouped(known, "age", "users")
    return found.sort_values("age", key=lambda ages: ages.map(place).fillna(len(place)), ignore_index=True)


def _grouped(each: pd.DataFrame, by: str, what: str) -> pd.DataFrame:
    found = each.groupby(by).agg(n=(by, "size"), ratings=("ratings", "sum"), total=("total", "sum"))
    found = found.assign(ratings=found["ratings"].astype(np.int64), mean=found["total"] / found["ratings"])
    found = found.reset_index().sort_values(["ratings", by], ascending=[False, True], ignore_index=True)
    return found.rename(columns={"n": what})[[by, what, "ratings", "mean"]]


def over_time(tables: Tables) -> pd.DataFrame:
    """Columns ``from`` (a date), ``ratings``, ``users`` (those who rated then) and ``mean``; no rows without times.

    ``attrs["unit"]`` is the length of a span: the shortest of ``UNITS`` that makes at most ``SPANS``.
    """
    seconds, who = tables.ratings["timestamp"].to_numpy(np.int64), tables.per_user.codes
    given = tables.ratings["rating"].to_numpy(np.float64)
    if not seconds.all():  # 0 is a rating without a time
        timed = seconds != 0
        seconds, who, given = seconds[timed], who[timed], given[timed]
    if not len(seconds):
        return pd.DataFrame(columns=["from", "ratings", "users", "mean"])
    day = seconds // DAY
    earliest, latest = int(day.min()), int(day.max())
    unit, base, step = next(
        (one for one in UNITS if np.ptp(_spans(np.array([earliest, latest]), *one[1:])) < SPANS), UNITS[-1]
    )
    # The calendar is asked about every day once, not about every rating.
    span_of = _spans(np.arange(earliest, latest + 1), base, step)
    first, spans = int(span_of[0]), int(span_of[-1] - span_of[0]) + 1
    at = (span_of - first)[day - earliest]
    counts = np.bincount(at, minlength=spans)
    sums = np.bincount(at, weights=given, minlength=spans)
    active = np.zeros((spans, len(tables.per_user.ids)), dtype=bool)
    active[at, who] = True
    starts = (np.arange(spans) + first) * step - (TO_MONDAY if unit == "week" else 0)
    found = pd.DataFrame(
        {
            "from": starts.astype(f"datetime64[{base}]").astype("datetime64[D]").astype(str),
            "ratings": counts,
            "users": active.sum(axis=1),
            "mean": np.divide(sums, counts, out=np.full(spans, np.nan), where=counts > 0),
        }
    )
    found.attrs["unit"] = unit
    return found


def _spans(days: np.ndarray, base: str, step: int) -> np.ndarray:
    """The number of the span of ``step`` days, months or years that each day since 1970 is in."""
    numbers = days.astype("datetime64[D]").astype(f"datetime64[{base}]").astype(np.int64)
    return (numbers + (TO_MONDAY if step == 7 else 0)) // step


def by_activity(tables: Tables, column: str = "user") -> pd.DataFrame:
    """Users, or items, by how many ratings they have.

    Columns ``from`` and ``to`` (numbers of ratings), ``users`` or ``items``, ``share`` of them, ``ratings`` and
    ``share_of_ratings``.
    """
    numbers = tables.totals(column).ratings
    edges = log_edges(int(numbers.max()))
    at = np.searchsorted(edges, numbers, side="right") - 1
    count = np.bincount(at, minlength=len(edges))
    ratings = np.bincount(at, weights=numbers, minlength=len(edges)).astype(np.int64)
    found = pd.DataFrame(
        {
            "from": edges,
            "to": [*(edges[1:] - 1), numbers.max()],
            f"{column}s": count,
            "share": count / count.sum(),
            "ratings": ratings,
            "share_of_ratings": ratings / ratings.sum(),
        }
    )
    return found[found[f"{column}s"].cumsum() > 0].reset_index(drop=True)


def log_edges(most: int) -> np.ndarray:
    """1, 2, 5, 10, 20, 50, ... up to ``most``."""
    edges = [digit * 10**power for power in range(len(str(most))) for digit in (1, 2, 5)]
    return np.array([edge for edge in edges if edge <= most])

"""Data frames as data sets: what the import does for files, for frames that are in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cftui.data.formats.guessing import role_of
from cftui.data.formats.values import SECONDS_BELOW, parse_genres, parse_time, parse_year
from cftui.data.ratings import UNKNOWN
from cftui.data.tables import Tables
from cftui.errors import CftuiError

# The column that is added where every row counts as one choice.
ONE = "#one#"


def tables_of(
    source: Any, items: Any, columns: dict[str, str | None], name: str, noun: str, counts: str | bool = False
) -> Tables:
    """The tables of a data set from a data frame.

    Args:
        source: a data frame with one row per rating, of pandas or with a ``to_pandas``.
        items: a data frame about the items, or None.
        columns: the column of each role (``user``, ``item``, ``rating``, ``time``, ``title``); None is a guess.
        name: what to call the data set.
        noun: what one item is called.
        counts: the column of counts in the place of ratings; True if every row is one choice.

    Raises:
        CftuiError: a column does not exist or cannot be guessed, or a cell is missing or malformed; the row is named.
    """
    frame = _frame(source, "load_data")
    names = [str(column) for column in frame.columns]
    frame = frame.set_axis(names, axis=1)
    if counts is True:
        frame, counts = frame.assign(**{ONE: 1.0}), ONE
        names = [*names, ONE]
    if counts:
        columns = {**columns, "rating": counts}
    place = {role: _place(role, columns[role], names, noun) for role in ("user", "item", "rating", "time")}
    for role in ("user", "item", "rating"):
        if place[role] is None:
            raise CftuiError(
                f"no column looks like the {role}s; name it: load_data(frame, {role}=...). There are {names}"
            )
    user, item, rating = (frame[str(place[role])] for role in ("user", "item", "rating"))
    for what, column in (("user", user), ("item", item), ("rating", rating)):
        if (missing := column.isna()).any():
            raise CftuiError(f"column {column.name!r}: row {missing.to_numpy().argmax()} has no {what}")
        if (reserved := (column == UNKNOWN).to_numpy()).any():
            raise CftuiError(
                f"column {column.name!r}: {UNKNOWN!r} in row {reserved.argmax()} is reserved for the unknown"
            )
    numbers = pd.to_numeric(rating, errors="coerce")
    if (wrong := ~np.isfinite(numbers.to_numpy(np.float64))).any():
        at = int(wrong.argmax())
        raise CftuiError(f"column {rating.name!r}: {rating.iloc[at]!r} in row {at} is not a number")
    if counts and len(frame) and (numbers <= 0).any():
        at = int((numbers <= 0).to_numpy().argmax())
        raise CftuiError(f"column {rating.name!r}: count {rating.iloc[at]!r} in row {at} is not above 0")
    if not len(frame):
        raise CftuiError("the data frame has no rows")
    ratings = pd.DataFrame(
        {
            "user": _ids(user),
            "item": _ids(item),
            "rating": numbers.to_numpy(np.float32),
            "timestamp": _seconds(frame[str(place["time"])]) if place["time"] else np.zeros(len(frame), np.int64),
        }
    )
    title = columns["title"]
    described = _items_frame(items, title, noun) if items is not None else None
    if described is None:
        distinct = ratings["item"].drop_duplicates()
        titles = distinct.astype(str)
        if title is not None:
            if title not in names:
                raise CftuiError(f"no column {title!r}; there are {names}")
            titles = frame[title].astype(str).set_axis(ratings.index).loc[distinct.index]
        described = pd.DataFrame({"item": distinct, "title": titles, "year": 0, "genres": ""})
    if counts:
        ratings["rating"] = ratings.groupby(["user", "item"])["rating"].transform("sum")
    rated_twice = ratings.duplicated(["user", "item"], keep="last")
    ratings = ratings[~rated_twice].reset_index(drop=True)
    lost = described.merge(ratings[["item"]].drop_duplicates(), on="item", how="right")
    lost["title"] = lost["title"].fillna(lost["item"].astype(str))
    complete = lost.fillna({"year": 0, "genres": ""}).astype({"year": int}).sort_values("item", ignore_index=True)
    users = pd.DataFrame({"user": ratings["user"].drop_duplicates().sort_values(ignore_index=True)})
    low, high = float(ratings["rating"].min()), float(ratings["rating"].max())
    return Tables(name, name, noun, ratings, complete, users, (low, high), counted=bool(counts))


def _frame(source: Any, what: str) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source
    if hasattr(source, "to_pandas"):  # Polars, Arrow
        frame: pd.DataFrame = source.to_pandas()
        return frame
    if isinstance(source, Mapping):
        return pd.DataFrame(source)
    raise CftuiError(f"{what}: a {type(source).__name__} is neither the name of a data set nor a data frame")


def _items_frame(items: Any, title: str | None, noun: str) -> pd.DataFrame:
    frame = _frame(items, "items")
    names = [str(column) for column in frame.columns]
    frame = frame.set_axis(names, axis=1)
    key, label = _place("item", None, names, noun), _place("title", title, names, noun)
    if key is None:
        raise CftuiError(f"items: no column looks like the ids of the items; call it 'item'. There are {names}")
    genres, year = (_place(role, None, names, noun) for role in ("genres", "year"))
    ids = _ids(frame[key])
    described = pd.DataFrame(
        {
            "item": ids,
            "title": frame[label].astype(str).to_numpy() if label else pd.Series(ids).astype(str).to_numpy(),
            "year": [parse_year(str(cell)) for cell in frame[year]] if year else 0,
            "genres": [parse_genres(str(cell)) for cell in frame[genres].fillna("")] if genres else "",
        }
    )
    return described.drop_duplicates("item")


def _place(role: str, wanted: str | None, names: list[str], noun: str) -> str | None:
    """The column that plays a role: the one that was named, else a guess. Raises CftuiError if it does not exist."""
    if wanted is None:
        return role_of(role, names, noun)
    if wanted not in names:
        raise CftuiError(f"no column {wanted!r}; there are {names}")
    return wanted


def _ids(column: pd.Series) -> np.ndarray:
    """Ids as whole numbers where the column holds whole numbers, else as text."""
    if pd.api.types.is_integer_dtype(column):
        return column.to_numpy(np.int64)
    if pd.api.types.is_float_dtype(column) and (column == column.round()).all():
        return column.to_numpy(np.int64)
    return column.astype(str).to_numpy(dtype=object)


def _seconds(column: pd.Series) -> np.ndarray:
    """Seconds since 1970, int64 ``[n]``, from datetimes or from what an import accepts; 0 for missing times."""
    if pd.api.types.is_datetime64_any_dtype(column):
        moments = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        return moments.astype("datetime64[s]").astype("int64").where(column.notna(), 0).to_numpy(np.int64)
    if pd.api.types.is_numeric_dtype(column) and (column.fillna(0).abs() < SECONDS_BELOW).all():
        return column.fillna(0).to_numpy(np.int64)
    found = np.zeros(len(column), dtype=np.int64)
    for row, value in enumerate(column):
        if not pd.isna(value):
            try:
                found[row] = parse_time(str(value))
            except ValueError as error:
                raise CftuiError(f"column {column.name!r}: {error}, in row {row}") from None
    return found

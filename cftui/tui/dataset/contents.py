"""What the Dataset screen shows of a data set, found in a thread: facts, pictures, and a table for each tab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cftui.text import figure, shorten
from cftui.tui.dataset.drawing import value

if TYPE_CHECKING:
    import pandas as pd

    from cftui.data.tables import Tables

# DataTable measures every cell: a few hundred rows stay quick.
ROWS = 200
CROSSTAB_USERS, CROSSTAB_ITEMS = 50, 30
# Titles at the heads of the crosstab are cut to this.
TITLE = 16
# With more rating values than these, bins are drawn.
LEVELS = 20

# What columns are called that are called otherwise in the data.
HEADS = {"first_ratings": "its ratings", "timestamp": "when"}
# ... and what those of ratings are called where they hold counts of choices.
COUNTED = {"rating": "times", "mean": "times each"}


@dataclass(frozen=True)
class About:
    """The user and the item that a row is about, where it is about one: raw ids, and the item's title."""

    user: Any = None
    item: Any = None
    title: Any = None


@dataclass(frozen=True)
class Listing:
    """A table: heads and cells by column.

    Attributes:
        about: what each row is about; empty if that is no user and no item.
        shares: for each row, the part of the longest bar that is drawn after the last column.
        across: the items that the columns after the first are about, in a crosstab.
    """

    heads: Sequence[str]
    cells: Sequence[Sequence[Text]]
    about: Sequence[About] = ()
    shares: Sequence[float] = ()
    across: Sequence[About] = ()

    def __len__(self) -> int:
        return len(self.cells[0]) if self.cells else 0


@dataclass(frozen=True)
class Contents:
    """Facts as ``statistics.describe`` has them, what the pictures are drawn from, and the tables by tab."""

    noun: str
    facts: dict[str, Any]
    histogram: pd.DataFrame
    popularity: list[int]
    over_time: pd.DataFrame
    genres: pd.DataFrame
    listings: dict[str, Listing] = field(repr=False)


def contents(tables: Tables) -> Contents:
    """For a thread: of many ratings it takes a while."""
    from cftui.data import statistics, summaries

    groups = summaries.all_groups(tables)
    ids = {"item": tables.noun, "items": tables.nouns}
    pairs, of_items, of_users = (dict(ids), dict(ids), dict(ids))
    if tables.counted:
        pairs |= {**COUNTED, "ratings": "pairs"}
        of_items |= {**COUNTED, "ratings": "users", "first_ratings": "its users"}
        of_users |= {**COUNTED, "ratings": tables.nouns}
    first = statistics.head(tables, ROWS).rename(columns={tables.noun: "item"})
    # Titles are long: what stands before them is always in view.
    first = first[["user", "rating", *(["timestamp"] if len(groups["over_time"]) else []), "title", "item"]]
    twice = statistics.duplicate_titles(tables)[["item", "first", "ratings", "first_ratings", "title"]]
    users = statistics.most_rated(tables, "user").head(ROWS).drop(columns="zip_code", errors="ignore")
    items = statistics.most_rated(tables).head(ROWS)[["ratings", "mean", "title", "item"]]
    spans = groups["over_time"]
    listings = {
        "head": listing(first.rename(columns=pairs), about(first)),
        "crosstab": _crosstab(tables),
        "duplicates": listing(twice.rename(columns=of_items), about(twice)),
        "users": listing(users.rename(columns=of_users), about(users)),
        "items": listing(items.rename(columns=of_items), about(items)),
        "genres": drawn(groups["genres"], "ratings", pairs),
        "people": drawn(_people(groups), "users", pairs),
        "activity": drawn(spans, "ratings", {**pairs, "from": f"{spans.attrs.get('unit', 'time')} from"}),
    }
    return Contents(
        tables.noun,
        statistics.describe(tables),
        statistics.histogram(tables, most=LEVELS),
        statistics.popularity(tables).tolist(),
        spans,
        groups["genres"],
        listings,
    )


def _people(groups: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Users by everything that is known of them, and by how many ratings they have, in one table."""
    import pandas as pd

    parts = []
    for name, kind in (("ages", "age"), ("genders", "gender"), ("occupations", "occupation")):
        found = groups[name].rename(columns={kind: "group"})
        parts.append(found.assign(by=kind))
    active = groups["per_user"]
    spans = [f"{value(low)}-{value(high)}" for low, high in zip(active["from"], active["to"], strict=True)]
    parts.append(active[["users", "ratings"]].assign(by="activity", group=spans, mean=float("nan")))
    whole = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return whole[["by", "group", "users", "ratings", "mean"]]


def _crosstab(tables: Tables) -> Listing:
    """The users with the most ratings against the most rated items, headed by their titles."""
    from cftui.data import statistics

    frame = statistics.crosstab(tables, CROSSTAB_USERS, CROSSTAB_ITEMS, densest=True)
    items, users = frame.columns.tolist(), frame.index.tolist()
    titles = statistics.titles_of(tables, items)
    ratings = listing(frame.reset_index(drop=True), ())
    return Listing(
        ["user", *(shorten(title, TITLE) for title in titles)],
        [[Text(str(user), justify="right") for user in users], *ratings.cells],
        [About(user) for user in users],
        across=[About(None, item, title) for item, title in zip(items, titles, strict=True)],
    )


def about(frame: pd.DataFrame) -> list[About]:
    """User, id and title of the item that each row is about."""
    known = [frame[name].tolist() if name in frame else [None] * len(frame) for name in ("user", "item", "title")]
    return [About(*row) for row in zip(*known, strict=True)]


def listing(frame: pd.DataFrame, rows: Sequence[About], shares: Sequence[float] = ()) -> Listing:
    """A data frame as a table; cells are never read as markup, missing values are blank."""
    names = [str(name) for name in frame.columns]
    cells = [_cells(name, frame.iloc[:, at]) for at, name in enumerate(names)]
    return Listing([HEADS.get(name, name) for name in names], cells, rows, shares)


def drawn(frame: pd.DataFrame, by: str, rename: dict[str, str]) -> Listing:
    """A table with a bar for each row, as long as its number in the column ``by`` says."""
    most = max(frame[by].max(), 1) if len(frame) else 1
    return listing(frame.rename(columns=rename), (), (frame[by] / most).tolist())


def _cells(name: str, column: pd.Series) -> list[Text]:
    from pandas import isna, to_datetime
    from pandas.api.types import is_numeric_dtype

    if name == "timestamp":
        times = to_datetime(column, unit="s").dt.strftime("%Y-%m-%d %H:%M")
        # 0 is a rating without a time.
        return [Text(when if second else "") for second, when in zip(column, times, strict=True)]
    if not is_numeric_dtype(column):
        return [Text("" if isna(one) else str(one)) for one in column]
    plain = name in ("user", "item", "first", "age")
    say = figure if name in ("mean", "times each") else str if plain else value
    return [Text("" if isna(one) else say(one), justify="right") for one in column]

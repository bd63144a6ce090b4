"""Rows added to a data set that was imported before."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cftui.data.store import catalog, parts
from cftui.data.store.about_items import Described
from cftui.data.store.read import Chosen, Read
from cftui.data.tables import Tables
from cftui.errors import CftuiError
from cftui.home import Home


@dataclass(frozen=True, eq=False)
class Before:
    """A data set as it is before rows are added.

    Attributes:
        tables: its content; read: its ratings, as a file of them would be read; about: what is known of its items.
    """

    tables: Tables
    read: Read
    about: Described

    @property
    def noun(self) -> str:
        return self.tables.noun

    @property
    def label(self) -> str:
        return self.tables.label

    @property
    def ratings(self) -> int:
        return len(self.read.rating)

    def joined(self, new: Read, about: Described | None, counted: bool) -> tuple[Read, Described]:
        """The ratings of the set and, behind them, the new ones; what is known of an item stays.

        Raises:
            CftuiError: one has ratings and the other counts.
        """
        if counted != self.tables.counted:
            have, bring = ("counts", "ratings") if self.tables.counted else ("ratings", "counts")
            what = f"{self.tables.name} holds {have}, and the file {bring}"
            hint = "--rating COL or --counts COL says what a column is; another --name keeps them apart"
            raise CftuiError(what, hint=hint, option="into")
        users, user_ids = parts.codes(self.read.user_ids, new.user_ids)
        items, item_ids = parts.codes(self.read.item_ids, new.item_ids)
        joined = replace(
            new,
            user=np.concatenate((self.read.user, users[new.user])),
            item=np.concatenate((self.read.item, items[new.item])),
            rating=np.concatenate((self.read.rating, new.rating)),
            time=np.concatenate((self.read.time, new.time)),
            line=np.concatenate((self.read.line, new.line)),
            user_ids=user_ids,
            item_ids=item_ids,
            timed=self.read.timed and new.timed,
            labels={},
            held_back=parts.joined(self.read, new),
            chosen=self.read.chosen.with_more(new.chosen),
        )
        return joined, {**(about or {}), **self.about}


def read_set(name: str, home: Home) -> Before:
    """The imported data set ``name``. Raises CftuiError if it does not exist."""
    if not catalog.is_imported(name, home):
        what = "no imported data set has that name"
        raise CftuiError(what, where=f"--into {name}", hint="--name makes a new one", option="into", kind="unknown")
    tables = catalog.open_tables(name, home)
    ratings = tables.ratings
    users, user_ids = pd.factorize(ratings["user"])
    items, item_ids = pd.factorize(ratings["item"])
    time = ratings["timestamp"].to_numpy(np.int64)
    read = Read(
        user=users.astype(np.int32),
        item=items.astype(np.int32),
        rating=ratings["rating"].to_numpy(np.float64),
        time=time,
        line=np.zeros(len(ratings), np.int64),
        user_ids=[str(one) for one in user_ids],
        item_ids=[str(one) for one in item_ids],
        timed=bool(time.any()),
        held_back=tables.held_back,
        chosen=_chosen(tables.unrated),
    )
    rows = zip(*(tables.items[column] for column in ("item", "title", "year", "genres")), strict=True)
    # An item without a title has its id as title.
    about = {str(one): (str(title), int(year), str(genres)) for one, title, year, genres in rows if str(one) != title}
    return Before(tables, read, about)


def _chosen(unrated: pd.DataFrame | None) -> Chosen:
    if unrated is None:
        return Chosen()
    users, user_ids = pd.factorize(unrated["user"])
    items, item_ids = pd.factorize(unrated["item"])
    time = unrated["timestamp"].to_numpy(np.int64)
    return Chosen(users, items, time, [str(one) for one in user_ids], [str(one) for one in item_ids])

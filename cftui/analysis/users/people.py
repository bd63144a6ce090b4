"""Users whom predictions are for: trained or folded in, with their profiles, and user search."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import folding, profiles
from cftui.data.ratings import Ratings
from cftui.errors import CftuiError
from cftui.home import Home

# Columns of a user table that hold no facts about users.
NOT_FACTS = ("user", "ratings", "zip_code")


@dataclass(frozen=True, eq=False)
class Person:
    """A user with a row in the model, trained or folded in.

    Attributes:
        raw: the id of a trained user in the data set, or the name of a profile.
        row: float32 ``[d]``, everything about the user that predictions depend on.
        items, given: what the user rated, int64 codes and float32 ratings ``[n]``; ids that share a title each count.
            NaN is what they chose, or like, without a rating: models of choices know what to do with it, others do not.
        trained: whether the row was trained; else it was folded in.
    """

    raw: str | int
    row: np.ndarray
    items: np.ndarray
    given: np.ndarray
    trained: bool

    @property
    def name(self) -> str:
        """The name to show."""
        return str(self.raw)

    def rating(self, item: int) -> float | None:
        """The user's rating of an item: the mean if ids share its title, None if they have not rated it."""
        given = self.given[self.rated & (self.items == item)]
        return float(given.mean()) if len(given) else None

    @property
    def rated(self) -> np.ndarray:
        """Which of ``items`` have a rating, bool ``[n]``."""
        return ~np.isnan(self.given)

    @property
    def mean(self) -> float | None:
        """The mean of the ratings; None without any."""
        given = self.given[self.rated]
        return float(given.mean()) if len(given) else None


def person(model: TrainedModel, ratings: Ratings, home: Home, name: str | int) -> Person:
    """A user by id in the data set, else by the name of a saved profile.

    Raises:
        CftuiError: neither is known, or the profile cannot be read.
    """
    code = model.users.code(name)
    if code is not None:
        rows = ratings.by_user.rows(code)
        items, given = ratings.item[rows], ratings.rating[rows]
        if ratings.unrated is not None and len(more := ratings.unrated.of_user(code)):
            items = np.concatenate((items, more))
            given = np.concatenate((given, np.full(len(more), np.nan, given.dtype)))
        return Person(model.users.classes[code], model.user_row(code), items, given, trained=True)
    saved = profiles.names(home)
    if name not in saved:
        there = f"; saved profiles: {', '.join(saved)}" if saved else ""
        ids = model.users.classes[1:]
        raise CftuiError(
            f"no user {name} in {model.data_name}; ids run from {ids[0]} to {ids[-1]}{there}", kind="unknown"
        )
    rated = profiles.load(home, str(name), model)
    return folded(model, str(name), rated.items, rated.given)


def folded(
    model: TrainedModel, name: str, items: np.ndarray, given: np.ndarray, prior: folding.UserPrior | None = None
) -> Person:
    """Fold in a user who gave ``items [n]`` (codes) the ratings ``given [n]``; NaN is a like without a rating."""
    return Person(name, folding.fold_in(model, items, given, prior), items, given, trained=False)


def rated(model: TrainedModel, who: Person) -> pd.DataFrame:
    """What a user rated beside the predictions: ``code``, ``title``, ``ratings``, ``rating``, ``predicted``.

    For a model that predicts no ratings the last column is missing.

    The highest ratings come first, and among equal ratings the best known items.
    """
    rows = model.item_table.iloc[who.items]
    table = pd.DataFrame(
        {
            "code": who.items,
            "title": rows["title"].to_numpy(),
            "ratings": rows["ratings"].to_numpy(),
            "rating": who.given,
        }
    )
    if model.rates:
        table["predicted"] = model.rate(who.row, who.items)
    return table.sort_values(["rating", "ratings"], ascending=False, kind="stable").reset_index(drop=True)


def taste(model: TrainedModel, who: Person) -> pd.DataFrame:
    """A user's ratings by genre: ``genre``, ``ratings``, ``mean``, and ``beside``, the mean less the overall mean.

    An item counts in each of its genres; the genre with the most ratings comes first.
    """
    genres = model.item_table["genres"].iloc[who.items].reset_index(drop=True).str.split("|")
    table = pd.DataFrame({"genre": genres, "rating": who.given}).explode("genre")
    table = table[table["genre"].fillna("") != ""]
    found = table.groupby("genre")["rating"].agg(["size", "mean"]).reset_index()
    found.columns = pd.Index(["genre", "ratings", "mean"])
    found["beside"] = found["mean"] - (who.mean or 0.0)
    return found.sort_values("ratings", ascending=False, kind="stable").reset_index(drop=True)


def facts(ratings: Ratings, code: int) -> dict[str, str]:
    """What the data set says about a user besides ratings: age, gender and occupation, if it has them."""
    row = ratings.user_table.iloc[code]
    return {
        str(name): f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in row.items()
        if name not in NOT_FACTS and not pd.isna(value) and str(value)
    }


def search_users(ratings: Ratings, query: str) -> np.ndarray:
    """Codes of the users that match every word of the query, int64, those with the most ratings first.

    A word is an id, the beginning of an occupation or gender, an age (``25``) or a range of ages (``20-29``). If the
    data set has age groups, those that overlap the range match. A lone number that is a user's id finds that user
    first, then the users of that age.
    """
    table = ratings.user_table.iloc[1:]
    fits = np.ones(len(table), dtype=bool)
    ids = np.array([str(raw).casefold() for raw in ratings.users.classes[1:]], dtype=object)
    first = np.zeros(len(table), dtype=bool)
    words = query.casefold().split()
    for word in words:
        here = ids == word
        if len(words) == 1:
            first = here.copy()
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", word)
        for name, column in table.items():
            if name in NOT_FACTS:
                continue
            if pd.api.types.is_numeric_dtype(column):
                if span:
                    here |= column.between(int(span[1]), int(span[2] or span[1])).to_numpy()
            elif span and name == "age":
                asked = int(span[1]), int(span[2] or span[1])
                here |= column.fillna("").astype(str).map(lambda group, asked=asked: _overlap(group, asked)).to_numpy()
            elif not span:
                here |= column.fillna("").astype(str).str.casefold().str.startswith(word).to_numpy()
        fits &= here
    codes = 1 + np.flatnonzero(fits)
    order = np.lexsort((-table["ratings"].to_numpy()[codes - 1], ~first[codes - 1]))
    return codes[order]


def _overlap(group: str, asked: tuple[int, int]) -> bool:
    """Whether an age group (``25-34``, ``56+``, ``Under 18``) overlaps the ages ``asked[0]`` to ``asked[1]``."""
    numbers = [int(number) for number in re.findall(r"\d+", group)]
    if not numbers:
        return False
    low, high = numbers[0], numbers[-1]
    if group.endswith("+"):
        high = max(high, asked[1])
    elif group.casefold().startswith("under"):
        low, high = 0, low - 1
    return low <= asked[1] and asked[0] <= high


def pulls(
    model: TrainedModel,
    who: Person,
    item: int,
    prior: folding.UserPrior | None = None,
    fitted: folding.Fitted | None = None,
) -> pd.DataFrame:
    """How much each of a user's ratings moves the prediction for an item: ``code``, ``title``, ``rating``, ``pull``.

    ``pull`` is in rating units, the largest magnitude first: the prediction with all ratings less the prediction
    without this one, for the folded-in user (``folding.pulls``). A rating of the item itself is among them, and a like
    without a rating (NaN) if the model is one of choices.
    """
    moved = folding.pulls(model, who.items, who.given, item, prior, fitted)
    order = np.argsort(-np.abs(moved), kind="stable")
    order = order[~np.isnan(moved[order])]
    codes = who.items[order]
    titles = model.item_table["title"].iloc[codes].to_numpy()
    return pd.DataFrame({"code": codes, "title": titles, "rating": who.given[order], "pull": moved[order]})

"""Reading a trained model: biases, neighbours, recommendations, facts about an item.

Each function returns a data frame whose ``code`` column points into the model's item vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cftui.analysis.evaluation.intervals import By, check_intervals, has_intervals, intervals
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users.people import Person
from cftui.data.ratings import Ratings
from cftui.errors import CftuiError, suggestion

METRICS = ("cosine", "euclidean")
# The default shrinkage: the number of ratings at which a similarity is trusted by half.
SHRINK = 50
# The least similarity, out of 100, at which a tag is suggested for what was typed.
NEAR_TAG = 70


def item_rows(model: TrainedModel, codes: np.ndarray) -> pd.DataFrame:
    rows = model.item_table.iloc[codes]
    return pd.DataFrame({"code": codes, "title": rows["title"].to_numpy(), "ratings": rows["ratings"].to_numpy()})


def biases(model: TrainedModel, ratings: Ratings | None = None) -> pd.DataFrame:
    """Every item by its bias, lowest first: columns ``code``, ``title``, ``ratings``, ``bias``.

    With ``ratings``, the column ``mean`` holds the plain mean of each item's ratings. The bias differs from it
    because it accounts for who rated the item and gives little weight to few ratings.

    The head holds the chapter's least liked items, "regardless of how well the latent factors match"; the tail holds
    the most liked.

    Raises:
        CftuiError: the architecture has no biases.
    """
    codes = 1 + np.argsort(model.item_bias[1:], kind="stable")
    table = item_rows(model, codes).assign(bias=model.item_bias[codes])
    return table if ratings is None else table.assign(mean=ratings.item_means[codes])


def rated(model: TrainedModel, ratings: Ratings, least: int = 0) -> pd.DataFrame:
    """Items by the mean of their ratings, lowest first: columns ``code``, ``title``, ``ratings``, ``mean``.

    For a model that has no biases. Counts have no scale: of these, items are ordered by how many there are.

    Args:
        least: the least number of ratings of an item, if any item has so many.
    """
    counts = np.bincount(ratings.item, minlength=len(model.items))[1:]
    codes = 1 + np.flatnonzero(counts >= min(max(least, 1), counts.max(initial=0)))
    values = counts[codes - 1] if ratings.counted else ratings.item_means[codes]
    codes = codes[np.argsort(values, kind="stable")]
    return item_rows(model, codes).assign(mean=ratings.item_means[codes])


@dataclass(frozen=True)
class Filter:
    """Which items to show.

    Attributes:
        min_ratings: the least number of ratings of an item.
        genre: the genre or tag that an item must have; empty for all.
    """

    min_ratings: int = 0
    genre: str = ""

    @classmethod
    def parse(cls, text: str, model: TrainedModel) -> Filter:
        """Read ``comedy 20``, ``20`` or ``sci-fi``: a genre or tag, or its beginning, and a least number of ratings.

        Raises:
            CftuiError: there is no such genre or tag.
        """
        words, least = text.split(), 0
        # "agent 007" is a tag. So may be "20", but a lone number means a number of ratings.
        if len(words) == 1 or " ".join(words).casefold() not in map(str.casefold, model.kinds):
            for end in (-1, 0):
                if words and not least and words[end].isdecimal():
                    least = int(words.pop(end))
        return cls(least, _kind(model, " ".join(words)) if words else "")

    def __str__(self) -> str:
        return " ".join(filter(None, (self.genre, f"{self.min_ratings}+ ratings" if self.min_ratings else "")))

    def allows(self, model: TrainedModel) -> np.ndarray:
        """Which items pass, bool ``[items]``; the unknown never does."""
        allowed = model.counts >= self.min_ratings
        if self.genre:
            of_kind = np.zeros(len(allowed), dtype=bool)
            of_kind[model.kinds[self.genre]] = True
            allowed &= of_kind
        allowed[0] = False
        return allowed


def _kind(model: TrainedModel, wanted: str) -> str:
    """The genre or tag that was meant: by its whole name, else the first that begins so."""
    begin = [name for name in model.kinds if name.casefold().startswith(wanted.casefold())]
    if not begin:
        from rapidfuzz import fuzz, process

        genres, tags = list(model.genres), [name for name in model.kinds if name not in model.genres]
        hint = suggestion(wanted.title(), genres) if genres or not tags else f"there are {len(tags):,} tags"
        # There may be thousands of tags: name only the nearest, which is found between two key presses.
        near = process.extractOne(wanted.casefold(), tags, scorer=fuzz.ratio, score_cutoff=NEAR_TAG)
        if near and not hint.startswith("did"):
            hint = f"did you mean {near[0]}?"
        raise CftuiError(f"no genre {'or tag ' if tags else ''}{wanted!r}; {hint}")
    return next((name for name in begin if name.casefold() == wanted.casefold()), begin[0])


ANY = Filter()


def similar(
    model: TrainedModel, item: int, n: int = 10, *, metric: str = "cosine", shrink: float = 0.0, only: Filter = ANY
) -> pd.DataFrame:
    """The nearest items by their factors: ``code``, ``title``, ``ratings`` and the metric's column, nearest first.

    ``cosine`` is the chapter's ``nn.CosineSimilarity``, ``euclidean`` the distance. The item itself is left out.

    Args:
        shrink: trust an item with n ratings by n / (n + shrink), as Bell and Koren shrink similarities: the cosine is
            multiplied, the distance divided by it. 0 leaves both as they are.

    A model that has similarities of its own, as ``ease`` has weights, gives those instead, as the column ``weight``.

    Raises:
        CftuiError: there is no such metric, or the model has no factors.
    """
    if metric not in METRICS:
        raise CftuiError(f"no metric {metric!r}; {suggestion(metric, list(METRICS))}")
    trust = model.counts / (model.counts + shrink) if shrink else 1.0
    own = model.module.similarity(item)
    if own is not None:
        if metric != METRICS[0]:
            raise CftuiError(f"no {metric} distance in this model: {model.recipe.name} compares items by its weights")
        metric, score = "weight", own.numpy() * trust
        found = score
        if np.isnan(score[item]):
            raise CftuiError(f"{model.titles[item]} has too few ratings to be among the {model.nouns} with weights")
    elif metric == "cosine":
        score = found = model.unit_factors @ model.unit_factors[item] * trust
    else:
        with np.errstate(divide="ignore"):
            found = np.linalg.norm(model.item_factors - model.item_factors[item], axis=1) / trust
        score = -found
    allowed = only.allows(model)
    allowed[item] = False
    codes = best_of(score, allowed, n)
    return item_rows(model, codes).assign(**{metric: found[codes]})


def recommend(model: TrainedModel, who: Person, n: int = 10, *, only: Filter = ANY, by: By = "mean") -> pd.DataFrame:
    """The highest predictions among unrated items: ``code``, ``title``, ``ratings``, ``predicted``.

    Models with intervals add ``low`` and ``high``, between which nine of ten ratings lie, and ``uncertainty``. Models
    that predict no ratings have ``score`` in the place of ``predicted``: the likeliest choices first.

    Args:
        by: rank by the mean, or by an end of its interval (``Intervals.score``).

    Raises:
        CftuiError: the model gives no intervals to rank by.
    """
    allowed = only.allows(model)
    allowed[who.items] = False
    if by != "mean":
        check_intervals(model)
    if not model.rates:
        scores = model.scores(who.row)
        codes = best_of(choice_order(model, scores), allowed & np.isfinite(scores), n)
        return item_rows(model, codes).assign(score=scores[codes])
    if has_intervals(model):
        found = intervals(model, who.row)
        codes = best_of(found.score(by), allowed, n)
        columns = {"predicted": found.mean, "low": found.low, "high": found.high, "uncertainty": found.uncertainty}
        return item_rows(model, codes).assign(**{name: values[codes] for name, values in columns.items()})
    predicted = model.rate(who.row)
    codes = best_of(predicted, allowed, n)
    return item_rows(model, codes).assign(predicted=predicted[codes])


def choice_order(model: TrainedModel, scores: np.ndarray) -> np.ndarray:
    """What to order choices by: the scores, or popularity for a user of whom nothing is known, whose scores are 0."""
    return scores if scores[np.isfinite(scores)].any() else model.counts.astype(np.float64)


def place(model: TrainedModel, who: Person, item: int) -> tuple[int | None, int]:
    """Which place an item has among what the user has not rated, from 1, and how many items that is.

    The item itself counts as unrated. The place is None for an item that the model has no score for.
    """
    allowed = ANY.allows(model)
    allowed[who.items] = False
    allowed[item] = True
    scores = model.scores(who.row)
    scored = np.isfinite(scores)
    allowed &= scored
    of = int(allowed.sum())
    if not scored[item]:
        return None, of
    order = scores if model.rates else choice_order(model, scores)
    return 1 + int((order[allowed] > order[item]).sum()), of


def best_of(scores: np.ndarray, allowed: np.ndarray, n: int) -> np.ndarray:
    """Codes of the ``n`` highest scores among those allowed, highest first; ties go to the lower code."""
    codes = np.flatnonzero(allowed)
    if 0 < n < len(codes):
        # Sort only what can be among the first n: sorting sixty thousand scores at every key press adds up.
        least = np.partition(scores[codes], len(codes) - n)[len(codes) - n]
        codes = codes[scores[codes] >= least]
    return codes[np.argsort(-scores[codes], kind="stable")[:n]]


@dataclass(frozen=True, eq=False)
class About:
    """Facts about an item that do not depend on a user.

    Attributes:
        mean: the mean of its ratings, NaN without ratings; of counts likewise.
        histogram: how often each rating value was given: ``value``, ``ratings``, ``share``; empty for counts.
        tags: its tags, the most frequent first; empty if the data set has no tags.
        bias, rank: its bias and the rank of the bias from the highest; None if the recipe has no biases.
    """

    code: int
    title: str
    year: int
    genres: tuple[str, ...]
    tags: tuple[str, ...]
    ratings: int
    mean: float
    histogram: pd.DataFrame
    bias: float | None
    rank: int | None


def about(model: TrainedModel, ratings: Ratings, item: int) -> About:
    """Collect the facts about one item."""
    row = model.item_table.iloc[item]
    given = ratings.rating[ratings.by_item.rows(item)]
    values = np.array(ratings.levels)
    # Counts have no scale, and so no histogram over it.
    counts = np.bincount(np.searchsorted(values, given), minlength=len(values)) if len(values) else np.zeros(0, int)
    bias = float(model.item_bias[item]) if model.has_bias else None
    return About(
        code=item,
        title=str(row["title"]),
        year=int(row["year"]),
        genres=tuple(filter(None, row["genres"].split("|"))),
        tags=tuple(filter(None, row.get("tags", "").split("|"))),
        ratings=len(given),
        mean=float(given.mean()) if len(given) else float("nan"),
        histogram=pd.DataFrame({"value": values, "ratings": counts, "share": counts / max(len(given), 1)}),
        bias=bias,
        rank=None if bias is None else 1 + int((model.item_bias[1:] > model.item_bias[item]).sum()),
    )

"""Two runs as one recommender: one says what a user is likely to choose, the other what the user would rate it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cftui.analysis.evaluation.intervals import has_intervals, intervals
from cftui.analysis.explain.explaining import explain
from cftui.analysis.ranking import ANY, Filter, best_of, choice_order, item_rows
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people
from cftui.analysis.users.people import Person
from cftui.data.ratings import Ratings
from cftui.engine.models.build import architecture
from cftui.engine.rankings import threshold
from cftui.engine.runs.folder import RunFolder, all_runs
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.text import valued

Order = Literal["choice", "rating", "both"]
ORDERS: tuple[Order, ...] = get_args(Order)
# What each order puts first, in words.
ORDERED_BY: dict[Order, str] = {
    "choice": "the likeliest choices first",
    "rating": "the highest predicted ratings first",
    "both": "likely choices that would be liked first",
}
# The power to which the probability of liking an item is taken before it is multiplied with the score of the choice.
# Chosen on the inner training rows of MovieLens 100K.
POWER = 0.25
# Scores are clipped here before they are multiplied: below it, a dislike would raise the product.
LEAST_SCORE = 1e-6
# Squared error assumed for a rater that has none on record.
NOISE = 1.0


@dataclass(frozen=True, eq=False)
class Both:
    """A user in both models."""

    chooser: Person
    rater: Person


@dataclass(frozen=True, eq=False)
class Pair:
    """Two models of the same training ratings.

    Attributes:
        chooser: scores what a user will choose.
        rater: predicts ratings.
        liked: the rating from which on an item counts as liked.
        cut: what a continuous prediction must reach to count as liked: halfway to the next lower rating.
    """

    chooser: TrainedModel
    rater: TrainedModel
    liked: float
    cut: float

    @classmethod
    def of(cls, chooser: TrainedModel, rater: TrainedModel, ratings: Ratings) -> Pair:
        """Pair two models.

        Raises:
            CftuiError: the second predicts no ratings, or they were not trained on the same ratings: one would have
                seen what the other is judged on.
        """
        if not rater.rates:
            raise CftuiError(
                f"{rater.name} predicts no ratings: it cannot say what would be rated how",
                hint="give --rated-by a run of a recipe that does, such as bayes",
            )
        if differ := chooser.trained_on.differences(rater.trained_on):
            raise CftuiError(
                f"{chooser.name} and {rater.name} differ in their {differ[0]}: one may have been trained on what the "
                "other is judged by",
                hint="train both on the same data set, split and seed",
            )
        liked = threshold(ratings)
        below = max((level for level in ratings.levels if level < liked), default=liked)
        return cls(chooser, rater, liked, (liked + below) / 2)

    def person(self, ratings: Ratings, home: Home, name: str | int) -> Both:
        """A user by id or by the name of a saved profile. Raises CftuiError as ``people.person`` does."""
        return Both(*(people.person(model, ratings, home, name) for model in (self.chooser, self.rater)))

    def likings(self, row: np.ndarray) -> np.ndarray:
        """The probability that a user with this row of the rater likes each item: float64 ``[items]``."""
        if has_intervals(self.rater):
            found = intervals(self.rater, row)
            centre, sd = found.centre.astype(np.float64), found.sd.astype(np.float64)
        else:
            centre = self.rater.rate(row).astype(np.float64)
            sd = np.full(len(centre), (self.rater.valid_loss or NOISE) ** 0.5)
        return torch.special.ndtr(torch.from_numpy((centre - self.cut) / sd)).numpy()

    def both(self, scores: np.ndarray, likings: np.ndarray) -> np.ndarray:
        """The score of the choice times a root of the probability of liking it: float64 ``[items]``."""
        return np.where(np.isfinite(scores), np.maximum(scores, LEAST_SCORE) * likings**POWER, -np.inf)

    def recommend(self, who: Both, n: int = 10, *, only: Filter = ANY, order: Order = "choice") -> pd.DataFrame:
        """The best unrated items with both numbers.

        Returns:
            ``code``, ``title``, ``ratings``; ``place``, which choice it is, from 1; ``score``, the chooser's;
            ``predicted``, the rater's; ``low`` and ``high``, between which nine of ten ratings lie, if the rater gives
            intervals; ``liked``, the probability of a rating of ``liked`` or more.
        """
        allowed = only.allows(self.chooser)
        allowed[who.chooser.items] = False
        scores, predicted = self.chooser.scores(who.chooser.row), self.rater.rate(who.rater.row)
        allowed &= np.isfinite(scores)
        likings = self.likings(who.rater.row)
        by_choice = choice_order(self.chooser, scores)
        ranked_by = {"choice": by_choice, "rating": predicted, "both": self.both(scores, likings)}[order]
        codes = best_of(ranked_by, allowed, n)
        place = np.empty(len(scores), np.int64)
        place[best_of(by_choice, allowed, len(scores))] = 1 + np.arange(int(allowed.sum()))
        table = item_rows(self.chooser, codes).assign(
            place=place[codes], score=scores[codes], predicted=predicted[codes]
        )
        if has_intervals(self.rater):
            found = intervals(self.rater, who.rater.row, codes)
            table = table.assign(low=found.low, high=found.high)
        return table.assign(liked=likings[codes])

    def scorer(self, order: Order = "both") -> Callable[[np.ndarray], Tensor]:
        """What ``rankings.evaluate_rankings`` judges: user codes int64 ``[b]`` to scores ``[b, items]``."""

        def scores(users: np.ndarray) -> Tensor:
            rows = []
            for user in users:
                if order == "rating":
                    rows.append(self.rater.rate(self.rater.user_row(int(user))).astype(np.float64))
                    continue
                chosen = self.chooser.scores(self.chooser.user_row(int(user)))
                likings = self.likings(self.rater.user_row(int(user))) if order == "both" else None
                rows.append(chosen.astype(np.float64) if likings is None else self.both(chosen, likings))
            return torch.from_numpy(np.stack(rows))

        return scores


@dataclass(frozen=True)
class Reason:
    """A rating of the user that speaks for an item, and what it adds to the score."""

    title: str
    rating: float | None
    part: float
    counted: bool = False

    def __str__(self) -> str:
        return valued(self.title, self.rating, self.counted)


def reasons(model: TrainedModel, who: Person, codes: np.ndarray, n: int = 2) -> list[list[Reason]]:
    """For each item, the ``n`` ratings of the user that add most to its score; empty lists without an explanation."""
    found = []
    for code in codes:
        try:
            terms = explain(model, who.row, int(code), who=who).terms
        except CftuiError:
            terms = ()
        own = [term for term in terms if term.kind == "rated" and term.index is not None and term.stars > 0]
        found.append(
            [
                Reason(model.titles[term.index], who.rating(term.index), term.stars, model.counted)
                for term in own[:n]
                if term.index
            ]
        )
    return found


def find_pair(model: TrainedModel, ratings: Ratings, home: Home) -> Pair | None:
    """Pair a model with the best run of the other kind on the same data set, split and seed, if one exists."""
    best: tuple[float, RunFolder] | None = None
    for run in all_runs(home):
        try:
            config = run.config()
            if config.trained_on != model.trained_on or not run.weights_file.exists():
                continue
            if architecture(config.recipe).rates == model.rates:
                continue
            score, ending = config.method.score, dict(run.history().ending or {})
        except (CftuiError, OSError):
            continue  # a damaged run cannot be paired
        value = ending.get(score.key)
        if isinstance(value, float) and score.better(value, best and best[0]):
            best = value, run
    if best is None:
        return None
    try:
        other = TrainedModel.load(best[1])
        return Pair.of(other, model, ratings) if model.rates else Pair.of(model, other, ratings)
    except CftuiError:
        return None

"""Which of two runs is better on the ratings that both held back, and whether that is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cftui.analysis.evaluation.lists import Difference, bootstrap, difference
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.engine.rankings import evaluate_rankings, predicted
from cftui.engine.runs.config import TrainedOn
from cftui.engine.runs.verdict import Remark, percent, points
from cftui.errors import CftuiError
from cftui.text import number

# Users whose lists are judged; on a larger set a sample.
USERS = 5000


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same ratings.

    Attributes:
        loss: how their mean squared errors differ; None if one of them predicts no ratings.
        lists: how the NDCG@10 of their lists differs; None if nothing that is held back is relevant.
    """

    first: str
    second: str
    loss: Difference | None
    lists: Difference | None

    @property
    def remarks(self) -> list[Remark]:
        """Who predicts better, and who recommends better."""
        found = []
        if self.loss is not None:
            figures = number(self.loss.first, 4), number(self.loss.second, 4)
            found.append(_remark(self, self.loss, "predict", "validation loss", figures, lower_wins=True))
        if self.lists is not None:
            figures = points(self.lists.first), points(self.lists.second)
            found.append(_remark(self, self.lists, "recommend", "NDCG@10", figures, lower_wins=False))
        return found or [Remark("neutral", "not compared: nothing that is held back is relevant")]

    def rows(self) -> list[dict[str, Any]]:
        """A row per figure, for ``--json``: both values, the interval of the difference, whether it may be chance."""
        of = {"loss: mean squared error": self.loss, "lists: NDCG@10": self.lists}
        return [
            {
                "what": what,
                self.first: one.first,
                self.second: one.second,
                "low": one.of.low,
                "high": one.of.high,
                "may_be_chance": one.is_chance,
            }
            for what, one in of.items()
            if one is not None
        ]


def _remark(
    found: Comparison, one: Difference, does: str, what: str, figures: tuple[str, str], *, lower_wins: bool
) -> Remark:
    span = f"on the same {one.users:,} users, 95 % interval of the difference {one.of.low:+.4f} to {one.of.high:+.4f}"
    if one.is_chance:
        words = f"whether {found.first} or {found.second} {does}s better may be chance"
        return Remark("neutral", f"{words}: {what} {figures[0]} and {figures[1]}; {span}")
    sides = [(found.first, figures[0], one.first), (found.second, figures[1], one.second)]
    winner, loser = sides if (one.of.mean < 0) == lower_wins else reversed(sides)
    by = percent((winner[2] - loser[2]) / loser[2]) if loser[2] else ""
    better = f"{winner[0]} {does}s better than {loser[0]}" + (f" by {by}" if by else "")
    return Remark("good", f"{better}, more than chance: {what} {winner[1]} against {loser[1]}; {span}")


def compare(one: TrainedModel, other: TrainedModel, ratings: Ratings) -> Comparison:
    """Compare two runs on the validation ratings that they share.

    Raises:
        CftuiError: they were not trained on the same ratings, or these hold nothing back.
    """
    check_comparable(one, other)
    parts = one.split(ratings)
    if not len(parts.valid):
        raise CftuiError(f"not compared: split {parts.name} holds no ratings back")
    scorers = {f"{at}": predicted(model.module) for at, model in enumerate((one, other))}
    found = evaluate_rankings(ratings, parts, scorers, sample=USERS)
    lists = difference(found, "0", "1") if found.users else None
    loss = _loss_difference(one, other, ratings) if one.rates and other.rates else None
    return Comparison(one.name, other.name, loss, lists)


def check_comparable(one: TrainedModel, other: TrainedModel) -> None:
    """Raises CftuiError if the runs were not trained and validated on the same ratings; it names what differs."""
    check_same_ratings((one.name, one.trained_on), (other.name, other.trained_on))


def check_same_ratings(one: tuple[str, TrainedOn], other: tuple[str, TrainedOn]) -> None:
    """``check_comparable`` for runs that are not loaded, by their names and what they were trained on."""
    if differ := one[1].differences(other[1]):
        raise CftuiError(
            f"not compared: {one[0]} and {other[0]} differ in their {' and '.join(differ)}",
            hint="train both on the same data set, split and seed",
        )


def _loss_difference(one: TrainedModel, other: TrainedModel, ratings: Ratings) -> Difference:
    """The difference of the mean squared errors, with the users resampled: the errors of one user belong together."""
    valid = one.split(ratings).valid
    users, truth = ratings.user[valid], ratings.rating[valid].astype(np.float64)
    squares = [np.square(model.predict(users, ratings.item[valid]) - truth) for model in (one, other)]
    codes, place, counts = np.unique(users, return_inverse=True, return_counts=True)
    first, second = (np.bincount(place, each, len(codes)) for each in squares)
    return Difference(
        metric="mse",
        users=len(codes),
        first=float(squares[0].mean()),
        second=float(squares[1].mean()),
        of=bootstrap(first - second, counts),
        better=float((first < second).mean()),
        worse=float((first > second).mean()),
    )

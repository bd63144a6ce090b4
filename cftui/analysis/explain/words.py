"""Why, in the words of a user: how they rate, how the item is rated, and what they liked that speaks for it.

Each sentence is a fact of the data or a term of the model's own explanation; nothing is estimated here. Which ratings
speak for an item is what the model says: the ratings that move its prediction (``people.pulls``), or the parts of a
score. If the model says neither, they are the user's ratings of the nearest items.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cftui.analysis.trained import TrainedModel
from cftui.analysis.users.people import Person
from cftui.data.ratings import Ratings
from cftui.engine.models.terms import Term
from cftui.engine.rankings import threshold
from cftui.text import plural, valued

# A user within this share of the scale of the mean rates like most.
LIKE_MOST = 0.05
# The share of items that one is better liked than, and what is said of it from there on; below the last, "disliked".
LIKED: tuple[tuple[float, str], ...] = (
    (0.9, "is loved"),
    (0.7, "is liked"),
    (0.3, "is rated like most"),
    (0.1, "is liked less than most"),
    (0.0, "is disliked"),
)
# Fewer ratings than these say little about an item.
FEW = 10
# The number of ratings at which the mean of an item without a bias counts by half.
SHRINK = 10
# Ratings that are named on either side.
NAMED = 2


@dataclass(frozen=True)
class Moved:
    """A rating of the user, None for a like without one, and what it adds to the prediction or the score."""

    title: str
    rating: float | None
    part: float


def in_words(
    model: TrainedModel,
    ratings: Ratings,
    who: Person,
    item: int,
    terms: Sequence[Term] = (),
    pulls: pd.DataFrame | None = None,
) -> tuple[str, ...]:
    """Sentences without a subject, which is the user, such as ``rates 1.7 lower than most (1.8, all 3.5)``.

    Args:
        terms: those of the explanation, if the model has one.
        pulls: ``people.pulls`` of the item, the strongest first; None for a model that cannot fold in a user.
    """
    said = [
        _own_rating(model, who, item),
        _habit(model, ratings, who),
        _standing(model, ratings, item),
        _taste(model, terms),
        *_reasons(model, ratings, _moved(model, who, item, terms, pulls)),
    ]
    return tuple(sentence for sentence in said if sentence)


def _own_rating(model: TrainedModel, who: Person, item: int) -> str:
    given = who.rating(item)
    if given is None:
        return ""
    return f"chose it {plural(round(given), 'time')}" if model.counted else f"gave it {given:g}"


def _habit(model: TrainedModel, ratings: Ratings, who: Person) -> str:
    """How high the user rates; nothing where the model does not predict ratings, which then does not matter."""
    if not model.rates:
        return ""
    if who.mean is None:
        return f"has no ratings yet: this is what anybody would give the {model.noun}"
    own, usual = who.mean, ratings.mean
    low, high = model.rating_range
    digits = digits_for(high - low)
    said = f"({own:.{digits}f}, all {usual:.{digits}f})"
    if abs(own - usual) < LIKE_MOST * (high - low):
        return f"rates like most {said}"
    return f"rates {abs(own - usual):.{digits}f} {'higher' if own > usual else 'lower'} than most {said}"


def _standing(model: TrainedModel, ratings: Ratings, item: int) -> str:
    """How well the item is liked beside the others: by its bias, or, without biases, by the mean of its ratings."""
    count, this = int(model.counts[item]), f"this {model.noun}"
    if not model.rates:
        users = len(model.users) - 1
        return f"{this} was {'chosen' if model.counted else 'rated'} by {count:,} of {plural(users, 'user')}"
    if not count:
        return f"nobody rated {this}"
    liking = model.item_bias if model.has_bias else _shrunk_means(model, ratings)
    known = model.counts > 0
    known[0] = False
    beaten = float((liking[known] < liking[item]).mean())
    low, high = model.rating_range
    mean = f"{ratings.item_means[item]:.{digits_for(high - low)}f}"
    word = next(word for least, word in LIKED if beaten >= least)
    if count < FEW:
        return f"{this} {word} (mean {mean}, only {plural(count, 'rating')})"
    return f"{this} {word} (mean {mean})"


def _shrunk_means(model: TrainedModel, ratings: Ratings) -> np.ndarray:
    means = np.nan_to_num(ratings.item_means, nan=ratings.mean)
    return (means - ratings.mean) * model.counts / (model.counts + SHRINK)


def _taste(model: TrainedModel, terms: Sequence[Term]) -> str:
    """What all factors add together. Without biases they are the whole prediction, and not the taste alone."""
    parts = [term.stars for term in terms if term.kind == "factor"]
    if not parts or not model.rates or not model.has_bias:
        return ""
    low, high = model.rating_range
    digits = digits_for(high - low)
    total = math.fsum(parts)
    if abs(total) < 0.5 * 10**-digits:
        return f"their taste does not matter for this {model.noun}"
    fits = "fits" if total > 0 else "does not fit"
    return f"this {model.noun} {fits} their taste ({total:+.{digits}f})"


def _moved(
    model: TrainedModel, who: Person, item: int, terms: Sequence[Term], pulls: pd.DataFrame | None
) -> list[Moved]:
    """The user's ratings of other items with what each adds, the strongest first. Ids that share a title are one."""
    parts: Iterable[tuple[int, float]] = ()
    if pulls is not None:
        parts = zip(pulls["code"].tolist(), pulls["pull"].tolist(), strict=True)
    elif own := [(term.index, term.stars) for term in terms if term.kind == "rated" and term.index is not None]:
        parts = own
    elif model.rates and model.has_factors and who.rated.any():
        items, ratings_given = who.items[who.rated], who.given[who.rated]
        alike = model.unit_factors[items] @ model.unit_factors[item]
        # A high rating of what is like it speaks for it, and a low one against it.
        worth = alike * (ratings_given - sum(model.rating_range) / 2)
        parts = zip(items.tolist(), worth.tolist(), strict=True)
    sums: dict[int, float] = {}
    for code, part in parts:
        if code != item:
            sums[code] = sums.get(code, 0.0) + part
    strongest = sorted(sums.items(), key=lambda one: -abs(one[1]))
    given = pd.Series(who.given).groupby(who.items).mean().to_dict()
    return [
        Moved(model.titles[code], None if math.isnan(given[code]) else given[code], part)
        for code, part in strongest
        if code in given
    ]


def _reasons(model: TrainedModel, ratings: Ratings, moved: list[Moved]) -> list[str]:
    """High ratings that raise the prediction, and low ones that lower it, as far as there are such.

    What adds to a score need not be a high rating, nor what takes from it a low one: there, the strongest are named.
    """
    raising = [one for one in moved if one.part > 0]
    high = threshold(ratings)
    if not model.rates:
        if not raising:
            return [f"{'chose' if model.counted else 'rated'} nothing that speaks for this {model.noun}"]
        strongest = raising[:NAMED]
        liked = all(one.rating is not None and one.rating >= high for one in strongest)
        chose = model.counted or all(one.rating is None for one in strongest)
        return [f"{'chose' if chose else 'liked' if liked else 'rated'} {_names(raising, model.counted)}"]
    # As far from the lower end as what counts as liked is from the upper one.
    low = sum(model.rating_range) - high
    for_it = [one for one in raising if one.rating is not None and one.rating >= high]
    against = [one for one in moved if one.part < 0 and one.rating is not None and one.rating <= low]
    named = (("liked", for_it), ("disliked", against))
    return [f"{word} {_names(some)}" for word, some in named if some]


def _names(moved: list[Moved], counted: bool = False) -> str:
    return " and ".join(valued(one.title, one.rating, counted) for one in moved[:NAMED])


def digits_for(span: float) -> int:
    """Digits after the point with which differences on a scale of this span are said: 1 of 1..5, 0 of 0..100."""
    return max(0, 1 - math.floor(math.log10(span / 2.5))) if span > 0 else 1

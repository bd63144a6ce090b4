"""Ways of judging lists, each with its own split and its own definitions, so that published figures can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import folding
from cftui.data.ratings import Grouped, Ratings
from cftui.data.splits import GIVEN, VALID_SHARE, Split, inner, split
from cftui.engine.fitting import Hooks
from cftui.engine.list_baselines import better_popularity, list_scorers
from cftui.engine.models.architectures import Architecture
from cftui.engine.models.options import ChoiceOptions, Options
from cftui.engine.models.recipes import Recipe
from cftui.engine.rankings import METRICS, Evaluation, Scorer, evaluate_rankings, predicted, threshold
from cftui.engine.training import fitter_for
from cftui.errors import CftuiError, suggestion

# Every rating that is held back counts as relevant.
ANY = float("-inf")
# The negatives that a relevant item is ranked among by ``sampled``.
NEGATIVES = 100


@dataclass(frozen=True, eq=False)
class Part:
    """One split of a protocol.

    Attributes:
        split: what trains, and what is to be found.
        known: rows that are known of users who do not train, and from which they are folded in; None if all train.
    """

    split: Split
    known: np.ndarray | None = None


@dataclass(frozen=True)
class Protocol:
    """One way of judging.

    Attributes:
        name, summary: for the command line.
        parts: the splits of a data set for a seed, over which the metrics are averaged.
        relevant: the lowest rating that is relevant; ``ANY``, or None for ``rankings.threshold``.
        k: the length of a list, unless another is asked for.
        metrics: which of ``rankings.METRICS`` it reports, and ``map_r``, which divides by the number of relevant items.
        candidates: turns a scorer into one that ranks only some items; None to rank all.
        seed: the seed that published figures used.
        source: where it is from.
    """

    name: str
    summary: str
    parts: Callable[[Ratings, int], Iterator[Part]]
    relevant: float | None = ANY
    k: int = 10
    metrics: tuple[str, ...] = METRICS
    candidates: Callable[[Scorer, Ratings, Split], Scorer] | None = None
    seed: int = 0
    source: str = ""

    def threshold(self, ratings: Ratings) -> float:
        """The lowest relevant rating on this data set's scale."""
        return threshold(ratings) if self.relevant is None else self.relevant

    def relevant_in_words(self, ratings: Ratings) -> str:
        """``every rating held back is relevant``, or from which one on."""
        if self.relevant == ANY:
            return "every rating held back is relevant"
        return f"ratings of {self.threshold(ratings):g} or more are relevant"

    def figures(self, found: Evaluation, name: str) -> dict[str, float]:
        """The metrics that the protocol reports of one scorer, by its own definitions."""
        values = found.per_user(found.lists[name])
        each = {metric: values[:, at] for at, metric in enumerate(METRICS)}
        each["map_r"] = each["map"] * np.minimum(found.k, found.wanted) / found.wanted
        return {metric: float(each[metric].mean()) if found.users else float("nan") for metric in self.metrics}


def _place_in_group(groups: np.ndarray) -> np.ndarray:
    """The place of each row among the rows of its group, from 0."""
    return pd.Series(groups).groupby(groups, sort=False).cumcount().to_numpy()


def _own(ratings: Ratings, seed: int) -> Iterator[Part]:
    yield Part(split(ratings, "random", seed))


def _given(ratings: Ratings, seed: int) -> Iterator[Part]:
    yield Part(split(ratings, GIVEN, seed))


def _by_item(ratings: Ratings, seed: int) -> Iterator[Part]:
    """Three quarters of each item's ratings train, as ``python_stratified_split(filter_by="item")`` divides them.

    That function (recommenders 1.2.1) draws a random number for each row of the file, and orders the rows of an item by
    it. The published figures are for items by their ids, not by their titles.
    """
    drawn = np.random.RandomState(seed).rand(len(ratings))
    order = np.lexsort((drawn, ratings.item))
    item = ratings.item[order]
    trains = 1 + _place_in_group(item) <= np.round(0.75 * np.bincount(item)[item])
    yield Part(Split("recommenders", np.sort(order[trains]), np.sort(order[~trains])))


def _last_out(ratings: Ratings, seed: int) -> Iterator[Part]:
    """Each user's last rating is held back, the last in the file of those of the same second."""
    order = np.lexsort((ratings.timestamp, ratings.user))
    last = np.append(ratings.user[order][1:] != ratings.user[order][:-1], True)
    yield Part(Split("last-out", np.sort(order[~last]), np.sort(order[last])))


def _global_time(ratings: Ratings, seed: int) -> Iterator[Part]:
    """The last fifth of all ratings by time is held back, of the users who are known by then."""
    order = np.argsort(ratings.timestamp, kind="stable")
    cut = len(order) - int(VALID_SHARE * len(order))
    train, late = order[:cut], order[cut:]
    late = late[np.isin(ratings.user[late], ratings.user[train])]
    yield Part(Split("global-time", np.sort(train), np.sort(late)))


def _unseen_users(ratings: Ratings, seed: int) -> Iterator[Part]:
    """A fifth of the users does not train. Four fifths of the ratings of each are known, the rest is to be found."""
    random = np.random.default_rng(seed)
    users = random.permutation(np.unique(ratings.user))
    held = np.zeros(len(ratings.users), bool)
    held[users[: max(1, int(VALID_SHARE * len(users)))]] = True
    rows = random.permutation(np.flatnonzero(held[ratings.user]))
    rows = rows[np.argsort(ratings.user[rows], kind="stable")]
    user = ratings.user[rows]
    valid = _place_in_group(user) < (VALID_SHARE * np.bincount(user)).astype(np.int64)[user]
    train = np.flatnonzero(~held[ratings.user])
    yield Part(Split("unseen-users", train, rows[valid]), known=rows[~valid])


def _five_of_each(ratings: Ratings, seed: int) -> Iterator[Part]:
    """Five folds of the users; five ratings of each user of a fold are held back, the rest trains with all others."""
    random = np.random.default_rng(seed)
    users = random.permutation(np.unique(ratings.user))
    order = random.permutation(len(ratings))
    first = _place_in_group(ratings.user[order]) < 5
    for at, fold in enumerate(np.array_split(users, 5), 1):
        held = first & np.isin(ratings.user[order], fold)
        yield Part(Split(f"codex-{at}", np.sort(order[~held]), np.sort(order[held])))


def _sampled(scorer: Scorer, ratings: Ratings, part: Split) -> Scorer:
    """Rank what is to be found among ``NEGATIVES`` other items that the user has not rated."""
    valid = np.zeros((len(ratings.users), len(ratings.items)), bool)
    valid[ratings.user[part.valid], ratings.item[part.valid]] = True
    rated = valid.copy()
    rated[ratings.user[part.train], ratings.item[part.train]] = True
    known = np.bincount(ratings.item[part.train], minlength=len(ratings.items)) > 0
    known[0] = False

    def scores(users: np.ndarray) -> Tensor:
        found = scorer(users).clone()
        for row, user in enumerate(users):
            free = np.flatnonzero(known & ~rated[user])
            drawn = np.random.default_rng([1, int(user)]).choice(free, min(NEGATIVES, len(free)), replace=False)
            ranked = valid[user].copy()
            ranked[drawn] = True
            found[row, torch.from_numpy(~ranked)] = -torch.inf
        return found

    return scores


PROTOCOLS = {
    one.name: one
    for one in (
        Protocol("cftui", "a random fifth of the ratings is held back; relevant from 4 of 5 on", _own, relevant=None),
        Protocol(GIVEN, "the test part that the data set came with; relevant from 4 of 5 on", _given, relevant=None),
        Protocol(
            "recommenders",
            "the table of recommenders-team/recommenders: a quarter of each item's ratings, all relevant",
            _by_item,
            metrics=("map_r", "ndcg", "precision", "recall"),
            seed=42,
            source="https://github.com/recommenders-team/recommenders (README, MovieLens 100k)",
        ),
        Protocol(
            "codex",
            "LensKit's: five ratings of each user, in five folds of the users; all relevant",
            _five_of_each,
            metrics=("rbp", "ndcg", "recall", "hit_rate"),
        ),
        Protocol("last-out", "each user's last rating is held back and relevant", _last_out),
        Protocol(
            "global-time", "the last fifth of all ratings by time; relevant from 4 of 5 on", _global_time, relevant=None
        ),
        Protocol(
            "unseen-users",
            "a fifth of the users does not train and is folded in from most of their ratings; relevant from 4 of 5 on",
            _unseen_users,
            relevant=None,
        ),
        Protocol(
            "sampled",
            f"as last-out, among {NEGATIVES} sampled items: misleading, only to compare with others' figures",
            _last_out,
            candidates=_sampled,
        ),
    )
}


def protocol(name: str) -> Protocol:
    """Return a protocol by its name. Raises CftuiError for an unknown name."""
    if name not in PROTOCOLS:
        raise CftuiError(f"no protocol {name!r}; {suggestion(name, list(PROTOCOLS))}", option="protocol")
    return PROTOCOLS[name]


def seen(ratings: Ratings, part: Part) -> Split:
    """The split by which lists are judged: what is known of a user who did not train is not recommended either."""
    if part.known is None:
        return part.split
    return replace(part.split, train=np.concatenate((part.split.train, part.known)))


def judge(
    recipe: Recipe,
    options: Options,
    how: Protocol,
    ratings: Ratings,
    device: torch.device,
    *,
    graded: bool | None = None,
    k: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Evaluation]:
    """Fit a recipe on each part of a protocol and judge its lists beside the baselines; a judgement for each part.

    Args:
        options: of the recipe; ``split`` is not used.
        graded: whether the input of a model of choices is graded; None to choose on the training rows of each part, by
            what the protocol calls relevant.
        should_stop: asked before every step; once it returns true, iteration ends.

    Raises:
        CftuiError: the recipe cannot be judged so: it cannot fold in users, or the data set is too small.
    """
    relevant = how.threshold(ratings)
    for part in how.parts(ratings, options.seed):
        if not len(part.split.valid):
            raise CftuiError(f"{ratings.name}: protocol {how.name} holds back no ratings of so small a set")
        chosen = options
        if graded is None and isinstance(options, ChoiceOptions):
            chosen = _choose_input(recipe, options, ratings, part.split, relevant, device, should_stop)
        fitter = fitter_for(recipe, chosen, ratings, part.split, device)
        fitter.relevant = relevant
        if should_stop() or fitter.fit(Hooks(should_stop=should_stop)) == "stopped":
            return
        model = fitter.model.to("cpu").eval().requires_grad_(False)
        scorer = predicted(model)
        if part.known is not None:
            scorer = _folding(recipe, chosen, model, ratings, part.known)
        judged = seen(ratings, part)
        scorers = {"model": scorer, **list_scorers(ratings, judged)}
        if how.candidates is not None:
            scorers = {name: how.candidates(one, ratings, judged) for name, one in scorers.items()}
        found = evaluate_rankings(ratings, judged, scorers, k=k or how.k, relevant=relevant)
        yield better_popularity(found)


def _choose_input(
    recipe: Recipe,
    options: ChoiceOptions,
    ratings: Ratings,
    outer: Split,
    relevant: float,
    device: torch.device,
    should_stop: Callable[[], bool],
) -> ChoiceOptions:
    """Graded input or not, whichever gives the better lists within the training rows."""
    scores = {}
    for graded in (True, False):
        fitter = fitter_for(recipe, replace(options, graded=graded), ratings, inner(outer, options.seed), device)
        fitter.relevant = relevant
        fitter.fit(Hooks(should_stop=should_stop))
        scores[graded] = fitter.validate().ndcg or 0.0
    return replace(options, graded=scores[True] >= scores[False])


def _folding(recipe: Recipe, options: Options, model: Architecture, ratings: Ratings, known: np.ndarray) -> Scorer:
    """Score items for users who did not train, from their known ratings."""
    trained = TrainedModel.fitted(model, recipe, options, ratings, name=recipe.name, valid_loss=None, device="cpu")
    prior = folding.prior(trained)
    by_user = Grouped(ratings.user[known], len(ratings.users))

    def scores(users: np.ndarray) -> Tensor:
        found = []
        for user in users:
            rows = known[by_user.rows(int(user))]
            row = folding.fold_in(trained, ratings.item[rows], ratings.rating[rows], prior)
            found.append(trained.scores(row))
        return torch.from_numpy(np.stack(found))

    return scores

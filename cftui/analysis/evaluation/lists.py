"""What lists are like beside their accuracy, for whom they are good, and how far to trust a difference."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine.rankings import METRICS, Evaluation
from cftui.errors import CftuiError

# Resamples of the users, and the share of them that an interval holds.
RESAMPLES, SHARE = 1000, 0.95
# Users whose lists are compared item by item for their diversity.
DIVERSITY_USERS = 1000
TERCILES = ("lowest", "middle", "highest")


@dataclass(frozen=True)
class Interval:
    """A mean over users, with the interval that holds 95 % of its bootstrap resamples."""

    mean: float
    low: float
    high: float


def bootstrap(values: np.ndarray, counts: np.ndarray | None = None, seed: int = 0) -> Interval:
    """The mean of one figure per user ``[users]``, and how far it depends on who the users happened to be.

    The users are drawn again with replacement a thousand times (Efron 1979). Without users everything is NaN.

    Args:
        counts: for sums over the ratings of each user: how many there are ``[users]``. The mean is then over ratings.
    """
    if not len(values):
        return Interval(np.nan, np.nan, np.nan)
    random = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for at in range(RESAMPLES):
        drawn = random.integers(len(values), size=len(values))
        means[at] = values[drawn].sum() / (len(drawn) if counts is None else counts[drawn].sum())
    low, high = np.quantile(means, ((1 - SHARE) / 2, (1 + SHARE) / 2))
    mean = values.sum() / (len(values) if counts is None else counts.sum())
    return Interval(float(mean), float(low), float(high))


def doubt(found: Evaluation, metric: str = "ndcg") -> dict[str, Interval]:
    """The bootstrap interval of a metric at ``found.k``, by name of the scorer."""
    at = METRICS.index(metric)
    return {name: bootstrap(found.per_user(found.lists[name])[:, at]) for name in found.lists}


@dataclass(frozen=True)
class Difference:
    """How two scorers' lists differ on the same users.

    Attributes:
        first, second: the means of the metric.
        of: the difference first less second, user by user.
        better, worse: shares of the users for whom the first is better, and worse.
    """

    metric: str
    users: int
    first: float
    second: float
    of: Interval
    better: float
    worse: float

    @property
    def is_chance(self) -> bool:
        """Whether the difference may be chance: its interval holds 0."""
        return not (self.of.low > 0 or self.of.high < 0)

    def in_words(self, first: str, second: str) -> str:
        """``A's lists are better than B's ...``: one sentence."""
        what = {"ndcg": "NDCG", "map": "MAP", "mrr": "MRR", "rbp": "RBP"}.get(self.metric, self.metric)
        figures = f"{what} {self.first:.4f} and {self.second:.4f} on the same {self.users:,} users"
        span = f"95 % interval of the difference {self.of.low:+.4f} to {self.of.high:+.4f}"
        if self.is_chance:
            return f"whether the lists of {first} or of {second} are better may be chance: {figures}; {span}"
        good, bad = (first, second) if self.of.mean > 0 else (second, first)
        return f"the lists of {good} are better than those of {bad}: {figures}; {span}"


def difference(found: Evaluation, first: str, second: str, metric: str = "ndcg") -> Difference:
    """Compare two scorers of one evaluation by a metric, paired over its users."""
    at = METRICS.index(metric)
    one, other = (found.per_user(found.lists[name])[:, at] for name in (first, second))
    if not len(one):
        raise CftuiError("no user has anything relevant to compare the lists by")
    better, worse = float((one > other).mean()), float((one < other).mean())
    return Difference(metric, len(one), float(one.mean()), float(other.mean()), bootstrap(one - other), better, worse)


@dataclass(frozen=True)
class Beyond:
    """What lists are like, whether or not they hit.

    Attributes:
        coverage: share of the items with training ratings that are in somebody's list.
        gini: how unequally the items share the places of all lists: 0 equally, towards 1 few items have all.
        novelty: mean self-information of what is recommended, -log2 of the share of users who rated it, in bits.
        popularity: mean number of training ratings of what is recommended.
        diversity: 1 less the mean cosine between the items of a list, by who rated them in training.
    """

    coverage: float
    gini: float
    novelty: float
    popularity: float
    diversity: float

    def as_json(self) -> dict[str, float]:
        return asdict(self)


def beyond(ratings: Ratings, split: Split, found: Evaluation, name: str) -> Beyond:
    """Describe the lists of one scorer."""
    lists = found.lists[name].items
    counts = np.bincount(ratings.item[split.train], minlength=len(ratings.items))
    counts[0] = 0
    shown = lists[lists > 0]
    if not len(shown):
        return Beyond(*[np.nan] * 5)
    known = counts > 0
    exposure = np.sort(np.bincount(shown, minlength=len(ratings.items))[known])
    n = len(exposure)
    gini = float((2 * np.arange(1, n + 1) - n - 1) @ exposure / (n * exposure.sum()))
    return Beyond(
        coverage=float((exposure > 0).mean()),
        gini=gini,
        novelty=novelty(ratings, split, shown),
        popularity=float(counts[shown].mean()),
        diversity=_diversity(ratings, split, lists),
    )


def novelty(ratings: Ratings, split: Split, items: np.ndarray) -> float:
    """The mean self-information of recommended items ``[n]``, in bits: -log2 of the share of users who rated them."""
    people = len(np.unique(ratings.user[split.train]))
    # Somebody may have rated two ids of one title.
    pairs = np.unique(ratings.user[split.train] * len(ratings.items) + ratings.item[split.train])
    raters = np.bincount(pairs % len(ratings.items), minlength=len(ratings.items))
    return float(-np.log2(np.maximum(raters[items], 1) / people).mean())


def _diversity(ratings: Ratings, split: Split, lists: np.ndarray) -> float:
    from scipy import sparse

    if len(lists) > DIVERSITY_USERS:
        lists = lists[np.random.default_rng(0).choice(len(lists), DIVERSITY_USERS, replace=False)]
    codes, place = np.unique(lists[lists > 0], return_inverse=True)
    row = np.full(len(ratings.items), -1)
    row[codes] = np.arange(len(codes))
    rows = split.train[row[ratings.item[split.train]] >= 0]
    entries = np.ones(len(rows), np.float32), (row[ratings.item[rows]], ratings.user[rows])
    raters = sparse.csr_matrix(entries, shape=(len(codes), len(ratings.users)))
    raters.data[:] = 1  # ids that share a title
    length = np.sqrt(np.asarray(raters.sum(axis=1)).ravel())
    raters = sparse.diags(1 / np.maximum(length, 1)) @ raters
    means, start = [], 0
    for one in lists:
        size = int((one > 0).sum())
        mine, start = place[start : start + size], start + size
        if size > 1:
            total = np.asarray(raters[mine].sum(axis=0)).ravel()
            # The sum of all cosines is the squared length of the sum of the unit vectors.
            means.append((float(total @ total) - size) / (size * (size - 1)))
    return float(1 - np.mean(means)) if means else float("nan")


def by_activity(ratings: Ratings, split: Split, found: Evaluation, name: str, metric: str = "ndcg") -> list[float]:
    """A metric by tercile of how many training ratings a user has: lowest, middle, highest."""
    counts = np.bincount(ratings.user[split.train], minlength=len(ratings.users))[found.codes]
    values = found.per_user(found.lists[name])[:, METRICS.index(metric)]
    order = np.argsort(counts, kind="stable")
    return [float(values[part].mean()) if len(part) else float("nan") for part in np.array_split(order, 3)]


def by_popularity(ratings: Ratings, split: Split, found: Evaluation, name: str) -> list[float]:
    """The share of relevant items found, by tercile of their number of training ratings: lowest, middle, highest.

    The terciles divide the relevant ratings, not the items: the highest holds the few items that a third of them is of.
    """
    counts = np.bincount(ratings.item[split.train], minlength=len(ratings.items))
    judged = np.zeros(len(ratings.users), bool)
    judged[found.codes] = True
    rows = split.valid[(ratings.rating[split.valid] >= found.relevant) & judged[ratings.user[split.valid]]]
    pair = ratings.user * len(ratings.items) + ratings.item
    # If the user rated another id of the same title in training, the item is not relevant.
    rows = rows[~np.isin(pair[rows], pair[split.train])]
    if not len(rows):
        return [float("nan")] * 3
    edges = np.quantile(counts[ratings.item[rows]], (1 / 3, 2 / 3))
    tercile = np.searchsorted(edges, counts, side="left")
    wanted = np.bincount(tercile[ratings.item[rows]], minlength=3)
    lists = found.lists[name]
    hit = np.bincount(tercile[lists.items[lists.hits]], minlength=3)
    return [float(found_ / of) if of else float("nan") for found_, of in zip(hit, wanted, strict=True)]

"""Ranking metrics: how many of a user's relevant items are among the first k recommended.

All functions follow one protocol:

- an item is *relevant* to a user if the user's validation rating of it is at or above a threshold, and the user has no
  training rating of it;
- *candidates* are the items with at least one training rating, except those that the user rated in training or, as
  the data set knows, chose and did not rate. An item
  without training ratings is never recommended; if it is relevant, it counts as missed;
- for each user with at least one relevant item, all candidates are ranked by the score; ties are broken by item code,
  the lower first;
- the metrics are means over those users.

Relevance is binary. Let h_j be 1 if place j holds a relevant item, and r the number of relevant items. Then:

- precision@k = sum_j h_j / k, recall@k = sum_j h_j / r;
- NDCG@k = sum_j h_j / log2(j + 1), divided by the same sum of min(k, r) ones (Jarvelin and Kekalainen 2002);
- MAP@k = the mean of sum_j h_j precision@j / min(k, r);
- MRR@k = the mean of 1 / j for the first j with h_j = 1, 0 without one; the hit rate is the share of users with one;
- RBP@k = (1 - p) sum_j h_j p^(j - 1) with p = 0.85: what somebody finds who looks at the next place with probability p
  (Moffat and Zobel 2008).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine.models.architectures import Architecture
from cftui.errors import CftuiError

PROTOCOL = (
    "relevant: {relevant}; ranked: every item with a training rating that the user has "
    "not rated in training (a relevant item without one counts as missed); ties by item code; "
    "mean over the users with something relevant"
)
# Scores held at a time: bounds the memory, not the result.
CELLS = 4_000_000
# The probability of looking at the next place of a list, for RBP.
PERSISTENCE = 0.85
# While a model is fitted, its lists are judged for a sample: at least this many users, and at most this many scores.
QUICK_USERS, QUICK_CELLS = 500, 100_000_000

Scorer = Callable[[np.ndarray], Tensor]
"""Maps user codes int64 ``[b]`` to scores float32 ``[b, items]``, on any device; higher is better, and column 0 is
ignored."""


@dataclass(frozen=True)
class Ranking:
    """Means over users of the metrics at k, each from 0 to 1; NaN if there are no users."""

    precision: float
    recall: float
    ndcg: float
    map: float
    mrr: float
    hit_rate: float
    rbp: float

    def as_json(self) -> dict[str, float]:
        return asdict(self)


METRICS = tuple(one.name for one in fields(Ranking))


@dataclass(frozen=True, eq=False)
class Lists:
    """The lists of one scorer.

    Attributes:
        items: codes, the best first, int32 ``[users, k]``; -1 fills the places of a list that is too short.
        hits: which of them are relevant, bool ``[users, k]``.
    """

    items: np.ndarray
    hits: np.ndarray


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of judging lists.

    Attributes:
        k: length of the lists.
        relevant: the relevance threshold, a rating.
        codes: the users with relevant items, over whom the metrics are averaged, int64 ``[users]``.
        wanted: how many relevant items each of them has, int64 ``[users]``.
        lists: the lists by name of the scorer.
    """

    k: int
    relevant: float
    codes: np.ndarray
    wanted: np.ndarray
    lists: dict[str, Lists]

    @property
    def users(self) -> int:
        """How many users were judged."""
        return len(self.codes)

    @property
    def protocol(self) -> str:
        whole = "all that is held back" if self.relevant <= 0 else f"validation ratings of {self.relevant:g} or more"
        return PROTOCOL.format(relevant=whole)

    def per_user(self, lists: Lists, k: int | None = None) -> np.ndarray:
        """The metrics of each user's first ``k`` places, in the order of ``METRICS``: float64 ``[users, 7]``."""
        hits = torch.from_numpy(lists.hits[:, : k or self.k])
        return measure(hits, torch.from_numpy(self.wanted)).numpy()

    def rankings_of(self, lists: Lists, k: int | None = None) -> Ranking:
        """The metrics of the first ``k`` places."""
        means = self.per_user(lists, k).mean(axis=0) if self.users else [np.nan] * len(METRICS)
        return Ranking(*map(float, means))

    def at(self, k: int) -> dict[str, Ranking]:
        """The metrics at a shorter length of the lists, by name of the scorer."""
        return {name: self.rankings_of(lists, k) for name, lists in self.lists.items()}

    @cached_property
    def rankings(self) -> dict[str, Ranking]:
        """The metrics at ``k``, by name of the scorer."""
        return self.at(self.k)


def threshold(ratings: Ratings) -> float:
    """The default relevance threshold: the lowest rating value at or above three quarters of the scale.

    4 of 1..5, 4 of 0.5..5 in halves, 8 of 1..10. Of counts, every one is relevant.
    """
    if ratings.counted:
        return 0.0
    low, high = ratings.rating_range
    foot = low + 0.75 * (high - low)
    return next((level for level in ratings.levels if level >= foot), foot)


def check_threshold(ratings: Ratings, rows: np.ndarray, relevant: float) -> None:
    """Raises CftuiError if none of these validation rows reaches the threshold."""
    if not len(_liked(ratings, rows, relevant)):
        low, high = ratings.rating_range
        raise CftuiError(f"no validation rating of {relevant:g} or more; {ratings.name} is rated {low:g} to {high:g}")


def _liked(ratings: Ratings, rows: np.ndarray, relevant: float) -> np.ndarray:
    return rows[ratings.rating[rows] >= relevant]


def top(scores: Tensor, allowed: Tensor, k: int) -> Tensor:
    """The codes of the k best of each row, best first: float ``[b, n]``, bool ``[b, n]`` -> int64 ``[b, k]``.

    Equal scores are ordered by code; NaN comes last. If fewer than k are allowed, -1 fills the remaining places.
    """
    worst = torch.finfo(scores.dtype).min
    # Infinities mark what is not allowed, so scores must stay finite.
    scores = scores.nan_to_num(nan=worst, posinf=torch.finfo(scores.dtype).max, neginf=worst)
    scores = scores.masked_fill(~allowed, -torch.inf)
    b, n = scores.shape
    last = scores.topk(min(k, n), dim=1).values[:, -1:]
    # topk breaks ties arbitrarily: take all that tie for the last place, and order them here.
    row, code = ((scores >= last) & allowed).nonzero(as_tuple=True)  # by row, then by code
    by_score = scores[row, code].argsort(descending=True, stable=True)
    order = by_score[row[by_score].argsort(stable=True)]
    row, code = row[order], code[order]
    counts = torch.bincount(row, minlength=b)
    place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    kept = place < k
    found = torch.full((b, k), -1, dtype=torch.int64, device=row.device)
    found[row[kept], place[kept]] = code[kept]
    return found


def measure(hits: Tensor, relevant: Tensor) -> Tensor:
    """The metrics of each user in the order of ``METRICS``: bool ``[b, k]``, int ``[b]`` -> float64 ``[b, 7]``.

    Args:
        hits: whether each place of the list holds a relevant item.
        relevant: number of relevant items, in the list or not; at least 1.
    """
    k = hits.shape[1]
    hit = hits.double()
    place = torch.arange(1, k + 1, dtype=torch.float64)
    found, discount = hit.sum(1), 1 / torch.log2(place + 1)
    most = relevant.clamp(max=k)
    ideal = discount.cumsum(0)[most - 1]
    average = (hit * hit.cumsum(1) / place).sum(1) / most
    any_hit = hits.any(1)
    first = 1 / (1 + hit.argmax(1).double())
    looked = (1 - PERSISTENCE) * PERSISTENCE ** (place - 1)
    return torch.stack(
        (
            found / k,
            found / relevant,
            (hit * discount).sum(1) / ideal,
            average,
            first * any_hit,
            any_hit.double(),
            (hit * looked).sum(1),
        ),
        dim=1,
    )


def evaluate_rankings(
    ratings: Ratings,
    split: Split,
    scorers: Mapping[str, Scorer],
    *,
    k: int = 10,
    relevant: float | None = None,
    sample: int | None = None,
    progress: Callable[[int, int], None] = lambda done, users: None,
) -> Evaluation:
    """Judge the lists of every scorer for the same users and relevant items, by the protocol of this module.

    Args:
        relevant: the threshold; by default ``threshold(ratings)``.
        sample: judge only a sample of this many users, always the same ones; by default all.
        progress: called with the number of users done and their total.
    """
    relevant = threshold(ratings) if relevant is None else relevant
    liked = _liked(ratings, split.valid, relevant)
    # 0: neither; 1: a training row, to be left out; 2: a relevant row, to be found.
    kind = np.zeros(len(ratings), np.int8)
    kind[split.train], kind[liked] = 1, 2
    trained = torch.from_numpy(np.bincount(ratings.item[split.train], minlength=len(ratings.items)) > 0)
    trained[0] = False

    users = np.unique(ratings.user[liked])
    if sample is not None and sample < len(users):
        users = np.sort(np.random.default_rng(0).choice(users, sample, replace=False))
    parts: dict[str, list[Lists]] = {name: [] for name in scorers}
    codes, counts, done = [], [], 0
    for chunk in _chunks(users, max(1, CELLS // max(len(ratings.items), k))):
        done += len(chunk)
        seen, wanted = _marks(ratings, chunk, kind)
        # Two ids with one title may be on both sides: what was rated in training is neither ranked nor relevant.
        wanted &= ~seen
        some = wanted.any(1)
        chunk, seen, wanted = chunk[some.numpy()], seen[some], wanted[some]
        for name, scorer in scorers.items() if len(chunk) else ():
            scores = scorer(chunk)
            # Where the scores are: a list is much smaller than what it is chosen from.
            best = top(scores, (trained & ~seen).to(scores.device), k).cpu()
            # Empty places count as the unknown item, which is never relevant.
            hits = wanted.gather(1, best.clamp(min=0))
            parts[name].append(Lists(best.int().numpy(), hits.numpy()))
        codes.append(chunk)
        counts.append(wanted.sum(1).numpy())
        progress(done, len(users))
    none = Lists(np.zeros((0, k), np.int32), np.zeros((0, k), bool))
    lists = {
        name: Lists(np.concatenate([p.items for p in (none, *found)]), np.concatenate([p.hits for p in (none, *found)]))
        for name, found in parts.items()
    }
    nobody = np.zeros(0, np.int64)
    return Evaluation(k, relevant, np.concatenate([nobody, *codes]), np.concatenate([nobody, *counts]), lists)


def _chunks(codes: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(codes), size):
        yield codes[start : start + size]


def _marks(ratings: Ratings, users: np.ndarray, kind: np.ndarray) -> tuple[Tensor, Tensor]:
    """Which items each user rated in training or chose without a rating, and which are relevant: two ``[b, items]``."""
    marks = np.zeros((2, len(users), len(ratings.items)), bool)
    for at, user in enumerate(users):
        rows = ratings.by_user.rows(user)
        items, kinds = ratings.item[rows], kind[rows]
        for which in (1, 2):
            marks[which - 1, at, items[kinds == which]] = True
        if ratings.unrated is not None:
            marks[0, at, ratings.unrated.of_user(int(user))] = True
    return torch.from_numpy(marks[0]), torch.from_numpy(marks[1])


def popularity(ratings: Ratings, split: Split) -> Scorer:
    """Score items by their number of training ratings: the same list for everybody, and the line to beat."""
    counts = np.bincount(ratings.item[split.train], minlength=len(ratings.items))
    scores = torch.from_numpy(counts.astype(np.float32))
    return lambda users: scores.expand(len(users), -1)


def predicted(model: Architecture) -> Scorer:
    """Score items as a trained model does (``Architecture.scores``), by predicted ratings if it predicts them."""
    tensors = [*model.parameters(), *model.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")

    def scores(users: np.ndarray) -> Tensor:
        with torch.no_grad():
            return model.scores(torch.from_numpy(users).to(device))

    return scores


def quick_ndcg(
    model: Architecture, ratings: Ratings, split: Split, k: int = 10, relevant: float | None = None
) -> float | None:
    """NDCG@k on the validation ratings, of a sample of the users on a large set; None without anything relevant."""
    if not len(split.valid):
        return None
    sample = max(QUICK_USERS, QUICK_CELLS // len(ratings.items))
    found = evaluate_rankings(ratings, split, {"model": predicted(model)}, k=k, relevant=relevant, sample=sample)
    return found.rankings["model"].ndcg if found.users else None

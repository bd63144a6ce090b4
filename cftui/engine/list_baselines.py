"""Lists without a fitted model: popularity, item kNN and chance. What a recommender has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine.inputs import Histories
from cftui.engine.rankings import Evaluation, Scorer, evaluate_rankings, popularity, threshold

# The number of neighbours that item kNN keeps of each item, and the shrinkage of similarities with few common users.
NEIGHBOURS, SHRINKAGE = 100, 20.0
# Item kNN is left out where its table of similarities would have more cells than this.
CELLS = 25_000_000


def liked(ratings: Ratings, split: Split) -> Scorer:
    """Score items by their number of training ratings that are as high as a relevant one."""
    rows = split.train[ratings.rating[split.train] >= threshold(ratings)]
    return popularity(ratings, Split(split.name, rows, split.valid))


def item_knn(ratings: Ratings, split: Split) -> Scorer | None:
    """Score items by their cosine similarity to what the user rated in training; None if there are too many items.

    Every rating counts the same. Each item's ``NEIGHBOURS`` most similar ones are kept, and the similarities shrunk by
    the number of users who rated both.
    """
    from scipy import sparse

    if len(ratings.items) ** 2 > CELLS:
        return None
    known = Histories.of(ratings, split.train, False, torch.device("cpu"))
    entries = known.values.numpy(), known.items.numpy(), known.starts.numpy()
    rows = sparse.csr_matrix(entries, shape=(known.users_known, known.items_known))
    common = torch.from_numpy(np.asarray((rows.T @ rows).todense(), dtype=np.float32))
    counts = common.diagonal().clamp(min=1)
    similarity = common / (counts.unsqueeze(0) * counts.unsqueeze(1)).sqrt() * common / (common + SHRINKAGE)
    similarity.fill_diagonal_(0)
    if len(similarity) > NEIGHBOURS:
        least = similarity.topk(NEIGHBOURS, dim=0).values[-1]
        similarity = torch.where(similarity >= least, similarity, 0)

    def scores(users: np.ndarray) -> torch.Tensor:
        return known.dense(torch.from_numpy(users)) @ similarity

    return scores


def chance(ratings: Ratings) -> Scorer:
    """Score items at random: another order for each user, always the same one."""

    def scores(users: np.ndarray) -> torch.Tensor:
        drawn = [np.random.default_rng([0, int(user)]).random(len(ratings.items), np.float32) for user in users]
        return torch.from_numpy(np.stack(drawn))

    return scores


def list_scorers(ratings: Ratings, split: Split) -> dict[str, Scorer]:
    """The baselines that a table of rankings shows: the two counts of popularity, item kNN if it fits, and chance."""
    found = {"popularity": popularity(ratings, split), "liked": liked(ratings, split)}
    if (knn := item_knn(ratings, split)) is not None:
        found["item_knn"] = knn
    return {**found, "chance": chance(ratings)}


def beside_baselines(ratings: Ratings, split: Split, scorers: Mapping[str, Scorer], **how: Any) -> Evaluation:
    """Judge scorers beside ``popularity`` (the better of its two counts), ``item_knn`` and ``chance``.

    Args:
        how: the keyword arguments of ``evaluate_rankings``.
    """
    return better_popularity(evaluate_rankings(ratings, split, {**scorers, **list_scorers(ratings, split)}, **how))


def better_popularity(found: Evaluation) -> Evaluation:
    """Keep of the two counts of popularity the one with the better NDCG, as ``popularity``."""
    liked = found.lists.pop("liked")
    if found.users and found.rankings["popularity"].ndcg < found.rankings_of(liked).ndcg:
        found.lists["popularity"] = liked
    return replace(found)  # without the rankings that were computed to choose


def list_baselines(ratings: Ratings, split: Split, k: int = 10) -> dict[str, float]:
    """NDCG@k of ``popularity`` and of ``item_knn``; nothing without relevant ratings."""
    found = beside_baselines(ratings, split, {}, k=k)
    return {
        name: found.rankings[name].ndcg for name in ("popularity", "item_knn") if name in found.lists and found.users
    }

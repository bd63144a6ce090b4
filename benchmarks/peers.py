"""Fit other libraries on the same ratings as cftui. cftui does not need them; to install them:

pip install scikit-surprise myfm 'setuptools<81'
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine.bayes.incidence import Incidence
from cftui.engine.bayes.prior_features import known_features

Fitted = tuple[np.ndarray, float]
"""Predictions of the validation ratings ``[n]``, and the seconds for fitting and predicting."""


def peers() -> Iterator[tuple[str, Callable[[Ratings, Split], Fitted]]]:
    """Return the name and the fitting function of each library that is installed."""
    try:
        import surprise

        yield f"Surprise {surprise.__version__} `SVD()`", lambda *given: _surprise(surprise.SVD(random_state=0), *given)
        yield "Surprise `SVDpp()`", lambda *given: _surprise(surprise.SVDpp(random_state=0), *given)
    except ImportError:
        pass
    try:
        import myfm

        yield f"myFM {myfm.__version__}, implicit sets and side information", _myfm
    except ImportError:
        pass


def _surprise(algorithm: Any, ratings: Ratings, part: Split) -> Fitted:
    from surprise import Trainset

    start = time.perf_counter()
    codes: dict = {side: {} for side in ("user", "item")}
    by_user: dict = {}
    by_item: dict = {}
    for row in part.train:
        user = codes["user"].setdefault(int(ratings.user[row]), len(codes["user"]))
        item = codes["item"].setdefault(int(ratings.item[row]), len(codes["item"]))
        by_user.setdefault(user, []).append((item, float(ratings.rating[row])))
        by_item.setdefault(item, []).append((user, float(ratings.rating[row])))
    train = Trainset(
        by_user,
        by_item,
        len(by_user),
        len(by_item),
        len(part.train),
        ratings.rating_range,
        codes["user"],
        codes["item"],
    )
    algorithm.fit(train)
    pairs = zip(ratings.user[part.valid], ratings.item[part.valid], strict=True)
    predicted = np.array([algorithm.predict(int(user), int(item)).est for user, item in pairs])
    return predicted, time.perf_counter() - start


def _myfm(ratings: Ratings, part: Split) -> Fitted:
    """Fit myFM as its MovieLens 100K notebook does: implicit sets and side information as relation blocks, rank 10."""
    import scipy.sparse as sps
    from myfm import MyFMGibbsRegressor, RelationBlock

    start = time.perf_counter()
    users, items = len(ratings.users), len(ratings.items)
    user, item = (torch.from_numpy(column[part.train].astype(np.int64)) for column in (ratings.user, ratings.item))
    ones = torch.ones(len(user))
    sides = Incidence(user, item, ones, users, items, 1), Incidence(item, user, ones, items, users, 1)
    known = known_features(ratings, *sides, implicit=False, side=True, generator=torch.Generator())
    incidence = sps.csr_matrix((np.ones(len(user)), (user.numpy(), item.numpy())), shape=(users, items))
    blocks, groups = [], []
    for sets, side in ((incidence, known[0]), (incidence.T.tocsr(), known[1])):
        n, m = sets.shape
        scale = sps.diags(1 / np.sqrt(np.maximum(1, np.diff(sets.indptr))))
        blocks.append(sps.hstack([sps.identity(n), scale @ sets, sps.csr_matrix(side.side.numpy())]).tocsr())
        groups += [n, m, side.side.shape[1]]

    def rows(which: np.ndarray) -> list:
        columns = (ratings.user[which], ratings.item[which])
        return [RelationBlock(c.astype(np.int64), block) for c, block in zip(columns, blocks, strict=True)]

    model = MyFMGibbsRegressor(rank=10, random_seed=42)
    model.fit(
        None,
        ratings.rating[part.train].astype(np.float64),
        X_rel=rows(part.train),
        group_shapes=groups,
        n_iter=512,
        n_kept_samples=512,
    )
    predicted = model.predict(None, X_rel=rows(part.valid))
    return np.clip(predicted, *ratings.rating_range), time.perf_counter() - start

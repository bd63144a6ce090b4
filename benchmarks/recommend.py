"""Compare the lists of cftui's recipes with those of other libraries on the same splits of MovieLens 100K.

    python benchmarks/recommend.py            print the tables
    python benchmarks/recommend.py --write    also put them into docs/benchmarks.md

All settings are chosen on the training ratings of each split: lambda of `ease` by its own search, those of other
libraries by as many trials as that search makes, each judged by NDCG@10 on the inner split. `ials`, `bayes` and
`model4` have their defaults. Validation ratings are used for scoring only. Other libraries are run if installed:

pip install implicit rectools
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from markdown import put, table

from cftui.analysis.evaluation.protocols import PROTOCOLS, judge
from cftui.analysis.pair import Pair
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.data.splits import Split, inner, split
from cftui.engine.linear.ease import LAMBDAS
from cftui.engine.list_baselines import better_popularity, list_scorers
from cftui.engine.models.recipes import recipe
from cftui.engine.rankings import Ranking, Scorer, evaluate_rankings, predicted
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

CPU = torch.device("cpu")
# The settings that another library is tried with: as many as `ease` tries values of lambda.
TRIALS = len(LAMBDAS)
# Rows of the table in the README of recommenders-team/recommenders, commit 005dcd0: MAP, nDCG@10, precision, recall.
PUBLISHED = (
    ("BiVAE (GPU)", 0.146126, 0.475077, 0.411771, 0.219145),
    ("BPR", 0.132478, 0.441997, 0.388229, 0.212522),
    ("LightGCN (GPU)", 0.088526, 0.419846, 0.379626, 0.144336),
    ("NCF (GPU)", 0.107720, 0.396118, 0.347296, 0.180775),
    ("SAR", 0.110591, 0.382461, 0.330753, 0.176385),
    ("fastai embedding dot bias", 0.025503, 0.147866, 0.130329, 0.053824),
    ("SVD", 0.012873, 0.095930, 0.091198, 0.032783),
    ("ALS (Spark)", 0.004732, 0.044239, 0.048462, 0.017796),
)
SOURCE = "https://github.com/recommenders-team/recommenders"

Fitted = tuple[Scorer, float]
Peer = Callable[[Ratings, Split], Fitted]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    home = Home.find(None)
    ratings = open_ratings(home, "ml-100k")
    by_split = {f"seed {seed}": split(ratings, "random", seed) for seed in range(arguments.seeds)}
    by_split["time"] = split(ratings, "time")
    found: dict[str, dict[str, tuple[Ranking, float]]] = {}
    for place, (name, part) in enumerate(by_split.items()):
        seed = place if name != "time" else 0
        for row, ranking, seconds in measure(ratings, part, seed):
            found.setdefault(row, {})[name] = ranking, seconds
            print(f"{name}: {row}: NDCG@10 {ranking.ndcg:.4f}, {seconds:.2f} s", flush=True)
    rows = []
    for row, each in found.items():
        random_splits = [one for name, one in each.items() if name != "time"]
        means = [statistics.fmean(getattr(one[0], metric) for one in random_splits) for metric in SHOWN]
        late = f"{each['time'][0].ndcg:.4f}" if "time" in each else ""
        seconds = statistics.median(one[1] for one in random_splits)
        rows.append([row, *(f"{mean:.4f}" for mean in means), late, f"{seconds:.1f} s" if seconds else ""])
    header = ["ranked by", "NDCG@10", "precision", "recall", "MAP", "NDCG, split time", "fitting"]
    ours = table(header, rows)
    theirs = table(["model", "MAP", "nDCG@10", "precision", "recall"], list(published(home)))
    print(f"\n{ours}\n\n{theirs}")
    if arguments.write:
        put("recommend", ours)
        put("recommenders", theirs)


SHOWN = ("ndcg", "precision", "recall", "map")


def measure(ratings: Ratings, part: Split, seed: int) -> Iterator[tuple[str, Ranking, float]]:
    """Each row of the table with its metrics, and the seconds that fitting and choosing settings took."""
    scorers: dict[str, Scorer] = list_scorers(ratings, part)
    seconds: dict[str, float] = {}
    models = {}
    for name, key, options in (
        ("`model4`", "model4", {}),
        ("`bayes`", "bayes", {}),
        ("`ials`", "ials", {}),
        ("`ease --lambda 200`", "ease", {"l2": 200.0}),
        ("**`ease`**, with its search", "ease", {}),
    ):
        models[name], seconds[name] = fit(key, ratings, part, seed, options)
        scorers[name] = predicted(models[name].module)
    both = Pair.of(models["**`ease`**, with its search"], models["`bayes`"], ratings)
    name = "**`ease` with `bayes`**, ordered by both"
    scorers[name] = both.scorer("both")
    seconds[name] = seconds["**`ease`**, with its search"] + seconds["`bayes`"]
    for name, peer in peers(seed):
        scorers[name], seconds[name] = peer(ratings, part)
    judged = better_popularity(evaluate_rankings(ratings, part, scorers))
    for name, ranking in judged.rankings.items():
        yield name.replace("item_knn", "item kNN, untuned"), ranking, seconds.get(name, 0.0)


def fit(key: str, ratings: Ratings, part: Split, seed: int, values: dict[str, Any]) -> tuple[TrainedModel, float]:
    row = recipe(key)
    options = row.options(seed=seed, split=part.name, **values)
    start = time.perf_counter()
    fitter = fitter_for(row, options, ratings, part, CPU)
    fitter.fit()
    seconds = time.perf_counter() - start
    loss = fitter.validate().mse
    trained = TrainedModel.fitted(
        fitter.model, row, options, ratings, name=key, valid_loss=None if loss != loss else loss, device="cpu"
    )
    return trained, seconds


def peers(seed: int) -> Iterator[tuple[str, Peer]]:
    """Other libraries that are installed, each tuned by ``TRIALS`` trials on the inner split."""
    chance = random.Random(seed)

    def drawn(options: dict[str, list[Any]]) -> list[dict[str, Any]]:
        return [{name: chance.choice(values) for name, values in options.items()} for _ in range(TRIALS)]

    try:
        import implicit

        version = implicit.__version__
        grids: dict[str, tuple[Callable[..., Any], dict[str, list[Any]]]] = {
            "ALS": (
                implicit.als.AlternatingLeastSquares,
                {"factors": [16, 32, 64], "regularization": [0.01, 0.1, 1.0, 10.0], "alpha": [1, 3, 10, 30]},
            ),
            "BPR": (
                implicit.bpr.BayesianPersonalizedRanking,
                {
                    "factors": [16, 32, 64],
                    "learning_rate": [0.01, 0.03, 0.1],
                    "regularization": [0.001, 0.01, 0.1],
                    "iterations": [50, 100, 200],
                },
            ),
            "TF-IDF item kNN": (implicit.nearest_neighbours.TFIDFRecommender, {"K": [10, 20, 50, 100, 200, 400, 800]}),
        }
        for name, (kind, grid) in grids.items():
            tried = drawn(grid) if len(grid) > 1 else [{"K": k} for k in grid["K"]]
            yield f"implicit {version} {name}", tuned(partial(of_implicit, kind), tried)
    except ImportError:
        pass
    try:
        import rectools
        from rectools.models import EASEModel

        tried = [{"regularization": l2} for l2 in LAMBDAS]
        yield f"RecTools {rectools.__version__} EASE", tuned(partial(of_rectools, EASEModel), tried)
    except ImportError:
        pass


def tuned(fit_one: Callable[[Ratings, Split, dict[str, Any]], Scorer], tried: list[dict[str, Any]]) -> Peer:
    """Fit with each setting on the inner split, then with the best of them on the whole."""

    def peer(ratings: Ratings, part: Split) -> Fitted:
        start = time.perf_counter()
        parts = inner(part, 0)
        scores = [
            evaluate_rankings(ratings, parts, {"one": fit_one(ratings, parts, options)}).rankings["one"].ndcg
            for options in tried
        ]
        scorer = fit_one(ratings, part, tried[int(np.argmax(scores))])
        return scorer, time.perf_counter() - start

    return peer


def of_implicit(kind: Callable[..., Any], ratings: Ratings, part: Split, options: dict[str, Any]) -> Scorer:
    """A model of implicit, given what was rated as it is usually given: every rating counts the same."""
    from scipy import sparse

    ones = np.ones(len(part.train), np.float32)
    shape = len(ratings.users), len(ratings.items)
    rows = sparse.csr_matrix((ones, (ratings.user[part.train], ratings.item[part.train])), shape=shape)
    rows.data[:] = 1
    seeded = {} if "K" in options else {"random_state": 0, "num_threads": 0}
    model = kind(**options, **seeded)
    model.fit(rows, show_progress=False)

    def scores(users: np.ndarray) -> torch.Tensor:
        if hasattr(model, "similarity"):
            return torch.from_numpy((rows[users] @ model.similarity).toarray().astype(np.float32))
        return torch.from_numpy(model.user_factors[users] @ model.item_factors.T)

    return scores


def of_rectools(kind: Callable[..., Any], ratings: Ratings, part: Split, options: dict[str, Any]) -> Scorer:
    """EASE of RecTools, given what was rated: every rating counts the same."""
    import pandas as pd
    from rectools import Columns
    from rectools.dataset import Dataset

    frame = pd.DataFrame(
        {
            Columns.User: ratings.user[part.train],
            Columns.Item: ratings.item[part.train],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(ratings.timestamp[part.train], unit="s"),
        }
    ).drop_duplicates([Columns.User, Columns.Item])
    data = Dataset.construct(frame)
    model = kind(**options)
    model.fit(data)
    weights = np.zeros((len(ratings.items), len(ratings.items)), np.float32)
    codes = data.item_id_map.external_ids.astype(np.int64)
    weights[np.ix_(codes, codes)] = model.weight
    rows = torch.zeros(len(ratings.users), len(ratings.items))
    rows[frame[Columns.User].to_numpy(), frame[Columns.Item].to_numpy()] = 1
    table_of = torch.from_numpy(weights)
    return lambda users: rows[torch.from_numpy(users)] @ table_of


def published(home: Home) -> Iterator[list[str]]:
    """Our figures by the protocol of recommenders, then the published ones."""
    how = PROTOCOLS["recommenders"]
    ratings = open_ratings(home, "ml-100k", "id")
    for key in ("ease", "ials"):
        options = recipe(key).options(seed=how.seed, item_key="id")
        (found,) = judge(recipe(key), options, how, ratings, CPU)
        for name in ("model", "popularity", "item_knn") if key == "ease" else ("model",):
            figures = how.figures(found, name)
            shown = f"**`{key}`**" if name == "model" else f"{name.replace('_', ' ').replace('knn', 'kNN')}, here"
            yield [shown, *(f"{figures[metric]:.4f}" for metric in ("map_r", "ndcg", "precision", "recall"))]
    for name, *values in PUBLISHED:
        yield [name, *(f"{value:.4f}" for value in values)]


if __name__ == "__main__":
    main()

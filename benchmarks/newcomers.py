"""Predict ratings of users and items that have none in training, and test whether the intervals of ``bayes`` hold.

    python benchmarks/newcomers.py            print the tables
    python benchmarks/newcomers.py --write    also put them into docs/benchmarks.md

All ratings of 300 items, or of 100 users, of MovieLens 100K are held out, drawn by seed. A popular item is seldom new,
so the error is also given with each item, or user, weighing the same. The second table has the coverage of the 90 %
intervals on all splits, and the RMSE on u1 over ``--seeds`` chains.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from markdown import put, table

from cftui.data.ratings import Ratings
from cftui.data.splits import Split, official_folds, split
from cftui.engine import device, metrics
from cftui.engine.baselines import fit_biases
from cftui.engine.models.recipes import recipe
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

HELD = {"items": 300, "users": 100}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seeds", type=int, default=20, help="chains on u1")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args()
    ratings, where = open_ratings(Home.find(), "ml-100k"), device.choose(arguments.device)
    new = []
    for kind in HELD:
        part = held_out(ratings, kind)
        for name in ("biases alone", "hybrid", "bayes"):
            frame = errors(name, ratings, part, where)
            alike = frame.groupby("item" if kind == "items" else "user").mean().mean()
            new.append(
                [
                    f"{HELD[kind]} new {kind}",
                    name if name == "biases alone" else f"`{name}`",
                    f"{frame['square'].mean() ** 0.5:.3f}",
                    f"{alike['square'] ** 0.5:.3f}",
                    f"{frame['inside'].mean():.1%}" if "inside" in frame else "",
                    f"{alike['inside']:.1%}" if "inside" in frame else "",
                ]
            )
            print(*new[-1], file=sys.stderr)
    header = ["held out", "recipe", "RMSE", "each weighing the same", "90 % intervals hold", "each weighing the same"]
    known = [
        [name, f"{errors('bayes', ratings, part, where, seed)['inside'].mean():.1%}"]
        for name, part, seed in splits(ratings)
    ]
    u1 = next(official_folds(ratings))
    rmse = [errors("bayes", ratings, u1, where, seed)["square"].mean() ** 0.5 for seed in range(arguments.seeds)]
    spread = f"{statistics.mean(rmse):.4f}, standard deviation {statistics.stdev(rmse):.4f}"
    text = "\n\n".join(
        [
            table(header, new),
            table(["split", "90 % intervals of `bayes` hold"], known),
            f"RMSE of `bayes` on u1, mean of {arguments.seeds} seeds: {spread}.",
            f"torch {torch.__version__}, {device.describe(where)}; `python benchmarks/newcomers.py --write`.",
        ]
    )
    print(text)
    if arguments.write:
        put("newcomers", text)


def held_out(ratings: Ratings, kind: str, seed: int = 0) -> Split:
    """A split that holds out every rating of some items or users."""
    codes = ratings.item if kind == "items" else ratings.user
    inside = np.isin(codes, np.random.default_rng(seed).choice(np.unique(codes), HELD[kind], replace=False))
    return Split(f"new {kind}", np.flatnonzero(~inside), np.flatnonzero(inside))


def splits(ratings: Ratings) -> Iterator[tuple[str, Split, int]]:
    for part in official_folds(ratings):
        yield part.name, part, 0
    for seed in range(5):
        yield f"random, seed {seed}", split(ratings, "random", seed), seed
    yield "time", split(ratings, "time"), 0


def errors(name: str, ratings: Ratings, part: Split, where: torch.device, seed: int = 0) -> pd.DataFrame:
    """The squared error of each validation rating; for ``bayes``, also whether it lies inside its interval."""
    rating = ratings.rating[part.valid]
    frame = pd.DataFrame({"user": ratings.user[part.valid], "item": ratings.item[part.valid]})
    if name == "biases alone":
        predicted = fit_biases(ratings, part.train).predict(frame["user"].to_numpy(), frame["item"].to_numpy())
        return frame.assign(square=np.square(predicted.clip(*ratings.rating_range) - rating))
    row = recipe(name)
    fitter = fitter_for(row, row.options(seed=seed), ratings, part, where)
    fitter.fit()
    model = fitter.model.to("cpu").eval().requires_grad_(False)
    user, item = (torch.from_numpy(codes[part.valid]) for codes in (ratings.user, ratings.item))
    predicted = metrics.predict(model, user, item).numpy()
    frame = frame.assign(square=np.square(predicted.clip(*ratings.rating_range) - rating))
    moments = model.moments(model.user_rows(user), item) if row.fitting.intervals else None
    if moments is None:
        return frame
    return frame.assign(inside=np.abs(moments.mean.numpy() - rating) <= metrics.NINETY * moments.sd.numpy())


if __name__ == "__main__":
    main()

"""Measure every recipe on the official folds of MovieLens 100K, beside published results.

    python benchmarks/folds.py            print the tables
    python benchmarks/folds.py --write    also put them into docs/benchmarks.md

The tables show the RMSE on u1 and on u1 to u5. The settings are five epochs, batch 64, 50 factors, learning rate 5e-3
(for bayes 300 sweeps and 16 factors) and seed 0.
"""

from __future__ import annotations

import argparse
import statistics
import sys

import torch
from markdown import put, table

from cftui.data.splits import official_folds
from cftui.engine import device
from cftui.engine.crossval import FoldScore, cross_validate
from cftui.engine.models.build import architecture
from cftui.engine.models.recipes import RECIPES
from cftui.engine.training import open_ratings
from cftui.home import Home

# Name, RMSE on u1, mean RMSE over five random folds, source. An empty figure was not published.
PUBLISHED = (
    ("GC-MC", "0.910", "", "van den Berg, Kipf and Welling 2017, arXiv:1706.02263"),
    ("GC-MC with side information", "0.905", "", "the same"),
    ("GLocal-K", "0.8889", "", "Han et al. 2021, arXiv:2108.12184, and its repository"),
    ("myFM's ordered probit, with side information and dates", "0.8808", "", "myFM's MovieLens 100K notebook"),
    ("Surprise `SVD()`", "", "0.934", "Surprise's README, defaults"),
    ("Surprise `SVDpp()`", "", "0.920", "Surprise's README, defaults"),
)

# The recipes that predict ratings and so have a loss.
RATING = [name for name, row in RECIPES.items() if architecture(row).rates]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--recipes", nargs="*", default=[name for name, row in RECIPES.items() if architecture(row).rates]
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args()

    ratings = open_ratings(Home.find(), "ml-100k")
    where = device.choose(arguments.device)
    rows = []
    for name in arguments.recipes:
        scores, seconds = [], []
        fold: FoldScore[None]
        for fold in cross_validate(RECIPES[name], RECIPES[name].options(), ratings, official_folds(ratings), where):
            scores.append(fold.score.rmse)
            seconds.append(fold.seconds)
            print(f"{name} {fold.name}: RMSE {scores[-1]:.4f} in {seconds[-1]:.1f} s", file=sys.stderr)
        rows.append(
            [
                f"`{name}`",
                f"**{scores[0]:.4f}**",
                f"**{statistics.mean(scores):.4f}**",
                f"{statistics.stdev(scores):.4f}",
                " ".join(f"{score:.4f}"[1:] for score in scores),
                f"{statistics.median(seconds):.1f} s",
            ]
        )
    ours = table(["recipe", "RMSE on u1", "mean of u1 to u5", "sd", "per fold", "fitting one"], rows)
    published = table(["published", "RMSE on u1", "mean of five random folds", "source"], PUBLISHED)
    note = f"torch {torch.__version__}, {device.describe(where)}; `python benchmarks/folds.py --write`."
    text = f"{ours}\n\n{published}\n\n{note}"
    print(text)
    if arguments.write:
        put("folds", text)


if __name__ == "__main__":
    main()

"""Measure the validation loss of every recipe over five random splits, beside the losses that the chapter prints.

    python benchmarks/accuracy.py            print the table
    python benchmarks/accuracy.py --write    also put it into docs/benchmarks.md

The settings are five epochs, batch 64, 50 factors and learning rate 5e-3 (for bayes 300 sweeps and 16 factors), with
seeds 0 to 4. The seed determines the split, the initial weights and the order.
"""

from __future__ import annotations

import argparse
import statistics
import sys

import torch
from markdown import put, table

from cftui.data.splits import split
from cftui.engine import device
from cftui.engine.models.build import architecture
from cftui.engine.models.recipes import RECIPES
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

# The recipes that predict ratings and so have a loss.
RATING = [name for name, row in RECIPES.items() if architecture(row).rates]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--recipes", nargs="*", default=[name for name, row in RECIPES.items() if architecture(row).rates]
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    arguments = parser.parse_args()

    ratings = open_ratings(Home.find(), "ml-100k")
    where = device.choose(arguments.device)
    rows = []
    for name in arguments.recipes:
        losses, seconds = [], []
        for seed in range(arguments.seeds):
            options = RECIPES[name].options(seed=seed)
            trainer = fitter_for(RECIPES[name], options, ratings, split(ratings, "random", seed), where)
            trainer.fit()
            losses.append(trainer.validate().mse)
            seconds.append(trainer.elapsed)
            print(f"{name} seed {seed}: {losses[-1]:.4f} in {seconds[-1]:.1f} s", file=sys.stderr)
        chapter = RECIPES[name].chapter_loss
        rows.append(
            [
                f"`{name}`",
                RECIPES[name].summary,
                f"{chapter:.3f}" if chapter else "-",
                f"**{statistics.mean(losses):.3f}**",
                " ".join(f"{loss:.3f}"[1:] for loss in losses),
                f"{statistics.median(seconds):.1f} s",
            ]
        )
    header = ["recipe", "what it is", "chapter, one split", "mean of five splits", "per seed 0-4", "fitting"]
    text = table(header, rows)
    print(text)
    if arguments.write:
        note = f"\ntorch {torch.__version__}, {device.describe(where)}; `python benchmarks/accuracy.py --write`."
        put("accuracy", text + "\n" + note)


if __name__ == "__main__":
    main()

"""What side features are worth: ``hybrid`` beside ``model4``, over all validation ratings and over those of rare items.

    python benchmarks/hybrid.py            print the table
    python benchmarks/hybrid.py --write    also put it into the README
    python benchmarks/hybrid.py --inner    on splits of the training rows alone: what the recipe's decays were chosen on

Five epochs, batch 64, 50 factors, learning rate 5e-3, seeds 0 to 4; the seed draws split, weights and order. ``model4``
stands there a second time with decays tuned like those of ``hybrid``, so that what decay does is not taken for what the
features do.
Rare is an item with fewer than five training ratings, cold one with none; the error is pooled over the splits.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import replace

import numpy as np
import torch
from markdown import put, table

from cftui.data.ratings import Ratings
from cftui.data.splits import Split, split
from cftui.engine import device, metrics
from cftui.engine.recipes import Options, recipe
from cftui.engine.trainer import Trainer
from cftui.engine.training import open_ratings
from cftui.home import Home

RARE = 5
# Of 0.1 to 0.25 with and without decay of the biases apart, what serves model4 best on the inner splits.
TUNED = (0.2, 0.02)


def inner(outer: Split, seed: int) -> Split:
    """A fifth of the training rows to validate on; the validation rows of ``outer`` are in neither part."""
    order = np.random.default_rng(1000 + seed).permutation(len(outer.train))
    cut = int(0.2 * len(order))
    return Split("inner", train=outer.train[order[cut:]], valid=outer.train[order[:cut]])


def squared_errors(trainer: Trainer, ratings: Ratings, part: Split) -> tuple[np.ndarray, np.ndarray]:
    """Of each validation rating ``[n]``, and how many training ratings its item has ``[n]``."""
    user, item, rating = (column[part.valid] for column in (ratings.user, ratings.item, ratings.rating))
    tensors = (trainer.model.to("cpu"), *map(torch.from_numpy, (user, item)))
    predicted = metrics.predict(*tensors).numpy()
    known = np.bincount(ratings.item[part.train], minlength=len(ratings.items))
    return np.square(predicted - rating, dtype=np.float64), known[item]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    parser.add_argument("--inner", action="store_true", help="train and validate on the training rows alone")
    arguments = parser.parse_args()

    ratings = open_ratings(Home.find(), arguments.data)
    where = device.choose(arguments.device)
    plain, hybrid = recipe("model4"), recipe("hybrid")
    tuned = replace(plain, weight_decay=TUNED[0], bias_decay=TUNED[1])
    likewise = "`model4 --wd {:g} --wd-bias {:g}`".format(*TUNED)
    rows = []
    for label, chosen in (
        (f"`{plain.name}`", plain),
        (likewise, tuned),
        (f"`{hybrid.name}`", hybrid),
    ):
        losses, seconds, errors, counts = [], [], [], []
        for seed in range(arguments.seeds):
            part = split(ratings, "random", seed)
            part = inner(part, seed) if arguments.inner else part
            trainer = Trainer(chosen, Options(seed=seed), ratings, part, where)
            trainer.fit()
            error, known = squared_errors(trainer, ratings, part)
            losses.append(float(error.mean()))
            seconds.append(trainer.elapsed)
            errors.append(error)
            counts.append(known)
            print(f"{label} seed {seed}: {losses[-1]:.4f} in {seconds[-1]:.1f} s", file=sys.stderr)
        error, known = np.concatenate(errors), np.concatenate(counts)
        rare = [f"{error[few].mean():.3f} ({few.sum():,})" for few in (known < RARE, known == 0)]
        rows.append(
            [
                label,
                f"**{statistics.mean(losses):.3f}**",
                " ".join(f"{loss:.3f}"[1:] for loss in losses),
                *rare,
                f"{statistics.median(seconds):.1f} s",
            ]
        )
    header = [
        "recipe",
        "MSE, mean of the splits",
        "per seed",
        f"items of < {RARE} ratings (n)",
        "cold items (n)",
        "fitting",
    ]
    text = table(header, rows)
    print(text)
    if arguments.write:
        put("hybrid", text)


if __name__ == "__main__":
    main()

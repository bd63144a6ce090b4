"""Measure what side features gain: ``hybrid`` beside ``model4``, on all validation ratings and on those of rare items.

    python benchmarks/hybrid.py            print the table
    python benchmarks/hybrid.py --write    also put it into docs/benchmarks.md
    python benchmarks/hybrid.py --data ml-latest-small --write
                                           use a data set with tags; the page is docs/models/full-movielens.md
    python benchmarks/hybrid.py --inner    split the training ratings again, as when the recipe's decays were chosen

The settings are five epochs, batch 64, 50 factors and learning rate 5e-3, with seeds 0 to 4. The seed determines the
split, the initial weights and the order. A second row of ``model4`` has weight decays tuned like those of ``hybrid``,
so that the effect of the decay is not mistaken for that of the features. For a data set with tags, ``bayes`` (300
sweeps, 16 factors) is added, and the recipes that learn from features are also run without the tags.
An item is rare if it has fewer than five training ratings, and cold if it has none. The errors are pooled over the
splits.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import replace

import numpy as np
import torch
from markdown import DOCS, put, table

from cftui.data.ratings import Ratings
from cftui.data.splits import Split, split
from cftui.engine import device, metrics
from cftui.engine.fitting import Fitter
from cftui.engine.models.recipes import recipe
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

RARE = 5
# The best weight decays of model4 on the inner splits, among 0.1 to 0.25 with and without a separate decay of biases.
TUNED = (0.2, 0.02)


def inner(outer: Split, seed: int) -> Split:
    """Split the training rows of ``outer`` again: validate on a fifth of them, and leave its validation rows out."""
    order = np.random.default_rng(1000 + seed).permutation(len(outer.train))
    cut = int(0.2 * len(order))
    return Split("inner", train=outer.train[order[cut:]], valid=outer.train[order[:cut]])


def squared_errors(trainer: Fitter, ratings: Ratings, part: Split) -> np.ndarray:
    """Return the squared error of each validation rating ``[n]``."""
    user, item, rating = (column[part.valid] for column in (ratings.user, ratings.item, ratings.rating))
    predicted = metrics.predict(trainer.model.to("cpu"), torch.from_numpy(user), torch.from_numpy(item))
    return np.square(predicted.numpy() - rating, dtype=np.float64)


def groups(ratings: Ratings, part: Split) -> dict[str, np.ndarray]:
    """Return, by heading, a mask of the validation ratings ``[n]`` whose items belong to that group."""
    item = ratings.item[part.valid]
    known = np.bincount(ratings.item[part.train], minlength=len(ratings.items))[item]
    found = {f"items of < {RARE} ratings (n)": known < RARE, "cold items (n)": known == 0}
    if "tags" in ratings.item_table:
        found["items with tags (n)"] = (ratings.item_table["tags"] != "").to_numpy()[item]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("--inner", action="store_true", help="train and validate on the training rows alone")
    arguments = parser.parse_args()

    everything = open_ratings(Home.find(), arguments.data)
    where = device.choose(arguments.device)
    plain, hybrid, bayes = map(recipe, ("model4", "hybrid", "bayes"))
    tuned = replace(plain, defaults={**plain.defaults, "wd": TUNED[0], "wd_bias": TUNED[1]})
    likewise = "`model4 --wd {:g} --wd-bias {:g}`".format(*TUNED)
    contestants = [("`model4`", plain, everything), (likewise, tuned, everything), ("`hybrid`", hybrid, everything)]
    if "tags" in everything.item_table:
        tagless = replace(everything, item_table=everything.item_table.drop(columns="tags"))
        contestants.insert(2, ("`hybrid`, tags left out", hybrid, tagless))
        contestants += [("`bayes`, tags left out", bayes, tagless), ("`bayes`", bayes, everything)]
    parts = [split(everything, "random", seed) for seed in range(arguments.seeds)]
    if arguments.inner:
        parts = [inner(part, seed) for seed, part in enumerate(parts)]
    members = [groups(everything, part) for part in parts]
    rows = []
    for label, chosen, ratings in contestants:
        losses, seconds, errors = [], [], []
        for seed, part in enumerate(parts):
            trainer = fitter_for(chosen, chosen.options(seed=seed), ratings, part, where)
            trainer.fit()
            errors.append(squared_errors(trainer, ratings, part))
            losses.append(float(errors[-1].mean()))
            seconds.append(trainer.elapsed)
            print(f"{label} seed {seed}: {losses[-1]:.4f} in {seconds[-1]:.1f} s", file=sys.stderr)
        error = np.concatenate(errors)
        apart = [np.concatenate([member[heading] for member in members]) for heading in members[0]]
        rows.append(
            [
                label,
                f"**{statistics.mean(losses):.3f}**",
                " ".join(f"{loss:.3f}"[1:] for loss in losses),
                *(f"{error[these].mean():.3f} ({these.sum():,})" for these in apart),
                f"{statistics.median(seconds):.1f} s",
            ]
        )
    text = table(["recipe", "MSE, mean of the splits", "per seed", *members[0], "fitting"], rows)
    print(text)
    option = "" if arguments.data == "ml-100k" else f"--data {arguments.data} "
    note = f"torch {torch.__version__}, {device.describe(where)}; `python benchmarks/hybrid.py {option}--write`."
    if arguments.write and arguments.data == "ml-100k":
        put("hybrid", f"{text}\n\n{note}")
    elif arguments.write:
        put(arguments.data, f"{text}\n\n{note}", DOCS / "models" / "full-movielens.md")


if __name__ == "__main__":
    main()

"""Measure the figures of docs/models/embedding-or-parameters.md and cross-entropy.md: questions 1 and 4 of the chapter.

    python benchmarks/questions.py            print the tables
    python benchmarks/questions.py --write    also put them into the pages

The settings are five random splits of MovieLens 100K, five epochs, batch 64, 50 factors, learning rate 5e-3, weight
decay 0.1 and the CPU.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable

import torch
from markdown import DOCS, put, table
from torch import Tensor

from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.fitting import Fitter
from cftui.engine.models.architectures import Architecture
from cftui.engine.models.recipes import RECIPES
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

CPU = torch.device("cpu")
Change = Callable[[Architecture], object]
Measures = dict[str, float]


def as_it_is(model: Architecture) -> None:
    pass


def factors_at_zero(model: Architecture) -> None:
    for factors in model.learned()[:2]:
        if factors is not None:
            factors.data.zero_()


def cut_start(model: Architecture) -> None:
    """Truncate the initial normal as fastai's ``Embedding`` does."""
    for parameter in model.parameters():
        parameter.data.div_(0.01).fmod_(2).mul_(0.01)


def wide_start(model: Architecture) -> None:
    """Make the initial normal ten times as wide: ``normal_(0, 0.1)``."""
    for factors in model.learned()[:2]:
        if factors is not None:
            factors.data.mul_(10)


def fixed(model: Architecture) -> None:
    """Make all parameters plain tensors, which the optimiser does not update."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)


def fitted(name: str, ratings: Ratings, seed: int, change: Change = as_it_is) -> Fitter:
    trainer = fitter_for(RECIPES[name], RECIPES[name].options(seed=seed), ratings, split(ratings, "random", seed), CPU)
    change(trainer.model)
    if change is not fixed:
        trainer.fit()
    return trainer


@torch.no_grad()
def measures(trainer: Fitter, ratings: Ratings, seed: int) -> Measures:
    """Return the errors of the mean prediction, and of one rating value: the likeliest class, or the rounded mean."""
    parts, model = split(ratings, "random", seed), trainer.model.eval()
    user, item, truth = (
        torch.from_numpy(column[parts.valid]) for column in (ratings.user, ratings.item, ratings.rating)
    )
    mean = model(user, item)
    named = mean.round().clamp(*ratings.rating_range)
    logits = getattr(model, "logits", None)
    if logits is not None:
        named = torch.tensor(ratings.levels)[logits(model.user_rows(user), item).argmax(dim=1)]
    found = {
        "MSE of the mean": (mean - truth).square().mean(),
        "MAE of the mean": (mean - truth).abs().mean(),
        "rating named outright is right": (named == truth).float().mean(),
        "MAE of the rating named": (named - truth).abs().mean(),
    }
    return {what: float(value) for what, value in found.items()}


def averaged(found: list[Measures]) -> Measures:
    return {what: statistics.mean(one[what] for one in found) for what in found[0]}


def loss(trainer: Fitter) -> float:
    return trainer.validate().mse


def broadcast() -> str:
    """Return the shape that ``keepdim=True`` gives when the bias is one-dimensional."""
    batch: Tensor = torch.zeros(64, 1) + torch.zeros(64)
    return " x ".join(map(str, batch.shape))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/models")
    arguments = parser.parse_args()
    ratings, seeds = open_ratings(Home.find(), "ml-100k"), range(arguments.seeds)

    rows = []
    for what, name, change in (
        ("`Embedding`: `model4`", "model4", as_it_is),
        ("`create_params`: `model5`", "model5", as_it_is),
        ("`create_params`, cut at two standard deviations", "model5", cut_start),
        ("`create_params`, started ten times as wide", "model5", wide_start),
        ("`create_params`, factors started at 0", "model5", factors_at_zero),
        ("tensors that are no `nn.Parameter`", "model5", fixed),
    ):
        losses = [loss(fitted(name, ratings, seed, change)) for seed in seeds]
        rows.append([what, f"{statistics.mean(losses):.4f}", " ".join(f"{one:.3f}" for one in losses)])
        print(" | ".join(rows[-1]), file=sys.stderr)
    first = table(["variant", "validation MSE, mean", "per seed"], rows)

    rows = []
    for name in ("model4", "cross-entropy"):
        found = averaged([measures(fitted(name, ratings, seed), ratings, seed) for seed in seeds])
        shown = [f"{value:.1%}" if "right" in what else f"{value:.4f}" for what, value in found.items()]
        rows.append([f"`{name}`", *shown])
        print(" | ".join(rows[-1]), file=sys.stderr)
    second = table(["recipe", *found], rows)
    print(first, second, sep="\n\n")
    print(f"\n[64, 1] + [64] is {broadcast()}")
    if arguments.write:
        put("figures", first, DOCS / "models" / "embedding-or-parameters.md")
        put("figures", second, DOCS / "models" / "cross-entropy.md")


if __name__ == "__main__":
    main()

"""The largest batch that is as accurate as the chapter's 64: on a GPU, small batches mostly wait."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import Split, inner
from cftui.engine.fitting import Diverged
from cftui.engine.gradient.method import GradientOptions
from cftui.engine.gradient.trainer import Trainer
from cftui.engine.models.recipes import Recipe

REFERENCE = 64
# From each batch to the next larger one.
FACTOR = 4
# An epoch has at least so many steps: with fewer, a one-cycle is none.
LEAST_STEPS = 16
# A validation loss that is higher by this is as good, in squared units of a scale of five steps.
TOLERANCE = 0.002


def largest_batch(
    recipe: Recipe,
    options: GradientOptions,
    ratings: Ratings,
    split: Split,
    device: torch.device,
    say: Callable[[str], None] = lambda text: None,
) -> int:
    """Train with larger and larger batches until the loss is worse than with 64, on training ratings alone.

    A fifth of the training rows is held back to judge by. On another scale the tolerance grows with the square of its
    range, as losses do.
    """
    parts = inner(split, options.seed)
    low, high = ratings.rating_range
    tolerance = TOLERANCE * ((high - low) / 4) ** 2

    def loss(size: int) -> float:
        trainer = Trainer(recipe, replace(options, bs=size), ratings, parts, device)
        try:
            trainer.fit()
        except Diverged:
            return math.inf
        return trainer.validate().mse

    reference, best = loss(REFERENCE), REFERENCE
    say(f"--fast: batches of {REFERENCE} come to {reference:.4f} on a fifth of the training ratings")
    while (size := best * FACTOR) * LEAST_STEPS <= len(parts.train):
        found = loss(size)
        say(f"--fast: batches of {size:,} come to {found:.4f}")
        if not found <= reference + tolerance:
            break
        best = size
    return best

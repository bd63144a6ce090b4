"""From a recipe and a data set to an untrained model."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from cftui.data.features import item_features, user_features
from cftui.data.ratings import Ratings
from cftui.engine.device import seeded
from cftui.engine.models import architectures
from cftui.engine.models.architectures import Architecture, Shape
from cftui.engine.models.importing import load
from cftui.engine.models.recipes import Recipe
from cftui.errors import CftuiError

Weights = dict[str, Tensor]


def y_range(rating_range: tuple[float, float]) -> tuple[float, float]:
    """Bounds of the sigmoid: a little beyond the rating scale on both sides, so that its ends can be reached.

    For ratings from 1 to 5 these are the chapter's 0 and 5.5.
    """
    low, high = rating_range
    return low - (high - low) / 4, high + (high - low) / 8


def architecture(recipe: Recipe) -> type[Architecture]:
    """The class of a recipe's architecture. Raises CftuiError if it cannot be found."""
    kind = recipe.architecture
    if not isinstance(kind, str):
        return kind
    if ":" in kind:
        return load(kind)
    try:
        return getattr(architectures, kind)
    except AttributeError:
        raise CftuiError(f"no architecture {kind!r} in this cftui; recipe {recipe.name} needs it") from None


def build(recipe: Recipe, shape: Shape, seed: int = 0) -> Architecture:
    """The untrained model on the CPU: the same weights for the same seed, whatever was drawn before."""
    with seeded(torch.device("cpu"), seed):
        return architecture(recipe)(shape)


def shape_of(recipe: Recipe, ratings: Ratings, factors: int) -> Shape:
    """The shape of a recipe's model for these ratings, with their features where the architecture uses them."""
    most = architecture(recipe).most_levels
    if most is not None and len(ratings.levels) > most:
        raise CftuiError(
            f"{recipe.name} learns each rating of a scale by itself, at most {most}, and {ratings.name} has "
            f"{len(ratings.levels):,} different ones",
            hint="train model4 or bayes",
        )
    shape = Shape(
        users=len(ratings.users),
        items=len(ratings.items),
        factors=factors,
        y_range=y_range(ratings.rating_range) if recipe.sigmoid else None,
        levels=ratings.levels,
    )
    if not architecture(recipe).uses_features:
        return shape
    users, items = (torch.from_numpy(side.codes) for side in (user_features(ratings), item_features(ratings)))
    return replace(shape, user_features=users, item_features=items)


def kept_features(weights: Weights, shape: Shape) -> Shape:
    """``shape`` with the features that trained weights carry, so that a run folder is read without its data set."""

    def codes(side: str, rows: int) -> Tensor | None:
        stored = weights.get(f"{side}_features.codes")
        # A tensor of another shape, or one without codes, is left out: loading the weights then says what is wrong.
        if stored is None or stored.dtype != torch.int32 or stored.shape[:-1] != (rows,) or not stored.numel():
            return None
        return stored if stored.min() >= 0 else None

    return replace(shape, user_features=codes("user", shape.users), item_features=codes("item", shape.items))

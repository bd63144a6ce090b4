"""Options for tests that run over every recipe: a setting that a recipe does not have is left out."""

from __future__ import annotations

import inspect
from typing import Any

from cftui.cli.train import options_of
from cftui.cli.train import train as train_verb
from cftui.engine.bayes.method import BayesOptions
from cftui.engine.gradient.method import GradientOptions
from cftui.engine.models.build import architecture
from cftui.engine.models.options import Options
from cftui.engine.models.recipes import RECIPES, Recipe
from cftui.errors import CftuiError

# The recipes that predict ratings, and those that learn what people choose.
RATING = [name for name, row in RECIPES.items() if architecture(row).rates]
CHOOSING = [name for name in RECIPES if name not in RATING]


def options_for(row: Recipe, **values: Any) -> Options:
    """``row.options`` of those values that the recipe has."""

    def has(name: str) -> bool:
        try:
            row.known(name)
        except CftuiError:
            return False
        return True

    return row.options(**{name: value for name, value in values.items() if has(name)})


def settings_of_verb(words: list[str]) -> Options:
    """What ``cftui train`` makes of these words; fails where it does not take them."""
    given = train_verb.make_context("train", list(words)).params
    assert train_verb.callback is not None
    own = inspect.signature(inspect.unwrap(train_verb.callback)).parameters
    values = {name: value for name, value in given.items() if name not in own}
    return options_of(RECIPES[given["recipe_name"]], given["fast"], values)


def gradient_options(row: Recipe, **values: Any) -> GradientOptions:
    """``row.options`` as what ``Trainer`` takes."""
    options = row.options(**values)
    assert isinstance(options, GradientOptions)
    return options


def bayes_options(row: Recipe, **values: Any) -> BayesOptions:
    """``row.options`` as what ``Chain`` takes."""
    options = row.options(**values)
    assert isinstance(options, BayesOptions)
    return options

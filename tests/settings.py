"""Options for tests that run over every recipe: a setting that a recipe does not have is left out."""

from __future__ import annotations

from typing import Any

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

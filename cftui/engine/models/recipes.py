"""The table of recipes: every model that can be fitted, one row each.

To add a recipe, add a row; if its architecture is new, add a class to ``architectures``. Recipes of another installed
package are found by the entry point group ``cftui.recipes``: each entry point names a ``Recipe`` or a list of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from cftui.engine.models.importing import path_of
from cftui.engine.models.method import Method
from cftui.engine.models.methods import all_methods, method
from cftui.engine.models.options import Option, Options
from cftui.errors import CftuiError, suggestion

if TYPE_CHECKING:
    from cftui.engine.models.architectures import Architecture

GROUP = "cftui.recipes"


@dataclass(frozen=True)
class Recipe:
    """A named model and the settings that make it that model.

    Attributes:
        architecture: a class in ``cftui.engine.models.architectures`` by name, any other as ``module:Class``, or the
            class itself. Names keep the listing of recipes free of torch.
        method: the way of fitting: a name in ``METHODS``, or ``module:METHOD`` for one that another package brings.
        defaults: options in which the recipe differs from its method's defaults.
        without: options of the method that this recipe does not have.
        sigmoid: whether predictions pass through the sigmoid range.
        chapter_loss: the validation loss the chapter printed after five epochs, where it printed one.
    """

    name: str
    summary: str
    architecture: str | type[Architecture]
    method: str = "gradient"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    sigmoid: bool = True
    chapter_loss: float | None = None

    @property
    def fitting(self) -> Method:
        """Its method."""
        return method(self.method)

    @property
    def described(self) -> dict[str, Option]:
        """The options that it has, by name."""
        return {name: option for name, option in self.fitting.described.items() if name not in self.without}

    def default(self, name: str) -> Any:
        """The value of an option that nobody gave."""
        return self.defaults.get(name, getattr(self.fitting.options, name))

    def options(self, **values: Any) -> Options:
        """The options of a run: these values, and the recipe's own for what is left out or None.

        Raises:
            CftuiError: a value is not usable, or the recipe has no such option.
        """
        chosen: dict[str, Any] = {}
        given_as: dict[str, str] = {}
        for name, value in values.items():
            if value is None:
                continue
            if (own := self.known(name)) in chosen:
                raise CftuiError(f"{own} is given twice, as {given_as[own]} and as {name}; give it once")
            chosen[own], given_as[own] = value, name
        return self.fitting.options(**{**self.defaults, **chosen})

    def known(self, name: str) -> str:
        """The name of an option that may have been given by its alias.

        Raises:
            CftuiError: the recipe has no such option.
        """
        options = self.described
        if name in options:
            return name
        for own, option in options.items():
            if option.alias == name:
                return own
        labels = {n: o.label for one in all_methods() for n, o in one.described.items()}
        if name in self.without:
            raise CftuiError(f"{self.name} has no {labels[name]}: its architecture sets it")
        if name in labels:
            raise CftuiError(f"{self.name} has no {labels[name]}: it is {self.fitting.how}")
        raise CftuiError(f"no option {name!r}; {suggestion(name, list(options))}")

    def as_json(self) -> dict[str, Any]:
        plain = {**asdict(self), "defaults": dict(self.defaults), "without": list(self.without)}
        return {**plain, "architecture": path_of(self.architecture)}


def _table(*rows: Recipe) -> dict[str, Recipe]:
    return {row.name: row for row in rows}


RECIPES = _table(
    Recipe("model1", "dot product", "DotProduct", sigmoid=False, chapter_loss=0.858231),
    Recipe("model2", "dot product, sigmoid range", "DotProduct", chapter_loss=0.862651),
    Recipe("model3", "dot product, sigmoid range, biases", "DotProductBias", chapter_loss=0.882840),
    Recipe("model4", "model3 with weight decay", "DotProductBias", defaults={"wd": 0.1}, chapter_loss=0.807063),
    Recipe("model5", "model4 on bare parameters", "DotProductBiasParams", defaults={"wd": 0.1}, chapter_loss=0.807552),
    Recipe("collab", "fastai's EmbeddingDotBias", "EmbeddingDotBias", defaults={"wd": 0.1}, chapter_loss=0.812597),
    Recipe("collab-nn", "the chapter's network, one hidden layer", "CollabNN", without=("factors",)),
    Recipe(
        "embedding-nn",
        "fastai's network, [100, 50] with BatchNorm",
        "EmbeddingNN",
        defaults={"wd": 0.1},
        without=("factors",),
        chapter_loss=0.853571,
    ),
    Recipe("cross-entropy", "softmax over the rating values", "SoftmaxDot", defaults={"wd": 0.1}),
    Recipe("hybrid", "model4 plus features of users and items", "Hybrid", defaults={"wd": 0.25, "wd_bias": 0.02}),
    Recipe(
        "bayes",
        "Bayesian factors by Gibbs sampling, with intervals",
        "cftui.engine.bayes.posterior:BayesianFactors",
        method="bayes",
        sigmoid=False,
    ),
    Recipe(
        "ease",
        "what people choose: weights between items, in closed form",
        "cftui.engine.linear.item_weights:ItemWeights",
        method="ease",
        sigmoid=False,
    ),
    Recipe(
        "ials",
        "what people choose: factors by alternating least squares",
        "cftui.engine.als.choice_factors:ChoiceFactors",
        method="ials",
        sigmoid=False,
    ),
)


def recipe(name: str) -> Recipe:
    """A recipe by its name, from the table or from another installed package.

    Raises:
        CftuiError: there is no such recipe.
    """
    if name in RECIPES:
        return RECIPES[name]
    every = all_recipes()
    if name not in every:
        hint = f"{suggestion(name, list(every))} (cftui train --help lists all)"
        raise CftuiError(f"no recipe {name!r}", hint=hint, kind="unknown")
    return every[name]


def all_recipes() -> dict[str, Recipe]:
    """The table, then the recipes of other installed packages, which cannot take a name from the table."""
    every = dict(RECIPES)
    for one in _installed():
        every.setdefault(one.name, one)
    return every


def _installed() -> Iterator[Recipe]:
    """The recipes of other packages. One that cannot be imported is left out with a warning."""
    import warnings
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP):
        try:
            found = entry.load()
            yield from [found] if isinstance(found, Recipe) else list(found)
        except Exception as error:  # somebody else's module may raise anything while it is imported
            warnings.warn(f"recipes of {entry.value} left out: {type(error).__name__}: {error}", stacklevel=2)

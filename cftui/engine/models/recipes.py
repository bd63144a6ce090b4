"""The zoo: every model there is, one row each.

To add a model, add a row; if its architecture is new, add a class in ``architectures``. Nothing else needs to know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from cftui.errors import CftuiError, suggestion

# The batch of --fast: as good as 64 over five splits and three times as quick (benchmarks/compare.py).
FAST_BATCH = 256
# fastai's default where the chapter gives none.
DEFAULT_DECAY = 0.01


@dataclass(frozen=True)
class Recipe:
    """A named model and the settings that make it that model.

    Attributes:
        architecture: a class in ``cftui.engine.models.architectures``, by name, so that listing the zoo needs no torch.
        sigmoid: whether predictions pass through the sigmoid range.
        weight_decay: decoupled, per step, on everything but normalisation and the biases of linear layers.
        uses_factors: whether the number of factors can be chosen (else a rule sizes the embeddings).
        chapter_loss: the validation loss the chapter printed after five epochs, where it printed one.
        bias_decay: weight decay of user and item biases alone; None means ``weight_decay``.
        sampled: fitted by a Gibbs chain instead of gradients; an epoch is then a sweep.
        epochs, factors: as many as one takes unless told otherwise.
    """

    name: str
    summary: str
    architecture: str
    sigmoid: bool = True
    weight_decay: float = DEFAULT_DECAY
    uses_factors: bool = True
    chapter_loss: float | None = None
    bias_decay: float | None = None
    sampled: bool = False
    epochs: int = 5
    factors: int = 50

    def options(self, **given: Any) -> Options:
        """``Options`` with this recipe's own number of epochs and factors where none, or None, is given.

        Raises:
            CftuiError: a value is not usable, or is of an option that this recipe does not have.
        """
        self.check(*(name for name, value in given.items() if value != getattr(Options, name)))
        for name in ("epochs", "factors"):
            if given.get(name) is None:
                given[name] = getattr(self, name)
        return Options(**given)

    def check(self, *names: str) -> None:
        """Raises CftuiError if one of these options is none that this recipe has."""
        for name in names:
            if name in (GRADIENT_ONLY if self.sampled else SAMPLED_ONLY):
                why = "sampled, not trained by gradients" if self.sampled else "trained by gradients, not sampled"
                raise CftuiError(f"{self.name} has no {LABELS[name]}: it is {why}")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _table(*rows: Recipe) -> dict[str, Recipe]:
    return {row.name: row for row in rows}


RECIPES = _table(
    Recipe("model1", "dot product", "DotProduct", sigmoid=False, chapter_loss=0.858231),
    Recipe("model2", "dot product, sigmoid range", "DotProduct", chapter_loss=0.862651),
    Recipe("model3", "dot product, sigmoid range, biases", "DotProductBias", chapter_loss=0.882840),
    Recipe("model4", "model3 with weight decay", "DotProductBias", weight_decay=0.1, chapter_loss=0.807063),
    Recipe("model5", "model4 on bare parameters", "DotProductBiasParams", weight_decay=0.1, chapter_loss=0.807552),
    Recipe("collab", "fastai's EmbeddingDotBias", "EmbeddingDotBias", weight_decay=0.1, chapter_loss=0.812597),
    Recipe("collab-nn", "the chapter's network, one hidden layer", "CollabNN", uses_factors=False),
    Recipe(
        "embedding-nn",
        "fastai's network, [100, 50] with BatchNorm",
        "EmbeddingNN",
        weight_decay=0.1,
        uses_factors=False,
        chapter_loss=0.853571,
    ),
    Recipe("cross-entropy", "softmax over the rating values", "SoftmaxDot", weight_decay=0.1),
    Recipe("hybrid", "model4 plus features of users and items", "Hybrid", weight_decay=0.25, bias_decay=0.02),
    Recipe(
        "bayes",
        "Bayesian factors by Gibbs sampling, with intervals",
        "BayesianFactors",
        sigmoid=False,
        weight_decay=0.0,
        sampled=True,
        epochs=300,
        factors=16,
    ),
)


def recipe(name: str) -> Recipe:
    """Raises CftuiError for a recipe the zoo does not hold."""
    if name not in RECIPES:
        raise CftuiError(f"no recipe {name!r}; {suggestion(name, list(RECIPES))}")
    return RECIPES[name]


@dataclass(frozen=True)
class Option:
    """A hyper-parameter, what it must be, and how a wrong one is explained."""

    name: str
    label: str
    kind: Callable[[str], float]
    ok: Callable[[float], bool]
    rule: str

    def parse(self, text: str) -> Any:
        """Raises CftuiError saying what the value must be."""
        try:
            value = self.kind(text.strip().replace("_", ""))
        except ValueError:
            value = None
        if value is None or not self.ok(value):
            raise CftuiError(f"{self.label} {text!r}: must be {self.rule}")
        return value


OPTIONS = {
    option.name: option
    for option in (
        Option("epochs", "epochs", int, lambda v: 1 <= v <= 100_000, "a whole number from 1"),
        Option("lr", "learning rate", float, lambda v: 0 < v < 1e3, "a number above 0, such as 5e-3"),
        Option("wd", "weight decay", float, lambda v: 0 <= v < 1e3, "a number from 0, such as 0.1"),
        Option("wd_bias", "weight decay of biases", float, lambda v: 0 <= v < 1e3, "a number from 0, such as 0.02"),
        Option("bs", "batch size", int, lambda v: 2 <= v <= 2**30, "a whole number from 2"),
        Option("burn_in", "burn-in", int, lambda v: 0 <= v <= 100_000, "a whole number of sweeps from 0"),
        Option("factors", "factors", int, lambda v: 1 <= v <= 4096, "a whole number from 1 to 4096"),
        Option("patience", "patience", int, lambda v: 1 <= v <= 100_000, "a whole number of epochs from 1"),
        Option("seed", "seed", int, lambda v: 0 <= v < 2**31, "a whole number from 0 to 2147483647"),
    )
}


# Of these, a recipe has either the first or the second, by whether it is ``sampled``.
GRADIENT_ONLY = ("lr", "wd", "wd_bias", "bs", "patience", "keep_best")
SAMPLED_ONLY = ("burn_in", "implicit", "side")
LABELS = {name: option.label for name, option in OPTIONS.items()}
LABELS |= {"keep_best": "best epoch to keep", "implicit": "implicit sets", "side": "side information"}
# Sweeps to let go before a chain is taken to have forgotten where it began; of a short one, a quarter.
BURN_IN = 40


@dataclass(frozen=True)
class Options:
    """Hyper-parameters of one run.

    Attributes:
        wd: None means the recipe's own.
        wd_bias: of user and item biases alone; None means the recipe's own, else ``wd``.
        patience: end after so many epochs without a better validation loss; None never does.
        keep_best: end with the weights of the best epoch instead of the last.
        burn_in: sweeps that count for nothing; None means 40, or a quarter of fewer than 160.
        implicit: whether ``bayes`` learns from who rated what.
        side: whether it learns from genres, years, ages and the like, and from how many ratings there are.
    """

    epochs: int = 5
    lr: float = 5e-3
    wd: float | None = None
    bs: int = 64
    factors: int = 50
    seed: int = 0
    split: str = "random"
    item_key: str = "title"
    patience: int | None = None
    keep_best: bool = False
    wd_bias: float | None = None
    burn_in: int | None = None
    implicit: bool = True
    side: bool = True

    def __post_init__(self) -> None:
        for name, option in OPTIONS.items():
            value = getattr(self, name)
            if value is not None:
                option.parse(str(value))

    def decay(self, recipe: Recipe) -> float:
        return recipe.weight_decay if self.wd is None else self.wd

    def bias_decay(self, recipe: Recipe) -> float:
        """Of user and item biases: where neither option nor recipe says, as everything else's."""
        own = recipe.bias_decay if self.wd_bias is None else self.wd_bias
        return self.decay(recipe) if own is None else own

    @property
    def burn(self) -> int:
        """Sweeps to let go."""
        return min(BURN_IN, self.epochs // 4) if self.burn_in is None else self.burn_in

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

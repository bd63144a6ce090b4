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
        architecture: a class in ``cftui.engine.architectures``, by name, so that listing the zoo needs no torch.
        sigmoid: whether predictions pass through the sigmoid range.
        weight_decay: decoupled, per step, on everything but normalisation and the biases of linear layers.
        uses_factors: whether the number of factors can be chosen (else a rule sizes the embeddings).
        chapter_loss: the validation loss the chapter printed after five epochs, where it printed one.
        bias_decay: weight decay of user and item biases alone; None means ``weight_decay``.
    """

    name: str
    summary: str
    architecture: str
    sigmoid: bool = True
    weight_decay: float = DEFAULT_DECAY
    uses_factors: bool = True
    chapter_loss: float | None = None
    bias_decay: float | None = None

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
        Option("factors", "factors", int, lambda v: 1 <= v <= 4096, "a whole number from 1 to 4096"),
        Option("patience", "patience", int, lambda v: 1 <= v <= 100_000, "a whole number of epochs from 1"),
        Option("seed", "seed", int, lambda v: 0 <= v < 2**31, "a whole number from 0 to 2147483647"),
    )
}


@dataclass(frozen=True)
class Options:
    """Hyper-parameters of one run.

    Attributes:
        wd: None means the recipe's own.
        wd_bias: of user and item biases alone; None means the recipe's own, else ``wd``.
        patience: end after so many epochs without a better validation loss; None never does.
        keep_best: end with the weights of the best epoch instead of the last.
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

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

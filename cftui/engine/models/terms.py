"""An explanation in parts: the terms that a prediction is the sum of, and the steps of a batch through a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from torch import Tensor

Kind = Literal["baseline", "user bias", "item bias", "implicit", "side", "factor", "user", "item", "rated", "more"]


class Learned(NamedTuple):
    """What can be read off a trained model; each part is None where the architecture does not have it."""

    user_factors: Tensor | None = None  # [users, k_user]
    item_factors: Tensor | None = None  # [items, k_item]
    user_bias: Tensor | None = None  # [users]
    item_bias: Tensor | None = None  # [items]


@dataclass(frozen=True)
class Term:
    """One summand of a prediction.

    Attributes:
        name: for people; an item is called what the data set calls it.
        kind: ``factor`` is one factor of both sides, ``user`` and ``item`` one of a network's inputs, ``implicit`` what
            follows from who rated what, ``side`` from side information, ``rated`` from one rating of the user, ``more``
            the sum of the terms that were left out.
        index: which factor, from 0; the item's code for ``rated``; None for every other kind.
        raw: its part of the score before the last step; None where that is not one number.
        stars: its part of the prediction, in rating units; of the score, for a model that does not predict ratings.
    """

    name: str
    kind: Kind
    index: int | None
    raw: float | None
    stars: float


@dataclass(frozen=True, eq=False)
class Baseline:
    """The averages over users and items, the unknown left out, that explanations start from.

    Attributes:
        user, item: float64; a dot product's mean bias ``[1]`` (``[0]`` without biases), a softmax's mean logits
            ``[levels]``, a network's mean factors ``[k_user]``, ``[k_item]``; ``[0]`` where a model needs none.
    """

    user: np.ndarray
    item: np.ndarray


@dataclass(frozen=True, eq=False)
class Question:
    """What an explanation is asked about.

    Attributes:
        row: the user's row ``[d]``, as ``Architecture.user_rows`` has it.
        item: the item's code.
        baseline: what the terms start from.
        learned: the model's factors and biases.
        scale: the lowest and the highest rating.
        noun: what the data set calls an item.
        user: the code of a trained user whose row it is, None for anybody else.
        rated, given: codes ``[n]`` and ratings ``[n]`` of a folded-in user; None for nobody in particular.
    """

    row: np.ndarray
    item: int
    baseline: Baseline
    learned: Learned
    scale: tuple[float, float]
    noun: str
    user: int | None = None
    rated: np.ndarray | None = None
    given: np.ndarray | None = None


@dataclass(frozen=True)
class Terms:
    """The answer.

    Attributes:
        method: one sentence: how the terms were found, and against what baseline.
        terms: in any order.
        link: the step from the sum of raw terms to the prediction in words; ``none`` without such a step.
    """

    method: str
    terms: list[Term]
    link: str = "none"


@dataclass(frozen=True, eq=False)
class Steps:
    """A batch of ``b`` ratings on its way through a model. What a model does not have is None.

    Attributes:
        user, item: the factors, ``[b, k_user]`` and ``[b, k_item]``, for which gradients can be taken.
        product: the two multiplied element by element ``[b, k]``.
        dot: its sum ``[b]``; for a softmax the product through the linear layer, ``[b, levels]``.
        user_bias, item_bias: ``[b]``; for a softmax logits, ``[b, levels]``.
        active: how many units each ReLU of a network lets through, ``[b, layers]``.
        score: before the last step, ``[b]``; for a softmax logits, ``[b, levels]``.
        probabilities: the softmax of the logits, ``[b, levels]``.
        prediction: ``[b]``, in rating units.
        losses: each rating's part of the objective, ``[b]``.
        objective: what the gradients are of.
        levels: the rating values of a softmax.
        layers: the layers of a network, in words.
    """

    user: Tensor
    item: Tensor
    score: Tensor
    prediction: Tensor
    losses: Tensor
    product: Tensor | None = None
    dot: Tensor | None = None
    user_bias: Tensor | None = None
    item_bias: Tensor | None = None
    active: Tensor | None = None
    probabilities: Tensor | None = None
    objective: str = "mean squared error"
    levels: tuple[float, ...] | None = None
    layers: tuple[str, ...] | None = None


def mean_of(table: np.ndarray) -> np.ndarray:
    """The mean of the rows ``[n, d]`` after the unknown's, float64 ``[d]``; the unknown's if there is no other."""
    known = table[1:] if len(table) > 1 else table
    return known.mean(axis=0, dtype=np.float64)


def indexed(kind: Kind, name: str, raw: Iterable[float | None], stars: Iterable[float]) -> list[Term]:
    """Terms of one kind, numbered from 0."""
    return [
        Term(f"{name} {index}", kind, index, part, float(star))
        for index, (part, star) in enumerate(zip(raw, stars, strict=True))
    ]

"""The chapter's anatomy of a batch: from two codes to a rating, its error and its gradient, with every number shown.

The chapter looks up the factors of one user and one item, multiplies, sums, applies the sigmoid range, squares the
error, and calls ``backward``. Here a trained model goes through the same steps for a few training ratings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from rich.cells import cell_len, set_cell_size
from torch import Tensor

from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.errors import CftuiError
from cftui.text import printable

Vector = tuple[float, ...]
# For the softmax, quantities per rating value are vectors; for all other models they are single numbers.
Value = float | Vector

# Columns of a formula before its result, and of a result: where there is no room for both, the formula is cut.
FORMULA, RESULT = 34, 9


@dataclass(frozen=True)
class Dissection:
    """One rating of a batch of ``b``, step by step. A step that the model does not have is None.

    Attributes:
        user, title: as the data set calls them; ``user_code``, ``item_code``: the rows of the embeddings.
        rating: what the user gave.
        user_vector, item_vector: the factors, ``[k_user]`` and ``[k_item]``.
        product: of the two, element by element ``[k]``; None for a network.
        dot: its sum; for the softmax the product through the linear layer, ``[levels]``; None for a network.
        user_bias, item_bias: one number; for the softmax logits, ``[levels]``.
        active: how many units each ReLU of a network lets through.
        score: before the last step; for the softmax logits, ``[levels]``.
        probabilities: the softmax of the logits, ``[levels]``.
        prediction, error, squared_error: in rating units (squared); the error is prediction less rating.
        loss: this rating's part of the objective, whose mean is the batch's.
        score_gradient, user_gradient, item_gradient: of the *batch's* objective, by ``score`` and by the two vectors.
            By the biases it is that by the score. Each rating has the vectors to itself: where a user or an item
            occurs twice in a batch, its embedding receives the sum.
    """

    user: str | int
    title: str
    user_code: int
    item_code: int
    rating: float
    user_vector: Vector
    item_vector: Vector
    product: Vector | None
    dot: Value | None
    user_bias: Value | None
    item_bias: Value | None
    active: tuple[int, ...] | None
    score: Value
    probabilities: Vector | None
    prediction: float
    error: float
    squared_error: float
    loss: float
    score_gradient: Value
    user_gradient: Vector
    item_gradient: Vector


@dataclass(frozen=True)
class Anatomy:
    """A batch of ``b`` training ratings and what a trained model makes of it.

    Attributes:
        run, recipe, data, noun: where it comes from, and what the data set calls an item.
        y_range: bounds of the sigmoid; None without a sigmoid range.
        levels: the rating values of a softmax, None for other models.
        layers: of a network, in words; None for other models.
        objective: ``mean squared error`` or ``cross-entropy``: what the gradients are of.
        loss: the batch's objective.
        squared_error: the batch's mean squared error, in rating units squared; the same unless by cross-entropy.
    """

    run: str
    recipe: str
    data: str
    noun: str
    y_range: tuple[float, float] | None
    levels: Vector | None
    layers: tuple[str, ...] | None
    objective: str
    loss: float
    squared_error: float
    ratings: tuple[Dissection, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def anatomy(model: TrainedModel, ratings: Ratings, rows: int = 3, seed: int | None = 0) -> Anatomy:
    """Take a batch of training ratings through the trained model, in evaluation mode, in float32.

    Args:
        ratings: what it was trained on.
        rows: ratings in the batch.
        seed: repeats a draw; None draws anew.

    Raises:
        ValueError: ``rows`` is below 1.
        CftuiError: the ratings have other users or items, or the model has no anatomy.
    """
    if rows < 1:
        raise ValueError(f"{rows} rows: a batch has at least one")
    if len(ratings.items) != len(model.items) or len(ratings.users) != len(model.users):
        raise CftuiError(f"{model.name}: {ratings.name} has other users or {model.nouns} than it was trained on")
    train = model.split(ratings).train
    chosen = np.random.default_rng(seed).choice(train, size=min(rows, len(train)), replace=False)
    users, items = ratings.user[chosen], ratings.item[chosen]
    rating = torch.from_numpy(ratings.rating[chosen])
    with torch.enable_grad():
        steps = model.module.dissect(torch.from_numpy(users), torch.from_numpy(items), rating)
        if steps is None:
            raise CftuiError(
                f"no anatomy for this model: {model.recipe.name} is {model.recipe.fitting.how}, "
                "and its architecture does not show the steps of a batch"
            )
        loss = steps.losses.mean()
        gradients = torch.autograd.grad(loss, (steps.score, steps.user, steps.item))
    error = steps.prediction.detach() - rating
    columns = {
        "user": [model.users.classes[code] for code in users],
        "title": [model.titles[code] for code in items],
        "user_code": users.tolist(),
        "item_code": items.tolist(),
        "rating": _each(rating),
        "user_vector": _each(steps.user),
        "item_vector": _each(steps.item),
        "product": _each(steps.product, len(users)),
        "dot": _each(steps.dot, len(users)),
        "user_bias": _each(steps.user_bias, len(users)),
        "item_bias": _each(steps.item_bias, len(users)),
        "active": _each(steps.active, len(users)),
        "score": _each(steps.score),
        "probabilities": _each(steps.probabilities, len(users)),
        "prediction": _each(steps.prediction),
        "error": _each(error),
        "squared_error": _each(error.square()),
        "loss": _each(steps.losses),
        "score_gradient": _each(gradients[0]),
        "user_gradient": _each(gradients[1]),
        "item_gradient": _each(gradients[2]),
    }
    parts = tuple(Dissection(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True))
    return Anatomy(
        run=model.name,
        recipe=model.recipe.name,
        data=model.data_name,
        noun=model.noun,
        y_range=None if steps.levels else model.module.y_range,
        levels=steps.levels,
        layers=steps.layers,
        objective=steps.objective,
        loss=float(loss.detach()),
        squared_error=float(error.square().mean()),
        ratings=parts,
    )


def _each(tensor: Tensor | None, size: int = 0) -> list[Any]:
    """The entries of ``tensor [size, ...]`` per rating: numbers, tuples of numbers, or None without a tensor."""
    if tensor is None:
        return [None] * size
    return [tuple(value) if isinstance(value, list) else value for value in tensor.detach().tolist()]


@dataclass(frozen=True)
class _Step:
    """A line of the description: name, formula, and the result, ready to print or a vector to shorten."""

    name: str
    formula: str
    result: str | Vector


def describe(anatomy: Anatomy, width: int = 80, factors: int = 5) -> str:
    """The anatomy as plain text, one step per line with its formula and shape.

    Args:
        width: columns; a longer line is cut and ends in an ellipsis. In 80 columns that happens only to long titles.
        factors: how many numbers of a vector to show at most, followed by how many more there are and the norm.
    """
    size = len(anatomy.ratings)
    lines = [
        f"{size} training ratings through {anatomy.recipe} ({anatomy.run}, {anatomy.data})",
        f"x [{size}, 2]: codes of user and {anatomy.noun}; y [{size}]: ratings; |n|: norm",
    ]
    for number, part in enumerate(anatomy.ratings, 1):
        title = printable(f"user {part.user}, {part.title}")
        lines += ["", f"{number}. {title}: x = [{part.user_code}, {part.item_code}], y = {part.rating:g}"]
        steps = [*_forward_steps(anatomy, part), *_backward_steps(anatomy, part)]
        label = max(len(_label(step)) for step in steps) + 1
        lines += [_line(step, label, width, factors) for step in steps]
    lines.append("")
    if anatomy.levels:
        lines.append(f"loss = mean cross-entropy [{size}] = {anatomy.loss:.4f}; the gradients are of this one")
        lines.append(f"mean squared error [{size}] = {anatomy.squared_error:.4f}; what models are compared by")
    else:
        lines.append(f"loss = mean squared error [{size}] = {anatomy.loss:.4f}; the gradients are of this")
    return "\n".join(_fit(line, width) for line in lines)


def _forward_steps(anatomy: Anatomy, part: Dissection) -> list[_Step]:
    noun, softmax = anatomy.noun, anatomy.levels is not None
    steps = [_Step("user vector u", "", part.user_vector), _Step(f"{noun} vector v", "", part.item_vector)]
    if part.product is not None:
        steps.append(_Step("product u * v", "", part.product))
    if anatomy.layers is not None:
        active = iter(part.active or ())
        steps.append(_Step("network", f"u, v side by side [{len(part.user_vector) + len(part.item_vector)}]", ""))
        steps += [_Step("", name, f"{next(active)} active" if name == "ReLU" else "") for name in anatomy.layers]
    if part.dot is not None:
        steps.append(_step("W (u * v) + c" if softmax else "dot", "" if softmax else "sum(u * v)", part.dot))
    if part.user_bias is not None and part.item_bias is not None:
        steps += [_step("user bias b", "", part.user_bias), _step(f"{noun} bias d", "", part.item_bias)]
    summed = "the network's output" if part.dot is None else "dot" if part.user_bias is None else "dot + b + d"
    steps.append(_step("score s", "" if softmax else summed, part.score))
    formula = "s"
    if anatomy.levels is not None and part.probabilities is not None:
        steps += [_Step("softmax(s)", "", part.probabilities), _Step("levels", "", anatomy.levels)]
        formula = "sum(softmax(s) * levels)"
    elif anatomy.y_range is not None:
        formula = "sigmoid_range(s, {:g}, {:g})".format(*anatomy.y_range)
    steps += [
        _step("prediction", formula, part.prediction),
        _step("error", "prediction - y", part.error),
        _step("squared error", "error * error", part.squared_error),
    ]
    if softmax:
        steps.append(_step("cross-entropy", "-log of y's share in softmax(s)", part.loss))
    return steps


def _backward_steps(anatomy: Anatomy, part: Dissection) -> list[_Step]:
    size = len(anatomy.ratings)
    if isinstance(part.score_gradient, tuple):
        return [
            _Step("gradient", f"of the loss by s: g = (softmax(s) - onehot(y)) / {size}", ""),
            _Step("by s: g", "", part.score_gradient),
            _Step("by u: (g W) * v", "", part.user_gradient),
            _Step("by v: (g W) * u", "", part.item_gradient),
        ]
    formula = f"2/{size} * error" + (" * sigmoid_range'(s)" if anatomy.y_range else "")
    by_user, by_item = ("by u", "by v") if anatomy.layers else ("by u: g v", "by v: g u")
    return [
        _Step("gradient by s: g", formula, _number(part.score_gradient)),
        _Step(by_user, "", part.user_gradient),
        _Step(by_item, "", part.item_gradient),
    ]


def _step(name: str, formula: str, value: Value) -> _Step:
    return _Step(name, formula, value if isinstance(value, tuple) else _number(value))


def _number(value: float) -> str:
    return f"{value: z.4f}" if abs(value) >= 0.01 or not value else f"{value: .3g}"


def _label(step: _Step) -> str:
    return step.name + (f" [{len(step.result)}]" if isinstance(step.result, tuple) else "")


def _line(step: _Step, label: int, width: int, factors: int) -> str:
    start = f"  {_label(step):<{label}}"
    if isinstance(step.result, tuple):
        return start + _shortened(step.result, width - len(start), factors)
    room = max(min(FORMULA, width - len(start) - RESULT), RESULT)
    formula = _fit(step.formula, room - 1) if step.result else step.formula
    return f"{start}{formula:<{room}}{step.result}".rstrip()


def _shortened(vector: Sequence[float], width: int, factors: int) -> str:
    """The first numbers, ``... 45 more`` and the norm: as many numbers as fit, at least one. A vector that is shown
    whole needs no norm."""
    largest = float(np.abs(vector).max())
    digits = 3 if not largest else min(max(1 - math.floor(math.log10(largest)), 3), 7)
    line = ""
    for shown in range(min(factors, len(vector)), 0, -1):
        line = " ".join(f"{value: z.{digits}f}" for value in vector[:shown])
        if shown < len(vector):
            line += f" ... {len(vector) - shown} more |{np.linalg.norm(vector):.3g}|"
        if len(line) <= width:
            break
    return line


def _fit(line: str, width: int) -> str:
    return line if cell_len(line) <= width else set_cell_size(line, width - 1).rstrip() + "…"

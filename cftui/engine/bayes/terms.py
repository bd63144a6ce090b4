"""Explaining a prediction of ``bayes``: the terms of every draw, averaged over the draws.

In each draw a user's row is a sum, and an item's likewise: the prior's mean, what the implicit set adds to it, what
side information adds, and the remainder, which is the row's own. A part's bias counts as it is. A part a of a user's
factors is worth a . (m + q) / 2, with m the mean of the prior of the item's factors q: the value of Aumann and Shapley
on the straight line from a user and an item of which nothing is known.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from cftui.engine.bayes.prior import Expected, Prior
from cftui.engine.models.terms import Kind, Question, Term, Terms


class Draws(Protocol):
    """The parts of ``BayesianFactors`` that an explanation needs."""

    factors: int
    offset: Tensor
    unit: Tensor
    items: Tensor
    user_prior: Prior
    item_prior: Prior

    @property
    def draws(self) -> int: ...


class Parts(NamedTuple):
    """The parts that a row is the sum of, float64 ``[S, d]`` each."""

    mean: Tensor
    implicit: Tensor
    side: Tensor
    own: Tensor


def parts(row: Tensor, prior: Expected) -> Parts:
    """Split ``row [S, d]``, given its prior."""
    row, mean, implicit, side = (tensor.double() for tensor in (row, prior.mean, prior.implicit, prior.side))
    return Parts(mean, implicit, side, row - mean - implicit - side)


def draw_terms(module: Draws, question: Question) -> Terms:
    """The terms of a prediction. For nobody in particular, sets and side information stay part of the row's own."""
    k, item, noun = module.factors, question.item, question.noun
    row = torch.from_numpy(np.asarray(question.row, dtype=np.float32))
    user_row, thing_row = row.unflatten(0, (module.draws, k + 3)), module.items[item]
    user = parts(user_row[:, : k + 1], _prior_of_user(module, question))
    thing = parts(thing_row[:, : k + 1], module.item_prior.of(item))
    unit = float(module.unit)
    # The other side's factors halfway from the prior's mean to the row weigh each part.
    half = [(side.mean + (side.implicit + side.side + side.own) / 2)[:, :k] for side in (user, thing)]

    def worth(part: Tensor, other: Tensor) -> float:
        """A part's bias and factors, averaged over the draws."""
        return unit * float((part[:, k] + (part[:, :k] * other).sum(dim=1)).mean())

    factors = unit * (user.own[:, :k] * half[1] + thing.own[:, :k] * half[0]).mean(dim=0)
    base = user.mean[:, k] + thing.mean[:, k] + (user.mean[:, :k] * thing.mean[:, :k]).sum(1)
    rows: list[tuple[str, Kind, float]] = [
        ("baseline", "baseline", float(module.offset) + unit * float(base.mean())),
        ("user bias", "user bias", unit * float(user.own[:, k].mean())),
        (f"{noun} bias", "item bias", unit * float(thing.own[:, k].mean())),
    ]
    if module.user_prior.implicit.shape[1]:
        rows.append((f"which {noun}s the user rated", "implicit", worth(user.implicit, half[1])))
        rows.append((f"who rated the {noun}", "implicit", worth(thing.implicit, half[0])))
    if module.user_prior.side.shape[1]:
        rows.append(("what is known of the user", "side", worth(user.side, half[1])))
        rows.append((f"what is known of the {noun}", "side", worth(thing.side, half[0])))
    gain = unit * float((user_row[:, k + 1].double() * thing_row[:, k + 1].double()).mean())
    rows.append((f"how well the user's {noun}s suit them", "implicit", gain))
    start = rows[0][2]
    score = start + math.fsum(part for _, _, part in rows[1:]) + math.fsum(factors.tolist())
    low, high = question.scale
    # A score beyond an end of the scale is clipped, and all terms shrink in proportion.
    slope = (min(max(score, low), high) - min(max(start, low), high)) / (score - start) if score != start else 1.0
    terms = [Term("baseline", "baseline", None, start, min(max(start, low), high))]
    terms += [Term(name, kind, None, part, part * slope) for name, kind, part in rows[1:]]
    terms += [Term(f"factor {at}", "factor", at, part, part * slope) for at, part in enumerate(factors.tolist())]
    # Sets and side information that say nothing are left out.
    terms = [term for term in terms if term.kind in ("baseline", "user bias", "item bias", "factor") or term.stars]
    method = (
        f"The mean over {module.draws} draws, each the sum of its terms (Aumann-Shapley); the baseline is a user and a "
        f"{noun} of which nothing is known."
    )
    return Terms(method, terms, f"clipped to {low:g}..{high:g}")


def _prior_of_user(module: Draws, question: Question) -> Expected:
    if question.user is not None:
        return module.user_prior.of(question.user)
    if question.rated is None:
        nothing = torch.zeros_like(module.user_prior.mean)
        return Expected(module.user_prior.mean, nothing, nothing, module.user_prior.precision)
    return module.user_prior.of_new(torch.from_numpy(np.asarray(question.rated, dtype=np.int64)))

"""Why ``bayes`` predicts what it does: the terms of every draw, averaged over the draws.

Of each draw a user's row is a sum, and an item's likewise: the prior's mean, what the implicit set adds to it, what
side information adds, and what is left, which is the row's own. A bias part is worth itself. A part a of a user's
factors is worth a . (m + q) / 2, with m the mean of the prior of the item's factors q: the value of Aumann and Shapley
on the straight line from a user and an item of which nothing is known but that they are some.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cftui.analysis.explain.terms import Kind, Term

if TYPE_CHECKING:
    from cftui.analysis.trained import TrainedModel
    from cftui.analysis.users.people import Person
    from cftui.engine.bayes.posterior import BayesianFactors


class Parts(NamedTuple):
    """What a row is the sum of, float64 ``[S, d]`` each."""

    mean: Tensor
    implicit: Tensor
    side: Tensor
    own: Tensor


def parts(row: Tensor, mean: Tensor, shifts: tuple[Tensor, Tensor]) -> Parts:
    """Of ``row [S, d]``, given the prior's ``mean [S, d]`` and what it is shifted by, two ``[S, d]``."""
    row, mean, implicit, side = (tensor.double() for tensor in (row, mean, *shifts))
    return Parts(mean, implicit, side, row - mean - implicit - side)


def draw_terms(
    model: TrainedModel, module: BayesianFactors, row: np.ndarray, item: int, who: Person | None
) -> tuple[str, list[Term]]:
    """How the terms were found, and the terms.

    Args:
        row: ``[S (k + 2)]``.
        who: whose row that is; of nobody in particular, what a set or side information says stays with his own.
    """
    k = module.factors
    user_row = torch.from_numpy(np.asarray(row, dtype=np.float32)).unflatten(0, (module.draws, k + 2))[:, :-1]
    user = parts(user_row, module.user_prior.mean, _user_shifts(model, module, who))
    shifts = module.item_prior.shifts(item)
    thing = parts(module.items[item, :, :-1], module.item_prior.mean, shifts)
    # Halfway from the prior's mean to the row: what the other side's factors are worth, part by part.
    half = [(side.mean + (side.implicit + side.side + side.own) / 2)[:, :k] for side in (user, thing)]

    def worth(part: Tensor, other: Tensor) -> float:
        """A part's bias and factors, averaged over the draws."""
        return float((part[:, k] + (part[:, :k] * other).sum(dim=1)).mean())

    factors = (user.own[:, :k] * half[1] + thing.own[:, :k] * half[0]).mean(dim=0)
    base = module.offset.double() + user.mean[:, k] + thing.mean[:, k] + (user.mean[:, :k] * thing.mean[:, :k]).sum(1)
    rows: list[tuple[str, Kind, float]] = [
        ("baseline", "baseline", float(base.mean())),
        ("user bias", "user bias", float(user.own[:, k].mean())),
        (f"{model.noun} bias", "item bias", float(thing.own[:, k].mean())),
    ]
    if module.user_prior.implicit.shape[1]:
        rows.append((f"which {model.nouns} the user rated", "implicit", worth(user.implicit, half[1])))
        rows.append((f"who rated the {model.noun}", "implicit", worth(thing.implicit, half[0])))
    if module.user_prior.side.shape[1]:
        rows.append(("what is known of the user", "side", worth(user.side, half[1])))
        rows.append((f"what is known of the {model.noun}", "side", worth(thing.side, half[0])))
    start = rows[0][2]
    score = start + math.fsum(part for _, _, part in rows[1:]) + math.fsum(factors.tolist())
    low, high = model.rating_range
    # What lies beyond an end of the scale is cut from all terms in proportion.
    slope = (min(max(score, low), high) - min(max(start, low), high)) / (score - start) if score != start else 1.0
    terms = [Term("baseline", "baseline", None, start, min(max(start, low), high))]
    terms += [Term(name, kind, None, part, part * slope) for name, kind, part in rows[1:]]
    terms += [Term(f"factor {at}", "factor", at, part, part * slope) for at, part in enumerate(factors.tolist())]
    # What is not there has nothing to say.
    terms = [term for term in terms if term.kind in ("baseline", "user bias", "item bias", "factor") or term.stars]
    method = (
        f"The mean over {module.draws} draws, each the sum of its terms (Aumann-Shapley); the baseline is a user and a "
        f"{model.noun} of which nothing is known."
    )
    return method, terms


def _user_shifts(model: TrainedModel, module: BayesianFactors, who: Person | None) -> tuple[Tensor, Tensor]:
    if who is None:
        none = torch.zeros_like(module.user_prior.mean)
        return none, none
    if who.trained:
        return module.user_prior.shifts(model.user_code(who.raw))
    return module.user_prior.shifts_of_new(torch.from_numpy(np.asarray(who.items, dtype=np.int64)))

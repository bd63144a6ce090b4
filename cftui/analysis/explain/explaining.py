"""Why a prediction is what it is, in terms that sum to it.

Every term is credited along the straight line from a baseline to the prediction: the integral of the gradient times
the distance. Over the parts of a score that is the value of Aumann and Shapley (1974), over the inputs of a network
the integrated gradients of Sundararajan, Taly and Yan (2017). Both are complete: nothing is left over. The integrals
are exact, or as good as exact, because of what they run through: a sigmoid range has a closed form, a network of ReLUs
is linear between the points at which a unit switches, and a softmax is smooth enough for Gauss-Legendre.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from cftui.analysis.explain import draws as explain_draws
from cftui.analysis.explain.terms import Kind, Term
from cftui.analysis.trained import TrainedModel
from cftui.engine.bayes.posterior import BayesianFactors
from cftui.engine.models.architectures import CollabNN, SoftmaxDot
from cftui.errors import CftuiError

if TYPE_CHECKING:
    from cftui.analysis.users.people import Person

YRange = tuple[float, float] | None

# The logits may move apart by so much in one panel of a softmax's path. Its singularities are pi / span away from the
# path, and at this ratio the error of NODES nodes is below the rounding of float64.
PANEL_SPAN = 8.0
NODES = 24


@dataclass(frozen=True)
class Explanation:
    """A prediction and the terms it is the sum of.

    Attributes:
        item: its code.
        method: one sentence: how the terms were found, and against what baseline.
        terms: the baseline, then the biases, then all others by ``|stars|``, largest first.
        raw: the score before the last step, the sum of the terms' ``raw``; None for a softmax.
        link: the last step in words, ``none`` where there is none.
        prediction: the model's own, in rating units.
    """

    item: int
    method: str
    terms: tuple[Term, ...]
    raw: float | None
    link: str
    prediction: float

    @property
    def error(self) -> float:
        """What is missing: the prediction less the sum of the terms' stars, in rating units.

        The model computes in float32, the terms are found in float64: expect about 1e-7, and a fault if far more.
        """
        return self.prediction - math.fsum(term.stars for term in self.terms)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "error": self.error}

    def grouped(self, n: int) -> tuple[Term, ...]:
        """At most ``n`` terms with the same sum, in the same order: the rest becomes one last term, ``44 more``.

        The baseline and the biases always stay, however small. What room is left goes first to what follows from sets
        and side information, then to all others; of either to the largest by ``|stars|``.

        Raises:
            ValueError: ``n`` is below what always stays and one for the rest.
        """
        kept = {at for at, term in enumerate(self.terms) if term.kind in ("baseline", "user bias", "item bias")}
        if n < len(kept) + 1:
            raise ValueError(f"{n} terms: at least {len(kept)} and the rest")
        if len(self.terms) <= n:
            return self.terms

        def rank(at: int) -> tuple[bool, float]:
            return self.terms[at].kind not in ("implicit", "side"), -abs(self.terms[at].stars)

        kept.update(sorted(set(range(len(self.terms))) - kept, key=rank)[: n - len(kept) - 1])
        rest = [term for at, term in enumerate(self.terms) if at not in kept]
        raw = [term.raw for term in rest if term.raw is not None]
        more = Term(
            f"{len(rest)} more",
            "more",
            None,
            math.fsum(raw) if len(raw) == len(rest) else None,
            math.fsum(term.stars for term in rest),
        )
        return (*(term for at, term in enumerate(self.terms) if at in kept), more)


@dataclass(frozen=True, eq=False)
class Average:
    """What is average about users and items, the unknown left out: the baselines are made of it.

    Attributes:
        user, item: float64; a dot product's mean bias ``[1]`` (nothing, ``[0]``, without biases), a softmax's mean
            logits ``[levels]``, a network's mean factors ``[k_user]``, ``[k_item]``.
    """

    user: np.ndarray
    item: np.ndarray


def average(model: TrainedModel) -> Average:
    """The averages that this model's explanations start from.

    Raises:
        CftuiError: the architecture is one that cannot be explained.
    """
    rows, module = model.user_rows, model.module
    if isinstance(module, BayesianFactors):
        return Average(np.zeros(0), np.zeros(0))  # each draw has its own
    if module.is_dot:
        bias = module.learned().item_bias
        if bias is None:
            return Average(np.zeros(0), np.zeros(0))
        return Average(_mean(rows[:, -1:]), _mean(bias.detach().reshape(-1, 1).numpy()))
    if isinstance(module, SoftmaxDot):
        return Average(_mean(rows[:, -len(module.levels) :]), _mean(module.item_bias.weight.detach().numpy()))
    if isinstance(module, CollabNN):
        return Average(_mean(rows), _mean(model.item_factors))
    raise CftuiError(f"{model.run.name}: {model.recipe.name} ({type(module).__name__}) has no explanation of its terms")


def explain(
    model: TrainedModel, row: np.ndarray, item: int, known: Average | None = None, who: Person | None = None
) -> Explanation:
    """The terms of the rating that a user with this row would give an item.

    Args:
        row: ``[d]``, one of ``model.user_rows`` or found by folding in.
        item: its code.
        known: the averages, where they are at hand already; worth keeping for a network on a large data set.
        who: whose row that is: of ``bayes``, what a user's prior knew of him is shown on its own only then.

    Raises:
        CftuiError: the architecture is one that cannot be explained.
    """
    known = known or average(model)
    prediction = float(model.rate(row, np.array([item]))[0])
    module, own = model.module, np.asarray(row, dtype=np.float64)
    link = "none"
    if isinstance(module, SoftmaxDot):
        levels = module.levels.tolist()
        method, terms = _softmax(model, module, own, item, known)
        link = f"expectation over the softmax of {levels[0]:g}..{levels[-1]:g}"
    else:
        if isinstance(module, BayesianFactors):
            method, terms = explain_draws.draw_terms(model, module, row, item, who)
            link = "cut to {:g}..{:g}".format(*model.rating_range)
        elif isinstance(module, CollabNN):
            method, terms = _network(model, module, own, item, known)
        else:
            method, terms = _dot(model, own, item, known)
        if module.y_range is not None:
            link = "sigmoid range ({:g}, {:g})".format(*module.y_range)
    first = [term for term in terms if term.index is None]
    others = sorted((term for term in terms if term.index is not None), key=lambda term: -abs(term.stars))
    raw = [term.raw for term in terms if term.raw is not None]
    score = math.fsum(raw) if len(raw) == len(terms) else None
    return Explanation(item, method, (*first, *others), score, link, prediction)


def _mean(table: np.ndarray) -> np.ndarray:
    """Of the rows ``[n, d]`` after the unknown's, float64 ``[d]``; the unknown's where there is no other."""
    known = table[1:] if len(table) > 1 else table
    return known.mean(axis=0, dtype=np.float64)


def _terms(kind: Kind, name: str, raw: Iterable[float | None], stars: Iterable[float]) -> list[Term]:
    return [
        Term(f"{name} {index}", kind, index, part, float(star))
        for index, (part, star) in enumerate(zip(raw, stars, strict=True))
    ]


def _dot(model: TrainedModel, row: np.ndarray, item: int, known: Average) -> tuple[str, list[Term]]:
    """The score is a sum already; each part moves the prediction by the mean slope of the last step."""
    module, biased = model.module, len(known.user) > 0
    user, base = row[: len(row) - biased], float(known.user.sum() + known.item.sum())
    products = user * model.item_factors[item]
    raw: list[tuple[str, Kind, float]] = []
    if biased:
        raw = [
            ("user bias", "user bias", float(row[-1] - known.user[0])),
            (f"{model.noun} bias", "item bias", float(model.item_bias[item] - known.item[0])),
        ]
    score = base + math.fsum(part for _, _, part in raw) + math.fsum(products)
    path = np.array([base, score])
    slope = float(_slopes(path[:1], path[1:], module.y_range)[0])
    terms = [
        Term("baseline", "baseline", None, base, float(_link(path, module.y_range)[0])),
        *(Term(name, kind, None, part, part * slope) for name, kind, part in raw),
        *_terms("factor", "factor", products.tolist(), products * slope),
    ]
    start = f"the mean user bias and the mean {model.noun} bias, no factors" if biased else "a score of 0"
    if module.y_range is None:
        return f"The prediction is the sum of its terms; the baseline is {start}.", terms
    return (
        f"Each part of the score moves the prediction in proportion (Aumann-Shapley); the baseline is {start}.",
        terms,
    )


def _softmax(
    model: TrainedModel, module: SoftmaxDot, row: np.ndarray, item: int, known: Average
) -> tuple[str, list[Term]]:
    """Each term is a vector of logits; the expectation's gradient by the logits, averaged over the path, weighs it."""
    levels = module.levels.numpy().astype(np.float64)
    weight, bias = (p.detach().numpy().astype(np.float64) for p in (module.classify.weight, module.classify.bias))
    user, user_logits = np.split(row, [len(row) - len(levels)])
    products = user * model.item_factors[item]
    base = bias + known.user + known.item
    by_user = user_logits - known.user
    by_item = module.item_bias.weight[item].detach().numpy() - known.item
    gradient = _mean_gradient(base, base + by_user + by_item + weight @ products, levels)
    terms = [
        Term("baseline", "baseline", None, None, float(_softmax_of(base) @ levels)),
        Term("user bias", "user bias", None, None, float(gradient @ by_user)),
        Term(f"{model.noun} bias", "item bias", None, None, float(gradient @ by_item)),
        *_terms("factor", "factor", [None] * len(products), gradient @ weight * products),
    ]
    method = (
        "The logits move the expected rating along the straight line from the baseline, each term by its share "
        f"(Aumann-Shapley); the baseline is the mean logits of users and {model.nouns}, no factors."
    )
    return method, terms


def _network(
    model: TrainedModel, module: CollabNN, row: np.ndarray, item: int, known: Average
) -> tuple[str, list[Term]]:
    """Integrated gradients over both embeddings, piece by piece of the line on which the network is linear."""
    if not all(isinstance(layer, (nn.Linear, nn.ReLU, nn.BatchNorm1d)) for layer in module.layers):
        raise CftuiError(f"{model.run.name}: {model.recipe.name} has layers whose gradients cannot be integrated")
    layers = copy.deepcopy(module.layers).double().eval()
    start = torch.from_numpy(np.concatenate((known.user, known.item)))
    end = torch.from_numpy(np.concatenate((row, model.item_factors[item])))
    t, scores = _pieces(layers, start, end)
    middles = torch.lerp(start, end, ((t[:-1] + t[1:]) / 2).unsqueeze(1)).requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(layers(middles).sum(), middles)
    lengths, by_piece = t.diff().numpy(), gradient.numpy()
    moved = (end - start).numpy()
    raw = lengths @ by_piece * moved
    stars = (lengths * _slopes(scores[:-1], scores[1:], module.y_range)) @ by_piece * moved
    users = len(row)
    terms = [
        Term("baseline", "baseline", None, float(scores[0]), float(_link(scores, module.y_range)[0])),
        *_terms("user", "user factor", raw[:users].tolist(), stars[:users]),
        *_terms("item", f"{model.noun} factor", raw[users:].tolist(), stars[users:]),
    ]
    method = (
        f"Integrated gradients over both embeddings, exact; the baseline is the average user with the average "
        f"{model.noun}."
    )
    return method, terms


@torch.no_grad()
def _pieces(layers: nn.Sequential, start: Tensor, end: Tensor) -> tuple[Tensor, np.ndarray]:
    """The pieces of the line from ``start [w]`` to ``end [w]`` on which the network is linear.

    Returns:
        ``t [m]`` from 0 to 1, the points at which a ReLU switches in between; and the network's output there ``[m]``.
    """
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    values = torch.stack((start, end))
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            t, values = _split_at_zeros(t, values)
        values = layer(values)
    return t, values.squeeze(1).numpy()


def _split_at_zeros(t: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Add to the points ``t [m]`` those at which one of ``values [m, units]``, linear in between, changes its sign."""
    before, after = values[:-1], values[1:]
    piece, unit = (before.sign() * after.sign() < 0).nonzero(as_tuple=True)
    ends = before[piece, unit], after[piece, unit]
    share = ends[0] / (ends[0] - ends[1])
    between = torch.lerp(before[piece], after[piece], share.unsqueeze(1))
    every = torch.cat((t, torch.lerp(t[piece], t[piece + 1], share)))
    order = every.argsort(stable=True)
    return every[order], torch.cat((values, between))[order]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


def _link(score: np.ndarray, y_range: YRange) -> np.ndarray:
    """The last step, in float64: ``sigmoid_range``."""
    if y_range is None:
        return score
    low, high = y_range
    return low + (high - low) * _sigmoid(score)


def _slopes(a: np.ndarray, b: np.ndarray, y_range: YRange) -> np.ndarray:
    """``(link(b) - link(a)) / (b - a)``, elementwise, and the derivative where the two are the same.

    By ``sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b))``, which cancels nothing.
    """
    if y_range is None:
        return np.ones_like(a)
    low, high = y_range
    # The smallest gap already gives the limit: 1 - exp(-x) is x there.
    gap = np.maximum(np.abs(b - a), 1e-300)
    return (high - low) * _sigmoid(np.maximum(a, b)) * _sigmoid(-np.minimum(a, b)) * -np.expm1(-gap) / gap


def _softmax_of(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _mean_gradient(start: np.ndarray, end: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The gradient of a softmax's expectation by its logits, averaged over the line between two of them: ``[levels]``.

    Gauss-Legendre, in as many panels as the logits need.
    """
    panels = max(1, math.ceil(np.ptp(end - start) / PANEL_SPAN))
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    t = (np.arange(panels)[:, None] + (nodes + 1) / 2).reshape(-1, 1) / panels
    share = _softmax_of(start + t * (end - start))
    by_logit = share * (levels - (share @ levels)[:, None])
    return np.tile(weights / 2 / panels, panels) @ by_logit

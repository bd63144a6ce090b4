"""Explaining a prediction in terms that sum to it.

The architecture finds the terms (``Architecture.terms``, with the integrals of ``engine.models.paths``); here they are
ordered, grouped and checked against the prediction. Architectures without an explanation are named as such.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cftui.analysis.trained import TrainedModel
from cftui.engine.models.terms import Baseline, Question, Term
from cftui.errors import CftuiError
from cftui.text import valued

if TYPE_CHECKING:
    from cftui.analysis.users.people import Person


@dataclass(frozen=True)
class Explanation:
    """A prediction, or a score, and the terms it is the sum of.

    Attributes:
        item: its code.
        method: one sentence: how the terms were found, and against what baseline.
        terms: the baseline, then the biases, then all others by ``|stars|``, largest first.
        raw: the score before the last step, the sum of the terms' ``raw``; None for a softmax.
        link: the last step in words; ``none`` if there is no such step.
        prediction: the model's own prediction, in rating units; its score, if it predicts no ratings.
        rates: whether the prediction is a rating.
    """

    item: int
    method: str
    terms: tuple[Term, ...]
    raw: float | None
    link: str
    prediction: float
    rates: bool = True

    @property
    def error(self) -> float:
        """The prediction less the sum of the terms' stars, in rating units.

        The model computes in float32, the terms are found in float64: expect about 1e-7; far more is a defect.
        """
        return self.prediction - math.fsum(term.stars for term in self.terms)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "error": self.error}

    def grouped(self, n: int) -> tuple[Term, ...]:
        """At most ``n`` terms with the same sum, in the same order: the rest becomes one last term, ``44 more``.

        The baseline and the biases always stay, however small. The remaining places go first to the terms of sets and
        side information, then to all others; in both cases to the largest by ``|stars|``.

        Raises:
            ValueError: ``n`` is too small for the terms that always stay and one for the rest.
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


def baseline(model: TrainedModel) -> Baseline | None:
    """What this model's explanations start from; None if it has no explanation."""
    # Only ratings are explained beside those of an average user, and the rows of all users may not fit memory.
    rows = model.user_rows if model.rates else np.zeros((0, 0), np.float32)
    return model.module.baseline(rows, model.learned)


def explain(
    model: TrainedModel, row: np.ndarray, item: int, known: Baseline | None = None, who: Person | None = None
) -> Explanation:
    """The terms of the rating that a user with this row would give an item.

    Args:
        row: ``[d]``, one of ``model.user_rows`` or found by folding in.
        item: its code.
        known: ``baseline(model)``, if it has been computed already; worth keeping for a network on a large data set.
        who: whose row it is. Only then does ``bayes`` show separately what it knew of the user beforehand.

    Raises:
        CftuiError: the model has no explanation.
    """
    known = known or baseline(model)
    answer = None
    if known is not None:
        question = Question(
            row=row,
            item=item,
            baseline=known,
            learned=model.learned,
            scale=model.rating_range,
            noun=model.noun,
            user=model.user_code(who.raw) if who is not None and who.trained else None,
            rated=who.items if who is not None and not who.trained else None,
            given=who.given if who is not None and not who.trained else None,
        )
        answer = model.module.terms(question)
    if answer is None:
        raise CftuiError(f"no explanation for this model: the architecture of {model.recipe.name} gives no terms")
    prediction = float(model.rate(row, np.array([item]))[0] if model.rates else model.scores(row)[item])
    terms = [_named(model, term, who) for term in answer.terms]
    first = [term for term in terms if term.index is None]
    others = sorted((term for term in terms if term.index is not None), key=lambda term: -abs(term.stars))
    raw = [term.raw for term in answer.terms if term.raw is not None]
    score = math.fsum(raw) if len(raw) == len(answer.terms) else None
    return Explanation(item, answer.method, (*first, *others), score, answer.link, prediction, model.rates)


def _named(model: TrainedModel, term: Term, who: Person | None) -> Term:
    """A term that is one of the user's ratings gets the item's title, and the rating."""
    if term.kind != "rated" or term.index is None:
        return term
    given = None if who is None else who.rating(term.index)
    return replace(term, name=valued(model.titles[term.index], given, model.counted))

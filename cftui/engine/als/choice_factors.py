"""The architecture of ``ials``: the score is a dot product of factors that were fitted to what people chose."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from cftui.engine.inputs import HISTORIES_LATER, Histories
from cftui.engine.models.architectures import Architecture, Learned, Shape
from cftui.engine.models.loading import load_resized
from cftui.engine.models.terms import Baseline, Question, Term, Terms


class ChoiceFactors(Architecture):
    """Scores ``p . q``. A user's row is ``p [k]``, the solution of the user's normal equations.

    Attributes:
        users, items: the factors, ``[users, k]`` and ``[items, k]``.
        strengths: the weight of the unobserved and the regularisation, float64 ``[2]``.
        histories: what the users it was fitted on chose.
    """

    rates: ClassVar[bool] = False

    users: Tensor
    items: Tensor
    strengths: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.histories = Histories(shape.users, shape.items)
        self.register_buffer("users", torch.zeros(shape.users, shape.factors))
        self.register_buffer("items", torch.zeros(shape.items, shape.factors))
        self.register_buffer("strengths", torch.zeros(2, dtype=torch.float64))

    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        """Load as any module does, but take the number of entries from ``state_dict``."""
        return load_resized(
            super().load_state_dict,
            self,
            state_dict,
            *args,
            later=HISTORIES_LATER,
            **kwargs,
        )

    @property
    def tables(self) -> dict[str, tuple[int, int]]:
        return {name: (len(table), table.shape[1]) for name, table in (("users", self.users), ("items", self.items))}

    def user_rows(self, user: Tensor) -> Tensor:
        return self.users.index_select(0, user.long())

    def score_rows(self, rows: Tensor) -> Tensor:
        return rows @ self.items.T

    def learned(self) -> Learned:
        return Learned(self.users, self.items)

    def new_user(self, items: Tensor, rating: Tensor) -> Tensor:
        row = self.histories.row(items, rating)
        chosen = torch.unique(items.long())
        return (self._influence(chosen) @ row[chosen].double()).float()

    def pulls(self, items: Tensor, rating: Tensor, item: int) -> Tensor:
        """What each rating adds to the score, exactly: ``[n]``. Ratings of ids that share a title share its part."""
        chosen, which, times = torch.unique(items.long(), return_inverse=True, return_counts=True)
        row = self.histories.row(items, rating)[chosen]
        parts = (self.items[item].double() @ self._influence(chosen)) * row.double()
        return (parts / times)[which].float()

    def baseline(self, rows: Any, learned: Learned) -> Baseline:
        """Nothing: without ratings, every score is 0."""
        return Baseline(np.zeros(0), np.zeros(0))

    def terms(self, question: Question) -> Terms | None:
        """What each of the user's own ratings adds to the score (Hu, Koren and Volinsky 2008)."""
        if question.user is not None:
            chosen, values = self.histories.of_user(question.user)
        elif question.rated is not None and question.given is not None:
            row = self.histories.row(torch.from_numpy(question.rated), torch.from_numpy(question.given))
            chosen = torch.unique(torch.from_numpy(question.rated))
            values = row[chosen]
        else:
            return None
        parts = (self.items[question.item].double() @ self._influence(chosen)) * values.double()
        terms = [Term("", "rated", int(code), None, float(part)) for code, part in zip(chosen, parts, strict=True)]
        return Terms("The score is the sum of what each of the user's own ratings adds.", terms)

    def _influence(self, chosen: Tensor) -> Tensor:
        """How the values of the chosen items make a user's row: float64 ``[k, n]``."""
        known = self.items[chosen].double()
        unobserved, reg = self.strengths.tolist()
        matrix = known.T @ known + unobserved * self._gram
        matrix.diagonal().add_(reg * (len(chosen) + unobserved * (len(self.items) - 1)))
        return torch.linalg.solve(matrix, known.T)

    @property
    def _gram(self) -> Tensor:
        """V'V, float64 ``[k, k]``; computed once for each table of items."""
        if self._known_gram is None or self._known_gram[0] is not self.items:
            self._known_gram = self.items, self.items.double().T @ self.items.double()
        return self._known_gram[1]

    _known_gram: tuple[Tensor, Tensor] | None = None

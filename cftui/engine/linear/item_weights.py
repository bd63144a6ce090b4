"""The architecture of ``ease``: the score of an item is a weighted sum over what the user chose."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from cftui.engine.inputs import HISTORIES_LATER, Histories
from cftui.engine.models.architectures import Architecture, Learned, Shape
from cftui.engine.models.loading import load_resized
from cftui.engine.models.terms import Baseline, Question, Term, Terms

# With a fade, the newest rating counts 1 and the older ones less, towards FADED; by e after FADE_OVER more ratings.
FADED, FADE_OVER = 0.5, 30.0


def recency(ages: Tensor) -> Tensor:
    """What ratings count with a fade, by the number of the user's later ratings ``[n]``."""
    return FADED + (1 - FADED) * torch.exp(-ages.float() / FADE_OVER)


class ItemWeights(Architecture):
    """Scores ``x W``: a user's row is ``x [items]``, the input values of what the user chose.

    Attributes:
        fades: whether older ratings count less in a row; bool ``[1]``.
        recency: what each entry of the histories counts, ``[n]``; empty without a fade.
        kept: codes of the items that have weights, int64 ``[n]``, ascending; all others have no score.
        weights: float32 ``[n, n]``, from the row's item to the column's; the diagonal is 0.
        histories: the rows of the users it was fitted on.
    """

    rates: ClassVar[bool] = False

    kept: Tensor
    weights: Tensor
    fades: Tensor
    recency: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.histories = Histories(shape.users, shape.items)
        self.register_buffer("kept", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("weights", torch.zeros(0, 0))
        self.register_buffer("fades", torch.zeros(1, dtype=torch.bool))
        self.register_buffer("recency", torch.zeros(0))

    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        """Load as any module does, but take the numbers of entries and of kept items from ``state_dict``."""
        later = ("fades", "recency", *HISTORIES_LATER)
        return load_resized(super().load_state_dict, self, state_dict, *args, later=later, **kwargs)

    @property
    def tables(self) -> dict[str, tuple[int, int]]:
        items = len(self.kept) or self.items_known - 1
        return {"weights": (items, items)}

    def user_rows(self, user: Tensor) -> Tensor:
        return self.histories.dense(user, self.recency if self.fades else None)

    def score_rows(self, rows: Tensor) -> Tensor:
        found = rows.new_full((len(rows), self.items_known), -torch.inf)
        found[:, self.kept] = rows[:, self.kept] @ self.weights
        return found

    def new_user(self, items: Tensor, rating: Tensor) -> Tensor:
        """The row of a user who gave these ratings, the newest last."""
        row = self.histories.row(items, rating)
        if self.fades:
            newest = items.new_full((self.items_known,), -1).scatter_reduce_(
                0, items.long(), torch.arange(len(items)), "amax"
            )
            row *= recency(_later(newest))
        return row

    def pulls(self, items: Tensor, rating: Tensor, item: int) -> Tensor:
        """What each rating adds to the score, exactly: ``[n]``. Ratings of ids that share a title share its part."""
        _, which, times = torch.unique(items.long(), return_inverse=True, return_counts=True)
        row = self.new_user(items, rating)
        return (row * self._weights_to(item))[items.long()] / times[which]

    def baseline(self, rows: Any, learned: Learned) -> Baseline:
        """Nothing: without ratings, every score is 0."""
        return Baseline(np.zeros(0), np.zeros(0))

    def terms(self, question: Question) -> Terms:
        row = torch.from_numpy(np.asarray(question.row, dtype=np.float32))
        parts = row.double() * self._weights_to(question.item).double()
        chosen = row.nonzero().squeeze(1).tolist()
        terms = [Term("", "rated", code, None, float(parts[code])) for code in chosen]
        return Terms("The score is the sum of what each of the user's own ratings adds.", terms)

    def similarity(self, item: int) -> Tensor:
        """The weights with which other items speak for this one."""
        return self._weights_to(item)

    def _weights_to(self, item: int) -> Tensor:
        """The weights of all items for the score of one, ``[items]``; NaN if it has none."""
        at = int(torch.searchsorted(self.kept, item))
        found = self.weights.new_zeros(self.items_known)
        if at == len(self.kept) or int(self.kept[at]) != item:
            return found.fill_(torch.nan)
        found[self.kept] = self.weights[:, at]
        return found


def _later(newest: Tensor) -> Tensor:
    """For each item the number of items that were rated later, by the place of its newest rating, ``[items]``."""
    order = newest.argsort(descending=True, stable=True)
    later = torch.empty_like(newest)
    later[order] = torch.arange(len(newest))
    return later

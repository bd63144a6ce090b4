"""The summands of a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["baseline", "user bias", "item bias", "implicit", "side", "factor", "user", "item", "more"]


@dataclass(frozen=True)
class Term:
    """One summand of a prediction.

    Attributes:
        name: for people; an item is called what the data set calls it.
        kind: ``factor`` is one factor of both sides, ``user`` and ``item`` one of a network's inputs, ``implicit`` what
            follows from who rated what, ``side`` from side information, ``more`` the sum of the terms there was no room
            for.
        index: which factor, from 0; None for every other kind.
        raw: its part of the score before the last step; None where that is not one number.
        stars: its part of the prediction, in rating units.
    """

    name: str
    kind: Kind
    index: int | None
    raw: float | None
    stars: float

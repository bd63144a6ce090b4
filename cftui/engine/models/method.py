"""What a way of fitting says of itself, and what its score is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from cftui.engine.models.options import Option, Options, described

T = TypeVar("T")


@dataclass(frozen=True)
class Criterion:
    """The figure by which the units of a run, the trials of a sweep and runs in a list are compared.

    Attributes:
        key: its key in events.
        label: its name in a sentence.
        higher_is_better: the direction: false for a loss, true for NDCG.
    """

    key: str = "valid_loss"
    label: str = "validation loss"
    higher_is_better: bool = False

    def better(self, one: float, other: float | None) -> bool:
        """Whether ``one`` beats ``other``; anything beats None."""
        return other is None or (one > other if self.higher_is_better else one < other)

    def best(self, rows: Iterable[T], value: Callable[[T], float | None]) -> T | None:
        """The row with the best value, the first of equals; None if no row has a value."""
        scored = [(row, score) for row in rows if (score := value(row)) is not None]
        if not scored:
            return None
        pick = max if self.higher_is_better else min
        return pick(scored, key=lambda pair: pair[1])[0]


LOSS = Criterion()
NDCG = Criterion("ndcg", "NDCG@10", higher_is_better=True)


@dataclass(frozen=True)
class Method:
    """A way of fitting. Each lives in a folder of its own and has a row in ``methods``.

    Attributes:
        how: completes "RECIPE is ...".
        unit: what its progress is counted in: ``epoch``, ``sweep``, ``step``.
        options: the dataclass of its options; it has no others.
        fitter: the class that fits, as ``module:Class``, so that listing methods imports no torch.
        grid: what ``cftui sweep`` varies unless told otherwise.
        score: what it is judged by.
        revision: changes whenever the same options give other numbers. A finished run of another revision still opens;
            an unfinished one has to be resumed by the version that began it.
        continuation, more: how a finished run goes on, and for how many units unless told otherwise; "" if it cannot.
        has_lr_finder: whether the learning-rate finder applies.
        intervals: whether its models give intervals and therefore have a coverage.
        shared_fitter: the class that fits as one of several processes; "" if none can.
    """

    name: str
    how: str
    unit: str
    options: type[Options]
    fitter: str
    grid: tuple[str, ...] = ()
    score: Criterion = LOSS
    revision: int = 1
    continuation: str = ""
    more: int = 1
    has_lr_finder: bool = False
    intervals: bool = False
    shared_fitter: str = ""

    @property
    def described(self) -> dict[str, Option]:
        """Its options by name."""
        return described(self.options)

    @property
    def units(self) -> str:
        return f"{self.unit}s"

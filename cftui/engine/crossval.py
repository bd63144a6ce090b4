"""Cross-validation: one recipe trained on every fold in turn. Nothing is written anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine.device import describe
from cftui.engine.gradient.trainer import Diverged, Hooks
from cftui.engine.interrupts import StopRequested
from cftui.engine.metrics import Score
from cftui.engine.models.architectures import Architecture
from cftui.engine.models.recipes import Options, Recipe
from cftui.engine.training import trainer_for
from cftui.errors import CftuiError

T = TypeVar("T")


@dataclass(frozen=True)
class FoldScore(Generic[T]):
    """What one fold gave.

    Attributes:
        name: of its split.
        score: of the model as training left it, on the fold's validation ratings.
        seconds: of fitting, the validation after every epoch included.
        coverage: the share of validation ratings inside their 90 % intervals, None where the model has none.
        judged: what ``judge`` of ``cross_validate`` gave, None where there is none.
    """

    name: str
    score: Score
    seconds: float
    coverage: float | None = None
    judged: T | None = None


def cross_validate(
    recipe: Recipe,
    options: Options,
    ratings: Ratings,
    folds: Iterable[Split],
    device: torch.device,
    should_stop: StopRequested = lambda: False,
    on_start: Callable[[Split], None] = lambda fold: None,
    judge: Callable[[Split, Architecture], T] | None = None,
) -> Iterator[FoldScore[T]]:
    """Train ``recipe`` afresh on each fold and yield its score as it ends; weights and order are of ``options.seed``.

    Args:
        folds: ``splits.folds`` or ``splits.official_folds``; ``options.split`` is not looked at.
        should_stop: asked before every batch. Once it says so, the fold in hand is dropped and nothing more comes.
        on_start: called when a fold's training begins, with all that it needs in place.
        judge: given the fold and its trained model, on the CPU and frozen; for what else there is to know of it.

    Raises:
        CftuiError: an option does not suit the data, or the device's memory is too small.
        Diverged: a fold's loss exploded.
    """
    for part in folds:
        if should_stop():
            return
        try:
            trainer = trainer_for(recipe, options, ratings, part, device)
            on_start(part)
            outcome = trainer.fit(Hooks(should_stop=should_stop))
            # The last epoch's score is not it where an earlier epoch's weights were kept.
            score, seconds, coverage = trainer.validate(), trainer.elapsed, trainer.coverage()
        except Diverged as error:
            raise Diverged(f"{part.name}: {error}") from None
        except torch.OutOfMemoryError:
            raise CftuiError(
                f"{part.name}: out of memory on {describe(device)}; try a smaller --bs, fewer --factors or --device cpu"
            ) from None
        if outcome == "stopped":
            return
        judged = judge(part, trainer.model.to("cpu").eval().requires_grad_(False)) if judge else None
        yield FoldScore(part.name, score, seconds, coverage, judged)

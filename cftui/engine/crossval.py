"""Cross-validation: one recipe trained on every fold in turn. It writes no files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine.device import describe, is_out_of_memory
from cftui.engine.fitting import Diverged, Hooks
from cftui.engine.interrupts import StopRequested
from cftui.engine.metrics import Score
from cftui.engine.models.architectures import Architecture
from cftui.engine.models.options import Options
from cftui.engine.models.recipes import Recipe
from cftui.engine.training import fitter_for
from cftui.errors import CftuiError

T = TypeVar("T")


@dataclass(frozen=True)
class FoldScore(Generic[T]):
    """The result of one fold.

    Attributes:
        name: the name of its split.
        score: the score of the fitted model on the fold's validation ratings.
        seconds: time of fitting, the validation after every epoch included.
        coverage: share of validation ratings inside their 90 % intervals; None for a model without intervals.
        judged: what ``judge`` of ``cross_validate`` returned; None without a judge.
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
    """Train ``recipe`` afresh on each fold and yield its score as it ends; ``options.seed`` seeds weights and order.

    Args:
        folds: ``splits.folds`` or ``splits.official_folds``; ``options.split`` is ignored.
        should_stop: asked before every batch. Once it returns true, the current fold is dropped and iteration ends.
        on_start: called when a fold's training begins, after everything it needs has been set up.
        judge: receives the fold and its trained model, frozen and on the CPU, for a further judgement.

    Raises:
        CftuiError: an option does not suit the data, or the device's memory is too small.
        Diverged: a fold's loss exploded.
    """
    for part in folds:
        if should_stop():
            return
        try:
            fitter = fitter_for(recipe, options, ratings, part, device)
            on_start(part)
            outcome = fitter.fit(Hooks(should_stop=should_stop))
            # Not the last epoch's score: the weights of an earlier epoch may have been kept.
            score, seconds, coverage = fitter.validate(), fitter.elapsed, fitter.coverage()
        except Diverged as error:
            raise Diverged(f"{part.name}: {error}") from None
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise CftuiError(
                f"{part.name}: out of memory on {describe(device)}; try a smaller --bs, fewer --factors or --device cpu"
            ) from None
        if outcome == "stopped":
            return
        judged = judge(part, fitter.model.to("cpu").eval().requires_grad_(False)) if judge else None
        yield FoldScore(part.name, score, seconds, coverage, judged)

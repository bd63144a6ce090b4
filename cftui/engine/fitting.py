"""What every way of fitting a model shares: the ``Fitter`` that does it, and the hooks it calls while it works.

Run folders, event logs, checkpoints, sweeps and cross-validation know a fitter only by this interface.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine import metrics
from cftui.engine.device import prepare
from cftui.engine.models.architectures import Architecture
from cftui.engine.models.build import Weights
from cftui.engine.models.importing import load
from cftui.engine.models.method import Method
from cftui.engine.models.options import Options
from cftui.engine.models.recipes import Recipe
from cftui.engine.ranks import Ranks, current
from cftui.engine.runs.events import Event, Memory, Validation, WindowEvent
from cftui.errors import CftuiError

Outcome = Literal["finished", "stopped", "early"]


class Diverged(CftuiError):
    """The loss exploded or is no longer a number."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Hooks:
    """What a fitter calls while it works.

    Attributes:
        emit: receives window and epoch events.
        should_stop: asked before every step.
        after_epoch: called after each epoch's event.
        checkpoint: called every half minute, after a unit if it takes little of the time, and at the end: the moment to
            save ``Fitter.state``.
        heartbeat: called about once a second.
    """

    emit: Callable[[Event], None] = lambda event: None
    should_stop: Callable[[], bool] = lambda: False
    after_epoch: Callable[[], None] = _nothing
    checkpoint: Callable[[], None] = _nothing
    heartbeat: Callable[[], None] = _nothing


def rows_on(device: torch.device, ratings: Ratings, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Users, items and ratings of these rows ``[n]``, on the device."""
    # For tens of millions of rows each column takes as long as reading it from disk did, so gather them in parallel.
    with ThreadPoolExecutor() as pool:
        columns = pool.map(lambda column: column.take(rows), (ratings.user, ratings.item, ratings.rating))
        user, item, rating = (torch.from_numpy(column).to(device) for column in columns)
    return user, item, rating


def fitter_class(method: Method, processes: int = 1) -> type[Fitter]:
    """The class that fits by this method. Raises CftuiError if it cannot be imported."""
    return load(method.fitter if processes == 1 else method.shared_fitter)


def validation(score: metrics.Score) -> Validation:
    """The part of an epoch event that a score's errors fill; None where there are none."""
    if not score.n or math.isnan(score.mse):
        return Validation(valid_loss=None, rmse=None, mae=None)
    return Validation(valid_loss=score.mse, rmse=score.rmse, mae=score.mae)


def sweep_window(step: int, loss: float, elapsed: float, facts: Memory) -> WindowEvent:
    """The window of one sweep over all ratings: it has a single loss, and no learning rate."""
    return WindowEvent(
        event="window",
        step=step,
        epoch=step - 1,
        loss=loss,
        mean=loss,
        min=loss,
        max=loss,
        lr=None,
        elapsed=elapsed,
        **facts,
    )


class Fitter(abc.ABC):
    """Fits one model on one split, and can stop, save its state and go on.

    A subclass sets the attributes below and writes ``fit``. The other methods have defaults that suit a method which
    fits at once.

    Args:
        recipe, options: what to fit and how; ``options`` are of the class that the recipe's method names.
        ratings, split: what to fit it on, and which rows validate.
        device: where to work.

    Attributes:
        model: what has been fitted so far.
        step: the steps taken so far; a step is a batch, a sweep, or the whole fit.
        steps: the step at which the fit ends.
        steps_per_epoch: steps in one unit of ``Method.unit``.
        elapsed: seconds of fitting so far, validation included.
        best: best score and its epoch so far, None before the first.
        train_size: number of training ratings.
        relevant: the lowest rating that is relevant where a method judges lists; None for ``rankings.threshold``.
        ranks: the processes that fit together; all of them call the same methods in the same order. Only the first of
            them needs to have the model, the scores and what ``state`` returns.
    """

    recipe: Recipe
    options: Any
    device: torch.device
    ranks: Ranks
    elapsed: float = 0.0
    best: tuple[float, int] | None = None
    steps_per_epoch: int = 1
    relevant: float | None = None

    def __init__(self, recipe: Recipe, options: Options, ratings: Ratings, split: Split, device: torch.device) -> None:
        self.recipe, self.options, self.device, self.ranks = recipe, options, device, current()
        prepare(device)
        if not len(split.train):
            raise CftuiError(f"{ratings.name}: split {split.name} has no training ratings")

    if TYPE_CHECKING:  # read-only here, so that a subclass may use an attribute or a property

        @property
        def model(self) -> Architecture: ...

        @property
        def step(self) -> int: ...

        @property
        def steps(self) -> int: ...

        @property
        def train_size(self) -> int: ...

    @classmethod
    def shares(cls, recipe: Recipe) -> bool:
        """Whether a ``Method.shared_fitter`` can fit this recipe."""
        return True

    @abc.abstractmethod
    def fit(self, hooks: Hooks | None = None) -> Outcome:
        """Go on from ``step`` until the end, or until the hooks say stop.

        Raises:
            Diverged: the fit produced something that is not a number.
        """

    @abc.abstractmethod
    def validate(self) -> metrics.Score:
        """Score the model on the validation ratings; NaN if there are none."""

    @abc.abstractmethod
    def load_state(self, tensors: Weights) -> None:
        """Restore what ``state`` returned. Raises CftuiError if the tensors do not fit this fitter."""

    @abc.abstractmethod
    def state(self) -> Weights:
        """Everything that resuming needs, as named tensors on the CPU: the model's under ``model.``."""

    @property
    def epoch(self) -> int:
        """Units completed."""
        return self.step // self.steps_per_epoch

    @property
    def kept_epoch(self) -> int:
        """The epoch whose weights the finished model has."""
        return self.epoch - 1

    @property
    def batch_size(self) -> int:
        """Ratings that one step works on."""
        return self.train_size

    def coverage(self) -> float | None:
        """Share of validation ratings inside their 90 % intervals; None for a model without intervals."""
        return None

    def extend(self, units: int) -> None:
        """Go on for this many units after the end. Raises CftuiError if the method cannot."""
        raise CftuiError(f"{self.recipe.name} is fitted at once; there is nothing to continue")

    def out_of_memory_advice(self) -> str:
        """What goes on after "out of memory on DEVICE": what was too large, and what to try."""
        return "with the whole model; try --device cpu"

"""The training loop, as fastai runs it: one-cycle AdamW over shuffled batches, validated after every epoch.

The ratings live on the device as three tensors; a batch is a slice of a shuffled copy, not the work of a data loader.
Nothing random is carried from batch to batch (the order of an epoch is a function of seed and epoch), so weights,
optimiser state and the step number are all that it takes to go on exactly where training stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine import architectures, metrics
from cftui.engine.architectures import Architecture, Shape
from cftui.engine.device import threads_for
from cftui.engine.events import Event
from cftui.engine.recipes import Options, Recipe
from cftui.engine.schedule import one_cycle
from cftui.engine.steps import step_for
from cftui.errors import CftuiError

# A run logs about this many windows of batch losses, however long it is.
WINDOWS = 400
SMOOTHING = 0.98


class Diverged(CftuiError):
    """The loss is no longer a finite number."""


def y_range(rating_range: tuple[float, float]) -> tuple[float, float]:
    """Bounds of the sigmoid: a little beyond the scale on both sides, so that its ends can be reached.

    For ratings of 1 to 5 these are the chapter's 0 and 5.5.
    """
    low, high = rating_range
    return low - (high - low) / 4, high + (high - low) / 8


def build(recipe: Recipe, shape: Shape, seed: int = 0) -> Architecture:
    """The untrained model on the CPU: the same weights for the same seed, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return getattr(architectures, recipe.architecture)(shape)


def shape_of(recipe: Recipe, ratings: Ratings, factors: int) -> Shape:
    return Shape(
        users=len(ratings.users),
        items=len(ratings.items),
        factors=factors,
        y_range=y_range(ratings.rating_range) if recipe.sigmoid else None,
        levels=tuple(sorted({float(r) for r in ratings.rating})),
    )


class TrainLoss:
    """fastai's training loss (an exponential average, debiased, carried across epochs) and its raw windows.

    Losses stay on the device until a window is full: one synchronisation per window, not per batch.
    """

    def __init__(self, window: int, device: torch.device) -> None:
        self._buffer = torch.zeros(window, device=device)
        self._filled = 0
        self.average = 0.0
        self.count = 0

    @property
    def full(self) -> bool:
        return self._filled == len(self._buffer)

    def add(self, loss: Tensor) -> None:
        self._buffer[self._filled] = loss
        self._filled += 1

    def drain(self) -> list[float]:
        """The losses since the last call, oldest first, worked into the average."""
        losses: list[float] = self._buffer[: self._filled].tolist()
        self._filled = 0
        for loss in losses:
            self.average = SMOOTHING * self.average + (1 - SMOOTHING) * loss
        self.count += len(losses)
        return losses

    @property
    def smoothed(self) -> float:
        return self.average / (1 - SMOOTHING**self.count) if self.count else math.nan


class Trainer:
    """Trains one model on one split. ``step`` is how many batches it has seen."""

    def __init__(self, recipe: Recipe, options: Options, ratings: Ratings, split: Split, device: torch.device) -> None:
        self.recipe, self.options, self.device = recipe, options, device
        self.steps_per_epoch = len(split.train) // options.bs
        if not self.steps_per_epoch:
            raise CftuiError(f"batch size {options.bs}: more than the {len(split.train):,} training ratings")
        self.steps = self.steps_per_epoch * options.epochs
        self.step = 0
        self.elapsed = 0.0
        self.model = build(recipe, shape_of(recipe, ratings, options.factors), options.seed).to(device)
        self._fit_batch = step_for(self.model, options.decay(recipe))
        self.train_loss = TrainLoss(max(1, self.steps // WINDOWS), device)

        def on_device(rows: Any) -> tuple[Tensor, Tensor, Tensor]:
            columns = (ratings.user[rows], ratings.item[rows], ratings.rating[rows])
            user, item, rating = (torch.from_numpy(column).to(device) for column in columns)
            return user, item, rating

        self._train, self._valid = on_device(split.train), on_device(split.valid)

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        return self._fit_batch.optimizer

    @property
    def epoch(self) -> int:
        return self.step // self.steps_per_epoch

    def fit(
        self,
        emit: Callable[[Event], None] = lambda event: None,
        *,
        after_epoch: Callable[[], None] = lambda: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Train from ``step`` to the end, or until ``should_stop``, which is asked before every batch.

        Args:
            emit: receives window and epoch events.
            after_epoch: called after each epoch event (the place for a checkpoint).

        Returns:
            True when the last epoch is done, False when stopped.

        Raises:
            Diverged: a batch or a validation loss was not finite.
        """
        touched = sum(p.numel() for p in self.model.parameters()) + self.options.bs * self.options.factors
        with threads_for(touched):
            return self._fit(emit, after_epoch, should_stop)

    def _fit(
        self, emit: Callable[[Event], None], after_epoch: Callable[[], None], should_stop: Callable[[], bool]
    ) -> bool:
        start = time.perf_counter() - self.elapsed
        while self.step < self.steps:
            epoch_start = time.perf_counter()
            first = self.step
            for user, item, rating in self._batches(self.epoch, self.step % self.steps_per_epoch):
                if should_stop():
                    self.elapsed = time.perf_counter() - start
                    self._flush(emit)
                    return False
                pace = one_cycle(self.step, self.steps, self.options.lr)
                self.train_loss.add(self._fit_batch(user, item, rating, pace))
                self.step += 1
                if self.train_loss.full:
                    self.elapsed = time.perf_counter() - start
                    self._flush(emit)
            self.elapsed = time.perf_counter() - start
            self._flush(emit)
            trained = (self.step - first) * self.options.bs
            seconds_training = time.perf_counter() - epoch_start
            score = self.validate()
            now = time.perf_counter()
            self.elapsed = now - start
            emit(
                {
                    "event": "epoch",
                    "epoch": self.epoch - 1,
                    "step": self.step,
                    "train_loss": self.train_loss.smoothed,
                    "valid_loss": score.mse,
                    "rmse": score.rmse,
                    "mae": score.mae,
                    "seconds": now - epoch_start,
                    "elapsed": self.elapsed,
                    "ratings_per_second": trained / seconds_training,
                }
            )
            if not math.isfinite(score.mse):
                raise Diverged(f"validation loss became {score.mse} after epoch {self.epoch - 1}; try a lower --lr")
            after_epoch()
        return True

    def validate(self) -> metrics.Score:
        user, item, rating = self._valid
        return metrics.score(metrics.predict(self.model, user, item), rating)

    def _batches(self, epoch: int, skip: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The batches of one epoch in its order, the last partial one dropped, the first ``skip`` passed over."""
        size = self.options.bs
        # Drawn on the CPU so that every device sees the same order.
        generator = torch.Generator().manual_seed((self.options.seed << 24) + epoch + 1)
        order = torch.randperm(len(self._train[2]), generator=generator).to(self.device)
        user, item, rating = (column[order] for column in self._train)
        for at in range(skip * size, self.steps_per_epoch * size, size):
            yield user[at : at + size], item[at : at + size], rating[at : at + size]

    def _flush(self, emit: Callable[[Event], None]) -> None:
        losses = self.train_loss.drain()
        if not losses:
            return
        for step, loss in enumerate(losses, self.step - len(losses)):
            if not math.isfinite(loss):
                epoch, batch = divmod(step, self.steps_per_epoch)
                lr = one_cycle(step, self.steps, self.options.lr).lr
                raise Diverged(
                    f"loss became {loss} in epoch {epoch}, batch {batch}, at learning rate {lr:.3g}; try a lower --lr"
                )
        emit(
            {
                "event": "window",
                "step": self.step,
                "epoch": (self.step - 1) // self.steps_per_epoch,
                "loss": self.train_loss.smoothed,
                "mean": sum(losses) / len(losses),
                "min": min(losses),
                "max": max(losses),
                "lr": one_cycle(self.step - 1, self.steps, self.options.lr).lr,
                "elapsed": self.elapsed,
            }
        )

    def state(self) -> dict[str, Tensor]:
        """Everything that resuming needs, as named tensors on the CPU (floats exact in float64)."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        tensors["step"] = torch.tensor(self.step)
        tensors["progress"] = torch.tensor(
            [self.elapsed, self.train_loss.average, self.train_loss.count], dtype=torch.float64
        )
        return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of ``state``. Raises CftuiError if the tensors do not fit this model."""
        try:
            model = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
            self.model.load_state_dict(model)
            moments: dict[int, dict[str, Tensor]] = {}
            for name, tensor in tensors.items():
                if name.startswith("optimizer."):
                    _, index, kind = name.split(".")
                    moments.setdefault(int(index), {})[kind] = tensor
            self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
            self.step = int(tensors["step"])
            self.elapsed, self.train_loss.average, count = tensors["progress"].tolist()
            self.train_loss.count = int(count)
        except (KeyError, RuntimeError, ValueError) as error:
            raise CftuiError(f"checkpoint does not fit this run: {str(error).splitlines()[0]}") from None

"""The training loop, as fastai runs it: one-cycle AdamW over shuffled batches, validated after every epoch.

The ratings live on the device as three tensors; a batch is a slice of a shuffled copy, not the work of a data loader.
Nothing random is carried from batch to batch (the order of an epoch is a function of seed and epoch), so weights,
optimiser state and the step number are all that it takes to go on exactly where training stopped.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cftui.data.features import item_features, user_features
from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine import metrics
from cftui.engine.bayes import posterior
from cftui.engine.clock import Clock
from cftui.engine.device import memory, reproducible, threads_for
from cftui.engine.gradient.schedule import Pace, one_cycle
from cftui.engine.gradient.steps import Optimizer, step_for
from cftui.engine.gradient.train_loss import TrainLoss
from cftui.engine.models import architectures
from cftui.engine.models.architectures import Architecture, Shape
from cftui.engine.models.recipes import Options, Recipe
from cftui.engine.runs.events import Event
from cftui.errors import CftuiError

# Ratings put into an epoch's order at a time.
BLOCK = 1_000_000
# Of more ratings than these the first epoch's order is drawn while everything else begins: it takes most of a second.
AHEAD = 2_000_000
# A run logs about this many windows of batch losses, however long it is.
WINDOWS = 400
CUDA_WINDOW = 16
# How often good weights are put aside and memory is measured.
LOOK_SECONDS = 1.0
# A batch's loss of so many squared rating spans has left the scale for good.
EXPLODED = 1000

Weights = dict[str, Tensor]
Outcome = Literal["finished", "stopped", "early"]


class Diverged(CftuiError):
    """The loss exploded or is no longer a number."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Hooks:
    """What a trainer calls while it works.

    Attributes:
        emit: receives window and epoch events.
        should_stop: asked before every batch.
        after_epoch: after each epoch's event.
        checkpoint: after each epoch, and every half minute in between: the moment to save ``Trainer.state``.
        heartbeat: about once a second.
    """

    emit: Callable[[Event], None] = lambda event: None
    should_stop: Callable[[], bool] = lambda: False
    after_epoch: Callable[[], None] = _nothing
    checkpoint: Callable[[], None] = _nothing
    heartbeat: Callable[[], None] = _nothing


def y_range(rating_range: tuple[float, float]) -> tuple[float, float]:
    """Bounds of the sigmoid: a little beyond the scale on both sides, so that its ends can be reached.

    For ratings of 1 to 5 these are the chapter's 0 and 5.5.
    """
    low, high = rating_range
    return low - (high - low) / 4, high + (high - low) / 8


def architecture(recipe: Recipe) -> type[Architecture]:
    """Its class. Raises AttributeError if there is none of that name."""
    return getattr(posterior if recipe.sampled else architectures, recipe.architecture)


def build(recipe: Recipe, shape: Shape, seed: int = 0) -> Architecture:
    """The untrained model on the CPU: the same weights for the same seed, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return architecture(recipe)(shape)


def shape_of(recipe: Recipe, ratings: Ratings, factors: int) -> Shape:
    shape = Shape(
        users=len(ratings.users),
        items=len(ratings.items),
        factors=factors,
        y_range=y_range(ratings.rating_range) if recipe.sigmoid else None,
        levels=ratings.levels,
    )
    if not architecture(recipe).uses_features:
        return shape
    users, items = (torch.from_numpy(side.codes) for side in (user_features(ratings), item_features(ratings)))
    return replace(shape, user_features=users, item_features=items)


def kept_features(weights: Weights, shape: Shape) -> Shape:
    """``shape`` with the features that trained weights carry: a run folder is read without its data set."""

    def codes(side: str, rows: int) -> Tensor | None:
        found = weights.get(f"{side}_features.codes")
        # Of another shape, or no codes at all: left out, the weights are then found not to fit.
        if found is None or found.dtype != torch.int32 or found.shape[:-1] != (rows,) or not found.numel():
            return None
        return found if found.min() >= 0 else None

    return replace(shape, user_features=codes("user", shape.users), item_features=codes("item", shape.items))


def rows_on(device: torch.device, ratings: Ratings, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Users, items and ratings of these rows ``[n]``, on the device."""
    # Of tens of millions each column takes as long as reading it from the disk did: side by side.
    with ThreadPoolExecutor() as pool:
        columns = pool.map(lambda column: column.take(rows), (ratings.user, ratings.item, ratings.rating))
        user, item, rating = (torch.from_numpy(column).to(device) for column in columns)
    return user, item, rating


class Trainer:
    """Trains one model on one split. ``step`` is how many batches it has seen.

    Attributes:
        cycle: the steps from which and up to which the current one-cycle runs; ``extend`` begins another.
        best: validation loss and epoch of the best epoch so far, None before the first.
        unit: what an epoch is called.
    """

    unit = "epoch"

    def __init__(self, recipe: Recipe, options: Options, ratings: Ratings, split: Split, device: torch.device) -> None:
        self.recipe, self.options, self.device = recipe, options, device
        self.steps_per_epoch = len(split.train) // options.bs
        if not self.steps_per_epoch:
            raise CftuiError(f"batch size {options.bs}: more than the {len(split.train):,} training ratings")
        self.cycle = (0, self.steps_per_epoch * options.epochs)
        self._ahead: Future[Tensor] | None = None
        if device.type == "cpu" and len(split.train) > AHEAD:
            self._ahead = ThreadPoolExecutor(1).submit(self._order, 0, len(split.train))
        self.step = 0
        self.elapsed = 0.0
        self.best: tuple[float, int] | None = None
        self.model = build(recipe, shape_of(recipe, ratings, options.factors), options.seed).to(device)
        self.fit_batch = step_for(self.model, options.decay(recipe), options.bias_decay(recipe))
        self.train_loss = TrainLoss(self._window(), device)
        # Beyond any loss that weights on the scale of the data can give.
        low, high = ratings.rating_range
        self._exploded = EXPLODED * (high - low) ** 2
        self._best_weights: Weights = {}
        self._good_weights: Weights = {}
        self._candidate: Weights = {}
        self._memory: dict[str, int] = {}
        self._looked = -math.inf

        self._train, self._valid = (rows_on(device, ratings, rows) for rows in (split.train, split.valid))

    @property
    def steps(self) -> int:
        """Where training ends."""
        return self.cycle[1]

    @property
    def batch_size(self) -> int:
        return self.options.bs

    @property
    def train_size(self) -> int:
        """How many ratings it is trained on."""
        return len(self._train[2])

    @property
    def optimizer(self) -> Optimizer:
        return self.fit_batch.optimizer

    @property
    def epoch(self) -> int:
        return self.step // self.steps_per_epoch

    def extend(self, epochs: int) -> None:
        """Go on for ``epochs`` more, over a one-cycle of their own, as a second ``fit_one_cycle`` would."""
        self.cycle = (self.step, self.step + epochs * self.steps_per_epoch)
        self.train_loss.resize(self._window())

    def _window(self) -> int:
        """Batches per window of the log. On CUDA never so few that reading their losses holds up the queue."""
        return max(CUDA_WINDOW if self.device.type == "cuda" else 1, self.steps // WINDOWS)

    def pace(self, step: int) -> Pace:
        start, end = self.cycle
        return one_cycle(step - start, end - start, self.options.lr)

    def fit(self, hooks: Hooks | None = None) -> Outcome:
        """Train from ``step`` to the end of the cycle, or until the hooks or the patience say stop.

        With ``keep_best`` the model ends with the weights of its best epoch.

        Raises:
            Diverged: a batch's loss exploded or was no number; the model is back at its last good weights.
        """
        touched = sum(p.numel() for p in self.model.parameters()) + self.options.bs * self.options.factors
        with threads_for(touched), reproducible(self.device):
            try:
                outcome = self._fit(hooks or Hooks())
            except Diverged:
                self._restore(self._good_weights)
                raise
        if outcome != "stopped" and self.options.keep_best:
            self._restore(self._best_weights)
        return outcome

    def _fit(self, hooks: Hooks) -> Outcome:
        clock = Clock(self.elapsed)
        self._good_weights, self._candidate = self._copy_weights(), {}
        while self.step < self.steps:
            # Asked here, not after the epoch: a resumed run then ends where one never interrupted does.
            if self.step % self.steps_per_epoch == 0 and self._out_of_patience():
                self._flush(hooks)
                return "early"
            clock.start_epoch()
            first = self.step
            for user, item, rating in self._batches(self.epoch, self.step % self.steps_per_epoch):
                if hooks.should_stop():
                    self.elapsed = clock.elapsed()
                    self._flush(hooks)
                    return "stopped"
                self.train_loss.add(self.fit_batch(user, item, rating, self.pace(self.step)))
                self.step += 1
                if self.train_loss.full:
                    self.elapsed = clock.elapsed()
                    self._flush(hooks)
                    # A checkpoint between the last batch and the validation would lose the epoch's row.
                    if clock.checkpoint_due() and self.step % self.steps_per_epoch:
                        hooks.checkpoint()
                        clock.checkpointed()
                if clock.beat_due():
                    hooks.heartbeat()
            self.elapsed = clock.elapsed()
            self._settle()
            trained, seconds_training = (self.step - first) * self.options.bs, clock.epoch()
            score = self.validate()
            self.elapsed = clock.elapsed()
            self._note_best(score.mse)
            hooks.emit(
                {
                    "event": "epoch",
                    "epoch": self.epoch - 1,
                    "step": self.step,
                    "train_loss": self.train_loss.smoothed,
                    "valid_loss": score.mse,
                    "rmse": score.rmse,
                    "mae": score.mae,
                    "seconds": clock.epoch(),
                    "elapsed": self.elapsed,
                    "ratings_per_second": trained / seconds_training,
                }
            )
            if not math.isfinite(score.mse):
                raise Diverged(f"validation loss became {score.mse} after epoch {self.epoch - 1}; try a lower --lr")
            hooks.after_epoch()
            hooks.checkpoint()
            clock.checkpointed()
        self._flush(hooks)
        return "finished"

    def validate(self) -> metrics.Score:
        user, item, rating = self._valid
        return metrics.score(metrics.predict(self.model, user, item), rating)

    def coverage(self) -> float | None:
        """None: what is trained by gradients does not know how sure it is."""
        return None

    def largest_batch(self, size: int) -> int:
        """The largest power of two up to ``size`` whose step the device has the memory for; 0 if none has.

        Tried on the model itself, whose weights are of no use afterwards.
        """
        size = 1 << max(size, 1).bit_length() - 1
        while size >= 2 and not self._fits(size):
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            size //= 2
        return size if size >= 2 else 0

    def _fits(self, size: int) -> bool:
        with reproducible(self.device):
            try:
                user, item, rating = (column[:size] for column in self._train)
                self.fit_batch(user, item, rating, self.pace(self.step))
            except torch.OutOfMemoryError:
                return False
        return True

    def _note_best(self, loss: float) -> None:
        if math.isfinite(loss) and (self.best is None or loss < self.best[0]):
            self.best = (loss, self.epoch - 1)
            if self.options.keep_best:
                self._best_weights = self._copy_weights()

    def _out_of_patience(self) -> bool:
        """So many epochs of this cycle have gone by since the best one."""
        patience = self.options.patience
        if not patience or self.best is None:
            return False
        since = max(self.best[1], self.cycle[0] // self.steps_per_epoch - 1)
        return self.epoch - 1 - since >= patience

    def _copy_weights(self) -> Weights:
        return {name: value.clone() for name, value in self.model.state_dict().items()}

    def _restore(self, weights: Weights) -> None:
        if weights:
            self.model.load_state_dict(weights)

    def _batches(self, epoch: int, skip: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The batches of one epoch in its order, the last partial one dropped, the first ``skip`` passed over."""
        size = self.options.bs
        ahead, self._ahead = self._ahead, None
        order = ahead.result() if ahead and epoch == 0 else self._order(epoch, self.train_size)
        # Gathered several batches at a time: quick for small ones, and never a second copy of a large data set.
        for rows in order[skip * size : self.steps_per_epoch * size].split(max(1, BLOCK // size) * size):
            yield from zip(*(column.index_select(0, rows).split(size) for column in self._train), strict=True)

    def _order(self, epoch: int, n: int) -> Tensor:
        """In which the ``n`` training ratings come, int64 ``[n]`` on the device."""
        # On CUDA drawn there: shuffling tens of millions on the host would outlast the epoch.
        where = self.device if self.device.type == "cuda" else torch.device("cpu")
        generator = torch.Generator(where).manual_seed((self.options.seed << 24) + epoch + 1)
        return torch.randperm(n, generator=generator, device=where).to(self.device)

    def endless_batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Epoch after epoch, for trying things out."""
        for epoch in itertools.count():
            yield from self._batches(epoch, 0)

    def _settle(self) -> None:
        """Take in the losses of the batches since the last time. Raises Diverged if one is off every scale."""
        losses = self.train_loss.settle()
        for step, loss in enumerate(losses, self.step - len(losses)):
            if not loss < self._exploded:  # true of NaN as well
                epoch, batch = divmod(step, self.steps_per_epoch)
                raise Diverged(
                    f"loss became {loss:g} in epoch {epoch}, batch {batch}, at learning rate {self.pace(step).lr:.3g}; "
                    "try a lower --lr"
                )

    def _flush(self, hooks: Hooks) -> None:
        """Log the window of batch losses in hand."""
        self._settle()
        losses = self.train_loss.drain()
        if not losses:
            return
        # The weights put aside last time have now shown that they give sound losses; today's are yet to.
        if self._candidate:
            self._good_weights, self._candidate = self._candidate, {}
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS:
            self._looked, self._memory, self._candidate = now, memory(self.device), self._copy_weights()
        hooks.emit(
            {
                "event": "window",
                "step": self.step,
                "epoch": (self.step - 1) // self.steps_per_epoch,
                "loss": self.train_loss.smoothed,
                "mean": sum(losses) / len(losses),
                "min": min(losses),
                "max": max(losses),
                "lr": self.pace(self.step - 1).lr,
                "elapsed": self.elapsed,
                **self._memory,
            }
        )

    def state(self) -> Weights:
        """Everything that resuming needs, as named tensors on the CPU (numbers exact in float64)."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self._best_weights.items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        best, best_epoch = self.best or (math.nan, -1)
        numbers = [
            self.step,
            *self.cycle,
            self.elapsed,
            self.train_loss.average,
            self.train_loss.count,
            best,
            best_epoch,
        ]
        tensors["numbers"] = torch.tensor(numbers, dtype=torch.float64)
        return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def load_state(self, tensors: Weights) -> None:
        """The inverse of ``state``. Raises CftuiError if the tensors do not fit this model."""

        def under(prefix: str) -> Weights:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        try:
            self.model.load_state_dict(under("model."))
            self._best_weights = {name: t.to(self.device) for name, t in under("best.").items()}
            moments: dict[int, Weights] = {}
            for name, tensor in under("optimizer.").items():
                index, kind = name.split(".")
                moments.setdefault(int(index), {})[kind] = tensor
            self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
            step, start, end, self.elapsed, self.train_loss.average, count, best, epoch = tensors["numbers"].tolist()
        except (KeyError, RuntimeError, ValueError) as error:
            raise CftuiError(f"checkpoint does not fit this run: {str(error).splitlines()[0]}") from None
        self.step, self.cycle, self.train_loss.count = int(step), (int(start), int(end)), int(count)
        self.train_loss.resize(self._window())
        self.best = None if math.isnan(best) else (best, int(epoch))

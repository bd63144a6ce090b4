"""The training loop, as fastai runs it: one-cycle AdamW over shuffled batches, validated after every epoch.

The ratings are three tensors on the device; a batch is a slice of a shuffled copy, without a data loader. No random
state is carried from batch to batch (the order of an epoch is a function of seed and epoch), so weights, optimiser
state and the step number suffice to continue exactly where training stopped.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import cast

import torch
from torch import Tensor

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine import metrics
from cftui.engine.clock import Clock
from cftui.engine.device import is_out_of_memory, memory, reproducible, threads_for
from cftui.engine.fitting import Diverged, Fitter, Hooks, Outcome, rows_on, validation
from cftui.engine.gradient.method import GradientOptions
from cftui.engine.gradient.schedule import Pace, one_cycle
from cftui.engine.gradient.steps import Optimizer, step_for
from cftui.engine.gradient.train_loss import TrainLoss
from cftui.engine.models.architectures import Architecture
from cftui.engine.models.build import Weights, build, shape_of
from cftui.engine.models.recipes import Recipe
from cftui.engine.runs.events import EpochEvent, Memory, WindowEvent
from cftui.errors import CftuiError

# The batch of the chapter; a set with fewer training ratings than this is one batch.
FIRST_BATCH = 64
# Ratings shuffled into an epoch's order at a time.
BLOCK = 1_000_000
# Above this many ratings, shuffle the first epoch on a background thread during set-up: it takes most of a second.
AHEAD = 2_000_000
# A run logs about this many windows of batch losses, however long it is.
WINDOWS = 400
CUDA_WINDOW = 16
# Seconds between snapshots of good weights and measurements of memory.
LOOK_SECONDS = 1.0
# A batch whose loss is this many squared rating spans has diverged for good.
EXPLODED = 1000


class Trainer(Fitter):
    """Trains one model on one split. A step is a batch.

    Attributes:
        cycle: the steps at which the current one-cycle begins and ends; ``extend`` begins another.
    """

    options: GradientOptions
    model: Architecture
    step: int = 0
    train_size: int

    def __init__(
        self, recipe: Recipe, options: GradientOptions, ratings: Ratings, split: Split, device: torch.device
    ) -> None:
        super().__init__(recipe, options, ratings, split, device)
        if not len(split.valid) and (options.patience or options.keep_best):
            raise CftuiError(
                f"split {split.name} has no validation ratings, which patience and keep_best need",
                hint="leave these options out, or choose another split",
                option="patience" if options.patience else "keep-best",
            )
        # A set with fewer ratings than a batch of the chapter has is one batch.
        self._batch = min(options.bs, len(split.train)) if len(split.train) < FIRST_BATCH else options.bs
        self.steps_per_epoch = len(split.train) // self._batch
        if not self.steps_per_epoch:
            raise CftuiError(
                f"batch size {options.bs}: more than the {len(split.train):,} training ratings",
                hint="give a smaller --bs",
                option="bs",
            )
        self.cycle = (0, self.steps_per_epoch * options.epochs)
        self._ahead: Future[Tensor] | None = None
        if device.type == "cpu" and len(split.train) > AHEAD:
            self._ahead = ThreadPoolExecutor(1).submit(self._order, 0, len(split.train))
        self.model = build(recipe, shape_of(recipe, ratings, options.factors), options.seed).to(device)
        self.fit_batch = step_for(self.model, options.wd, options.bias_decay)
        self.train_loss = TrainLoss(self._window(), device)
        # No weights on the scale of the data give a loss beyond this.
        low, high = ratings.rating_range
        self._exploded = EXPLODED * (high - low) ** 2
        self._best_weights: Weights = {}
        self._good_weights: Weights = {}
        self._candidate: Weights = {}
        self._memory: Memory = {}
        self._looked = -math.inf

        self.train_size = len(split.train)
        self._load(ratings, split)

    def _load(self, ratings: Ratings, split: Split) -> None:
        """Put users, items and ratings on the device."""
        self._train, self._valid = (rows_on(self.device, ratings, rows) for rows in (split.train, split.valid))

    @property
    def steps(self) -> int:
        """Where training ends."""
        return self.cycle[1]

    @property
    def batch_size(self) -> int:
        return self._batch

    @property
    def optimizer(self) -> Optimizer:
        return self.fit_batch.optimizer

    def extend(self, units: int) -> None:
        """Go on for this many epochs over a one-cycle of their own, as a second ``fit_one_cycle`` would."""
        self.cycle = (self.step, self.step + units * self.steps_per_epoch)
        self.train_loss.resize(self._window())

    def _window(self) -> int:
        """Batches per window of the log; on CUDA enough of them that reading their losses does not stall the queue."""
        return max(CUDA_WINDOW if self.device.type == "cuda" else 1, self.steps // WINDOWS)

    def pace(self, step: int) -> Pace:
        start, end = self.cycle
        return one_cycle(step - start, end - start, self.options.lr)

    def fit(self, hooks: Hooks | None = None) -> Outcome:
        """Train from ``step`` to the end of the cycle, or until the hooks or the patience say stop.

        With ``keep_best`` the model ends with the weights of its best epoch.

        Raises:
            Diverged: a batch's loss exploded or was not a number; the model is back at its last good weights.
        """
        touched = sum(p.numel() for p in self.model.parameters()) + self.batch_size * self.options.factors
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
        self._good_weights, self._candidate = self._sound_weights(), {}
        while self.step < self.steps:
            # Checked here, not after the epoch, so that a resumed run ends where an uninterrupted one does.
            if self.step % self.steps_per_epoch == 0 and self._out_of_patience():
                self._flush(hooks)
                hooks.checkpoint()
                return "early"
            clock.start_epoch()
            first = self.step
            for user, item, rating in self._batches(self.epoch, self.step % self.steps_per_epoch):
                if self._stops(hooks):
                    self.elapsed = clock.elapsed()
                    self._flush(hooks)
                    return "stopped"
                self.train_loss.add(self.fit_batch(user, item, rating, self.pace(self.step)))
                self.step += 1
                if self.train_loss.full:
                    self.elapsed = clock.elapsed()
                    self._flush(hooks)
                    # A checkpoint between the last batch and the validation would lose the epoch's row.
                    if self.step % self.steps_per_epoch and self.ranks.from_first(clock.checkpoint_due):
                        clock.checkpoint(hooks.checkpoint)
                if clock.beat_due():
                    hooks.heartbeat()
            self.elapsed = clock.elapsed()
            self._settle()
            trained, seconds_training = (self.step - first) * self.batch_size, clock.epoch()
            score = self.validate()
            self.elapsed = clock.elapsed()
            self._note_best(score.mse)
            hooks.emit(
                EpochEvent(
                    event="epoch",
                    epoch=self.epoch - 1,
                    step=self.step,
                    train_loss=self.train_loss.smoothed,
                    **validation(score),
                    seconds=clock.epoch(),
                    elapsed=self.elapsed,
                    ratings_per_second=trained / seconds_training,
                )
            )
            if score.n and not math.isfinite(score.mse):
                raise Diverged(f"validation loss became {score.mse} after epoch {self.epoch - 1}; try a lower --lr")
            hooks.after_epoch()
            if self.step == self.steps or self.ranks.from_first(clock.checkpoint_after_epoch_due):
                clock.checkpoint(hooks.checkpoint)
        self._flush(hooks)
        return "finished"

    def _stops(self, hooks: Hooks) -> bool:
        """Whether to stop before the next batch."""
        return hooks.should_stop()

    def validate(self) -> metrics.Score:
        user, item, rating = self._valid
        return metrics.score(metrics.predict(self.model, user, item), rating)

    @property
    def kept_epoch(self) -> int:
        return self.best[1] if self.options.keep_best and self.best else self.epoch - 1

    def out_of_memory_advice(self) -> str:
        """The largest batch that fits, found by trying. The model's weights are unusable afterwards."""
        fits = self._largest_batch(self.options.bs // 2)
        advice = f"--bs {fits} fits" if fits else "the model alone does not fit; try fewer --factors or --device cpu"
        return f"with batches of {self.options.bs:,}; {advice}"

    def _largest_batch(self, size: int) -> int:
        """The largest power of two up to ``size`` for which a step fits the device's memory; 0 if none fits."""
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
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                return False
        return True

    def _note_best(self, loss: float) -> None:
        if math.isfinite(loss) and (self.best is None or loss < self.best[0]):
            self.best = (loss, self.epoch - 1)
            if self.options.keep_best:
                self._best_weights = self._copy_weights()

    def _out_of_patience(self) -> bool:
        """Whether ``patience`` epochs of this cycle have passed since the best one."""
        patience = self.options.patience
        if not patience or self.best is None:
            return False
        since = max(self.best[1], self.cycle[0] // self.steps_per_epoch - 1)
        return self.epoch - 1 - since >= patience

    def _sound_weights(self) -> Weights:
        """What ``_restore`` takes after the loss has exploded."""
        return self._copy_weights()

    def _copy_weights(self) -> Weights:
        return {name: value.clone() for name, value in self.model.state_dict().items()}

    def _restore(self, weights: Weights) -> None:
        if weights:
            self.model.load_state_dict(weights)

    def _batches(self, epoch: int, skip: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The batches of one epoch in its order, without the last partial one and the first ``skip``."""
        size = self.batch_size
        # Gather several batches at a time: quick for small ones, and never a second copy of a large data set.
        order = self._epoch_order(epoch)[skip * size : self.steps_per_epoch * size]
        for rows in order.split(max(1, BLOCK // size) * size):
            yield from zip(*(column.index_select(0, rows).split(size) for column in self._train), strict=True)

    def _epoch_order(self, epoch: int) -> Tensor:
        ahead, self._ahead = self._ahead, None
        return ahead.result() if ahead and epoch == 0 else self._order(epoch, self.train_size)

    def _order(self, epoch: int, n: int) -> Tensor:
        """The order of the ``n`` training ratings, int64 ``[n]`` on the device."""
        # CUDA draws the order itself: shuffling tens of millions on the host would outlast the epoch.
        where = self.device if self.device.type == "cuda" else torch.device("cpu")
        generator = torch.Generator(where).manual_seed((self.options.seed << 24) + epoch + 1)
        return torch.randperm(n, generator=generator, device=where).to(self.device)

    def endless_batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The batches of epoch after epoch, without end, for the learning-rate finder."""
        for epoch in itertools.count():
            yield from self._batches(epoch, 0)

    def _settle(self) -> None:
        """Collect the losses of the batches since the last call. Raises Diverged if one has exploded."""
        losses = self.train_loss.settle()
        for step, loss in enumerate(losses, self.step - len(losses)):
            if not loss < self._exploded:  # true of NaN as well
                epoch, batch = divmod(step, self.steps_per_epoch)
                raise Diverged(
                    f"loss became {loss:g} in epoch {epoch}, batch {batch}, at learning rate {self.pace(step).lr:.3g}; "
                    "try a lower --lr"
                )

    def _flush(self, hooks: Hooks) -> None:
        """Log the current window of batch losses."""
        self._settle()
        losses = self.train_loss.drain()
        if not losses:
            return
        # The previous snapshot has since produced finite losses, so promote it; the new one is still unproven.
        if self._candidate:
            self._good_weights, self._candidate = self._candidate, {}
        now = time.monotonic()
        if self.ranks.from_first(lambda: now - self._looked > LOOK_SECONDS):
            self._looked, self._candidate = now, self._sound_weights()
            self._memory = cast(Memory, memory(self.device))
        hooks.emit(
            WindowEvent(
                event="window",
                step=self.step,
                epoch=(self.step - 1) // self.steps_per_epoch,
                loss=self.train_loss.smoothed,
                mean=sum(losses) / len(losses),
                min=min(losses),
                max=max(losses),
                lr=self.pace(self.step - 1).lr,
                elapsed=self.elapsed,
                **self._memory,
            )
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

"""Fitting ``bayes``: a Gibbs chain run as training is run, a sweep for an epoch.

The same hooks, events and checkpoints as of ``Trainer``, so a run folder, its log and its screens need not know.
"""

from __future__ import annotations

import math
import time
from typing import Any

import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine import metrics
from cftui.engine.bayes.gibbs import Sampler
from cftui.engine.bayes.incidence import Incidence
from cftui.engine.bayes.kept_draws import KeptDraws
from cftui.engine.bayes.posterior import BayesianFactors
from cftui.engine.bayes.prior_features import known_features
from cftui.engine.clock import Clock
from cftui.engine.device import memory, reproducible, threads_for
from cftui.engine.gradient.trainer import Diverged, Hooks, Outcome, Weights, rows_on
from cftui.engine.models.architectures import Shape
from cftui.engine.models.recipes import Options, Recipe
from cftui.engine.runs.weights import SNAPSHOTS
from cftui.errors import CftuiError

# Pairs scored at a time: bounds the memory, not the result.
PAIRS = 1_000_000


class Chain:
    """Runs one chain on one split. ``step`` is how many sweeps it has made.

    Attributes:
        cycle: the sweep it began at and the one it is to end at; ``extend`` moves the end.
        best: validation loss and sweep of the best sweep so far, None before the first.
    """

    unit = "sweep"
    steps_per_epoch = 1

    def __init__(self, recipe: Recipe, options: Options, ratings: Ratings, split: Split, device: torch.device) -> None:
        self.recipe, self.options = recipe, options
        # MPS has neither float64 nor sparse products.
        self.device = torch.device("cpu") if device.type == "mps" else device
        if options.burn >= options.epochs:
            raise CftuiError(f"burn-in {options.burn}: of {options.epochs} sweeps none is left")
        if not len(split.train):
            raise CftuiError(f"{ratings.name}: no training ratings")
        self.cycle = (0, options.epochs)
        self.elapsed = 0.0
        self.best: tuple[float, int] | None = None

        user, item, rating = rows_on(self.device, ratings, split.train)
        offset = rating.double().mean().item()
        rating = rating - offset
        users, items, d = len(ratings.users), len(ratings.items), options.factors + 1
        # What draw_rows makes of each row: packed sums, and the same unpacked.
        width = d * (d + 1) // 2 + 2 * d * d
        sides = Incidence(user, item, rating, users, items, width), Incidence(item, user, rating, items, users, width)
        generator = torch.Generator().manual_seed(options.seed)
        known = known_features(ratings, *sides, options.implicit, options.side, generator)
        groups = list(known[0].groups().values()), list(known[1].groups().values())
        self._sampler = Sampler(*sides, groups, options.factors, options.seed)
        shape = Shape(users, items, options.factors, y_range=None, levels=ratings.levels)
        self._offset, self._kept = offset, KeptDraws(shape, offset, ratings.rating_range, known)
        self._valid, self._scale = rows_on(self.device, ratings, split.valid), ratings.rating_range
        # Over the sweeps since the burn-in, for each validation rating: its predictions' sum and sum of squares, and
        # the sum of the noise variances.
        self._sums = torch.zeros(3, len(split.valid), device=self.device)

    @property
    def step(self) -> int:
        return self._sampler.sweep

    epoch = step

    @property
    def steps(self) -> int:
        """Where the chain ends."""
        return self.cycle[1]

    @property
    def batch_size(self) -> int:
        """Ratings that a step goes over: all."""
        return len(self._sampler.users.incidence.rating)

    train_size = batch_size

    @property
    def model(self) -> BayesianFactors:
        """What is known so far, on the CPU."""
        if self._model is None or self._model[0] != self.step:
            self._model = self.step, self._kept.model(self._sampler)
        return self._model[1]

    _model: tuple[int, BayesianFactors] | None = None

    def extend(self, epochs: int) -> None:
        """Go on for so many more sweeps."""
        self.cycle = (self.step, self.step + epochs)

    def fit(self, hooks: Hooks | None = None) -> Outcome:
        """Sweep until the end of the cycle, or until the hooks say stop.

        Raises:
            Diverged: a draw is no number any more.
        """
        work = len(self._sampler.users.incidence.rating) * self._sampler.d
        with threads_for(work), reproducible(self.device):
            return self._fit(hooks or Hooks())

    def _fit(self, hooks: Hooks) -> Outcome:
        clock = Clock(self.elapsed)
        looked, facts = -math.inf, {}
        # As many snapshots as are kept anyway: of each the means over all draws are made.
        snapshot_every = max(1, self.steps // SNAPSHOTS)
        while self.step < self.steps:
            if hooks.should_stop():
                self.elapsed = clock.elapsed()
                return "stopped"
            clock.start_epoch()
            try:
                self._sampler.step()
            except (ValueError, torch.linalg.LinAlgError) as error:  # of NaN, or a matrix that is none of a variance
                raise Diverged(f"sweep {self.step} drew what is no number ({str(error).splitlines()[0]})") from None
            swept = clock.epoch()
            event = self._score()
            if not math.isfinite(event["train_loss"] + (event["valid_loss"] if len(self._valid[2]) else 0.0)):
                raise Diverged(f"sweep {self.step - 1} drew what is no number")
            self.elapsed = clock.elapsed()
            if time.monotonic() - looked > 1:
                looked, facts = time.monotonic(), memory(self.device)
            loss = self._sampler.loss
            window = {"mean": loss, "min": loss, "max": loss, "lr": None, "elapsed": self.elapsed, **facts}
            hooks.emit({"event": "window", "step": self.step, "epoch": self.step - 1, "loss": loss, **window})
            hooks.emit(
                {
                    "event": "epoch",
                    "epoch": self.step - 1,
                    "step": self.step,
                    **event,
                    "seconds": clock.epoch(),
                    "elapsed": self.elapsed,
                    "ratings_per_second": self.train_size / swept,
                }
            )
            if self.step % snapshot_every == 0 or self.step in (1, self.steps):
                hooks.after_epoch()
            if clock.checkpoint_due() or self.step == self.steps:
                hooks.checkpoint()
                clock.checkpointed()
            if clock.beat_due():
                hooks.heartbeat()
        return "finished"

    def _score(self) -> dict[str, Any]:
        """The sweep just made: taken into the means if it is after the burn-in, and how good these are by now."""
        sampler, number = self._sampler, self.step - 1 - self.options.burn
        user, item, rating = self._valid
        pairs = list(zip(user.split(PAIRS), item.split(PAIRS), strict=True))
        drawn = torch.cat([sampler.rate(*pair) for pair in pairs]) + self._offset
        noise = torch.cat([sampler.noise_variance(*pair) for pair in pairs])
        now = torch.stack((drawn, drawn.square(), noise))
        if number >= 0:
            self._sums += now
            self._kept.offer(sampler, number)
        # Before the end of the burn-in the draw stands alone.
        mean, square, noise = self._sums / (number + 1) if number >= 0 else now
        sd = (square - mean.square() + noise).clamp(min=0).sqrt()
        score = metrics.score(mean.clamp(*self._scale), rating)
        if math.isfinite(score.mse) and (self.best is None or score.mse < self.best[0]):
            self.best = score.mse, self.step - 1
        return {
            "train_loss": sampler.loss,
            "valid_loss": score.mse,
            "rmse": score.rmse,
            "mae": score.mae,
            "noise": noise.mean().sqrt().item(),
            "coverage": ((mean - rating).abs() <= metrics.NINETY * sd).float().mean().item(),
            "draws": len(self._kept.draws),
        }

    def validate(self) -> metrics.Score:
        """Of the draws that were kept."""
        user, item, rating = self._valid
        return metrics.score(metrics.predict(self.model, user.cpu(), item.cpu()), rating.cpu())

    def coverage(self) -> float | None:
        """The share of validation ratings inside their 90 % intervals, by the draws that were kept; None of none."""
        columns = [column.cpu().split(metrics.CHUNK) for column in self._valid]
        inside = 0
        for u, i, given in zip(*columns, strict=True):
            mean, sd, _ = self.model.moments(self.model.user_rows(u), i)
            inside += int(((mean - given).abs() <= metrics.NINETY * sd).sum())
        return inside / len(self._valid[2]) if len(self._valid[2]) else None

    def largest_batch(self, size: int) -> int:
        """None: there are no batches to make smaller."""
        return 0

    def state(self) -> Weights:
        """Everything that resuming needs, as named tensors on the CPU (numbers exact in float64)."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"chain.{name}": value for name, value in self._sampler.state().items()}
        best, best_epoch = self.best or (math.nan, -1)
        numbers = [*self.cycle, self.elapsed, len(self._kept.draws), self._kept.stride, best, best_epoch]
        tensors |= {"valid.sums": self._sums, "numbers": torch.tensor(numbers, dtype=torch.float64)}
        return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def load_state(self, tensors: Weights) -> None:
        """The inverse of ``state``. Raises CftuiError if the tensors do not fit this chain."""

        def under(prefix: str) -> Weights:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        try:
            start, end, self.elapsed, kept, stride, best, epoch = tensors["numbers"].tolist()
            self._sampler.load_state(under("chain."))
            if tensors["valid.sums"].shape != self._sums.shape:
                raise ValueError("it has other validation ratings")
            self._sums = tensors["valid.sums"].to(self.device, copy=True)
            self._kept.restore(under("model."), int(kept), int(stride))
        except (KeyError, RuntimeError, ValueError, IndexError) as error:
            raise CftuiError(f"checkpoint does not fit this run: {str(error).splitlines()[0]}") from None
        self.cycle, self._model = (int(start), int(end)), None
        self.best = None if math.isnan(best) else (best, int(epoch))

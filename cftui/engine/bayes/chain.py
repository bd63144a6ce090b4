"""Fitting by Gibbs sampling: a chain that is run as training is run, with a sweep in the place of an epoch.

It works behind the same hooks, events and checkpoints as ``Trainer``, so run folder, log and screens treat both alike.
"""

from __future__ import annotations

import math
import time
from typing import cast

import torch

from cftui.data.ratings import Ratings
from cftui.data.scale import step_of
from cftui.data.splits import Split
from cftui.engine import metrics
from cftui.engine.bayes.gibbs import Sampler
from cftui.engine.bayes.incidence import Incidence
from cftui.engine.bayes.kept_draws import KeptDraws
from cftui.engine.bayes.method import BayesOptions
from cftui.engine.bayes.posterior import BayesianFactors
from cftui.engine.bayes.prior_features import known_features
from cftui.engine.clock import Clock
from cftui.engine.device import memory, reproducible, threads_for
from cftui.engine.fitting import Diverged, Fitter, Hooks, Outcome, rows_on, sweep_window, validation
from cftui.engine.models.architectures import Shape
from cftui.engine.models.build import Weights
from cftui.engine.models.recipes import Recipe
from cftui.engine.runs.events import EpochEvent, Memory
from cftui.engine.runs.weights import SNAPSHOTS
from cftui.errors import CftuiError

REMEDY = "try fewer --factors, or look at the ratings with cftui data stats"
# Pairs scored at a time: bounds the memory, not the result.
PAIRS = 1_000_000
# The variance of a rating is never taken to be less than this share of that of all ratings.
LEAST_VARIANCE = 1e-4


class Chain(Fitter):
    """Runs one chain on one split. A step is a sweep.

    Attributes:
        cycle: the sweeps at which the current stretch begins and ends; ``extend`` moves the end.
    """

    options: BayesOptions

    def __init__(
        self, recipe: Recipe, options: BayesOptions, ratings: Ratings, split: Split, device: torch.device
    ) -> None:
        # MPS has neither float64 nor sparse products.
        device = torch.device("cpu") if device.type == "mps" else device
        super().__init__(recipe, options, ratings, split, device)
        self.cycle = (0, options.sweeps)

        user, item, rating = rows_on(self.device, ratings, split.train)
        offset, unit = rating.double().mean().item(), rating.double().std(correction=0).item() or 1.0
        rating = ((rating.double() - offset) / unit).float()
        users, items, d = len(ratings.users), len(ratings.items), options.factors + 1
        # Floats that draw_rows needs per row: packed sums, and the same unpacked.
        width = d * (d + 1) // 2 + 2 * d * d
        sides = (
            Incidence(user, item, rating, users, items, width, self.ranks),
            Incidence(item, user, rating, items, users, width, self.ranks),
        )
        generator = torch.Generator().manual_seed(options.seed)
        known = known_features(ratings, *sides, options.implicit, options.side, generator)
        groups = list(known[0].groups().values()), list(known[1].groups().values())
        names = known[0].names, known[1].names
        # A rating is a preference that was rounded to the scale: rounding to its steps alone has this variance.
        floor = max((step_of(ratings.levels) / unit) ** 2 / 12, LEAST_VARIANCE)
        self._sampler = Sampler(*sides, groups, names, options.factors, options.seed, floor)
        shape = Shape(users, items, options.factors, y_range=None, levels=ratings.levels)
        self._offset, self._unit = offset, unit
        self._kept = KeptDraws(shape, offset, unit, ratings.rating_range, known)
        # The first of several processes validates and keeps the draws.
        valid = split.valid if self.ranks.is_first else split.valid[:0]
        self._valid, self._scale = rows_on(self.device, ratings, valid), ratings.rating_range
        # For each validation rating, over the sweeps since the burn-in: the sum of its predictions, the sum of their
        # squares, and the sum of its noise variances.
        self._sums = torch.zeros(3, len(valid), device=self.device)

    @property
    def step(self) -> int:
        return self._sampler.sweep

    @property
    def steps(self) -> int:
        return self.cycle[1]

    @property
    def train_size(self) -> int:
        return self._sampler.users.incidence.size

    @property
    def model(self) -> BayesianFactors:
        """The posterior draws so far as a model, on the CPU."""
        if self._model is None or self._model[0] != self.step:
            self._model = self.step, self._kept.model(self._sampler)
        return self._model[1]

    _model: tuple[int, BayesianFactors] | None = None

    def extend(self, units: int) -> None:
        """Go on for this many more sweeps."""
        self.cycle = (self.step, self.step + units)

    def fit(self, hooks: Hooks | None = None) -> Outcome:
        """Sweep until the end of the cycle, or until the hooks say stop.

        Raises:
            Diverged: a draw is not a number.
        """
        work = self.train_size * self._sampler.d
        with threads_for(work), reproducible(self.device):
            return self._fit(hooks or Hooks())

    def _fit(self, hooks: Hooks) -> Outcome:
        clock = Clock(self.elapsed)
        looked, facts = -math.inf, Memory()
        # No more snapshots than are kept: each one averages over all draws.
        snapshot_every = max(1, self.steps // SNAPSHOTS)
        while self.step < self.steps:
            if self.ranks.any(hooks.should_stop())[0]:
                self.elapsed = clock.elapsed()
                return "stopped"
            clock.start_epoch()
            try:
                self._sampler.step()
            except (ValueError, torch.linalg.LinAlgError) as error:  # NaN, or a matrix that is not positive definite
                raise Diverged(
                    f"sweep {self.step} drew something that is not a number ({str(error).splitlines()[0]}); {REMEDY}"
                ) from None
            swept = clock.epoch()
            event = self.ranks.from_first(self._score)
            if not math.isfinite((event["train_loss"] or 0.0) + (event["valid_loss"] or 0.0)):
                raise Diverged(f"sweep {self.step - 1} drew something that is not a number; {REMEDY}")
            self.elapsed = clock.elapsed()
            event |= {
                "seconds": clock.epoch(),
                "elapsed": self.elapsed,
                "ratings_per_second": self.train_size / swept,
            }
            if time.monotonic() - looked > 1:
                looked, facts = time.monotonic(), cast(Memory, memory(self.device))
            hooks.emit(sweep_window(self.step, self._train_loss, self.elapsed, facts))
            hooks.emit(event)
            if self.step % snapshot_every == 0 or self.step in (1, self.steps):
                hooks.after_epoch()
            if clock.checkpoint_due() or self.step == self.steps:
                clock.checkpoint(hooks.checkpoint)
            if clock.beat_due():
                hooks.heartbeat()
        return "finished"

    @property
    def _train_loss(self) -> float:
        """Mean squared error of the last draw on the training ratings."""
        return self._sampler.loss * self._unit**2

    def _score(self) -> EpochEvent:
        """Add the latest sweep to the means if it is past the burn-in, and score them on the validation ratings."""
        sampler, number = self._sampler, self.step - 1 - self.options.burn
        user, item, rating = self._valid
        pairs = list(zip(user.split(PAIRS), item.split(PAIRS), strict=True))
        drawn = torch.cat([sampler.rate(*pair) for pair in pairs]) * self._unit + self._offset
        noise = torch.cat([sampler.noise_variance(*pair) for pair in pairs]) * self._unit**2
        now = torch.stack((drawn, drawn.square(), noise))
        if number >= 0:
            self._sums += now
            self._kept.offer(sampler, number)
        # During the burn-in the current draw is scored by itself.
        mean, square, noise = self._sums / (number + 1) if number >= 0 else now
        sd = (square - mean.square() + noise).clamp(min=0).sqrt()
        score = metrics.score(mean.clamp(*self._scale), rating)
        if math.isfinite(score.mse) and (self.best is None or score.mse < self.best[0]):
            self.best = score.mse, self.step - 1
        event = EpochEvent(
            event="epoch",
            epoch=self.step - 1,
            step=self.step,
            train_loss=self._train_loss,
            **validation(score),
            seconds=0.0,
            elapsed=0.0,
            ratings_per_second=0.0,
            draws=len(self._kept.draws),
        )
        if score.n:
            event["noise"] = noise.mean().sqrt().item()
            event["coverage"] = ((mean - rating).abs() <= metrics.NINETY * sd).float().mean().item()
        return event

    def validate(self) -> metrics.Score:
        """Score the mean over the kept draws."""
        user, item, rating = self._valid
        return metrics.score(metrics.predict(self.model, user.cpu(), item.cpu()), rating.cpu())

    def coverage(self) -> float | None:
        """Share of validation ratings inside the 90 % intervals of the kept draws; None without such ratings."""
        columns = [column.cpu().split(metrics.CHUNK) for column in self._valid]
        inside = 0
        for u, i, given in zip(*columns, strict=True):
            mean, sd, _ = self.model.moments(self.model.user_rows(u), i)
            inside += int(((mean - given).abs() <= metrics.NINETY * sd).sum())
        return inside / len(self._valid[2]) if len(self._valid[2]) else None

    def state(self) -> Weights:
        """Everything that resuming needs, as named tensors on the CPU (numbers exact in float64)."""
        if not self.ranks.is_first:
            return {}
        plain = self._kept.plain(self._sampler)
        tensors = {f"model.{name}": value for name, value in plain.state_dict().items()}
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
            if self.ranks.is_first:
                if tensors["valid.sums"].shape != self._sums.shape:
                    raise ValueError("its validation ratings differ")
                self._sums = tensors["valid.sums"].to(self.device, copy=True)
                self._kept.restore(under("model."), int(kept), int(stride))
        except (KeyError, RuntimeError, ValueError, IndexError) as error:
            raise CftuiError(f"checkpoint does not fit this run: {str(error).splitlines()[0]}") from None
        self.cycle, self._model = (int(start), int(end)), None
        self.best = None if math.isnan(best) else (best, int(epoch))

"""iALS (Hu, Koren and Volinsky 2008), with the regularisation of Rendle, Krichene, Zhang and Koren (2022).

With user factors u, item factors v and the input value y of each rating, it minimises the sum of (y - u'v)^2 over the
observed pairs, plus a0 times the sum of (u'v)^2 over all pairs, plus reg times the sum of (n_u + a0 items) |u|^2 over
users and of (n_i + a0 users) |v|^2 over items. A sweep solves for all items, then for all users: at its end each user's
factors are the solution for the items as they are, which is also how a new user is folded in.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine import metrics, rankings
from cftui.engine.als.choice_factors import ChoiceFactors
from cftui.engine.als.method import AlsOptions
from cftui.engine.als.side import Side
from cftui.engine.clock import Clock
from cftui.engine.device import memory, reproducible
from cftui.engine.fitting import Diverged, Fitter, Hooks, Outcome, sweep_window, validation
from cftui.engine.inputs import Histories
from cftui.engine.models.build import Weights, shape_of
from cftui.engine.models.recipes import Recipe
from cftui.engine.runs.events import EpochEvent, Memory
from cftui.engine.runs.weights import SNAPSHOTS
from cftui.errors import CftuiError

# The first factors of users are SCALE / k on average when squared; PASSES over the ratings find their directions.
SCALE, PASSES = 0.1, 2


class Ials(Fitter):
    """Sweeps over items and users. A step is a sweep.

    Attributes:
        cycle: the sweeps at which the current stretch begins and ends; ``extend`` moves the end.
    """

    options: AlsOptions
    model: ChoiceFactors
    step: int
    train_size: int

    def __init__(
        self, recipe: Recipe, options: AlsOptions, ratings: Ratings, split: Split, device: torch.device
    ) -> None:
        # Batched Cholesky factors are missing on MPS.
        device = torch.device("cpu") if device.type == "mps" else device
        super().__init__(recipe, options, ratings, split, device)
        self.cycle, self.step, self.train_size = (0, options.sweeps), 0, len(split.train)
        # The first of several processes validates, and has what the model knows of its users.
        self._validation = (ratings, split) if self.ranks.is_first else None
        self.model = ChoiceFactors(shape_of(recipe, ratings, options.factors)).to(device)
        model, known = self.model, Histories.of(ratings, split.train, options.graded, device)
        if self.ranks.is_first:
            model.histories = known
        model.strengths = torch.tensor([options.unobserved, options.reg], dtype=torch.float64, device=device)
        users, items = len(ratings.users), len(ratings.items)
        counts = known.starts.diff()
        user = torch.repeat_interleave(torch.arange(users, device=device), counts)
        self._users = Side(user, known.items, known.values, users, items, options.factors, self.ranks)
        self._items = Side(known.items.long(), user, known.values, items, users, options.factors, self.ranks)
        self._entries = len(known.values)
        self._squares = known.values.double().square().sum().item()
        model.users = self._first(torch.Generator().manual_seed(options.seed))

    def _first(self, generator: torch.Generator) -> Tensor:
        """Factors of the users to begin with: directions in which they differ most, float32 ``[users, k]``.

        A randomised range finder (Halko, Martinsson and Tropp 2011). From drawn factors instead, the objective comes as
        low as here after the first sweep only with the second or third.
        """
        users, items, k = self._users.n, self._items.n, self.options.factors
        found = self._users.sums(torch.randn(items, k, generator=generator).to(self.device))
        for _ in range(PASSES - 1):
            found = self._users.sums(self._items.sums(torch.linalg.qr(found).Q))
        found = torch.linalg.qr(found).Q * math.sqrt(SCALE * users / k)
        # With fewer users than factors, the remaining factors begin at 0.
        return torch.nn.functional.pad(found, (0, k - found.shape[1])).contiguous()

    @property
    def steps(self) -> int:
        return self.cycle[1]

    def extend(self, units: int) -> None:
        """Go on for this many more sweeps."""
        self.cycle = (self.step, self.step + units)

    def fit(self, hooks: Hooks | None = None) -> Outcome:
        """Sweep until the end of the cycle, or until the hooks say stop.

        Raises:
            Diverged: a solution is not a number.
        """
        with torch.no_grad(), reproducible(self.device):
            return self._fit(hooks or Hooks())

    def _fit(self, hooks: Hooks) -> Outcome:
        clock = Clock(self.elapsed)
        looked, facts = -math.inf, Memory()
        snapshot_every = max(1, self.steps // SNAPSHOTS)

        def stop_within() -> bool:
            if clock.beat_due():
                hooks.heartbeat()
            # Several processes stop after the same sweep.
            return self.ranks.size == 1 and hooks.should_stop()

        while self.step < self.steps:
            clock.start_epoch()
            (stop,) = self.ranks.any(stop_within() or hooks.should_stop())
            loss = None if stop else self._sweep(stop_within)
            if loss is None:
                self.elapsed = clock.elapsed()
                return "stopped"
            if not math.isfinite(loss):
                raise Diverged(f"sweep {self.step} gave something that is not a number; use a larger --reg")
            swept = clock.epoch()
            self.step += 1
            score = self.ranks.from_first(self.validate)
            if score.ndcg is not None and (self.best is None or score.ndcg > self.best[0]):
                self.best = score.ndcg, self.step - 1
            self.elapsed = clock.elapsed()
            if time.monotonic() - looked > 1:
                looked, facts = time.monotonic(), cast(Memory, memory(self.device))
            hooks.emit(sweep_window(self.step, loss, self.elapsed, facts))
            hooks.emit(
                EpochEvent(
                    event="epoch",
                    epoch=self.step - 1,
                    step=self.step,
                    train_loss=loss,
                    **validation(score),
                    ndcg=score.ndcg,
                    seconds=clock.epoch(),
                    elapsed=self.elapsed,
                    ratings_per_second=self.train_size / max(swept, 1e-9),
                )
            )
            if self.step % snapshot_every == 0 or self.step in (1, self.steps):
                hooks.after_epoch()
            if clock.checkpoint_due() or self.step == self.steps:
                clock.checkpoint(hooks.checkpoint)
        return "finished"

    def _sweep(self, stop: Callable[[], bool]) -> float | None:
        """Solve for the items, then for the users; the objective per rating after it, or None if it was stopped."""
        model, options = self.model, self.options
        unobserved, reg = options.unobserved, options.reg
        users, items = len(model.users) - 1, len(model.items) - 1
        ridge = reg * (self._items.counts + unobserved * users)
        try:
            of_items = self._items.solve(model.users, unobserved * (model.users.T @ model.users), ridge, stop)
            if of_items is None:
                return None
            found, _ = of_items
            own_ridge = reg * (self._users.counts + unobserved * items)
            of_users = self._users.solve(found, unobserved * (found.T @ found), own_ridge, stop)
        except torch.linalg.LinAlgError:
            return math.nan
        if of_users is None:
            return None
        model.items, (model.users, gained) = found, of_users
        # At its minimum, a quadratic form is what it was at 0 less half of its slope there.
        penalty = (ridge.double() * found.double().square().sum(dim=1)).sum().item()
        return (self._squares - gained + penalty) / self._entries

    def validate(self) -> metrics.Score:
        """NDCG@10 on the validation ratings; only the first process has them."""
        assert self._validation is not None
        ratings, split = self._validation
        ndcg = rankings.quick_ndcg(self.model, ratings, split, relevant=self.relevant)
        return metrics.Score(len(split.valid), ndcg=ndcg)

    def state(self) -> Weights:
        """Everything that resuming needs, as named tensors on the CPU."""
        if not self.ranks.is_first:
            return {}
        best, best_epoch = self.best or (math.nan, -1)
        numbers = [*self.cycle, self.step, self.elapsed, best, best_epoch]
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors["numbers"] = torch.tensor(numbers, dtype=torch.float64)
        return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def load_state(self, tensors: Weights) -> None:
        try:
            start, end, step, self.elapsed, best, epoch = tensors["numbers"].tolist()
            weights = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
            self.model.load_state_dict(weights)
            if not self.ranks.is_first:
                self.model.histories = Histories(self._users.n, self._items.n)
            self.model.to(self.device)
        except (KeyError, RuntimeError, ValueError) as error:
            raise CftuiError(f"checkpoint does not fit this run: {str(error).splitlines()[0]}") from None
        self.cycle, self.step = (int(start), int(end)), int(step)
        self.best = None if math.isnan(best) else (best, int(epoch))

    def out_of_memory_advice(self) -> str:
        return f"with {self.options.factors} factors; try fewer --factors or --device cpu"

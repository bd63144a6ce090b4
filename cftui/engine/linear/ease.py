"""EASE (Steck 2019): the linear item-item model that reconstructs what people chose, in closed form.

With the input values X ``[users, items]`` and P = (X'X + lambda I)^-1, the weights are W = I - P diag(1 / diag P): the
least squares solution of X W = X whose diagonal is 0, so that no item speaks for itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import psutil
import torch
from torch import Tensor

from cftui.data.ratings import Ratings
from cftui.data.splits import Split, inner_alike
from cftui.engine import metrics, rankings
from cftui.engine.clock import Clock
from cftui.engine.device import reproducible
from cftui.engine.fitting import Diverged, Fitter, Hooks, Outcome, validation
from cftui.engine.inputs import Histories, chosen_until
from cftui.engine.linear.inverse import invert
from cftui.engine.linear.item_weights import ItemWeights, recency
from cftui.engine.linear.method import EaseOptions
from cftui.engine.models.build import Weights, shape_of
from cftui.engine.models.recipes import Recipe
from cftui.engine.runs.events import EpochEvent, TrialEvent
from cftui.errors import CftuiError

# What the search tries for lambda: steps of two, around what sets from 0.1 M to 20 M ratings need.
LAMBDAS = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0)
# Share of the free memory that the Gram matrix, its inverse and the weights may take together, and how many matrices
# of that size there are at once.
SHARE, MATRICES = 0.6, 3
# Floats of dense rows at a time: bounds the memory, not the result.
CELLS = 20_000_000


class Ease(Fitter):
    """Fits at once, after a search for lambda unless it is given. A step is one factorisation."""

    options: EaseOptions
    model: ItemWeights
    step: int
    steps: int
    train_size: int

    def __init__(
        self, recipe: Recipe, options: EaseOptions, ratings: Ratings, split: Split, device: torch.device
    ) -> None:
        # Some of the factorisations are missing on MPS.
        device = torch.device("cpu") if device.type == "mps" else device
        super().__init__(recipe, options, ratings, split, device)
        self._ratings, self._split = ratings, split
        self.step, self.train_size = 0, len(split.train)
        # Whether a fade helps is seen only in ratings that come later than those it is tried on.
        self._tries_fade = options.fade is None and split.name == "time"
        self._search = LAMBDAS if options.l2 is None else (options.l2,) if self._tries_fade else ()
        self.steps = self.steps_per_epoch = len(self._search) + 1
        # lambda to the NDCG of the inner validation ratings, without and with a fade; NaN for what is not tried
        self._tried: dict[float, tuple[float, float]] = {}
        self.model = ItemWeights(shape_of(recipe, ratings, 0)).to(device)

    def fit(self, hooks: Hooks | None = None) -> Outcome:
        """Search for lambda, then fit on all training ratings.

        Raises:
            Diverged: the Gram matrix could not be inverted.
        """
        with torch.no_grad(), reproducible(self.device):
            return self._fit(hooks or Hooks())

    def _fit(self, hooks: Hooks) -> Outcome:
        clock = Clock(self.elapsed)

        def stop() -> bool:
            self.elapsed = clock.elapsed()
            if clock.beat_due():
                hooks.heartbeat()
            return hooks.should_stop()

        clock.start_epoch()
        left = [l2 for l2 in self._search if l2 not in self._tried]
        if left:
            parts = inner_alike(self._ratings, self._split, self.options.seed)
            model = self._untrained(parts.train)
            gram = self._gram(model)
            for l2 in left:
                if not self._weigh(model, gram.clone(), l2, stop):
                    return "stopped"
                scores = [math.nan, math.nan]
                for fades in (False, True) if self._tries_fade else (bool(self.options.fade),):
                    model.fades.fill_(fades)
                    found = rankings.quick_ndcg(model, self._ratings, parts, relevant=self.relevant)
                    scores[fades] = math.nan if found is None else found
                self._tried[l2] = (scores[0], scores[1])
                self.step += 1
                hooks.emit(
                    TrialEvent(event="trial", step=self.step, l2=l2, ndcg=_best(scores), elapsed=clock.elapsed())
                )
                hooks.checkpoint()
                if stop():
                    return "stopped"
            del gram, model
        if stop():
            return "stopped"
        l2, fades = self.chosen
        model = self._untrained(self._split.train)
        model.fades.fill_(fades)
        if not self._weigh(model, self._gram(model), l2, stop):
            return "stopped"
        self.model, self.step = model, self.steps
        score = self.validate()
        if score.ndcg is not None:
            self.best = score.ndcg, 0
        self.elapsed = clock.elapsed()
        hooks.emit(
            EpochEvent(
                event="epoch",
                epoch=0,
                step=self.step,
                train_loss=None,
                **validation(score),
                ndcg=score.ndcg,
                l2=l2,
                fade=fades,
                left_out=int((self._counts(self._split.train) > 0).sum()) - len(model.kept),
                seconds=clock.epoch(),
                elapsed=self.elapsed,
                ratings_per_second=self.train_size / max(clock.epoch(), 1e-9),
            )
        )
        hooks.after_epoch()
        hooks.checkpoint()
        return "finished"

    @property
    def chosen(self) -> tuple[float, bool]:
        """Lambda and whether to fade: as given, or what the search so far says."""
        fades = bool(self.options.fade)
        if self._tries_fade:
            plain, faded = ([_or_nothing(pair[at]) for pair in self._tried.values()] for at in (0, 1))
            fades = max(faded, default=0.0) > max(plain, default=0.0)
        return (self._lambda(fades) if self.options.l2 is None else self.options.l2), fades

    def _lambda(self, fades: bool) -> float:
        """What the search so far says; the middle of it if nothing could be scored."""
        scored = sorted((l2, pair[fades]) for l2, pair in self._tried.items() if math.isfinite(pair[fades]))
        if not scored:
            return LAMBDAS[len(LAMBDAS) // 2]
        at = max(range(len(scored)), key=lambda place: scored[place][1])
        if not 0 < at < len(scored) - 1:
            return scored[at][0]
        # The top of the parabola through the best and its neighbours, over log lambda: the NDCGs of single values are
        # noisy, and their steps are wide.
        (_, before), (best, top), (_, after) = scored[at - 1 : at + 2]
        bend = before - 2 * top + after
        place = 0.5 * (before - after) / bend if bend else 0.0
        return float(f"{best * (LAMBDAS[1] / LAMBDAS[0]) ** place:.3g}")

    def _counts(self, rows: np.ndarray) -> Tensor:
        """Ratings per item among these rows, the unknown's 0."""
        counts = np.bincount(self._ratings.item[rows], minlength=len(self._ratings.items))
        counts[0] = 0
        return torch.from_numpy(counts)

    def _untrained(self, rows: np.ndarray) -> ItemWeights:
        """A model that knows whom it is fitted on, and which items will have weights."""
        model = ItemWeights(shape_of(self.recipe, self._ratings, 0)).to(self.device)
        model.histories = Histories.of(self._ratings, rows, self.options.graded, self.device)
        if self.options.fade or self._tries_fade:
            model.recency = recency(_ages(self._ratings, rows, model.histories))
        counts = self._counts(rows)
        most = min(self.options.items or self._most_items(), int((counts > 0).sum()))
        model.kept = counts.argsort(descending=True, stable=True)[:most].sort().values.to(self.device)
        return model

    def _most_items(self) -> int:
        """How many items the memory has room for."""
        if self.device.type == "cuda":
            free = torch.cuda.mem_get_info(self.device)[0]
        else:
            free = psutil.virtual_memory().available
        return int(math.sqrt(SHARE * free / MATRICES / 4))

    def _gram(self, model: ItemWeights) -> Tensor:
        """X'X of the kept items, float32 ``[n, n]``."""
        known, kept = model.histories, model.kept
        if self.device.type == "cpu":
            return _sparse_gram(known, kept)
        return _dense_gram(known, kept)

    def _weigh(self, model: ItemWeights, gram: Tensor, l2: float, stop: Callable[[], bool]) -> bool:
        """Turn the Gram matrix into the weights of the model; false if it was stopped."""
        gram.diagonal().add_(l2)
        try:
            done = invert(gram, stop)
        except torch.linalg.LinAlgError:
            raise Diverged(f"lambda {l2:g} is too small for these ratings; use a larger one") from None
        if done:
            model.weights = gram.div_(-gram.diagonal().clone())
            model.weights.fill_diagonal_(0)
        return done

    def validate(self) -> metrics.Score:
        """NDCG@10 on the validation ratings."""
        return metrics.Score(
            len(self._split.valid),
            ndcg=rankings.quick_ndcg(self.model, self._ratings, self._split, relevant=self.relevant),
        )

    def state(self) -> Weights:
        """What the search has found; a stopped factorisation begins again."""
        rows = [[l2, *pair] for l2, pair in self._tried.items()]
        tried = torch.tensor(rows, dtype=torch.float64).reshape(-1, 3)
        return {"tried": tried, "elapsed": torch.tensor([self.elapsed], dtype=torch.float64)}

    def load_state(self, tensors: Weights) -> None:
        try:
            tried, (self.elapsed,) = tensors["tried"].tolist(), tensors["elapsed"].tolist()
            self._tried = {l2: (plain, faded) for l2, plain, faded in tried}
        except (KeyError, ValueError) as error:
            raise CftuiError(f"checkpoint does not fit this run: {error}") from None
        self.step = len(self._tried)

    def out_of_memory_advice(self) -> str:
        return "with the matrix of item weights; try fewer --items, or the recipe ials"


def _or_nothing(ndcg: float) -> float:
    return ndcg if math.isfinite(ndcg) else 0.0


def _best(scores: list[float]) -> float | None:
    """The better of two NDCGs, of which one may be NaN; None if both are."""
    return max((one for one in scores if math.isfinite(one)), default=None)


def _ages(ratings: Ratings, rows: np.ndarray, known: Histories) -> Tensor:
    """How many entries of the same user are newer than each entry of the histories, ``[n]``."""
    device = known.items.device
    rated = np.stack((ratings.user[rows], ratings.item[rows], ratings.timestamp[rows]))
    user, item, times = torch.from_numpy(np.hstack((rated, chosen_until(ratings, rows)))).to(device)
    key, order = (user * known.items_known + item).sort(stable=True)
    key, groups = key.unique_consecutive(return_inverse=True)
    newest = torch.full_like(key, torch.iinfo(torch.int64).min).scatter_reduce_(0, groups, times[order], "amax")
    user = key // known.items_known
    by_time = newest.argsort(descending=True, stable=True)
    by_user = by_time[user[by_time].argsort(stable=True)]
    ages = torch.empty_like(key)
    ages[by_user] = torch.arange(len(key), device=device) - known.starts[user[by_user]]
    return ages


def _dense_gram(known: Histories, kept: Tensor) -> Tensor:
    """X'X on a GPU, by products of dense rows."""
    found = torch.zeros(len(kept), len(kept), device=kept.device)
    # On the host, so that no part has to wait for the one before.
    starts: list[int] = known.starts.tolist()
    size = max(1, CELLS // known.items_known)
    for first in range(0, known.users_known, size):
        last = min(first + size, known.users_known)
        users = torch.arange(first, last, device=kept.device)
        rows = known.dense(users, entries=starts[last] - starts[first])[:, kept]
        found.addmm_(rows.T, rows)
    return found


def _sparse_gram(known: Histories, kept: Tensor) -> Tensor:
    """X'X on the CPU, by sparse products: a user with n ratings costs n^2, not the square of all items."""
    from scipy import sparse

    shape = known.users_known, known.items_known
    entries = known.values.numpy(), known.items.numpy(), known.starts.numpy()
    rows = sparse.csr_matrix(entries, shape=shape)[:, kept.numpy()]
    return torch.from_numpy(np.ascontiguousarray((rows.T @ rows).todense(), dtype=np.float32))

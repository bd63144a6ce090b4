"""Thinning: which draws of a chain are kept, and how they become a model."""

from __future__ import annotations

import torch
from torch import Tensor

from cftui.engine.bayes.gibbs import Sampler
from cftui.engine.bayes.posterior import BayesianFactors
from cftui.engine.bayes.prior_features import PriorFeatures
from cftui.engine.models.architectures import Shape

# A chain keeps at most MOST draws, evenly spaced. On large data sets it keeps as many as fit into BUDGET floats (512
# MB), but at least LEAST. A long chain always holds at least half of its capacity. On MovieLens 100K (u1 to u3), the
# RMSE of the mean over all 260 draws rises by 0.0003 with 130 draws, by 0.0007 with 65 and by 0.003 with 17.
MOST = 160
LEAST = 16
BUDGET = 128_000_000
# The items of all kept draws have at most this many floats: the app rates all items at every key press, and for this
# many floats that takes 40 ms.
BUDGET_OF_ITEMS = 36_000_000

Draw = dict[str, Tensor]


class KeptDraws:
    """The posterior draws kept from one chain: every ``stride``-th sweep after the burn-in.

    When the draws exceed the capacity, every other one is dropped and the stride doubles.

    Args:
        shape: the shape of the model that the draws become.
        offset, unit: the numbers that the ratings were made smaller by and then divided by.
        scale: the lowest and the highest rating.
        known: the features of users and of items.
    """

    def __init__(
        self,
        shape: Shape,
        offset: float,
        unit: float,
        scale: tuple[float, float],
        known: tuple[PriorFeatures, PriorFeatures],
    ) -> None:
        self._shape = shape
        self._kinds = [list(side.groups()) for side in known]
        # The model's buffers that all draws share.
        self._fixed: Draw = {
            "offset": torch.tensor([offset]),
            "unit": torch.tensor([unit]),
            "scale": torch.tensor(scale),
        }
        for prior, side in zip(("user_prior", "item_prior"), known, strict=True):
            for name in ("implicit", "directions", "side", "counts", "rated"):
                self._fixed[f"{prior}.{name}"] = getattr(side, name).cpu()
        width = shape.factors + 3
        fitting = min(BUDGET // ((shape.users + shape.items) * width), BUDGET_OF_ITEMS // (shape.items * width))
        self.capacity = min(MOST, max(LEAST, fitting // 2 * 2))
        self.stride = 1
        self.draws: list[Draw] = []

    def offer(self, sampler: Sampler, number: int) -> None:
        """Keep the chain's current draw if its ``number`` is a multiple of the stride.

        Args:
            number: counts the draws after the burn-in, from 0.
        """
        if number % self.stride:
            return
        self.draws.append(self._aligned(sampler))
        if len(self.draws) > self.capacity:
            del self.draws[1::2]
            self.stride *= 2

    def model(self, sampler: Sampler) -> BayesianFactors:
        """Return a model of the kept draws, or of the chain's current draw if none is kept yet."""
        model = self.plain(sampler)
        model.centre_newcomers()
        return model

    def plain(self, sampler: Sampler) -> BayesianFactors:
        """The same with the draws as they were drawn, which is what ``restore`` takes."""
        draws = self.draws or [self._aligned(sampler)]
        model = BayesianFactors(self._shape)
        drawn = {name: torch.stack([draw[name] for draw in draws], _axis(name)) for name in draws[0]}
        model.load_state_dict({**model.state_dict(), **self._fixed, **drawn})
        return model

    def restore(self, model: Draw, kept: int, stride: int) -> None:
        """Take the draws from the state of a model.

        Args:
            model: the model's tensors by name.
            kept: how many of its draws were kept: all of them, or 0 if its only draw was the current draw of a chain
                that had kept none.
            stride: the stride at which they were kept.
        """
        fixed = {name: model[name] for name in self._fixed}
        drawn = {name: tensor for name, tensor in model.items() if name not in fixed}
        self.stride, self._fixed = stride, fixed
        self.draws = [
            {name: tensor.select(_axis(name), at).clone() for name, tensor in drawn.items()} for at in range(kept)
        ]

    def _aligned(self, sampler: Sampler) -> Draw:
        """Return the current draw with its factors rotated to match the first kept draw.

        The likelihood and the priors do not change when all factors are rotated, so a chain drifts. A mean over draws
        is meaningful only after the rotation is undone (orthogonal Procrustes on the items, weighted by their counts).
        """
        turn = torch.eye(sampler.d, device=sampler.items.rows.device)
        factors = sampler.items.rows[:, :-1]
        if self.draws:
            weighted = factors * sampler.items.incidence.counts.unsqueeze(1)
            u, _, v = torch.linalg.svd(weighted.T @ self.draws[0]["items"][:, : sampler.d - 1].to(turn))
            turn[:-1, :-1] = u @ v
        users, items = sampler.users, sampler.items
        new = (items.incidence.counts == 0).to(turn)
        draw = {
            "users": _columns(users.rows @ turn, sampler.gain, 1 / (sampler.alpha * users.noise)),
            "items": _columns(items.rows @ turn, new, 1 / items.noise),
            "alpha": torch.tensor(sampler.alpha, dtype=torch.float32),
        }
        small = turn.cpu().double()
        for prior, side, kinds in zip(("user_prior", "item_prior"), (users, items), self._kinds, strict=True):
            draw[f"{prior}.shape"] = torch.tensor(side.shape, dtype=torch.float32)
            for prefix, regression in (("", side.prior), ("new_", side.newcomers)):
                draw[f"{prior}.{prefix}mean"] = (regression.mean @ small).float()
                draw[f"{prior}.{prefix}precision"] = (small.T @ regression.precision @ small).float()
            weights = dict(zip(kinds, (group.weights for group in side.prior.groups), strict=True))
            for kind in ("implicit", "side"):
                draw[f"{prior}.{kind}_weights"] = weights.get(kind, turn[:0]) @ turn
            names = [group.weights for group in side.newcomers.groups]
            draw[f"{prior}.new_weights"] = (names[0] if names else turn[:0]) @ turn
        # The draws are kept on the CPU, where there is memory for many of them.
        return {name: tensor.cpu() for name, tensor in draw.items()}


def _columns(rows: Tensor, *columns: Tensor) -> Tensor:
    """Append columns ``[n]`` to ``rows [n, d]``."""
    return torch.cat((rows, *(column.unsqueeze(1) for column in columns)), dim=1)


def _axis(name: str) -> int:
    """Return the axis of the draws in a buffer of ``BayesianFactors``."""
    return 1 if name in ("users", "items") else 0

"""Which draws of a chain are kept, and how they become a model."""

from __future__ import annotations

import torch
from torch import Tensor

from cftui.engine.bayes.gibbs import Sampler
from cftui.engine.bayes.posterior import BayesianFactors
from cftui.engine.bayes.prior_features import Known
from cftui.engine.models.architectures import Shape

# Never more than so many draws, evenly spaced over the chain, and on large data sets as many as fit in so many floats
# (512 MB). Half of MOST is always there once the chain is long enough. On MovieLens 100K (u1 to u3) the mean over 130
# draws has an RMSE 0.0003 above that over all 260, over 65 draws 0.0007, over 17 draws 0.003.
MOST = 160
LEAST = 16
BUDGET = 128_000_000
# Of the items alone: all of them are rated at every key press, which takes 40 ms for so many floats.
BUDGET_OF_ITEMS = 36_000_000

Draw = dict[str, Tensor]


class KeptDraws:
    """Draws of one chain, every ``stride``-th sweep; when there are too many, every other one is let go.

    Args:
        shape: of the model they become.
        offset: what was taken from the ratings.
        scale: the lowest and the highest rating.
        known: the features of users and of items.
    """

    def __init__(self, shape: Shape, offset: float, scale: tuple[float, float], known: tuple[Known, Known]) -> None:
        self._shape = shape
        self._kinds = [list(side.groups()) for side in known]
        # The buffers that are the same for all draws.
        self._fixed: Draw = {"offset": torch.tensor([offset]), "scale": torch.tensor(scale)}
        for prior, side in zip(("user_prior", "item_prior"), known, strict=True):
            for name in ("implicit", "directions", "side", "counts"):
                self._fixed[f"{prior}.{name}"] = getattr(side, name).cpu()
        width = shape.factors + 2
        fitting = min(BUDGET // ((shape.users + shape.items) * width), BUDGET_OF_ITEMS // (shape.items * width))
        self.capacity = min(MOST, max(LEAST, fitting // 2 * 2))
        self.stride = 1
        self.draws: list[Draw] = []

    def offer(self, sampler: Sampler, number: int) -> None:
        """Keep the chain's draw if its ``number``, from 0 after the burn-in, is one to keep."""
        if number % self.stride:
            return
        self.draws.append(self._aligned(sampler))
        if len(self.draws) > self.capacity:
            del self.draws[1::2]
            self.stride *= 2

    def model(self, sampler: Sampler) -> BayesianFactors:
        """The kept draws, or the chain's present one while there are none."""
        draws = self.draws or [self._aligned(sampler)]
        model = BayesianFactors(self._shape)
        drawn = {name: torch.stack([draw[name] for draw in draws], _axis(name)) for name in draws[0]}
        model.load_state_dict({**model.state_dict(), **self._fixed, **drawn})
        return model

    def restore(self, model: Draw, kept: int, stride: int) -> None:
        """Take the draws from a model's state.

        Args:
            kept: how many of its draws were kept: all, or 0 where its one draw was just the chain's present one.
        """
        fixed = {name: model[name] for name in self._fixed}
        drawn = {name: tensor for name, tensor in model.items() if name not in fixed}
        self.stride, self._fixed = stride, fixed
        self.draws = [
            {name: tensor.select(_axis(name), at).clone() for name, tensor in drawn.items()} for at in range(kept)
        ]

    def _aligned(self, sampler: Sampler) -> Draw:
        """The present draw, its factors turned to where the first kept draw's point.

        The likelihood and the priors are the same however the factors are turned, so a chain drifts; means over its
        draws say something only once that is undone (orthogonal Procrustes on the items, weighted by their counts).
        """
        turn = torch.eye(sampler.d, device=sampler.items.rows.device)
        factors = sampler.items.rows[:, :-1]
        if self.draws:
            weighted = factors * sampler.items.incidence.counts.unsqueeze(1)
            u, _, v = torch.linalg.svd(weighted.T @ self.draws[0]["items"][:, :-2].to(turn))
            turn[:-1, :-1] = u @ v
        users, items = sampler.users, sampler.items
        draw = {
            "users": torch.cat((users.rows @ turn, 1 / (sampler.alpha * users.noise.unsqueeze(1))), dim=1),
            "items": torch.cat((items.rows @ turn, 1 / items.noise.unsqueeze(1)), dim=1),
            "alpha": torch.tensor(sampler.alpha, dtype=torch.float32),
        }
        small = turn.cpu().double()
        for prior, side, kinds in zip(("user_prior", "item_prior"), (users, items), self._kinds, strict=True):
            draw[f"{prior}.mean"] = (side.mean @ small).float()
            draw[f"{prior}.precision"] = (small.T @ side.precision @ small).float()
            draw[f"{prior}.shape"] = torch.tensor(side.shape, dtype=torch.float32)
            weights = dict(zip(kinds, (group.weights for group in side.groups), strict=True))
            for kind in ("implicit", "side"):
                draw[f"{prior}.{kind}_weights"] = weights.get(kind, turn[:0]) @ turn
        # On the CPU, where there is room for many.
        return {name: tensor.cpu() for name, tensor in draw.items()}


def _axis(name: str) -> int:
    """Which axis of a buffer of ``BayesianFactors`` the draws are along."""
    return 1 if name in ("users", "items") else 0

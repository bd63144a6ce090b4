"""One optimiser step on one batch: by autograd, or with the gradient written out for the dot-product family."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from cftui.engine.gradient.schedule import Pace
from cftui.engine.models.architectures import Architecture

BETA2, EPSILON = 0.99, 1e-5  # fastai's Adam


# On a CPU, a larger batch is processed in parts of this size: the allocator returns temporaries over 32 MB to the
# system each time, and faulting their pages in again takes longer than the arithmetic.
PART = 8_192


class Optimizer(Protocol):
    """The part of an optimiser that a checkpoint needs."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


class Moments:
    """AdamW's moments for one table, in the layout of ``torch.optim``.

    ``torch.optim.AdamW`` keeps the same moments, but constructing it imports ``torch._dynamo``, which takes a second at
    every start for a compiler that is not used.
    """

    def __init__(self, table: Tensor) -> None:
        self.step = torch.zeros((), device=table.device)
        self.exp_avg, self.exp_avg_sq = torch.zeros_like(table), torch.zeros_like(table)

    def state_dict(self) -> dict[str, Any]:
        return {"state": {0: vars(self)}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Copy the moments from ``state_dict``.

        Raises:
            ValueError: the moments belong to a table of another shape.
        """
        for name, value in state_dict["state"].get(0, {}).items():
            mine: Tensor = getattr(self, name)
            if value.shape != mine.shape:
                raise ValueError(f"{name} is {list(value.shape)}, not {list(mine.shape)}")
            mine.copy_(value)


class Step(Protocol):
    """Updates the model that it was made for. ``optimizer`` holds what a checkpoint needs beside the weights."""

    @property
    def optimizer(self) -> Optimizer: ...

    def __call__(self, user: Tensor, item: Tensor, rating: Tensor, pace: Pace) -> Tensor:
        """Update the model on the batch ``user, item, rating``, each ``[b]``.

        Returns:
            The batch's mean squared error before the update, as a scalar on the device.
        """
        ...


def parameter_groups(model: nn.Module, decay: float, bias_decay: float | None = None) -> list[dict[str, Any]]:
    """Group the parameters by weight decay, as fastai does with ``wd_bn_bias=False``.

    Normalisation layers and the biases of linear layers do not decay; everything else does. User and item biases are
    embeddings, so they decay too: by ``bias_decay`` if it is given, else by ``decay``.
    """
    free: dict[int, nn.Parameter] = {}
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            free |= {id(p): p for p in module.parameters()}
        elif isinstance(module, nn.Linear) and module.bias is not None:
            free[id(module.bias)] = module.bias
    decaying = [(name, p) for name, p in model.named_parameters() if id(p) not in free]
    biases = [p for name, p in decaying if bias_decay not in (None, decay) and _is_bias(name)]
    apart = {id(p) for p in biases}
    groups: list[dict[str, Any]] = [
        {"params": [p for _, p in decaying if id(p) not in apart], "weight_decay": decay},
        {"params": biases, "weight_decay": bias_decay},
        {"params": list(free.values()), "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _is_bias(name: str) -> bool:
    """Whether a parameter holds a bias for every user or item, such as ``user_bias`` or ``u_bias.weight``."""
    return any(part.endswith("_bias") for part in name.split("."))


def _adam(groups: list[dict[str, Any]]) -> torch.optim.AdamW:
    # The fused version needs one kernel for all parameters. Decoupled decay with eps 1e-5 is fastai's Adam.
    return torch.optim.AdamW(groups, eps=EPSILON, fused=True)


def _set_pace(optimizer: torch.optim.Optimizer, pace: Pace) -> None:
    for group in optimizer.param_groups:
        group["lr"], group["betas"] = pace.lr, (pace.momentum, BETA2)


class AutogradStep:
    """A step for any architecture: autograd through ``Architecture.losses``."""

    def __init__(self, model: Architecture, decay: float, bias_decay: float | None = None) -> None:
        self._model = model
        self._adam = _adam(parameter_groups(model, decay, bias_decay))
        self.optimizer: Optimizer = self._adam

    def __call__(self, user: Tensor, item: Tensor, rating: Tensor, pace: Pace) -> Tensor:
        _set_pace(self._adam, pace)
        objective, squared = self._model.losses(user, item, rating)
        self._adam.zero_grad(set_to_none=True)
        objective.backward()
        self._adam.step()
        return squared.detach()


class PackedStep:
    """A step for dot products, with or without biases and sigmoid range.

    It computes the same numbers as ``AutogradStep`` in fewer kernels. All parameters become views of one table ``[users
    + items, k (+ 1)]``, with the users first and the bias in the last column. A batch is then one gather and one
    scatter, and the optimiser updates one tensor. The module can be read and saved as before.
    """

    def __init__(self, model: Architecture, decay: float, bias_decay: float | None = None) -> None:
        learned = model.learned()
        user_factors, item_factors = learned.user_factors, learned.item_factors
        assert user_factors is not None  # as dot_parameters promises
        assert item_factors is not None
        self._users, self._k = user_factors.shape
        self._biased = learned.user_bias is not None
        self._y_range = model.y_range
        sides = [
            torch.cat([factors, bias[:, None]], dim=1) if bias is not None else factors
            for factors, bias in (
                (user_factors, learned.user_bias),
                (item_factors, learned.item_bias),
            )
        ]
        self._table = nn.Parameter(torch.cat([side.detach() for side in sides]))
        self._grad = torch.zeros_like(self._table.data)
        views = {"user_factors": self._table.data[: self._users, : self._k]}
        views["item_factors"] = self._table.data[self._users :, : self._k]
        if self._biased:
            views["user_bias"] = self._table.data[: self._users, self._k]
            views["item_bias"] = self._table.data[self._users :, self._k]
        for name, parameter in model.dot_parameters().items():
            parameter.data = views[name].view(parameter.shape)
        self._decay, self._bias_decay = decay, decay if bias_decay is None else bias_decay
        self._moments = Moments(self._table.data)
        self.optimizer: Optimizer = self._moments

    @torch.no_grad()
    def __call__(self, user: Tensor, item: Tensor, rating: Tensor, pace: Pace) -> Tensor:
        size = len(rating)
        if rating.device.type == "cpu" and size > PART:
            user, item, rating = by_user(user, item, rating)
            parts = zip(user.split(PART), item.split(PART), rating.split(PART), strict=True)
            squared = torch.stack([self._accumulate(*part, size)[1] for part in parts]).sum()
            self._update(pace)
            self._grad.zero_()
        else:
            rows, squared = self._accumulate(user, item, rating, size)
            self._update(pace)
            # Clear only the rows that the batch touched, because the table may be large.
            self._grad.index_fill_(0, rows, 0)
        return squared / size

    def _accumulate(self, user: Tensor, item: Tensor, rating: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Add the gradient of ``user, item, rating``, each ``[n]``: a part of a batch of ``size`` ratings.

        Returns:
            The rows of the table that were touched ``[2n]``, and the sum of squared errors.
        """
        n, k = len(rating), self._k
        # Codes may be stored in 32 bits; index_fill_ takes only 64, and index_add_ is slower with 32.
        rows = torch.cat((user, item + self._users)).long()
        picked = self._table.index_select(0, rows)  # [2n, k (+ 1)]
        u, v = picked[:n], picked[n:]
        product = u[:, :k] * v[:, :k]
        raw = product.sum(dim=1)
        if self._biased:
            raw = raw + u[:, k] + v[:, k]
        if self._y_range is None:
            error = raw - rating
            slope = error * (2 / size)
        else:
            low, high = self._y_range
            squashed = raw.sigmoid_()
            error = squashed * (high - low) + (low - rating)
            # The derivative of the mean squared error with respect to ``raw``, through the sigmoid range.
            slope = error * squashed * (1 - squashed) * (2 * (high - low) / size)
        # The derivative of ``raw`` with respect to u is v and vice versa; with respect to a bias it is 1.
        swapped = torch.cat((v, u))
        if self._biased:
            swapped[:, k] = 1
        swapped.mul_(slope.repeat(2)[:, None])
        self._grad.index_add_(0, rows, swapped)
        return rows, error.square().sum()

    def _update(self, pace: Pace) -> None:
        """Do what ``torch.optim.AdamW.step`` does, without its bookkeeping: a quarter of the time of a small step."""
        if self._biased and self._bias_decay != self._decay:
            # The kernel applies one weight decay to the whole table, so correct for the biases' own beforehand.
            self._table.data[:, self._k].mul_((1 - pace.lr * self._bias_decay) / (1 - pace.lr * self._decay))
        adamw(
            [self._table],
            [self._grad],
            [self._moments.exp_avg],
            [self._moments.exp_avg_sq],
            [],
            [self._moments.step],
            fused=True,
            amsgrad=False,
            maximize=False,
            lr=pace.lr,
            beta1=pace.momentum,
            beta2=BETA2,
            eps=EPSILON,
            weight_decay=self._decay,
        )


def by_user(user: Tensor, item: Tensor, rating: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same batch sorted by user, so that each part reads a contiguous range of the table."""
    user, order = user.sort(stable=True)
    return user, item.index_select(0, order), rating.index_select(0, order)


def step_for(model: Architecture, decay: float, bias_decay: float | None = None) -> Step:
    """Return the fastest step that can train ``model``."""
    kind = PackedStep if model.dot_parameters() else AutogradStep
    return kind(model, decay, bias_decay)

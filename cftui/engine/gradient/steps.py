"""One optimiser step on one batch, by autograd or, for the dot-product family, with its gradient written out."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from cftui.engine.gradient.schedule import Pace
from cftui.engine.models.architectures import Architecture

BETA2, EPSILON = 0.99, 1e-5  # fastai's Adam


# A larger batch is worked through in parts on a CPU: temporaries over 32 MB go back to the system each time, and
# faulting their pages in again takes longer than the arithmetic.
PART = 8_192


class Optimizer(Protocol):
    """What a checkpoint needs of one."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


class Moments:
    """What AdamW remembers of one table, in the layout of ``torch.optim``.

    ``torch.optim.AdamW`` would remember the same, but making one imports ``torch._dynamo``: a second at every start,
    for a compiler that is not used.
    """

    def __init__(self, table: Tensor) -> None:
        self.step = torch.zeros((), device=table.device)
        self.exp_avg, self.exp_avg_sq = torch.zeros_like(table), torch.zeros_like(table)

    def state_dict(self) -> dict[str, Any]:
        return {"state": {0: vars(self)}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Raises ValueError where the moments are of another table."""
        for name, value in state_dict["state"].get(0, {}).items():
            mine: Tensor = getattr(self, name)
            if value.shape != mine.shape:
                raise ValueError(f"{name} is {list(value.shape)}, not {list(mine.shape)}")
            mine.copy_(value)


class Step(Protocol):
    """Updates the model it was made for; ``optimizer`` holds what a checkpoint needs beside the weights."""

    @property
    def optimizer(self) -> Optimizer: ...

    def __call__(self, user: Tensor, item: Tensor, rating: Tensor, pace: Pace) -> Tensor:
        """Fit ``user, item, rating``, each ``[b]``; the batch's mean squared error before the update, on the device."""
        ...


def parameter_groups(model: nn.Module, decay: float, bias_decay: float | None = None) -> list[dict[str, Any]]:
    """fastai's ``wd_bn_bias=False``: normalisation layers and the biases of linear ones do not decay; all else does.

    Embeddings of biases are embeddings: they decay, by ``bias_decay`` where it is given.
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
    """Whether a parameter holds a bias for every user or item: ``user_bias``, ``u_bias.weight``."""
    return any(part.endswith("_bias") for part in name.split("."))


def _adam(groups: list[dict[str, Any]]) -> torch.optim.AdamW:
    # Fused: one kernel for all parameters. Decoupled decay with eps 1e-5 is fastai's Adam.
    return torch.optim.AdamW(groups, eps=EPSILON, fused=True)


def _set_pace(optimizer: torch.optim.Optimizer, pace: Pace) -> None:
    for group in optimizer.param_groups:
        group["lr"], group["betas"] = pace.lr, (pace.momentum, BETA2)


class AutogradStep:
    """Any architecture, through ``Architecture.losses``."""

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
    """Dot product, with or without biases and sigmoid: the same numbers as ``AutogradStep``, in fewer kernels.

    All parameters become views of one table ``[users + items, k (+ 1)]``, users first, the bias in the last column: a
    batch is then one gather, one scatter, and the optimiser has one tensor to update. The module stays as it was to
    read and to save.
    """

    def __init__(self, model: Architecture, decay: float, bias_decay: float | None = None) -> None:
        learned = model.learned()
        self._users, self._k = learned.user_factors.shape
        self._biased = learned.user_bias is not None
        self._y_range = model.y_range
        sides = [
            torch.cat([factors, bias[:, None]], dim=1) if bias is not None else factors
            for factors, bias in (
                (learned.user_factors, learned.user_bias),
                (learned.item_factors, learned.item_bias),
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
            user, item, rating = _by_user(user, item, rating)
            parts = zip(user.split(PART), item.split(PART), rating.split(PART), strict=True)
            squared = torch.stack([self._accumulate(*part, size)[1] for part in parts]).sum()
            self._update(pace)
            self._grad.zero_()
        else:
            rows, squared = self._accumulate(user, item, rating, size)
            self._update(pace)
            # Only what was touched: the table may be large.
            self._grad.index_fill_(0, rows, 0)
        return squared / size

    def _accumulate(self, user: Tensor, item: Tensor, rating: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Add the gradient of a part of a batch of ``size``. Returns the rows touched, the sum of squared errors."""
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
            # d(mean squared error)/d(raw), through the sigmoid range.
            slope = error * squashed * (1 - squashed) * (2 * (high - low) / size)
        # d raw / d u is v and the other way round; d raw / d bias is 1.
        swapped = torch.cat((v, u))
        if self._biased:
            swapped[:, k] = 1
        swapped.mul_(slope.repeat(2)[:, None])
        self._grad.index_add_(0, rows, swapped)
        return rows, error.square().sum()

    def _update(self, pace: Pace) -> None:
        """What ``self.optimizer.step()`` would do, without its bookkeeping, a quarter of a small step."""
        if self._biased and self._bias_decay != self._decay:
            # The kernel shrinks the whole table alike: what the biases are to be shrunk by instead.
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


def _by_user(user: Tensor, item: Tensor, rating: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same batch with its users ascending, so that each part stays within a stretch of the table."""
    user, order = user.sort(stable=True)
    return user, item.index_select(0, order), rating.index_select(0, order)


def step_for(model: Architecture, decay: float, bias_decay: float | None = None) -> Step:
    """The quickest step that computes what ``model`` asks for."""
    kind = PackedStep if model.dot_parameters() else AutogradStep
    return kind(model, decay, bias_decay)

"""The chapter's models as plain ``nn.Module``s.

Every architecture maps codes to ratings, ``forward(user [b], item [b]) -> [b]``, in two steps: ``user_rows`` looks up
all that a prediction depends on of the user, ``rate`` does the rest. So a user who was never trained on, but whose row
was found some other way, is rated for by the same code. What was learned is handed over in one form, ``Learned``. Code
0 is the unknown user or item.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    """What an architecture is built for.

    Attributes:
        users, items: vocabulary sizes, the unknown included.
        factors: k, for the architectures that let it be chosen.
        y_range: bounds of the sigmoid, or None for a raw output.
        levels: the distinct rating values, ascending (for a softmax over them).
        user_features, item_features: int32 ``[users, most]``, ``[items, most]``, the codes of what is known of each
            beside its ratings, padded with 0; None where that is nothing, or of no use to the architecture.
    """

    users: int
    items: int
    factors: int
    y_range: tuple[float, float] | None
    levels: tuple[float, ...]
    user_features: Tensor | None = field(default=None, compare=False, repr=False)
    item_features: Tensor | None = field(default=None, compare=False, repr=False)


def sigmoid_range(x: Tensor, y_range: tuple[float, float] | None) -> Tensor:
    """fastai's ``sigmoid_range``: squeeze into (low, high); None passes through."""
    if y_range is None:
        return x
    low, high = y_range
    return torch.sigmoid(x) * (high - low) + low


def embedding(rows: int, columns: int) -> nn.Embedding:
    """fastai's ``Embedding``: a normal truncated by ``fmod 2``, times 0.01.

    ``nn.init.trunc_normal_(std=.01)`` is not the same: it cuts at +-2, two hundred standard deviations out.
    """
    module = nn.Embedding(rows, columns)
    with torch.no_grad():
        module.weight.normal_().fmod_(2).mul_(0.01)
    return module


def create_params(*size: int) -> nn.Parameter:
    """The chapter's own ``create_params``: normal(0, 0.01)."""
    return nn.Parameter(torch.zeros(*size).normal_(0, 0.01))


def embedding_size(rows: int) -> int:
    """fastai's rule of thumb for the width of an embedding of so many rows."""
    return min(600, round(1.6 * rows**0.56))


class Learned(NamedTuple):
    """What can be read off a trained model, whatever its architecture; biases are None where it has none."""

    user_factors: Tensor  # [users, k_user]
    item_factors: Tensor  # [items, k_item]
    user_bias: Tensor | None = None  # [users]
    item_bias: Tensor | None = None  # [items]


class Architecture(nn.Module):
    """The base of all: a rating predicted, and squared error to train by."""

    uses_features = False

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.y_range = shape.y_range

    def user_rows(self, user: Tensor) -> Tensor:
        """Codes ``[b]`` to rows ``[b, d]``: a user's factors, then his bias or biases where there are any."""
        raise NotImplementedError

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        """Ratings ``[b]`` that users with these rows ``[b, d]`` would give the items ``[b]``."""
        raise NotImplementedError

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        return self.rate(self.user_rows(user), item)

    def losses(self, user: Tensor, item: Tensor, rating: Tensor) -> tuple[Tensor, Tensor]:
        """``(objective, squared error)``, both scalars: what is minimised, and what all models are compared by."""
        loss = F.mse_loss(self(user, item), rating)
        return loss, loss

    def learned(self) -> Learned:
        raise TypeError(f"{type(self).__name__} does not say what it learned")

    def dot_parameters(self) -> dict[str, Tensor]:
        """Where ``forward`` is just the dot product of factors (plus biases): its parameters by their names in
        ``Learned``. Empty for every other architecture."""
        return {}

    @property
    def is_dot(self) -> bool:
        """Whether the score is the dot product of the factors in ``Learned``, plus the biases there."""
        return bool(self.dot_parameters())


class DotProduct(Architecture):
    """Models 1 and 2: the dot product of user and item factors, through the sigmoid range if there is one."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.user_factors = embedding(shape.users, shape.factors)
        self.item_factors = embedding(shape.items, shape.factors)

    def user_rows(self, user: Tensor) -> Tensor:
        return self.user_factors(user)

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        return sigmoid_range((rows * self.item_factors(item)).sum(dim=1), self.y_range)

    def learned(self) -> Learned:
        return Learned(self.user_factors.weight, self.item_factors.weight)

    def dot_parameters(self) -> dict[str, Tensor]:
        return {"user_factors": self.user_factors.weight, "item_factors": self.item_factors.weight}


class DotProductBias(Architecture):
    """Models 3 and 4: the dot product plus a bias for each user and each item."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.user_factors = embedding(shape.users, shape.factors)
        self.user_bias = embedding(shape.users, 1)
        self.item_factors = embedding(shape.items, shape.factors)
        self.item_bias = embedding(shape.items, 1)

    def user_rows(self, user: Tensor) -> Tensor:
        return torch.cat((self.user_factors(user), self.user_bias(user)), dim=1)

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        res = (rows[:, :-1] * self.item_factors(item)).sum(dim=1, keepdim=True)
        res = res + rows[:, -1:] + self.item_bias(item)
        return sigmoid_range(res, self.y_range).squeeze(1)

    def learned(self) -> Learned:
        biases = self.user_bias.weight.squeeze(1), self.item_bias.weight.squeeze(1)
        return Learned(self.user_factors.weight, self.item_factors.weight, *biases)

    def dot_parameters(self) -> dict[str, Tensor]:
        names = "user_factors", "item_factors", "user_bias", "item_bias"
        return {name: self.get_parameter(f"{name}.weight") for name in names}


class DotProductBiasParams(Architecture):
    """Model 5: model 4 without ``nn.Embedding``, on bare parameters."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.user_factors = create_params(shape.users, shape.factors)
        self.user_bias = create_params(shape.users)
        self.item_factors = create_params(shape.items, shape.factors)
        self.item_bias = create_params(shape.items)

    def user_rows(self, user: Tensor) -> Tensor:
        return torch.cat((self.user_factors[user], self.user_bias[user].unsqueeze(1)), dim=1)

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        res = (rows[:, :-1] * self.item_factors[item]).sum(dim=1)
        return sigmoid_range(res + rows[:, -1] + self.item_bias[item], self.y_range)

    def learned(self) -> Learned:
        return Learned(self.user_factors, self.item_factors, self.user_bias, self.item_bias)

    def dot_parameters(self) -> dict[str, Tensor]:
        return dict(self.named_parameters())


class EmbeddingDotBias(Architecture):
    """fastai's ``collab_learner`` model, under fastai's names."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.u_weight = embedding(shape.users, shape.factors)
        self.i_weight = embedding(shape.items, shape.factors)
        self.u_bias = embedding(shape.users, 1)
        self.i_bias = embedding(shape.items, 1)

    def user_rows(self, user: Tensor) -> Tensor:
        return torch.cat((self.u_weight(user), self.u_bias(user)), dim=1)

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        dot = rows[:, :-1] * self.i_weight(item)
        res = dot.sum(1) + rows[:, -1] + self.i_bias(item).squeeze(1)
        return sigmoid_range(res, self.y_range)

    def learned(self) -> Learned:
        biases = self.u_bias.weight.squeeze(1), self.i_bias.weight.squeeze(1)
        return Learned(self.u_weight.weight, self.i_weight.weight, *biases)

    def dot_parameters(self) -> dict[str, Tensor]:
        return {
            "user_factors": self.u_weight.weight,
            "item_factors": self.i_weight.weight,
            "user_bias": self.u_bias.weight,
            "item_bias": self.i_bias.weight,
        }


class FeatureSum(nn.Module):
    """What the features of one side add to its factors and biases: ``[b] -> [b, k], [b, 1]``.

    A row's features are summed and divided by the root of their number, so that the sum is as large for one of many
    features as for one of few.
    """

    codes: Tensor  # int32 [rows, most], kept with the weights: a trained model needs no data set

    def __init__(self, codes: Tensor, factors: int) -> None:
        super().__init__()
        self.register_buffer("codes", codes)
        size = int(codes.max()) + 1
        self.feature_factors = embedding(size, factors)
        self.feature_bias = embedding(size, 1)
        with torch.no_grad():
            for table in (self.feature_factors, self.feature_bias):
                table.weight[0] = 0  # no feature

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        codes = self.codes[rows]
        scale = (codes > 0).sum(dim=1, keepdim=True).clamp(min=1).to(self.feature_bias.weight.dtype).rsqrt()
        factors, bias = (
            F.embedding_bag(codes, table.weight, mode="sum", padding_idx=0) * scale
            for table in (self.feature_factors, self.feature_bias)
        )
        return factors, bias


class Hybrid(DotProductBias):
    """Model 4 with side features: a user's or an item's factors and bias are its own plus those of its features.

    As in LightFM (Kula 2015), but for the identities' beginning at zero: a row that was never trained on then stays
    there, for nothing but decay reaches it, and is predicted from its features alone. Rows without features begin, and
    a data set without features is, as in model 4.
    """

    uses_features = True

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.user_features = self._features(shape.user_features, self.user_factors, self.user_bias)
        self.item_features = self._features(shape.item_features, self.item_factors, self.item_bias)

    @staticmethod
    def _features(codes: Tensor | None, *own: nn.Embedding) -> FeatureSum | None:
        if codes is None or not codes.any():
            return None
        with torch.no_grad():
            for table in own:
                table.weight[codes.any(dim=1)] = 0
        return FeatureSum(codes, own[0].embedding_dim)

    def _users(self, user: Tensor) -> tuple[Tensor, Tensor]:
        return _plus(self.user_factors(user), self.user_bias(user), self.user_features, user)

    def _items(self, item: Tensor) -> tuple[Tensor, Tensor]:
        return _plus(self.item_factors(item), self.item_bias(item), self.item_features, item)

    def user_rows(self, user: Tensor) -> Tensor:
        return torch.cat(self._users(user), dim=1)

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        factors, bias = self._items(item)
        res = (rows[:, :-1] * factors).sum(dim=1, keepdim=True) + rows[:, -1:] + bias
        return sigmoid_range(res, self.y_range).squeeze(1)

    def learned(self) -> Learned:
        """The features included."""
        users, items = (
            torch.arange(table.num_embeddings, device=table.weight.device)
            for table in (self.user_factors, self.item_factors)
        )
        user_factors, user_bias = self._users(users)
        item_factors, item_bias = self._items(items)
        return Learned(user_factors, item_factors, user_bias.squeeze(1), item_bias.squeeze(1))

    def dot_parameters(self) -> dict[str, Tensor]:
        return {}

    @property
    def is_dot(self) -> bool:
        return True


def _plus(factors: Tensor, bias: Tensor, features: FeatureSum | None, rows: Tensor) -> tuple[Tensor, Tensor]:
    if features is None:
        return factors, bias
    more_factors, more_bias = features(rows)
    return factors + more_factors, bias + more_bias


class CollabNN(Architecture):
    """The chapter's network: two embeddings side by side, one hidden layer of 100."""

    hidden = 100

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        user_size, item_size = embedding_size(shape.users), embedding_size(shape.items)
        self.user_factors = embedding(shape.users, user_size)
        self.item_factors = embedding(shape.items, item_size)
        self.layers = nn.Sequential(nn.Linear(user_size + item_size, self.hidden), nn.ReLU(), nn.Linear(self.hidden, 1))

    def user_rows(self, user: Tensor) -> Tensor:
        return self.user_factors(user)

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        both = torch.cat((rows, self.item_factors(item)), dim=1)
        return sigmoid_range(self.layers(both).squeeze(1), self.y_range)

    def learned(self) -> Learned:
        return Learned(self.user_factors.weight, self.item_factors.weight)


class EmbeddingNN(CollabNN):
    """fastai's ``use_nn=True``: two hidden layers, each Linear without bias, ReLU, BatchNorm."""

    sizes = (100, 50)

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        width = self.user_factors.embedding_dim + self.item_factors.embedding_dim
        layers: list[nn.Module] = []
        for size in self.sizes:
            norm = nn.BatchNorm1d(size)
            nn.init.constant_(norm.bias, 1e-3)
            layers += [nn.Linear(width, size, bias=False), nn.ReLU(), norm]
            width = size
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))


class SoftmaxDot(Architecture):
    """The chapter's further research: a softmax over the rating values, trained by cross-entropy.

    The element-wise product of the factors is mapped to one logit per rating value, to which the user's and the
    item's own logits are added; the prediction is the expectation.
    """

    levels: Tensor  # the rating values, ascending

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.user_factors = embedding(shape.users, shape.factors)
        self.user_bias = embedding(shape.users, len(shape.levels))
        self.item_factors = embedding(shape.items, shape.factors)
        self.item_bias = embedding(shape.items, len(shape.levels))
        self.classify = nn.Linear(shape.factors, len(shape.levels))
        self.register_buffer("levels", torch.tensor(shape.levels, dtype=torch.float32))

    def user_rows(self, user: Tensor) -> Tensor:
        return torch.cat((self.user_factors(user), self.user_bias(user)), dim=1)

    def logits(self, rows: Tensor, item: Tensor) -> Tensor:
        """``[b, levels]`` for user rows ``[b, d]`` and items ``[b]``."""
        factors, bias = rows.split((rows.shape[1] - len(self.levels), len(self.levels)), dim=1)
        return self.classify(factors * self.item_factors(item)) + bias + self.item_bias(item)

    def expected(self, logits: Tensor) -> Tensor:
        """The expectation of the softmax over the rating values, ``[..., levels] -> [...]``."""
        return logits.softmax(dim=-1) @ self.levels

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        return self.expected(self.logits(rows, item))

    def losses(self, user: Tensor, item: Tensor, rating: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.logits(self.user_rows(user), item)
        level = torch.bucketize(rating, self.levels)
        with torch.no_grad():
            squared = F.mse_loss(self.expected(logits), rating)
        return F.cross_entropy(logits, level), squared

    def learned(self) -> Learned:
        """A scalar bias, as the others have: the rating the logits alone expect, less its mean."""
        users, items = self.user_bias.weight, self.item_bias.weight
        by_user = self.expected(self.classify.bias + users + items.mean(0))
        by_item = self.expected(self.classify.bias + items + users.mean(0))
        return Learned(
            self.user_factors.weight,
            self.item_factors.weight,
            by_user - by_user.mean(),
            by_item - by_item.mean(),
        )

"""The chapter's models as plain ``nn.Module``s, and what any architecture owes.

Every architecture maps codes to ratings, ``forward(user [b], item [b]) -> [b]``, in two steps: ``user_rows`` looks up
everything about the user on which a prediction depends, ``rate`` does the rest. A user who was never trained on, but
whose row was found in another way, is therefore rated by the same code. Code 0 is the unknown user or item.

Beyond predicting, an architecture says what it can do. Each capability has a generic default, or returns None where it
is not available; nobody asks which class a model is of.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cftui.engine.models.paths import linear_pieces, link, mean_gradient, slopes, softmax
from cftui.engine.models.terms import Baseline, Kind, Learned, Question, Steps, Term, Terms, indexed, mean_of

# Pairs predicted at a time: bounds the memory, not the result.
CHUNK = 65_536


@dataclass(frozen=True)
class Shape:
    """What an architecture is built for.

    Attributes:
        users, items: vocabulary sizes, the unknown included.
        factors: k, for the architectures that let it be chosen.
        y_range: bounds of the sigmoid, or None for a raw output.
        levels: the distinct rating values, ascending (for a softmax over them).
        user_features, item_features: int32 ``[users, most]``, ``[items, most]``, the codes of each row's side features,
            padded with 0; None where there are none, or the architecture does not use them.
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
    """fastai's rule of thumb for the width of an embedding with this many rows."""
    return min(600, round(1.6 * rows**0.56))


class RatingMoments(NamedTuple):
    """How sure predictions are, ``[b]`` each, in rating units."""

    mean: Tensor  # not clipped to the scale
    sd: Tensor  # standard deviation of a rating around the mean
    uncertainty: Tensor  # the part of it that is uncertainty of the mean itself, not noise


class RowPrior(NamedTuple):
    """What is known of a user before the first rating."""

    mean: Tensor  # [d]
    covariance: Tensor  # [d, d]
    noise: float  # variance of a rating around its prediction


class Architecture(nn.Module):
    """The base of all: it predicts ratings, is trained on squared error, and says what else it can do.

    Attributes:
        rates: whether it predicts ratings. If not, it only scores what a user will choose next: it has ``score_rows``
            instead of ``rate``, and a score is never shown as a rating.
        most_levels: the most distinct ratings that it can tell apart; None if it does not tell them apart.
        uses_features: whether it is built with the side features of users and items.
        folds_in: whether a new user's row can be fitted to ratings; False where a row is just the user's identity.
        tables_are: what its ``tables`` are, in a word.
    """

    rates: ClassVar[bool] = True
    most_levels: ClassVar[int | None] = None
    uses_features: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True
    tables_are: ClassVar[str] = "solved"

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.y_range = shape.y_range
        self.items_known = shape.items

    # What every architecture must be able to do

    def user_rows(self, user: Tensor) -> Tensor:
        """Codes ``[b]`` to rows ``[b, d]``: a user's factors, then the bias or biases if there are any."""
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

    # What it may be able to do

    def learned(self) -> Learned:
        """Its factors and biases; without factors there are no neighbours, no map and no embeddings to export."""
        return Learned()

    def dot_parameters(self) -> dict[str, Tensor]:
        """Its parameters by their names in ``Learned``, if ``forward`` is just a dot product of factors plus biases.

        Empty for every other architecture.
        """
        return {}

    @property
    def tables(self) -> dict[str, tuple[int, int]]:
        """The shapes of what is fitted, for a model without parameters."""
        return {}

    @property
    def is_dot(self) -> bool:
        """Whether the score is the dot product of the factors in ``Learned``, plus the biases there."""
        return bool(self.dot_parameters())

    def scores(self, users: Tensor) -> Tensor:
        """Scores of all items for users ``[b]``, ``[b, items]``: the predictions."""
        learned = self.learned()
        if self.is_dot and learned.user_factors is not None and learned.item_factors is not None:
            # One matrix product for all users.
            scored = learned.user_factors[users] @ learned.item_factors.T
            if learned.item_bias is not None and learned.user_bias is not None:
                scored = scored + learned.user_bias[users].unsqueeze(1) + learned.item_bias
            # The sigmoid is flat at its ends, where items that differ before it are shown, and ranked, alike.
            return sigmoid_range(scored, self.y_range)
        return self.score_rows(self.user_rows(users))

    def score_rows(self, rows: Tensor) -> Tensor:
        """Scores of all items for users with these rows ``[b, d]``, ``[b, items]``; -inf for an item without one."""
        items = torch.arange(self.items_known, device=rows.device)
        return torch.stack(
            [torch.cat([self.rate(row.expand(len(part), -1), part) for part in items.split(CHUNK)]) for row in rows]
        )

    def similarity(self, item: int) -> Tensor | None:
        """How similar each item is to this one, ``[items]``; None to compare their factors."""
        return None

    def moments(self, rows: Tensor, item: Tensor) -> RatingMoments | None:
        """How sure it is of the ratings that users with these rows ``[b, d]`` would give the items ``[b]``."""
        return None

    def baseline(self, rows: np.ndarray, learned: Learned) -> Baseline | None:
        """What its explanations start from; None if it has no explanation.

        Args:
            rows: of all users, float32 ``[users, d]``.
        """
        if not self.is_dot:
            return None
        if learned.item_bias is None:
            return Baseline(np.zeros(0), np.zeros(0))
        return Baseline(mean_of(rows[:, -1:]), mean_of(learned.item_bias.detach().reshape(-1, 1).numpy()))

    def terms(self, question: Question) -> Terms | None:
        """A prediction in terms that sum to it; None if it has no explanation."""
        return _dot_terms(self, question) if self.is_dot else None

    def dissect(self, users: Tensor, items: Tensor, rating: Tensor) -> Steps | None:
        """A batch of ratings ``[b]`` step by step, with gradients; None if the steps are not known."""
        return _dot_steps(self, users, items, rating) if self.is_dot else None

    def new_user(self, items: Tensor, rating: Tensor) -> Tensor | None:
        """The row ``[d]`` of a user who gave ``items [n]`` these ``rating [n]``; None to have it fitted numerically."""
        return None

    def pulls(self, items: Tensor, rating: Tensor, item: int) -> Tensor | None:
        """How much each rating of a folded-in user moves the prediction for ``item``, ``[n]``; None for the generic
        leave-one-out."""
        return None

    def row_prior(self) -> RowPrior | None:
        """Its own distribution of users; None to have it estimated from the trained users' rows."""
        return None

    def row_slopes(self, items: Tensor) -> Tensor | None:
        """The gradient of predictions by a user's row, ``[n, d]``, where it is constant; None to have it computed."""
        return None


def _last_step(y_range: tuple[float, float] | None) -> str:
    return "none" if y_range is None else "sigmoid range ({:g}, {:g})".format(*y_range)


def _dot_terms(model: Architecture, question: Question) -> Terms:
    """The score is a sum already; each part moves the prediction by the mean slope of the last step."""
    learned, known, item = question.learned, question.baseline, question.item
    assert learned.item_factors is not None
    biased, row = len(known.user) > 0, np.asarray(question.row, dtype=np.float64)
    user, base = row[: len(row) - biased], float(known.user.sum() + known.item.sum())
    products = user * learned.item_factors[item].detach().numpy()
    raw: list[tuple[str, Kind, float]] = []
    if biased and learned.item_bias is not None:
        raw = [
            ("user bias", "user bias", float(row[-1] - known.user[0])),
            (f"{question.noun} bias", "item bias", float(learned.item_bias[item]) - float(known.item[0])),
        ]
    score = base + math.fsum(part for _, _, part in raw) + math.fsum(products)
    path = np.array([base, score])
    slope = float(slopes(path[:1], path[1:], model.y_range)[0])
    terms = [
        Term("baseline", "baseline", None, base, float(link(path, model.y_range)[0])),
        *(Term(name, kind, None, part, part * slope) for name, kind, part in raw),
        *indexed("factor", "factor", products.tolist(), products * slope),
    ]
    start = f"the mean user bias and the mean {question.noun} bias, no factors" if biased else "a score of 0"
    if model.y_range is None:
        return Terms(f"The prediction is the sum of its terms; the baseline is {start}.", terms)
    method = f"Each part of the score moves the prediction in proportion (Aumann-Shapley); the baseline is {start}."
    return Terms(method, terms, _last_step(model.y_range))


def _dot_steps(model: Architecture, users: Tensor, items: Tensor, rating: Tensor) -> Steps:
    learned = model.learned()
    assert learned.user_factors is not None
    assert learned.item_factors is not None
    user, item = (
        table.detach()[codes].requires_grad_()
        for table, codes in ((learned.user_factors, users), (learned.item_factors, items))
    )
    product = user * item
    dot = score = product.sum(dim=1)
    user_bias = item_bias = None
    if learned.user_bias is not None and learned.item_bias is not None:
        user_bias, item_bias = learned.user_bias[users], learned.item_bias[items]
        score = dot + user_bias + item_bias
    prediction = sigmoid_range(score, model.y_range)
    losses = F.mse_loss(prediction, rating, reduction="none")
    return Steps(user, item, score, prediction, losses, product, dot, user_bias, item_bias)


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

    A row's features are summed and divided by the root of their number, so that rows with many features get sums as
    large as rows with few.
    """

    codes: Tensor  # int32 [rows, most], kept with the weights, so that a trained model needs no data set

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

    This is LightFM (Kula 2015), except that the identities start at zero: a row without training ratings then stays at
    zero and is predicted from its features alone. Rows without features start as in model 4, and a data set without
    features gives model 4.
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

    def baseline(self, rows: np.ndarray, learned: Learned) -> Baseline | None:
        if not all(isinstance(layer, (nn.Linear, nn.ReLU, nn.BatchNorm1d)) for layer in self.layers):
            return None  # the gradients of other layers cannot be integrated exactly
        return Baseline(mean_of(rows), mean_of(self.item_factors.weight.detach().numpy()))

    def terms(self, question: Question) -> Terms | None:
        """Integrated gradients over both embeddings, piece by piece of the line on which the network is linear."""
        known, row = question.baseline, np.asarray(question.row, dtype=np.float64)
        layers = copy.deepcopy(self.layers).double().eval()
        start = torch.from_numpy(np.concatenate((known.user, known.item)))
        end = torch.from_numpy(np.concatenate((row, self.item_factors.weight[question.item].detach().numpy())))
        t, scores = linear_pieces(layers, start, end)
        middles = torch.lerp(start, end, ((t[:-1] + t[1:]) / 2).unsqueeze(1)).requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(layers(middles).sum(), middles)
        lengths, by_piece = t.diff().numpy(), gradient.numpy()
        moved = (end - start).numpy()
        raw = lengths @ by_piece * moved
        stars = (lengths * slopes(scores[:-1], scores[1:], self.y_range)) @ by_piece * moved
        users, noun = len(row), question.noun
        terms = [
            Term("baseline", "baseline", None, float(scores[0]), float(link(scores, self.y_range)[0])),
            *indexed("user", "user factor", raw[:users].tolist(), stars[:users]),
            *indexed("item", f"{noun} factor", raw[users:].tolist(), stars[users:]),
        ]
        method = (
            "Integrated gradients over both embeddings, exact; the baseline is the average user with the average "
            f"{noun}."
        )
        return Terms(method, terms, _last_step(self.y_range))

    def dissect(self, users: Tensor, items: Tensor, rating: Tensor) -> Steps | None:
        user, item = (
            table.weight.detach()[codes].requires_grad_()
            for table, codes in ((self.user_factors, users), (self.item_factors, items))
        )
        values, active = torch.cat((user, item), dim=1), []
        for layer in self.layers:
            values = layer(values)
            if isinstance(layer, nn.ReLU):
                active.append((values > 0).sum(dim=1))
        score = values.squeeze(1)
        prediction = sigmoid_range(score, self.y_range)
        return Steps(
            user,
            item,
            score,
            prediction,
            F.mse_loss(prediction, rating, reduction="none"),
            active=torch.stack(active, dim=1),
            layers=tuple(map(_in_words, self.layers)),
        )


def _in_words(layer: nn.Module) -> str:
    """A layer of a network: ``Linear 176 -> 100``, else its class."""
    if isinstance(layer, nn.Linear):
        return f"Linear {layer.in_features} -> {layer.out_features}"
    return type(layer).__name__


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

    # Each rating costs a logit for every user and item, and is told only by its own ratings.
    most_levels = 200
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

    def baseline(self, rows: np.ndarray, learned: Learned) -> Baseline | None:
        return Baseline(mean_of(rows[:, -len(self.levels) :]), mean_of(self.item_bias.weight.detach().numpy()))

    def terms(self, question: Question) -> Terms | None:
        """Each term is a vector of logits, weighed by the expectation's gradient averaged over the path."""
        known, row, noun = question.baseline, np.asarray(question.row, dtype=np.float64), question.noun
        levels = self.levels.numpy().astype(np.float64)
        weight, bias = (p.detach().numpy().astype(np.float64) for p in (self.classify.weight, self.classify.bias))
        user, user_logits = np.split(row, [len(row) - len(levels)])
        products = user * self.item_factors.weight[question.item].detach().numpy()
        base = bias + known.user + known.item
        by_user = user_logits - known.user
        by_item = self.item_bias.weight[question.item].detach().numpy() - known.item
        gradient = mean_gradient(base, base + by_user + by_item + weight @ products, levels)
        terms = [
            Term("baseline", "baseline", None, None, float(softmax(base) @ levels)),
            Term("user bias", "user bias", None, None, float(gradient @ by_user)),
            Term(f"{noun} bias", "item bias", None, None, float(gradient @ by_item)),
            *indexed("factor", "factor", [None] * len(products), gradient @ weight * products),
        ]
        method = (
            "The logits move the expected rating along the straight line from the baseline, each term by its share "
            f"(Aumann-Shapley); the baseline is the mean logits of users and {noun}s, no factors."
        )
        return Terms(method, terms, f"expectation over the softmax of {levels[0]:g}..{levels[-1]:g}")

    def dissect(self, users: Tensor, items: Tensor, rating: Tensor) -> Steps | None:
        user, item = (
            table.weight.detach()[codes].requires_grad_()
            for table, codes in ((self.user_factors, users), (self.item_factors, items))
        )
        product = user * item
        dot = self.classify(product)
        user_bias, item_bias = self.user_bias.weight[users], self.item_bias.weight[items]
        score = dot + user_bias + item_bias
        losses = F.cross_entropy(score, torch.bucketize(rating, self.levels), reduction="none")
        return Steps(
            user,
            item,
            score,
            self.expected(score),
            losses,
            product,
            dot,
            user_bias,
            item_bias,
            probabilities=score.softmax(dim=-1),
            objective="cross-entropy",
            levels=tuple(self.levels.tolist()),
        )

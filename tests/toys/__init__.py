"""Recipes as somebody would add them by the documentation: what such models lack, the program has to say."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cftui.engine.models.architectures import Architecture, Learned, Shape, embedding, sigmoid_range
from cftui.engine.models.recipes import Recipe


class Quadratic(Architecture):
    """A dot product plus its square: factors, but a score that no explanation is known for."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.user_factors = embedding(shape.users, shape.factors)
        self.item_factors = embedding(shape.items, shape.factors)
        self.curve = nn.Parameter(torch.zeros(()))

    def user_rows(self, user: Tensor) -> Tensor:
        return self.user_factors(user)

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        dot = (rows * self.item_factors(item)).sum(dim=1)
        return sigmoid_range(dot + self.curve * dot.square(), self.y_range)

    def learned(self) -> Learned:
        return Learned(self.user_factors.weight, self.item_factors.weight)


class OneHot(Architecture):
    """A small network over one-hot inputs: no factors, and no way to describe a user it was not trained on."""

    folds_in = False

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.users, self.items = shape.users, shape.items
        self.layers = nn.Sequential(nn.Linear(shape.users + shape.items, 16), nn.ReLU(), nn.Linear(16, 1))

    def user_rows(self, user: Tensor) -> Tensor:
        return F.one_hot(user.long(), self.users).float()

    def rate(self, rows: Tensor, item: Tensor) -> Tensor:
        both = torch.cat((rows, F.one_hot(item.long(), self.items)), dim=1)
        return sigmoid_range(self.layers(both).squeeze(1), self.y_range)


TOYS = {
    "quadratic": Recipe("quadratic", "a dot product and its square", "tests.toys:Quadratic", defaults={"wd": 0.1}),
    "one-hot": Recipe("one-hot", "a network over one-hot inputs", "tests.toys:OneHot", without=("factors",)),
}

"""Exact integrals along the straight line from a baseline to a prediction.

Every term of an explanation is credited the integral of the gradient times the distance. Over the parts of a score that
is the value of Aumann and Shapley (1974), over the inputs of a network the integrated gradients of Sundararajan, Taly
and Yan (2017). Both are complete: the terms sum to the prediction. The integrals are exact, or as good as exact: a
sigmoid range has a closed form, a network of ReLUs is linear between the points at which a unit switches, and a softmax
is smooth enough for Gauss-Legendre quadrature.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

YRange = tuple[float, float] | None

# The logits may move apart by this much in one panel of a softmax's path. Its singularities are pi / span away from the
# path, and at this ratio the error of NODES nodes is below the rounding of float64.
PANEL_SPAN = 8.0
NODES = 24


@torch.no_grad()
def linear_pieces(layers: nn.Sequential, start: Tensor, end: Tensor) -> tuple[Tensor, np.ndarray]:
    """The pieces of the line from ``start [w]`` to ``end [w]`` on which the network is linear.

    Returns:
        ``t [m]`` from 0 to 1, the points at which a ReLU switches in between; and the network's output there ``[m]``.
    """
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    values = torch.stack((start, end))
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            t, values = _split_at_zeros(t, values)
        values = layer(values)
    return t, values.squeeze(1).numpy()


def _split_at_zeros(t: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Add to the points ``t [m]`` those at which one of ``values [m, units]``, linear in between, changes its sign."""
    before, after = values[:-1], values[1:]
    piece, unit = (before.sign() * after.sign() < 0).nonzero(as_tuple=True)
    ends = before[piece, unit], after[piece, unit]
    share = ends[0] / (ends[0] - ends[1])
    between = torch.lerp(before[piece], after[piece], share.unsqueeze(1))
    every = torch.cat((t, torch.lerp(t[piece], t[piece + 1], share)))
    order = every.argsort(stable=True)
    return every[order], torch.cat((values, between))[order]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


def link(score: np.ndarray, y_range: YRange) -> np.ndarray:
    """The last step, in float64: ``sigmoid_range``."""
    if y_range is None:
        return score
    low, high = y_range
    return low + (high - low) * _sigmoid(score)


def slopes(a: np.ndarray, b: np.ndarray, y_range: YRange) -> np.ndarray:
    """``(link(b) - link(a)) / (b - a)``, elementwise, and the derivative where the two are the same.

    By ``sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b))``, which cancels nothing.
    """
    if y_range is None:
        return np.ones_like(a)
    low, high = y_range
    # The smallest gap already gives the limit: 1 - exp(-x) is x there.
    gap = np.maximum(np.abs(b - a), 1e-300)
    return (high - low) * _sigmoid(np.maximum(a, b)) * _sigmoid(-np.minimum(a, b)) * -np.expm1(-gap) / gap


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def mean_gradient(start: np.ndarray, end: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The gradient of a softmax's expectation by its logits, averaged over the line between two of them: ``[levels]``.

    Gauss-Legendre, in as many panels as the logits need.
    """
    panels = max(1, math.ceil(np.ptp(end - start) / PANEL_SPAN))
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    t = (np.arange(panels)[:, None] + (nodes + 1) / 2).reshape(-1, 1) / panels
    share = softmax(start + t * (end - start))
    by_logit = share * (levels - (share @ levels)[:, None])
    return np.tile(weights / 2 / panels, panels) @ by_logit

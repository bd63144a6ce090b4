"""fastai's learning-rate finder: a trial run whose learning rate grows with every batch until the loss explodes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cftui.engine.device import reproducible, threads_for
from cftui.engine.gradient.schedule import Pace
from cftui.engine.gradient.train_loss import TrainLoss
from cftui.engine.gradient.trainer import Trainer

LOWEST, HIGHEST, STEPS = 1e-7, 10.0, 100
# Stop, as fastai does, when the smoothed loss is this many times the lowest.
EXPLOSION = 4.0
MOMENTUM = 0.9


@dataclass(frozen=True)
class LearningRates:
    """What the finder measured.

    Attributes:
        lr: the learning rates tried, ascending.
        loss: the smoothed loss after each.
        suggestion: the learning rate that ``valley`` picks.
    """

    lr: list[float]
    loss: list[float]
    suggestion: float


def find_lr(trainer: Trainer) -> LearningRates:
    """Try 100 learning rates from 1e-7 to 10, one per batch, on an untrained ``trainer``.

    The trainer's model is useless afterwards. The suggestion is fastai's default, ``valley``.
    """
    rates: list[float] = []
    losses: list[float] = []
    smooth = TrainLoss(1, trainer.device)
    best = math.inf
    parameters = sum(p.numel() for p in trainer.model.parameters())
    with threads_for(parameters), reproducible(trainer.device):
        batches = iter(trainer.endless_batches())
        for step in range(STEPS):
            lr = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
            smooth.add(trainer.fit_batch(*next(batches), Pace(lr, MOMENTUM)))
            smooth.drain()
            if not math.isfinite(smooth.smoothed):
                break
            rates.append(lr)
            losses.append(smooth.smoothed)
            best = min(best, smooth.smoothed)
            if smooth.smoothed > EXPLOSION * best:
                break
    return LearningRates(rates, losses, valley(rates, losses))


def valley(rates: list[float], losses: list[float]) -> float:
    """Return the learning rate about two thirds down the longest decrease of the loss: fastai's ``valley``.

    Like fastai, this finds the longest strictly decreasing subsequence of ``losses`` and takes the rate about two
    thirds of the way along it.
    """
    # Like fastai, leave out both ends: at the start the loss is flat, at the end it has exploded.
    first = max(len(losses) // 10, 0)
    loss = np.asarray(losses[first : -5 if len(losses) > first + 10 else None])
    n = len(loss)
    if not n:
        return rates[0] if rates else LOWEST
    length, start = np.ones(n, dtype=np.int64), np.arange(n)
    for i in range(1, n):
        falls = np.flatnonzero(loss[:i] > loss[i])
        if len(falls):
            before = falls[length[falls].argmax()]
            length[i], start[i] = length[before] + 1, start[before]
    end = int(length.argmax())
    begin = int(start[end])
    section = (end - begin) / 3
    return rates[first + begin + int(section) + int(section / 2)]

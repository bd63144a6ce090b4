"""What is done on the simulated device and on the CPU, to compare the two."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.als.side import Side
from cftui.engine.bayes import prior_features
from cftui.engine.fitting import Fitter, Hooks
from cftui.engine.linear import ease
from cftui.engine.models.build import Weights
from cftui.engine.models.recipes import RECIPES
from cftui.engine.training import fitter_for
from tests.cuda.simulated import CPU, CUDA, Device
from tests.settings import options_for

SETTINGS = {"epochs": 2, "bs": 32, "factors": 4, "burn_in": 1}
# What is measured, and need not be the same.
MEASURED = ("seconds", "elapsed", "ratings_per_second", "memory", "gpu_memory")


def fitter(name: str, ratings: Ratings, device: torch.device, part: str = "random", **changes: Any) -> Fitter:
    """What fits this recipe on ``ratings``, which are few."""
    row = RECIPES[name]
    options = options_for(row, **{**SETTINGS, "split": part, **changes})
    return fitter_for(row, options, ratings, split(ratings, part, options.seed), device)


def fitted(name: str, ratings: Ratings, device: torch.device, **changes: Any) -> tuple[Weights, list[dict[str, Any]]]:
    """The state at the end of a fit, and the epochs that were logged."""
    events: list[Any] = []
    one = fitter(name, ratings, device, **changes)
    assert one.fit(Hooks(emit=events.append, checkpoint=lambda: None)) == "finished"
    return state_of(one), [plain(event) for event in events if event["event"] in ("epoch", "trial")]


def plain(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what is measured."""
    return {name: value for name, value in event.items() if name not in MEASURED}


def state_of(one: Fitter) -> Weights:
    """Its state and its model, without the seconds, read back as from a file."""
    tensors = {**one.state(), **{f"kept.{name}": value for name, value in one.model.cpu().state_dict().items()}}
    tensors = {name: value.contiguous() for name, value in tensors.items() if name not in ("elapsed", "numbers")}
    return load(save({name: value.clone() for name, value in tensors.items()}))


def same_bits(one: Weights, other: Weights) -> bool:
    return save(one) == save(other)


def sum_as_a_gpu_does(patch: pytest.MonkeyPatch) -> None:
    """Sum on the CPU in the order in which a GPU does, where the CPU has a quicker way with other last digits.

    And let the implicit sets of few ratings be many enough to be projected, as those of a large set are.
    """
    patch.setattr(Side, "_sparse_sums", Side._ordered_sums)
    patch.setattr(ease, "_sparse_gram", ease._dense_gram)
    patch.setattr(prior_features, "RANK", 6)


def compare(name: str, ratings: Ratings, device: AbstractContextManager[Device], **changes: Any) -> Device:
    """Fit on the CPU, then on ``device``, and assert that nothing differs."""
    state, epochs = fitted(name, ratings, CPU, **changes)
    with device as cuda:
        their_state, their_epochs = fitted(name, ratings, CUDA, **changes)
    assert their_epochs == epochs, "other epochs"
    assert same_bits(their_state, state), "other bits"
    return cuda

"""Faults that a machine without a GPU never shows, planted one by one: the simulated device sees each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cftui.data.ratings import Ratings
from cftui.engine import device as devices
from cftui.engine import fitting
from cftui.engine.als.side import Side
from cftui.engine.bayes import gibbs
from cftui.engine.fitting import Hooks
from cftui.engine.gradient import lr_finder, trainer
from cftui.engine.gradient.train_loss import TrainLoss
from cftui.engine.gradient.trainer import Trainer
from tests.cuda.conftest import unexpected_waits
from tests.cuda.fits import compare, fitted, fitter, sum_as_a_gpu_does
from tests.cuda.planting import planted
from tests.cuda.simulated import CUDA, simulated_cuda

Drive = Callable[[str, Ratings], None]


def a_fit(name: str, ratings: Ratings) -> None:
    """There and on the CPU, to the same bits."""
    with pytest.MonkeyPatch.context() as patch:
        sum_as_a_gpu_does(patch)
        unexpected_waits(compare(name, ratings, simulated_cuda()))


def a_fit_there(name: str, ratings: Ratings) -> None:
    with simulated_cuda():
        fitted(name, ratings, CUDA)


def an_extension(name: str, ratings: Ratings) -> None:
    with simulated_cuda() as cuda:
        one = fitter(name, ratings, CUDA)
        one.fit()
        one.extend(1)
        one.fit()
    unexpected_waits(cuda)


def a_resumed_run(name: str, ratings: Ratings) -> None:
    with simulated_cuda():
        first, second = (fitter(name, ratings, CUDA, keep_best=True, epochs=3) for _ in range(2))
        first.fit(Hooks(should_stop=lambda: first.epoch == 2))
        second.load_state(first.state())
        # Whatever came after was worse.
        second.best = (0.0, 1)
        second.fit()
        assert all(value.is_cuda for value in second._best_weights.values()), "weights on the CPU"  # type: ignore[attr-defined]


def a_search_for_the_learning_rate(name: str, ratings: Ratings) -> None:
    with simulated_cuda():
        one = fitter(name, ratings, CUDA)
        assert isinstance(one, Trainer)
        lr_finder.find_lr(one)


def a_fit_without_memory_for_cublas(name: str, ratings: Ratings) -> None:
    with simulated_cuda() as cuda:
        one = fitter(name, ratings, CUDA)
        cuda.cublas_fits = False
        with pytest.raises(RuntimeError) as caught:
            one.fit()
        assert devices.is_out_of_memory(caught.value), "no advice"


@dataclass(frozen=True)
class Fault:
    """A fault, where it is planted, what is done with it, and what is seen.

    Attributes:
        owner, function, old, new: what ``planted`` takes.
        drive, recipe: what is done.
        seen: words of the error that shows it.
    """

    owner: Any
    function: str
    old: str
    new: str
    drive: Drive
    recipe: str
    seen: str


FAULTS = {
    "a buffer that is made without a device when a run is extended": Fault(
        TrainLoss, "resize", "device=self._buffer.device", "device='cpu'", an_extension, "model4", "TrainLoss.add"
    ),
    "ratings that stay on the CPU": Fault(trainer, "rows_on", ".to(device)", "", a_fit, "model4", "cuda:0 and cpu"),
    "a generator without a device": Fault(
        Trainer, "_order", "torch.Generator(where)", "torch.Generator()", a_fit, "model4", "generator of the other"
    ),
    "a generator that nobody seeds": Fault(
        gibbs, "seeded", "if is_cuda:", "if False:", a_fit, "bayes", "nobody seeded"
    ),
    "another order of the ratings on a GPU": Fault(
        Trainer, "_order", "epoch + 1)", "epoch + 1 + (where.type == 'cuda'))", a_fit, "model4", "other epochs"
    ),
    "cuBLAS without its workspace at its first call": Fault(
        fitting, "prepare", "CUBLAS_WORKSPACE_CONFIG", "CUBLAS_WORKSPACE", a_fit, "bayes", "at the first call"
    ),
    "a product of cuSPARSE": Fault(
        Side, "sums", 'table.device.type == "cpu"', "True", a_fit_there, "ials", "cuSPARSE"
    ),
    "additions that race": Fault(
        lr_finder, "find_lr", ", reproducible(trainer.device)", "", a_search_for_the_learning_rate, "model4",
        "from run to run",
    ),
    "a kernel without a deterministic version": Fault(
        gibbs.Sampler, "draw_noise", "(total * self.users.noise).sum()", "(total * self.users.noise).cumsum(0)[-1]",
        a_fit, "bayes", "deterministic",
    ),
    "a wait in every batch": Fault(
        Trainer, "_batches", "yield from zip(", "order[0].item(); yield from zip(", a_fit, "model4", "Trainer._batches"
    ),
    "weights that come back to the CPU with a checkpoint": Fault(
        Trainer, "load_state", "t.to(self.device)", "t", a_resumed_run, "model3", "weights on the CPU"
    ),
    "cuBLAS without memory that is taken for another error": Fault(
        devices, "is_out_of_memory", "NO_MEMORY", "NO_MEMORY[:1]", a_fit_without_memory_for_cublas, "bayes", "no advice"
    ),
}  # fmt: skip
DRIVES = {fault.drive: fault.recipe for fault in FAULTS.values()}


@pytest.fixture(autouse=True)
def as_a_gpu_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)


@pytest.mark.parametrize("drive", DRIVES, ids=lambda drive: drive.__name__)
def test_without_a_fault_nothing_is_seen(drive: Drive, tiny: Ratings) -> None:
    drive(DRIVES[drive], tiny)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_seen(name: str, tiny: Ratings) -> None:
    fault = FAULTS[name]
    with (
        planted(fault.owner, fault.function, fault.old, fault.new),
        pytest.raises((AssertionError, RuntimeError), match=fault.seen),
    ):
        fault.drive(fault.recipe, tiny)

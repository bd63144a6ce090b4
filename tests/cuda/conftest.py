"""The simulated device as a fixture, and the list of places where the host may wait for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cuda.rules import OUTSIDE
from tests.cuda.simulated import Device, simulated_cuda

# Where the host may wait for the device, and why. Any other place is a fault: a wait can cost a GPU more than the work
# that it interrupts.
MAY_WAIT = {
    # once, when a fit is set up
    "engine/als/ials.py:Ials.__init__": "the number of entries, and the sum of their squares",
    "engine/als/side.py:Side.__init__": "the sizes of the rows, by which batches are cut",
    "engine/als/side.py:Side._batches": "the same",
    "engine/bayes/chain.py:Chain.__init__": "mean and standard deviation of the ratings",
    "engine/bayes/gibbs.py:Group.of": "the basis of a group of features, in float64",
    "engine/bayes/gibbs.py:Sampler._side": "which rows have ratings",
    "engine/bayes/incidence.py:Incidence.__init__": "the sizes of the rows",
    "engine/bayes/incidence.py:Incidence._stretches": "the sizes of the rows, by which processes share them",
    "engine/bayes/incidence.py:implicit_basis": "the directions of the implicit sets",
    "engine/bayes/kept_draws.py:KeptDraws.__init__": "the features, which models keep on the CPU",
    "engine/bayes/prior_features.py:_log_counts": "the counts of rows that have ratings",
    "engine/inputs.py:Histories.of": "how many entries there are",
    "engine/inputs.py:Histories.value": "the rating scale",
    "engine/linear/ease.py:Ease._untrained": "the items that have weights",
    "engine/linear/ease.py:_ages": "how many entries there are",
    "engine/linear/ease.py:_dense_gram": "the sizes of the rows, by which parts are cut",
    # once in a window of the log, or an epoch
    "engine/gradient/train_loss.py:TrainLoss.settle": "the losses of the batches",
    "engine/metrics.py:score": "the validation loss",
    "engine/rankings.py:evaluate_rankings": "the lists of some users",
    "engine/rankings.py:top": "the ties in their lists",
    "engine/inputs.py:Histories.dense": "the number of entries of these users",
    "engine/linear/item_weights.py:ItemWeights.user_rows": "whether older ratings count less",
    # once in a block of the inverse, which takes far longer; without it nobody could stop the fit
    "engine/linear/inverse.py:invert": "whether a block is positive definite",
    # a few times in a sweep, which takes a tenth of a second and more
    "engine/als/ials.py:Ials._sweep": "the penalty of the factors",
    "engine/als/side.py:Side.solve": "by how much the factors lower the loss, and whether there were solutions",
    "engine/bayes/chain.py:Chain._score": "noise and coverage",
    "engine/bayes/gibbs.py:Regression.draw_prior": "the scatter of the rows, drawn from in float64",
    "engine/bayes/gibbs.py:Regression.draw_weights": "the size of the weights, for their precision",
    "engine/bayes/gibbs.py:Sampler.draw_noise": "the loss, and the size of the residuals",
    "engine/bayes/gibbs.py:Sampler._mean_of": "the loss",
    "engine/bayes/gibbs.py:draw_shape": "the noise precisions, for their shape",
    "engine/bayes/kept_draws.py:KeptDraws._aligned": "a draw to keep, which goes to the CPU",
    "engine/crossval.py:cross_validate": "the model of a fold, for whoever judges it",
    # once in a checkpoint or a snapshot, and at the end
    "engine/als/ials.py:Ials.state": "a checkpoint",
    "engine/bayes/chain.py:Chain.coverage": "the validation ratings, for a model on the CPU",
    "engine/bayes/chain.py:Chain.state": "a checkpoint",
    "engine/bayes/chain.py:Chain.validate": "the validation ratings, for a model on the CPU",
    "engine/gradient/trainer.py:Trainer.state": "a checkpoint",
    "engine/runs/weights.py:save_snapshot": "the factors of the items",
    "engine/runs/weights.py:save_weights": "the weights",
}


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """The simulated device. At the end of the test the host must not have waited anywhere but in ``MAY_WAIT``."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with simulated_cuda() as device:
        yield device
    unexpected_waits(device)


def unexpected_waits(device: Device) -> None:
    """Fails if the host waited for the device elsewhere than in ``MAY_WAIT``."""
    unexpected = set(device.waits) - {*MAY_WAIT, OUTSIDE}
    assert not unexpected, f"the host waits in {unexpected}"

"""``bayes`` where there is a GPU: the same posterior, and the same chain when it goes on."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load, save

from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.bayes.chain import Chain
from cftui.engine.fitting import Hooks
from cftui.engine.models.recipes import recipe

from ...settings import bayes_options

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

BAYES = recipe("bayes")


def chain(ratings: Ratings, device: str, **changes: object) -> Chain:
    options = bayes_options(BAYES, **{"epochs": 60, "factors": 8, **changes})
    return Chain(BAYES, options, ratings, split(ratings, "random", 0), torch.device(device))


def test_it_is_as_good_as_on_the_cpu(ratings: Ratings) -> None:
    """Other random numbers, so other draws: the same up to what a chain of this length is unsure of."""
    scores = []
    for device in ("cpu", "cuda"):
        one = chain(ratings, device)
        one.fit()
        scores.append(one.validate().mse)
        assert 0.88 < one.coverage() < 0.92
    assert scores[1] == pytest.approx(scores[0], abs=0.004)


def test_a_conditional_is_the_same_as_on_the_cpu(tiny: Ratings, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = chain(tiny, "cpu"), chain(tiny, "cuda")
    other._sampler.load_state(one._sampler.state())
    monkeypatch.setattr(torch, "randn", lambda *size, **how: torch.zeros(*size, **how))
    for some in (one, other):
        some._sampler.draw_rows(some._sampler.users, some._sampler.items)
        side = some._sampler.users
        side.prior.draw_weights(side.rows[side.rated])
    rows = [one._sampler.users.rows, other._sampler.users.rows]
    weights = [one._sampler.users.prior.groups, other._sampler.users.prior.groups]
    torch.testing.assert_close(rows[1].cpu(), rows[0], rtol=1e-3, atol=1e-4)
    for mine, theirs in zip(*weights, strict=True):
        torch.testing.assert_close(theirs.weights.cpu(), mine.weights, rtol=1e-2, atol=1e-3)


def test_it_goes_on_to_the_same_draws(tiny: Ratings) -> None:
    whole, first, second = (chain(tiny, "cuda", epochs=12) for _ in range(3))
    whole.fit()
    first.fit(Hooks(should_stop=lambda: first.step >= 5))
    second.load_state(load(save(first.state())))
    second.fit()
    one, two = whole.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)

"""``ease`` and ``ials`` on a GPU: the same model as on the CPU, to the precision of float32; skipped without one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.fitting import Hooks
from cftui.engine.models.recipes import RECIPES
from cftui.engine.rankings import predicted
from cftui.engine.training import fitter_for
from tests.settings import CHOOSING, options_for

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def fitted(name: str, ratings: Ratings, device: str, part: str = "random", **values: Any) -> Any:
    row = RECIPES[name]
    options = options_for(row, split=part, **values)
    fitter = fitter_for(row, options, ratings, split(ratings, part, options.seed), torch.device(device))
    assert fitter.fit(Hooks()) == "finished"
    return fitter


@pytest.mark.parametrize("name", CHOOSING)
def test_the_lists_are_those_of_the_cpu(name: str, ratings: Ratings) -> None:
    ours, theirs = (fitted(name, ratings, device, l2=200.0, factors=32) for device in ("cpu", "cuda"))
    assert theirs.validate().ndcg == pytest.approx(ours.validate().ndcg, abs=5e-3)
    users = np.arange(1, 200)
    one, other = (predicted(fitter.model)(users) for fitter in (ours, theirs))
    finite = torch.isfinite(one)
    assert torch.equal(finite, torch.isfinite(other))
    torch.testing.assert_close(other[finite], one[finite], rtol=0, atol=2e-3)


@pytest.mark.parametrize("name", CHOOSING)
def test_the_same_options_give_the_same_bits(name: str, tiny: Ratings) -> None:
    one, other = (fitted(name, tiny, "cuda", l2=20.0, factors=4).model.state_dict() for _ in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_search_and_a_fade_work_there(tiny: Ratings) -> None:
    assert fitted("ease", tiny, "cuda", part="time").step == 8

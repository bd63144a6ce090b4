"""The largest batch that is as accurate as 64 is found on training ratings alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cftui.cli.train_again import Settings, for_gpu
from cftui.cli.verb import Session
from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.gradient import batch_search
from cftui.engine.gradient.batch_search import largest_batch
from cftui.engine.models.recipes import RECIPES

CPU = torch.device("cpu")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches for a set of a few hundred ratings."""
    monkeypatch.setattr(batch_search, "REFERENCE", 4)
    monkeypatch.setattr(batch_search, "LEAST_STEPS", 4)


def search(ratings: Ratings, heard: list[str]) -> int:
    row = RECIPES["model4"]
    options = row.options(epochs=2, factors=4)
    return largest_batch(row, options, ratings, split(ratings, "random", 0), CPU, heard.append)  # type: ignore[arg-type]


@pytest.mark.usefixtures("small")
def test_batches_grow_until_one_is_less_accurate(tiny: Ratings, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(batch_search, "TOLERANCE", 1e9)
    widest = search(tiny, heard)
    assert widest == 4 ** len(heard)
    assert heard[0].startswith("--fast: batches of 4 come to ")
    # Of three batches, the last is too inaccurate.
    losses = [float(line.split()[6]) for line in heard]
    monkeypatch.setattr(batch_search, "TOLERANCE", -1e9)
    assert search(tiny, []) == 4
    assert len(losses) > 1


@pytest.mark.usefixtures("small")
def test_validation_ratings_say_nothing_in_it(tiny: Ratings) -> None:
    valid = split(tiny, "random", 0).valid
    changed = tiny.rating.copy()
    changed[valid] = tiny.rating_range[0] + tiny.rating_range[1] - changed[valid]
    before: list[str] = []
    after: list[str] = []
    assert search(tiny, before) == search(replace(tiny, rating=changed.astype(np.float32)), after)
    assert before == after


def test_a_cpu_and_other_methods_keep_their_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(str(tmp_path))
    for name in ("model4", "ials"):
        settings = Settings(RECIPES[name], RECIPES[name].options(), "tiny")
        assert for_gpu(session, settings, True, CPU) is settings
    gpu = torch.device("cuda", 0)
    settings = Settings(RECIPES["ials"], RECIPES["ials"].options(), "tiny")
    assert for_gpu(session, settings, True, gpu) is settings
    settings = Settings(RECIPES["model4"], RECIPES["model4"].options(), "tiny")
    assert for_gpu(session, settings, False, gpu) is settings
    assert "a CPU is faster; --fast finds" in capsys.readouterr().err

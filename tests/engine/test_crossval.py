"""Cross-validation: each fold is a training of its own, and nothing is left behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import Split, folds, split
from cftui.engine.crossval import FoldScore, cross_validate
from cftui.engine.fitting import Diverged
from cftui.engine.gradient.trainer import Trainer
from cftui.engine.models.recipes import recipe
from cftui.errors import CftuiError

from ..settings import gradient_options

CPU = torch.device("cpu")
OPTIONS = gradient_options(recipe("model4"), epochs=3, bs=16, factors=8, seed=4)


def test_each_fold_scores_as_a_training_on_it_does(tiny: Ratings) -> None:
    found: list[FoldScore[None]] = list(cross_validate(recipe("model4"), OPTIONS, tiny, folds(tiny, 3, 4), CPU))
    assert [fold.name for fold in found] == ["fold1of3", "fold2of3", "fold3of3"]
    for fold in found:
        trainer = Trainer(recipe("model4"), OPTIONS, tiny, split(tiny, fold.name, 4), CPU)
        trainer.fit()
        assert fold.score == trainer.validate()
        assert fold.seconds > 0
    assert len({fold.score.mse for fold in found}) == 3


def test_the_score_is_that_of_the_weights_that_were_kept(tiny: Ratings) -> None:
    # At this rate the first epochs are better than the last.
    options = dataclasses.replace(OPTIONS, epochs=12, lr=0.5, wd=0.0, keep_best=True)
    best: FoldScore[None]
    (best,) = cross_validate(recipe("model3"), options, tiny, [split(tiny, "random", 4)], CPU)
    last_options = dataclasses.replace(options, keep_best=False)
    last: FoldScore[None]
    (last,) = cross_validate(recipe("model3"), last_options, tiny, [split(tiny, "random", 4)], CPU)
    assert best.score.mse < last.score.mse


def test_folds_come_as_they_end_and_are_made_as_they_are_needed(tiny: Ratings) -> None:
    made: list[str] = []

    def parts() -> Iterator[Split]:
        for part in folds(tiny, 3):
            made.append(part.name)
            yield part

    scores: Iterator[FoldScore[None]] = cross_validate(recipe("model1"), OPTIONS, tiny, parts(), CPU)
    assert next(scores).name == "fold1of3"
    assert made == ["fold1of3"]


def test_a_stop_drops_the_fold_in_hand(tiny: Ratings) -> None:
    stop: list[bool] = []
    scores: Iterator[FoldScore[None]] = cross_validate(
        recipe("model1"), OPTIONS, tiny, folds(tiny, 3), CPU, lambda: bool(stop)
    )
    assert next(scores).name == "fold1of3"
    stop.append(True)
    assert not list(scores)
    assert not list(cross_validate(recipe("model1"), OPTIONS, tiny, folds(tiny, 3), CPU, lambda: True))


def test_a_stop_in_the_middle_of_a_fold_is_no_result(tiny: Ratings) -> None:
    asked = 0

    def soon() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    assert not list(cross_validate(recipe("model1"), OPTIONS, tiny, folds(tiny, 3), CPU, soon))
    assert asked == 6


def test_a_fold_starts_once_its_options_are_known_to_fit(tiny: Ratings) -> None:
    started: list[str] = []

    def start(fold: Split) -> None:
        started.append(fold.name)

    too_large = dataclasses.replace(OPTIONS, bs=4096)
    with pytest.raises(CftuiError, match="batch size 4096"):
        list(cross_validate(recipe("model1"), too_large, tiny, folds(tiny, 3), CPU, on_start=start))
    assert not started
    scores: Iterator[FoldScore[None]] = cross_validate(
        recipe("model1"), OPTIONS, tiny, folds(tiny, 3), CPU, on_start=start
    )
    assert next(scores).name == "fold1of3"
    assert started == ["fold1of3"]


def test_a_failure_names_the_fold(tiny: Ratings, monkeypatch: pytest.MonkeyPatch) -> None:
    wild = dataclasses.replace(OPTIONS, lr=900.0)
    with pytest.raises(Diverged, match=r"^fold1of3: .*try a lower --lr"):
        list(cross_validate(recipe("model1"), wild, tiny, folds(tiny, 3), CPU))

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Trainer, "fit", full)
    with pytest.raises(CftuiError, match="fold1of3: out of memory on cpu; try a smaller --bs"):
        list(cross_validate(recipe("model1"), OPTIONS, tiny, folds(tiny, 3), CPU))

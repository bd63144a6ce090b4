"""A run's lists beside popularity's: judged once, kept with the run, judged anew when it has been trained further."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cftui.analysis.evaluation import beside_popularity
from cftui.analysis.evaluation.beside_popularity import lists_of
from cftui.analysis.evaluation.lists import difference
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.engine.list_baselines import beside_baselines
from cftui.engine.rankings import predicted
from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.summaries import summarise


@pytest.fixture
def model(tiny_runs, tmp_path: Path) -> TrainedModel:
    _, runs = tiny_runs
    run = RunFolder(shutil.copytree(runs["model4"].path, tmp_path / runs["model4"].name))
    run.lists_file.unlink(missing_ok=True)
    return TrainedModel.load(run)


def test_the_figures_are_those_of_the_evaluation(model: TrainedModel, tiny: Ratings) -> None:
    lists = lists_of(model, tiny)
    found = beside_baselines(tiny, model.split(tiny), {"model": predicted(model.module)}, k=10)
    versus = difference(found, "model", "popularity")
    assert lists is not None
    assert (lists.ndcg, lists.popularity) == (versus.first, versus.second)
    assert (lists.low, lists.high, lists.users) == (versus.of.low, versus.of.high, versus.users)


def test_they_are_judged_once_until_the_run_is_trained_further(
    model: TrainedModel, tiny: Ratings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = lists_of(model, tiny)
    assert lists is not None
    run = model.folder()
    assert summarise(run).result.lists == lists
    with monkeypatch.context() as patch:
        patch.setattr(beside_popularity, "evaluate_rankings", None)
        assert lists_of(model, tiny) == lists
    later = run.lists_file.stat().st_mtime + 10
    os.utime(run.events_file, (later, later))
    assert run.lists() is None
    assert summarise(run).result.lists is None


def test_without_relevant_ratings_there_is_nothing_to_say(model: TrainedModel, tiny: Ratings) -> None:
    assert lists_of(replace(model, options=replace(model.options, split="none")), tiny) is None
    assert not model.folder().lists_file.exists()


def test_a_model_in_memory_and_a_full_disk_are_judged_all_the_same(
    model: TrainedModel, tiny: Ratings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    lists = lists_of(replace(model, run=None), tiny)
    monkeypatch.setattr(beside_popularity.Lists, "write", full)
    assert lists == lists_of(model, tiny) is not None

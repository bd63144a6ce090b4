"""Runs as points: the figures are those of ``eval``, each run is judged once, and what is damaged is judged again."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest

from cftui.analysis.evaluation import list_points as points
from cftui.analysis.evaluation.list_points import list_points
from cftui.analysis.evaluation.lists import beyond
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.engine.list_baselines import beside_baselines
from cftui.engine.rankings import predicted
from cftui.engine.runs.folder import find
from cftui.errors import CftuiError
from cftui.home import Home


@pytest.fixture
def own(tiny_runs, tmp_path) -> Home:
    """Three runs, one of each kind, that may be spoilt."""
    home = Home(tmp_path / "own")
    for name in ("ease", "ials", "model4"):
        shutil.copytree(tiny_runs[1][name].path, home.models / f"{name}.run")
    return home


def test_the_figures_are_those_of_the_evaluation(own: Home, tiny: Ratings) -> None:
    models = {name: TrainedModel.load(find(own, name)) for name in ("ease.run", "ials.run", "model4.run")}
    model = models["ease.run"]
    parts = model.split(tiny)
    scorers = {name: predicted(one.module) for name, one in models.items()}
    judged = beside_baselines(tiny, parts, scorers)
    found = {one.name: one for one in list_points(model, tiny, own)}
    assert [*found] == ["popularity", "item kNN", "ease.run", "ials.run", "model4.run"]
    for name, one in found.items():
        key = {"item kNN": "item_knn"}.get(name, name)
        assert one.ndcg == pytest.approx(judged.rankings[key].ndcg)
        assert one.novelty == pytest.approx(beyond(tiny, parts, judged, key).novelty)
        assert one.recipe == ("" if name in ("popularity", "item kNN") else name.split(".")[0])


def test_a_run_is_judged_once_until_it_is_trained_again(own: Home, tiny: Ratings, monkeypatch) -> None:
    model = TrainedModel.load(find(own, "ease.run"))
    before = [*list_points(model, tiny, own)]
    with monkeypatch.context() as patch:
        patch.setattr(points, "evaluate_rankings", None)
        assert [*list_points(model, tiny, own)] == before
    judged: list[list[str]] = []
    judge = points.evaluate_rankings

    def note(*args, **kwargs):
        judged.append([*args[2]])
        return judge(*args, **kwargs)

    monkeypatch.setattr(points, "evaluate_rankings", note)
    file = own.models / "ials.run" / "point.json"
    for spoil in ("", "[]", '{"model": {"ndcg": "a", "novelty": 1}}', json.dumps({"model": {"ndcg": 1, "novelty": 1}})):
        file.write_text(spoil)
        assert [*list_points(model, tiny, own)] == before
    later = file.stat().st_mtime + 10
    os.utime(own.models / "model4.run" / "events.jsonl", (later, later))
    assert [*list_points(model, tiny, own)] == before
    # The baselines were known from the other runs each time.
    assert judged == [["model"]] * 5
    shutil.rmtree(own.models / "ials.run")
    assert [one.name for one in list_points(model, tiny, own)] == ["popularity", "item kNN", "ease.run", "model4.run"]


def test_runs_on_other_ratings_or_that_cannot_be_loaded_are_left_out(own: Home, tiny: Ratings) -> None:
    model = TrainedModel.load(find(own, "ease.run"))
    (own.models / "ials.run" / "weights.safetensors").write_bytes(b"damaged")
    assert [one.name for one in list_points(model, tiny, own)][2:] == ["ease.run", "model4.run"]
    other = replace(model, options=replace(model.options, seed=8))
    assert [one.name for one in list_points(other, tiny, own)] == ["popularity", "item kNN"]
    with pytest.raises(CftuiError, match="split none holds back nothing that is relevant"):
        next(list_points(replace(model, options=replace(model.options, split="none")), tiny, own))


def test_a_full_disk_does_not_keep_the_figures_from_being_shown(own: Home, tiny: Ratings, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(points, "write_json", full)
    assert len([*list_points(TrainedModel.load(find(own, "ease.run")), tiny, own)]) == 5

"""The evaluation of a run as tables: the same figures as ``cftui eval``, and the errors that are worst."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cftui.analysis.evaluation import accuracy
from cftui.analysis.evaluation.report import evaluation
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.engine.list_baselines import beside_baselines
from cftui.engine.rankings import predicted


@pytest.mark.parametrize("name", ["ease", "model4", "bayes"])
def test_the_tables_hold_what_is_measured(name: str, tiny_runs, tiny: Ratings) -> None:
    model = TrainedModel.load(tiny_runs[1][name])
    sections = {section.title.split(",")[0].split(" of ")[0]: section for section in evaluation(model, tiny)}
    lists = sections["lists"].rows
    found = beside_baselines(tiny, model.split(tiny), {"model": predicted(model.module)})
    assert [row["list"] for row in lists] == ["this run", "popularity", "item kNN", "chance"]
    assert lists[0]["NDCG"] == f"{found.rankings['model'].ndcg:.3f}"
    assert sections["lists"].note
    assert ("errors" in sections) == (name != "ease")
    assert any("validation ratings lie" in one.title for one in evaluation(model, tiny)) == (name == "bayes")
    if name == "ease":
        return
    assert sections["errors"].rows[1]["MSE"] == f"{accuracy.evaluate(model, tiny)['valid'].mse:.4f}"
    valid = model.split(tiny).valid
    errors = np.abs(model.predict(tiny.user[valid], tiny.item[valid]) - tiny.rating[valid])
    worst = sections["the worst errors"].rows[0]
    assert abs(float(worst["predicted"]) - float(worst["gave"])) == pytest.approx(errors.max(), abs=0.006)


def test_without_anything_held_back_it_says_so(tiny_runs, tiny: Ratings) -> None:
    model = TrainedModel.load(tiny_runs[1]["ease"])
    (only,) = evaluation(replace(model, options=replace(model.options, split="none")), tiny)
    assert "holds nothing back" in only.title
    assert only.rows == []

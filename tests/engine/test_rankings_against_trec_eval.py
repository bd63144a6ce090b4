"""The metrics against trec_eval, by its Python binding pytrec_eval."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval

from cftui.analysis.evaluation.protocols import PROTOCOLS
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.rankings import evaluate_rankings, predicted


@pytest.mark.parametrize("name", ["ease", "model4"])
@pytest.mark.parametrize("k", [1, 3, 10])
def test_every_metric_is_that_of_trec_eval(name: str, k: int, tiny_runs, tiny: Ratings) -> None:
    model, parts = TrainedModel.load(tiny_runs[1][name]), split(tiny, "random", 0)
    found = evaluate_rankings(tiny, parts, {"model": predicted(model.module)}, k=k)
    lists = found.lists["model"].items
    run = {
        str(user): {str(item): float(-place) for place, item in enumerate(row) if item > 0}
        for user, row in zip(found.codes, lists, strict=True)
    }
    train = set(zip(tiny.user[parts.train], tiny.item[parts.train], strict=True))
    wanted: dict[str, dict[str, int]] = {}
    for row in parts.valid:
        user, item = tiny.user[row], tiny.item[row]
        if tiny.rating[row] >= 4 and (user, item) not in train:
            wanted.setdefault(str(user), {})[str(item)] = 1
    assert wanted.keys() == run.keys()
    measures = {f"P_{k}", f"recall_{k}", f"ndcg_cut_{k}", f"success_{k}", f"map_cut_{k}", "recip_rank"}
    judge = pytrec_eval.RelevanceEvaluator(
        wanted, {f"P.{k}", f"recall.{k}", f"ndcg_cut.{k}", f"success.{k}", f"map_cut.{k}", "recip_rank"}
    )
    users = judge.evaluate(run)
    theirs = {measure: np.mean([user[measure] for user in users.values()]) for measure in measures}
    ours = found.rankings["model"].as_json()
    for metric, measure in {
        "precision": f"P_{k}",
        "recall": f"recall_{k}",
        "ndcg": f"ndcg_cut_{k}",
        "mrr": "recip_rank",
        "hit_rate": f"success_{k}",
    }.items():
        assert ours[metric] == pytest.approx(theirs[measure]), metric
    # trec_eval divides by the number of relevant items, as the protocol `recommenders` does.
    by_relevant = PROTOCOLS["recommenders"].figures(found, "model")["map_r"]
    assert by_relevant == pytest.approx(theirs[f"map_cut_{k}"])

"""The metrics against an independent package, where it is installed: pip install rectools."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cftui.analysis.evaluation.lists import beyond
from cftui.analysis.evaluation.protocols import PROTOCOLS
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.rankings import evaluate_rankings, predicted


@pytest.mark.parametrize("name", ["ease", "model4"])
@pytest.mark.parametrize("k", [1, 3, 10])
def test_every_metric_is_that_of_rectools(name: str, k: int, tiny_runs, tiny: Ratings) -> None:
    metrics = pytest.importorskip("rectools.metrics")
    model, parts = TrainedModel.load(tiny_runs[1][name]), split(tiny, "random", 0)
    found = evaluate_rankings(tiny, parts, {"model": predicted(model.module)}, k=k)
    lists = found.lists["model"].items
    recommended = pd.DataFrame(
        {
            "user_id": np.repeat(found.codes, k),
            "item_id": lists.ravel(),
            "rank": np.tile(np.arange(1, k + 1), len(lists)),
        }
    )
    seen = set(zip(tiny.user[parts.train], tiny.item[parts.train], strict=True))
    rows = [row for row in parts.valid if tiny.rating[row] >= 4 and (tiny.user[row], tiny.item[row]) not in seen]
    held = pd.DataFrame({"user_id": tiny.user[rows], "item_id": tiny.item[rows]}).drop_duplicates()
    theirs = {
        "precision": metrics.Precision(k=k),
        "recall": metrics.Recall(k=k),
        "ndcg": metrics.NDCG(k=k, divide_by_achievable=True),
        "mrr": metrics.MRR(k=k),
        "hit_rate": metrics.HitRate(k=k),
    }
    ours = found.rankings["model"].as_json()
    for metric, one in theirs.items():
        assert ours[metric] == pytest.approx(one.calc(recommended, held)), metric
    # RecTools divides by the number of relevant items, as recommenders does.
    by_r = PROTOCOLS["recommenders"].figures(found, "model")["map_r"]
    assert by_r == pytest.approx(metrics.MAP(k=k).calc(recommended, held))
    train = pd.DataFrame({"user_id": tiny.user[parts.train], "item_id": tiny.item[parts.train]}).drop_duplicates()
    novelty = metrics.MeanInvUserFreq(k=k).calc(recommended, train)
    # Theirs is a mean over users of the mean over a list; every list here is full.
    if (lists > 0).all():
        assert beyond(tiny, parts, found, "model").novelty == pytest.approx(novelty)

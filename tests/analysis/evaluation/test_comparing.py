"""Which of two runs is better: the winner is named, chance is named, and what cannot be compared is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cftui.analysis.evaluation.comparing import Comparison, compare
from cftui.analysis.evaluation.lists import Difference, Interval, bootstrap
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.errors import CftuiError


def difference(first: float, second: float, low: float, high: float, metric: str = "mse") -> Difference:
    return Difference(metric, 900, first, second, Interval(first - second, low, high), 0.4, 0.3)


@pytest.mark.parametrize(
    ("loss", "kind", "words"),
    [
        (difference(0.764, 0.827, -0.07, -0.05), "good", "A predicts better than B by 7.6 %, more than chance"),
        (difference(0.827, 0.764, 0.05, 0.07), "good", "B predicts better than A by 7.6 %, more than chance"),
        (difference(0.827, 0.8266, -0.01, 0.02), "neutral", "whether A or B predicts better may be chance"),
    ],
)
def test_the_lower_loss_wins_if_its_interval_says_so(loss: Difference, kind: str, words: str) -> None:
    (remark,) = Comparison("A", "B", loss, None).remarks
    assert remark.kind == kind
    assert remark.words.startswith(words)
    assert "900 users" in remark.words


def test_the_higher_ndcg_wins_and_the_winners_figure_comes_first() -> None:
    (remark,) = Comparison("A", "B", None, difference(0.129, 0.393, -0.3, -0.2, "ndcg")).remarks
    assert "B recommends better than A by 204.7 %, more than chance: NDCG@10 .393 against .129" in remark.words


def test_two_runs_are_compared_by_loss_only_if_both_predict_ratings(tiny_runs, tiny: Ratings) -> None:
    _, runs = tiny_runs
    model4, model1, ease = (TrainedModel.load(runs[name]) for name in ("model4", "model1", "ease"))
    found = compare(model4, model1, tiny)
    assert found.loss is not None
    assert found.loss.first == pytest.approx(runs["model4"].history().last["valid_loss"], rel=1e-5)
    assert found.loss.second == pytest.approx(runs["model1"].history().last["valid_loss"], rel=1e-5)
    assert found.loss.of.mean == pytest.approx(found.loss.first - found.loss.second)
    other = compare(model4, ease, tiny)
    assert other.loss is None
    assert [row["what"] for row in other.rows()] == ["lists: NDCG@10"]
    same = compare(model4, replace(model4, name="again"), tiny)
    assert all("may be chance" in remark.words for remark in same.remarks)


def test_runs_on_other_ratings_are_not_compared(tiny_runs, tiny: Ratings) -> None:
    _, runs = tiny_runs
    model = TrainedModel.load(runs["model4"])
    other = replace(model, name="o", options=replace(model.options, split="u1", seed=9))
    with pytest.raises(CftuiError, match=r"model4.run and o differ in their split and seed"):
        compare(model, other, tiny)
    none = replace(model, options=replace(model.options, split="none"))
    with pytest.raises(CftuiError, match="holds no ratings back"):
        compare(none, none, tiny)


def test_sums_of_users_are_resampled_with_their_counts() -> None:
    sums, counts = np.array([4.0, 1.0, 9.0]), np.array([4, 1, 3])
    found = bootstrap(sums, counts)
    assert found.mean == 14 / 8
    assert 1 <= found.low <= found.mean <= found.high <= 3
    assert bootstrap(np.array([1.0, 3.0]), np.array([1, 1])) == bootstrap(np.array([1.0, 3.0]))

"""EASE against its formula, its search, the items it keeps, and the fade of older ratings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from cftui.analysis import ranking
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import folding
from cftui.data.ratings import Ratings
from cftui.data.splits import Split, inner_alike, split
from cftui.engine.fitting import Diverged, Hooks
from cftui.engine.inputs import input_values
from cftui.engine.linear import ease as fitting
from cftui.engine.linear.ease import LAMBDAS, Ease
from cftui.engine.linear.inverse import invert
from cftui.engine.models.recipes import RECIPES
from cftui.engine.rankings import quick_ndcg
from cftui.errors import CftuiError

CPU = torch.device("cpu")


def fitted(ratings: Ratings, part: Split, emit: Any = lambda event: None, **values: Any) -> Ease:
    row = RECIPES["ease"]
    fitter = Ease(row, row.options(split=part.name, **values), ratings, part, CPU)  # type: ignore[arg-type]
    assert fitter.fit(Hooks(emit=emit)) == "finished"
    return fitter


@pytest.mark.parametrize("block", [1, 3, 7, 64])
def test_the_inverse_is_that_of_the_whole_matrix(block: int) -> None:
    rows = torch.randn(30, 17, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix = rows.T @ rows + torch.eye(17, dtype=torch.float64)
    found = matrix.clone()
    assert invert(found, block=block)
    torch.testing.assert_close(found, torch.linalg.inv(matrix))
    asked: list[int] = []
    assert not invert(matrix.clone(), lambda: len(asked) > 1 or bool(asked.append(1)), block=1)
    with pytest.raises(torch.linalg.LinAlgError):
        invert(-torch.eye(4))


@pytest.mark.parametrize("graded", [True, False])
def test_the_weights_are_those_of_the_formula(graded: bool, tiny: Ratings) -> None:
    part = split(tiny, "random", 0)
    model = fitted(tiny, part, l2=7.0, graded=graded).model
    x = np.zeros((len(tiny.users), len(tiny.items)))
    for row in part.train:
        value = float(input_values(torch.tensor(tiny.rating[row]), (1, 5), graded))
        at = tiny.user[row], tiny.item[row]
        x[at] = max(x[at], value)
    rated = np.unique(tiny.item[part.train])
    precision = np.linalg.inv(x[:, rated].T @ x[:, rated] + 7.0 * np.eye(len(rated)))
    wanted = np.eye(len(rated)) - precision / np.diag(precision)
    np.testing.assert_array_equal(model.kept, rated)
    np.testing.assert_allclose(model.weights, wanted, atol=1e-4)
    np.testing.assert_allclose(model.user_rows(torch.arange(len(tiny.users))), x, atol=1e-6)
    scores = model.score_rows(torch.from_numpy(x).float())
    np.testing.assert_allclose(scores[:, rated], x[:, rated] @ wanted, atol=1e-3)
    others = np.setdiff1d(np.arange(len(tiny.items)), rated)
    assert torch.isneginf(scores[:, others]).all()


def test_grades_follow_the_curve_on_any_scale() -> None:
    stars = input_values(torch.tensor([1.0, 2, 3, 4, 5]), (1, 5)).tolist()
    assert stars == pytest.approx([0, 0.1035, 0.5, 0.8965, 1], abs=1e-4)
    assert input_values(torch.tensor([0.0, 50, 100]), (0, 100)).tolist() == pytest.approx([0, 0.5, 1])
    assert input_values(torch.tensor([3.0, 3]), (3, 3)).tolist() == [1, 1]
    assert input_values(torch.tensor([1.0, 5]), (1, 5), graded=False).tolist() == [1, 1]


def test_lambda_is_searched_for_within_the_training_ratings(ratings: Ratings) -> None:
    part = split(ratings, "random", 0)
    events: list[Any] = []
    fitter = fitted(ratings, part, events.append)
    trials = [event for event in events if event["event"] == "trial"]
    assert [trial["l2"] for trial in trials] == list(LAMBDAS)
    inside = inner_alike(ratings, part)
    one = fitted(ratings, inside, l2=LAMBDAS[3])
    assert trials[3]["ndcg"] == pytest.approx(quick_ndcg(one.model, ratings, inside))
    l2, fades = fitter.chosen
    best = max(trials, key=lambda trial: trial["ndcg"])["l2"]
    assert best / math.sqrt(2) <= l2 <= best * math.sqrt(2)
    assert not fades
    assert events[-1]["l2"] == l2
    assert events[-1]["left_out"] == 0


def test_the_most_rated_items_are_kept_and_the_rest_counted(tiny: Ratings) -> None:
    part = split(tiny, "random", 0)
    events: list[Any] = []
    model = fitted(tiny, part, events.append, l2=5.0, items=6).model
    counts = np.bincount(tiny.item[part.train], minlength=len(tiny.items))
    assert counts[model.kept].min() >= np.sort(counts)[-6]
    assert len(model.kept) == 6
    assert events[-1]["left_out"] == (counts > 0).sum() - 6
    row = RECIPES["ease"]
    trained = TrainedModel.fitted(model, row, row.options(l2=5.0), tiny, name="e", valid_loss=None, device="cpu")
    left = int(np.setdiff1d(np.arange(1, len(tiny.items)), model.kept)[0])
    with pytest.raises(CftuiError, match="too few ratings to be among the movies with weights"):
        ranking.similar(trained, left)


def test_a_lambda_that_is_too_small_for_the_ratings_says_so(tiny: Ratings, monkeypatch) -> None:
    def fails(*given: Any) -> bool:
        raise torch.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(fitting, "invert", fails)
    with pytest.raises(Diverged, match=r"lambda 1e-30 is too small for these ratings; use a larger one"):
        fitted(tiny, split(tiny, "random", 0), l2=1e-30)


def test_with_a_fade_the_newest_ratings_count_most_and_a_fold_in_in_that_order_agrees(tiny: Ratings) -> None:
    part = split(tiny, "time")
    model = fitted(tiny, part, l2=5.0, fade=True).model
    plain = fitted(tiny, part, l2=5.0, fade=False).model
    row = RECIPES["ease"]
    trained = TrainedModel.fitted(model, row, row.options(l2=5.0), tiny, name="e", valid_loss=None, device="cpu")
    assert torch.equal(model.weights, plain.weights)
    for user in (1, 7, 12):
        rows = part.train[tiny.user[part.train] == user]
        rows = rows[np.argsort(tiny.timestamp[rows], kind="stable")]
        faded, whole = model.user_rows(torch.tensor([user]))[0], plain.user_rows(torch.tensor([user]))[0]
        newest = tiny.item[rows[-1]]
        assert faded[newest] == whole[newest]
        assert (faded <= whole).all()
        assert (faded >= 0.5 * whole).all()
        folded = folding.fold_in(trained, tiny.item[rows], tiny.rating[rows])
        np.testing.assert_allclose(folded, faded, atol=1e-6)


def test_a_fade_is_tried_where_the_split_is_by_time(ratings: Ratings) -> None:
    events: list[Any] = []
    fitted(ratings, split(ratings, "time"), events.append, l2=200.0)
    assert [event["event"] for event in events] == ["trial", "epoch"]
    assert events[-1]["fade"]
    # Measured beside: 0.200 without a fade.
    assert events[-1]["ndcg"] > 0.205

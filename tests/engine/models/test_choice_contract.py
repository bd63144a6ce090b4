"""What every recipe owes that learns what people choose and predicts no ratings. A new row is tested by being there."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from cftui.analysis import ranking
from cftui.analysis.evaluation import accuracy
from cftui.analysis.explain.explaining import explain
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import folding, people
from cftui.data.ratings import Ratings, Unrated
from cftui.data.splits import split
from cftui.engine.fitting import Fitter, Hooks
from cftui.engine.inputs import Histories
from cftui.engine.models.recipes import RECIPES
from cftui.engine.rankings import evaluate_rankings, popularity, predicted
from cftui.engine.runs.folder import RunFolder
from cftui.engine.training import fitter_for, resume, train
from cftui.errors import CftuiError
from cftui.home import Home
from tests.settings import CHOOSING, options_for

CPU = torch.device("cpu")
SETTINGS = {"epochs": 4, "factors": 8, "seed": 4}


def fitted(name: str, ratings: Ratings, emit: Callable[[Any], None] = lambda event: None, **changes: Any) -> Fitter:
    options = options_for(RECIPES[name], **{**SETTINGS, **changes})
    fitter = fitter_for(RECIPES[name], options, ratings, split(ratings, options.split, options.seed), CPU)
    assert fitter.fit(Hooks(emit=emit)) == "finished"
    return fitter


def state(fitter: Fitter) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in fitter.model.state_dict().items()}


def identical(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", CHOOSING)
class TestEveryRecipeThatChooses:
    def test_its_epochs_report_ndcg_and_no_loss_of_ratings(self, name: str, tiny: Ratings) -> None:
        events: list[Any] = []
        fitter = fitted(name, tiny, events.append)
        epochs = [event for event in events if event["event"] == "epoch"]
        assert len(epochs) == fitter.options.length
        for event in epochs:
            assert event["valid_loss"] is event["rmse"] is event["mae"] is None
            assert 0 < event["ndcg"] <= 1
        parts = split(tiny, "random", 4)
        found = evaluate_rankings(tiny, parts, {"model": predicted(fitter.model)})
        assert epochs[-1]["ndcg"] == found.rankings["model"].ndcg

    def test_the_same_options_give_identical_weights(self, name: str, tiny: Ratings) -> None:
        first = fitted(name, tiny)
        torch.rand(7)  # what others draw must not matter
        assert identical(state(first), state(fitted(name, tiny)))
        assert not identical(state(first), state(fitted(name, tiny, graded=False)))

    def test_a_run_folder_loads_to_the_model_that_was_fitted(self, name: str, tiny_runs, tiny: Ratings) -> None:
        model = TrainedModel.load(tiny_runs[1][name])
        assert identical(dict(model.module.state_dict()), state(fitted(name, tiny, epochs=2, seed=0)))
        assert model.valid_loss is None
        assert model.ndcg == tiny_runs[1][name].history().ending["ndcg"]

    def test_a_run_from_before_counts_and_fades_opens(self, name: str, tiny_runs, tmp_path: Path) -> None:
        run = RunFolder(Path(shutil.copytree(tiny_runs[1][name].path, tmp_path / "older")))
        kept = load(run.weights_file.read_bytes())
        older = {
            key: value for key, value in kept.items() if not key.endswith(("counted", "fades", "recency", "unrated"))
        }
        assert len(older) < len(kept)
        run.weights_file.write_bytes(save(older))
        model, wanted = TrainedModel.load(run), TrainedModel.load(tiny_runs[1][name])
        np.testing.assert_array_equal(model.scores(model.user_row(3)), wanted.scores(wanted.user_row(3)))

    def test_stopped_anywhere_and_resumed_ends_like_never_interrupted(self, name: str, tiny_home: Home) -> None:
        options = options_for(RECIPES[name], **SETTINGS)
        whole = train(tiny_home, RECIPES[name], options, data="tiny", device=CPU, name="whole")
        for after in (0, 1, 3):
            asked = itertools.count()

            def stop(asked: Iterator[int] = asked, most: int = 2 * after) -> bool:
                return next(asked) > most

            run = train(
                tiny_home,
                RECIPES[name],
                options,
                data="tiny",
                device=CPU,
                name=f"stopped-{after}",
                stop_requested=stop,
            )
            assert run.status() == "stopped"
            resume(tiny_home, run, device=CPU)
            assert run.status() == "done"
            ours, theirs = (TrainedModel.load(one).module.state_dict() for one in (run, whole))
            assert identical(dict(ours), dict(theirs))

    def test_scores_of_many_users_are_those_of_each_row(self, name: str, tiny_runs, tiny: Ratings) -> None:
        model = TrainedModel.load(tiny_runs[1][name])
        together = predicted(model.module)(np.arange(len(tiny.users)))
        for user in range(len(tiny.users)):
            np.testing.assert_allclose(model.scores(model.user_row(user)), together[user], rtol=0, atol=1e-6)

    def test_terms_sum_to_the_score_and_name_the_users_own_ratings(self, name: str, tiny_runs, tiny: Ratings) -> None:
        home, runs = tiny_runs
        model = TrainedModel.load(runs[name])
        train_rows = split(tiny, "random", 0).train
        for user in (1, 7, 12):
            who = people.person(model, tiny, home, model.users.classes[user])
            mine = {int(tiny.item[row]) for row in train_rows if tiny.user[row] == user}
            for item in (3, 11):
                found = explain(model, who.row, item, who=who)
                assert not found.rates
                assert abs(found.error) < 1e-6
                assert {term.index for term in found.terms} <= mine
                for term in found.terms:
                    assert term.name == f"{model.titles[term.index or 0]} {who.rating(term.index or 0):g}"

    def test_folding_in_a_training_users_ratings_gives_that_users_row(self, name: str, tiny_runs, tiny) -> None:
        model = TrainedModel.load(tiny_runs[1][name])
        rows = split(tiny, "random", 0).train
        for user in (1, 7, 12):
            mine = rows[tiny.user[rows] == user]
            row = folding.fold_in(model, tiny.item[mine], tiny.rating[mine])
            np.testing.assert_allclose(row, model.user_row(user), rtol=0, atol=1e-5)

    def test_what_was_chosen_without_a_rating_is_worth_the_mean_of_the_ratings(self, name: str, tiny: Ratings) -> None:
        parts = split(tiny, "random", 4)
        train = parts.train
        user = int(tiny.user[train[0]])
        mine = train[tiny.user[train] == user]
        free = next(code for code in range(1, len(tiny.items)) if code not in tiny.item[tiny.user == user])
        latest = int(tiny.timestamp[mine].max())
        for at, known in ((latest, True), (latest + 1, False)):
            more = Unrated(np.array([user]), np.array([free]), np.array([at]))
            fitter = fitted(name, replace(tiny, unrated=more), seed=4)
            histories = fitter.model.histories
            assert isinstance(histories, Histories)
            items, values = histories.of_user(user)
            worth = dict(zip(items.tolist(), values.tolist(), strict=True))
            assert (free in worth) is known
            if known:
                rated = histories.value(torch.from_numpy(tiny.rating[train]))
                assert worth[free] == pytest.approx(rated.mean().item())
            assert identical(state(fitter), state(fitted(name, tiny))) is not known

    def test_what_was_chosen_without_a_rating_is_not_recommended(self, name: str, tiny_runs, tiny: Ratings) -> None:
        home, runs = tiny_runs
        model = TrainedModel.load(runs[name])
        before = people.person(model, tiny, home, 7)
        best = int(ranking.recommend(model, before, 1)["code"][0])
        more = Unrated(np.array([model.users.code(7) or 0]), np.array([best]), np.array([0]))
        who = people.person(model, replace(tiny, unrated=more), home, 7)
        assert int(ranking.recommend(model, who, 1)["code"][0]) != best
        assert who.rating(best) is None
        assert who.mean == before.mean
        assert people.rated(model, who)["rating"].isna().sum() == 1

    def test_a_like_without_a_rating_makes_a_user(self, name: str, tiny_runs, tiny: Ratings) -> None:
        model = TrainedModel.load(tiny_runs[1][name])
        items, given = np.array([2, 9, 14]), np.array([5, np.nan, 1], np.float32)
        who = people.folded(model, "me", items, given)
        best = float(tiny.rating.max())
        np.testing.assert_array_equal(who.row, folding.fold_in(model, items, np.array([5, best, 1], np.float32)))
        assert people.pulls(model, who, 5)["rating"].isna().sum() == 1
        explained = explain(model, who.row, 5, who=who)
        assert abs(explained.error) < 1e-6
        assert model.titles[9] in [term.name for term in explained.terms]

    def test_each_rating_of_a_new_user_adds_its_pull(self, name: str, tiny_runs) -> None:
        model = TrainedModel.load(tiny_runs[1][name])
        items, given = np.array([2, 9, 14]), np.array([5, 1, 4], np.float32)
        who = people.folded(model, "me", items, given)
        pulls = folding.pulls(model, items, given, 5)
        assert pulls.shape == (3,)
        assert pulls.sum() == pytest.approx(model.scores(who.row)[5], abs=1e-6)
        explained = explain(model, who.row, 5, who=who)
        assert abs(explained.error) < 1e-6

    def test_recommendations_are_unseen_and_their_score_is_no_rating(self, name: str, tiny_runs, tiny) -> None:
        model = TrainedModel.load(tiny_runs[1][name])
        who = people.person(model, tiny, tiny_runs[0], 7)
        best = ranking.recommend(model, who, 5)
        assert list(best.columns) == ["code", "title", "ratings", "score"]
        assert not set(best["code"]) & set(who.items)
        assert best["score"].is_monotonic_decreasing
        assert ranking.place(model, who, int(best["code"][1]))[0] == 2
        assert "predicted" not in people.rated(model, who)

    def test_for_somebody_unknown_the_most_popular_come_first(self, name: str, tiny_runs) -> None:
        model = TrainedModel.load(tiny_runs[1][name])
        nobody = people.folded(model, "nobody", np.zeros(0, np.int64), np.zeros(0, np.float32))
        best = ranking.recommend(model, nobody, 5)
        assert best["ratings"].tolist() == sorted(model.counts[1:].tolist(), reverse=True)[:5]
        # Items that are equally popular share a place.
        fewer = [1 + int((model.counts[1:] > count).sum()) for count in best["ratings"]]
        assert [ranking.place(model, nobody, code)[0] for code in best["code"]] == fewer

    def test_what_needs_ratings_says_that_there_are_none(self, name: str, tiny_runs, tiny: Ratings) -> None:
        model = TrainedModel.load(tiny_runs[1][name])
        refused: list[Callable[[], object]] = [
            lambda: model.predict(np.array([1]), np.array([1])),
            lambda: model.rate(model.user_row(1)),
            lambda: accuracy.results(model, tiny),
        ]
        for ask in refused:
            with pytest.raises(CftuiError, match=f"not available for this model: {name} recommends, and predicts no"):
                ask()
        assert accuracy.evaluate(model, tiny) == {}

    def test_it_recommends_far_better_than_popularity(self, name: str, ratings: Ratings) -> None:
        parts = split(ratings, "random", 0)
        fitter = fitted(name, ratings, epochs=8, factors=32, l2=200.0, seed=0)
        scorers = {"model": predicted(fitter.model), "popularity": popularity(ratings, parts)}
        found = evaluate_rankings(ratings, parts, scorers).rankings
        assert found["model"].ndcg > 0.37
        assert found["model"].ndcg > 2 * found["popularity"].ndcg

    def test_its_checkpoint_says_what_does_not_fit(self, name: str, tiny: Ratings) -> None:
        fitter = fitted(name, tiny)
        kept = load(save(fitter.state()))
        kept.pop("elapsed", None)
        kept.pop("numbers", None)
        with pytest.raises(CftuiError, match="checkpoint does not fit this run"):
            fitter.load_state(kept)

"""What ``bayes`` can be asked: why, how sure, what next, and by whom; each against a plain loop over its draws."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cftui.analysis.evaluation.accuracy import calibration
from cftui.analysis.evaluation.calibration import calibrate
from cftui.analysis.evaluation.intervals import By, check_intervals, intervals, pair_intervals
from cftui.analysis.explain.explaining import explain
from cftui.analysis.ranking import recommend
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people
from cftui.analysis.users.folding import fold_in, prior, pulls, questions
from cftui.analysis.users.people import Person
from cftui.data.ratings import Ratings
from cftui.data.splits import Split
from cftui.engine.models.recipes import recipe
from cftui.engine.training import fitter_for, train
from cftui.errors import CftuiError
from cftui.home import Home

from ..conftest import write_tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_known: str) -> TrainedModel:
    home = Home(tmp_path_factory.mktemp("bayes"))
    write_tiny(home.data / tiny_known)
    bayes = recipe("bayes")
    options = bayes.options(epochs=24, factors=3)
    return TrainedModel.load(train(home, bayes, options, data=tiny_known, device=torch.device("cpu"), name="bayes"))


@pytest.fixture(scope="module")
def ratings(model: TrainedModel) -> Ratings:
    return model.ratings(Home(model.run.path.parent.parent))


def trained_person(model: TrainedModel, ratings: Ratings, user: int) -> Person:
    rows = ratings.by_user.rows(user)
    return Person(model.users.classes[user], model.user_rows[user], ratings.item[rows], ratings.rating[rows], True)


def parts(row: Tensor, prior: Any, draw: int, implicit: Tensor, side: Tensor) -> list[Tensor]:
    """The parts of one draw's row: prior's mean, set, side information, the rest; float64 ``[d]`` each."""
    mean = prior.mean[draw].double()
    known = [
        features.double() @ weights[draw].double()
        for features, weights in ((implicit, prior.implicit_weights), (side, prior.side_weights))
    ]
    return [mean, *known, row.double() - mean - known[0] - known[1]]


@pytest.mark.parametrize(("user", "item"), [(3, 7), (11, 2), (30, 19)])
def test_an_explanations_terms_are_a_plain_loop(model: TrainedModel, ratings: Ratings, user: int, item: int) -> None:
    module: Any = model.module
    k, offset, unit = 3, float(module.offset), float(module.unit)
    who = trained_person(model, ratings, user)
    found = explain(model, who.row, item, who=who)
    wanted: dict[str, list[float]] = {}
    for draw in range(module.draws):
        a = parts(
            module.users[user, draw, : k + 1],
            module.user_prior,
            draw,
            module.user_prior.implicit[user],
            module.user_prior.side[user],
        )
        b = parts(
            module.items[item, draw, : k + 1],
            module.item_prior,
            draw,
            module.item_prior.implicit[item],
            module.item_prior.side[item],
        )
        half_user = [(a[0][f] + torch.stack(a).sum(dim=0)[f]) / 2 for f in range(k)]
        half_item = [(b[0][f] + torch.stack(b).sum(dim=0)[f]) / 2 for f in range(k)]
        terms = {
            "baseline": offset / unit + a[0][k] + b[0][k] + sum(a[0][f] * b[0][f] for f in range(k)),
            "user bias": a[3][k],
            "movie bias": b[3][k],
            "which movies the user rated": a[1][k] + sum(a[1][f] * half_item[f] for f in range(k)),
            "who rated the movie": b[1][k] + sum(b[1][f] * half_user[f] for f in range(k)),
            "what is known of the user": a[2][k] + sum(a[2][f] * half_item[f] for f in range(k)),
            "what is known of the movie": b[2][k] + sum(b[2][f] * half_user[f] for f in range(k)),
            **{f"factor {f}": a[3][f] * half_item[f] + b[3][f] * half_user[f] for f in range(k)},
        }
        for name, value in terms.items():
            wanted.setdefault(name, []).append(unit * float(value))
    raw = {term.name: term.raw for term in found.terms}
    assert raw == pytest.approx({name: np.mean(values) for name, values in wanted.items()}, abs=1e-6)
    assert math.fsum(term.stars for term in found.terms) == pytest.approx(found.prediction, abs=1e-5)
    assert {term.kind for term in found.terms} == {"baseline", "user bias", "item bias", "implicit", "side", "factor"}
    # If the user is not named, what the prior knew of them stays part of the row's own.
    bare = explain(model, who.row, item)
    assert {term.name for term in found.terms} - {term.name for term in bare.terms} == {
        "which movies the user rated",
        "what is known of the user",
    }
    assert bare.prediction == found.prediction


def test_a_newcomers_explanation_knows_his_set(model: TrainedModel) -> None:
    items, given = np.array([3, 8]), np.array([5.0, 1.0], np.float32)
    who = people.folded(model, "me", items, given)
    found = explain(model, who.row, 12, who=who)
    assert math.fsum(term.stars for term in found.terms) == pytest.approx(found.prediction, abs=1e-5)
    terms = {term.name: term.raw for term in found.terms}
    module: Any = model.module
    per_draw = []
    implicit = module.user_prior.of_new(torch.from_numpy(items)).implicit
    for draw in range(module.draws):
        thing = module.items[12, draw].double()
        half = (module.item_prior.mean[draw, :3].double() + thing[:3]) / 2
        per_draw.append(float(implicit[draw, 3].double() + (implicit[draw, :3].double() * half).sum()))
    assert terms["which movies the user rated"] == pytest.approx(float(module.unit) * np.mean(per_draw), abs=1e-6)


def test_what_lies_beyond_the_scale_is_cut_from_all_terms_alike(model: TrainedModel, ratings: Ratings) -> None:
    everyone = [(user, item) for user in range(1, 31) for item in range(1, 20)]
    sure = pair_intervals(model, *(np.array(column) for column in zip(*everyone, strict=True)))
    user, item = everyone[int(sure.centre.argmax())]
    assert sure.centre.max() > 5.01
    who = trained_person(model, ratings, user)
    found = explain(model, who.row, item, who=who)
    assert (found.prediction, found.link) == (5.0, "clipped to 1..5")
    assert found.raw == pytest.approx(float(sure.centre.max()), abs=1e-5)
    base, *others = found.terms
    assert base.stars == pytest.approx(base.raw)
    shares = {round(term.stars / term.raw, 6) for term in others if abs(term.raw) > 1e-3}
    assert len(shares) == 1
    assert base.stars + math.fsum(term.stars for term in others) == pytest.approx(5.0, abs=1e-9)


def conditional_means(model: TrainedModel, items: list[int], given: list[float], of: list[int]) -> Tensor:
    """Mean row, at every draw, of somebody who gave ``items`` these ratings, with the implicit set ``of``."""
    module: Any = model.module
    before = module.user_prior.of_new(torch.tensor(of))
    rows = []
    for draw in range(module.draws):
        precision = module.user_prior.precision[draw].double()
        moment = precision @ before.expected[draw].double()
        for item, rating in zip(items, given, strict=True):
            thing = module.items[item, draw].double()
            design = torch.cat((thing[:3], torch.ones(1)))
            weight = module.alpha[draw].double() / thing[5]
            precision = precision + weight * torch.outer(design, design)
            target = (rating - module.offset.double()) / module.unit.double() - thing[3]
            moment = moment + weight * design * target
        rows.append(torch.linalg.solve(precision, moment))
    return torch.stack(rows)


def test_a_pull_is_what_the_conditional_mean_loses_without_the_rating(model: TrainedModel) -> None:
    items, given, asked = [2, 5, 11, 17], [5.0, 1.0, 3.0, 4.0], 9
    module: Any = model.module
    slope = torch.cat((module.items[asked, :, :3].double(), torch.ones(module.draws, 1)), dim=1) * module.unit
    whole = (conditional_means(model, items, given, items) * slope).sum(dim=1).mean()
    found = pulls(model, np.array(items), np.array(given, np.float32), asked)
    for at in range(4):
        rest = [i for i in range(4) if i != at]
        without = conditional_means(model, [items[i] for i in rest], [given[i] for i in rest], items)
        assert found[at] == pytest.approx(float(whole - (without * slope).sum(dim=1).mean()), abs=1e-4)
    assert len(pulls(model, np.array([], np.int64), np.array([], np.float32), asked)) == 0


def test_questions_are_never_asked_twice_and_always_the_same(model: TrainedModel) -> None:
    items, given = np.array([4, 9]), np.array([2.0, 5.0], np.float32)
    asked = questions(model, items, given, 8, passed=np.array([1, 2]))
    assert len(set(asked.tolist())) == 8
    assert not set(asked.tolist()) & {0, 1, 2, 4, 9}
    assert asked.tolist() == questions(model, items, given, 8, passed=np.array([1, 2]), known=prior(model)).tolist()
    row = fold_in(model, items, given)
    assert row.dtype == np.float32
    assert np.array_equal(row, fold_in(model, items, given))
    assert row.shape == model.user_rows[0].shape


def test_recommendations_are_ranked_by_what_is_asked_for(model: TrainedModel, ratings: Ratings) -> None:
    who = trained_person(model, ratings, 5)
    module: Any = model.module
    row = torch.from_numpy(who.row)
    unseen = [code for code in range(1, 20) if code not in who.items]
    drawn = module.rate_draws(row.expand(len(unseen), -1), torch.tensor(unseen))
    own = row.unflatten(0, (-1, 6))[:, -1] * module.unit.square()
    noise = [float((own * module.items[code, :, -1]).mean()) for code in unseen]
    orders: tuple[tuple[By, int], ...] = (("mean", 0), ("lower", -1), ("upper", 1))
    for by, sign in orders:
        score = drawn.mean(dim=1) + sign * 1.6448536 * drawn.std(dim=1, correction=0)
        table = recommend(model, who, 6, by=by)
        best = [unseen[at] for at in score.argsort(descending=True)[:6].tolist()]
        assert table["code"].tolist() == best
        for _, found in table.iterrows():
            at = unseen.index(found["code"])
            mean, sd = float(drawn[at].mean()), math.sqrt(float(drawn[at].var(correction=0)) + noise[at])
            assert found["predicted"] == pytest.approx(min(max(mean, 1), 5), abs=1e-4)
            assert found["low"] == pytest.approx(min(max(mean - 1.6448536 * sd, 1), 5), abs=1e-4)
            assert found["high"] == pytest.approx(min(max(mean + 1.6448536 * sd, 1), 5), abs=1e-4)
            assert found["uncertainty"] == pytest.approx(float(drawn[at].std(correction=0)), abs=1e-4)


def test_intervals_lie_around_what_is_predicted_before_it_is_cut(model: TrainedModel, ratings: Ratings) -> None:
    # Everything is liked so much that some of it is predicted beyond the scale.
    module: Any = copy.deepcopy(model.module)
    module.items[..., 3] += 0.5
    model = dataclasses.replace(model, module=module)
    valid = model.split(ratings).valid
    found = calibration(model, ratings)
    inside, squares = 0, []
    for user, item, rating in zip(*(c[valid] for c in (ratings.user, ratings.item, ratings.rating)), strict=True):
        one = intervals(model, model.user_rows[user], np.array([item]))
        inside += abs(float(one.centre[0]) - rating) <= 1.6448536 * float(one.sd[0])
        squares.append((float(model.rate(model.user_rows[user], np.array([item]))[0]) - rating) ** 2)
    assert found.whole.coverage == inside / len(valid)
    assert found.whole.rmse == pytest.approx(math.sqrt(np.mean(squares)), abs=1e-5)


def test_pairs_and_rows_are_as_sure(model: TrainedModel) -> None:
    one = intervals(model, model.user_rows[6], np.array([3, 0, 3]))
    two = pair_intervals(model, np.array([6, 6, 6]), np.array([3, 0, 3]))
    for name in ("centre", "sd", "uncertainty", "low", "high", "mean"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=1e-6)
    assert len(intervals(model, model.user_rows[6]).mean) == 20


def test_who_does_not_know_how_sure_he_is_says_so(tiny_runs) -> None:
    other = TrainedModel.load(tiny_runs[1]["model4"])
    who = people.folded(other, "me", np.array([3]), np.array([5.0], np.float32))
    for ask in (lambda: check_intervals(other), lambda: recommend(other, who, by="lower")):
        with pytest.raises(CftuiError, match=r"model4\.run: model4 predicts no intervals; bayes does"):
            ask()
    assert "low" not in recommend(other, who)


def test_calibration_is_a_plain_loop() -> None:
    random = np.random.default_rng(3)
    sd, mean = random.uniform(0.2, 2, 53), random.normal(3, 1, 53)
    rating = mean + sd * random.normal(size=53)
    found = calibrate(mean, sd, rating)
    order = sorted(range(53), key=lambda at: sd[at])
    sizes = [11, 11, 11, 10, 10]
    for at, (part, size) in enumerate(zip(found.fifths, sizes, strict=True)):
        rows = order[sum(sizes[:at]) : sum(sizes[: at + 1])]
        assert part.ratings == len(rows) == size
        assert part.sd == pytest.approx(sum(sd[row] for row in rows) / size)
        assert part.rmse == pytest.approx(math.sqrt(sum((rating[row] - mean[row]) ** 2 for row in rows) / size))
        assert part.coverage == sum(abs(rating[row] - mean[row]) <= 1.6448536 * sd[row] for row in rows) / size
    assert found.whole.ratings == 53
    # A prediction beyond the scale has the error of the scale's end; its interval is not moved.
    cut = calibrate(np.array([5.5, 5.5, 3.0]), np.array([0.5, 0.2, 1.0]), np.array([5.0, 5.0, 3.5]), (1.0, 5.0))
    assert cut.whole.rmse == pytest.approx(math.sqrt(0.25 / 3))
    assert [part.coverage for part in cut.fifths] == [0, 1, 1]
    assert calibrate(mean[:0], sd[:0], rating[:0]) is None
    assert len(calibrate(mean[:3], sd[:3], rating[:3]).fifths) == 3


def test_an_item_without_ratings_is_explained_as_well(tiny: Ratings) -> None:
    """How well a user's items suit them is a term of its own; a newcomer with the same ratings has it, too."""
    new = 7
    inside = tiny.item == new
    parts = Split("held", np.flatnonzero(~inside), np.flatnonzero(inside))
    options = recipe("bayes").options(sweeps=60, factors=3)
    chain = fitter_for(recipe("bayes"), options, tiny, parts, torch.device("cpu"))
    chain.fit()
    model = TrainedModel.fitted(chain.model, recipe("bayes"), options, tiny, name="new", valid_loss=None, device="cpu")
    name, gains = "how well the user's movies suit them", []
    for user in range(1, 31):
        rows = np.flatnonzero((tiny.user == user) & ~inside)
        rated = tiny.item[rows], tiny.rating[rows]
        trained = Person(str(user), model.user_rows[user], *rated, True)
        for who in (trained, people.folded(model, "me", *rated)):
            found = explain(model, who.row, new, who=who)
            assert math.fsum(term.stars for term in found.terms) == pytest.approx(found.prediction, abs=1e-5)
            gains.append({term.name: term.raw for term in found.terms}[name])
            other = explain(model, who.row, int(rated[0][0]), who=who)
            assert name not in {term.name for term in other.terms}
    of_trained, of_folded = np.array(gains).reshape(-1, 2).T
    assert np.corrcoef(of_trained, of_folded)[0, 1] > 0.8

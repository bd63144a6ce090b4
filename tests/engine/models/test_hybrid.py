"""Side features: found in every kind of data set, learned from, and kept with the run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from cftui.analysis import ranking
from cftui.analysis.trained import TrainedModel
from cftui.data.features import MOST, Features, item_features, user_features
from cftui.data.ratings import Ratings
from cftui.data.splits import Split, split
from cftui.data.store.asked import Asked
from cftui.data.store.catalog import open_ratings
from cftui.data.store.importing import import_ratings
from cftui.data.tables import Tables
from cftui.engine import metrics
from cftui.engine.gradient.trainer import Trainer
from cftui.engine.models.architectures import FeatureSum
from cftui.engine.models.build import build, shape_of
from cftui.engine.models.recipes import recipe
from cftui.engine.training import train
from cftui.errors import CftuiError
from cftui.home import Home

from ...settings import gradient_options
from ..fitting import fit

CPU = torch.device("cpu")
HYBRID = recipe("hybrid")
COLD_ITEMS, COLD_USERS = (29, 30, 40), (39, 40)


def named(features: Features, code: int) -> set[str]:
    found = [features.names[feature] for feature in features.codes[code] if feature]
    assert len(set(found)) == len(found), "a feature counts once"
    return set(found)


def planted(genres: dict[int, str], years: dict[int, int] | None = None, ages: dict[int, int] | None = None) -> Ratings:
    """40 users who rate each of 40 items: 5 what is Good, 1 what is Bad, less 1 if they are young; ids are codes."""
    ids = np.arange(1, 41)
    kinds = [genres.get(item, "Good" if item % 2 else "Bad") for item in ids.tolist()]
    age = np.array([(ages or {}).get(user, 20 if user % 2 else 40) for user in ids.tolist()])
    user, item = (pairs.ravel() for pairs in np.meshgrid(ids, ids, indexing="ij"))
    liked = np.array(["Good" in kind for kind in kinds])
    rating = np.where(liked[item - 1], 5.0, 2.0) - (age[user - 1] < 30)
    return Ratings.encode(
        Tables(
            name="planted",
            label="Planted",
            noun="movie",
            ratings=pd.DataFrame({"user": user, "item": item, "rating": rating, "timestamp": 0}),
            items=pd.DataFrame(
                {
                    "item": ids,
                    "title": [f"Film {one}" for one in ids],
                    "year": [(years or {}).get(one, 1995) for one in ids.tolist()],
                    "genres": kinds,
                }
            ),
            users=pd.DataFrame({"user": ids, "age": age, "gender": "F", "occupation": "writer"}),
            rating_range=(1.0, 5.0),
        ),
        "id",
    )


@pytest.fixture(scope="module")
def cold() -> Trainer:
    """Trained on all but ``COLD_ITEMS`` (29 is Good, 30 and 40 are Bad) and ``COLD_USERS`` (39 is young, 40 is not)."""
    ratings = planted({1: "Good|Long"})
    unseen = np.isin(ratings.item, COLD_ITEMS) | np.isin(ratings.user, COLD_USERS)
    parts = Split("cold", train=np.flatnonzero(~unseen), valid=np.flatnonzero(unseen))
    trainer = Trainer(HYBRID, gradient_options(HYBRID, epochs=20, bs=32, factors=6), ratings, parts, CPU)
    fit(trainer)
    return trainer


def predicted(trainer: Trainer, users: list[int], items: list[int]) -> np.ndarray:
    """``[users, items]``."""
    user, item = torch.meshgrid(torch.tensor(users), torch.tensor(items), indexing="ij")
    return metrics.predict(trainer.model, user.ravel(), item.ravel()).reshape(user.shape).numpy()


# What a cold row is predicted from


def test_an_item_nobody_rated_is_predicted_from_its_features(cold: Trainer) -> None:
    good, bad, other_bad = predicted(cold, list(range(1, 39)), list(COLD_ITEMS)).T
    assert (good > bad + 1.5).all()
    assert np.array_equal(bad, other_bad)


def test_a_user_who_rated_nothing_is_predicted_from_his_features(cold: Trainer) -> None:
    young, older = predicted(cold, list(COLD_USERS), list(range(1, 29)))
    assert (older > young + 0.3).all()


def test_cold_rows_of_equal_features_have_equal_factors(cold: Trainer) -> None:
    learned = cold.model.learned()
    assert torch.equal(learned.item_factors[30], learned.item_factors[40])
    assert learned.item_bias[30] == learned.item_bias[40]
    assert not torch.equal(learned.item_factors[29], learned.item_factors[30])
    assert not torch.equal(learned.item_factors[2], learned.item_factors[4]), "what was rated learns on its own, too"


def test_the_unknown_has_no_features(cold: Trainer) -> None:
    model: Any = cold.model
    for side in (model.user_features, model.item_features):
        assert side is not None
        assert not side.codes[0].any()
        factors, bias = side(torch.tensor([0]))
        assert not factors.any()
        assert not bias.any()


def test_features_are_summed_and_divided_by_the_root_of_their_number() -> None:
    side = FeatureSum(torch.tensor([[0, 0, 0, 0], [2, 0, 0, 0], [1, 2, 3, 4], [1, 3, 0, 0]], dtype=torch.int32), 3)
    factors, bias = side(torch.tensor([0, 1, 2, 3, 1]))
    table, biases = side.feature_factors.weight, side.feature_bias.weight
    assert torch.equal(factors[0], torch.zeros(3))
    assert torch.equal(factors[1], table[2])
    assert torch.equal(factors[4], table[2])
    torch.testing.assert_close(factors[2], table[1:].sum(0) / 2)
    torch.testing.assert_close(factors[3], (table[1] + table[3]) / 2**0.5)
    torch.testing.assert_close(bias[2], biases[1:].sum(0) / 2)


def test_none_is_no_feature_even_after_training(cold: Trainer) -> None:
    model: Any = cold.model
    for side in (model.user_features, model.item_features):
        assert side is not None
        assert not side.feature_factors.weight[0].any()
        assert side.feature_factors.weight[1:].any(dim=1).all()


# What the features are


def test_features_of_movielens_100k(ratings: Ratings) -> None:
    items, users = item_features(ratings), user_features(ratings)
    assert items.codes.shape[0] == len(ratings.items)
    assert users.codes.shape[0] == len(ratings.users)
    toys = ratings.item_code("Toy Story (1995)")
    assert named(items, toys) == {"genre Animation", "genre Children's", "genre Comedy", "1990s"}
    assert named(items, ratings.item_code("Casablanca (1942)")) == {
        "genre Drama",
        "genre Romance",
        "genre War",
        "1940s",
    }
    assert named(users, ratings.user_code(1)) == {"age 18-24", "gender M", "occupation technician"}
    assert named(users, ratings.user_code(2)) == {"age 50-55", "gender F", "occupation other"}


def test_features_of_a_set_that_is_read_as_arrays(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "ml-1m"
    folder.mkdir(parents=True)
    (folder / "ratings.dat").write_text("1::10::5::978300760\n2::10::3::978300761\n2::11::4::978300762\n")
    (folder / "movies.dat").write_text("10::Toy Story (1995)::Animation|Comedy\n11::Heat (1987)::Action\n")
    (folder / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    ratings = open_ratings("ml-1m", Home(tmp_path))
    items, users = item_features(ratings), user_features(ratings)
    assert named(items, ratings.item_code("Toy Story (1995)")) == {"genre Animation", "genre Comedy", "1990s"}
    assert named(items, ratings.item_code("Heat (1987)")) == {"genre Action", "1980s"}
    assert named(users, 1) == {"age Under 18", "gender F", "occupation K-12 student"}
    assert named(users, 2) == {"age 56+", "gender M", "occupation self-employed"}


@pytest.fixture
def tagged(tmp_path: Path) -> Home:
    """MovieLens latest small in its layout: 30 users who rate each of 12 films, of which the even ones are ``Slow``."""
    folder = tmp_path / "data" / "ml-latest-small"
    folder.mkdir(parents=True)
    pairs = [(user, film) for user in range(1, 31) for film in range(1, 13)]
    ratings = "".join(f"{user},{film},{4.5 if film % 2 else 1.5},0\n" for user, film in pairs)
    (folder / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{ratings}")
    films = "".join(f"{film},Film {film:02} (1995),(no genres listed)\n" for film in range(1, 13))
    (folder / "movies.csv").write_text(f"movieId,title,genres\n{films}")
    tags = "".join(f"7,{film},{tag},0\n" for film in range(2, 13, 2) for tag in ("Slow", f"only {film}"))
    (folder / "tags.csv").write_text(f"userId,movieId,tag,timestamp\n{tags}")
    return Home(tmp_path)


def test_tags_are_features(tagged: Home) -> None:
    ratings = open_ratings("ml-latest-small", tagged)
    found = item_features(ratings)
    assert named(found, ratings.item_code("Film 02 (1995)")) == {"1990s", "tag slow"}
    assert named(found, ratings.item_code("Film 03 (1995)")) == {"1990s"}
    cold = [ratings.item_code(f"Film {film:02} (1995)") for film in (11, 12)]
    unseen = np.isin(ratings.item, cold)
    parts = Split("cold", train=np.flatnonzero(~unseen), valid=np.flatnonzero(unseen))
    trainer = Trainer(HYBRID, gradient_options(HYBRID, epochs=20, bs=16, factors=4), ratings, parts, CPU)
    fit(trainer)
    liked, slow = predicted(trainer, [1, 2, 3], cold).T
    assert (liked > slow + 1).all()


def test_a_run_knows_the_tags_of_its_items(tagged: Home) -> None:
    run = train(tagged, HYBRID, HYBRID.options(epochs=1, bs=16, factors=4), data="ml-latest-small", device=CPU)
    shutil.rmtree(tagged.data / "ml-latest-small" / "columns")
    model = TrainedModel.load(run)
    ratings = open_ratings("ml-latest-small", tagged)
    about_slow, about_other = (ranking.about(model, ratings, model.item_code(f"Film {n} (1995)")) for n in ("12", "11"))
    assert (about_slow.tags, about_other.tags) == (("slow",), ())


def test_ages_in_years_fall_into_groups() -> None:
    years = {1: 0, 2: 17, 3: 18, 4: 24, 5: 25, 6: 55, 7: 56, 8: 99}
    users = user_features(planted({}, ages=years))
    groups = [next(name for name in named(users, user) if name.startswith("age")) for user in years]
    assert groups == [
        f"age {name}" for name in ("Under 18", "Under 18", "18-24", "18-24", "25-34", "50-55", "56+", "56+")
    ]


def test_of_very_many_genres_the_most_frequent_stand_for_all() -> None:
    many = "|".join(f"own {number:02}" for number in range(MOST + 5)) + "|Good"
    found = item_features(planted({1: many}))
    assert found.codes.shape[1] == MOST
    assert {"1990s", "genre Good"} < named(found, 1)
    assert named(found, 2) == {"1990s", "genre Bad"}


def test_what_is_not_known_is_no_feature() -> None:
    found = item_features(planted({1: "", 2: "|Good||Good"}, years={1: 0, 2: 0, 3: 2003}))
    assert named(found, 1) == set()
    assert named(found, 2) == {"genre Good"}
    assert named(found, 3) == {"genre Good", "2000s"}


# Without features


@pytest.fixture
def bare(tmp_path: Path) -> Ratings:
    """An imported set of which nothing but the ratings is known."""
    random = np.random.default_rng(3)
    pairs = [(user, item) for user in range(30) for item in range(20) if random.random() < 0.6]
    rows = "".join(f"u{user},beer {item},{1 + (user * item) % 5}\n" for user, item in pairs)
    (tmp_path / "beers.csv").write_text(f"user,item,rating\n{rows}")
    import_ratings(tmp_path / "beers.csv", "beers", Home(tmp_path), Asked())
    return open_ratings("beers", Home(tmp_path))


def test_without_features_it_is_model4(bare: Ratings) -> None:
    assert item_features(bare).codes.shape == (len(bare.items), 0)
    assert user_features(bare).codes.shape == (len(bare.users), 0)
    options, parts = gradient_options(HYBRID, epochs=3, bs=16, factors=5, wd=0.1, wd_bias=0.1), split(bare)
    mine, plain = (Trainer(row, options, bare, parts, CPU) for row in (HYBRID, recipe("model4")))
    assert mine.model.state_dict().keys() == plain.model.state_dict().keys()
    for name, value in plain.model.state_dict().items():
        assert torch.equal(mine.model.state_dict()[name], value), name
    fit(mine)
    fit(plain)
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(mine.model.state_dict()[name], value, rtol=1e-4, atol=2e-5)


def test_a_row_without_features_among_others_begins_as_in_model4() -> None:
    ratings = planted({4: ""}, years={4: 0})
    shapes = [shape_of(row, ratings, 6) for row in (HYBRID, recipe("model4"))]
    mine: Any
    plain: Any
    mine, plain = (build(row, shape, 5) for row, shape in zip((HYBRID, recipe("model4")), shapes, strict=True))
    for row in (0, 4):
        assert torch.equal(mine.item_factors.weight[row], plain.item_factors.weight[row])
    assert not mine.item_factors.weight[[1, 2, 3, 5]].any()


# The run folder


def test_a_run_is_read_without_its_data_set(tiny_home: Home, tiny: Ratings) -> None:
    run = train(tiny_home, HYBRID, HYBRID.options(epochs=2, bs=16, factors=6), data="tiny", device=CPU)
    users = np.repeat(np.arange(len(tiny.users)), len(tiny.items))
    items = np.tile(np.arange(len(tiny.items)), len(tiny.users))
    before = TrainedModel.load(run).predict(users, items)
    shutil.rmtree(tiny_home.data)
    model = TrainedModel.load(run)
    assert np.array_equal(model.predict(users, items), before)
    module: Any = model.module
    assert np.array_equal(module.item_features.codes.numpy(), item_features(tiny).codes)
    assert np.array_equal(module.user_features.codes.numpy(), user_features(tiny).codes)
    without = module.item_factors.weight.numpy()
    assert np.abs(model.item_factors - without)[1:].max(axis=1).min() > 1e-4, "the factors are without the features"


@pytest.mark.parametrize("name", ["model4", "bayes", "ease", "ials"])
def test_weights_of_another_type_are_refused(name: str, tiny_runs, tmp_path: Path) -> None:
    run = tiny_runs[1][name]
    copy = type(run)(shutil.copytree(run.path, tmp_path / "copy"))
    weights = load_file(copy.weights_file)
    changed = next(key for key, value in weights.items() if value.dtype == torch.float32)
    save_file({**weights, changed: weights[changed].double()}, copy.weights_file)
    with pytest.raises(CftuiError, match=rf"{changed} is of torch.float64, not torch.float32"):
        TrainedModel.load(copy)


@pytest.mark.parametrize("spoil", ["missing", "negative", "beyond", "short", "floats"])
def test_damaged_features_are_named(spoil: str, tiny_runs, tmp_path: Path) -> None:
    run = tiny_runs[1]["hybrid"]
    copy = type(run)(shutil.copytree(run.path, tmp_path / "copy"))
    weights = load_file(copy.weights_file)
    codes = weights.pop("item_features.codes")
    spoilt = {
        "negative": torch.where(codes > 0, codes, -1),
        "beyond": codes + 1,
        "short": codes[1:],
        "floats": codes.float(),
    }
    save_file({**weights, **({"item_features.codes": spoilt[spoil]} if spoil in spoilt else {})}, copy.weights_file)
    with pytest.raises(CftuiError, match=r"weights\.safetensors: does not fit hybrid"):
        TrainedModel.load(copy)


@pytest.mark.slow
def test_it_beats_model4_on_movielens_100k(ratings: Ratings) -> None:
    parts = split(ratings)
    losses = {}
    for name in ("model4", "hybrid"):
        trainer = Trainer(recipe(name), gradient_options(recipe(name), bs=256), ratings, parts, CPU)
        fit(trainer)
        losses[name] = trainer.validate().mse
    assert losses["hybrid"] < losses["model4"] - 0.01

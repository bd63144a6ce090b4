"""The Python API: data frames in and out, with the numbers of the command line."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import cftui
from cftui import api
from cftui.analysis import ranking
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people
from cftui.data.store.importing import import_ratings
from cftui.engine.models.recipes import RECIPES, recipe
from cftui.engine.training import train
from cftui.home import Home
from tests.settings import RATING, options_for

from ..conftest import CHECKOUT

CPU = torch.device("cpu")
NAMES = ("ann", "bob", "cleo", "dan", "eve")


def ratings_frame(users: int = 30, items: int = 20, seed: int = 3) -> pd.DataFrame:
    """300 ratings from 1 to 5 by readers ``ann``, ``bob``, ... of books ``b0`` to ``b19``."""
    random = np.random.default_rng(seed)
    taste = random.normal(size=(users, 2)) @ random.normal(size=(2, items)) + random.normal(size=items)
    pairs = [(u, i) for u in range(users) for i in random.choice(items, 10, replace=False)]
    who = [NAMES[u] if u < len(NAMES) else f"u{u:02}" for u, _ in pairs]
    stars = [int(np.clip(round(3.2 + taste[u, i]), 1, 5)) for u, i in pairs]
    return pd.DataFrame({"reader": who, "book": [f"b{i}" for _, i in pairs], "stars": stars})


@pytest.fixture
def frame() -> pd.DataFrame:
    return ratings_frame()


@pytest.fixture
def data(frame: pd.DataFrame) -> api.Data:
    return cftui.load_data(frame, noun="book")


@pytest.fixture
def model(data: api.Data) -> api.Model:
    return cftui.fit("model4", data, epochs=5, bs=16, seed=1)


def test_the_examples_in_the_docstrings_run(
    frame: pd.DataFrame, data: api.Data, model: api.Model, tmp_path: Path
) -> None:
    home, folder = tmp_path / "home", tmp_path / "out"
    folder.mkdir()
    names: dict[str, Any] = {
        "cftui": cftui,
        "frame": frame,
        "data": data,
        "model": model,
        "home": home,
        "folder": folder,
        "sampled": cftui.fit("bayes", data, sweeps=20, factors=2),
    }
    examples = [one for one in doctest.DocTestFinder().find(api, globs=names) if one.examples]
    assert len(examples) > 15
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for example in examples:
        runner.run(example, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0


def test_every_public_name_is_documented_with_an_example() -> None:
    for name in cftui.__all__:
        if name == "__version__":
            continue
        thing = getattr(cftui, name)
        assert thing.__doc__, name
        if callable(thing) and not isinstance(thing, type):
            assert "Examples:" in thing.__doc__, name
    for kind in (api.Model,):
        for name, method in vars(kind).items():
            if not name.startswith("_") and callable(method):
                assert "Examples:" in (method.__doc__ or ""), name


@pytest.mark.parametrize("name", RECIPES)
def test_the_numbers_are_those_of_a_run(name: str, tiny_home: Home) -> None:
    row = RECIPES[name]
    options = options_for(row, epochs=3, bs=16, factors=4, seed=2)
    run = train(tiny_home, row, options, data="tiny", device=CPU, name="same")
    saved = TrainedModel.load(run)
    data = cftui.load_data("tiny", home=tiny_home.root)
    given = {key: value for key, value in options.as_json().items() if key in row.described and value is not None}
    mine = cftui.fit(name, data, **given)
    history = run.history()
    score = row.fitting.score.key
    assert mine.epochs[score].tolist() == [dict(epoch)[score] for epoch in history.epochs]
    ratings = saved.ratings(tiny_home)
    who = people.person(saved, ratings, tiny_home, 7)
    wanted = ranking.recommend(saved, who, 5)
    best = mine.recommend(7, 5)
    assert best["title"].tolist() == wanted["title"].tolist()
    ranked_by = "predicted" if name in RATING else "score"
    np.testing.assert_allclose(best[ranked_by], wanted[ranked_by], rtol=1e-6)
    opened = cftui.open_run("same", home=tiny_home.root)
    assert opened.recommend(7, 5).equals(best)
    report = mine.evaluate()
    if name in RATING:
        assert report.errors.loc["valid", "mse"] == pytest.approx(history.ending["valid_loss"], rel=2e-3)
    else:
        assert report.errors.empty
        assert report.ranking.loc["model", "ndcg"] == pytest.approx(history.ending["ndcg"])


def test_a_frame_gives_the_numbers_of_the_same_rows_imported(frame: pd.DataFrame, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    frame.to_csv(tmp_path / "books.csv", index=False)
    import_ratings(tmp_path / "books.csv", "books", home)
    mine = cftui.fit("model4", frame, epochs=2, bs=16)
    theirs = cftui.fit("model4", cftui.load_data("books", home=home.root), epochs=2, bs=16)
    assert mine.epochs["valid_loss"].tolist() == theirs.epochs["valid_loss"].tolist()
    assert mine.recommend("ann", 4)["predicted"].tolist() == theirs.recommend("ann", 4)["predicted"].tolist()


def test_split_none_trains_on_everything_and_claims_nothing(data: api.Data) -> None:
    seen: list[dict[str, Any]] = []
    model = cftui.fit("model4", data, split="none", epochs=2, bs=16, progress=seen.append)
    assert (model.split, len(seen)) == ("none", 2)
    assert model.epochs["valid_loss"].isna().all()
    assert "no validation ratings" in repr(model)
    report = model.evaluate()
    assert report.errors.index.tolist() == ["train"]
    assert report.errors.loc["train", "ratings"] == len(data)
    assert report.ranking.empty
    assert len(model.recommend("ann", 3)) == 3


def test_predicting_many_pairs_is_predicting_each(model: api.Model) -> None:
    users, items = ["ann", "bob", "ann"], ["b1", "b2", "b3"]
    many = model.predict(users, items)
    assert many.dtype == np.float32
    np.testing.assert_allclose(many, [model.predict(u, i) for u, i in zip(users, items, strict=True)], rtol=1e-6)
    np.testing.assert_allclose(model.predict("ann", items), [model.predict("ann", i) for i in items], rtol=1e-6)
    np.testing.assert_allclose(model.predict(users, "b2"), [model.predict(u, "b2") for u in users], rtol=1e-6)


def test_integer_ids_are_found_as_integers_of_any_kind(frame: pd.DataFrame) -> None:
    numbered = frame.assign(reader=frame["reader"].factorize()[0] + 100, book=frame["book"].str[1:].astype(float))
    model = cftui.fit("model1", numbered, epochs=1, bs=16)
    assert model.predict(100, 3) == model.predict(np.int64(100), np.int32(3)) == model.predict("100", "3")
    assert model.recommend(100, 2)["item"].map(type).eq(int).all()


def test_items_describe_what_is_recommended(frame: pd.DataFrame) -> None:
    books = pd.DataFrame(
        {
            "book": [f"b{i}" for i in range(20)],
            "title": [f"Volume {i}" for i in range(20)],
            "genres": ["a, b", "c"] * 10,
        }
    )
    books["year"] = "1987-05-01"
    data = cftui.load_data(frame, items=books, noun="book")
    model = cftui.fit("model4", data, epochs=1, bs=16)
    best = model.recommend("ann", 4, genre="c")
    assert best["title"].str.startswith("Volume").all()
    assert best["item"].str[1:].astype(int).mod(2).eq(1).all()
    assert model.predict("ann", "Volume 3") == model.predict("ann", "b3")
    assert data.items.loc["b3", "title"] == "Volume 3"
    assert data.items.loc["b4", ["year", "genres"]].tolist() == [1987, "a|b"]
    merged = cftui.load_data(frame, items=books.assign(title="The same"), item_key="title")
    assert len(merged.items) == 1


def test_the_last_of_repeated_ratings_counts_and_times_split(frame: pd.DataFrame) -> None:
    again = pd.concat([frame, frame.iloc[:1].assign(stars=1)], ignore_index=True)
    data = cftui.load_data(again)
    assert len(data) == len(frame)
    first = data.ratings.query("user == @frame.reader[0] and item == @frame.book[0]")
    assert first["rating"].tolist() == [1.0]
    dated = frame.assign(when=pd.date_range("2020-01-01", periods=len(frame), freq="D"))
    timed = cftui.load_data(dated, time="when")
    first_second = 1_577_836_800
    assert timed.ratings["timestamp"].iloc[0] == first_second
    # What an import accepts for a time, a frame may hold, too.
    for same in (first_second, float(first_second), first_second * 1000, "2020-01-01", "2020-01-01T01:00:00+01:00"):
        other = cftui.load_data(frame.assign(when=same), time="when")
        assert other.ratings["timestamp"].unique().tolist() == [first_second], same
    assert cftui.fit("model1", timed, split="time", epochs=1, bs=16).split == "time"


def test_a_saved_model_is_a_run_that_opens_again(tiny_home: Home) -> None:
    data = cftui.load_data("tiny", home=tiny_home.root)
    saved = cftui.fit("model4", data, save_as="mine", epochs=2, bs=16, factors=4)
    assert cftui.runs(home=tiny_home.root).loc["mine", "status"] == "done"
    assert cftui.open_run("mine", home=tiny_home.root).predict(3, 4) == saved.predict(3, 4)
    assert saved.options["factors"] == 4


def test_a_model_says_what_its_figure_is_worth(tiny_home: Home, frame: pd.DataFrame) -> None:
    data = cftui.load_data("tiny", home=tiny_home.root)
    for name in ("model1", "ease"):
        saved = cftui.fit(name, data, save_as=f"{name}.run")
        in_memory = cftui.fit(name, data)
        assert in_memory.verdict == saved.verdict.split(";")[0]
        assert any(baseline in saved.verdict for baseline in ("global mean", "bias only", "item kNN", "popularity"))
    assert cftui.fit("model1", frame, split="none").verdict == "no verdict: split none holds no ratings back"


def test_the_data_of_a_model_in_memory_can_be_fitted_and_saved(tiny_home: Home) -> None:
    first = cftui.fit("model1", cftui.load_data("tiny", home=tiny_home.root), epochs=1, bs=16)
    again = cftui.fit("model1", first.data, save_as="again", epochs=1, bs=16)
    assert again.predict(3, 4) == first.predict(3, 4)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda f, d, m: cftui.load_data("no-such-set"), "no data set 'no-such-set'"),
        (lambda f, d, m: cftui.load_data(f.drop(columns="stars")), "no column looks like the ratings"),
        (lambda f, d, m: cftui.load_data(f, user="nobody"), "no column 'nobody'"),
        (lambda f, d, m: cftui.load_data(f.assign(stars=["x", *f["stars"][1:]])), "'x' in row 0 is not a number"),
        (lambda f, d, m: cftui.load_data(f.assign(book=[None, *f["book"][1:]])), "row 0 has no item"),
        (lambda f, d, m: cftui.load_data(f[:0]), "has no rows"),
        (lambda f, d, m: cftui.load_data(3.5), "a float is neither the name of a data set nor a data frame"),
        (lambda f, d, m: cftui.fit("modle4", d), "did you mean model4"),
        (lambda f, d, m: cftui.fit("model4", d, sweeps=3), "model4 has no sweeps"),
        (lambda f, d, m: cftui.fit("model4", d, colour=3), "no option 'colour'"),
        (lambda f, d, m: cftui.fit("model4", d, split="u1"), "no official split u1"),
        (lambda f, d, m: cftui.fit("model4", d, save_as="x"), "save_as needs a data set on disk"),
        (lambda f, d, m: cftui.load_data(f.assign(book="#na#")), "'#na#' in row 0 is reserved for the unknown"),
        (lambda f, d, m: cftui.load_data(f.assign(when="soon"), time="when"), "time 'soon' is neither epoch seconds"),
        (lambda f, d, m: cftui.fit("model1", d, item_key="title"), "the data are keyed by id"),
        (lambda f, d, m: m.predict("nobody", "b1"), "no user nobody"),
        (lambda f, d, m: m.predict("ann", "zzz"), "no book 'zzz'"),
        (lambda f, d, m: m.predict(["ann", "nobody"], ["b1", "b2"]), "no user 'nobody'"),
        (lambda f, d, m: m.predict(["ann"], ["b1", "b2"]), "1 user but 2 items"),
        (lambda f, d, m: m.predict_interval("ann", "b1"), "predicts no intervals; bayes does"),
        (lambda f, d, m: m.fold_in({"b1": 9}), "rating 9 of b1: must be from 1 to 5"),
        (lambda f, d, m: m.map(x=("b1", "b2")), "name both axes"),
        (lambda f, d, m: m.export("/no/such/folder/x"), "no such folder"),
    ],
)
def test_what_is_wrong_is_one_line(wrong, words: str, frame, data, model, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CFTUI_HOME", str(tmp_path))
    with pytest.raises(cftui.CftuiError, match=re.escape(words)) as raised:
        wrong(frame, data, model)
    assert "\n" not in str(raised.value)


def test_a_frame_of_another_library_is_taken_by_its_to_pandas(frame: pd.DataFrame) -> None:
    class Foreign:
        def to_pandas(self) -> pd.DataFrame:
            return frame

    assert cftui.load_data(Foreign()).ratings.equals(cftui.load_data(frame).ratings)


def test_a_recipe_of_ones_own_is_fitted_without_being_listed(frame: pd.DataFrame) -> None:
    from tests.toys import Quadratic

    mine = cftui.Recipe("mine", "a dot product and its square", Quadratic, defaults={"wd": 0.2})
    model = cftui.fit(mine, frame, epochs=2, bs=16, factors=3)
    assert model.item_factors().shape == (20, 3)
    with pytest.raises(cftui.CftuiError, match="no explanation for this model"):
        model.explain("ann", "b1")


def test_the_readmes_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    assert len(blocks) == 1
    lines = [line for line in blocks[0].splitlines() if line.strip()]
    assert len(lines) <= 12
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CFTUI_HOME", str(tmp_path / "home"))
    names: dict[str, Any] = {}
    exec(compile(blocks[0], "README.md", "exec"), names)
    assert any(isinstance(value, api.Model) for value in names.values())
    shutil.rmtree(tmp_path / "home", ignore_errors=True)


def test_recipes_lists_the_table() -> None:
    table = cftui.recipes()
    assert table.index.tolist() == list(RECIPES)
    assert table.loc["bayes", "method"] == "bayes"
    assert table.loc["model4", "options"]["wd"] == recipe("model4").default("wd") == 0.1


def test_two_models_recommend_together(data: api.Data) -> None:
    chooser, rater = cftui.fit("ease", data, l2=10.0), cftui.fit("bayes", data, sweeps=8, factors=2)
    best = chooser.recommend("ann", 4, rated_by=rater)
    assert best["place"].tolist() == [1, 2, 3, 4][: len(best)]
    assert {"score", "predicted", "low", "high", "liked"} <= set(best)
    by_rating = chooser.recommend("ann", 4, rated_by=rater, order="rating")
    assert by_rating["predicted"].is_monotonic_decreasing
    me = chooser.fold_in({data.items.index[0]: 5})
    assert len(chooser.recommend(me, 2, rated_by=rater)) == 2
    with pytest.raises(cftui.CftuiError, match="differ in their seed"):
        chooser.recommend("ann", 4, rated_by=cftui.fit("bayes", data, sweeps=8, factors=2, seed=9))

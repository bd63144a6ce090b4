"""The verbs that read a trained model: the analysis functions' own numbers, as text, as JSON and in files."""

from __future__ import annotations

import html
import io
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open

from cftui.analysis import ranking
from cftui.analysis.explain.anatomy import anatomy, describe
from cftui.analysis.explain.explaining import explain
from cftui.analysis.explain.words import in_words
from cftui.analysis.exports import read_map
from cftui.analysis.maps import components, robust
from cftui.analysis.maps import mapping as maps
from cftui.analysis.ranking import Filter
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import folding, people, profiles
from cftui.data.ratings import Ratings
from cftui.engine.models.recipes import RECIPES
from cftui.engine.runs.folder import find
from cftui.home import Home
from cftui.text import spec
from tests.settings import RATING

FARGO, LAMBS = "Fargo (1996)", "Silence of the Lambs, The (1991)"
RUN = ("--run", "model4.run")


@pytest.fixture
def home(tiny_runs) -> Home:
    """Every recipe on the tiny data; only read."""
    return tiny_runs[0]


@pytest.fixture(scope="module")
def model(tiny_runs) -> TrainedModel:
    return TrainedModel.load(tiny_runs[1]["model4"])


@pytest.fixture
def both(cli) -> Callable[..., Any]:
    """Run a verb twice, as text and with ``--json``; returns what the JSON says.

    Every row of its ``rows`` must stand in the text, in order, with its title and its numbers as they are formatted.
    """

    def run(home: Home, *arguments: object, formats: Mapping[str, str] | None = None, key: str = "rows") -> Any:
        text, as_json = cli(home, *arguments), cli(home, *arguments, "--json")
        assert (text.status, as_json.status) == (0, 0), (text, as_json)
        assert as_json.err == ""
        lines = iter(text.out.splitlines())
        for row in as_json.json.get(key, []):
            cells = [format(row[name], spec) for name, spec in (formats or {}).items()]
            cells += [row["title"]] if "title" in row else []
            assert any(all(cell in line for cell in cells) for line in lines), (cells, text.out)
        return as_json.json

    return run


def same(rows: list[dict], table: pd.DataFrame) -> None:
    """JSON rows are what an analysis function returned, the codes left out."""
    assert len(rows) == len(table)
    for row, wanted in zip(rows, table.to_dict("records"), strict=True):
        for name, value in row.items():
            if isinstance(value, float):
                assert value == pytest.approx(wanted[name], rel=1e-6)
            else:
                assert value == wanted[name]


def read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False)


def test_bias_search_ranks_what_it_finds(home: Home, model: TrainedModel, tiny: Ratings, both) -> None:
    found = both(home, "bias", "model4.run", "--search", "film", formats={"bias": "+.3f", "mean": ".2f"})
    table = ranking.biases(model, tiny)[::-1].reset_index(drop=True)
    table["rank"] = table.index + 1
    wanted = table[table["title"].str.startswith("Film ")]
    assert len(wanted) == 10
    same(found["rows"], wanted)
    assert list(found["rows"][0]) == ["rank", "bias", "mean", "ratings", "title"]


def test_bias_shows_the_plain_mean_beside_it(home: Home, model: TrainedModel, tiny: Ratings, cli) -> None:
    ends = cli(home, "bias", "model4.run", "-n", 2, "--json").json
    table = ranking.biases(model, tiny)
    same(ends["lowest"], table.head(2).assign(rank=[19, 18]))
    same(ends["highest"], table.tail(2)[::-1].assign(rank=[1, 2]))
    text = cli(home, "bias", "model4.run", "-n", 2).out
    for row in (*ends["lowest"], *ends["highest"]):
        assert f"{row['bias']:+.3f}    {row['mean']:.2f}" in text


def test_bias_csv_holds_everything_the_most_liked_first(
    home: Home, model: TrainedModel, tiny: Ratings, tmp_path: Path, cli
) -> None:
    file = tmp_path / "bias.csv"
    done = cli(home, "bias", "model4.run", "--csv", file)
    assert (done.status, done.out, done.err) == (0, "", f"wrote 19 movies to {file}\n")
    table = read_csv(file)
    assert list(table.columns) == ["rank", "bias", "mean", "ratings", "title"]
    assert table["rank"].tolist() == list(range(1, 20))
    same(table.to_dict("records"), ranking.biases(model, tiny)[::-1].assign(rank=range(1, 20)))
    assert cli(home, "bias", "model4.run", "--csv", "-").out == file.read_text()
    some = cli(home, "bias", "model4.run", "--search", "fargo", "--csv", "-").out
    assert set(pd.read_csv(io.StringIO(some))["title"]) == {FARGO, "Fargo Revisited (1999)"}


def test_bias_and_similar_can_be_asked_of_an_earlier_epoch(home: Home, model: TrainedModel, tiny: Ratings, cli) -> None:
    earlier = model.at_epoch(0)
    ends = cli(home, "bias", "model4.run", "-n", 3, "--epoch", 0, "--json").json
    same(ends["lowest"], ranking.biases(earlier, tiny).head(3).assign(rank=[19, 18, 17]))
    assert ends["lowest"] != cli(home, "bias", "model4.run", "-n", 3, "--json").json["lowest"]
    near = cli(home, "similar", FARGO, *RUN, "--epoch", 0, "--json").json
    same(near["rows"], ranking.similar(earlier, model.item_code(FARGO)))


@pytest.mark.parametrize("metric", ranking.METRICS)
@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        ((), {}),
        (("--shrink", "12.5"), {"shrink": 12.5}),
        (("--genre", "DRA"), {"only": Filter(0, "Drama")}),
        (("--min-ratings", "18", "--shrink", "5"), {"only": Filter(18), "shrink": 5}),
        (("-n", "3"), {"n": 3}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_similar_is_the_ranking(metric: str, options, keywords, home: Home, model: TrainedModel, both) -> None:
    found = both(home, "similar", "fargo 1996", *RUN, "--metric", metric, *options, formats={metric: ".3f"})
    assert found["title"] == FARGO
    wanted = ranking.similar(model, model.item_code(FARGO), metric=metric, **keywords)
    assert len(wanted) > 0
    same(found["rows"], wanted)
    assert list(found["rows"][0]) == [metric, "ratings", "title"]


def test_similar_csv_holds_every_other_item(home: Home, model: TrainedModel, tmp_path: Path, cli) -> None:
    file = tmp_path / "near.csv"
    assert cli(home, "similar", LAMBS, *RUN, "--metric", "euclidean", "--csv", file).status == 0
    table = read_csv(file)
    assert list(table.columns) == ["euclidean", "ratings", "title"]
    same(table.to_dict("records"), ranking.similar(model, model.item_code(LAMBS), 99, metric="euclidean"))
    assert len(table) == 18


def test_nothing_that_fits_is_said_and_is_no_error(home: Home, cli) -> None:
    done = cli(home, "similar", FARGO, *RUN, "--min-ratings", 999)
    assert (done.status, done.out) == (0, "")
    assert done.err.endswith("no movie matches\n")
    assert cli(home, "similar", FARGO, *RUN, "--min-ratings", 999, "--json").json["rows"] == []


def test_about_has_the_facts(home: Home, model: TrainedModel, tiny: Ratings, cli) -> None:
    found = cli(home, "about", "the silence of the lambs", *RUN, "--json").json
    wanted = ranking.about(model, tiny, model.item_code(LAMBS))
    assert (found["title"], found["year"], tuple(found["genres"])) == (LAMBS, 1991, wanted.genres)
    assert (found["ratings"], found["bias"], found["bias_rank"]) == (wanted.ratings, wanted.bias, wanted.rank)
    assert found["mean"] == pytest.approx(wanted.mean)
    same(found["histogram"], wanted.histogram)
    facts = dict(line.split(maxsplit=1) for line in cli(home, "about", LAMBS, *RUN).out.splitlines()[:6])
    assert facts == {
        "title": LAMBS,
        "year": "1991",
        "genres": " ".join(wanted.genres),
        "ratings": str(wanted.ratings),
        "mean": f"{wanted.mean:.2f}",
        "bias": f"{wanted.bias:+.3f}, no. {wanted.rank} of 19",
    }
    bare = cli(home, "about", LAMBS, "--run", "model1.run")
    assert bare.status == 0
    assert "bias" not in bare.out
    assert cli(home, "about", LAMBS, "--run", "model1.run", "--json").json["bias"] is None


@pytest.mark.parametrize("name", [name for name, row in RECIPES.items() if row.method == "gradient"])
def test_anatomy_is_the_batch_taken_apart(name: str, home: Home, tiny_runs, tiny: Ratings, cli) -> None:
    other = TrainedModel.load(tiny_runs[1][name])
    arguments = ("anatomy", f"{name}.run", "-n", 2, "--seed", 5)
    parts = anatomy(other, tiny, 2, 5)
    assert cli(home, *arguments).out == describe(parts) + "\n"
    found = cli(home, *arguments, "--json").json
    assert found == {**other.facts(), **json.loads(json.dumps(parts.as_json()))}


@pytest.mark.parametrize("name", RATING)
def test_predict_explains_in_terms_that_sum_to_it(name: str, home: Home, tiny_runs, tiny: Ratings, cli) -> None:
    other = TrainedModel.load(tiny_runs[1][name])
    who, item = people.person(other, tiny, home, 3), other.item_code(FARGO)
    arguments = ("predict", FARGO, "--user", 3, "--run", f"{name}.run", "--explain")
    found = cli(home, *arguments, "--json").json
    wanted = explain(other, who.row, item, who=who)
    assert (found["title"], found["rating"]) == (FARGO, None)
    assert found["predicted"] == wanted.prediction
    assert math.fsum(term["stars"] for term in found["terms"]) == pytest.approx(found["predicted"], abs=1e-5)
    assert [(t["term"], t["raw"], t["stars"]) for t in found["terms"]] == [
        (t.name, t.raw, t.stars) for t in wanted.terms
    ]
    assert (found["method"], found["raw"], found["link"]) == (wanted.method, wanted.raw, wanted.link)
    assert found["completeness_error"] == wanted.error
    same(found["pulls"], people.pulls(other, who, item))
    text = cli(home, *arguments, "-n", 6).out
    assert text.startswith(f"user 3 would give {FARGO} {wanted.prediction:.2f}")
    assert wanted.method in text
    shown = wanted.grouped(6)
    assert shown[-1].kind == "more"
    lines = iter(text.splitlines())
    for term in shown:
        assert any(line.startswith(term.name) and line.endswith(f"{term.stars:+.4f}") for line in lines)
    assert any(f"{wanted.prediction:.4f}" in line and f"{wanted.error:+.1e}" in line for line in lines)
    form = spec([row["pull"] for row in found["pulls"]], 3, "+")
    for row in found["pulls"][:5]:
        assert any(row["title"] in line and format(row["pull"], form) in line for line in lines)
    heads = next(line for line in text.splitlines() if line.startswith("term"))
    assert ("raw" in heads) == (name != "cross-entropy")
    # Before all that, why in words.
    assert tuple(found["words"]) == in_words(other, tiny, who, item, wanted.terms, people.pulls(other, who, item))
    assert text.splitlines()[2 : 2 + len(found["words"])] == [f"  {sentence}" for sentence in found["words"]]


def test_predict_sets_the_real_rating_beside_it(home: Home, tiny: Ratings, model: TrainedModel, cli) -> None:
    who = people.person(model, tiny, home, 3)
    item, given = int(who.items[0]), float(who.given[0])
    found = cli(home, "predict", model.titles[item], "--user", 3, *RUN, "--json").json
    assert found["rating"] == given
    assert "terms" not in found
    text = cli(home, "predict", model.titles[item], "--user", 3, *RUN).out
    assert text == f"user 3 would give {model.titles[item]} {found['predicted']:.2f} (and gave {given:g})\n"


def test_users_are_found_and_described(trained, ratings: Ratings, both, cli) -> None:
    home = trained[0]
    found = both(home, "users", "f", "30-39", "writer", "-n", 3, formats={"user": "", "ratings": ""})
    codes = people.search_users(ratings, "f 30-39 writer")
    assert found["found"] == len(codes) > 3
    assert [row["user"] for row in found["rows"]] == [ratings.users.classes[code] for code in codes[:3]]
    for row, code in zip(found["rows"], codes, strict=False):
        assert row["ratings"] == len(ratings.by_user.rows(code))
        assert (row["gender"], row["occupation"]) == ("F", "writer")
        assert 30 <= int(row["age"]) <= 39
    assert cli(home, "users", "f", "30-39", "writer").err == f"{len(codes)} users found\n"
    nobody = cli(home, "users", "nobody")
    assert (nobody.status, nobody.out, nobody.err) == (0, "", "0 users found\n")


def test_user_says_who_somebody_is(trained, ratings: Ratings, both, cli) -> None:
    home, _, model = trained
    who = people.person(model, ratings, home, 196)
    found = both(home, "user", 196, "-n", 39, formats={"rating": "", "predicted": ".2f"}, key="rated")
    assert (str(found["user"]), str(found["age"]), found["gender"], found["occupation"]) == ("196", "49", "M", "writer")
    assert found["ratings"] == len(who.items)
    assert found["mean"] == pytest.approx(who.given.mean())
    same(found["taste"], people.taste(model, who))
    same(found["rated"], people.rated(model, who))
    lines = cli(home, "user", 196, "-n", 2).out.splitlines()
    assert len(lines) == 6 + 1 + 1 + len(found["taste"]) + 1 + 1 + 2
    assert dict(line.split(maxsplit=1) for line in lines[:6]) == {
        "user": "196",
        "age": "49",
        "gender": "M",
        "occupation": "writer",
        "ratings": str(len(who.items)),
        "mean": f"{who.given.mean():.2f}",
    }
    for line, taste in zip(lines[8:], found["taste"], strict=False):
        wanted = [taste["genre"], str(taste["ratings"]), f"{taste['mean']:.2f}", f"{taste['beside']:+.2f}"]
        assert line.split() == wanted


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(f'title,rating\n"{LAMBS}",5\n{FARGO},1\nNosferatu (1922),4\nFilm A (1990),3\n')
    return path


def test_foldin_recommends_without_training(home: Home, model: TrainedModel, mine: Path, both, cli) -> None:
    items = np.array([model.item_code(title) for title in (LAMBS, FARGO, "Film A (1990)")])
    who = people.folded(model, "mine", items, np.array([5, 1, 3], np.float32))
    found = cli(home, "foldin", mine, *RUN, "--json")
    skipped = "skipped 1 title that is not exactly that of one movie in tiny: Nosferatu (1922)"
    assert found.progress == [skipped]
    assert (found.json["user"], found.json["rated"]) == ("mine", 3)
    assert found.json["passed_over"] == ["Nosferatu (1922)"]
    same(found.json["rows"], ranking.recommend(model, who))
    assert {LAMBS, FARGO, "Film A (1990)"}.isdisjoint(row["title"] for row in found.json["rows"])
    filtered = cli(home, "foldin", mine, *RUN, "-n", 4, "--min-ratings", 18, "--genre", "film", "--json").json
    same(filtered["rows"], ranking.recommend(model, who, 4, only=Filter(18, "Film-Noir")))
    text = cli(home, "foldin", mine, *RUN, "-n", 4).out
    for row in found.json["rows"][:4]:
        assert f"{row['predicted']:.2f}" in text
        assert row["title"] in text
    assert not profiles.folder(home).exists()


def test_a_saved_profile_is_a_user_wherever_a_user_can_be_named(
    own_home: Home, model: TrainedModel, mine: Path, both, cli
) -> None:
    done = cli(own_home, "foldin", mine, *RUN, "--save", "anna", "--json")
    assert done.status == 0
    assert done.progress[-1] == f"saved as {profiles.folder(own_home) / 'anna.csv'}"
    assert done.json["user"] == "anna"
    rated = profiles.load(own_home, "anna", model)
    who = people.folded(model, "anna", rated.items, rated.given)
    assert {model.titles[c]: float(g) for c, g in zip(rated.items, rated.given, strict=True)} == {
        LAMBS: 5,
        FARGO: 1,
        "Film A (1990)": 3,
    }
    best = both(own_home, "recommend", "--user", "anna", *RUN, "-n", 5, formats={"predicted": ".2f"})
    assert best["user"] == "anna"
    same(best["rows"], ranking.recommend(model, who, 5))
    assert best["rows"] == done.json["rows"][:5]
    guess = cli(own_home, "predict", FARGO, "--user", "anna", *RUN, "--explain", "--json").json
    assert (guess["user"], guess["rating"]) == ("anna", 1.0)
    assert guess["predicted"] == pytest.approx(float(model.rate(who.row, np.array([model.item_code(FARGO)]))[0]))
    same(guess["pulls"], people.pulls(model, who, model.item_code(FARGO)))
    shown = both(own_home, "user", "anna", *RUN, formats={"rating": "", "predicted": ".2f"}, key="rated")
    assert (shown["user"], shown["ratings"], shown["mean"]) == ("anna", 3, 3.0)
    assert "age" not in shown
    same(shown["rated"], people.rated(model, who))
    assert cli(own_home, "users", *RUN, "--json").json["profiles"] == ["anna"]
    assert cli(own_home, "users", *RUN).err == "30 users found; saved profiles: anna\n"
    for other in ("model1.run", "collab-nn.run", "cross-entropy.run"):
        answer = cli(own_home, "recommend", "--user", "anna", "--run", other, "--json").json["rows"]
        stranger = TrainedModel.load(find(own_home, other))
        row = folding.fold_in(stranger, rated.items, rated.given)
        assert answer[0]["predicted"] == pytest.approx(np.delete(stranger.rate(row), [0, *rated.items]).max(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        (("-n", "4"), {"n": 4}),
        (("--genre", "west"), {"only": Filter(0, "Western")}),
        (("--min-ratings", "18"), {"only": Filter(18)}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_recommend_is_the_ranking(options, keywords, home: Home, model: TrainedModel, tiny: Ratings, both) -> None:
    found = both(home, "recommend", "--user", 3, *RUN, *options, formats={"predicted": ".2f"})
    who = people.person(model, tiny, home, 3)
    wanted = ranking.recommend(model, who, **keywords)
    assert 0 < len(wanted) < 19 - len(set(who.items.tolist()))
    same(found["rows"], wanted)


def test_recommend_csv_holds_everything_unseen(home: Home, model: TrainedModel, tiny: Ratings, tmp_path, cli) -> None:
    file = tmp_path / "best.csv"
    assert cli(home, "recommend", "--user", 3, *RUN, "--csv", file).status == 0
    table = read_csv(file)
    assert list(table.columns) == ["predicted", "ratings", "title"]
    who = people.person(model, tiny, home, 3)
    assert len(table) == 19 - len(set(who.items.tolist()))
    same(table.to_dict("records"), ranking.recommend(model, who, 99))


NUMBERS = {"0": ".6f", "1": ".6f", "2": ".6f"}


def corners_of(shown: maps.ItemMap, n: int = 5) -> pd.DataFrame:
    corners = components.farthest(shown.table, n)
    rows = [int(shown.table.index[shown.table["code"] == code][0]) for code in corners["code"]]
    return corners.assign(trust=["{}/{}".format(*maps.trust(shown, row)) for row in rows])


def test_pca_is_the_principal_map_with_its_trust(home: Home, model: TrainedModel, both) -> None:
    found = both(home, "pca", "model4.run", "-n", 2, formats={**NUMBERS, "trust": ""})
    shown = maps.principal_map(model)[0]
    same(found["rows"], corners_of(shown, 2))
    assert found["axes"] == ["PC1", "PC2"]
    np.testing.assert_allclose(found["variance"], shown.variance, atol=1e-6)


def test_pca_filters_what_is_shown_not_what_is_decomposed(home: Home, model: TrainedModel, both) -> None:
    found = both(home, "pca", "model4.run", "--min-ratings", 18, formats=NUMBERS)
    shown = maps.principal_map(model)[0]
    same(found["rows"], corners_of(shown.only(model.counts[1:] >= 18)))
    one = both(home, "pca", "model4.run", "--genre", "west", formats=NUMBERS)
    assert [row["title"] for row in one["rows"]] == [FARGO]


@pytest.mark.parametrize("part", ["L", "S"])
@pytest.mark.parametrize("solver", ["ialm", "book"])
def test_pca_of_a_part_is_robust_pca(part: str, solver: str, own_home: Home, model: TrainedModel, both, cli) -> None:
    arguments = ("pca", "model4.run", "--part", part, "--solver", solver)
    found = both(own_home, *arguments, formats=NUMBERS)
    wanted = robust.robust_pca(model.item_factors[1:], solver)
    assert (found["part"], found["solver"], found["converged"]) == (part, solver, wanted.converged)
    assert (found["iterations"], found["rank"]) == (wanted.iterations, wanted.rank)
    for name in ("residual", "density", "objective"):
        assert found[name] == pytest.approx(getattr(wanted, name), rel=1e-6)
    shown = maps.principal_map(model, wanted.low_rank if part == "L" else wanted.sparse, f"{part} PC")[0]
    for row, corner in zip(found["rows"], corners_of(shown).to_dict("records"), strict=True):
        assert (row["title"], row["3"]) == (corner["title"], corner["3"])
        assert [row["0"], row["1"]] == pytest.approx([corner["0"], corner["1"]], abs=1e-6)
    assert found["axes"] == [f"{part} PC1", f"{part} PC2"]
    told = cli(own_home, *arguments).err
    assert told.startswith(f"{solver}: converged after {wanted.iterations} iterations, residual ")
    assert f"rank of L {wanted.rank}" in told


def test_pca_on_named_axes(home: Home, model: TrainedModel, both, cli) -> None:
    arguments = ("pca", "model4.run", "--x", "fargo 1996", "drama", "--y", "Film A (1990)", "Film B (1991)")
    found = both(home, *arguments, formats=NUMBERS)
    ends = [maps.pole(model, text) for text in (FARGO, "Drama", "Film A (1990)", "Film B (1991)")]
    same(found["rows"], corners_of(maps.named_map(model, (ends[0], ends[1]), (ends[2], ends[3]))))
    assert found["axes"] == [f"{FARGO} → Drama", "Film A (1990) → Film B (1991)"]
    assert found["variance"] is None
    assert cli(home, *arguments).err == f"{FARGO} → Drama, Film A (1990) → Film B (1991)\n"


def test_pca_of_an_earlier_epoch_on_the_trained_axes(home: Home, model: TrainedModel, both) -> None:
    for epoch in (0, 1):
        found = both(home, "pca", "model4.run", "--epoch", epoch, formats=NUMBERS)
        same(found["rows"], corners_of(maps.epoch_map(model.at_epoch(epoch), maps.principal_map(model)[1])))
        assert found["epoch"] == epoch


def test_pca_from_what_it_wrote_shows_the_same(home: Home, model: TrainedModel, tmp_path: Path, both, cli) -> None:
    file, again = tmp_path / "map.csv", tmp_path / "again.csv"
    assert cli(home, "pca", "model4.run", "--csv", file).status == 0
    pd.testing.assert_frame_equal(
        read_map(file)[["0", "1", "2", "3"]], maps.principal_map(model)[0].table[["0", "1", "2", "3"]], rtol=1e-12
    )
    found = both(home, "pca", "model4.run", "--from", file, formats=NUMBERS)
    assert found["rows"] == cli(home, "pca", "model4.run", "--json").json["rows"]
    assert cli(home, "pca", "model4.run", "--from", file, "--csv", again).status == 0
    assert again.read_text() == file.read_text()


def test_pca_near_takes_its_tolerance(home: Home, model: TrainedModel, both) -> None:
    found = both(home, "pca", "model4.run", "--near", "--tolerance", 0.05, formats=NUMBERS)
    wanted = components.near_axes(maps.principal_map(model)[0].table, 0.05)
    assert [row["title"] for row in found["rows"]] == wanted["title"].tolist()
    assert 0 < len(wanted) < 19


@pytest.mark.parametrize("colour", maps.COLOURINGS)
def test_pca_draws_the_map_in_every_colouring(colour: str, home: Home, model: TrainedModel, tmp_path, cli) -> None:
    file = tmp_path / "map.svg"
    done = cli(home, "pca", "model4.run", "-n", 1, "--colour", colour, "--picture", file)
    assert (done.status, done.out) == (0, "")
    assert done.err == f"drew 19 movies into {file}\n"
    drawn = html.unescape(file.read_text())
    shown = maps.principal_map(model)[0]
    group, legend = maps.groups(model, shown.table, colour)
    for at in set(group.tolist()):
        assert f">{legend[at]}<" in drawn
    for title in corners_of(shown, 1)["title"]:
        assert title in drawn
    assert "model4.run: 19 movies" in drawn
    for axis, share in zip(shown.axes, shown.variance, strict=True):
        assert f"{axis} ({share:.1%})" in drawn


def test_pca_draws_a_png_and_writes_the_csv_beside_it(home: Home, tmp_path: Path, cli) -> None:
    picture, table = tmp_path / "map.png", tmp_path / "map.csv"
    assert cli(home, "pca", "model4.run", "--picture", picture, "--csv", table).status == 0
    assert picture.read_bytes().startswith(b"\x89PNG\r\n")
    assert len(read_csv(table)) == 19
    assert {path.name for path in tmp_path.iterdir()} == {"map.png", "map.csv"}


def test_export_writes_every_format_and_prints_the_files(home: Home, model: TrainedModel, tmp_path: Path, cli) -> None:
    ends = {
        "csv": ("-items.csv", "-users.csv"),
        "npz": (".npz",),
        "safetensors": (".safetensors",),
        "tsv": ("-vectors.tsv", "-metadata.tsv"),
    }
    for form, suffixes in ends.items():
        done = cli(home, "export", "model4.run", "--format", form, "--to", tmp_path / "out")
        wanted = [f"{tmp_path / 'out'}{suffix}" for suffix in suffixes]
        assert (done.status, done.out.split("\n")[:-1], done.err) == (0, wanted, "")
        as_json = cli(home, "export", "model4.run", "--format", form, "--to", tmp_path / "out", "--json").json
        assert as_json == {**model.facts(), "files": wanted}
    items = read_csv(tmp_path / "out-items.csv")
    assert items["title"].tolist() == model.titles[1:]
    np.testing.assert_allclose(items["bias"], model.item_bias[1:], rtol=1e-6)
    vectors = np.loadtxt(tmp_path / "out-vectors.tsv", delimiter="\t", dtype=np.float32)
    np.testing.assert_allclose(vectors, model.item_factors[1:], rtol=1e-6)
    assert np.array_equal(np.load(tmp_path / "out.npz")["item_factors"], model.item_factors)
    with safe_open(tmp_path / "out.safetensors", "numpy") as file:
        assert np.array_equal(file.get_tensor("item_factors"), model.item_factors)


def test_export_without_a_target_writes_here_under_the_runs_name(home: Home, tmp_path, monkeypatch, cli) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli(home, "export", "model4.run", "--format", "npz").out == "model4.run.npz\n"
    assert (tmp_path / "model4.run.npz").is_file()


def test_reading_verbs_alter_no_run(home: Home, tree, cli) -> None:
    before = tree(home.models)
    for verb in (
        ("bias", "model4.run"),
        ("similar", FARGO, *RUN, "--epoch", 1),
        ("predict", FARGO, *RUN, "--user", 3, "--explain"),
        ("user", 3, *RUN),
        ("pca", "model4.run", "--epoch", 0),
    ):
        assert cli(home, *verb).status == 0
    assert tree(home.models) == before

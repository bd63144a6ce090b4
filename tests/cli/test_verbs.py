"""Every verb's good side: what it prints, as text and as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import cftui
from cftui.cli.output import print_json, print_table
from cftui.cli.train import EventPrinter
from cftui.engine.models.recipes import RECIPES
from cftui.engine.runs.folder import all_runs, find
from cftui.home import Home
from cftui.text import printable
from tests.settings import RATING

SILENCE = "Silence of the Lambs, The (1991)"


@pytest.fixture
def home(trained) -> Home:
    """Holds one run of model4 on the real data; only read."""
    return trained[0]


READERS = [
    ("data", "list"),
    ("data", "stats"),
    ("data", "head", "-n", "3"),
    ("data", "crosstab"),
    ("runs",),
    ("runs", "show", "latest"),
    ("eval", "latest"),
    ("results", "latest"),
    ("bias", "latest"),
    ("similar", "the silence of the lambs"),
    ("predict", "se7en", "--user", "196"),
    ("predict", "se7en", "--user", "196", "--explain"),
    ("recommend", "--user", "196"),
    ("about", "se7en"),
    ("anatomy", "latest"),
    ("users", "20-29", "programmer"),
    ("user", "196"),
    ("pca", "latest"),
    ("pca", "--near"),
    ("pca", "--x", "drama", "comedy", "--y", "Toy Story (1995)", "Fargo (1996)"),
    ("pca", "--epoch", "0"),
    ("train", "model4", "--summary"),
]


@pytest.mark.parametrize("verb", READERS, ids=" ".join)
def test_every_verb_speaks_text_and_json(verb: tuple[str, ...], home: Home, cli) -> None:
    text, as_json = cli(home, *verb), cli(home, *verb, "--json")
    assert (text.status, as_json.status) == (0, 0)
    assert text.out.strip()
    assert as_json.out.count("\n") == 1
    assert as_json.json
    assert as_json.err == ""


def test_data_stats_has_the_promised_keys(home: Home, cli) -> None:
    facts = cli(home, "data", "stats", "ml-100k", "--json").json
    wanted = {"ratings": 100_000, "users": 943, "items": 1682, "titles": 1664, "duplicate_titles": 18}
    assert {key: facts[key] for key in wanted} == wanted
    assert (facts["rating_min"], facts["rating_max"], facts["ids_consecutive"]) == (1, 5, True)
    assert {"rating_mean", "density", "first", "last"} <= set(facts)
    assert facts["duplicates"][0]["title"] == "Chasing Amy (1997)"
    assert [bar["count"] for bar in facts["histogram"]] == [6110, 11370, 27145, 34174, 21201]
    assert "Chasing Amy (1997)" in cli(home, "data", "stats", "--duplicates").out
    assert "100,000" in cli(home, "data", "stats").out


def test_data_head_names_its_items_as_the_data_set_does(home: Home, cli) -> None:
    header, first = cli(home, "data", "head", "-n", "1").out.splitlines()
    assert header.split() == ["user", "movie", "rating", "timestamp", "title"]
    assert first.split(maxsplit=4) == ["196", "242", "3", "881250949", "Kolya (1996)"]


def test_data_crosstab_leaves_blanks(home: Home, cli) -> None:
    window = cli(home, "data", "crosstab", "--users", 4, "--items", 6, "--from-user", 1, "--json").json
    assert window["users"] == [2, 3, 4, 5]
    assert window["items"] == [1, 2, 3, 4, 5, 6]
    assert window["ratings"][0] == [4, None, None, None, None, None]
    assert window["ratings"][3] == [4, 3, None, None, None, None]
    dense = cli(home, "data", "crosstab", "--densest", "--json").json
    assert dense["users"][0] == 405


def test_data_crosstab_is_headed_by_titles_where_they_are_asked_for(home: Home, cli) -> None:
    assert cli(home, "data", "crosstab", "--densest", "--items", 2, "--json").json["titles"][0] == "Star Wars (1977)"
    told = cli(home, "data", "crosstab", "--densest", "--items", 2, "--titles").out
    assert "Star Wars (1977)" in told.splitlines()[0]
    assert "nan" not in told


def test_data_stats_says_who_rated_what_and_when(home: Home, cli) -> None:
    facts = cli(home, "data", "stats", "--json").json
    assert facts["genres"][0] == {"genre": "Drama", "items": 725, "ratings": 39895, "mean": pytest.approx(3.68738)}
    assert facts["genders"][1] == {"gender": "F", "users": 273, "ratings": 25740, "mean": pytest.approx(3.53151)}
    assert facts["occupations"][0]["occupation"] == "student"
    assert [row["users"] for row in facts["ages"]] == [1, 76, 332, 241, 168, 94, 27, 4]
    assert facts["over_time"][0]["from"] == "1997-09-15"
    assert sum(row["users"] for row in facts["per_user"]) == 943
    assert sum(row["items"] for row in facts["per_item"]) == 1682
    lines = [line.split() for line in cli(home, "data", "stats").out.splitlines()]
    for said in ("genre movies ratings mean", "Drama 725 39,895 3.69", "20-29 332 39,535 3.47"):
        assert said.split() in lines


def test_data_get_says_where_it_put_it(tmp_path: Path, ml_100k_folder: Path, cli) -> None:
    home = Home(tmp_path / "new")
    done = cli(home, "data", "get", "ml-100k", "--from", ml_100k_folder, "--json")
    assert done.status == 0
    assert done.json == {"name": "ml-100k", "folder": str(home.data / "ml-100k")}
    assert "no redistribution" in done.err
    listed = {row["name"]: row["on_disk"] for row in cli(home, "data", "list", "--json").json}
    assert listed["ml-100k"] is True
    assert cli(home, "data", "get", "ml-100k").out.strip() == str(home.data / "ml-100k")


def test_eval_and_runs_agree_with_the_training(home: Home, cli) -> None:
    scores = cli(home, "eval", "--json").json
    row = cli(home, "runs", "--json").json[0]
    assert scores["valid"]["mse"] == pytest.approx(row["valid_loss"], rel=1e-6)
    assert (scores["train"]["ratings"], scores["valid"]["ratings"]) == (80_000, 20_000)
    assert row["name"] == "model4-shared"
    assert (row["status"], row["recipe"], row["epochs"]) == ("done", "model4", 5)
    shown = cli(home, "runs", "show", "model4-sh", "--json").json
    assert [e["epoch"] for e in shown["epochs"]] == list(range(5))
    assert shown["status"] == "done"
    table = cli(home, "runs", "show", "latest").out
    assert f"{row['valid_loss']:.6f}" in table


def test_results_can_be_repeated(home: Home, cli) -> None:
    first, again = (cli(home, "results", "latest", "-n", 4, "--seed", 3, "--json").json for _ in range(2))
    assert first == again
    assert len(first["rows"]) == 4
    assert set(first["rows"][0]) == {"user", "title", "rating", "rating_pred"}


def test_bias_shows_both_ends(home: Home, cli) -> None:
    ends = cli(home, "bias", "-n", 3, "--json").json
    assert [len(ends[end]) for end in ("lowest", "highest")] == [3, 3]
    lowest, highest = ([row["bias"] for row in ends[end]] for end in ("lowest", "highest"))
    assert max(lowest) < 0 < min(highest)
    assert lowest == sorted(lowest)
    assert highest == sorted(highest, reverse=True)
    assert ends["highest"][0]["title"] in cli(home, "bias", "-n", 3).out


def test_similar_predict_and_recommend(home: Home, cli) -> None:
    near = cli(home, "similar", "the silence of the lam", "-n", 4, "--min-ratings", 50, "--json").json
    assert near["title"] == SILENCE
    assert len(near["rows"]) == 4
    assert all(row["ratings"] >= 50 and row["title"] != SILENCE for row in near["rows"])
    guess = cli(home, "predict", SILENCE, "--user", "196", "--json").json
    assert (str(guess["user"]), guess["title"], guess["rating"]) == ("196", SILENCE, None)
    assert 3 < guess["predicted"] < 5.5
    assert cli(home, "predict", SILENCE, "--user", "196").out.strip().endswith(f"{guess['predicted']:.2f}")
    assert "(and gave 3)" in cli(home, "predict", "Kolya (1996)", "--user", "196").out
    best = cli(home, "recommend", "--user", "196", "-n", 3, "--json").json["rows"]
    assert len(best) == 3
    assert "Kolya (1996)" not in [row["title"] for row in best]


def test_pca_lists_the_corners_and_writes_csv(home: Home, tmp_path: Path, cli) -> None:
    corners = cli(home, "pca", "-n", 2, "--json").json
    assert len(corners["rows"]) == 8
    assert len(corners["variance"]) == 2
    file = tmp_path / "map.csv"
    assert cli(home, "pca", "--csv", file).status == 0
    table = pd.read_csv(file)
    assert list(table.columns) == ["0", "1", "2", "3", "title", "ratings"]
    assert len(table) == 1664
    assert "Misérables, Les (1995)" in set(table["title"])
    printed = cli(home, "pca", "--csv", "-").out
    assert printed == file.read_text()


@pytest.mark.parametrize("name", RECIPES)
def test_train_summary_shows_every_architecture_and_trains_nothing(name: str, tiny_home: Home, cli) -> None:
    shown = cli(tiny_home, "train", name, "--summary", "--data", "tiny", "--json").json
    assert shown["parameters"] == sum(layer["parameters"] for layer in shown["layers"]) > 0

    assert not tiny_home.models.exists()


@pytest.mark.parametrize("name", RATING)
def test_train_json_is_the_runs_own_events(name: str, tiny_home: Home, cli) -> None:
    batch = () if RECIPES[name].method == "bayes" else ("--bs", 16)
    done = cli(tiny_home, "train", name, "--data", "tiny", "--epochs", 2, *batch, "--json")
    assert done.status == 0
    events = done.lines
    assert [event["event"] for event in events] == ["start", "baselines", "epoch", "epoch", "done"]
    assert events[1]["bias_only"] < events[1]["global_mean"]
    for number, event in enumerate(events[2:4]):
        assert event["epoch"] == number
        assert {"train_loss", "valid_loss", "seconds", "rmse", "mae", "ratings_per_second"} <= set(event)
        assert event["valid_loss"] > 0
    assert events[-1]["run"].startswith(name)
    assert events[-1]["valid_loss"] == events[3]["valid_loss"]
    assert events[-1]["seconds"] >= events[2]["seconds"] + events[3]["seconds"] - 1e-3
    assert (tiny_home.models / events[-1]["run"] / "weights.safetensors").is_file()


def test_train_prints_the_chapters_table(tiny_home: Home, cli) -> None:
    done = cli(tiny_home, "train", "model4", "--data", "tiny", "--epochs", 2, "--bs", 16, "--name", "mine")
    lines = done.out.splitlines()
    assert lines[0].split() == ["epoch", "train_loss", "valid_loss", "rmse", "time"]
    assert [line.split()[0] for line in lines[1:]] == ["0", "1"]
    assert "run mine" in done.err
    assert cli(tiny_home, "runs", "rm", "mi").status == 0
    assert not (tiny_home.models / "mine").exists()


def test_runs_of_an_empty_home(tmp_path: Path, cli) -> None:
    assert cli(Home(tmp_path), "runs", "--json").json == []
    assert "train model4" in cli(Home(tmp_path), "runs").err


def test_the_home_comes_from_the_environment_too(tmp_path: Path, cli, capsys, monkeypatch) -> None:
    from cftui.cli.main import main

    monkeypatch.setenv("CFTUI_HOME", str(tmp_path / "from-env"))
    assert main(lambda home, _: print(home.root), []) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "from-env")
    assert cli(Home(tmp_path / "given")).out.strip() == f"app at {tmp_path / 'given'}"


def no_app(home: Home, ascii_only: bool) -> int:
    raise AssertionError("the app was opened")


def test_version_and_help_end_well(cli, capsys) -> None:
    from cftui.cli.main import main

    assert main(no_app, ["--version"]) == 0
    assert cftui.__version__ in capsys.readouterr().out
    assert main(no_app, ["--help"]) == 0
    listed = capsys.readouterr().out
    chapter = ("data", "train", "runs", "eval", "results", "bias", "similar", "predict", "recommend", "pca", "tour")
    for verb in (*chapter, "about", "anatomy", "export", "foldin", "user", "users"):
        assert f"  {verb} " in listed
    assert main(no_app, ["train", "--help"]) == 0
    explained = capsys.readouterr().out
    assert all(name in explained for name in RECIPES)


@pytest.mark.slow
def test_the_tour_holds_the_whole_job(fresh_home: Home, cli) -> None:
    done = cli(fresh_home, "tour")
    assert done.status == 0
    for part in ("100,000", "valid_loss", "least liked", "most liked", SILENCE, "First Quadrant", "Fourth Quadrant"):
        assert part in done.out
    assert len(all_runs(fresh_home)) == 1


def test_titles_cannot_send_escape_sequences(capsys) -> None:
    print_table([{"title": "a\x1b[31mred\x07\u202e", "n": 1.5}])
    assert "\x1b" not in capsys.readouterr().out
    assert printable("Misérables\x9b") == "Misérables "


def test_json_has_null_for_what_is_no_number(capsys) -> None:
    print_json({"a": float("nan"), "b": [float("inf"), 1.0]})
    assert capsys.readouterr().out == '{"a": null, "b": [null, 1.0]}\n'


def test_pca_by_id_writes_the_ids(tiny_home: Home, tmp_path: Path, cli) -> None:
    """Two ids share a title: only the id tells them apart."""
    given = ("--data", "tiny", "--item-key", "id", "--epochs", 1, "--bs", 16, "--name", "ids")
    assert cli(tiny_home, "train", "model4", *given).status == 0
    file = tmp_path / "map.csv"
    assert cli(tiny_home, "pca", "ids", "--csv", file).status == 0
    table = pd.read_csv(file)
    assert sorted(table["item"]) == list(range(1, 21))
    assert len(set(table.loc[table["title"] == "Chasing Amy (1997)", "item"])) == 2
    assert cli(tiny_home, "pca", "ids", "--from", file).status == 0


def test_everybodys_lists_go_to_a_file(own_home: Home, tmp_path: Path, cli) -> None:
    target, ids, few = tmp_path / "lists.csv", tmp_path / "ids.txt", tmp_path / "few.txt"
    done = cli(own_home, "recommend", "--run", "ease.run", "--users", "all", "-n", 3, "--to", target)
    assert done.status == 0
    assert f"wrote the lists of 30 users to {target}" in done.err
    assert len(target.read_text().splitlines()) > 60
    ids.write_text("7\n3\n\n7\n")
    few.write_text("Fargo (1996)\nSeven (Se7en) (1995)\n")
    chosen = ("recommend", "--run", "ease.run", "--users", ids, "--to", target)
    found = cli(own_home, *chosen, "--among", few, "--seen", "--json").json
    assert found["users"] == 2
    rows = target.read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["7", "7", "3", "3"]
    assert cli(own_home, *chosen, "--among", few, "--without", few).err.startswith(
        "cftui: nothing is left to recommend"
    )
    few.write_text("Fargo (1996)\nno such film\n")
    assert "line 2: no movie 'no such film' in tiny" in cli(own_home, *chosen, "--among", few).err
    ids.write_text("7\nnobody\n")
    assert "line 2: no user nobody in tiny" in cli(own_home, *chosen).err
    for wrong in (
        ("recommend",),
        ("recommend", "--users", "all"),
        ("recommend", "--user", 7, "--users", "all"),
        ("recommend", "--user", 7, "--to", target),
        ("recommend", "--users", "all", "--to", target, "--order", "both"),
    ):
        assert cli(own_home, *wrong).status == 2


def test_every_verb_is_found_under_its_own_name_and_only_when_it_is_run() -> None:
    import click

    from cftui.cli.main import VERBS, build

    program = build(lambda home, ascii_only: 0)
    context = click.Context(program)
    for name in VERBS:
        assert program.get_command(context, name).name == name
    code = "import sys; import cftui.cli.main; print(sorted(m for m in sys.modules if m.startswith('cftui.cli.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == ["cftui.cli.main", "cftui.cli.output", "cftui.cli.verb"]


def test_a_resumed_run_says_how_many_sweeps_are_done_and_not_the_number_of_one(capsys):
    event: Any = {"run": "b", "epochs": 300, "steps": 300, "steps_per_epoch": 1, "batch_size": 80_000, "device": "cpu"}
    EventPrinter(False)({"event": "resume", "unit": "sweep", "step": 40, **event})
    assert "continuing: 40 of 300 sweeps are done" in capsys.readouterr().err


def test_a_run_is_trained_anew_with_the_settings_of_another(own_home: Home, cli: Any, fails: Any) -> None:
    first = cli(own_home, "train", "--like", "model4", "--epochs", "2", "--name", "anew", "--json")
    assert first.status == 0, first.err
    old, new = (find(own_home, name).config() for name in ("model4", "anew"))
    assert (new.recipe, new.data.name) == (old.recipe, old.data.name)
    assert new.settings() == {**old.settings(), "epochs": 2}
    assert "give a RECIPE, or --like RUN" in fails(own_home, "train", status=2)
    assert "give a RECIPE, or --like RUN" in fails(own_home, "train", "model4", "--like", "model4", status=2)

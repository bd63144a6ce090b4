"""``cftui train --config run.toml`` and ``cftui runs show RUN --toml``: a file that repeats a run to the bit."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cftui.engine.models.recipes import recipe
from cftui.engine.runs.folder import RunFolder, find
from cftui.engine.runs.run_file import _value, as_toml, read_run_file
from cftui.engine.training import train
from cftui.home import Home

# One run for each method, with something set that is not a default.
RUNS: dict[str, dict[str, Any]] = {
    "model4": {"epochs": 2, "bs": 16, "factors": 4, "patience": 1, "keep_best": True, "wd_bias": 0.02, "seed": 3},
    "bayes": {"sweeps": 6, "factors": 3, "implicit": False, "burn_in": 2},
    "ease": {"l2": 7.5, "fade": False, "seed": 1},
    "ials": {"sweeps": 3, "factors": 4, "graded": False},
}


@pytest.fixture
def file(tmp_path: Path):
    """Writes a run file and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "run.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def weights(run: RunFolder) -> dict[str, torch.Tensor]:
    return load_file(run.weights_file)


@pytest.mark.parametrize("name", RUNS)
def test_the_file_of_a_run_repeats_it_to_the_bit(name: str, tiny_home: Home, cli, file) -> None:
    row = recipe(name)
    first = train(
        tiny_home, row, row.options(**RUNS[name]), data="tiny", device=torch.device("cpu"), name=f"first-{name}"
    )
    told = cli(tiny_home, "runs", "show", first.name, "--toml")
    assert (told.status, told.err) == (0, "")
    done = cli(tiny_home, "train", "--config", file(told.out), "--name", "second", "--json")
    assert done.status == 0, done.err
    second = find(tiny_home, "second")
    assert second.config().settings() == first.config().settings()
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    figures = [[(e["valid_loss"], e.get("ndcg")) for e in run.history().epochs] for run in (first, second)]
    assert figures[0] == figures[1]


def test_the_file_has_every_option_and_is_toml(tiny_runs, cli) -> None:
    home, runs = tiny_runs
    for name, run in runs.items():
        values = tomllib.loads(cli(home, "runs", "show", run.name, "--toml").out)
        assert {option.replace("_", "-") for option in recipe(name).described} <= set(values)
        assert values["recipe"] == name
    assert tomllib.loads(cli(home, "runs", "show", "model4.run", "--toml", "--json").json["toml"])["patience"] == "off"


def test_what_is_given_beside_the_file_comes_first(tiny_home: Home, cli, file) -> None:
    path = file('recipe = "model4"\ndata = "tiny"\nname = "a"\nepochs = 3\nfactors = 4\nbs = 16\nwd-bias = 0.5\n')
    assert cli(tiny_home, "train", "--config", path).status == 0
    assert find(tiny_home, "a").config().differences() == {"epochs": 3, "factors": 4, "bs": 16, "wd_bias": 0.5}
    more = ("--epochs", 1, "--wd-bias", 0.25, "--name", "b")
    assert cli(tiny_home, "train", "--config", path, *more).status == 0
    assert find(tiny_home, "b").config().differences() == {"epochs": 1, "factors": 4, "bs": 16, "wd_bias": 0.25}
    # The recipe's own defaults are below the file.
    assert find(tiny_home, "b").config().settings()["wd"] == 0.1
    assert cli(tiny_home, "train", "model3", "--config", path, "--name", "c").status == 0
    assert find(tiny_home, "c").config().recipe.name == "model3"


def test_an_option_and_its_alias_are_one(tiny_home: Home, cli, file) -> None:
    path = file('recipe = "bayes"\ndata = "tiny"\nepochs = 9\nfactors = 3\n')
    assert cli(tiny_home, "train", "--config", path, "--sweeps", 5, "--name", "a").status == 0
    assert find(tiny_home, "a").config().settings()["sweeps"] == 5


WRONG = {
    "unknown key": ('recipe = "model4"\nepoch = 3\n', "line 2: no key 'epoch'; did you mean epochs?"),
    "unknown general key": ('recipe = "model4"\nnme = "x"\n', "line 2: no key 'nme'; did you mean name?"),
    "option of another method": ('recipe = "bayes"\nlr = 0.1\n', "line 2: bayes has no learning rate"),
    "text for a number": ('recipe = "model4"\n\nlr = "fast"\n', "line 3: lr must be a number"),
    "a number for a switch": ('recipe = "model4"\nkeep-best = 1\n', "line 2: keep-best must be true or false"),
    "a switch for a number": ('recipe = "model4"\nepochs = true\n', "line 2: epochs must be a whole number"),
    "wrong word for no value": ('recipe = "model4"\npatience = "none"\n', 'patience must be a whole number, or "off"'),
    "out of range": ('recipe = "model4"\nepochs = 0\n', "line 2: epochs '0': must be"),
    "twice": ('recipe = "bayes"\nepochs = 3\nsweeps = 4\n', "line 3: sweeps is set twice"),
    "no recipe": ("epochs = 3\n", "names no recipe"),
    "unknown recipe": ('recipe = "modle4"\n', "line 1: no recipe 'modle4'; did you mean model4 or"),
    "a recipe that is a number": ("recipe = 4\n", "line 1: recipe must be a string"),
    "not TOML": ("recipe = model4\n", "not a TOML file"),
    "another data set": ('recipe = "model4"\ndata = "tiny"\nfingerprint = "abc"\n', "written for abc"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_in_the_file_is_one_line_and_trains_nothing(case: str, tiny_home: Home, fails, file, tree) -> None:
    text, complaint = WRONG[case]
    path = file(text)
    line = fails(tiny_home, "train", "--config", path)
    assert complaint in line
    assert str(path) in line or case == "another data set"
    assert not tiny_home.models.exists()


def test_fast_comes_before_the_batch_of_the_file_only(tiny_home: Home, cli, fails, file) -> None:
    path = file('recipe = "model4"\ndata = "tiny"\nbs = 16\n')
    assert cli(tiny_home, "train", "--config", path, "--summary", "--fast").status == 0
    assert "give one of them" in fails(tiny_home, "train", "--config", path, "--fast", "--bs", 32, status=2)


def test_a_missing_file_and_two_sources_are_refused(tiny_home: Home, fails, file, tmp_path: Path) -> None:
    assert "no-such.toml" in fails(tiny_home, "train", "--config", tmp_path / "no-such.toml")
    path = file('recipe = "model4"\n')
    assert "--like" in fails(tiny_home, "train", "--config", path, "--like", "latest", status=2)
    assert "--config FILE" in fails(tiny_home, "train", status=2)


def test_numbers_of_another_revision_are_announced(tiny_home: Home, cli, file) -> None:
    path = file('recipe = "ials"\ndata = "tiny"\nmethod-revision = 99\nsweeps = 1\nfactors = 2\n')
    done = cli(tiny_home, "train", "--config", path)
    assert done.status == 0
    assert "gives other numbers" in done.err


def test_a_run_that_was_continued_says_what_its_file_repeats(tiny_home: Home, cli) -> None:
    row = recipe("model4")
    run = train(
        tiny_home, row, row.options(epochs=1, bs=16, factors=2), data="tiny", device=torch.device("cpu"), name="a"
    )
    assert cli(tiny_home, "runs", "resume", "a", "--epochs", 1, "--device", "cpu").status == 0
    assert "repeats the first 1 epoch" in cli(tiny_home, "runs", "show", run.name, "--toml").err


@pytest.mark.parametrize("value", ["plain", 'a "quoted" \\ name', "tab\tand\x7f\x1b", "é 中 🎬", 5e-05, 1e22, 3, True])
def test_a_value_is_read_as_it_was_written(value: object) -> None:
    assert tomllib.loads(f"value = {_value(value)}")["value"] == value


def test_what_the_option_has_no_value_for_is_a_word(tmp_path: Path, tiny_runs) -> None:
    config = tiny_runs[1]["model4"].config()
    path = tmp_path / "run.toml"
    path.write_text(as_toml(config), encoding="utf-8")
    found = read_run_file(path)
    assert found.options["patience"] is None
    assert dict(found.options) == config.settings()

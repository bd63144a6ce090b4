"""``run.json``: typed, versioned, migrated; runs of the first format still open, resume and export."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cftui.analysis.exports import export
from cftui.analysis.trained import TrainedModel
from cftui.engine import training
from cftui.engine.models.recipes import RECIPES, recipe
from cftui.engine.runs.config import FORMAT, RunConfig, read_config
from cftui.engine.runs.folder import RunFolder, rename
from cftui.engine.runs.summaries import summarise
from cftui.errors import CftuiError
from cftui.home import Home

FIXTURES = Path(__file__).parents[2] / "fixtures" / "format1"
CPU = torch.device("cpu")


@pytest.fixture
def old_home(tmp_path: Path) -> Home:
    """A home with runs made by cftui 0.1.0, one per method and state, on synthetic ratings of books."""
    shutil.copytree(FIXTURES, tmp_path / "home")
    return Home(tmp_path / "home")


def run_of(home: Home, name: str) -> RunFolder:
    return RunFolder(home.models / name)


def edited(home: Home, name: str, **changes: Any) -> RunFolder:
    """A run whose ``run.json`` has been changed: ``recipe__method="x"`` sets a field of a field."""
    run = run_of(home, name)
    value = run.config().as_json()
    for path, new in changes.items():
        *outer, last = path.split("__")
        place = value
        for part in outer:
            place = place[part]
        if new is None:
            del place[last]
        else:
            place[last] = new
    run.config_file.write_text(json.dumps(value))
    return run


@pytest.mark.parametrize("name", ["gradient-done", "hybrid-done", "bayes-done"])
def test_a_finished_run_of_the_first_format_opens_and_exports(old_home: Home, name: str, tmp_path: Path) -> None:
    run = run_of(old_home, name)
    model = TrainedModel.load(run)
    ratings = model.ratings(old_home)
    valid = model.split(ratings).valid
    predicted = model.predict(ratings.user[valid], ratings.item[valid])
    mse = float(np.square(predicted - ratings.rating[valid]).mean())
    assert mse == pytest.approx(run.history().ending["valid_loss"], rel=2e-3 if name == "bayes-done" else 1e-5)
    assert summarise(run).problem == ""
    written = export(model, "csv", tmp_path / "out")
    assert written


def test_an_unfinished_run_of_the_first_format_resumes_to_the_same_weights(old_home: Home) -> None:
    stopped, whole = run_of(old_home, "gradient-stopped"), run_of(old_home, "gradient-done")
    training.resume(old_home, stopped, device=CPU)
    assert stopped.status() == "done"
    mine, theirs = load_file(stopped.weights_file), load_file(whole.weights_file)
    assert mine.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(mine[name], tensor, rtol=1e-4, atol=1e-5)


def test_an_unfinished_chain_of_other_numbers_is_not_continued(old_home: Home) -> None:
    """The draws of `bayes` have changed since: the version that began a chain has to continue it."""
    stopped = run_of(old_home, "bayes-stopped")
    with pytest.raises(CftuiError, match=r"was begun by cftui 0\.1\.0, whose bayes gives other numbers"):
        training.resume(old_home, stopped, device=CPU)
    assert stopped.status() == "stopped"


def test_the_first_format_becomes_options_of_the_method(old_home: Home) -> None:
    gradient, bayes = (run_of(old_home, f"{method}-done").config() for method in ("gradient", "bayes"))
    assert gradient.recipe == recipe("model4")
    assert gradient.options == recipe("model4").options(epochs=3, bs=16, factors=4, wd=0.1, wd_bias=0.1)
    assert bayes.options == recipe("bayes").options(sweeps=12, factors=2)
    assert bayes.recipe == recipe("bayes")
    hybrid = run_of(old_home, "hybrid-done").config()
    assert hybrid.recipe == recipe("hybrid")
    assert gradient.method_revision == 1


def test_a_renamed_old_run_is_written_in_the_new_format(old_home: Home) -> None:
    renamed = rename(old_home, run_of(old_home, "bayes-done"), "other")
    assert json.loads(renamed.config_file.read_text())["format"] == FORMAT
    assert TrainedModel.load(renamed).recipe == recipe("bayes")


def test_what_is_written_is_what_is_read(old_home: Home) -> None:
    for name in ("gradient-done", "bayes-done"):
        run = run_of(old_home, name)
        config = run.config()
        run.config_file.write_text(json.dumps(config.as_json()))
        assert read_config(run.config_file) == config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": FORMAT + 1}, r"written by a newer cftui"),
        ({"format": "two"}, r"field format 'two' is not a number"),
        ({"device": None}, r"field device is missing"),
        ({"options": 3}, r"field options 3 is not a JSON object"),
        ({"options__lr": -1.0}, r"field options.lr learning rate '-1.0': must be a number above 0"),
        ({"options__lr": "fast"}, r"field options.lr learning rate 'fast'"),
        ({"options__keep_best": "yes"}, r"field options.keep_best 'yes' is not true or false"),
        ({"options__colour": 1}, r"field options.colour is unknown to method gradient"),
        ({"recipe__method": "magic"}, r"field recipe.method no method 'magic'"),
        ({"recipe__architecture": None}, r"field recipe.architecture is missing"),
        ({"recipe__extra": 1}, r"field recipe.extra is unknown"),
        ({"data__levels": ["a"]}, r"field data holds something that is not a number"),
        ({"data__noun": None}, r"field data.noun is missing"),
    ],
)
def test_a_wrong_field_is_named(old_home: Home, changes: dict[str, Any], words: str) -> None:
    run = edited(old_home, "gradient-done", **changes)
    with pytest.raises(CftuiError, match=words) as raised:
        run.config()
    assert str(run.config_file) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert summarise(run).status == "damaged"


def test_a_file_names_no_code_to_run_but_that_of_installed_recipes(old_home: Home) -> None:
    for path in ("os:system", "cftui.cli.main:main"):
        for changes in ({"recipe__architecture": path}, {"recipe__method": path}):
            run = edited(old_home, "gradient-done", **changes)
            with pytest.raises(CftuiError, match=f"{path} belongs to no installed recipe"):
                run.config()
            shutil.copytree(FIXTURES / "models" / "gradient-done", run.path, dirs_exist_ok=True)


def test_a_method_with_other_numbers_opens_its_finished_runs_and_names_the_version_that_resumes(
    old_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cftui.engine.models import methods

    now = methods.method("gradient")
    monkeypatch.setattr(methods, "_load", lambda path: dataclasses.replace(now, revision=2))
    assert TrainedModel.load(run_of(old_home, "gradient-done")).recipe.name == "model4"
    with pytest.raises(CftuiError, match=r"gradient-stopped was begun by cftui 0\.1\.0, whose gradient gives other"):
        training.resume(old_home, run_of(old_home, "gradient-stopped"), device=CPU)


def test_a_recipe_of_nobody_says_what_to_install(old_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    run = edited(old_home, "gradient-done", recipe__name="theirs", recipe__architecture="somewhere.else:Model")
    with pytest.raises(CftuiError, match="install the package that brings theirs"):
        run.config()


def test_settings_are_those_the_recipe_has() -> None:
    row = RECIPES["collab-nn"]
    config = RunConfig("r", "now", row, row.options(), None, 1, "cpu", {})
    assert "factors" not in config.settings()
    assert "burn_in" not in config.settings()
    assert config.settings()["lr"] == 5e-3

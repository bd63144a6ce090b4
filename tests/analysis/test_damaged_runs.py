"""A run folder with a missing, truncated or foreign file: one error that names the file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cftui.analysis.trained import TrainedModel
from cftui.engine.runs.folder import RunFolder
from cftui.errors import CftuiError
from cftui.home import Home

FILES = ["run.json", "vocabulary.json", "weights.safetensors"]


@pytest.fixture
def run(tiny_runs, tmp_path: Path) -> RunFolder:
    """A run that a test may damage."""
    shutil.copytree(tiny_runs[1]["model4"].path, tmp_path / "mine")
    return RunFolder(tmp_path / "mine")


def complaint(run: RunFolder) -> str:
    with pytest.raises(CftuiError) as caught:
        TrainedModel.load(run)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit(path: Path, change: Callable[[dict], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(run: RunFolder, name: str) -> None:
    (run.path / name).unlink()
    run.checkpoint_file.unlink()
    assert complaint(run).startswith(f"{run.path / name}: no such file")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_named(run: RunFolder, name: str, share: float) -> None:
    path = run.path / name
    os.truncate(path, int(share * path.stat().st_size))
    assert complaint(run).startswith(f"{path}: damaged")


@pytest.mark.parametrize("name", ["run.json", "vocabulary.json"])
@pytest.mark.parametrize("text", ["[]", "3", '"text"', "\x00\x00", "{}"])
def test_a_file_of_something_else_is_named(run: RunFolder, name: str, text: str) -> None:
    (run.path / name).write_text(text)
    assert str(run.path / name) in complaint(run)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["recipe"].update(architecture="Nothing"),
        lambda c: c["recipe"].pop("name"),
        lambda c: c["recipe"].update(unheard_of=1),
        lambda c: c.update(recipe="model4"),
        lambda c: c["options"].update(factors="many"),
        lambda c: c["data"].pop("levels"),
        lambda c: c["data"].update(rating_range=None),
    ],
    ids=["unknown architecture", "no name", "unheard-of field", "no object", "bad option", "no levels", "no range"],
)
def test_a_run_json_of_another_version_is_named(run: RunFolder, change: Callable[[dict], object]) -> None:
    edit(run.config_file, change)
    assert str(run.config_file) in complaint(run)


def test_weights_that_do_not_fit_are_named(run: RunFolder, tiny_runs) -> None:
    shutil.copy(tiny_runs[1]["collab"].weights_file, run.weights_file)
    assert complaint(run).startswith(f"{run.weights_file}: does not fit model4")


def test_a_vocabulary_that_does_not_fit_is_named(run: RunFolder) -> None:
    edit(run.vocabulary_file, lambda v: v["items"].pop())
    assert complaint(run).startswith(f"{run.vocabulary_file}: damaged")


def test_without_weights_the_last_checkpoint_is_read(run: RunFolder) -> None:
    whole = TrainedModel.load(run)
    run.weights_file.unlink()
    assert (TrainedModel.load(run).item_factors == whole.item_factors).all()


def test_loading_changes_nothing_in_the_folder(run: RunFolder, tree) -> None:
    before = tree(run.path)
    model = TrainedModel.load(run)
    model.rate(model.user_rows[1])
    assert tree(run.path) == before


def test_a_model_of_another_data_set_does_not_read_this_one(run: RunFolder, tiny_home: Home) -> None:
    edit(run.config_file, lambda c: c["data"].update(fingerprint="0" * 16))
    with pytest.raises(CftuiError, match=r"mine was trained on another tiny \(fingerprint 0000"):
        TrainedModel.load(run).ratings(tiny_home)

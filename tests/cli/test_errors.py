"""Every kind of bad input: exit status 1 (2 for wrong usage), one line on stderr, nothing harmed."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from cftui.data.store import sources
from cftui.errors import CftuiError
from cftui.home import Home


@pytest.fixture
def home(tiny_runs, tmp_path: Path) -> Home:
    """Two runs on the tiny data, of one's own."""
    home = Home(tmp_path / "home")
    shutil.copytree(tiny_runs[0].data, home.data)
    for name in ("model4", "model1"):
        shutil.copytree(tiny_runs[1][name].path, home.models / f"{name}.run")
    return home


CASES = {
    "unknown data set": (("data", "stats", "ml-1000k"), "no data set 'ml-1000k'; did you mean ml-100k?"),
    "data set not fetched": (("data", "stats", "ml-100k"), "fetch it with: cftui data get ml-100k"),
    "unknown recipe": (("train", "modle4", "--data", "tiny"), "no recipe 'modle4'; did you mean model4"),
    "unknown split": (("train", "model4", "--data", "tiny", "--split", "u6"), "no split 'u6'"),
    "no such device": (("train", "model4", "--data", "tiny", "--device", "gpu"), "no device 'gpu'"),
    "bad run name": (("train", "model4", "--data", "tiny", "--name", "../x"), "run name '../x'"),
    "taken run name": (("train", "model4", "--data", "tiny", "--name", "model4.run"), "a run model4.run already"),
    "batch too large": (("train", "model4", "--data", "tiny", "--bs", "9999"), "batch size 9999: more than"),
    "unknown run": (("bias", "modell4"), "no run 'modell4'"),
    "unknown run to show": (("runs", "show", "nothing"), "no run 'nothing'"),
    "ambiguous run": (("bias", "model"), "run 'model' is ambiguous: "),
    "unknown title": (("similar", "qqqqqq", "--run", "model4.run"), "no movie 'qqqqqq' in tiny"),
    "ambiguous title": (("similar", "fargo", "--run", "model4.run"), "'fargo' fits several movies: "),
    "unknown user": (("recommend", "--user", "99", "--run", "model4.run"), "no user 99 in tiny; ids run from 1 to 30"),
    "user of letters": (("predict", "fargo (1996)", "--user", "bob", "--run", "model4.run"), "no user bob"),
    "no biases": (("bias", "model1.run"), "model1.run: model1 has no biases"),
    "resume of a done run": (("runs", "resume", "model4.run"), "run model4.run is done"),
    "stop of a done run": (("runs", "stop", "model4.run"), "not being trained (status: done)"),
    "missing source": (("data", "get", "ml-100k", "--from", "/nowhere/at/all"), "--from /nowhere/at/all: no such"),
    "negative draw": (("results", "model4.run", "--seed", "-1"), "seed"),
    "csv into no folder": (("pca", "model4.run", "--csv", "/nowhere/map.csv"), "/nowhere/"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line_and_harms_nothing(case: str, home: Home, fails, tree) -> None:
    arguments, complaint = CASES[case]
    before = tree(home.root)
    status = 2 if case == "negative draw" else 1
    assert complaint in fails(home, *arguments, status=status)
    assert tree(home.root) == before


USAGE = [
    ("nonsense",),
    ("train",),
    ("train", "model4", "--epochs", "0"),
    ("train", "model4", "--lr", "fast"),
    ("train", "model4", "--unheard-of"),
    ("predict", "fargo"),
    ("data", "head", "-n", "0"),
    ("data", "crosstab", "--users", "x"),
    ("runs", "show"),
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_wrong_usage_is_status_2(arguments: tuple[str, ...], home: Home, fails) -> None:
    assert "--help" in fails(home, *arguments, status=2)


def test_a_cuda_that_is_not_there_is_said_to_be_missing(home: Home, fails, monkeypatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    line = fails(home, "train", "model4", "--data", "tiny", "--device", "cuda")
    assert line == "cftui: device cuda: this machine has no CUDA devices; give --device auto or cpu"
    assert len(list(home.models.iterdir())) == 2


def test_a_bad_row_is_said_with_file_and_line(home: Home, tmp_path: Path, fails, tree) -> None:
    path = home.data / "tiny" / "u.data"
    lines = path.read_text().split("\n")
    lines[6] = "1\t2\tx\t880000000"
    path.write_text("\n".join(lines))
    before = tree(home.root)
    for verb in (("data", "stats", "tiny"), ("train", "model4", "--data", "tiny"), ("eval", "model4.run")):
        assert fails(home, *verb) == f"cftui: {path}:7: rating 'x' is not a number"
    assert fails(home, "data", "get", "ml-100k", "--from", path.parent).endswith(":7: rating 'x' is not a number")
    assert tree(home.root) == before


def test_an_altered_data_set_is_not_trained_on(home: Home, fails) -> None:
    path = home.data / "tiny" / "u.data"
    path.write_text(path.read_text().rpartition("\n1\t")[0] + "\n")
    assert "truncated or altered?" in fails(home, "train", "model4", "--data", "tiny")


@pytest.mark.parametrize("kind", ["truncated", "flipped", "no zip"])
def test_a_bad_archive_is_one_line(kind: str, home: Home, ml_100k_folder: Path, tmp_path: Path, fails, tree) -> None:
    archive = tmp_path / "ml.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in ("u.data", "u.item", "u.user"):
            bundle.write(ml_100k_folder / name, f"ml-100k/{name}")
    whole = bytearray(archive.read_bytes())
    if kind == "flipped":
        whole[5000:5020] = bytes(20)
    archive.write_bytes({"truncated": bytes(whole[:-500]), "flipped": bytes(whole), "no zip": b"<html>"}[kind])
    before = tree(home.root)
    assert f"--from {archive}: not a readable zip file" in fails(home, "data", "get", "ml-100k", "--from", archive)
    assert tree(home.root) == before


def test_no_network_ends_in_one_line_that_says_what_to_do(home: Home, cli, monkeypatch) -> None:
    def unreachable(*arguments: object) -> str:
        raise CftuiError("cannot be reached")

    monkeypatch.delenv("CFTUI_ML_100K", raising=False)
    monkeypatch.setattr(sources, "_official", unreachable)
    monkeypatch.setattr(sources, "_mirror", unreachable)
    done = cli(home, "data", "get", "ml-100k")
    assert (done.status, done.out) == (1, "")
    last = done.err.rstrip("\n").split("\n")[-1]
    assert last.startswith("cftui: cannot fetch ml-100k")
    assert "https://files.grouplens.org/datasets/movielens/ml-100k.zip" in last
    assert "--from ml-100k.zip" in last
    assert done.err.count("\ncftui: ") == 1
    assert "\n\n" not in done.err


@pytest.mark.parametrize("name", ["run.json", "vocabulary.json", "weights.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_damaged_run_names_its_file(name: str, damage: str, home: Home, fails) -> None:
    path = home.models / "model4.run" / name
    if damage == "missing":
        path.unlink()
        (path.parent / "checkpoint.safetensors").unlink()
    else:
        os.truncate(path, path.stat().st_size // 2)
    for verb in (("bias", "model4.run"), ("pca", "model4.run"), ("similar", "fargo (1996)", "--run", "model4.run")):
        assert f"cftui: {path}: " in fails(home, *verb)


def test_a_damaged_run_does_not_hide_the_others(home: Home, cli) -> None:
    os.truncate(home.models / "model4.run" / "run.json", 30)
    rows = {row["name"]: row["status"] for row in cli(home, "runs", "--json").json}
    assert rows == {"model4.run": "damaged", "model1.run": "done"}
    assert cli(home, "runs").status == 0


def test_one_factor_has_no_map_and_says_so(home: Home, cli, fails) -> None:
    settings = ("--epochs", 1, "--bs", 16, "--factors", 1, "--name", "thin")
    assert cli(home, "train", "model4", "--data", "tiny", *settings).status == 0
    assert "thin" in fails(home, "pca", "thin")


def test_a_home_that_is_a_file_is_refused(tmp_path: Path, fails) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder" in fails(Home(tmp_path / "file"), "data", "stats")


def test_an_unexpected_error_is_a_line_too(home: Home, cli, monkeypatch) -> None:
    from cftui.analysis import ranking

    monkeypatch.setattr(ranking, "biases", lambda *arguments: 1 / 0)
    done = cli(home, "bias", "model4.run")
    assert done.status == 1
    assert done.err.startswith("cftui: internal error: ZeroDivisionError")
    assert done.err.count("\n") == 1

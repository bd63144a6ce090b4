"""``cftui sweep`` from a shell."""

from __future__ import annotations

import pytest

from cftui.engine.runs.folder import RunFolder

from ..conftest import TINY

QUICK = ("--data", TINY, "--epochs", "2", "--bs", "16", "--factors", "4", "--device", "cpu")


def test_a_sweep_names_its_best_and_trains_it_on_all_training_ratings(cli, tiny_home):
    words = ("sweep", "model4", "--try", "lr=1e-4,2e-2", "--name", "s", *QUICK)
    outcome = cli(tiny_home, *words, "--json")
    assert outcome.status == 0
    first, second, last = outcome.lines
    assert [first["setting"], second["setting"]] == [{"lr": 1e-4}, {"lr": 2e-2}]
    assert (last["event"], last["run"]) == ("best", "s-best")
    chosen = min((first, second), key=lambda trial: trial["inner_loss"])
    assert (last["of"], last["setting"]) == (chosen["run"], chosen["setting"])
    config = RunFolder(tiny_home.models / "s-best").config()
    assert config.options.split == "random"
    assert config.options.as_json()["lr"] == chosen["setting"]["lr"]
    assert RunFolder(tiny_home.models / "s-best").history().ending["valid_loss"] == last["valid_loss"]
    inner = RunFolder(tiny_home.models / chosen["run"]).config()
    assert inner.data.train + inner.data.valid == config.data.train
    assert "best of 2" in outcome.err
    # The same again: all of it is known. With other settings the names are taken.
    written = {path: path.stat().st_mtime_ns for path in tiny_home.models.glob("s-*/weights.safetensors")}
    assert len(written) == 3
    again = cli(tiny_home, *words, "--json")
    assert again.lines == outcome.lines
    assert {path: path.stat().st_mtime_ns for path in written} == written
    other = cli(tiny_home, *words, "--seed", "9")
    assert other.status == 1
    assert "there is a run s-01 already, trained with another seed; choose another name" in other.err


def test_as_text_every_setting_has_a_line(cli, tiny_home):
    out = cli(tiny_home, "sweep", "model1", "--try", "lr=1e-4..1e-2", "--random", "3", *QUICK).out
    lines = out.splitlines()
    assert len(lines) == 4
    assert all("lr 0.0" in line for line in lines)
    assert lines[-1].endswith("on the validation ratings")


def test_settings_that_all_explode_name_no_best(cli, tiny_home):
    outcome = cli(tiny_home, "sweep", "model1", "--try", "lr=500,600", "--name", "s", *QUICK)
    assert outcome.status == 1
    assert outcome.out.count("diverged") == 2
    assert "every setting diverged" in outcome.err
    assert not (tiny_home.models / "s-best").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--try", "lr=2..1"), "from the lower value to the higher"),
        (("--try", "lr=1e-3..1e-2"), "--random N"),
        (("--split", "u9"), "no split 'u9'"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_nothing(words, said, cli, tiny_home):
    outcome = cli(tiny_home, "sweep", "model1", "--name", "s", *QUICK, *words)
    assert outcome.status == 1
    assert said in outcome.err.splitlines()[-1]
    assert "Traceback" not in outcome.err
    assert not tiny_home.models.exists() or not list(tiny_home.models.glob("s-*"))

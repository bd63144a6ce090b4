"""The verbs on a run of ``bayes``: what they say of how sure it is, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cftui.analysis import ranking
from cftui.analysis.evaluation import accuracy
from cftui.analysis.evaluation.intervals import By, intervals
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people
from cftui.home import Home

RUN = ("--run", "bayes.run")
FARGO = "Fargo (1996)"


@pytest.fixture
def home(tiny_runs) -> Home:
    return tiny_runs[0]


@pytest.fixture(scope="module")
def model(tiny_runs) -> TrainedModel:
    return TrainedModel.load(tiny_runs[1]["bayes"])


def test_predict_says_how_sure_it_is(home: Home, model: TrainedModel, cli) -> None:
    found = cli(home, "predict", FARGO, "--user", 3, *RUN, "--json").json
    wanted = intervals(
        model, people.person(model, model.ratings(home), home, 3).row, np.array([model.item_code(FARGO)])
    )
    for name, column in (("predicted", "mean"), ("sd", "sd"), ("low", "low"), ("high", "high")):
        assert found[name] == pytest.approx(float(getattr(wanted, column)[0]), abs=1e-6)
    text = cli(home, "predict", FARGO, "--user", 3, *RUN).out
    interval = f"between {found['low']:.2f} and {found['high']:.2f}"
    assert text == (
        f"user 3 would give {FARGO} {found['predicted']:.2f}, sd {found['sd']:.2f}; "
        f"nine of ten such ratings lie {interval}\n"
    )
    assert "sd" not in cli(home, "predict", FARGO, "--user", 3, "--run", "model4.run", "--json").json


@pytest.mark.parametrize("by", ["mean", "lower", "upper"])
def test_recommendations_by_either_end(by: By, home: Home, model: TrainedModel, tmp_path: Path, cli) -> None:
    wanted = ranking.recommend(model, people.person(model, model.ratings(home), home, 4), 5, by=by)
    rows = cli(home, "recommend", "--user", 4, *RUN, "--by", by, "-n", 5, "--json").json["rows"]
    assert [row["title"] for row in rows] == wanted["title"].tolist()
    assert [row["low"] for row in rows] == pytest.approx(wanted["low"].tolist())
    text = cli(home, "recommend", "--user", 4, *RUN, "--by", by, "-n", 5).out
    assert text.splitlines()[0].split()[:5] == ["predicted", "low", "high", "uncertainty", "ratings"]
    file = tmp_path / "rated.csv"
    file.write_text(f"title,rating\n{FARGO},5\n")
    folded = cli(home, "foldin", file, *RUN, "--by", by, "--json").json["rows"]
    assert folded[0].keys() == rows[0].keys()


def test_a_run_is_shown_in_its_own_words(home: Home, cli) -> None:
    text = cli(home, "runs", "show", "bayes.run").out
    (options,) = [line for line in text.splitlines() if line.startswith("options")]
    assert "sweeps " in options
    assert "implicit True" in options
    assert not any(word in options for word in ("epochs", "lr", "wd", "bs", "patience", "keep_best"))
    assert "\nsweep  train_loss" in text
    plain = cli(home, "runs", "show", "model4.run").out
    assert "\nepoch  train_loss" in plain
    assert "burn_in" not in plain


def test_eval_says_whether_the_intervals_hold(home: Home, model: TrainedModel, cli) -> None:
    wanted = accuracy.calibration(model, model.ratings(home)).as_json()
    found = cli(home, "eval", "--json", *RUN).json
    assert found["calibration"]["whole"] == pytest.approx(wanted["whole"])
    assert len(found["calibration"]["fifths"]) == 5
    text = cli(home, "eval", *RUN).out
    assert f"{wanted['whole']['coverage']:.1%} of the validation ratings lie within their 90 % intervals" in text
    assert [line.split()[0] for line in text.splitlines() if line.startswith(("fifth", "all"))] == ["fifth"] * 5 + [
        "all"
    ]
    assert "calibration" not in cli(home, "eval", "--json", "--run", "model4.run").json


def test_folds_say_it_too(home: Home, cli) -> None:
    given = ("eval", "bayes", "--folds", 2, "--data", "tiny", "--sweeps", 6, "--factors", 2)
    *rows, end = cli(home, *given, "--json").lines
    assert all(0.5 < row["coverage"] <= 1 for row in rows)
    assert end["mean"]["coverage"] == pytest.approx((rows[0]["coverage"] + rows[1]["coverage"]) / 2)
    shown = cli(home, *given)
    assert "6 sweeps, 2 factors," in shown.err
    lines = shown.out.splitlines()
    assert lines[0].endswith("in 90 %")
    assert [line.split()[-1] for line in lines[1:4]] == [f"{row['coverage']:.1%}" for row in (*rows, end["mean"])]
    assert "coverage" not in cli(home, "eval", "model1", "--folds", 2, "--data", "tiny", "--bs", 16, "--json").lines[0]


REFUSED = {
    "a learning rate": (("train", "bayes", "--lr", "0.1"), "bayes has no learning rate: it is sampled"),
    "fast batches": (("train", "bayes", "--fast"), "bayes has no batch size: it is sampled"),
    "a rate to be found": (("lr-find", "bayes"), "bayes has no learning rate: it is sampled"),
    "decays to be tried": (("sweep", "bayes", "--try", "wd=0.1,0.2"), "bayes has no weight decay: it is sampled"),
    "a burn-in of a model that has none": (("train", "model4", "--burn-in", 3), "model4 has no burn-in: it is trained"),
    "nothing left": (
        ("train", "bayes", "--data", "tiny", "--sweeps", 9, "--burn-in", 9),
        "burn-in 9 discards all 9 sweeps",
    ),
    "its anatomy": (("anatomy", "bayes.run"), "no anatomy for this model: bayes is sampled"),
    "an end of no interval": (
        ("recommend", "--user", 3, "--run", "model4.run", "--by", "lower"),
        "model4 predicts no intervals; bayes does",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_makes_no_sense_is_refused_in_a_line(what: str, home: Home, cli, tree) -> None:
    given, why = REFUSED[what]
    before = tree(home.root)
    done = cli(home, *given)
    assert done.status != 0
    assert why in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert tree(home.root) == before

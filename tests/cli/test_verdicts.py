"""The verbs say what a run is worth: runs, runs show, runs compare, eval and train."""

from __future__ import annotations

import shlex

import pytest

import cftui
from cftui.engine.runs.events import EndEvent, EventWriter
from cftui.engine.runs.folder import RunFolder, find
from cftui.home import Home


@pytest.fixture
def home(own_home) -> Home:
    return own_home


def test_the_list_of_runs_has_each_beside_the_best_baseline(home: Home, cli) -> None:
    lines = cli(home, "runs").out.splitlines()
    for row in cli(home, "runs", "--json").json:
        assert row["kind"] in ("good", "bad")
        cell = f"{'▲' if row['margin'] > 0 else '▼'} {abs(row['margin']):.1%}".replace("%", " %")
        assert cell in next(line for line in lines if row["name"] in line.split())
        assert row["verdict"].split(";")[0] == row["remarks"][0]["words"]


def test_show_says_the_sentence_and_eval_adds_the_lists(home: Home, cli) -> None:
    run = find(home, "model4.run")
    run.lists_file.unlink(missing_ok=True)
    shown = cli(home, "runs", "show", "model4.run", "--json").json["verdict"]["verdict"]
    assert f"verdict   {shown}" in cli(home, "runs", "show", "model4.run").out
    assert "popularity" not in shown
    judged = cli(home, "eval", "model4.run", "--json").json
    assert judged["verdict"]["verdict"].startswith(f"{shown}; ")
    assert "lists: NDCG@10 " in judged["verdict"]["verdict"]
    lists = run.lists()
    assert lists is not None
    assert lists.ndcg == pytest.approx(judged["ranking"]["model"]["ndcg"])
    assert lists.popularity == pytest.approx(judged["ranking"]["popularity"]["ndcg"])
    assert judged["verdict"]["verdict"] in cli(home, "eval", "model4.run").out


@pytest.mark.parametrize("other", [["-k", "5"], ["--relevant", "3"], ["--users", "9"]])
def test_lists_judged_in_another_way_are_not_kept(home: Home, cli, other: list[str]) -> None:
    run = find(home, "model4.run")
    run.lists_file.unlink(missing_ok=True)
    cli(home, "eval", "model4.run", *other)
    assert run.lists() is None


def test_compare_names_the_better_of_two_that_predict_ratings(home: Home, cli) -> None:
    said = cli(home, "runs", "compare", "model4.run", "model1.run").out
    assert "predicts better" in said
    rows = cli(home, "runs", "compare", "model4.run", "model1.run", "--json").json
    row = next(row for row in rows if row["what"] == "loss: mean squared error")
    assert row["low"] < row["model4.run"] - row["model1.run"] < row["high"]


def test_compare_says_why_two_runs_cannot_be_compared(home: Home, cli) -> None:
    cli(home, "train", "model4", "--data", "tiny", "--epochs", "1", "--bs", "8", "--seed", "9", "--name", "elsewhere")
    said = cli(home, "runs", "compare", "elsewhere", "model4.run")
    assert "they differ in their seed" in said.err
    assert "better than" not in said.out


def test_whoever_opens_a_run_that_failed_is_told(home: Home, cli) -> None:
    run = find(home, "model1.run")
    with EventWriter(run.events_file) as log:
        log.write(EndEvent(event="failed", run=run.name, step=1, reason="the loss exploded"))
    told = "run model1.run failed (the loss exploded): its answers are of its last sound weights"
    assert told in cli(home, "runs", "compare", "model4.run", "model1.run").err
    with pytest.warns(UserWarning, match="the loss exploded"):
        cftui.open_run("model1.run", home=home.root)


def test_training_ends_with_the_verdict_and_the_command_that_keeps_the_best_epoch(home: Home, cli) -> None:
    words = ["--data", "tiny", "--bs", "8", "--lr", "0.1", "--wd", "0", "--epochs", "8", "--name", "long"]
    said = cli(home, "train", "model4", *words).err.splitlines()
    history = RunFolder(home.models / "long").history()
    assert history.best["epoch"] < 7
    assert f"best at epoch {history.best['epoch']}; later epochs overfit" in said[-2]
    command = shlex.split(said[-1].removeprefix("to keep the best epoch: cftui "))
    cli(home, *command, "--name", "kept")
    ending = RunFolder(home.models / "kept").history().ending
    assert ending["kept_epoch"] == history.best["epoch"]
    assert ending["valid_loss"] == history.best["valid_loss"]

"""Verdicts: beside the baselines, beside other runs, the best epoch, the lists; and words where there is no figure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cftui.engine.models.method import NDCG
from cftui.engine.runs.config import TrainedOn
from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.summaries import summarise
from cftui.engine.runs.verdict import Kind, Lists, Remark, Result, verdict

HERE = TrainedOn("abc", "random", 0, "title")
LOSSES = {"global_mean": 1.274, "bias_only": 0.893, "item_knn": 0.84}
MINE = Result("mine", HERE, value=0.8266, baselines=LOSSES, done=5, of=5, kept=4, best=4, best_value=0.8266)
CHOICES = {"popularity": 0.172, "item_knn": 0.25}
CHOOSER = replace(MINE, run="chooser", score=NDCG, value=0.393, baselines=CHOICES, best_value=0.393)


def first(result: Result) -> Remark:
    return verdict(result).remarks[0]


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (0.8266, "good", "0.827: beats item kNN (0.840) by 1.6 %"),
        (0.8396, "neutral", "0.8396: as good as item kNN (0.8400)"),
        (0.8392, "good", "0.839: beats item kNN (0.840) by 0.1 %"),
        (0.86, "bad", "0.860: worse than item kNN (0.840)"),
        (0.9, "bad", "0.900: worse than bias only (0.893)"),
        (9.68, "bad", "9.68: worse than the global mean (1.27)"),
    ],
)
def test_a_loss_is_judged_beside_the_baselines_of_its_split(value: float, kind: Kind, words: str) -> None:
    assert first(replace(MINE, value=value)) == Remark(kind, words)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (0.129, "bad", "NDCG@10 .129: below popularity (.172)"),
        (0.2, "bad", "NDCG@10 .200: below item kNN (.250)"),
        (0.28, "good", "NDCG@10 .280: beats item kNN (.250) by 12.0 %"),
        (0.6, "good", "NDCG@10 .600: 2.4 times item kNN (.250)"),
    ],
)
def test_lists_are_judged_with_the_higher_figure_as_the_better(value: float, kind: Kind, words: str) -> None:
    assert first(replace(CHOOSER, value=value)) == Remark(kind, words)


def test_the_margin_is_beside_the_best_baseline_and_positive_for_better() -> None:
    good, bad = verdict(MINE), verdict(replace(MINE, value=0.9))
    assert (good.baseline, good.cell, bad.cell) == ("item_knn", "▲ 1.6 %", "▼ 7.1 %")
    assert verdict(replace(CHOOSER, value=0.2)).cell == "▼ 20.0 %"
    assert verdict(replace(MINE, value=None, missing="the run failed")).cell == "-"


def test_a_better_run_on_the_same_ratings_is_named() -> None:
    better = replace(MINE, run="calm-otter", value=0.764)
    assert verdict(MINE, [MINE, better, replace(better, run="other", value=0.8)]).remarks[1] == Remark(
        "neutral", "your run calm-otter reaches 0.764"
    )
    assert verdict(better, [MINE, better]).remarks[1] == Remark("good", "the best of your 2 runs")


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(MINE, run="o", value=0.1, trained_on=HERE._replace(**changes))
        for changes in ({"data_set": "d"}, {"split": "u1"}, {"seed": 1}, {"item_key": "id"})
    ]
    + [replace(CHOOSER, value=0.01), replace(CHOOSER, value=0.99)],
)
def test_figures_of_another_split_or_another_criterion_are_never_compared(elsewhere: Result) -> None:
    assert len(verdict(MINE, [elsewhere]).remarks) == 1
    assert "no baselines" in str(verdict(replace(MINE, baselines={}), [elsewhere]))


def test_baselines_of_another_run_on_the_same_ratings_hold_as_well() -> None:
    assert str(verdict(replace(MINE, baselines={}), [replace(MINE, run="o", value=None)])).startswith("0.827: beats")


def test_a_best_epoch_that_was_not_kept_is_named_and_can_be_kept() -> None:
    over = replace(MINE, best=2, best_value=0.815, can_keep_best=True)
    assert verdict(over).remarks[1] == Remark("overfit", "best at epoch 2; later epochs overfit", "keep_best")
    assert verdict(replace(over, can_keep_best=False)).remarks[1].offer == ""
    assert verdict(replace(over, ended=False)).remarks[1].offer == ""
    assert len(verdict(replace(over, best_value=0.826)).remarks) == 1
    assert len(verdict(replace(over, kept=2)).remarks) == 1


def test_an_unfinished_run_says_how_far_it_is() -> None:
    words = "0.827 after 2 of 5 epochs: beats item kNN (0.840) by 1.6 %"
    assert str(verdict(replace(MINE, done=2, ended=False))) == words


@pytest.mark.parametrize(
    ("low", "high", "kind", "words", "cell"),
    [
        (-0.05, -0.03, "bad", "good ratings, poor lists: NDCG@10 .129, below popularity (.172)", ".129 <pop"),
        (-0.05, 0.01, "neutral", "lists: NDCG@10 .129, no better than popularity (.172)", ".129 =pop"),
    ],
)
def test_lists_of_a_run_that_predicts_ratings(low: float, high: float, kind: Kind, words: str, cell: str) -> None:
    lists = Lists(0.129, 0.172, low, high, 300)
    assert verdict(replace(MINE, lists=lists)).remarks[-1] == Remark(kind, words, "recommender")
    # Where the ratings are poor as well, that is said by the first remark.
    worse = verdict(replace(MINE, value=2.0, lists=lists))
    assert worse.remarks[-1].words == words.removeprefix("good ratings, ")
    assert worse.remarks[-1].at(9) == f"{'poor lists' if kind == 'bad' else 'lists'} (.129)"
    assert worse.remarks[0].at(9) == "2.00: worse than the global mean"
    assert lists.cell == cell
    assert lists.brief in (".129 below popularity (.172)", "no better than popularity")
    better = Lists(0.393, 0.172, 0.2, 0.3, 300)
    assert verdict(replace(MINE, lists=better)).remarks[-1] == Remark(
        "good", "good lists: NDCG@10 .393, above popularity (.172)"
    )
    assert better.cell == ".393 x2.3"


def test_judged_lists_are_read_back_and_a_damaged_file_is_none(tmp_path: Path) -> None:
    path, lists = tmp_path / "lists.json", Lists(0.129, 0.172, -0.05, -0.03, 300)
    assert Lists.read(path) is None
    lists.write(path)
    assert Lists.read(path) == lists
    for text in ("", "[]", '{"ndcg": 1}', path.read_text().replace("0.129", '"x"')):
        path.write_text(text)
        assert Lists.read(path) is None


def test_every_recipe_gets_a_verdict_from_its_folder(tiny_runs) -> None:
    _, runs = tiny_runs
    found = {name: summarise(run).result for name, run in runs.items()}
    judged = {name: verdict(one, found.values()) for name, one in found.items()}
    assert all(one.margin is not None and one.kind != "neutral" for one in judged.values())
    losses = {name: one.value for name, one in found.items() if one.score != NDCG}
    best = min(losses, key=losses.get)
    assert f"the best of your {len(losses)} runs" in str(judged[best])
    assert all(f"your run {best}.run reaches" in str(judged[name]) for name in losses if name != best)
    assert {name for name, one in found.items() if one.score == NDCG} == {"ease", "ials"}


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], "no verdict: it ended before its first epoch"),
        ([{"event": "epoch", "epoch": 0, "step": 1, "elapsed": 1.0, "valid_loss": None}], "is not a number"),
        ([{"event": "failed", "run": "x", "step": 1, "reason": "loss exploded"}], "no verdict: the run failed"),
    ],
)
def test_a_run_without_a_figure_gets_words(tiny_runs, tmp_path: Path, events: list, words: str) -> None:
    import json
    import shutil

    _, runs = tiny_runs
    run = RunFolder(shutil.copytree(runs["model4"].path, tmp_path / "run"))
    run.events_file.write_text("".join(json.dumps(event) + "\n" for event in events))
    judged = summarise(run).result
    assert judged is not None
    assert words in str(verdict(judged, [judged]))
    assert verdict(judged).margin is None


def test_a_run_without_validation_ratings_gets_words(tiny_runs) -> None:
    none = replace(MINE, value=None, missing="split none holds no ratings back to judge it by")
    assert verdict(none).remarks == (Remark("neutral", "no verdict: split none holds no ratings back to judge it by"),)

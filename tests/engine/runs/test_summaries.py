"""The rows of lists of runs: what differs, which is the best, and that little is read again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cftui.engine.models.recipes import recipe
from cftui.engine.runs import index as run_index
from cftui.engine.runs import summaries
from cftui.engine.runs.folder import RunFolder, process_identity
from cftui.engine.runs.index import RunIndex
from cftui.engine.runs.notes import set_note, set_tags
from cftui.engine.runs.summaries import differences, in_words, judge, summarise
from cftui.home import Home


@pytest.fixture
def home(tiny_runs, tmp_path: Path) -> Home:
    """Copies of two runs of model4 and one of ease."""
    made = Home(tmp_path / "home")
    for name, source in (("one", "model4"), ("two", "model4"), ("lists", "ease")):
        shutil.copytree(tiny_runs[1][source].path, made.models / name)
    return made


def folder(home: Home, name: str) -> RunFolder:
    return RunFolder(home.models / name)


def set_loss(run: RunFolder, loss: float) -> None:
    """Let the run end with this validation loss."""
    events = [json.loads(line) for line in run.events_file.read_text().splitlines()]
    for event in events:
        if "valid_loss" in event:
            event["valid_loss"] = loss
    run.events_file.write_text("".join(json.dumps(event) + "\n" for event in events))


def test_what_differs_is_said_by_the_names_of_the_command_line(home: Home) -> None:
    config = folder(home, "one").config()
    options = recipe("model4").options(epochs=7, wd=0.2, keep_best=True, seed=3)
    assert differences(replace(config, options=options)) == ("epochs 7", "wd 0.2", "keep-best", "seed 3")
    assert differences(replace(config, options=recipe("model4").options())) == ()
    side = recipe("bayes").described["side"]
    assert in_words("side", side, False) == "no side"


def test_a_row_has_notes_tags_and_the_course_of_the_figure(home: Home) -> None:
    run = folder(home, "one")
    set_note(run, "keep")
    set_tags(run, ["final"])
    row = summarise(run)
    assert (row.note, row.tags) == ("keep", ("final",))
    assert row.curve[-1] == row.valid_loss
    run.notes_file.write_text("{")
    assert "notes.json" in summarise(run).note


def test_the_best_is_the_best_of_what_can_be_compared(home: Home) -> None:
    set_loss(folder(home, "one"), 0.9)
    set_loss(folder(home, "two"), 0.8)
    runs = {one.run.name: one for one in RunIndex(home).read()}
    assert [name for name, one in runs.items() if one.best] == ["two"]  # ease has no rival by NDCG
    assert runs["two"].verdict is not None
    assert runs["two"].verdict.baseline in ("item_knn", "bias_only", "global_mean")
    other_split = replace(runs["one"].run.result, trained_on=runs["one"].run.result.trained_on._replace(seed=9))
    alone = judge([replace(runs["one"].run, result=other_split), runs["two"].run])
    assert not any(one.best for one in alone)


def test_only_runs_whose_files_have_changed_are_read_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    index, read = RunIndex(home), []
    index.read()

    def noted(run: RunFolder, *more: object) -> summaries.RunSummary:
        read.append(run.name)
        return summarise(run, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(run_index, "summarise", noted)
    before = index.read()
    assert read == []
    assert index.read() == before
    set_note(folder(home, "one"), "new")
    assert next(one.run.note for one in index.read() if one.run.name == "one") == "new"
    assert read == ["one"]


def test_a_live_run_grows_and_is_seen_to_die(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    run = folder(home, "one")
    lines = run.events_file.read_text().splitlines()
    start = {**json.loads(lines[0]), **process_identity()}
    run.events_file.write_text(json.dumps(start) + "\n")
    run.beat()
    index = RunIndex(home)

    def row() -> summaries.RunSummary:
        return next(one.run for one in index.read() if one.run.name == "one")

    assert (row().status, row().epochs) == ("running", 0)
    epoch = next(line for line in lines if json.loads(line)["event"] == "epoch")
    with run.events_file.open("a") as log:
        log.write(epoch + "\n")
    assert row().epochs == 1
    monkeypatch.setattr("cftui.engine.runs.folder.is_alive", lambda start: False)
    assert row().status == "dead"

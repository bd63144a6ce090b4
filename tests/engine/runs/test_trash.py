"""Removed runs: whole in the trash or whole where they were, and what people wrote goes with them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cftui.engine.runs import trash
from cftui.engine.runs.folder import RunFolder, all_runs, find
from cftui.engine.runs.notes import Notes, parse_tags, read_notes, set_note, set_tags
from cftui.errors import CftuiError
from cftui.home import Home


@pytest.fixture
def home(tiny_runs, tmp_path: Path) -> Home:
    """A home of the test's own with a run called ``mine``."""
    made = Home(tmp_path / "home")
    made.models.mkdir(parents=True)
    shutil.copytree(tiny_runs[1]["model4"].path, made.models / "mine")
    return made


def test_a_removed_run_is_whole_in_the_trash_and_comes_back_whole(home: Home, tree) -> None:
    run = find(home, "mine")
    set_note(run, "the good one")
    before = tree(run.path)
    removed = trash.remove(run)
    assert not run.path.exists()
    assert all_runs(home) == []
    assert [one.name for one in trash.removed_runs(home)] == ["mine"]
    assert removed.bytes > 0
    restored = trash.restore(trash.find_removed(home, "mi"))
    assert restored == run
    assert tree(run.path) == before
    assert trash.removed_runs(home) == []


def test_a_run_that_cannot_be_moved_stays_where_it_is(home: Home, tree, monkeypatch) -> None:
    run = find(home, "mine")
    before = tree(run.path)

    def refuse(*_: object) -> None:
        raise OSError("the disk is read-only")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(OSError, match="read-only"):
        trash.remove(run)
    assert tree(run.path) == before


def test_a_run_whose_trainer_has_only_just_started_is_not_removed(home: Home) -> None:
    run = find(home, "mine")
    with run.lock(), pytest.raises(CftuiError, match="is being trained already"):
        trash.remove(run)
    assert run.config_file.exists()


def test_of_two_removed_runs_of_one_name_the_last_comes_back(home: Home) -> None:
    whole = home.models / "mine"
    copy = shutil.copytree(whole, home.root / "copy")
    trash.remove(RunFolder(whole))
    shutil.copytree(copy, whole)
    set_note(RunFolder(whole), "second")
    trash.remove(RunFolder(whole))
    assert len(trash.removed_runs(home)) == 2
    assert read_notes(trash.restore(trash.find_removed(home, "mine"))).note == "second"
    with pytest.raises(CftuiError, match="another run of this name"):
        trash.restore(trash.find_removed(home, "mine"))


def test_emptying_the_trash_takes_what_a_kill_left_as_well(home: Home) -> None:
    trash.remove(find(home, "mine"))
    half = trash.trash_folder(home.models) / ".deleting-old~20260101-000000-000000"
    half.mkdir()
    assert [run.name for run in trash.removed_runs(home)] == ["mine"]
    trash.purge(home, trash.removed_runs(home))
    assert list(home.models.iterdir()) == []
    with pytest.raises(CftuiError, match="the trash is empty"):
        trash.find_removed(home, "mine")


def test_notes_are_a_file_of_their_own_and_go_when_they_are_empty(home: Home) -> None:
    run = find(home, "mine")
    described = run.config_file.read_bytes()
    assert read_notes(run) == Notes()
    set_tags(run, parse_tags("#final, wd"))
    assert set_note(run, "two\nlines") == Notes("two lines", ("final", "wd"))
    assert read_notes(run) == Notes("two lines", ("final", "wd"))
    assert run.config_file.read_bytes() == described
    set_tags(run, [])
    set_note(run, "")
    assert not run.notes_file.exists()


@pytest.mark.parametrize("text", ['{"note": 3}', '{"tags": "final"}', "[]", '{"note": "x'])
def test_damaged_notes_are_named_and_not_replaced(home: Home, text: str) -> None:
    run = find(home, "mine")
    run.notes_file.write_text(text)
    for change in (lambda: read_notes(run), lambda: set_note(run, "new")):
        with pytest.raises(CftuiError, match=r"notes\.json: damaged"):
            change()
    assert run.notes_file.read_text() == text


@pytest.mark.parametrize("tag", ["", "two words", "x" * 31, "a/b"])
def test_a_tag_is_a_word(tag: str, home: Home) -> None:
    with pytest.raises(CftuiError, match="is not allowed"):
        set_tags(find(home, "mine"), [tag])

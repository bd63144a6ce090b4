"""``cftui runs rm``, ``restore``, ``trash``, ``tag`` and ``note``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cftui.home import Home


@pytest.fixture
def home(tiny_runs, tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.models.mkdir(parents=True)
    shutil.copytree(tiny_runs[1]["model4"].path, made.models / "mine")
    return made


def test_a_run_goes_to_the_trash_and_comes_back(home: Home, cli, fails) -> None:
    done = cli(home, "runs", "rm", "mi")
    assert "cftui runs restore mine" in done.err
    assert cli(home, "runs", "--json").json == []
    (row,) = cli(home, "runs", "trash", "--json").json
    assert (row["run"], row["megabytes"] > 0) == ("mine", True)
    assert "mine" in cli(home, "runs", "trash").out
    assert cli(home, "runs", "restore", "mi", "--json").json == {"run": "mine", "restored": True}
    assert [row["name"] for row in cli(home, "runs", "--json").json] == ["mine"]
    assert "the trash is empty" in cli(home, "runs", "trash").err
    assert "no removed run 'mine'" in fails(home, "runs", "restore", "mine")


def test_purge_empties_the_trash(home: Home, cli) -> None:
    assert cli(home, "runs", "rm", "mine", "--json").json["removed"]
    assert cli(home, "runs", "trash", "--purge", "--json").json["purged"] == ["mine"]
    assert list(home.models.iterdir()) == []
    assert cli(home, "runs", "trash", "--purge").status == 0


def test_tags_and_notes_are_written_and_shown(home: Home, cli, fails) -> None:
    assert cli(home, "runs", "tag", "mine", "final", "#wd", "--json").json == {"run": "mine", "tags": ["final", "wd"]}
    assert cli(home, "runs", "tag", "mine", "wd", "--remove").status == 0
    assert cli(home, "runs", "note", "mine", "the one to keep").status == 0
    assert cli(home, "runs", "tag", "mine").out.split() == ["tag", "final"]
    assert cli(home, "runs", "note", "mine").out == "the one to keep\n"
    shown = cli(home, "runs", "show", "mine", "--json").json
    assert (shown["note"], shown["tags"]) == ("the one to keep", ["final"])
    assert "the one to keep" in cli(home, "runs", "show", "mine").out
    assert cli(home, "runs", "note", "mine", "", "--json").json["note"] == ""
    assert "is not allowed" in fails(home, "runs", "tag", "mine", "two words")

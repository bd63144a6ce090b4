"""Sets of few ratings or of many levels, and runs that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cftui.engine.runs.events import EndEvent, EventWriter
from cftui.engine.runs.folder import find
from cftui.home import Home

from ..conftest import TINY
from .conftest import Cli


def bring(cli: Cli, tmp_path: Path, rows: list[tuple[int, int, float]]) -> Home:
    """A home with these ratings as ``own``."""
    text = "".join(f"{user},{item},{rating}\n" for user, item, rating in rows)
    (tmp_path / "own.csv").write_text("user,item,rating\n" + text)
    home = Home(tmp_path / "home")
    assert cli(home, "data", "import", str(tmp_path / "own.csv"), "--name", "own", "--rating", "rating").status == 0
    return home


def test_fewer_ratings_than_a_batch_are_one_batch(cli: Cli, tmp_path: Path) -> None:
    home = bring(cli, tmp_path, [(user, item, 1 + (user * item) % 5) for user in range(4) for item in range(5)])
    outcome = cli(home, "train", "model4", "--data", "own", "--epochs", "2", "--device", "cpu", "--name", "few")
    assert outcome.status == 0
    assert "trains on 16 ratings of 4 users, validates on 4 of " in outcome.err


def test_a_softmax_over_thousands_of_ratings_is_refused(cli: Cli, tmp_path: Path) -> None:
    rows = [(user, item, (user * 40 + item) / 7) for user in range(20) for item in range(40)]
    home = bring(cli, tmp_path, rows)
    outcome = cli(home, "train", "cross-entropy", "--data", "own", "--epochs", "1", "--device", "cpu")
    assert outcome.status == 1
    assert "at most 200" in outcome.err
    assert "train model4 or bayes" in outcome.err


@pytest.mark.parametrize(
    "words", [("recommend", "--user", "1", "--run", "r"), ("bias", "r"), ("similar", "1", "--run", "r")]
)
def test_a_failed_run_says_so_wherever_it_answers(cli: Cli, tiny_home: Home, words: tuple[str, ...]) -> None:
    quick = ("--data", TINY, "--epochs", "1", "--bs", "16", "--item-key", "id", "--device", "cpu", "--name", "r")
    assert cli(tiny_home, "train", "model4", *quick).status == 0
    run = find(tiny_home, "r")
    with EventWriter(run.events_file) as log:
        log.write(EndEvent(event="failed", run="r", reason="loss 9e9 in batch 7", step=7))
    outcome = cli(tiny_home, *words)
    assert "run r failed (loss 9e9 in batch 7)" in outcome.err
    assert len([line for line in outcome.err.splitlines() if "failed" in line]) == 1

"""``--split given`` in the verbs that train, judge, rate and list."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from cftui.home import Home

from ..conftest import TINY
from .conftest import Cli

TEST = [("ann", "i1", 5), ("u1", "rare", 4), *((f"u{user}", f"i{user % 7}", 1 + user % 5) for user in range(30))]


@pytest.fixture
def home(tmp_path: Path, cli: Cli) -> Home:
    """A home with the data set ``own``, whose test part has a user and an item of its own."""
    drawn = random.Random(0)
    held = {pair[:2] for pair in TEST}
    train = [
        (f"u{user}", f"i{item}", drawn.randint(1, 5))
        for user in range(30)
        for item in range(12)
        if (f"u{user}", f"i{item}") not in held
    ]
    for name, rows in (("train", train), ("test", TEST)):
        lines = ["user,item,rating", *(f"{user},{item},{rating}" for user, item, rating in rows)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    home = Home(tmp_path / "home")
    paths = str(tmp_path / "train.csv"), "--test", str(tmp_path / "test.csv")
    assert cli(home, "data", "import", *paths, "--name", "own").status == 0
    return home


def test_every_verb_takes_the_given_split(home: Home, cli: Cli) -> None:
    def call(*words: str) -> Any:
        outcome = cli(home, *words)
        assert outcome.status == 0, outcome.err
        return outcome

    quick = ("--data", "own", "--epochs", "1", "--bs", "16", "--device", "cpu")
    call("train", "model4", *quick, "--split", "given", "--name", "a")
    judged = call("eval", "--run", "a", "--json").json
    assert judged["split"] == "given"
    assert judged["valid"]["ratings"] == len(TEST)
    assert call("recommend", "--user", "ann", "--run", "a", "--json").json
    call("predict", "rare", "--user", "ann", "--run", "a")
    call("lr-find", "model4", *quick, "--split", "given")
    call("sweep", "model4", "--try", "wd=0.1,0.2", *quick, "--split", "given", "--name", "s")
    call("train", "bayes", "--data", "own", "--epochs", "3", "--burn-in", "1", "--split", "given", "--name", "b")
    assert "the lists of a" in call("runs", "compare", "a", "b").out
    assert call("eval", "model4", "--protocol", "given", *quick, "--json").json["protocol"] == "given"


def test_a_set_without_a_test_part_says_how_to_give_one(cli: Cli, tiny_home: Home) -> None:
    outcome = cli(tiny_home, "train", "model4", "--data", TINY, "--split", "given")
    assert outcome.status == 1
    assert "--test FILE" in outcome.err

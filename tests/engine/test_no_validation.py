"""``--split none``: every rating trains, and nothing claims a validation figure."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.models.recipes import RECIPES, recipe
from cftui.engine.runs.summaries import summarise
from cftui.engine.training import train
from cftui.errors import CftuiError
from cftui.home import Home

from ..settings import options_for

CPU = torch.device("cpu")
SETTINGS = {"epochs": 2, "bs": 16, "factors": 4, "split": "none"}


def test_the_split_trains_on_every_row_once(tiny: Ratings) -> None:
    parts = split(tiny, "none")
    assert sorted(parts.train.tolist()) == list(range(len(tiny)))
    assert len(parts.valid) == 0


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_has_no_validation_figures_and_no_baselines(tiny_home: Home, name: str) -> None:
    row = RECIPES[name]
    events: list[Any] = []
    run = train(tiny_home, row, options_for(row, **SETTINGS), data="tiny", device=CPU, name="all", emit=events.append)
    assert run.status() == "done"
    assert not [event for event in events if event["event"] == "baselines"]
    for event in events:
        if event["event"] in ("epoch", "done"):
            assert event["valid_loss"] is event["rmse"] is event["mae"] is None
            assert "coverage" not in event
    assert events[-1]["kept_epoch"] == run.history().epochs[-1]["epoch"]
    assert summarise(run).valid_loss is None
    assert run.config().data.valid == 0


def test_what_needs_validation_ratings_is_refused(tiny_home: Home) -> None:
    row = recipe("model4")
    for wanted in ({"patience": 2}, {"keep_best": True}):
        with pytest.raises(CftuiError, match="split none has no validation ratings"):
            train(tiny_home, row, row.options(**SETTINGS, **wanted), data="tiny", device=CPU, name="all")
        assert not (tiny_home.models / "all").exists()


def test_verbs_say_that_there_is_nothing_to_validate(tiny_home: Home) -> None:
    from click.testing import CliRunner

    from cftui.__main__ import open_app
    from cftui.cli.main import build

    row = recipe("model4")
    train(tiny_home, row, row.options(**SETTINGS), data="tiny", device=CPU, name="all")

    def said(*words: str) -> str:
        outcome = CliRunner().invoke(build(open_app), [*words, "--home", str(tiny_home.root)])
        return f"{outcome.output}{outcome.exception or ''}"

    assert "no ranking: split none has no validation ratings" in said("eval", "all")
    assert "split none has no validation ratings to show" in said("results", "all")
    assert "predicted" in said("recommend", "--user", "7", "--run", "all")

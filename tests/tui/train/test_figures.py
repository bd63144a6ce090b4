"""The Train screen with runs that have no validation loss, or count in another unit than epochs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cftui.engine.models import methods
from cftui.engine.models.recipes import RECIPES
from cftui.engine.training import train
from cftui.home import Home
from cftui.tui.main import CftuiApp
from cftui.tui.train.epoch_table import EpochTable
from cftui.tui.train.loss_chart import LossChart
from tests.settings import options_for
from tests.toys import item_mean as toy

from ...conftest import write_tiny
from ..looking import page, settled, wait

# The column of the score, where it is not the loss.
SCORES = {"ease": "NDCG@10", "ials": "NDCG@10"}


@pytest.mark.parametrize(
    ("name", "unit", "split"),
    [
        pytest.param("model4", "epoch", "none", marks=pytest.mark.slow),
        pytest.param("bayes", "sweep", "none", marks=pytest.mark.slow),
        pytest.param("item-mean", "step", "none", marks=pytest.mark.slow),
        ("item-mean", "step", "random"),
        ("ease", "fit", "random"),
        ("ials", "sweep", "random"),
        pytest.param("ials", "sweep", "none", marks=pytest.mark.slow),
    ],
)
async def test_every_kind_of_run_is_shown(name: str, unit: str, split: str, tmp_path, tiny_known, monkeypatch) -> None:
    home = Home(tmp_path / "home")
    write_tiny(home.data / tiny_known)
    monkeypatch.setitem(methods.METHODS, toy.METHOD.name, toy.PATH)
    monkeypatch.setitem(RECIPES, toy.RECIPE.name, toy.RECIPE)
    row = RECIPES[name]
    options = replace(options_for(row, epochs=6, burn_in=2, bs=16, factors=4), split=split)
    train(home, row, options, data=tiny_known, device=torch.device("cpu"), name="mine")
    app = CftuiApp(home)
    async with app.run_test(size=(160, 48)) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("2")
        await settled(pilot, lambda: "done after" in page(app))
        table = app.screen.query_one(EpochTable)
        assert str(table.ordered_columns[0].label) == unit
        row_of = dict(zip((str(c.label) for c in table.ordered_columns), table.get_row_at(0), strict=True))
        assert str(row_of[unit]) == "0"
        assert (str(row_of[SCORES.get(name, "valid_loss")]) == "-") == (split == "none")
        assert table.border_subtitle.startswith(f"best: {unit} ") == (split == "random")
        if name in SCORES and split == "random":
            assert "popularity" in page(app)
            assert "by lambda" in page(app) or name != "ease"
        if name == "item-mean" and split == "none":
            assert "no validation ratings" in page(app)
        # Every way to draw it.
        await pilot.press("l", "a", "a", "m")
        await settled(pilot)
        assert app.screen.query_one(LossChart).history.epochs

"""A recipe without an explanation, and one without factors, open on all screens, which say what is not available."""

from __future__ import annotations

import pytest
import torch

from cftui.engine.models.recipes import RECIPES
from cftui.engine.training import train
from cftui.home import Home
from cftui.tui.main import CftuiApp
from tests.settings import CHOOSING, options_for
from tests.toys import TOYS

from ..conftest import write_tiny
from .looking import notices, page, said, wait

SIZE = (120, 40)


@pytest.mark.parametrize("name", TOYS)
async def test_all_screens_open_and_say_what_is_not_available(name: str, tmp_path, tiny_known, monkeypatch) -> None:
    home, row = Home(tmp_path / "home"), TOYS[name]
    write_tiny(home.data / tiny_known)
    monkeypatch.setitem(RECIPES, name, row)
    options = options_for(row, epochs=2, bs=16, factors=4)
    train(home, row, options, data=tiny_known, device=torch.device("cpu"), name=name)
    app = CftuiApp(home)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        for key in ("1", "2", "4", "3"):
            await pilot.press(key)
            await pilot.pause()
        await wait(pilot, lambda: app.screen.item is not None)
        await pilot.press("escape")
        assert "no bias" in page(app)
        await pilot.press("w")
        await wait(pilot, lambda: "no explanation for this model" in page(app))
        if name == "one-hot":
            await wait(pilot, lambda: "no factors in this model" in page(app))
            await pilot.press("m")
            await wait(pilot, lambda: any("not available for this model" in notice for notice in notices(app)))
            await pilot.press("4")
            await wait(pilot, lambda: "no factors in this model" in said(app, "#where"))
            await pilot.press("3", "escape")
        else:
            await pilot.press("m")
            await wait(pilot, lambda: "rated of" in page(app))
            await pilot.press("escape")
        await pilot.press("a")
        await wait(pilot, lambda: "no anatomy for this model" in page(app))


@pytest.mark.parametrize("name", CHOOSING)
async def test_what_predicts_no_ratings_shows_places_and_reasons_instead(name: str, tmp_path, tiny_known) -> None:
    home, row = Home(tmp_path / "home"), RECIPES[name]
    write_tiny(home.data / tiny_known)
    options = options_for(row, epochs=2, factors=4)
    train(home, row, options, data=tiny_known, device=torch.device("cpu"), name=name)
    app = CftuiApp(home)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        for key in ("1", "2", "4", "3"):
            await pilot.press(key)
            await pilot.pause()
        await wait(pilot, lambda: app.screen.item is not None)
        await pilot.press("escape")
        await wait(pilot, lambda: "would choose" in page(app))
        assert "unseen movies" in page(app)
        assert "would like" not in page(app)
        assert "would give" not in page(app)
        await pilot.press("w")
        await wait(pilot, lambda: "why a score of" in page(app))
        if name == "ease":
            await pilot.press("4")
            await wait(pilot, lambda: "no factors in this model" in page(app))
            await pilot.press("3")
        await pilot.press("m", "5", "1")
        await wait(pilot, lambda: "you would choose" in page(app))

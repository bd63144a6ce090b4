"""The app on data without ratings: it speaks of choices, and shows no rating anywhere."""

from __future__ import annotations

import torch

from cftui.data.store.asked import Asked
from cftui.data.store.importing import import_ratings
from cftui.engine.models.recipes import RECIPES
from cftui.engine.training import train
from cftui.home import Home
from cftui.settings import Config
from cftui.tui.main import CftuiApp
from tests.test_counts import plays

from .looking import page, wait


async def test_the_app_speaks_of_choices(tmp_path) -> None:
    file = tmp_path / "plays.csv"
    file.write_text("user,track\n" + "".join(f"{user},{song}\n" for user, song in plays()))
    home, row = Home(tmp_path / "home"), RECIPES["ease"]
    import_ratings(file, "plays", home, Asked(no_rating=True, noun="song"))
    train(home, row, row.options(), data="plays", device=torch.device("cpu"), name="of-plays")
    app = CftuiApp(home, Config(data="plays"))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait(pilot, lambda: app.opened and app.chosen and "times" in page(app))
        assert "1,000 times" in page(app)
        assert "users per song" in page(app)
        await pilot.press("3")
        await wait(pilot, lambda: app.screen.item is not None)
        await pilot.press("escape")
        await wait(pilot, lambda: "would choose" in page(app))
        assert "times each" in page(app)
        assert "mean" not in page(app)
        await pilot.press("m")
        await wait(pilot, lambda: "1: chosen" in page(app))
        await pilot.press("1", "1")
        await wait(pilot, lambda: "you would choose" in page(app))

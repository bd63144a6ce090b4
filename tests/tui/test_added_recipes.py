"""A recipe without an explanation, and one without factors, open on all screens, which say what is not available."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch

from cftui.engine.models.recipes import RECIPES
from cftui.engine.runs.folder import RunFolder
from cftui.engine.training import train
from cftui.home import Home
from cftui.tui.main import CftuiApp
from cftui.tui.search.lists import ListsScreen
from cftui.tui.session.following import Followed
from tests.settings import options_for
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
            await wait(pilot, lambda: "no factors in this model" in page(app))
            await pilot.press("3", "escape")
        else:
            await pilot.press("m")
            await wait(pilot, lambda: "rated of" in page(app))
            await pilot.press("escape")
        await pilot.press("a")
        await wait(pilot, lambda: "no anatomy for this model" in page(app))


@pytest.mark.parametrize("name", ["ease", pytest.param("ials", marks=pytest.mark.slow)])
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


async def test_two_runs_recommend_together_and_one_alone_offers_to_train_the_other(tmp_path, tiny_known) -> None:
    home = Home(tmp_path / "home")
    write_tiny(home.data / tiny_known)
    for name in ("ease", "bayes"):
        row = RECIPES[name]
        options = options_for(row, epochs=8, factors=2)
        train(home, row, options, data=tiny_known, device=torch.device("cpu"), name=name)
    app = CftuiApp(home)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        assert app.chosen.name == "bayes"
        await pilot.press("3", "escape")
        await wait(pilot, lambda: "would choose" in page(app))
        # The header names both runs where both speak, and the list says which of them says what.
        assert "ease + bayes" in page(app).splitlines()[0]
        assert str(app.screen.query_one("#recommended").border_subtitle) == "no. ease  pred bayes"
        await pilot.press("4")
        await wait(pilot, lambda: app.current_mode == "map")
        assert "ease" not in page(app).splitlines()[0]
        await pilot.press("3", "escape")
        orders = []
        for _ in range(6):
            orders.append(str(app.screen.query_one("#recommended").border_title))
            await pilot.press("o")
        assert [order.split("would ")[-1] for order in orders[:3]] == ["choose", "choose and like", "rate highest"]
        assert orders[3].startswith("safe")
        assert orders[4].startswith("adventurous")
        assert orders[5] == orders[0]
        while "would choose" not in str(app.screen.query_one("#recommended").border_title):
            await pilot.press("o")
        await pilot.press("r", "down")
        await wait(pilot, lambda: "because" in str(app.screen.query_one("#recommended").border_subtitle))
        assert not app.screen.check_action("better", ())
        await pilot.press("m")
        await wait(pilot, lambda: "average user would choose" in page(app))
        assert "ease + bayes" in page(app).splitlines()[0]
        await pilot.press("5")
        await wait(pilot, lambda: "you would choose" in page(app))


async def test_a_run_whose_lists_are_poor_says_so_and_trains_a_better_one(tmp_path, tiny_known, monkeypatch) -> None:
    home, row = Home(tmp_path / "home"), RECIPES["model1"]
    write_tiny(home.data / tiny_known)
    options = options_for(row, epochs=1, bs=16, factors=2, seed=3)
    train(home, row, options, data=tiny_known, device=torch.device("cpu"), name="poor")
    app = CftuiApp(home)
    started: list[tuple[str, list[str]]] = []

    def start(recipe: str, options: Iterable[str] = ()) -> str:
        started.append((recipe, list(options)))
        return "better"

    monkeypatch.setattr(app, "start_training", start)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("3", "escape")
        await wait(pilot, lambda: "popularity (" in page(app))
        await pilot.press("e", "n")
        assert not started
        await pilot.press("e")
        await wait(pilot, lambda: "train ease on the same ratings?" in page(app))
        await pilot.press("y")
        asked = ["--data", "tiny", "--split", "random", "--seed", "3", "--item-key", "title"]
        assert started == [("ease", asked)]
        # When it is trained, the run on show stays, and both speak.
        train(home, RECIPES["ease"], options_for(RECIPES["ease"], seed=3), data=tiny_known,
              device=torch.device("cpu"), name="better")  # fmt: skip
        before = app.chosen
        followed = Followed(RunFolder(home.models / "better"))
        followed.poll()
        app.run_ended(followed)
        await wait(pilot, lambda: app.chosen is not before)
        assert app.chosen.name == "poor"
        await wait(pilot, lambda: "would choose" in page(app))
        assert "better + poor" in page(app).splitlines()[0]


@pytest.mark.parametrize("width", [80, pytest.param(120, marks=pytest.mark.slow)])
async def test_lists_of_several_runs_are_compared_user_by_user(width: int, tiny_runs) -> None:
    app = CftuiApp(tiny_runs[0])
    async with app.run_test(size=(width, 24), notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("3", "escape")
        await wait(pilot, lambda: app.screen.item is not None)
        await pilot.press("c")
        await wait(pilot, lambda: isinstance(app.screen, ListsScreen) and "popularity" in page(app))
        shown = [pane for pane in app.screen.query("#lists RowList") if pane.display]
        assert len(shown) == (4 if width == 80 else 5)
        await pilot.press("n")
        await wait(pilot, lambda: "✓" in page(app))
        first = str(app.screen.query_one("#history").border_title)
        await pilot.press("n")
        await wait(pilot, lambda: str(app.screen.query_one("#history").border_title) != first)
        await pilot.press("N")
        await wait(pilot, lambda: str(app.screen.query_one("#history").border_title) == first)
        code = app.screen._shown["list-0"][0]
        await pilot.press("enter")
        await wait(pilot, lambda: app.screen.item == code)


@pytest.mark.parametrize(("name", "shown"), [("ease", "what the lists are like"), ("bayes", "90 % intervals")])
async def test_a_run_says_what_it_is_worth(name: str, shown: str, tiny_runs, monkeypatch) -> None:
    app = CftuiApp(tiny_runs[0])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        app.open_model(f"{name}.run")
        await wait(pilot, lambda: app.chosen.name == f"{name}.run")
        await pilot.press("2", "w")
        await wait(pilot, lambda: "lists of 10" in said(app, "#report-text"))
        text = said(app, "#report-text")
        assert shown in text
        assert "popularity" in text
        assert "the lists of" in text
        assert ("the worst errors" in text) == (name == "bayes")
        assert max(map(len, text.splitlines()[1:6])) <= 74
        await pilot.press("j", "k", "escape")
        await wait(pilot, lambda: not app.screen.query("#report-text"))

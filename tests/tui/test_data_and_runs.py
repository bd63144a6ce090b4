"""The data set on show and the model beside it: never a pair that does not belong together."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from cftui.data.store.registry import KNOWN
from cftui.home import Home
from cftui.settings import Config
from cftui.tui.main import CftuiApp

from ..conftest import TINY
from .looking import SIZE, page, wait

OTHER = "other"


@pytest.fixture
def home(tiny_runs, tmp_path, monkeypatch) -> Home:
    """Two data sets with the same ratings under two names, and runs on each."""
    made = Home(tmp_path / "pairs-home")
    shutil.copytree(tiny_runs[0].data, made.data)
    shutil.copytree(made.data / TINY, made.data / OTHER)
    known = KNOWN[TINY]
    monkeypatch.setitem(
        KNOWN, OTHER, replace(known, name=OTHER, read=lambda folder: replace(known.read(folder), name=OTHER))
    )
    for name, source, data in (
        ("here1", "model1", TINY),
        ("here4", "model4", TINY),
        ("there1", "model1", OTHER),
        ("there4", "model4", OTHER),
    ):
        run = shutil.copytree(tiny_runs[1][source].path, made.models / name)
        config = (run / "run.json").read_text().replace(f'"name": "{TINY}"', f'"name": "{data}"')
        (run / "run.json").write_text(config)
    return made


def pairs(app: CftuiApp) -> list[tuple[str, str]]:
    """Every data set that is on show from now on, with the data set of the model beside it."""
    seen: list[tuple[str, str]] = []

    def look() -> None:
        if app.opened is not None and app.chosen is not None:
            seen.append((app.opened.name, app.chosen.model.data_name))

    app.watch(app, "opened", look, init=False)
    app.watch(app, "chosen", look, init=False)
    return seen


async def test_a_data_set_brings_back_the_run_and_the_user_last_used_with_it(home):
    app = CftuiApp(home, Config(data=TINY), remember=True)
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.chosen and app.followed)
        seen = pairs(app)
        app.open_model("here1")
        await wait(pilot, lambda: app.chosen.name == "here1")
        app.user = "7"
        app.open_data(OTHER)
        await wait(pilot, lambda: app.chosen and app.chosen.name in ("there1", "there4"))
        assert app.opened.name == OTHER
        await wait(pilot, lambda: app.followed.data == OTHER)
        app.open_model("there1")
        await wait(pilot, lambda: app.chosen.name == "there1")
        app.user = "9"
        app.open_data(TINY)
        await wait(pilot, lambda: app.chosen and app.chosen.name == "here1")
        assert app.user == "7"
        app.open_data(OTHER)
        await wait(pilot, lambda: app.chosen and app.chosen.name == "there1")
        assert app.user == "9"
        assert all(data == own for data, own in seen), seen
    again = CftuiApp(home, remember=True)
    async with again.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: again.chosen)
        assert (again.opened.name, again.chosen.name, again.user) == (OTHER, "there1", "9")


async def test_a_model_of_another_data_set_brings_that_one_with_it(home):
    app = CftuiApp(home, Config(data=TINY))
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.chosen)
        seen = pairs(app)
        app.follow("there4")
        await wait(pilot, lambda: app.chosen and app.chosen.name == "there4")
        assert app.opened.name == OTHER
        assert OTHER in page(app).splitlines()[0]
        assert all(data == own for data, own in seen), seen


async def test_a_data_set_without_a_run_stands_alone(home):
    for name in ("there1", "there4"):
        shutil.rmtree(home.models / name)
    app = CftuiApp(home, Config(data=TINY))
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.chosen)
        app.open_data(OTHER)
        await wait(pilot, lambda: app.opened.name == OTHER)
        assert app.chosen is None
        await pilot.press("3")
        await wait(pilot, lambda: app.current_mode == "search")
        assert app.screen.query_one("#invitation").display


async def test_a_run_that_ends_while_another_data_set_is_open_is_not_opened(home):
    app = CftuiApp(home, Config(data=TINY))
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.chosen and app.followed)
        app.follow("there1")
        await wait(pilot, lambda: app.chosen and app.chosen.name == "there1")
        ended = app.followed
        app.open_data(TINY)
        await wait(pilot, lambda: app.opened.name == TINY and app.chosen)
        app.run_ended(ended)
        await pilot.pause()
        assert app.opened.name == app.chosen.model.data_name == TINY

"""Runs and moments the screens were not drawn for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cftui.data.store.registry import KNOWN
from cftui.engine.models.recipes import recipe
from cftui.engine.runs.folder import all_runs
from cftui.engine.training import train
from cftui.home import Home
from cftui.settings import Config
from cftui.tui.main import CftuiApp

from ...conftest import write_tiny
from ...waiting import loads_torch
from ..looking import SIZE, visible

CPU = torch.device("cpu")


@pytest.mark.slow
async def test_a_recipe_without_biases_shows_on_every_screen(fresh_home, until):
    train(fresh_home, recipe("collab-nn"), recipe("collab-nn").options(epochs=1, bs=4096), device=CPU, name="network")
    app = CftuiApp(fresh_home)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("4")
        await until(pilot, lambda: "PC1" in str(app.screen.query_one("#points").border_title))
        assert visible(app, "#highest")[0] == "mean movie"
        await pilot.press("3")
        await until(pilot, lambda: len(visible(app, "#neighbours")) > 5)


@pytest.mark.slow
async def test_a_run_of_a_smaller_data_set_takes_the_place_of_a_larger_one(fresh_home, tiny_known, until):
    write_tiny(fresh_home.data / tiny_known)
    options = recipe("model4").options(epochs=1, bs=16, factors=8)
    train(fresh_home, recipe("model4"), options, data=tiny_known, device=CPU, name="small")
    train(fresh_home, recipe("model4"), recipe("model4").options(epochs=1, bs=4096), device=CPU, name="large")
    app = CftuiApp(fresh_home)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("3")
        await until(pilot, lambda: app.screen.item)
        app.user = "900"
        app.screen._show(1600)
        app.open_model("small")
        await until(pilot, lambda: app.chosen.name == "small")
        assert app.user == "1"
        await until(pilot, lambda: app.screen.item and app.screen.item < 20)


async def test_stop_right_after_start_is_heard(fresh_home, until):
    app = CftuiApp(fresh_home)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.opened)
        app.start_training("model4", ["--epochs", "500"])
        await until(pilot, lambda: loads_torch(app.followed.process.pid))
        app.stop_training()
        await until(pilot, lambda: not app.training)
        assert all(run.status() == "stopped" for run in all_runs(fresh_home))


@pytest.mark.slow
async def test_a_start_that_fails_leaves_nothing_behind(fresh_home, until):
    app = CftuiApp(fresh_home)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.opened)
        app.start_training("model4", ["--bs", "99999999"])
        name = app.followed.name
        await until(pilot, lambda: app.followed.told)
        assert not (Home(fresh_home.root).models / name).exists()


@pytest.mark.slow
async def test_runs_of_other_terminals_appear_in_the_list(fresh_home, until, monkeypatch):
    from cftui.tui.train import screen
    from cftui.tui.train.run_table import RunTable

    monkeypatch.setattr(screen, "RELOAD_SECONDS", 0.1)
    app = CftuiApp(fresh_home)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.opened)
        await pilot.press("2")
        await until(pilot, lambda: app.screen.query(RunTable))
        assert app.screen.query_one(RunTable).current is None
        train(fresh_home, recipe("model4"), recipe("model4").options(epochs=1, bs=4096), device=CPU, name="elsewhere")
        await until(pilot, lambda: app.screen.query_one(RunTable).current == "elsewhere")


@pytest.mark.slow
async def test_a_list_in_which_nothing_changed_is_not_drawn_again(app, until, monkeypatch):
    from cftui.tui.train import screen
    from cftui.tui.train.run_table import RunTable

    monkeypatch.setattr(screen, "RELOAD_SECONDS", 0.05)
    looked, drawn = [], []
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("2")
        await until(pilot, lambda: app.screen.query_one(RunTable).current)
        runs = app.screen.query_one(RunTable)
        read = app._runs_read
        monkeypatch.setattr(app, "_runs_read", lambda rows: (looked.append(rows), read(rows)))
        monkeypatch.setattr(runs, "_draw", lambda: drawn.append(1))
        await until(pilot, lambda: len(looked) >= 3)
        assert not drawn


async def test_opening_the_app_reads_the_data_set_once(tiny_home, monkeypatch, until):
    options = recipe("model4").options(epochs=1, bs=16, factors=4)
    train(tiny_home, recipe("model4"), options, data="tiny", device=CPU, name="mine")
    readings, known = [], KNOWN["tiny"]

    def read(folder):
        readings.append(folder)
        return known.read(folder)

    monkeypatch.setitem(KNOWN, "tiny", replace(known, read=read))
    app = CftuiApp(tiny_home, Config(data="tiny"))
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen and app.opened)
        assert app.chosen.ratings.fingerprint == app.opened.tables.fingerprint
        assert len(readings) == 1

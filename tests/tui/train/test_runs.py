"""The run list and the chart: comparing, overlaying, renaming, removing, going on."""

from __future__ import annotations

import re
import shutil
import threading

import pytest
import torch
from textual.widgets import DataTable, Input, Static

from cftui.engine.models.recipes import recipe
from cftui.engine.runs.folder import RunFolder, all_runs
from cftui.engine.training import train
from cftui.home import Home
from cftui.tui.main import CftuiApp
from cftui.tui.shell.prompt import Confirm, Prompt
from cftui.tui.shell.sheet import Sheet
from cftui.tui.train.loss_chart import LossChart
from cftui.tui.train.run_list import RunList

from ..conftest import SIZE


@pytest.fixture(scope="module")
def trained_twice(ml_100k_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with model3 and then model4, three quick epochs each; not to be altered."""
    home = Home(tmp_path_factory.mktemp("trained-twice"))
    home.data.mkdir()
    (home.data / "ml-100k").symlink_to(ml_100k_home.data / "ml-100k")
    for name, lr in (("model3", 5e-3), ("model4", 1e-2)):
        options = recipe(name).options(epochs=3, bs=2048, lr=lr)
        train(home, recipe(name), options, device=torch.device("cpu"), name=f"{name}-run")
    return home


@pytest.fixture
def two_runs(trained_twice: Home, fresh_home: Home) -> CftuiApp:
    """An app over a copy of these runs, which a test may spoil."""
    shutil.copytree(trained_twice.models, fresh_home.models)
    return CftuiApp(fresh_home)


async def on_train_screen(app, pilot, until) -> RunList:
    await until(pilot, lambda: app.chosen)
    await pilot.press("2")
    await until(pilot, lambda: app.screen.query_one(RunList).option_count == 2)
    await pilot.press("u")
    await pilot.pause()
    return app.screen.query_one(RunList)


async def test_the_newest_run_is_shown_and_enter_shows_another(two_runs, until):
    async with two_runs.run_test(size=SIZE) as pilot:
        runs = await on_train_screen(two_runs, pilot, until)
        assert two_runs.followed.name == "model4-run"
        await pilot.press("down", "enter")
        await until(pilot, lambda: two_runs.chosen.name == "model3-run")
        assert two_runs.followed.name == runs.current == "model3-run"
        table = two_runs.screen.query_one("#epochs", DataTable)
        last = two_runs.followed.history.last
        assert str(table.get_row_at(2)[2]) == f"{last['valid_loss']:.6f}"


async def test_one_thread_at_a_time_reads_the_runs(two_runs, until, monkeypatch):
    """Asked meanwhile, it reads once more; whoever asks again is not refused, and not answered twice."""
    async with two_runs.run_test(size=SIZE) as pilot:
        await on_train_screen(two_runs, pilot, until)
        await until(pilot, lambda: not two_runs._reading)
        reading, go_on, begun = threading.Lock(), threading.Event(), []

        def read() -> list:
            assert reading.acquire(blocking=False), "a second thread reads"
            begun.append(1)
            go_on.wait(5)
            reading.release()
            return []

        monkeypatch.setattr(two_runs, "_read_index", read)
        for _ in range(5):
            two_runs.look_at_runs()
        await until(pilot, lambda: begun)
        go_on.set()
        await until(pilot, lambda: len(begun) == 2 and not two_runs._reading)


async def test_overlay_keeps_its_mark_and_goes_again(two_runs, until):
    async with two_runs.run_test(size=SIZE) as pilot:
        await on_train_screen(two_runs, pilot, until)
        chart = two_runs.screen.query_one(LossChart)
        await pilot.press("down", "o")
        await pilot.pause()
        assert [curve.name for curve in chart.others] == ["model3-run"]
        mark = chart.others[0].mark
        assert mark in str(chart.render())
        assert f"{mark} model3-run" in str(chart.render())
        await pilot.press("o")
        assert not chart.others
        await pilot.press("o")
        assert chart.others[0].mark == mark


async def test_the_chart_says_what_a_loss_is_worth_and_changes_its_axes(two_runs, until):
    async with two_runs.run_test(size=SIZE) as pilot:
        await on_train_screen(two_runs, pilot, until)
        chart = two_runs.screen.query_one(LossChart)
        baselines = two_runs.followed.history.baselines
        assert f"bias only {baselines['bias_only']:.3f}" in str(chart.render())
        linear = str(chart.render())
        await pilot.press("l")
        assert str(chart.render()) != linear
        await pilot.press("l", "a")
        assert two_runs.followed.history.start["steps"] == 117
        assert re.search(r"^ +0 .*\b100\b", str(chart.render()).splitlines()[-1]), "no round numbers of batches"
        await pilot.press("a", "a", "m")
        assert str(chart.render()) != linear, "the band of minima and maxima did not go"


async def test_two_runs_are_compared_by_what_differs(two_runs, until):
    async with two_runs.run_test(size=SIZE) as pilot:
        await on_train_screen(two_runs, pilot, until)
        await pilot.press("down", "c")
        await pilot.pause()
        assert isinstance(two_runs.screen, Sheet)
        table = two_runs.screen.query_one(DataTable)
        rows = {
            str(table.get_row_at(at)[0]): [str(c) for c in table.get_row_at(at)[1:]] for at in range(table.row_count)
        }
        assert rows["lr"] == ["0.01", "0.005"]
        assert "bs" not in rows


@pytest.mark.slow
async def test_results_show_validation_ratings_beside_predictions(two_runs, until):
    async with two_runs.run_test(size=SIZE) as pilot:
        await on_train_screen(two_runs, pilot, until)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(two_runs.screen, Sheet))
        table = two_runs.screen.query_one(DataTable)
        assert [str(column.label) for column in table.ordered_columns] == ["user", "title", "rating", "rating_pred"]
        assert 0 < float(str(table.get_row_at(0)[3])) < 5.5


@pytest.mark.slow
async def test_removing_asks_first(two_runs, until, fresh_home):
    async with two_runs.run_test(size=SIZE) as pilot:
        await on_train_screen(two_runs, pilot, until)
        await pilot.press("d")
        await pilot.pause()
        assert isinstance(two_runs.screen, Confirm)
        await pilot.press("n")
        await pilot.pause()
        assert len(all_runs(fresh_home)) == 2
        await pilot.press("d")
        await pilot.pause()
        await pilot.press("y")
        await until(pilot, lambda: len(all_runs(fresh_home)) == 1)
        assert all_runs(fresh_home)[0].name == "model3-run"
        assert two_runs.followed is None
        assert two_runs.chosen is None


async def test_renaming_follows_the_run(two_runs, until, fresh_home):
    async with two_runs.run_test(size=SIZE) as pilot:
        await on_train_screen(two_runs, pilot, until)
        await pilot.press("n")
        await pilot.pause()
        two_runs.screen.query_one(Input).value = "best-so-far"
        await pilot.press("enter")
        await until(pilot, lambda: two_runs.followed and two_runs.followed.name == "best-so-far")
        assert {run.name for run in all_runs(fresh_home)} == {"model3-run", "best-so-far"}


async def test_the_list_sorts_by_loss_and_keeps_to_one_recipe(two_runs, until):
    async with two_runs.run_test(size=SIZE) as pilot:
        runs = await on_train_screen(two_runs, pilot, until)
        losses = {run.name: run.history().last["valid_loss"] for run in all_runs(two_runs.home)}
        await pilot.press("s")
        await pilot.pause()
        assert runs.get_option_at_index(0).id == min(losses, key=losses.get)
        await pilot.press("i")
        await pilot.pause()
        assert runs.option_count == 1
        await pilot.press("i")
        await pilot.pause()
        assert runs.option_count == 2


@pytest.mark.slow
async def test_a_finished_run_goes_on_from_the_app(two_runs, until, fresh_home):
    async with two_runs.run_test(size=SIZE) as pilot:
        await on_train_screen(two_runs, pilot, until)
        await pilot.press("r")
        await pilot.pause()
        assert isinstance(two_runs.screen, Prompt)
        two_runs.screen.query_one(Input).value = "none"
        await pilot.press("enter")
        await pilot.pause()
        assert "whole number" in str(two_runs.screen.query_one("#prompt-hint", Static).render())
        two_runs.screen.query_one(Input).value = "2"
        await pilot.press("enter")
        run = RunFolder(fresh_home.models / "model4-run")
        # The run on show was told of long ago: the one that goes on has a process of ours.
        await until(pilot, lambda: two_runs.followed.process and two_runs.followed.told)
        assert [epoch["epoch"] for epoch in run.history().epochs] == [0, 1, 2, 3, 4]
        assert two_runs.screen.query_one("#epochs", DataTable).row_count == 5


@pytest.mark.slow
async def test_the_learning_rate_finder_fills_the_form(two_runs, until):
    async with two_runs.run_test(size=SIZE) as pilot:
        await on_train_screen(two_runs, pilot, until)
        await pilot.press("f")
        await pilot.pause()
        await until(pilot, lambda: "suggested" in str(two_runs.screen.query_one("#lr-text", Static).render()))
        await pilot.press("enter")
        await pilot.pause()
        assert 1e-4 < float(two_runs.screen.query_one("#field-lr", Input).value) < 0.1

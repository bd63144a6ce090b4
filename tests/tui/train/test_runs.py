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
from cftui.engine.runs.notes import read_notes
from cftui.engine.training import train
from cftui.home import Home
from cftui.tui.main import CftuiApp
from cftui.tui.shell.prompt import Confirm, Prompt
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.run_switcher import RunSwitcher
from cftui.tui.shell.sheet import Sheet
from cftui.tui.train.loss_chart import LossChart
from cftui.tui.train.run_table import RunTable
from cftui.tui.train.trash import Trash

from ..looking import SIZE, answer, notices, rows, subtitle, title


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


async def on_train_screen(app, pilot, until) -> RunTable:
    await until(pilot, lambda: app.chosen)
    await pilot.press("2")
    await until(pilot, lambda: app.screen.query_one(RunTable).count == 2)
    await pilot.press("u")
    await pilot.pause()
    return app.screen.query_one(RunTable)


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


async def test_removing_can_be_undone(two_runs, until, fresh_home):
    async with two_runs.run_test(size=SIZE, notifications=True) as pilot:
        runs = await on_train_screen(two_runs, pilot, until)
        await pilot.press("d")
        await until(pilot, lambda: runs.count == 1)
        assert [run.name for run in all_runs(fresh_home)] == ["model3-run"]
        assert two_runs.followed is None
        assert two_runs.chosen is None
        assert any("U undoes" in notice for notice in notices(two_runs))
        await pilot.press("U")
        await until(pilot, lambda: runs.count == 2)
        assert {run.name for run in all_runs(fresh_home)} == {"model3-run", "model4-run"}


async def test_selected_runs_are_removed_together_and_come_back_from_the_trash(two_runs, until, fresh_home):
    async with two_runs.run_test(size=SIZE) as pilot:
        runs = await on_train_screen(two_runs, pilot, until)
        two_runs.followed = None
        await pilot.press("space", "down", "space")
        await pilot.pause()
        assert runs.selected == ["model4-run", "model3-run"]
        await pilot.press("d")
        await until(pilot, lambda: not runs.count)
        assert all_runs(fresh_home) == []
        await pilot.press("T")
        await until(pilot, lambda: isinstance(two_runs.screen, Trash) and two_runs.screen.query_one(RowList).count == 2)
        await pilot.press("enter")
        await until(pilot, lambda: len(all_runs(fresh_home)) == 1)
        await until(pilot, lambda: two_runs.screen.query_one(RowList).count == 1)
        await pilot.press("P")
        await until(pilot, lambda: isinstance(two_runs.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: two_runs.screen.query_one(RowList).count == 0)
        await pilot.press("escape")
        await until(pilot, lambda: runs.count == 1)


async def test_tags_and_notes_are_written_and_found(two_runs, until, fresh_home):
    async with two_runs.run_test(size=(160, 48)) as pilot:
        runs = await on_train_screen(two_runs, pilot, until)
        await pilot.press("number_sign")
        await answer(pilot, "#final wd")
        await until(pilot, lambda: runs.shown[0].tags == ("final", "wd"))
        await pilot.press("N")
        await answer(pilot, "the one to keep")
        await until(pilot, lambda: runs.shown[0].note == "the one to keep")
        drawn = rows(two_runs, "#runs")[0]
        assert "#final #wd" in drawn
        assert "the one to keep" in drawn
        await pilot.press("slash", *"final", "enter")
        await until(pilot, lambda: runs.in_view == 1)
        assert runs.current == "model4-run"
        await pilot.press("number_sign")
        await answer(pilot, "two/words")
        await pilot.pause()
        assert read_notes(RunFolder(fresh_home.models / "model4-run")).tags == ("final", "wd")


async def test_renaming_follows_the_run(two_runs, until, fresh_home):
    async with two_runs.run_test(size=SIZE) as pilot:
        await on_train_screen(two_runs, pilot, until)
        await pilot.press("n")
        await pilot.pause()
        two_runs.screen.query_one(Input).value = "best-so-far"
        await pilot.press("enter")
        await until(pilot, lambda: two_runs.followed and two_runs.followed.name == "best-so-far")
        assert {run.name for run in all_runs(fresh_home)} == {"model3-run", "best-so-far"}


async def test_the_table_sorts_by_loss_and_keeps_to_one_recipe(two_runs, until):
    async with two_runs.run_test(size=SIZE) as pilot:
        runs = await on_train_screen(two_runs, pilot, until)
        losses = {run.name: run.history().last["valid_loss"] for run in all_runs(two_runs.home)}
        while runs.arrangement.by != "loss":
            await pilot.press("s")
        await pilot.press("g")
        assert runs.current == min(losses, key=losses.get)
        await pilot.press("i")
        assert runs.count == 1
        assert "runs of model" in title(two_runs, "#runs")
        await pilot.press("i")
        assert runs.count == 2


async def test_the_table_has_the_runs_of_the_open_data_set(two_runs, until, tiny_runs):
    shutil.copytree(tiny_runs[1]["model4"].path, two_runs.home.models / "tiny-run")
    async with two_runs.run_test(size=SIZE) as pilot:
        runs = await on_train_screen(two_runs, pilot, until)
        assert title(two_runs, "#runs") == "runs on ml-100k"
        assert subtitle(two_runs, "#runs") == "1 other run: i"
        await pilot.press("i", "i")
        await until(pilot, lambda: runs.count == 3)
        assert "data" in [column.title for column in runs._columns]


async def test_the_epochs_take_the_place_of_the_runs_where_there_is_room_for_one(two_runs, until):
    async with two_runs.run_test(size=SIZE) as pilot:
        runs = await on_train_screen(two_runs, pilot, until)
        epochs = two_runs.screen.query_one("#epochs")
        assert (runs.display, epochs.display) == (True, False)
        await pilot.press("p")
        assert (runs.display, epochs.display, epochs.has_focus) == (False, True, True)
        await pilot.press("u")
        assert (runs.display, epochs.display, runs.has_focus) == (True, False, True)
        await pilot.resize_terminal(200, 60)
        await pilot.pause()
        assert (runs.display, epochs.display) == (True, True)


async def test_a_run_is_found_from_any_screen_by_a_few_letters(two_runs, until):
    async with two_runs.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: two_runs.chosen and two_runs.run_rows)
        assert two_runs.chosen.name == "model4-run"
        await pilot.press("3")
        await until(pilot, lambda: two_runs.current_mode == "search")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(two_runs.screen, RunSwitcher))
        await pilot.press(*"modl3")
        await until(pilot, lambda: "model3-run" in "".join(rows(two_runs, "#switcher-list")[:1]))
        assert f"{two_runs.run_rows[1].run.valid_loss:.4f}" in rows(two_runs, "#switcher-list")[0]
        await pilot.press("enter")
        await until(pilot, lambda: two_runs.chosen.name == "model3-run")
        assert two_runs.current_mode == "search"


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

"""Training from the app: a child that outlives it, followed by its log."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest
from textual.widgets import DataTable, Input, Static

from cftui.engine.runs.folder import RunFolder, all_runs
from cftui.tui.main import CftuiApp
from cftui.tui.shell.row_list import RowList
from cftui.tui.train.loss_chart import LossChart

from ..conftest import SIZE


@pytest.fixture
def untrained(fresh_home) -> Iterator[CftuiApp]:
    """An app with data and no run; trainers it started do not outlive the test."""
    app = CftuiApp(fresh_home)
    yield app
    process = app.followed.process if app.followed else None
    if process is not None:
        process.kill()
        process.wait()


async def test_without_data_the_app_says_what_to_press(bare_app, until):
    async with bare_app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: bare_app.activity)
        assert "Press g" in str(bare_app.screen.query_one("#facts", Static).render())
        await pilot.press("3")
        await pilot.pause()
        assert "Press g" in str(bare_app.screen.query_one("#invitation", Static).render())


async def test_g_fetches_and_opens_the_data_set(bare_app, until, ml_100k_folder, monkeypatch):
    monkeypatch.setenv("CFTUI_ML_100K", str(ml_100k_folder))
    async with bare_app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: bare_app.activity)
        await pilot.press("g")
        await until(pilot, lambda: bare_app.opened)
        assert bare_app.opened.name == "ml-100k"


async def test_a_fetch_that_fails_says_why(bare_app, until, monkeypatch, tmp_path):
    monkeypatch.setenv("CFTUI_ML_100K", str(tmp_path / "nowhere"))
    notices = []
    bare_app.notify = lambda message, **kwargs: notices.append(message)
    async with bare_app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: bare_app.activity)
        await pilot.press("g")
        await until(pilot, lambda: notices)
        assert "no such file or folder" in notices[0]
        assert bare_app.opened is None


@pytest.mark.slow
async def test_a_screen_without_a_model_offers_to_train_one_and_opens_it(untrained, until):
    app = untrained
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.opened)
        await pilot.press("3")
        await pilot.pause()
        assert "Press t" in str(app.screen.query_one("#invitation", Static).render())
        await pilot.press("t")
        await until(pilot, lambda: app.chosen)
        assert not app.screen.query_one("#invitation").display
        assert app.screen.query_one("#found", RowList).count == 1664


async def test_the_train_screen_charts_a_run_and_fills_the_epoch_table(untrained, until):
    app = untrained
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.opened)
        await pilot.press("2")
        await pilot.pause()
        app.screen.query_one("#field-epochs", Input).value = "2"
        app.screen.query_one("#field-bs", Input).value = "512"
        await pilot.press("t")
        await until(pilot, lambda: app.chosen)
        table = app.screen.query_one("#epochs", DataTable)
        await until(pilot, lambda: table.row_count == 2)
        history = app.followed.history
        assert str(table.get_row_at(1)[2]) == f"{history.last['valid_loss']:.6f}"
        chart = app.screen.query_one(LossChart)
        drawn = str(chart.render())
        assert any(0x2800 < ord(c) < 0x2900 for c in drawn), "no training curve"
        assert "o" in drawn
        assert "bias only" in drawn
        assert "train" in str(chart.border_title)
        assert "valid" in str(chart.border_title)
        assert history.start["batch_size"] == 512


@pytest.mark.slow
async def test_stop_keeps_what_was_learned(untrained, until):
    app = untrained
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.opened)
        await pilot.press("2")
        await pilot.pause()
        app.screen.query_one("#field-epochs", Input).value = "500"
        await pilot.press("t")
        await until(pilot, lambda: app.followed and app.followed.history.epochs)
        await pilot.press("x")
        await until(pilot, lambda: app.chosen)
        assert app.followed.history.ending["event"] == "stopped"
        assert not app.training


@pytest.mark.slow
async def test_leaving_the_app_leaves_the_run_alone_and_a_new_app_follows_it(untrained, until, fresh_home):
    async with untrained.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: untrained.opened)
        untrained.start_training("model4", ["--epochs", "500"])
        await until(pilot, lambda: untrained.followed.history.epochs)
        name, process = untrained.followed.name, untrained.followed.process
        await pilot.press("q")
    assert psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE
    assert RunFolder(fresh_home.models / name).status() == "running"
    again = CftuiApp(fresh_home)
    async with again.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: again.followed)
        assert again.followed.name == name
        assert again.training
        again.stop_training()
        await until(pilot, lambda: not again.training)


@pytest.mark.slow
async def test_a_trainer_that_cannot_start_is_told_in_its_own_words(untrained, until):
    app = untrained
    notices = []
    app.notify = lambda message, **kwargs: notices.append(message)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.opened)
        app.start_training("model4", ["--bs", "99999999"])
        await until(pilot, lambda: app.followed.told)
        assert any("more than the 80,000 training ratings" in notice for notice in notices)
        assert not app.training


async def test_wrong_hyper_parameters_are_explained_and_nothing_starts(untrained, until):
    app = untrained
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.opened)
        await pilot.press("2")
        await pilot.pause()
        for field, wrong, reason in (
            ("lr", "fast", "must be a number above 0"),
            ("epochs", "0", "must be a whole number from 1"),
            ("bs", "", "must be a whole number from 2"),
        ):
            box = app.screen.query_one(f"#field-{field}", Input)
            before, box.value = box.value, wrong
            await pilot.pause()
            assert reason in str(app.screen.query_one("#form-error", Static).render())
            app.screen.action_train()
            assert app.followed is None
            box.value = before
        await pilot.pause()
        assert not app.screen.query_one("#form-error").display
        assert not all_runs(app.home)

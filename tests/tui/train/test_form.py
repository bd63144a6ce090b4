"""The form: every option of every recipe, hands that never get stuck, and a sweep from it."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Button, Checkbox, Input, Select
from textual.widgets._select import SelectOverlay

from cftui.engine.models.recipes import all_recipes
from cftui.settings import State
from cftui.tui.main import CftuiApp
from cftui.tui.shell.key_bar import KeyBar
from cftui.tui.shell.table import Table
from cftui.tui.train.recipe_form import RecipeForm
from cftui.tui.train.screen import TrainScreen
from cftui.tui.train.sweep_board import Sweep, Trial
from cftui.tui.train.sweeping import SweepScreen
from tests.tui.looking import page, said, wait

# Set without telling the screens, which would read it.
OPENED: Any = CftuiApp.opened


def bar(app: CftuiApp) -> str:
    return app.screen.query_one(KeyBar).render().plain


async def train_screen(pilot) -> RecipeForm:
    app = pilot.app
    await wait(pilot, lambda: app.chosen)
    await app.switch_mode("train")
    await wait(pilot, lambda: isinstance(app.screen, TrainScreen) and app.screen.query("#start"))
    await pilot.pause()
    return app.screen.query_one(RecipeForm)


async def test_every_recipe_has_a_field_for_every_option(quick: CftuiApp) -> None:
    async with quick.run_test(size=(80, 24)) as pilot:
        form = await train_screen(pilot)
        for name, recipe in all_recipes().items():
            form.query_one("#recipe", Select).value = name
            await pilot.pause()
            fields = {*form._fields.query(Input), *form._fields.query(Checkbox), *form.query(Select)}
            ids = {field.id.removeprefix("field-").replace("-", "_") for field in fields if not field.disabled}
            assert set(recipe.described) - ids == set(), name
            assert {"device", "item_key"} <= ids
            assert form.options() is not None, name


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_the_start_is_in_sight_and_every_field_can_be_scrolled_to(quick: CftuiApp, size: tuple[int, int]) -> None:
    async with quick.run_test(size=size) as pilot:
        form = await train_screen(pilot)
        screen = quick.screen.region
        for name in ("model4", "bayes", "ease", "ials"):
            form.query_one("#recipe", Select).value = name
            await pilot.pause()
            own = [*form._fields.query(Input), *form._fields.query(Checkbox), *form._fields.query(Select)]
            shared = [form.query_one(f"#{one}") for one in ("recipe", "split", "item-key", "device", "sweep", "start")]
            for field in [*own, *shared]:
                if field.disabled:
                    continue
                field.focus()
                await pilot.pause()
                assert screen.contains_region(field.region), (name, field.id)
                assert field.region.width >= 3, (name, field.id, "room to read what is in it")
                start = form.query_one("#start").region
                assert form.region.contains_region(start), "the button stays"


async def test_enter_starts_the_run_and_leaves_the_field_so_that_x_stops_it(quick: CftuiApp, monkeypatch) -> None:
    begun: list[list[str]] = []
    stopped: list[bool] = []
    monkeypatch.setattr(quick, "start_training", lambda recipe, options: begun.append([recipe, *options]))
    monkeypatch.setattr(quick, "stop_training", lambda: stopped.append(True))
    async with quick.run_test(size=(80, 24)) as pilot:
        form = await train_screen(pilot)
        quick.set_reactive(OPENED, object())
        field = form._fields.query_one("#field-epochs", Input)
        field.focus()
        await pilot.pause()
        assert [word for word in ("OK", "Leave", "Next", "Jump") if word not in bar(quick)] == []
        await pilot.press("enter")
        await pilot.pause()
        assert len(begun) == 1
        assert not isinstance(quick.focused, Input | Button), "neither a letter nor enter does harm"
        await pilot.press("x")
        await pilot.pause()
        assert stopped
        assert field.value == "5"
        quick.set_reactive(OPENED, None)


async def test_the_beginning_of_a_number_is_no_error_until_the_field_is_left(quick: CftuiApp) -> None:
    async with quick.run_test(size=(80, 24)) as pilot:
        form = await train_screen(pilot)
        field = form._fields.query_one("#field-lr", Input)
        field.focus()
        field.value = ""
        await pilot.press(*"1e-")
        await pilot.pause()
        assert field.value == "1e-"
        assert not quick.screen.query_one("#form-error").display
        await pilot.press("tab")
        await pilot.pause()
        assert "learning rate '1e-'" in said(quick, "#form-error")
        field.focus()
        field.value = "1x"
        await pilot.pause()
        assert "learning rate '1x'" in said(quick, "#form-error"), "this can become no number"


async def test_the_form_remembers_its_last_values(quick: CftuiApp) -> None:
    async with quick.run_test(size=(80, 24)) as pilot:
        form = await train_screen(pilot)
        form.query_one("#recipe", Select).value = "model3"
        await pilot.pause()
        form.set_value("lr", "0.01")
        form.set_value("wd_bias", "0.02")
        form.query_one("#keep-best", Checkbox).value = True
        form.query_one("#item-key", Select).value = "id"
        form.query_one("#device", Select).value = "cpu"
        await pilot.pause()
        words = form.options()
        kept = State.parse({"form": quick.form}).form
    again = CftuiApp(quick.home)
    again.form = kept
    async with again.run_test(size=(80, 24)) as pilot:
        await again.switch_mode("train")
        await wait(pilot, lambda: isinstance(again.screen, TrainScreen) and again.screen.query("#start"))
        await pilot.pause()
        form = again.screen.query_one(RecipeForm)
        assert form.recipe == "model3"
        assert form.options() == words
        assert {"--wd-bias", "--keep-best", "--item-key", "--device"} <= set(words or [])


async def test_the_list_of_recipes_says_what_each_is(quick: CftuiApp) -> None:
    async with quick.run_test(size=(80, 24)) as pilot:
        form = await train_screen(pilot)
        form.query_one("#recipe").focus()
        await pilot.press("enter")
        await pilot.pause()
        overlay = form.query_one("#recipe", Select).query_one(SelectOverlay)
        lines = [overlay.render_line(y).text for y in range(overlay.size.height)]
        assert any("model1" in line and "dot product" in line for line in lines)
        assert "bar" not in bar(quick)
        assert bar(quick).strip(), "the key bar is never empty"


class Ended:
    """A process that has ended."""

    returncode = 0

    def poll(self) -> int:
        return 0


async def test_capital_b_asks_what_to_try_and_shows_the_leaderboard(quick: CftuiApp, monkeypatch) -> None:
    started: list[list[str]] = []

    def start(home, name, words):
        started.append([name, *words])
        return Ended()

    trials = [
        Trial("s-02", {"wd": 0.2}, 0.81, "done", True),
        Trial("s-01", {"wd": 0.1}, 0.83, "done", True),
        Trial("s-03", {"wd": 0.3}, None, "failed", True),
    ]
    monkeypatch.setattr("cftui.tui.session.jobs.start_detached", start)
    monkeypatch.setattr(Sweep, "board", lambda self, home: trials)
    monkeypatch.setattr(Sweep, "outcome", lambda self, home: Trial("s-best", {"wd": 0.2}, 0.8, "done", True))
    async with quick.run_test(size=(80, 24)) as pilot:
        await train_screen(pilot)
        quick.set_reactive(OPENED, type("Data", (), {"name": "ml-100k"})())
        await pilot.press("B")
        await wait(pilot, lambda: isinstance(quick.screen, SweepScreen) and quick.screen.query("#try"))
        field = quick.screen.query_one("#try", Input)
        assert field.value.startswith("wd="), "what the method varies unless told otherwise"
        field.value = "wd=0.1..0.3"
        await pilot.press("enter")
        await wait(pilot, lambda: "--random" in said(quick, "#sweep-text") or "draw" in said(quick, "#sweep-text"))
        assert not started, "what cannot begin is told before"
        field.value = "wd=0.1,0.2,0.3"
        await pilot.press("enter")
        await wait(pilot, lambda: quick.screen.query_one("#board", Table).row_count == 3)
        assert started[0][0].endswith("-best")
        assert {"sweep", "model4", "--try", "wd=0.1,0.2,0.3", "--split"} <= set(started[0])
        await wait(pilot, lambda: "s-best has the best setting: validation loss 0.8000" in said(quick, "#sweep-text"))
        lines = [line for line in page(quick).splitlines() if "s-0" in line]
        assert ["s-02" in lines[0], "s-01" in lines[1], "s-03" in lines[2]] == [True] * 3
        await pilot.press("escape")
        await wait(pilot, lambda: isinstance(quick.screen, TrainScreen))
        quick.set_reactive(OPENED, None)


def test_the_board_is_read_from_the_logs_of_the_runs(fresh_home) -> None:
    import torch

    from cftui.engine.models.recipes import recipe
    from cftui.engine.sweep import sweep

    chosen = recipe("model1")
    tried = [{"lr": 0.001}, {"lr": 0.05}]
    shared: dict[str, Any] = {"data": "ml-100k", "device": torch.device("cpu"), "stop_requested": lambda: False}
    options = chosen.options(epochs=1, bs=4096, factors=4)
    trials = list(sweep(fresh_home, chosen, options, tried, name="s", **shared))
    board = Sweep(chosen, "ml-100k", (), name="s", varied=("lr",)).board(fresh_home)
    best = min(trials, key=lambda trial: trial.loss or 9)
    assert (board[0].run, board[0].score, board[0].setting) == (best.run, best.loss, best.setting)
    assert [one.state for one in board] == ["done", "done"]

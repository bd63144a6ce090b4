"""What makes one keep a terminal app: keys, jumping, copying, remembering, failing well, plain terminals, titles."""

from __future__ import annotations

import ast
import asyncio
import base64
import dataclasses
import importlib
import inspect
import pkgutil
import re
import shutil
import unicodedata
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.segment import Segment
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static
from textual.widgets._toast import Toast
from textual.worker import WorkerFailed

import cftui.tui
from cftui import settings
from cftui.analysis.evaluation import accuracy
from cftui.data.store.catalog import KNOWN
from cftui.data.tables import Tables
from cftui.engine.models.recipes import recipe
from cftui.engine.training import train
from cftui.home import Home
from cftui.settings import Config
from cftui.tui.app import CLIPBOARD_BYTES
from cftui.tui.main import CftuiApp
from cftui.tui.map.point_map import PointMap
from cftui.tui.search.neighbours import Neighbours
from cftui.tui.shell.help import HelpScreen
from cftui.tui.shell.jump import JumpScreen
from cftui.tui.shell.keys import ACTIONS, ids
from cftui.tui.shell.prompt import Confirm
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.titles import TitlePicker
from cftui.tui.train.loss_chart import LossChart
from cftui.tui.train.lr_finder import LrFinder
from cftui.tui.train.run_table import RunTable

from ..conftest import TINY, read_tiny, write_tiny
from .looking import PATIENCE, SIZE, mapping, notices, page, rows, said, searching, settled, title, wait


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFTUI_STATE_DIR", str(tmp_path / "state"))
    for name in ("TMUX", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tiny_app(tiny_runs) -> CftuiApp:
    """All of the app over the tiny data set and a run of every recipe."""
    return CftuiApp(tiny_runs[0], Config(data=TINY))


async def visit(pilot: Pilot, *keys: str, showing: str) -> None:
    """Press keys as fast as somebody types, without the pilot's waiting; until that screen is there, and drawn."""
    for key in keys:
        pilot.app.simulate_key(key)
        await asyncio.sleep(0.02)
    try:
        async with asyncio.timeout(PATIENCE):
            while type(pilot.app.screen).__name__ != showing or not pilot.app.screen.is_current:
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{keys} lead to {type(pilot.app.screen).__name__}, not to {showing}") from None
    await pilot.pause()


async def every_screen(pilot: Pilot) -> AsyncIterator[str]:
    """All there is to see, one after the other."""
    app = pilot.app
    await wait(pilot, lambda: app.chosen and app.opened and not app.activity)
    await visit(pilot, "1", showing="DatasetScreen")
    await wait(pilot, lambda: app.screen.query_one("#items-table").row_count)
    for key in "hcdumepa":
        await visit(pilot, key, showing="DatasetScreen")
        yield f"dataset {key}"
    await visit(pilot, "2", showing="TrainScreen")
    await wait(pilot, lambda: app.screen.query_one("#epochs").row_count)
    yield "train"
    await visit(pilot, "u", "down", "down", "o", "u", showing="TrainScreen")
    yield "overlay"
    dialogs = {"v": "Sheet", "n": "Prompt", "f": "LrFinder", "question_mark": "HelpScreen", "R": "RunSwitcher"}
    for key, showing in dialogs.items():
        await visit(pilot, "u", key, showing=showing)
        yield f"train {key}"
        await visit(pilot, "escape", showing="TrainScreen")
    await visit(pilot, "u", "down", "d", showing="TrainScreen")
    yield "train d"
    await visit(pilot, "T", showing="Trash")
    yield "train T"
    await visit(pilot, "escape", "U", showing="TrainScreen")
    await visit(pilot, "3", showing="SearchScreen")
    await wait(pilot, lambda: rows(app, "#neighbours"))
    yield "search"
    await visit(pilot, "escape", "w", showing="SearchScreen")
    yield "search w"
    await pilot.press("w")
    dialogs = {"u": "UserPicker", "p": "ProfileScreen", "b": "BiasScreen", "a": "AnatomyScreen", "x": "Prompt"}
    dialogs |= {"f": "Prompt", "ctrl+o": "JumpScreen", "m": "MeScreen"}
    for key, showing in dialogs.items():
        await visit(pilot, key, showing=showing)
        yield f"search {key}"
        if key == "m":
            await visit(pilot, "3", "0", "5", showing="MeScreen")
            yield "me, rated"
            await visit(pilot, "slash", showing="TitlePicker")
            yield "me /"
            await visit(pilot, "escape", showing="MeScreen")
            await visit(pilot, "escape", showing="Confirm")
            yield "me escape"
            await visit(pilot, "y", showing="SearchScreen")
        else:
            await visit(pilot, "escape", showing="SearchScreen")
    await visit(pilot, "4", showing="MapScreen")
    await wait(pilot, lambda: app.screen.query_one(PointMap)._xy is not None)
    for key in ("right", "5", "0", "c", "c", "v", "plus", "9"):
        await visit(pilot, key, showing="MapScreen")
        yield f"map {key}"
    for key, showing in {"slash": "TitlePicker", "b": "BiasScreen", "r": "RobustScreen"}.items():
        await visit(pilot, key, showing=showing)
        # The first escape would only stop a solver that is at work.
        await wait(pilot, lambda: not getattr(app.screen, "_going", ""))
        yield f"map {key}"
        await visit(pilot, "escape", showing="MapScreen")
    await visit(pilot, "ctrl+p", showing="Palette")
    yield "palette"
    await visit(pilot, "escape", showing="MapScreen")


@pytest.fixture(scope="module")
def quick_finder() -> Iterator[None]:
    """The finder's answer without the process that finds it."""
    rates = [10.0**power for power in range(-6, 1)]
    found = {"lr": rates, "loss": [3.0, 2.9, 2.5, 2.0, 1.5, 2.5, 9.0], "suggestion": 1e-2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LrFinder, "_find", lambda self: self.call_after_refresh(self._show, **found))
        yield


def segments(app: App) -> Iterator[list[Segment]]:
    for strip in app.screen._compositor.render_strips(app.screen.size):
        yield list(strip)


# The table of keys


def tui_classes() -> set[type]:
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(cftui.tui.__path__, "cftui.tui.")]
    return {
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__.startswith("cftui.tui.") and "BINDINGS" in vars(kind)
    }


def groups_of(kind: type) -> set[str]:
    return {binding.id.split(".")[0] for binding in kind.BINDINGS if getattr(binding, "id", None)}


def test_every_action_has_an_id_of_its_own() -> None:
    assert len(ids()) == len(set(ids())) > 100


def test_every_group_of_keys_belongs_to_a_class_that_has_a_method_for_each_with_its_arguments() -> None:
    kinds = tui_classes()
    used = set().union(*(groups_of(kind) for kind in kinds))
    assert used == set(ACTIONS)
    screens = [kind for kind in kinds if issubclass(kind, Screen)]
    for kind in kinds:
        for group in groups_of(kind):
            for key in ACTIONS[group]:
                target, name, arguments = re.fullmatch(r"(?:(\w+)\.)?(\w+)(?:\((.*)\))?", key.action).groups()
                values = ast.literal_eval(f"({arguments},)") if arguments else ()
                places = {"app": [CftuiApp], "screen": screens, None: [kind]}[target]
                methods = [getattr(place, f"action_{name}", None) for place in places]
                methods = [method for method in methods if method is not None]
                assert methods, f"{kind.__name__}: {key.action}"
                for method in methods:
                    inspect.signature(method).bind(None, *values)


def test_no_screen_or_widget_has_one_key_twice() -> None:
    for group, keys in ACTIONS.items():
        given = [name.strip() for key in keys for name in key.keys.split(",")]
        assert len(given) == len(set(given)), group


async def test_the_configuration_moves_a_key_and_footer_and_help_say_so(quick):
    quick.set_keymap({"search.why": "f6"})
    async with searching(quick, (120, 30)) as pilot:
        await pilot.press("escape")
        before = page(quick).split("\n")[-1]
        await pilot.press("w")
        assert not quick.screen.has_class("-why")
        assert not quick.screen.query_one("#why").has_focus
        assert re.search(r"f6 Why", before, re.IGNORECASE)
        assert "w Why" not in before
        await pilot.resize_terminal(*SIZE)
        await wait(pilot, lambda: quick.screen.has_class("-normal"))
        await pilot.press("f6")
        assert quick.screen.has_class("-why")
        await pilot.press("question_mark")
        await wait(pilot, lambda: isinstance(quick.screen, HelpScreen))
        keys = dict(zip(help_column(quick, 2), help_column(quick, 0), strict=True))
        assert keys["search.why"].lower() == "f6"
        assert keys["search.user"] == "u"


async def test_the_keys_of_the_configuration_file_reach_the_app(tiny_runs):
    app = CftuiApp(tiny_runs[0], Config(data=TINY, keys={"app.map": "f9", "app.jump": "ctrl+g , f7"}))
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("4")
        assert app.current_mode == "dataset"
        await pilot.press("f9")
        assert app.current_mode == "map"
        for key in ("ctrl+g", "f7"):
            await visit(pilot, key, showing="JumpScreen")
            await visit(pilot, "escape", showing="MapScreen")


def help_column(app: App, column: int) -> list[str]:
    table = app.screen.query(Static).last().visual._renderable
    return [str(cell) for cell in table.columns[column].cells]


@pytest.mark.parametrize("pane", ["found", "query"])
async def test_help_begins_with_what_the_focused_widget_knows(pane, quick):
    group = {"found": "list", "query": "field"}[pane]
    async with searching(quick) as pilot:
        quick.screen.query_one(f"#{pane}").focus()
        await pilot.pause()
        await pilot.press("escape" if pane == "found" else "ctrl+p")
        await pilot.press("escape")
        quick.screen.query_one(f"#{pane}").focus()
        await pilot.pause()
        quick.action_help()
        await wait(pilot, lambda: isinstance(quick.screen, HelpScreen))
        order = [name.split(".")[0] for name in help_column(quick, 2) if name]
        assert order[0] == group
        assert list(dict.fromkeys(order)) == [group, "search", "app"]


# Jumping


def in_sight(screen: Screen) -> set[Widget]:
    """What can have the focus and has at least its upper left corner on the screen, found the other way round."""
    return {
        widget
        for widget, (region, clip) in screen._compositor.visible_widgets.items()
        if widget.focusable and clip.contains_point(region.offset)
    }


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24)])
async def test_jump_mode_labels_every_pane_and_each_letter_goes_to_its_own(size, tiny_app):
    app = tiny_app
    async with app.run_test(size=size) as pilot:
        await wait(pilot, lambda: app.chosen and app.opened and not app.activity)
        for key, name in (("f1", "DatasetScreen"), ("f2", "TrainScreen"), ("f3", "SearchScreen"), ("f4", "MapScreen")):
            await visit(pilot, key, showing=name)
            await settled(pilot)
            base = app.screen
            wanted = in_sight(base)
            assert wanted
            await visit(pilot, "ctrl+o", showing="JumpScreen")
            labels = {str(label.render()).strip(): label.region.offset for label in app.screen.query(".jump")}
            assert len(labels) == len(app.screen.query(".jump"))
            shown = page(app).split("\n")
            for letter, (x, y) in labels.items():
                assert shown[y][x : x + 3] == f" {letter} ", name
            assert {widget.region.offset for widget in wanted} == set(labels.values()), name
            await visit(pilot, "escape", showing=name)
            for letter, offset in [*labels.items()][:: 1 if name != "TrainScreen" else 5]:
                await visit(pilot, "ctrl+o", showing="JumpScreen")
                await visit(pilot, letter, showing=name)
                assert base.focused.region.offset == offset, f"{name} {letter}"


@pytest.mark.parametrize("key", ["escape", "space", "ctrl+o", "f1", "5", "Q"])
async def test_any_other_key_leaves_jump_mode_and_does_nothing_else(key, quick):
    async with searching(quick) as pilot:
        await pilot.press("escape")
        focused = quick.focused
        await visit(pilot, "ctrl+o", showing="JumpScreen")
        await visit(pilot, key, showing="SearchScreen")
        assert quick.focused is focused
        assert quick.current_mode == "search"


async def test_a_click_in_jump_mode_goes_there_too(quick):
    async with searching(quick) as pilot:
        await visit(pilot, "escape", "ctrl+o", showing="JumpScreen")
        goal = quick.screen_stack[-2].query_one("#neighbours")
        x, y, *_ = goal.region
        await pilot.click(offset=(x + 2, y + 2))
        await wait(pilot, lambda: not isinstance(quick.screen, JumpScreen))
        assert quick.focused is goal


# Copying


def sent(app: CftuiApp) -> list[str]:
    """What is written to the terminal from now on."""
    written: list[str] = []
    app._driver.write = written.append  # type: ignore[assignment, method-assign]
    return written


def clipboard(sequence: str) -> str:
    found = re.search(r"\x1b\]52;c;([A-Za-z0-9+/=]*)(?:\a|\x1b\\)", sequence)
    assert found, f"no OSC 52 in {sequence!r}"
    return base64.b64decode(found[1]).decode()


async def test_y_sends_the_whole_marked_row_to_the_terminals_clipboard(quick):
    async with searching(quick) as pilot:
        await pilot.press("escape", "end")
        written = sent(quick)
        await pilot.press("y")
        text = clipboard("".join(written))
        assert text == rows(quick, "#found")[-1].strip()
        assert any("sent" in notice and text[:20] in notice for notice in notices(quick))


async def test_a_row_that_is_cut_on_the_screen_is_copied_uncut(quick):
    async with searching(quick) as pilot:
        pane = quick.screen.query_one("#neighbours", Neighbours)
        titles = [str(title) for title in pane.table["title"]]
        longest = max(range(pane.count), key=lambda i: len(titles[i]))
        pane.focus()
        pane.move_to(longest)
        await pilot.pause()
        written = sent(quick)
        await pilot.press("y")
        assert titles[longest] in clipboard("".join(written))


@pytest.mark.parametrize("room", ["1", "2", "4"])
async def test_every_room_has_something_to_copy(room, tiny_app):
    app = tiny_app
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen and app.opened and not app.activity)
        await pilot.press(room)
        await settled(pilot)
        if room == "2":
            await pilot.press("u")
        if room == "4":
            await pilot.press("right")
        written = sent(app)
        await pilot.press("y")
        assert clipboard("".join(written)).strip()


async def test_in_tmux_and_screen_it_is_wrapped_to_be_passed_through(quick, monkeypatch):
    async with searching(quick) as pilot:
        await pilot.press("escape")
        monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
        written = sent(quick)
        await pilot.press("y")
        inner = re.search(r"\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\", "".join(written))
        assert inner, "not wrapped for tmux"
        text = clipboard(inner[1].replace("\x1b\x1b", "\x1b"))
        assert text == rows(quick, "#found")[0].strip()
        monkeypatch.delenv("TMUX")
        monkeypatch.setenv("TERM", "screen.xterm-256color")
        written.clear()
        await pilot.press("y")
        inner = re.search(r"\x1bP(\x1b\]52;c;[^\x1b]*\a)\x1b\\", "".join(written))
        assert inner, "not wrapped for screen"
        assert clipboard(inner[1]) == text


async def test_what_is_too_long_or_not_there_is_not_sent_but_said(quick):
    async with searching(quick) as pilot:
        written = sent(quick)
        await pilot.press("escape")
        pane = quick.focused
        pane.copy_text = lambda: "é" * (CLIPBOARD_BYTES // 2 + 1)
        await pilot.press("y")
        pane.copy_text = lambda: ""
        await pilot.press("y")
        assert "\x1b]52" not in "".join(written)
        long, nothing = notices(quick)[-2:]
        assert "too long" in long
        assert "nothing to copy" in nothing


# Remembering


@pytest.fixture
def two_runs(tiny_runs, tmp_path) -> Home:
    home = Home(tmp_path / "two-runs")
    shutil.copytree(tiny_runs[0].data, home.data)
    for name in ("model1", "model4"):
        shutil.copytree(tiny_runs[1][name].path, home.models / f"{name}.run")
    return home


async def leave_as(home: Home, *, run: str) -> None:
    """An app that was left on the map, as user 7, in another theme, with that run on show."""
    app = CftuiApp(home, Config(data=TINY), remember=True)
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.chosen)
        app.open_model(run)
        await wait(pilot, lambda: app.chosen.name == run)
        app.user, app.theme = "7", "nord"
        await pilot.press("4")
        await wait(pilot, lambda: app.current_mode == "map")
        await pilot.press("q")


async def test_the_app_begins_where_it_was_left(two_runs):
    await leave_as(two_runs, run="model1.run")
    again = CftuiApp(two_runs, remember=True)
    async with again.run_test(size=SIZE) as pilot:
        assert again.current_mode == "map"
        await wait(pilot, lambda: again.chosen)
        assert again.opened.name == TINY
        assert again.chosen.name == "model1.run"
        assert (again.user, again.theme) == ("7", "nord")


async def test_what_was_searched_for_and_the_named_axes_are_there_again(two_runs):
    app = CftuiApp(two_runs, Config(data=TINY), remember=True)
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("3")
        await wait(pilot, lambda: app.screen.item is not None)
        title = app.chosen.model.titles[3]
        app.screen.query_one("#query", Input).value = title
        await wait(pilot, lambda: app.screen.item == 3)
        await pilot.press("escape", "4")
        await wait(pilot, lambda: app.current_mode == "map" and app.screen.can_show)
        poles = [app.chosen.model.titles[code] for code in (1, 2, 4, 5)]
        await pilot.press("a")
        for name in poles:
            await wait(pilot, lambda: isinstance(app.screen, TitlePicker))
            await pilot.press(*name)
            await pilot.press("enter")
        await wait(pilot, lambda: app.current_mode == "map" and app.screen.part == "named")
        assert app.use.axes
        await pilot.press("q")
    again = CftuiApp(two_runs, remember=True)
    async with again.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: again.current_mode == "map" and again.screen.can_show)
        await wait(pilot, lambda: again.screen.part == "named")
        # Named axes go with the data set, until one goes back to the components.
        again.open_model("model1.run")
        await wait(pilot, lambda: again.chosen.name == "model1.run" and again.screen.part == "named")
        await pilot.press("p")
        await wait(pilot, lambda: again.screen.part == "M")
        assert not again.use.axes
        await pilot.press("3")
        await wait(pilot, lambda: again.screen.item == 3)
        assert again.screen.query_one("#query", Input).value == title


@pytest.mark.slow
async def test_what_was_trained_since_is_shown_instead(two_runs, tiny_runs):
    await leave_as(two_runs, run="model1.run")
    shutil.copytree(tiny_runs[1]["model5"].path, two_runs.models / "model5.run")
    again = CftuiApp(two_runs, remember=True)
    async with again.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: again.chosen)
        assert again.chosen.name == "model5.run"
        assert again.user == "7"


async def test_a_run_that_was_removed_since_is_not_missed(two_runs):
    await leave_as(two_runs, run="model1.run")
    shutil.rmtree(two_runs.models / "model1.run")
    again = CftuiApp(two_runs, remember=True)
    async with again.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: again.chosen)
        assert again.chosen.name == "model4.run"


@pytest.mark.slow
async def test_a_run_kept_on_show_is_still_remembered_when_left_before_it_was_read(two_runs):
    await leave_as(two_runs, run="model1.run")
    hasty = CftuiApp(two_runs, remember=True)
    hasty.open_data = lambda *_: None  # type: ignore[method-assign]
    async with hasty.run_test(size=SIZE) as pilot:
        await pilot.press("q")
    again = CftuiApp(two_runs, remember=True)
    async with again.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: again.chosen)
        assert again.chosen.name == "model1.run"


async def test_the_configured_theme_goes_before_the_one_last_chosen(two_runs):
    await leave_as(two_runs, run="model1.run")
    assert CftuiApp(two_runs, remember=True).theme == "nord"
    assert CftuiApp(two_runs, Config(theme="gruvbox"), remember=True).theme == "gruvbox"


async def test_a_damaged_state_is_told_and_the_app_opens(two_runs):
    settings.state_file().parent.mkdir(parents=True)
    settings.state_file().write_text("{")
    app = CftuiApp(two_runs, Config(data=TINY), remember=True)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        assert any(settings.state_file().name in notice for notice in notices(app))


async def test_a_theme_there_is_not_is_told_and_the_app_opens(two_runs):
    app = CftuiApp(two_runs, Config(theme="[/nrod]", data=TINY))
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        assert any("no theme '[/nrod]'" in notice and "nord" in notice for notice in notices(app))


async def test_the_configured_recipe_is_what_is_trained_where_there_is_no_model(tiny_home, monkeypatch):
    app = CftuiApp(tiny_home, Config(data=TINY, recipe="collab"))
    started = []
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.opened and not app.activity)
        monkeypatch.setattr(
            "cftui.tui.session.jobs.start_detached",
            lambda home, name, words: started.append(words) or (_ for _ in ()).throw(OSError("not today")),
        )
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("escape", "t")
        await wait(pilot, lambda: started)
    assert started[0][:2] == ("train", "collab")


# Failing


async def test_what_fails_in_the_background_becomes_a_notice_that_names_the_log(tiny_app, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("[/bold] by nothing")

    monkeypatch.setattr(accuracy, "results", fail)
    app = tiny_app
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen and app.opened and not app.activity)
        await pilot.press("2", "v")
        await wait(pilot, lambda: notices(app))
        said = notices(app)[-1]
        assert "ZeroDivisionError: [/bold] by nothing" in said
        assert str(settings.log_file()) in said
        logged = settings.log_file().read_text()
        assert "Traceback (most recent call last)" in logged
        assert "in fail" in logged
        await pilot.press("4")
        await wait(pilot, lambda: app.current_mode == "map")
        assert not app.activity
        assert isinstance(app._exception, WorkerFailed)
        app._exception = None
    assert not app.return_code


async def test_a_data_set_that_cannot_be_read_for_an_unforeseen_reason_does_not_leave_the_app_reading(
    tiny_app, monkeypatch
):
    def fail(*_: object) -> None:
        raise KeyError("title")

    monkeypatch.setattr("cftui.data.store.catalog.DataSet.tables", property(fail))
    app = tiny_app
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: notices(app))
        assert "KeyError" in notices(app)[-1]
        assert not app.activity.startswith("opening")
        assert isinstance(app._exception, WorkerFailed)
        app._exception = None


async def test_what_fails_at_a_key_ends_the_app_in_one_line_and_the_log_has_the_rest(quick, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("[/] at a\nkey")

    monkeypatch.setattr("cftui.tui.search.screen.SearchScreen.action_similarity", fail)
    lines: list[str] = []
    monkeypatch.setattr(quick, "_print_error_renderables", lambda: None)

    async def press_it() -> None:
        async with searching(quick) as pilot:
            await pilot.press("escape", "s")
            await wait(pilot, lambda: quick._exception)

    with pytest.raises(RuntimeError, match="at a"):
        await press_it()
    for renderable in quick._exit_renderables:
        lines += "".join(segment.text for segment in renderable.segments).splitlines()
    said = " ".join(line.strip() for line in lines)
    assert said.startswith("cftui: internal error: RuntimeError: [/] at a key; details in ")
    assert said.replace(" ", "").endswith(str(settings.log_file()).replace(" ", ""))
    assert "Traceback" not in said
    assert quick.return_code == 1
    logged = settings.log_file().read_text()
    assert "Traceback (most recent call last)" in logged
    assert "in fail" in logged


@pytest.mark.parametrize(
    ("way", "dialog", "keys"),
    [
        (["ctrl+o"], "JumpScreen", "as"),
        (["ctrl+o"], "JumpScreen", ["a", "escape", "escape"]),
        (["x"], "Prompt", ["enter", "enter"]),
        (["u"], "UserPicker", ["enter", "enter"]),
        (["b"], "BiasScreen", ["enter", "enter"]),
        (["m", "slash"], "TitlePicker", ["enter", "enter"]),
        (["ctrl+p"], "Palette", ["escape", "enter", "enter"]),
    ],
)
async def test_keys_that_come_at_once_close_a_dialog_only_once(way, dialog, keys, quick, tmp_path, monkeypatch):
    """Over a slow line a key held down, or two typed fast, come in one packet."""
    monkeypatch.chdir(tmp_path)
    async with searching(quick) as pilot:
        await visit(pilot, "escape", *way, showing=dialog)
        below = quick.screen_stack[-2]
        for key in keys:
            quick.simulate_key(key)
        await settled(pilot)
        assert quick._exception is None
        assert quick.screen is below


# Quitting


async def test_nothing_is_asked_where_nothing_would_be_lost(quick):
    async with searching(quick) as pilot:
        await visit(pilot, "escape", "m", showing="MeScreen")
        await visit(pilot, "0", "0", showing="MeScreen")
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert quick._exit


@pytest.mark.parametrize("away", [(), ("slash",), ("w",), ("f1",)], ids=["me", "picker", "prompt", "another room"])
async def test_quitting_with_unsaved_ratings_asks_and_can_be_taken_back(away, quick):
    async with searching(quick) as pilot:
        await visit(pilot, "escape", "m", showing="MeScreen")
        await pilot.press("5", "3", *away)
        await pilot.pause()
        before = quick.screen
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert not quick._exit, "gone, and the ratings with it"
        assert isinstance(quick.screen, Confirm)
        assert "2 unsaved ratings" in page(quick)
        await pilot.press("n")
        await pilot.pause()
        assert quick.screen is before
        assert not quick._exit
        await pilot.press("ctrl+q", "y")
        await pilot.pause()
        assert quick._exit


async def test_q_where_one_becomes_a_user_leaves_and_asks_first(quick):
    async with searching(quick) as pilot:
        await visit(pilot, "escape", "m", showing="MeScreen")
        await visit(pilot, "5", "q", showing="Confirm")
        await visit(pilot, "n", showing="MeScreen")
        await visit(pilot, "backspace", "q", showing="SearchScreen")
        assert not quick._exit


# Plain terminals


async def test_series_are_told_apart_without_colour(tiny_runs, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = CftuiApp(tiny_runs[0], Config(data=TINY))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait(pilot, lambda: app.chosen and app.opened and not app.activity)
        await visit(pilot, "2", "u", showing="TrainScreen")
        runs = app.screen.query_one(RunTable)
        await wait(pilot, lambda: runs.current)
        await pilot.press("down")
        assert runs.current != app.followed.name
        await pilot.press("o")
        chart = app.screen.query_one(LossChart)
        await wait(pilot, lambda: chart.others)
        assert len(chart.others) == 1
        drawn = str(chart.render())
        legend = title(app, "#chart")
        for mark, name in (("o", "valid"), ("@", "best"), (chart.others[0].mark, chart.others[0].name)):
            assert f"{mark} {name}" in legend
            assert mark in drawn
        assert any(0x2801 <= ord(c) < 0x2900 for c in drawn), "no training curve"


async def test_what_a_colour_of_the_map_means_is_said_in_words(quick, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with mapping(quick, (120, 40)) as pilot:
        await pilot.press("right")
        said_of: set[str] = set()
        for _ in range(3):
            await pilot.press("c")
            await pilot.pause()
            screen = quick.screen
            if screen.colouring != "quadrant":
                group = screen._legend[int(screen._group[screen.query_one(PointMap).cursor])]
                assert group in said(quick, "#where"), screen.colouring
                said_of.add(screen.colouring)
        assert said_of


# Titles that mean harm

ODD = [
    "[REC] (2007)",
    "[/]",
    "[bold]not bold[/bold]",
    "[link=http://example.org]a link",
    "七人の侍 (1954)",
    "Amelie\u0301 comp\u0302ose\u0301e",
    "שלום עולם (1998)",
    "\u202eesrever (1999)",
    "zero\u200bwidth\u2060 joiner",
    "🎬 family",
    "very " + "long " * 99,
    "",
    "\x1b[31mred\x1b[0m dawn",
    "\x1b]0;owned\a title",
    "\x9b2J cleared",
    "bell\a back\b spaced",
    "tab\tline\nend",
]


def read_hostile(folder: Path) -> Tables:
    tables = read_tiny(folder)
    titles = [*ODD, *tables.items["title"][len(ODD) :]]
    return dataclasses.replace(tables, name="hostile", label="Hostile", items=tables.items.assign(title=titles))


@pytest.fixture(scope="module")
def hostile_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A data set of titles that look like markup, are wide, combine, turn around or are orders to a terminal."""
    home = Home(tmp_path_factory.mktemp("hostile"))
    write_tiny(home.data / "hostile")
    KNOWN["hostile"] = dataclasses.replace(
        KNOWN["ml-100k"], name="hostile", label="Hostile", fingerprint="", read=read_hostile
    )
    cpu = torch.device("cpu")
    for name in ("a.run", "b.run"):
        train(
            home,
            recipe("model4"),
            recipe("model4").options(epochs=2, bs=16, factors=8),
            data="hostile",
            device=cpu,
            name=name,
        )
    yield home
    del KNOWN["hostile"]


Walk = dict[str, list[list[Segment]]]


def walk(home: Home, size: tuple[int, int], **config: Any) -> Walk:
    """Every screen as it was sent to the terminal: name, lines, segments."""

    async def go() -> Walk:
        app = CftuiApp(home, Config(data="hostile", **config))
        async with app.run_test(size=size, notifications=True) as pilot:
            return {where: list(segments(app)) async for where in every_screen(pilot)}

    return asyncio.run(go())


@pytest.fixture(scope="module")
def plain_walk(hostile_home, quick_finder) -> Walk:
    """On a terminal with neither colours nor box characters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_COLOR", "1")
        return walk(hostile_home, SIZE, ascii=True)


@pytest.fixture(scope="module")
def large_walk(hostile_home, quick_finder) -> Walk:
    """On a terminal that can do everything."""
    return walk(hostile_home, (200, 60))


def lines_of(seen: Walk) -> Iterator[tuple[str, str]]:
    for where, lines in seen.items():
        for line in lines:
            yield where, "".join(text for text, _, control in line if not control)


def cells(line: str) -> int:
    """How wide a terminal makes it: by Unicode's tables, not by Rich's, which the app itself uses."""
    zero = {"Mn", "Me", "Cf", "Cc"}
    return sum(
        0 if unicodedata.category(c) in zero else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line
    )


def is_drawn(c: str) -> bool:
    """Whether it is one of the characters that not every font has: neither ASCII nor of a title."""
    return not c.isascii() and c not in "".join(ODD)


@pytest.mark.slow
def test_with_ascii_nothing_but_titles_leaves_ascii_on_any_screen(plain_walk):
    found: dict[str, set[str]] = {}
    for where, line in lines_of(plain_walk):
        if odd := set(filter(is_drawn, line)):
            found.setdefault(where, set()).update(odd)
    assert not found


def coloured(seen: Walk) -> dict[str, set[str]]:
    """By screen, the colours on it that are not grey."""
    found: dict[str, set[str]] = {}
    for where, lines in seen.items():
        styles = {style for line in lines for _, style, _ in line if style}
        for colour in {colour for style in styles for colour in (style.color, style.bgcolor)}:
            if colour is not None and not colour.is_default and len(set(colour.get_truecolor())) > 1:
                found.setdefault(where, set()).add(colour.name)
    return found


def test_with_no_color_no_screen_has_a_colour(plain_walk):
    assert not coloured(plain_walk)


@pytest.mark.slow
def test_a_terminal_that_can_do_everything_is_sent_colours_and_box_characters(plain_walk, large_walk):
    """Else the two tests above would find nothing to leave out."""
    screens = plain_walk.keys() - {"search ctrl+o"}
    assert {where for where, line in lines_of(large_walk) if any(map(is_drawn, line))} >= screens
    assert coloured(large_walk).keys() >= screens


WALKS = ["plain_walk", pytest.param("large_walk", marks=pytest.mark.slow)]


@pytest.mark.parametrize("seen", WALKS)
def test_whatever_the_titles_every_row_is_as_wide_as_the_terminal(seen, request):
    width = {"plain_walk": SIZE[0], "large_walk": 200}[seen]
    lines = list(lines_of(request.getfixturevalue(seen)))
    wrong = [f"{where}: {cells(line)} wide: {line!r}" for where, line in lines if cells(line) != width]
    assert not wrong, "\n".join(wrong[:30])


@pytest.mark.parametrize("seen", WALKS)
def test_no_title_gives_an_order_to_the_terminal(seen, request):
    turning = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    for where, line in lines_of(request.getfixturevalue(seen)):
        assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in turning for c in line), f"{where}: {line!r}"


@pytest.mark.slow
def test_no_title_is_read_as_markup(large_walk):
    text = "\n".join(line for _, line in lines_of(large_walk))
    for words in ("[REC] (2007)", "[/]", "[bold]not bold[/bold]", "[link=http://example.org]a link", "七人の侍"):
        assert words in text
    for where, lines in large_walk.items():
        assert not any(style and style.link for line in lines for _, style, _ in line), where


@pytest.mark.slow
async def test_a_hostile_title_can_be_shown_named_copied_and_told(hostile_home):
    app = CftuiApp(hostile_home, Config(data="hostile"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen and not app.activity)
        await visit(pilot, "3", showing="SearchScreen")
        await wait(pilot, lambda: rows(app, "#found"))
        await visit(pilot, "escape", showing="SearchScreen")
        written = sent(app)
        for odd in filter(None, ODD):
            app.screen._show(app.chosen.model.titles.index(odd))
            await pilot.pause()
            heading = title(app, "#neighbours")
            assert heading.startswith("like ")
            assert heading.isprintable()
            words = re.findall(r"\w+", odd)[:3]
            assert all(word in heading for word in words)
            app.clear_notifications()
            app.notify(f"about {odd[:40]}")
            await wait(pilot, lambda: "about" in page(app) and len(app.screen.query(Toast)) == 1)
            assert {cells(line) for line in page(app).split("\n")} == {120}, odd
            app.screen.query_one("#neighbours", RowList).focus()
            app.action_copy()
            assert clipboard(written[-1]).isprintable()

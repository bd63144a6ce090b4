"""A style sheet applies to the screens that name it, and to nothing beneath or beside them.

Textual adds a screen's sheet to those of the whole app when the screen is first opened. A rule that is not written
inside its screen's block would from then on apply to every other screen, too.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from pathlib import Path

import pytest
from textual.app import App
from textual.css.model import SelectorType
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot
from textual.screen import Screen

import cftui.tui
from cftui.tui.shell.screens import SCREENS

from .looking import wait
from .walking import STOPS, begin, visit
from .walking import furnished as furnished


def screens_by_sheet() -> dict[Path, set[str]]:
    """The names of the screens that name each sheet."""
    for module in pkgutil.walk_packages(cftui.tui.__path__, "cftui.tui."):
        importlib.import_module(module.name)
    found: dict[Path, set[str]] = {}
    left: list[type] = [Screen]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if kind.__module__.startswith("cftui.tui.") and "CSS_PATH" in vars(kind):
            folder = Path(importlib.import_module(kind.__module__).__file__).parent
            found.setdefault(folder / kind.CSS_PATH, set()).add(kind.__name__)
    return found


# The other places on the way are over another screen.
NOT_DIALOGS = {"dataset", "train", "search", "why", "map", "map-near"}
BY_SHEET = screens_by_sheet()


def test_every_sheet_but_the_apps_belongs_to_a_screen() -> None:
    folder = Path(cftui.tui.__file__).parent
    assert {*folder.rglob("*.tcss")} - {*BY_SHEET} == {folder / "app.tcss"}


@pytest.mark.parametrize("sheet", sorted(BY_SHEET), ids=lambda sheet: f"{sheet.parent.name}/{sheet.name}")
def test_every_rule_is_inside_the_block_of_a_screen_that_names_the_sheet(sheet: Path) -> None:
    stylesheet = Stylesheet(variables=App().get_css_variables())
    stylesheet.read(sheet)
    assert stylesheet.rules
    for rules in stylesheet.rules:
        for selectors in rules.selector_set:
            first = selectors.selectors[0]
            assert first.type is SelectorType.TYPE, rules.selectors
            assert first.name in BY_SHEET[sheet], rules.selectors


def styles(app: App) -> dict[str, str]:
    """What the sheets that are loaded by now say of every widget of the four screens."""
    found = {}
    for entry in SCREENS:
        screen = app._screen_stacks[entry.mode][0]
        for widget in (screen, *screen.walk_children()):
            app.stylesheet.apply(widget)
            found[f"{entry.mode}: {widget} {id(widget)}"] = widget.styles.base.css
    return found


@pytest.mark.slow
async def test_no_dialog_changes_the_look_of_a_screen(furnished) -> None:
    app = furnished()
    sheets_at_first, restyled = 0, {}
    with contextlib.chdir(app.home.root / "own"):
        async with app.run_test(size=(120, 40)) as pilot:
            for entry in SCREENS:
                await pilot.press(f"f{entry.key}")
                await wait(pilot, lambda entry=entry: app.current_mode == entry.mode)
            for stop in STOPS:
                if stop.kind or stop.name in NOT_DIALOGS or stop.name.startswith("dataset-"):
                    continue
                await begin(pilot, stop)
                before = styles(app)
                sheets_at_first = sheets_at_first or len(app.stylesheet.source)
                assert await visit(pilot, stop, is_over_another), stop.name
                after = styles(app)
                for name in before.keys() & after.keys():
                    if before[name] != after[name]:
                        restyled[f"{stop.name} {name}"] = set(before[name].split("\n")) ^ set(after[name].split("\n"))
            assert len(app.stylesheet.source) > sheets_at_first + 9
    assert restyled == {}


async def is_over_another(pilot: Pilot) -> bool:
    return len(pilot.app.screen_stack) > 1

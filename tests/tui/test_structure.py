"""How the app is put together: one table of screens, and each of its rows opens."""

from __future__ import annotations

from pkgutil import resolve_name

import pytest

from cftui.tui.main import CftuiApp
from cftui.tui.shell.keys import ids
from cftui.tui.shell.room import Room
from cftui.tui.shell.screens import SCREENS, ScreenEntry


@pytest.mark.parametrize("entry", SCREENS, ids=lambda entry: entry.mode)
def test_a_row_of_the_table_of_screens_gives_a_mode_and_a_key_to_a_screen_of_that_name(entry: ScreenEntry) -> None:
    screen = resolve_name(entry.factory)
    assert issubclass(screen, Room)
    assert entry.mode == screen.ROOM
    assert screen.__module__ == f"cftui.tui.{entry.mode}.screen"
    assert entry.mode in CftuiApp.MODES
    assert f"app.{entry.mode}" in ids()

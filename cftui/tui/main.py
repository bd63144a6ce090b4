"""The composition root: the app with its screens. Nothing in the package imports this, except what starts the app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pkgutil import resolve_name
from typing import ClassVar

from textual.screen import Screen

from cftui.home import Home
from cftui.settings import Config
from cftui.tui.app import AppShell
from cftui.tui.shell.keys import ids, is_key
from cftui.tui.shell.screens import SCREENS
from cftui.tui.terminal.lifeline import Lifeline


def _open(factory: str) -> Screen:
    """Import a screen and make it."""
    screen: Screen = resolve_name(factory)()
    return screen


class CftuiApp(AppShell):
    """The app: a shell around the screens of the table."""

    MODES: ClassVar[dict[str, str | Callable[[], Screen]]] = {
        entry.mode: partial(_open, entry.factory) for entry in SCREENS
    }


def run(home: Home, *, ascii_only: bool = False, lifeline: Lifeline | None = None) -> int:
    """Open the app; return its exit status.

    Args:
        lifeline: shared with the parent process, which restores the terminal.

    Raises:
        CftuiError: The configuration file is wrong.
    """
    config = Config.read(actions=ids(), is_key=is_key)
    if ascii_only:
        config = replace(config, ascii=True)
    app = CftuiApp(home, config, remember=True)
    app.lifeline = lifeline
    app.run()
    return app.return_code or 0

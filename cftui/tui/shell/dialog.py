"""What the screens that are left with an answer have in common."""

from __future__ import annotations

from typing import Any

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen, ScreenResultType

from cftui.tui.shell.textual_private import SteadyPalette


class ClosesOnce:
    """For a screen that is left once, however many keys arrive in one packet.

    A second enter is in the queue already when the first one closes the screen: it must not close the one beneath. No
    screen itself, since Textual takes styles from the first base that is one.
    """

    def dismiss(self: Any, result: Any = None) -> AwaitComplete:
        if self.app.screen is not self:
            return AwaitComplete.nothing()
        return Screen.dismiss(self, result)


class Dialog(ClosesOnce, ModalScreen[ScreenResultType]):
    """A dialog over a screen."""


class Palette(ClosesOnce, SteadyPalette):
    """Textual's, closed once."""

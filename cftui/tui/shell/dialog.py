"""What the screens that are left with an answer have in common."""

from __future__ import annotations

from typing import Any

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.screen import ModalScreen, Screen, ScreenResultType


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


class Palette(ClosesOnce, CommandPalette):
    """Textual's, closed once; and a page key that comes before its list has been laid out is no error."""

    def _action_command_list(self, action: str) -> None:
        try:
            super()._action_command_list(action)
        except KeyError:
            self.log(f"{action} before there was a page")

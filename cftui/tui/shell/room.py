"""What the four screens have in common."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.screen import Screen

from cftui.tui.session.app import SessionApp, session_of
from cftui.tui.shell.key_bar import KeyBar
from cftui.tui.shell.top import RoomTabs, TopLine


class Room(Screen[None]):
    """A screen with the two top lines and the footer; ``body`` is what comes between.

    Attributes:
        ROOM: the name of its mode.
        ABOUT: what the help says it is for.
    """

    ROOM = ""
    ABOUT = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (110, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-tall")]

    @property
    def cftui(self) -> SessionApp:
        return session_of(self)

    def compose(self) -> ComposeResult:
        yield TopLine()
        yield RoomTabs(self.ROOM)
        yield from self.body()
        yield KeyBar()

    def body(self) -> ComposeResult:
        """The widgets of this screen."""
        yield from ()

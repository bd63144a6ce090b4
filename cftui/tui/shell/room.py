"""What the four screens have in common."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.screen import Screen

from cftui.tui.session.app import SessionApp, session_of
from cftui.tui.session.places import Place
from cftui.tui.shell.key_bar import KeyBar
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.top import RoomTabs, TopLine


class Room(Screen[None]):
    """A screen with the two top lines and the footer; ``body`` is what comes between.

    Attributes:
        ROOM: the name of its mode.
        ABOUT: what the help says it is for.
        PAIRED: whether it shows what two runs say together.
    """

    ROOM = ""
    ABOUT = ""
    PAIRED = False
    BINDINGS = bindings("room")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (110, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-tall")]

    @property
    def cftui(self) -> SessionApp:
        return session_of(self)

    @property
    def place(self) -> Place:
        """Where ``go_back`` returns to when something is shown elsewhere."""
        return Place(self.ROOM)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The way back is offered where there is one."""
        return action != "back" or self.cftui.can_go_back or self.maximized is not None

    async def action_back(self) -> None:
        """Textual uses escape for a maximized widget, too."""
        if self.maximized is not None:
            self.minimize()
        else:
            await self.cftui.go_back()

    def compose(self) -> ComposeResult:
        yield TopLine(paired=self.PAIRED)
        yield RoomTabs(self.ROOM)
        yield from self.body()
        yield KeyBar()

    def body(self) -> ComposeResult:
        """The widgets of this screen."""
        yield from ()

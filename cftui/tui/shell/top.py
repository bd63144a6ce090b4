"""The two lines at the top of every screen: what is being worked on, and where one is."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.widget import Widget

from cftui.tui.session.app import session_of
from cftui.tui.shell.screens import SCREENS

# What the program is for, where the first screen has room to say so.
ABOUT = "who would like what, learned from ratings"


class TopLine(Widget):
    """Name and data set to the left; run, user and activity to the right."""

    def __init__(self, *, paired: bool = False) -> None:
        """Args: paired: name both runs of a pair, where what both say is on show."""
        super().__init__()
        self._paired = paired

    def on_mount(self) -> None:
        for name in ("opened", "chosen", "user", "activity"):
            self.watch(self.app, name, self._changed, init=False)

    def _changed(self) -> None:
        self.refresh()

    def render(self) -> RenderResult:
        app = session_of(self)
        opened, chosen = app.opened, app.chosen
        left = Text(" cftui", style="bold")
        if opened:
            left.append(f"  {opened.name}", style="not bold")
        facts = []
        if chosen:
            facts += [chosen.both_names if self._paired else chosen.name, f"user {app.user}", chosen.device]
        right = Text("  ".join(facts))
        right.append(f"  {app.activity or 'idle'} ", style="" if app.activity else "dim")
        room = self.size.width - cell_len(left.plain) - 2
        right.truncate(max(room, 0), overflow="ellipsis")
        return left + Text(" " * max(self.size.width - cell_len(left.plain) - cell_len(right.plain), 1)) + right


class RoomTabs(Widget):
    """The screens, by key; a click goes there too."""

    def __init__(self, here: str) -> None:
        super().__init__()
        self._here = here

    def render(self) -> RenderResult:
        text = Text(" ")
        for entry in SCREENS:
            # Reverse video marks the current screen on terminals without colours.
            style = "bold reverse" if entry.mode == self._here else ""
            text.append(f" {entry.key} {entry.title} ", style=style)
            text.append(" ")
        room = self.size.width - text.cell_len - 1
        if self._here == SCREENS[0].mode and room >= len(ABOUT):
            text.append(f"{ABOUT:>{room}}", style="dim")
        return text

    async def on_click(self, event: events.Click) -> None:
        start = 1
        for entry in SCREENS:
            width = cell_len(f" {entry.key} {entry.title} ")
            if start <= event.x < start + width:
                await self.app.action_switch_mode(entry.mode)
            start += width + 1

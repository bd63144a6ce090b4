"""The two lines at the top of every screen: what is being worked on, and where one is."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.widget import Widget

ROOMS = (("dataset", "Dataset"), ("train", "Train"), ("search", "Search"), ("map", "Map"))


class TopLine(Widget):
    """Name and data set to the left; run, user and activity to the right."""

    def on_mount(self) -> None:
        for name in ("opened", "chosen", "user", "activity"):
            self.watch(self.app, name, self._changed, init=False)

    def _changed(self) -> None:
        self.refresh()

    def render(self) -> RenderResult:
        app = self.app
        opened, chosen = getattr(app, "opened", None), getattr(app, "chosen", None)
        left = Text(" cftui", style="bold")
        if opened:
            left.append(f"  {opened.name}", style="not bold")
        facts = []
        if chosen:
            facts += [chosen.name, f"user {getattr(app, 'user', '')}", chosen.device]
        activity = getattr(app, "activity", "")
        right = Text("  ".join(facts))
        right.append(f"  {activity or 'idle'} ", style="" if activity else "dim")
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
        for key, (room, label) in enumerate(ROOMS, 1):
            # Reverse is what marks the place where there are no colours.
            style = "bold reverse" if room == self._here else ""
            text.append(f" {key} {label} ", style=style)
            text.append(" ")
        return text

    async def on_click(self, event: events.Click) -> None:
        start = 1
        for room, label in ROOMS:
            width = len(label) + 4
            if start <= event.x < start + width:
                await self.app.switch_mode(room)
            start += width + 1

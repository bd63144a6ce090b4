"""Jump mode: every pane wears a letter, and its letter goes there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from cftui.tui.shell.dialog import Dialog

# The home row first.
LETTERS = "asdfghjkl" + "qwertyuiopzxcvbnm"


def targets(screen: Screen[Any]) -> dict[str, Widget]:
    """What can have the focus and is in sight, by letter, from the top left."""
    seen = [
        widget
        for widget in screen.focus_chain
        if widget.region.area and screen.region.contains_region(widget.region.crop_size(screen.size))
    ]
    seen.sort(key=lambda widget: (widget.region.y, widget.region.x))
    return dict(zip(LETTERS, seen, strict=False))


class JumpScreen(Dialog[Widget | None]):
    """Dismissed with the widget whose letter was pressed; any other key leaves."""

    CSS_PATH = "jump.tcss"
    # The letters are on the panes.
    has_key_bar = False

    def __init__(self, found: Mapping[str, Widget]) -> None:
        super().__init__()
        self._found = found

    def compose(self) -> ComposeResult:
        for letter, widget in self._found.items():
            label = Static(Text(f" {letter} ", style="bold reverse"), classes="jump")
            label.styles.offset = (widget.region.x, widget.region.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self.dismiss(self._found.get(event.character or ""))

    def on_click(self, event: events.Click) -> None:
        self.dismiss(next((w for w in self._found.values() if w.region.contains(event.screen_x, event.screen_y)), None))

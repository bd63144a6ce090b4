"""What can be pressed here."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static

from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.paper import Paper
from cftui.tui.shell.screens import SCREENS
from cftui.tui.shell.textual_private import mapped_bindings

# Keys that work on every screen. The palette's key is Textual's own.
EVERYWHERE = (
    (
        " ".join(entry.key for entry in SCREENS),
        f"{', '.join(entry.title for entry in SCREENS)} (F{SCREENS[0].key} to F{SCREENS[-1].key} from a text field)",
    ),
    ("^p", "Palette: any action by name"),
)


class HelpScreen(Dialog[None]):
    """Keys of the focused widget, then of its screen, then those that work everywhere."""

    BINDINGS = bindings("help")
    CSS_PATH = "help.tcss"

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self._about = about
        # What this program binds has an id; Textual's own widgets bring bindings along that have none.
        own = [active for active in about.active_bindings.values() if active.binding.id]
        self._parts = [
            [active.binding for active in own if active.node not in (about, about.app)],
            # Also those that the field with the focus takes for letters at the moment.
            [
                binding
                for binding in mapped_bindings(about)
                if binding.id
                and (binding.id == "search.search" or about.check_action(binding.action.split("(")[0], ()))
            ],
            [active.binding for active in own if active.node is about.app],
        ]

    def compose(self) -> ComposeResult:
        keys = Table.grid(padding=(0, 2))
        for part in self._parts:
            by_action: dict[str, list[Binding]] = {}
            for binding in part:
                by_action.setdefault(binding.action, []).append(binding)
            everywhere = part is self._parts[-1]
            for action, same in by_action.items():
                if not (everywhere and action.startswith("switch_mode")):
                    names = dict.fromkeys(self.app.get_key_display(binding) for binding in same)
                    said = same[0].tooltip or same[0].description
                    keys.add_row(Text(" ".join(names), style="bold"), said, Text(str(same[0].id), style="dim"))
            if part:
                keys.add_row("", "", "")
        for key, what in EVERYWHERE:
            keys.add_row(Text(key, style="bold"), what, "")
        with Paper(id="help"):
            yield Static(Text(getattr(self._about, "ABOUT", "") + "\n"))
            yield Static(keys)

    def on_mount(self) -> None:
        box = self.query_one("#help")
        box.border_title = f"help: {getattr(self._about, 'ROOM', '')}"
        box.border_subtitle = "j k scroll   escape closes"
        box.focus()

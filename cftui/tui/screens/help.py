"""``?``: what this screen is for and which keys work now."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

EVERYWHERE = (
    ("1 2 3 4", "go to Dataset, Train, Search, Map"),
    ("F1 .. F4", "the same, from inside a text field"),
    ("tab", "next pane (shift+tab: previous)"),
    ("escape", "leave a text field"),
    ("ctrl+p", "command palette: every action by name, themes"),
    ("q", "quit (training goes on without the app)"),
)


def _own_actions(node: DOMNode) -> set[str]:
    """What this program binds on a node, without what Textual's widgets bring along."""
    ours = [cls for cls in type(node).__mro__ if cls.__module__.startswith("cftui.")]
    bindings = [binding for cls in ours for binding in cls.__dict__.get("BINDINGS", [])]
    return {binding.action for binding in bindings if isinstance(binding, Binding)}


class HelpScreen(ModalScreen[None]):
    """Keys of the focused widget and its screen, then those that work everywhere."""

    BINDINGS = [Binding("escape,question_mark,q,enter", "dismiss", "Close")]
    CSS_PATH = "help.tcss"

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self._about = about
        self._bindings_there = [
            active.binding
            for active in about.active_bindings.values()
            if active.binding.action in _own_actions(active.node)
        ]

    def compose(self) -> ComposeResult:
        keys = Table.grid(padding=(0, 2))
        everywhere = {"switch_mode", "help", "quit", "command_palette"}
        by_action: dict[str, list[Binding]] = {}
        for binding in self._bindings_there:
            if binding.action.split("(")[0] not in everywhere:
                by_action.setdefault(binding.action, []).append(binding)
        for same in by_action.values():
            names = dict.fromkeys(binding.key_display or self.app.get_key_display(binding) for binding in same)
            keys.add_row(Text(" ".join(names), style="bold"), same[0].description)
        keys.add_row("", "")
        for key, what in EVERYWHERE:
            keys.add_row(Text(key, style="bold"), what)
        with VerticalScroll(id="help"):
            yield Static(Text(getattr(self._about, "ABOUT", "") + "\n"))
            yield Static(keys)

    def on_mount(self) -> None:
        box = self.query_one("#help")
        box.border_title = f"help: {getattr(self._about, 'ROOM', '')}"
        box.border_subtitle = "escape closes"
        box.focus()

"""The bottom line: the keys that do something here, and what they do. Each can be clicked."""

from __future__ import annotations

from typing import NamedTuple

from textual.content import Content
from textual.events import Click
from textual.screen import ActiveBinding, Screen
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Input

from cftui.tui.shell.keys import MOVES

# What a text field leaves of the keys: the same four in every field, whoever made it.
FIELD_KEYS = ("enter", "escape", "tab", "ctrl+o")
# Shorter words for what Textual binds, which has no id, and for the jump.
FIELD_WORDS = {(None, "submit"): "OK", (None, "app.focus_next"): "Next", ("app.jump", "jump"): "Jump"}
# A dialog leaves out what only moves, and Textual's own keys, which have no name.
NOT_SAID = MOVES | {""}
# The ways out: kept when there is no room for everything.
KEPT = {"help", "quit", "leave", "close", "cancel", "jump"}


class Entry(NamedTuple):
    """A key of the bar: its name for Textual, its name on screen, what it does, and the name of its action."""

    key: str
    shown: str
    text: str
    name: str


class KeyBar(Widget):
    """One line of text in the place of Textual's ``Footer``.

    That one is made anew, a widget for every key, whenever the focus moves: work at each key press, and Textual 8.2.8
    keeps every such widget for as long as its footer lives. The keys of the pane with the focus come first. Keys for
    which there is no room are left out whole, those furthest to the right first, but not the help, which has them all,
    nor the ways out. The bar is never empty: in a text field, which takes all letters, it says enter, escape, tab and
    jump.
    """

    COMPONENT_CLASSES = {"key-bar--key"}
    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $footer-description-foreground; }
    KeyBar > .key-bar--key { color: $text-primary; text-style: bold; background: $panel; }
    """

    _shown: tuple[Entry, ...] = ()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        # Not before the screen has its widgets: which keys it has may depend on them.
        self.call_after_refresh(self._look)

    def _look(self) -> None:
        self._changed(self.screen)

    def _changed(self, screen: Screen) -> None:
        if not self.app.app_focus or screen is not self.screen:
            return
        if (now := tuple(self._entries(screen))) != self._shown:
            self._shown = now
            self.refresh()

    def _entries(self, screen: Screen) -> list[Entry]:
        active = screen.active_bindings
        entries: dict[str, Entry] = {}
        if isinstance(screen.focused, Input):
            for key in FIELD_KEYS:
                if key in active:
                    binding = active[key].binding
                    text = FIELD_WORDS.get((binding.id, binding.action), _short(binding.description))
                    entries[binding.action] = self._entry(active[key], text)
        for one in active.values():
            # A dialog has few keys, and room for all but those that move.
            shown = one.binding.show or (screen.is_modal and one.node is screen and _name(one) not in NOT_SAID)
            text = _text(one) if shown else ""
            # An action with several keys is shown with the first.
            if text and one.binding.action not in entries:
                entries[one.binding.action] = self._entry(one, text)
        return list(entries.values())

    def _entry(self, one: ActiveBinding, text: str) -> Entry:
        return Entry(one.binding.key, self.app.get_key_display(one.binding), text, _name(one))

    def render(self) -> Content:
        style = self.get_visual_style("key-bar--key")
        entries = [
            (
                entry.name,
                Content.assemble((f" {entry.shown} ", style), f"{entry.text} ").stylize(
                    Style.from_meta({"key": entry.key})
                ),
            )
            for entry in self._shown
        ]
        while sum(content.cell_length for _, content in entries) - 1 > self.size.width:
            least = [at for at, (name, _) in enumerate(entries) if name not in KEPT]
            if not least:
                break
            del entries[least[-1]]
        return Content("").join([content for _, content in entries])

    def on_click(self, event: Click) -> None:
        if key := event.style.meta.get("key"):
            self.app.simulate_key(key)


def _name(one: ActiveBinding) -> str:
    """The name of an action within its group: ``sort`` of ``arrange.sort``."""
    return (one.binding.id or "").rpartition(".")[2]


def _text(one: ActiveBinding) -> str:
    """What a key does, in the words of the pane that has it if it has any."""
    of_pane = getattr(one.node, "key_text", None)
    text = of_pane(_name(one)) if of_pane is not None else None
    return _short(one.binding.description) if text is None else text


def _short(text: str) -> str:
    """The first part of a longer explanation: ``Cancel; stop a running import`` is ``Cancel`` here."""
    return text.partition(";")[0]

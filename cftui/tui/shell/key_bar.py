"""The bottom line: the keys that do something here, and what they do. Each can be clicked."""

from __future__ import annotations

from textual.content import Content
from textual.events import Click
from textual.screen import Screen
from textual.style import Style
from textual.widget import Widget


class KeyBar(Widget):
    """One line of text in the place of Textual's ``Footer``.

    That one is made anew, a widget for every key, whenever the focus moves: work at each key press, and Textual 8.2.8
    keeps every such widget for as long as its footer lives. Keys for which there is no room are left out whole, those
    furthest to the right first, but not the help, which has them all.
    """

    COMPONENT_CLASSES = {"key-bar--key"}
    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $footer-description-foreground; }
    KeyBar > .key-bar--key { color: $text-primary; text-style: bold; background: $panel; }
    """

    _shown: tuple[tuple[str, str, str], ...] = ()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, screen: Screen) -> None:
        if not self.app.app_focus or screen is not self.screen:
            return
        # An action with several keys is shown with the first.
        keys: dict[str, tuple[str, str, str]] = {}
        for _, binding, _, _ in screen.active_bindings.values():
            if binding.show:
                shown = self.app.get_key_display(binding)
                keys.setdefault(binding.action, (binding.key, shown, binding.description))
        if (now := tuple(keys.values())) != self._shown:
            self._shown = now
            self.refresh()

    def render(self) -> Content:
        style = self.get_visual_style("key-bar--key")
        entries = [
            Content.assemble((f" {shown} ", style), f"{what} ").stylize(Style.from_meta({"key": key}))
            for key, shown, what in self._shown
        ]
        while len(entries) > 1 and sum(entry.cell_length for entry in entries) - 1 > self.size.width:
            # The last two are help and leaving.
            del entries[max(len(entries) - 3, 0)]
        return Content("").join(entries)

    def on_click(self, event: Click) -> None:
        if key := event.style.meta.get("key"):
            self.app.simulate_key(key)

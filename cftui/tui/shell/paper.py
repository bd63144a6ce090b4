"""Text that is longer than the screen, scrolled with vim's keys."""

from __future__ import annotations

from textual.containers import VerticalScroll

from cftui.tui.shell.keys import bindings


class Paper(VerticalScroll):
    """A pane of text. Textual's own keys (arrows, page keys, home and end) work as well."""

    BINDINGS = bindings("scroll")

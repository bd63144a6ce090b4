"""Anatomy: one batch of the training set, step by step."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from cftui.errors import CftuiError
from cftui.text import printable
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.paper import Paper

ROWS = 3


class AnatomyScreen(Dialog[None]):
    """The chapter's anatomy of a batch; another key press, another batch."""

    BINDINGS = bindings("anatomy")
    CSS_PATH = "anatomy.tcss"

    def __init__(self, opened: OpenModel) -> None:
        super().__init__()
        self._opened, self._seed = opened, 0

    def compose(self) -> ComposeResult:
        with Paper(id="paper"):
            yield Static(id="paper-text")

    def on_mount(self) -> None:
        paper = self.query_one("#paper")
        paper.border_title = f"anatomy of a batch: {self._opened.name}"
        paper.border_subtitle = "n: another batch   escape closes"
        paper.focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self._write)

    def _write(self) -> None:
        if not self.query("#paper-text"):  # closed before, or while, it was laid out
            return
        from cftui.analysis.explain.anatomy import anatomy, describe

        try:
            parts = anatomy(self._opened.model, self._opened.ratings, ROWS, self._seed)
        except CftuiError as error:
            self.query_one("#paper").border_subtitle = "escape closes"
            self.query_one("#paper-text", Static).update(Text(printable(str(error))))
            return
        width = max(self.query_one("#paper").scrollable_content_region.width - 1, 40)
        lines = [printable(line) for line in describe(parts, width=width).split("\n")]
        self.query_one("#paper-text", Static).update(Text("\n".join(lines)))

    def action_another(self) -> None:
        self._seed += 1
        self._write()

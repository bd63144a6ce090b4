"""A one-line question over the screen; the answer is checked before it closes."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings


class Prompt(Dialog[str | None]):
    """Asks for one value. ``check`` returns what is wrong with an answer, or an empty string."""

    BINDINGS = bindings("dialog")
    CSS_PATH = "prompt.tcss"

    def __init__(self, question: str, hint: str, value: str, check: Callable[[str], str]) -> None:
        super().__init__()
        self._question, self._hint, self._value, self._check = question, hint, value, check

    def compose(self) -> ComposeResult:
        with Vertical(id="prompt"):
            field = Input(self._value, compact=True)
            field.cursor_blink = False
            yield field
            yield Static(Text(self._hint, style="dim"), id="prompt-hint")

    def on_mount(self) -> None:
        box = self.query_one("#prompt")
        box.border_title, box.border_subtitle = Content(self._question), "enter: ok   escape: cancel"

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        wrong = self._check(event.value.strip())
        if wrong:
            self.query_one("#prompt-hint", Static).update(Text(wrong, style="bold"))
        else:
            self.dismiss(event.value.strip())


class Confirm(Dialog[bool | None]):
    """Asks before something is lost: y or n."""

    BINDINGS = bindings("confirm")
    CSS_PATH = "prompt.tcss"

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(id="prompt"):
            yield Static(Text(self._question))

    def on_mount(self) -> None:
        self.query_one("#prompt").border_subtitle = "y: yes   n: no"

"""The clipboard of the user's own terminal, wherever the program runs."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

from cftui.tui.shell.passthrough import outside


def osc52(text: str, environment: Mapping[str, str] | None = None) -> str:
    """The sequence that puts a text into the terminal's clipboard.

    tmux and screen swallow it unless it is wrapped to be passed through (in tmux also ``set -g allow-passthrough on``
    or ``set-clipboard on``).
    """
    environment = os.environ if environment is None else environment
    plain = f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\a"
    # In tmux both ways: unwrapped for set-clipboard, wrapped for the terminal outside.
    return (plain if "TMUX" in environment else "") + outside(plain, environment)

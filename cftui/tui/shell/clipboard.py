"""The clipboard of the user's own terminal, wherever the program runs."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping

# GNU screen's limit of a string to be passed through is 768 in older versions.
SCREEN_PIECE = 512


def osc52(text: str, environment: Mapping[str, str] | None = None) -> str:
    """The sequence that puts a text into the terminal's clipboard.

    tmux and screen swallow it unless it is wrapped to be passed through (in tmux also ``set -g allow-passthrough on``
    or ``set-clipboard on``).
    """
    environment = os.environ if environment is None else environment
    plain = f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\a"
    if "TMUX" in environment:
        # Both ways: unwrapped for set-clipboard, wrapped for the terminal outside.
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environment.get("TERM", "").startswith("screen"):
        # The most characters in one write; the outer terminal joins them.
        pieces = [plain[at : at + SCREEN_PIECE] for at in range(0, len(plain), SCREEN_PIECE)]
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return plain

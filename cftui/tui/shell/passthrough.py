"""Escape sequences for the user's own terminal, past the multiplexer in between, and a notification as one of them."""

from __future__ import annotations

import os
from collections.abc import Mapping

from cftui.text import one_line

# GNU screen's limit of a string to be passed through is 768 in older versions.
SCREEN_PIECE = 512


def outside(sequence: str, environment: Mapping[str, str] | None = None) -> str:
    """The sequence as the terminal outside gets it: tmux and screen swallow it unless it is wrapped.

    In tmux, ``set -g allow-passthrough on`` has to be given as well.
    """
    environment = os.environ if environment is None else environment
    if "TMUX" in environment:
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environment.get("TERM", "").startswith("screen"):
        # The most characters in one write; the outer terminal joins them.
        pieces = [sequence[at : at + SCREEN_PIECE] for at in range(0, len(sequence), SCREEN_PIECE)]
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return sequence


def osc9(text: str, environment: Mapping[str, str] | None = None) -> str:
    """The sequence that makes iTerm2, WezTerm, kitty, Windows Terminal and others show a notification.

    Terminals that do not know it ignore it.
    """
    return outside(f"\x1b]9;{one_line(text)}\a", environment)

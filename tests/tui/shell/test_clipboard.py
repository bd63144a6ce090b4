"""What is sent to the clipboard of the terminal outside."""

from __future__ import annotations

import base64
import re

from cftui.tui.shell.clipboard import osc52

TEXT = "Misérables, Les (1995)\n" * 200


def test_gnu_screen_gets_it_in_pieces_that_it_hands_on() -> None:
    sent = osc52(TEXT, {"TERM": "screen.xterm-256color"})
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", sent, re.DOTALL)
    assert len(pieces) > 5
    assert all(len(piece) <= 768 for piece in pieces)
    assert "".join(f"\x1bP{piece}\x1b\\" for piece in pieces) == sent
    assert "".join(pieces) == osc52(TEXT, {"TERM": "xterm"})
    assert base64.b64decode("".join(pieces).removeprefix("\x1b]52;c;").removesuffix("\a")).decode() == TEXT


def test_tmux_gets_it_bare_and_wrapped() -> None:
    plain = osc52("a", {"TERM": "xterm"})
    assert osc52("a", {"TERM": "screen-256color", "TMUX": "/tmp/t,1,0"}) == f"{plain}\x1bPtmux;\x1b{plain}\x1b\\"

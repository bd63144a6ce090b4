"""The terminal: its size, its colours, its characters, and whether it takes what is copied."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping

from cftui.cli.checkup.findings import Finding

# The app is drawn for at least this size.
COLUMNS, LINES = 80, 24
TMUX_SECONDS = 2.0
COLOURS = {"truecolor": "16 million colours", "256": "256 colours", "standard": "16 colours"}


def terminal(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    kind = environment.get("TERM", "")
    is_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout is not None and sys.stdout.isatty()
    if not is_terminal:
        yield Finding("terminal", "stdin or stdout is not a terminal: the verbs work, the app does not")
    else:
        size = shutil.get_terminal_size()
        says = f"{kind or 'TERM is not set'}, {size.columns} x {size.lines}"
        if size.columns < COLUMNS or size.lines < LINES:
            yield Finding("terminal", says, "note", f"make it at least {COLUMNS} x {LINES}")
        else:
            yield Finding("terminal", says)
    yield from _colours(kind, environment)
    yield from _characters()


def _colours(kind: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    from rich.console import Console

    if environment.get("NO_COLOR"):
        yield Finding("colours", "none: NO_COLOR is set; series differ by their marks", advice="unset NO_COLOR")
        return
    system = Console(force_terminal=True, _environ={**environment, "TERM": kind or "dumb"}).color_system
    says = COLOURS.get(system or "", "none")
    if system == "truecolor":
        yield Finding("colours", says)
    elif system == "256":
        yield Finding("colours", says, advice="if the terminal has more: export COLORTERM=truecolor")
    else:
        yield Finding("colours", says, "note", "export TERM=xterm-256color, if the terminal has 256 colours")


def _characters() -> Iterator[Finding]:
    encoding = (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "")
    if encoding == "utf8":
        yield Finding("characters", "UTF-8")
    else:
        advice = "export LANG=C.UTF-8, or open the app with --ascii"
        yield Finding("characters", f"{encoding or 'unknown'}, not UTF-8", "note", advice)


def clipboard(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """What is known of the way of ``y`` to the clipboard; no terminal says whether it takes OSC 52."""
    if environment.get("TERM_PROGRAM") == "Apple_Terminal":
        yield Finding("clipboard", "Terminal of macOS does not support OSC 52", "note", "x writes to a file instead")
    elif "TMUX" in environment:
        yield from _tmux()
    elif environment.get("TERM", "").startswith("screen"):
        yield Finding("clipboard", "OSC 52, passed through screen, if the terminal outside supports it")
    else:
        yield Finding(
            "clipboard", "OSC 52, if the terminal supports it", advice="if y does not copy, x writes to a file"
        )


def _tmux() -> Iterator[Finding]:
    """tmux keeps the sequence to itself unless it is told not to."""
    told = {name: _tmux_option(name) for name in ("set-clipboard", "allow-passthrough")}
    says = "tmux: " + ", ".join(f"{name} {value or 'unknown'}" for name, value in told.items())
    if told["set-clipboard"] == "on" or told["allow-passthrough"] in ("on", "all"):
        yield Finding("clipboard", says)
    else:
        advice = "in ~/.tmux.conf: set -g set-clipboard on, and set -g allow-passthrough on for notifications"
        yield Finding("clipboard", says, "note", advice)


def _tmux_option(name: str) -> str:
    try:
        words = ["tmux", "show-options", "-gv", name]
        done = subprocess.run(words, capture_output=True, text=True, timeout=TMUX_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()

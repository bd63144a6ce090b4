"""The entry point of ``cftui`` and ``python -m cftui``: the only module that knows both the app and the verbs."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cftui.home import Home


def open_app(home: Home, ascii_only: bool = False) -> int:
    """Run the app in a child process and return its exit status.

    Raises:
        CftuiError: stdin or stdout is not a terminal.
    """
    # Imported here, because the verbs must work without Textual.
    from cftui.errors import CftuiError

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        hint = "without one, use a verb, such as cftui tour (cftui --help lists all)"
        raise CftuiError("the app needs a terminal", hint=hint)
    from cftui.tui.terminal.lifeline import Lifeline
    from cftui.tui.terminal.parent import run_below

    def start(lifeline: Lifeline) -> int:
        from cftui.tui.main import run

        return run(home, ascii_only=ascii_only, lifeline=lifeline)

    return run_below(start)


def main() -> None:
    """Run the app or a verb, and exit with its status."""
    # By default, OpenMP's idle threads spin, and two programs on one machine slow each other down twentyfold. OpenMP
    # reads this variable when torch is loaded, so it must be set before.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A repaint waits for the next frame, and a key press often for two. Textual reads this variable when it is
    # imported.
    os.environ.setdefault("TEXTUAL_FPS", "120")
    try:
        from cftui.cli.main import main as cli_main
    except (ImportError, KeyboardInterrupt) as error:
        _ignore_interrupts()
        sys.exit(_cannot_start(error))
    status = cli_main(open_app)
    _ignore_interrupts()
    sys.exit(status)


def _ignore_interrupts() -> None:
    """What is left to do is to end: a second Ctrl+C would interrupt that with a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _cannot_start(error: BaseException) -> int:
    """Print why no verb could run, and return the exit status."""
    from cftui.cli.output import INTERRUPTED_STATUS, print_error

    as_json = "--json" in sys.argv
    if isinstance(error, KeyboardInterrupt):
        return print_error("interrupted", "interrupted", status=INTERRUPTED_STATUS, as_json=as_json)
    return print_error(f"a library is missing: {error}; install cftui again", "error", as_json=as_json)


if __name__ == "__main__":
    main()

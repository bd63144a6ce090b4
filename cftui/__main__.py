"""Entry point of ``cftui`` and ``python -m cftui``: the one place that knows both faces of the program."""

from __future__ import annotations

import os
import sys

from cftui.home import Home


def open_app(home: Home, ascii_only: bool = False) -> int:
    # Imported only when wanted: the verbs work where Textual is not installed.
    from cftui.errors import CftuiError

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CftuiError("the app needs a terminal; try a verb (cftui --help), or cftui tour")
    from cftui.tui.app import run

    return run(home, ascii_only=ascii_only)


def main() -> None:
    # OpenMP's idle threads otherwise spin: two programs on one machine then slow each other down twentyfold.
    # Read when torch is loaded, so it must be set here.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A repaint waits for the next frame, a key press often for two; read when Textual is imported.
    os.environ.setdefault("TEXTUAL_FPS", "120")
    try:
        from cftui.cli.main import main as cli_main
    except (ImportError, KeyboardInterrupt) as error:
        sys.exit(_cannot_start(error))
    sys.exit(cli_main(open_app))


def _cannot_start(error: BaseException) -> int:
    """Print why no verb could run, and return the exit status."""
    from cftui.cli.output import INTERRUPTED_STATUS, print_error

    as_json = "--json" in sys.argv
    if isinstance(error, KeyboardInterrupt):
        return print_error("interrupted", "interrupted", status=INTERRUPTED_STATUS, as_json=as_json)
    return print_error(f"a library is missing: {error}; install cftui again", "error", as_json=as_json)


if __name__ == "__main__":
    main()

"""What a start costs: `import cftui`, `cftui --version` and the app's first paint, beside a bare interpreter.

    python benchmarks/startup.py [--times 15]

Medians, warm. A bare `python -c pass` takes the same part in all of them, so `import cftui` is what it adds to that.
Budgets are DESIGN's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from markdown import table
from pty_app import Terminal

from cftui.home import Home

BARE = [sys.executable, "-c", "pass"]
IMPORT = [sys.executable, "-c", "import cftui"]
VERSION = [sys.executable, "-m", "cftui", "--version"]
APP = [sys.executable, "-m", "cftui"]


def timed(command: list[str]) -> float:
    """Seconds until a command has ended."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def first_paint(scratch: Path) -> float:
    """Seconds until the app on an 80x24 terminal has drawn its first screen."""
    environment = {**os.environ, "CFTUI_HOME": str(scratch), "TERM": "xterm-256color"}
    terminal = Terminal(APP, 80, 24, environment)
    try:
        return terminal.until(b"Dataset")
    finally:
        terminal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=15, help="runs of each; the median counts")
    times = parser.parse_args().times

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "data").mkdir()
        (scratch / "data" / "ml-100k").symlink_to(Home.find().data / "ml-100k")
        measures: dict[str, Callable[[], float]] = {
            "bare": lambda: timed(BARE),
            "import": lambda: timed(IMPORT),
            "version": lambda: timed(VERSION),
            "paint": lambda: first_paint(scratch),
        }
        seconds: dict[str, list[float]] = {name: [] for name in measures}
        # In turn, so that a busy moment meets all of them; the first round warms the caches.
        for lap in range(times + 1):
            for name, measure in measures.items():
                took = measure()
                if lap:
                    seconds[name].append(took)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    bare = medians["bare"]

    def row(what: str, took: float, budget: str) -> list[str]:
        return [what, f"{took * 1000:.0f} ms", f"{took / bare:.1f}", budget]

    rows = [
        row("`python -c pass`", bare, ""),
        row("`import cftui`, beyond that", medians["import"] - bare, "50 ms"),
        row("`cftui --version`", medians["version"], "150 ms"),
        row("first paint of `cftui`", medians["paint"], "400 ms"),
    ]
    print(table([f"what (median of {times})", "time", "times a bare interpreter", "budget"], rows))


if __name__ == "__main__":
    main()

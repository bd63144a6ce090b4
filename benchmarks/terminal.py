"""Measure the cost of the app on a real pty: first paint, idle, a live run and a key press.

    python benchmarks/terminal.py [--columns 80] [--lines 24]

The figures are those of the app's process; the trainer is a separate process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from markdown import table
from pty_app import Terminal

from cftui.home import Home


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=80)
    parser.add_argument("--lines", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch))
        home.data.mkdir()
        (home.data / "ml-100k").symlink_to(Home.find().data / "ml-100k")
        app = [sys.executable, "-m", "cftui"]
        environment = {**os.environ, "CFTUI_HOME": scratch, "TERM": "xterm-256color"}
        environment.pop("COLORTERM", None)
        train = [*app, "train", "model4", "--device", "cpu"]
        quiet: dict[str, Any] = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(train, check=True, **quiet)

        paints = []
        for _ in range(5):
            terminal = Terminal(app, arguments.columns, arguments.lines, environment)
            paints.append(terminal.until(b"Dataset"))
            terminal.close()

        terminal = Terminal(app, arguments.columns, arguments.lines, environment)
        terminal.until(b"idle")
        terminal.read(4)
        idle_cpu, idle_bytes = terminal.cost(arguments.seconds)
        terminal.press(b"3")
        terminal.read(1)
        keys = [terminal.press(bytes([letter])) for letter in b"the silence of the lambs star trek the first contact"]
        terminal.close()

        # A live run that logs often.
        with subprocess.Popen([*train, "--epochs", "400"], **quiet) as trainer:
            time.sleep(3)
            terminal = Terminal(app, arguments.columns, arguments.lines, environment)
            terminal.until(b"training")
            terminal.press(b"2")
            terminal.read(3)
            live_cpu, live_bytes = terminal.cost(arguments.seconds)
            terminal.close()
            trainer.kill()

    keys.sort()
    rows = [
        ["first paint, warm (median of 5)", f"{statistics.median(paints):.2f} s", "0.4 s"],
        ["idle: share of a core", f"{idle_cpu:.1%}", "1 %"],
        ["idle: bytes a second", f"{idle_bytes:,.0f}", "0"],
        ["live run on the Train screen: share of a core", f"{live_cpu:.1%}", "10 %"],
        ["live run: bytes a second", f"{live_bytes:,.0f}", "40,000"],
        [f"key press in search, p95 of {len(keys)}", f"{keys[int(len(keys) * 0.95)]:.0f} ms", "50 ms"],
    ]
    print(f"{arguments.columns}x{arguments.lines}")
    print(table(["what", "measured", "budget"], rows))


if __name__ == "__main__":
    main()

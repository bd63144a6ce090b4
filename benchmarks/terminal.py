"""Measure the cost of the app on a real pty: first paint, idle, a live run and a key press.

    python benchmarks/terminal.py [--seconds 10]

The figures are those of the app's process; the trainer is a separate process. A bare interpreter starts as often as the
app does, in turn, so that both meet the same moments of a machine that does other things as well.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from markdown import table
from pty_app import Terminal

from cftui.home import Home

SIZES = ((80, 24), (160, 48))
# What is measured, and its budget.
BUDGETS = {
    "first paint, warm (least of 5)": "0.4 s",
    "first paint, times the start of a bare interpreter": "",
    "torch imported after the first paint": "yes",
    "idle: share of a core": "1 %",
    "idle: bytes a second": "0",
    "live run on the Train screen: share of a core": "10 %",
    "live run: bytes a second": "40,000",
    "key press in search, p95": "50 ms",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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

        by_size = [measure(app, [*train, "--epochs", "400"], environment, size, arguments.seconds) for size in SIZES]
    rows = [[what, *(figures[at] for figures in by_size), budget] for at, (what, budget) in enumerate(BUDGETS.items())]
    print(table(["what", *(f"{columns}x{lines}" for columns, lines in SIZES), "budget"], rows))


def measure(
    app: list[str], train: list[str], environment: dict[str, str], size: tuple[int, int], seconds: float
) -> list[str]:
    """Return a figure for each of ``BUDGETS``."""
    paints, bare, torch_early = [], [], False
    for _ in range(5):
        terminal = Terminal(app, *size, environment)
        paints.append(terminal.until(b"Dataset"))
        torch_early |= "libtorch" in Path(f"/proc/{terminal.process.pid}/maps").read_text()
        terminal.close()
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        bare.append(time.perf_counter() - start)

    terminal = Terminal(app, *size, environment)
    terminal.until(b"idle", 120)
    terminal.read(4)
    idle_cpu, idle_bytes = terminal.cost(seconds)
    terminal.press(b"3")
    terminal.read(1)
    keys = sorted(terminal.press(bytes([letter])) for letter in b"the silence of the lambs star trek the first contact")
    terminal.close()

    # A live run that logs often.
    quiet: dict[str, Any] = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(train, **quiet) as trainer:
        time.sleep(3)
        terminal = Terminal(app, *size, environment)
        terminal.until(b"training", 120)
        terminal.press(b"2")
        terminal.read(3)
        live_cpu, live_bytes = terminal.cost(seconds)
        terminal.close()
        trainer.kill()
    return [
        f"{min(paints):.2f} s",
        f"{min(paints) / min(bare):.0f}",
        "no" if torch_early else "yes",
        f"{idle_cpu:.1%}",
        f"{idle_bytes:,.0f}",
        f"{live_cpu:.1%}",
        f"{live_bytes:,.0f}",
        f"{keys[int(len(keys) * 0.95)]:.0f} ms",
    ]


if __name__ == "__main__":
    main()

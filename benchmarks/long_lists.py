"""Measure what a list of many runs and a long log cost: seconds of each verb, and the most memory that one took.

    python benchmarks/long_lists.py [--runs 2000] [--megabytes 500]

Each run has a log of 400 windows of batch losses and 30 epochs, about 110 kB. The long log consists of windows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from long_log import make
from markdown import table

from cftui.home import Home


def lengthen(log: Path, size: int) -> None:
    """Repeat a window of the log until it has ``size`` bytes; all other events stay."""
    lines = log.read_text().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if '"window"' in line)
    window = json.loads(lines[at])
    with log.open("w") as file:
        file.writelines(lines[:at])
        for number in range(size // len(lines[at])):
            file.write(json.dumps(window | {"step": number + 1}) + "\n")
        file.writelines(line for line in lines[at:] if '"window"' not in line)


def timed(home: Home, *words: str) -> list[str]:
    """A row: the verb, its seconds, and the processor's."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "CFTUI_HOME": str(home.root)}
    command = [sys.executable, "-m", "cftui", *words]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [f"`{' '.join(words)}`", f"{seconds:.2f} s", f"{used:.2f} s"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--megabytes", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        many, long = Home(Path(scratch, "many")), Home(Path(scratch, "long"))
        base = make(many, "base", 30)
        for number in range(arguments.runs - 1):
            shutil.copytree(base.path, many.models / f"run-{number:04}")
        one = make(long, "base", 30)
        lengthen(one.events_file, arguments.megabytes * 1_000_000)
        size = f"a log of {arguments.megabytes} MB"
        calls: list[tuple[str, Home, list[str]]] = [
            (f"{arguments.runs:,} runs", many, ["runs"]),
            ("the same, seen before", many, ["runs"]),
            ("the same, seen before", many, ["runs", "--json"]),
            (size, long, ["runs"]),
            (size, long, ["runs", "show", "base"]),
            (size, long, ["runs", "attach", "base"]),
        ]
        rows = [[what, *timed(home, *words)] for what, home, words in calls]
        print(table(["home", "verb", "time", "processor"], rows))
        print(f"\nmost memory of a verb: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()

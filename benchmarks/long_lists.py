"""Measure what grows: a list of many runs, a long log, and a data set of millions of items.

    python benchmarks/long_lists.py [--runs 2000] [--megabytes 500] [--items 3000000]
    python benchmarks/long_lists.py --write            also put the table into docs/benchmarks.md

Each run has a log of 400 windows of batch losses and 30 epochs. The long log consists of windows. The ratings are drawn
at random, every item with at least one. Each line is a process of its own; the app's is timed on a pty of 80x24, from
its start to the first screen with data, or from the key that leads to the list of runs to the third run in it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from long_log import make
from markdown import put, table
from pty_app import Terminal

from cftui.home import Home

CFTUI = [sys.executable, "-m", "cftui"]
USERS, MORE_RATINGS = 200_000, 0.6  # ratings beyond one for each item, as a share of the items
WORDS = 5_000
TITLE = "the one that is looked for"


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


def environment(home: Home) -> dict[str, str]:
    own = {name: str(home.root) for name in ("CFTUI_HOME", "CFTUI_STATE_DIR", "CFTUI_CONFIG_DIR")}
    return {**os.environ, **own, "TERM": "xterm-256color"}


def do(home: Home, *words: str) -> None:
    subprocess.run([*CFTUI, *words], env=environment(home), stdout=subprocess.DEVNULL, check=True)


def import_wide(home: Home, items: int) -> None:
    """Import ratings of this many items, make them the set that the app opens, and train on them."""
    (home.root / "config.toml").write_text('data = "wide"\n')
    random, count = np.random.default_rng(0), int(items * (1 + MORE_RATINGS))
    item = np.concatenate([np.arange(items), (items * random.random(count - items) ** 3).astype(np.int64)])
    user, rating = random.integers(0, USERS, count), random.integers(1, 6, count)
    word = np.array(["".join(random.choice(list("abcdefghijklmnopqrstuvwxyz"), 6)) for _ in range(WORDS)])
    title = [" ".join(words) for words in word[random.integers(0, WORDS, (items, 3))]]
    title[0] = TITLE
    ratings, titles = home.root / "ratings.csv", home.root / "items.csv"
    frame = pd.DataFrame({"user": user, "item": item, "rating": rating}).sample(frac=1, random_state=0)
    frame.to_csv(ratings, index=False)
    pd.DataFrame({"item": np.arange(items), "title": title}).to_csv(titles, index=False)
    do(home, "data", "import", str(ratings), "--items", str(titles), "--name", "wide")
    do(home, "train", "model4", "--data", "wide", "--epochs", "1", "--bs", "131072", "--factors", "8", "--name", "base")


# Run by a small process: a child's peak memory begins with that of the process that it is forked from.
TIMED = """
import resource, subprocess, sys, time
begun = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def measure(home: Home, *words: str) -> list[str]:
    """The verb, its seconds, and the most memory that it took."""
    command = [sys.executable, "-c", TIMED, *CFTUI, *words]
    done = subprocess.run(command, env=environment(home), stdout=subprocess.PIPE, check=True)
    seconds, megabytes = map(float, done.stdout.split())
    return [f"`{' '.join(words)}`", f"{seconds:.1f} s", f"{megabytes:,.0f} MB"]


@contextmanager
def app(home: Home) -> Iterator[Terminal]:
    terminal = Terminal(CFTUI, 80, 24, environment(home))
    try:
        yield terminal
    finally:
        terminal.close()


def peak(terminal: Terminal) -> str:
    """The most memory that the app has taken."""
    (child,) = terminal.process.children()
    status = Path(f"/proc/{child.pid}/status").read_text()
    return f"{int(status.partition('VmHWM:')[2].split()[0]) / 1024:,.0f} MB"


def app_lists(home: Home, third: str) -> list[str]:
    """From the key to the list of runs with the third of them in it."""
    with app(home) as terminal:
        terminal.until(b"Quit")
        terminal.read(2.0)
        before = time.perf_counter()
        terminal.send(b"2")
        terminal.until(third.encode(), seconds=120)
        return ["the app: key to the list", f"{time.perf_counter() - before:.1f} s", peak(terminal)]


def app_shows(home: Home, text: str) -> list[str]:
    """From the start to the first screen with ``text``."""
    with app(home) as terminal:
        seconds = terminal.until(text.encode(), seconds=120)
        return ["the app: start to the data", f"{seconds:.1f} s", peak(terminal)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--items", type=int, default=3_000_000)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        many, long, wide = (Home(Path(scratch, name)) for name in ("many", "long", "wide"))
        base = make(many, "base", 30)
        for number in range(arguments.runs - 1):
            shutil.copytree(base.path, many.models / f"run-{number:04}")
        many.data.mkdir()
        (many.data / "ml-100k").symlink_to(Home.find().data / "ml-100k")
        lengthen(make(long, "base", 30).events_file, arguments.megabytes * 1_000_000)
        wide.root.mkdir()
        import_wide(wide, arguments.items)
        runs, items = f"{arguments.runs:,} runs", f"{arguments.items:,} items"
        log = f"a log of {arguments.megabytes} MB"
        rows = [
            [runs, *measure(many, "runs")],
            [f"{runs}, listed before", *measure(many, "runs")],
            [f"{runs}, listed before", *app_lists(many, f"run-{arguments.runs - 4:04}")],
            *([log, *measure(long, "runs", *words)] for words in ([], ["show", "base"], ["attach", "base"])),
            *([items, *measure(wide, "data", verb, "wide")] for verb in ("head", "stats")),
            [items, *measure(wide, "about", TITLE)],
            [items, *app_shows(wide, f"{arguments.items:,}")],
        ]
        size = base.events_file.stat().st_size / 1000
        made = f"{size:.0f} kB of log a run; `python benchmarks/long_lists.py --write`."
        text = f"{table(['home', 'verb', 'time', 'peak memory'], rows)}\n\n{made}"
        print(text)
        if arguments.write:
            put("long", text)


if __name__ == "__main__":
    main()

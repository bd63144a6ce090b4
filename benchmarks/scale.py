"""Measure time and memory from a CSV of 25 or 32 million ratings to the first training batch, cold and cached.

    python benchmarks/scale.py                      measure 25 M and 32 M
    python benchmarks/scale.py ml-25m --write       measure one of them; put the table into docs/benchmarks.md

The CSV files have MovieLens' layout: ratings.csv, movies.csv, and tags.csv with as many rows as published. The ratings
are synthetic, in the shape of the published set (`cftui data synth`), so nothing is downloaded. They are read in two
ways: as a user's own file (`cftui data import`) and as the published set (`cftui data get --from`). "Cold" is that verb
and then `cftui train`, each in its own process without a cache. "Warm" is `cftui train` alone, the median of three.
Both end when the log has its first batch, so they include starting the process, importing PyTorch, reading, splitting
and the first step. Peak memory is that of the largest process.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from markdown import put, table

from cftui.data.synth import generate as synth
from cftui.engine.runs.folder import RunFolder
from cftui.engine.training import open_ratings
from cftui.home import Home

# The data sets, with the number of tags in each as published.
SHAPES = {"ml-25m": 1_093_360, "ml-32m": 2_000_072}
ROWS = 2_000_000
TRAIN = ("--bs", "131072", "--lr", "0.05", "--epochs", "3", "--device", "cpu")
COLUMNS = ("--user", "userId", "--item", "movieId", "--rating", "rating", "--time", "timestamp", "--title", "title")


def write_csv(shape: str, folder: Path) -> tuple[Path, Path]:
    """Write ``ratings.csv``, ordered by user, ``movies.csv`` and ``tags.csv`` as MovieLens has them."""
    home = Home(folder / "made")
    synth.make(shape, home, say=lambda line: print(line, file=sys.stderr))
    ratings = open_ratings(home, f"synth-{shape}")
    titles = ratings.item_table["title"].to_numpy()
    movies = pd.DataFrame({"movieId": np.arange(1, len(titles)), "title": titles[1:], "genres": "(no genres listed)"})
    movies.to_csv(folder / "movies.csv", index=False)
    # Some tags and some ratings are far more frequent than others.
    random = np.random.default_rng(0)
    tagged = random.integers(len(ratings), size=SHAPES[shape])
    words = np.minimum(random.zipf(1.2, size=len(tagged)), 65_000)
    said = np.char.add("said of it ", words.astype(str))
    tags = {"userId": ratings.user[tagged], "movieId": ratings.item[tagged], "tag": said, "timestamp": 0}
    pd.DataFrame(tags).to_csv(folder / "tags.csv", index=False)
    with (folder / "ratings.csv").open("w") as file:
        for start in range(0, len(ratings), ROWS):
            part = slice(start, start + ROWS)
            frame = pd.DataFrame(
                {
                    "userId": ratings.user[part],
                    "movieId": ratings.item[part],
                    "rating": ratings.rating[part],
                    "timestamp": ratings.timestamp[part],
                }
            )
            frame.to_csv(file, index=False, header=start == 0)
    return folder / "ratings.csv", folder / "movies.csv"


def watched(words: list[str], home: Path, until: Path | None = None) -> tuple[float, float]:
    """Run a verb to its end, or until the log ``until`` has a batch. Return the seconds and the peak memory in GB."""
    begun = time.perf_counter()
    process = psutil.Popen([sys.executable, "-m", "cftui", *words, "--home", str(home)], stdout=subprocess.DEVNULL)
    peak, seconds, asked = 0, 0.0, False
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.Error:
            break
        if until and not seconds and until.exists() and b'"window"' in until.read_bytes():
            seconds = time.perf_counter() - begun
        # Continue for three seconds after the first batch, so that the peak includes the memory of a step.
        if seconds and time.perf_counter() - begun > seconds + 3 and not asked:
            os.kill(process.pid, signal.SIGTERM)
            asked = True
        time.sleep(0.02)
    if process.wait():
        raise SystemExit(f"cftui {' '.join(words)} failed")
    return seconds or time.perf_counter() - begun, peak / 2**30


def measure(shape: str) -> list[list[str]]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ratings, movies = write_csv(shape, folder)
        ways = {
            "`data import`": ("big", ["import", str(ratings), "--name", "big", "--items", str(movies), *COLUMNS]),
            "`data get --from`, with tags": (shape, ["get", shape, "--from", str(folder)]),
        }
        rows = []
        for way, (data, words) in ways.items():
            home = folder / data
            read, peak_read = watched(["data", *words], home)
            found = []
            for name in ("cold", "warm", "warm2", "warm3"):
                log = RunFolder(Home(home).models / name).events_file
                found.append(watched(["train", "model4", "--data", data, "--name", name, *TRAIN], home, log))
            rows.append(
                [
                    f"{len(open_ratings(Home(home), data)):,}",
                    f"{ratings.stat().st_size / 1e9:.2f} GB",
                    way,
                    f"{read:.1f} s",
                    f"{read + found[0][0]:.1f} s",
                    f"{statistics.median(seconds for seconds, _ in found[1:]):.1f} s",
                    f"{max(peak_read, *(peak for _, peak in found)):.2f} GB",
                ]
            )
            print(" | ".join(rows[-1]), file=sys.stderr)
        return rows


def importing() -> float:
    """Return the median seconds of five processes that only import PyTorch, as a measure of the machine's speed."""
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", default=list(SHAPES))
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    arguments = parser.parse_args()
    rows = []
    for shape in arguments.shapes:
        rows += measure(shape)
    header = ["ratings", "CSV", "read by", "reading it", "CSV to first batch, cold", "the same, warm", "peak memory"]
    text = f"{table(header, rows)}\n\nFor comparison, `import torch` alone: {importing():.1f} s."
    print(text)
    if arguments.write:
        put("scale", text)


if __name__ == "__main__":
    main()

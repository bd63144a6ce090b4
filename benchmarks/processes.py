"""Measure a fit that is divided among several processes: time and memory of each, beside a model of what it costs.

    python benchmarks/processes.py            print the tables
    python benchmarks/processes.py --write    also put them into docs/several-processes.md

The ratings are synthetic, in the shape of MovieLens 25M (`cftui data synth ml-25m`). Each process has one thread and
talks through gloo on this machine. The model takes the time of one process, divides it by the processes, or by the
cores if those are fewer, and adds the exchange: the time that was measured for a sum of as many bytes. Memory is what a
process does not share with others, when it has fitted; peak, all of it while the data set is read and divided.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from markdown import DOCS, put, table

from cftui.data.splits import split
from cftui.engine import ranks
from cftui.engine.fitting import Hooks
from cftui.engine.models.recipes import recipe
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

DATA = "synth-ml-25m"
PROCESSES = (1, 2, 4)
# By recipe: its settings.
FITS: dict[str, dict[str, Any]] = {
    "model4": {"epochs": 1, "bs": 65_536, "factors": 50},
    "bayes": {"sweeps": 3, "burn_in": 1, "factors": 16},
    "ials": {"sweeps": 2, "factors": 64},
}
TIMES = 5
# What is assumed of eight GPUs of one machine: the time of one of them on these ratings, as shared estimates have it,
# and the bytes a second that an exchange moves.
GPUS, LINK, BILLION = 8, 200e9, 10**9
ON_GPU = {"model4": 65_536 / 100e6, "bayes": 0.15}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/several-processes.md")
    parser.add_argument("--worker", nargs=2, metavar=("RECIPE", "FOLDER"), help="be one of the processes")
    arguments = parser.parse_args()
    if arguments.worker:
        measure(arguments.worker[0], Path(arguments.worker[1]))
        return
    rows, facts = [], {}
    for name in FITS:
        alone: dict[str, Any] = {}
        for count in PROCESSES:
            found = started(name, count)
            first = found[0]
            alone = alone or first
            at_once = min(count, os.cpu_count() or 1)
            modelled = alone["seconds"] / at_once + first["exchange"]
            rows.append(
                [
                    f"`{name}`, a {first['unit']}",
                    str(count),
                    seconds(first["seconds"]),
                    seconds(modelled),
                    f"{first['bytes'] / 1e6:.0f} MB in {seconds(first['exchange'])}" if count > 1 else "",
                    f"{max(one['own'] for one in found) / 1e9:.2f} GB",
                    f"{max(one['peak'] for one in found) / 1e9:.2f} GB",
                ]
            )
            facts[name] = first
            print(rows[-1], file=sys.stderr, flush=True)
    header = ["fit", "processes", "measured", "by the model", "exchange", "memory, each", "peak, each"]
    predicted = [
        [
            f"`{name}`, a {facts[name]['unit']}",
            f"{facts[name]['ratings'] if name == 'bayes' else FITS[name]['bs']:,} ratings",
            seconds(on_gpu),
            seconds(on_gpu / GPUS + facts[name]["bytes"] / LINK),
            seconds(on_gpu * (BILLION / facts[name]["ratings"]) / GPUS + facts[name]["bytes"] / LINK)
            if name == "bayes"
            else "the same",
        ]
        for name, on_gpu in ON_GPU.items()
    ]
    text = f"""{table(header, rows)}

Predicted by the same model, and not measured: {GPUS} GPUs of one machine, {LINK / 1e9:.0f} GB/s between them, if one \
takes the time in the third column.

{table(["fit", "of", "one GPU", f"{GPUS} GPUs", f"{GPUS} GPUs, {BILLION:.0e} ratings".replace("e+0", "0^")], predicted)}

torch {torch.__version__}, {os.cpu_count()} cores; `python benchmarks/processes.py --write`."""
    print(text)
    if arguments.write:
        put("processes", text, DOCS / "several-processes.md")


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.1f} ms"


def started(name: str, count: int) -> list[dict[str, Any]]:
    """What each of ``count`` processes measured."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(count), __file__]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([*command, "--worker", name, folder], check=True, env=environment, stdout=sys.stderr)
        return [json.loads(Path(folder, str(rank)).read_text()) for rank in range(count)]


def measure(name: str, folder: Path) -> None:
    """Fit as one of the processes; write down what it took."""
    with ranks.joined() as processes:
        ratings = open_ratings(Home.find(None), DATA)
        row = recipe(name)
        fitter = fitter_for(row, row.options(**FITS[name]), ratings, split(ratings, "random"), torch.device("cpu"))
        users, items, size = len(ratings.users), len(ratings.items), fitter.train_size
        del ratings
        events: list[Any] = []
        fitter.fit(Hooks(emit=events.append))
        epochs = [event for event in events if event["event"] == "epoch"]
        units = [size / event["ratings_per_second"] for event in epochs]
        unit = statistics.median(units)
        factors = FITS[name]["factors"]
        exchanged = torch.zeros(items if name == "model4" else users + items, factors + (name == "model4"))
        times = []
        for _ in range(TIMES):
            begun = time.perf_counter()
            processes.sum(exchanged)
            times.append(time.perf_counter() - begun)
        found = {
            "unit": "step" if name == "model4" else "sweep",
            "seconds": unit / (fitter.steps if name == "model4" else 1),
            "exchange": statistics.median(times),
            "bytes": exchanged.numel() * 4,
            "ratings": size,
            "own": psutil.Process().memory_full_info().uss,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        (folder / str(processes.rank)).write_text(json.dumps(found))


if __name__ == "__main__":
    main()

"""Measure the seconds of a sweep of `bayes` as the ratings grow, beside the multiplications that its docstring counts.

    python benchmarks/sampling.py            print the table
    python benchmarks/sampling.py --write    also put it into docs/benchmarks.md

The ratings are synthetic, in the shape of MovieLens 25M (`cftui data synth ml-25m`): all of them, a random quarter and
a random sixteenth, with the same users and items. Each size runs in its own process, whose peak memory is shown.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from markdown import put, table

from cftui.data.splits import split
from cftui.engine import device
from cftui.engine.fitting import Hooks
from cftui.engine.models.recipes import recipe
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

DATA = "synth-ml-25m"
SHARES = (16, 4, 1)
SWEEPS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factors", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("--share", type=int, help="measure one size and print it as JSON")
    arguments = parser.parse_args()
    if arguments.share:
        print(json.dumps(measure(arguments.share, arguments.factors, arguments.device)))
        return
    found = []
    for share in SHARES:
        command = [sys.executable, __file__, "--factors", str(arguments.factors), "--device", arguments.device]
        done = subprocess.run([*command, "--share", str(share)], check=True, stdout=subprocess.PIPE)
        found.append(json.loads(done.stdout))
        print(found[-1], file=sys.stderr)
    first = found[0]
    rows = [
        [
            f"{one['ratings']:,}",
            f"{one['multiplications'] / 1e9:.2f} G",
            f"{one['multiplications'] / first['multiplications']:.1f}",
            f"{one['seconds']:.2f} s",
            f"{one['seconds'] / first['seconds']:.1f}",
            f"{one['start']:.1f} s",
            f"{one['peak'] / 2**30:.1f} GB",
        ]
        for one in found
    ]
    header = [
        "training ratings",
        "multiplications",
        "times the first",
        "a sweep",
        "times the first",
        "before it",
        "peak",
    ]
    where = device.describe(device.choose(arguments.device))
    note = f"k {arguments.factors}; torch {torch.__version__}, {where}; `python benchmarks/sampling.py --write`."
    text = f"{table(header, rows)}\n\n{note}"
    print(text)
    if arguments.write:
        put("sampling", text)


def measure(share: int, factors: int, where: str) -> dict[str, float]:
    """Return the median seconds of a sweep without the first one, the seconds of the set-up, and the peak bytes."""
    home, chosen = Home.find(), recipe("bayes")
    ratings = open_ratings(home, DATA)
    whole = split(ratings, "random", 0)
    kept = np.random.default_rng(0).random(len(whole.train)) * share < 1
    part = replace(whole, train=whole.train[kept])
    start = time.perf_counter()
    chain = fitter_for(chosen, chosen.options(epochs=SWEEPS, factors=factors), ratings, part, device.choose(where))
    started = time.perf_counter() - start
    seconds: list[float] = []
    chain.fit(Hooks(emit=lambda event: seconds.append(event["seconds"]) if event["event"] == "epoch" else None))
    n, d = chain.train_size, factors + 1
    rows = len(ratings.users) + len(ratings.items)
    model: Any = chain.model
    features = sum(prior.implicit.shape[1] + prior.side.shape[1] for prior in (model.user_prior, model.item_prior)) / 2
    work = 2 * n * (d * (d + 1) / 2 + 2 * d) + rows * (d**3 / 3 + 2 * features * d)
    return {
        "ratings": n,
        "multiplications": work,
        "seconds": statistics.median(seconds[1:]),
        "start": started,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


if __name__ == "__main__":
    main()

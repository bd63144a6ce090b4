"""Measure `ials` and everybody's lists on 25 million ratings, beside implicit at the same number of factors.

    python benchmarks/choices.py            print the tables
    python benchmarks/choices.py --write    also put them into docs/benchmarks.md

The ratings are synthetic, in the shape of MovieLens 25M (`cftui data synth ml-25m`). Each row is a process of its own,
whose peak memory is shown. Seconds are those of a sweep over all users and items, the median of ``SWEEPS``; validation
is not counted. implicit is run if it is installed: pip install implicit

Both libraries end with the same weighted objective up to the scale of the factors, but regularise differently; so the
loss of each is compared with what it has itself come to after the last sweep: ``sweeps to 1 %`` is the first sweep at
which the loss is within a hundredth of that, and the seconds to get there.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markdown import put, table

from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.fitting import Hooks
from cftui.engine.models.recipes import recipe
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

DATA = "synth-ml-25m"
CPU = torch.device("cpu")
SWEEPS, LISTED = 8, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--one", choices=ROWS, help="measure one row and print it as JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(ROWS[arguments.one](arguments.factors)))
        return
    found: dict[str, dict[str, float]] = {}
    for name in ROWS:
        command = [sys.executable, __file__, "--factors", str(arguments.factors), "--one", name]
        # As implicit asks for: its own threads would get in the way of BLAS's.
        quiet = {"OPENBLAS_NUM_THREADS": "1"} if name.startswith("implicit") else {}
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False, env={**os.environ, **quiet})
        if done.returncode:
            print(f"{name}: left out (is it installed?)", file=sys.stderr)
            continue
        found[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, found[name], file=sys.stderr, flush=True)
    fits = [
        [
            name,
            f"{one['seconds']:.1f} s",
            f"{one['to_loss']:.0f}",
            f"{one['to_loss'] * one['seconds']:.0f} s",
            f"{one['memory'] / 1e9:.2f} GB",
        ]
        for name, one in found.items()
        if "seconds" in one
    ]
    writes = [
        [name, f"{one['users_per_second']:,.0f}", f"{one['memory'] / 1e9:.2f} GB"]
        for name, one in found.items()
        if "users_per_second" in one
    ]
    fitting = table(["fitting", "a sweep", "sweeps to 1 %", "seconds to 1 %", "peak memory"], fits)
    listing = table([f"lists of {LISTED}", "users a second", "peak memory"], writes)
    print(f"{fitting}\n\n{listing}")
    if arguments.write:
        put("choices", f"{arguments.factors} factors:\n\n{fitting}\n\n{listing}")


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def settled(losses: list[float]) -> int:
    """The first sweep, from 1, whose loss is within a hundredth of the last one's."""
    return 1 + next(at for at, loss in enumerate(losses) if loss <= 1.01 * losses[-1])


def ials(factors: int) -> dict[str, float]:
    ratings = open_ratings(Home.find(None), DATA)
    row = recipe("ials")
    fitter = fitter_for(row, row.options(factors=factors, sweeps=SWEEPS), ratings, split(ratings, "random"), CPU)
    events: list[Any] = []
    fitter.fit(Hooks(emit=events.append))
    epochs = [event for event in events if event["event"] == "epoch"]
    seconds = [fitter.train_size / event["ratings_per_second"] for event in epochs]
    losses = [event["train_loss"] for event in epochs]
    return {"seconds": statistics.median(seconds), "to_loss": settled(losses), "memory": peak()}


def of_implicit(use_cg: bool) -> Callable[[int], dict[str, float]]:
    def measure(factors: int) -> dict[str, float]:
        import implicit

        ratings = open_ratings(Home.find(None), DATA)
        rows = observed(ratings)
        seconds: list[float] = []
        losses: list[float] = []

        def fit(calculate_training_loss: bool, callback: Callable[[int, float, float], None]) -> None:
            model = implicit.als.AlternatingLeastSquares(
                factors=factors,
                iterations=SWEEPS,
                alpha=2.5,
                regularization=1.0,
                use_cg=use_cg,
                calculate_training_loss=calculate_training_loss,
                random_state=0,
            )
            model.fit(rows, show_progress=False, callback=callback)

        # Its seconds hold the time that the loss takes, so they are those of a second fit without it.
        fit(True, lambda _, elapsed, loss: losses.append(loss))
        fit(False, lambda _, elapsed, loss: seconds.append(elapsed))
        return {"seconds": statistics.median(seconds), "to_loss": settled(losses), "memory": peak()}

    return measure


def observed(ratings: Ratings) -> Any:
    from scipy import sparse

    train = split(ratings, "random").train
    ones = np.ones(len(train), np.float32)
    shape = len(ratings.users), len(ratings.items)
    rows = sparse.csr_matrix((ones, (ratings.user[train], ratings.item[train])), shape=shape)
    rows.data[:] = 1
    return rows


def our_lists(factors: int) -> dict[str, float]:
    """Time our lists from random factors: how good a list is does not change what it costs."""
    from cftui.analysis import everybody
    from cftui.analysis.trained import TrainedModel

    ratings = open_ratings(Home.find(None), DATA)
    row = recipe("ials")
    options = row.options(factors=factors, sweeps=1)
    fitter = fitter_for(row, options, ratings, split(ratings, "none"), CPU)
    fitter.model.items = torch.randn(len(ratings.items), factors)
    model = TrainedModel.fitted(fitter.model, row, options, ratings, name="ials", valid_loss=None, device="cpu")
    wanted = everybody.Wanted(np.unique(ratings.user), LISTED, np.arange(len(ratings.items)) > 0)
    _ = ratings.by_user
    del fitter
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        everybody.write_lists(model, ratings, wanted, Path(folder) / "lists.csv")
        seconds = time.perf_counter() - start
    return {"users_per_second": len(wanted.users) / seconds, "memory": peak()}


def their_lists(factors: int) -> dict[str, float]:
    import implicit

    ratings = open_ratings(Home.find(None), DATA)
    rows = observed(ratings)
    model = implicit.als.AlternatingLeastSquares(factors=factors)
    random = np.random.default_rng(0)
    model.user_factors = random.standard_normal((len(ratings.users), factors), np.float32)
    model.item_factors = random.standard_normal((len(ratings.items), factors), np.float32)
    users = np.unique(ratings.user)
    start = time.perf_counter()
    for at in range(0, len(users), 1000):
        some = users[at : at + 1000]
        model.recommend(some, rows[some], N=LISTED, filter_already_liked_items=True)
    return {"users_per_second": len(users) / (time.perf_counter() - start), "memory": peak()}


ROWS: dict[str, Callable[[int], dict[str, float]]] = {
    "cftui `ials`": ials,
    "implicit ALS, exact": of_implicit(use_cg=False),
    "implicit ALS, three CG steps": of_implicit(use_cg=True),
    "cftui `recommend --users all`, to a CSV": our_lists,
    "implicit `recommend`, in memory": their_lists,
}


if __name__ == "__main__":
    main()

"""Compare ``bayes`` with other recipes and other libraries on the same splits of MovieLens 100K.

    python benchmarks/bayes.py            print the tables
    python benchmarks/bayes.py --write    also put them into docs/benchmarks.md

The splits are u1 to u5 and the random splits of seeds 0 to 4. Validation ratings are used for scoring only. The only
setting of the sampler, its number of factors, can be chosen on the training ratings: `cftui sweep bayes --split u1`.
Other libraries are run if they are installed (peers.py). The seconds are those of fitting u1.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import statistics
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from markdown import put, table
from peers import peers

from cftui.data.ratings import Ratings
from cftui.data.splits import Split, official_folds, split
from cftui.engine import device, metrics
from cftui.engine.bayes.chain import Chain
from cftui.engine.models.recipes import recipe
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

# The tuned weight decays come from the training ratings (sweep.py). All other settings are the chapter's.
OURS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("`model4`, the chapter's", "model4", {}),
    ("`model4`, tuned decay", "model4", {"wd": 0.2, "wd_bias": 0.02}),
    ("`hybrid`", "hybrid", {}),
    ("`bayes`, neither sets nor side information", "bayes", {"implicit": False, "side": False}),
    ("**`bayes`**", "bayes", {}),
    ("**`bayes --factors 32 --sweeps 500`**", "bayes", {"factors": 32, "epochs": 500}),
)
# Published RMSE on u1, with the source.
PUBLISHED = (
    ("GC-MC with side information", "0.905", "van den Berg, Kipf and Welling 2017, arXiv:1706.02263"),
    ("GLocal-K", "0.8889", "Han et al. 2021, arXiv:2108.12184"),
    ("GHRS", "0.887", "Darban and Valipour 2022, arXiv:2111.11293"),
    ("myFM's ordered probit, with side information and dates", "0.8808", "myFM's MovieLens 100K notebook"),
)
# The validation ratings are divided into this many parts of equal size by their predicted standard deviation.
PARTS = 5

Fitted = tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None, float]
"""Predictions ``[n]`` of the validation ratings; centres and standard deviations of their intervals; seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args()
    ratings, where = open_ratings(Home.find(), "ml-100k"), device.choose(arguments.device)
    splits = [(part, 0) for part in official_folds(ratings)]
    splits += [(split(ratings, "random", seed), seed) for seed in range(5)]

    rows, calibration = [], []
    for title, name, given in OURS:

        def fit(ratings: Ratings, part: Split, seed: int, name: str = name, given: dict = given) -> Fitted:
            return _ours(name, {**given, "seed": seed}, ratings, part, where)

        row, squares = measure(title, fit, ratings, splits)
        rows.append(row)
        if title == "**`bayes`**":
            calibration = squares
    for title, one in peers():
        fit_peer = _quietly(one)
        rows.append(measure(title, fit_peer, ratings, splits)[0])
    header = ["run here", "RMSE on u1", "u1 to u5", "mean", "MSE, five random splits", "90 % intervals hold", "fitting"]
    tables = [
        table(header, rows),
        table(["published", "RMSE on u1", "source"], PUBLISHED),
        table(["fifth of u1 to u5, by predicted sd", "mean sd", "RMSE", "90 % intervals hold"], calibration),
    ]
    note = f"torch {torch.__version__}, {device.describe(where)}; `python benchmarks/bayes.py --write`."
    text = "\n\n".join([*tables, note])
    print(text)
    if arguments.write:
        put("bayes", text)


def measure(
    title: str, fit: Callable[[Ratings, Split, int], Fitted], ratings: Ratings, splits: list[tuple[Split, int]]
) -> tuple[list[str], list[list[str]]]:
    """Return a row of the table, and the rows of the calibration over all official folds (none without intervals)."""
    scores, covers, seconds, errors, sds = [], [], [], [], []
    for part, seed in splits:
        predicted, interval, took = fit(ratings, part, seed)
        error = predicted - ratings.rating[part.valid]
        scores.append(float(np.square(error, dtype=np.float64).mean()))
        seconds.append(took)
        if interval is not None:
            centre, sd = interval
            errors.append(centre - ratings.rating[part.valid])
            sds.append(sd)
            covers.append(_covered(errors[-1], sd))
        print(f"{title} {part.name}: RMSE {math.sqrt(scores[-1]):.4f} in {took:.1f} s", file=sys.stderr)
    official = [math.sqrt(score) for score in scores[:5]]
    row = [
        title,
        f"{official[0]:.4f}",
        " ".join(f"{score:.4f}"[1:] for score in official),
        f"{statistics.mean(official):.4f}",
        f"{statistics.mean(scores[5:]):.4f}",
        f"{min(covers[:5]):.1%} to {max(covers[:5]):.1%}" if covers else "",
        f"{seconds[0]:.1f} s",
    ]
    return row, _calibration(np.concatenate(errors[:5]), np.concatenate(sds[:5])) if sds else []


def _covered(error: np.ndarray, sd: np.ndarray) -> float:
    return float((np.abs(error) <= statistics.NormalDist().inv_cdf(0.95) * sd).mean())


def _calibration(error: np.ndarray, sd: np.ndarray) -> list[list[str]]:
    order = np.argsort(sd, kind="stable")
    rows = []
    for number, which in enumerate(np.array_split(order, PARTS), 1):
        rmse = math.sqrt(np.square(error[which], dtype=np.float64).mean())
        rows.append([str(number), f"{sd[which].mean():.3f}", f"{rmse:.3f}", f"{_covered(error[which], sd[which]):.1%}"])
    return rows


def _ours(name: str, given: dict, ratings: Ratings, part: Split, where: torch.device) -> Fitted:
    chosen = recipe(name)
    trainer = fitter_for(chosen, chosen.options(**given), ratings, part, where)
    trainer.fit()
    user, item = (torch.from_numpy(column[part.valid]) for column in (ratings.user, ratings.item))
    model = trainer.model.to("cpu")
    if not isinstance(trainer, Chain):
        return metrics.predict(model, user, item).numpy(), None, trainer.elapsed
    # Use the draws that were kept, as a run folder does, and not all draws of the chain.
    rows = trainer.model.user_rows(user)
    centre, sd, _ = trainer.model.moments(rows, item)
    return trainer.model.rate(rows, item).numpy(), (centre.numpy(), sd.numpy()), trainer.elapsed


def _quietly(one: Callable[[Ratings, Split], tuple[np.ndarray, float]]) -> Callable[[Ratings, Split, int], Fitted]:
    def fit(ratings: Ratings, part: Split, seed: int) -> Fitted:
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            predicted, seconds = one(ratings, part)
        return predicted, None, seconds

    return fit


if __name__ == "__main__":
    main()

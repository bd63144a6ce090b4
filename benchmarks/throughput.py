"""Measure ``model4`` on ratings in the shape of ML-25M: its speed, its memory, and its RMSE above the lowest possible.

    python benchmarks/throughput.py                        one epoch at each batch size, then the accuracy run
    python benchmarks/throughput.py --bs 131072 --no-accuracy
    python benchmarks/throughput.py --data synth-ml-1m --write

Each line is a separate process that opens the data set, splits it, trains and validates. Ratings/s is the best epoch of
the line, as the trainer reports it: with the shuffle and without the validation. "With validation" is the whole epoch.
Peak memory is that of the process (``getrusage``), libraries included. The data set is made first (``cftui data
synth``) if CFTUI_HOME does not have it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from markdown import put, table

from cftui.data.store import catalog
from cftui.data.synth import shapes
from cftui.home import Home

BATCHES = (8_192, 32_768, 131_072)
# These settings bring model4 within 10 % of the floor. The chapter's settings are for batches of 64.
ACCURACY = {"bs": 131_072, "epochs": 3, "lr": 0.05, "wd": 0.1, "factors": 50}


@dataclass(frozen=True)
class Line:
    """The measurements of one process."""

    options: dict[str, Any]
    rate: float
    rate_with_validation: float
    seconds_to_open: float
    peak_gb: float
    rmse: float
    floor: float

    def cells(self) -> list[str]:
        settings = "{bs:,} | {epochs} | {lr:g} | {wd:g} | {factors}".format(**self.options).split(" | ")
        return [
            *settings,
            f"{self.rate / 1e6:.2f} M",
            f"{self.rate_with_validation / 1e6:.2f} M",
            f"{self.seconds_to_open:.1f} s",
            f"{self.peak_gb:.2f} GB",
            f"{self.rmse:.4f}",
            f"{self.rmse / self.floor - 1:+.1%}",
        ]


HEADER = (
    *("batch", "epochs", "lr", "wd", "factors", "ratings/s", "with validation", "open + split"),
    *("peak memory", "RMSE", "over the floor"),
)


def measure(data: str, settings: dict[str, Any]) -> Line:
    """Train in a child process. Raises CalledProcessError if it fails."""
    command = [sys.executable, __file__, "--data", data, "--child", json.dumps(settings)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Line(**json.loads(done.stdout.splitlines()[-1]))


def train(data: str, settings: dict[str, Any]) -> Line:
    """Train in this process and measure it."""
    import torch

    from cftui.data.splits import split
    from cftui.data.synth.generate import read_facts
    from cftui.engine.fitting import Hooks
    from cftui.engine.gradient.method import GradientOptions
    from cftui.engine.gradient.trainer import Trainer
    from cftui.engine.models.recipes import recipe
    from cftui.engine.training import open_ratings

    home, options = Home.find(), recipe("model4").options(**settings)
    assert isinstance(options, GradientOptions)
    floor = read_facts(catalog.find(data, home).folder)["floor"]
    start = time.perf_counter()
    ratings = open_ratings(home, data)
    trainer = Trainer(recipe("model4"), options, ratings, split(ratings, "random", options.seed), torch.device("cpu"))
    opened = time.perf_counter() - start
    epochs: list[dict[str, Any]] = []

    def note(event: Any) -> None:
        if event["event"] == "epoch":
            epochs.append(event)

    trainer.fit(Hooks(emit=note))
    trained = trainer.steps_per_epoch * options.bs
    return Line(
        options=settings,
        rate=max(event["ratings_per_second"] for event in epochs),
        rate_with_validation=trained / min(event["seconds"] for event in epochs),
        seconds_to_open=opened,
        peak_gb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        rmse=epochs[-1]["rmse"],
        floor=floor,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="synth-ml-25m")
    parser.add_argument("--bs", type=int, nargs="*", default=list(BATCHES))
    for name, value in ACCURACY.items():
        if name != "bs":
            parser.add_argument(f"--{name}", type=type(value), default=value, help="setting of the accuracy run")
    parser.add_argument("--accuracy-bs", type=int, default=ACCURACY["bs"])
    parser.add_argument("--no-accuracy", action="store_true", help="run only the lines of one epoch")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(vars(train(arguments.data, json.loads(arguments.child)))))
        return

    home = Home.find()
    if not catalog.find(arguments.data, home).is_present:
        from cftui.data.synth import generate as synth

        synth.make(arguments.data.removeprefix(shapes.PREFIX), home, say=lambda line: print(line, file=sys.stderr))
    chosen = {name: getattr(arguments, name) for name in ACCURACY if name != "bs"}
    wanted = [{**chosen, "bs": bs, "epochs": 1} for bs in arguments.bs]
    if not arguments.no_accuracy:
        wanted.append({**chosen, "bs": arguments.accuracy_bs})
    rows = []
    for settings in wanted:
        rows.append(measure(arguments.data, settings).cells())
        print(" | ".join(rows[-1]), file=sys.stderr)
    text = table(HEADER, rows)
    print(text)
    if arguments.write:
        put("throughput", text)


if __name__ == "__main__":
    main()

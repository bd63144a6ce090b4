"""Measure how long it takes to read, show and redraw the log of a run of ten million batches.

    python benchmarks/long_log.py [--epochs 8000] [--batches 1250]

The log has the form that the trainer writes for this length: 400 windows of batch losses and a line per epoch.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from markdown import table
from textual.widgets import DataTable

from cftui.engine.gradient.trainer import WINDOWS
from cftui.engine.models.recipes import recipe
from cftui.engine.runs.config import DataFacts, RunConfig
from cftui.engine.runs.events import Event, EventWriter, read_history
from cftui.engine.runs.folder import RunFolder, created, process_identity
from cftui.home import Home
from cftui.tui.main import CftuiApp
from cftui.tui.train.loss_chart import LossChart


def write_log(run: RunFolder, epochs: int, batches: int) -> None:
    steps = epochs * batches
    facts: Any = {"run": run.name, "recipe": "model4", "epochs": epochs, "steps": steps, "steps_per_epoch": batches}
    with EventWriter(run.events_file) as log:
        log.write({"event": "start", **facts, "batch_size": 64, "device": "cpu", **process_identity()})
        log.write({"event": "baselines", "global_mean": 1.27, "bias_only": 0.9, "item_knn": 0.84})
        window, done = steps // WINDOWS, 0
        for epoch in range(epochs):
            end = (epoch + 1) * batches
            while done + window <= end:
                done += window
                loss = 0.8 + 0.4 * window / done
                scores: Any = {"loss": loss, "mean": loss, "min": loss * 0.6, "max": loss * 1.5, "lr": 5e-3}
                log.write(
                    cast(Event, {"event": "window", "step": done, "epoch": epoch, **scores, "elapsed": done / 4000})
                )
            scored: Any = {"train_loss": 0.8, "valid_loss": 0.82 + 0.1 / (epoch + 1), "rmse": 0.91, "mae": 0.7}
            pace: Any = {"seconds": batches / 4000, "elapsed": end / 4000, "ratings_per_second": 250_000.0}
            log.write(cast(Event, {"event": "epoch", "epoch": epoch, "step": end, **scored, **pace}))
        log.write({"event": "done", "run": run.name, "step": steps, "epochs": epochs, "valid_loss": 0.82})


def make(home: Home, name: str, epochs: int, batches: int = 1_250, data: str = "ml-100k") -> RunFolder:
    """Make a run that has such a log, and no model."""
    row = recipe("model4")
    facts = DataFacts(data, "movie", "", 100_000, (1.0, 5.0), (1.0, 2.0, 3.0, 4.0, 5.0), 80_000, 20_000)
    config = RunConfig(name, "", row, row.options(), facts, row.fitting.revision, "cpu", {})
    with created(home, config, {}) as run:
        pass
    write_log(run, epochs, batches)
    return run


async def show(home: Home, epochs: int) -> tuple[float, float]:
    """Return the seconds from the key that opens Train to its filled table, and those of one redraw of the chart."""
    app = CftuiApp(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.5)
        app.follow("long")
        start = time.perf_counter()
        await pilot.press("2")
        while not app.screen.query("#epochs") or not app.screen.query_one("#epochs", DataTable).row_count:
            await pilot.pause(0.005)
        opened = time.perf_counter() - start
        chart = app.screen.query_one(LossChart)
        start = time.perf_counter()
        chart.render()
        return opened, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8_000)
    parser.add_argument("--batches", type=int, default=1_250)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch))
        run = make(home, "long", arguments.epochs, arguments.batches)
        start = time.perf_counter()
        events = read_history(run.events_file)
        read = time.perf_counter() - start
        opened, drawn = asyncio.run(show(home, arguments.epochs))
        rows = [
            ["batches", f"{arguments.epochs * arguments.batches:,}"],
            ["log", f"{run.events_file.stat().st_size / 1e6:.1f} MB, {len(events.windows):,} windows"],
            ["reading it", f"{read:.2f} s"],
            ["key to the Train screen filled", f"{opened:.2f} s"],
            ["one redraw of the chart", f"{drawn * 1000:.0f} ms"],
        ]
        print(table(["what", "measured"], rows))


if __name__ == "__main__":
    main()

"""Weights & Biases, offline: a folder that ``wandb sync`` uploads. The folder of an earlier export is replaced."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import wandb

from cftui.analysis.trackers.series import Series

PROJECT = "cftui"


def write(series: Series, folder: Path) -> Path:
    """Write ``offline-run-TIME-ID`` into the folder called wandb, which is ``folder`` or in it, and return it."""
    number = hashlib.sha256(series.id.encode()).hexdigest()[:12]
    # wandb puts a folder called wandb into the one that it is given.
    outside = folder.parent if folder.name == "wandb" else folder
    earlier = set((outside / "wandb").glob(f"offline-run-*-{number}*"))
    run = wandb.init(
        mode="offline",
        dir=str(outside),
        project=PROJECT,
        name=series.run,
        id=number,
        config=dict(series.settings),
        settings=wandb.Settings(silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True),
    )
    written = Path(run.dir).parent
    for step, figures in series.by_step.items():
        # What wandb shows as the time of a step; its own is that of the export.
        run.log({**figures, "_timestamp": series.times[step]}, step=step)
    run.summary.update({**series.summary, "status": series.status})
    run.finish(exit_code=0 if series.status in ("done", "stopped") else 1)
    # The process behind it writes the last records when it ends.
    wandb.teardown()
    for path in earlier - {written}:
        shutil.rmtree(path, ignore_errors=True)
    return written

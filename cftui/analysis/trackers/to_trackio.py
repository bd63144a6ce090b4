"""Trackio: a run in the project cftui of its local database. The run that an earlier export made is deleted.

Written with trackio 0.43: ``SQLiteStorage`` takes the time of each step, which ``trackio.log`` does not.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from cftui.analysis.trackers.series import Series

PROJECT = "cftui"


def write(series: Series, folder: Path) -> Path:
    """Write the run into the database in ``folder``, and return the folder."""
    # Read when the package is imported.
    os.environ["TRACKIO_DIR"] = str(folder)
    from trackio import SQLiteStorage

    SQLiteStorage.delete_run(PROJECT, series.run)
    steps = list(series.by_step)
    times = [datetime.datetime.fromtimestamp(series.times[step], datetime.UTC).isoformat() for step in steps]
    figures = [dict(series.by_step[step]) for step in steps]
    if figures:
        figures[-1] |= series.summary
    config = {**series.settings, "cftui_id": series.id, "status": series.status}
    SQLiteStorage.bulk_log(PROJECT, series.run, figures, steps=steps, timestamps=times, config=config)
    return folder

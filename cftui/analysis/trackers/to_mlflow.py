"""MLflow: a run in an experiment called cftui. The run that an earlier export made is deleted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from cftui.analysis.trackers.series import Series

EXPERIMENT = "cftui"
# The tag by which an earlier export of the same run is found.
TAG = "cftui.id"
# The most figures that one request may have.
BATCH = 1000
STATUSES = {"done": "FINISHED", "stopped": "KILLED", "failed": "FAILED", "dead": "FAILED"}


def write(series: Series, folder: Path) -> Path:
    """Write the run into the store in ``folder``, or where ``MLFLOW_TRACKING_URI`` points; return the folder."""
    # MLflow 3 wants to be told that a folder, and no database, is meant.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or folder.as_uri())
    experiment = _experiment(client)
    earlier = client.search_runs([experiment], filter_string=f"tags.`{TAG}` = '{series.id}'")
    started = _milliseconds(series.begun)
    run = client.create_run(experiment, start_time=started, run_name=series.run, tags={TAG: series.id})
    number = run.info.run_id
    settings = [Param(name, str(value)) for name, value in series.settings.items()]
    client.log_batch(number, params=settings, tags=[RunTag("cftui.status", series.status)])
    metrics = [Metric(name, value, _milliseconds(time), step) for name, step, value, time in _figures(series)]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(number, metrics=metrics[start : start + BATCH])
    if series.status in STATUSES:
        ended = max((metric.timestamp for metric in metrics), default=started)
        client.set_terminated(number, STATUSES[series.status], end_time=ended)
    for one in earlier:
        client.delete_run(one.info.run_id)
    return folder


def _experiment(client: Any) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    return str(found.experiment_id if found else client.create_experiment(EXPERIMENT))


def _figures(series: Series) -> list[tuple[str, int, float, float]]:
    last = series.points[-1] if series.points else None
    step, time = (last.step, last.time) if last else (0, series.begun)
    return [*series.points, *((name, step, value, time) for name, value in series.summary.items())]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)

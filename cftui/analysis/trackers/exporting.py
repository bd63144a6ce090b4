"""Writing a run for an experiment tracker. Each needs a package of its own, which an extra installs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from cftui.analysis.trackers.series import Series, read_series
from cftui.engine.runs.folder import RunFolder
from cftui.errors import missing_library


class Tracker(NamedTuple):
    """A tracker.

    Attributes:
        package: what has to be importable.
        folder: where its files go by default, below the current folder.
    """

    package: str
    folder: str


TRACKERS: Mapping[str, Tracker] = {
    "tensorboard": Tracker("tensorboard", "tensorboard"),
    "mlflow": Tracker("mlflow", "mlruns"),
    "wandb": Tracker("wandb", "wandb"),
    "trackio": Tracker("trackio", "trackio"),
}


def export_run(run: RunFolder, form: str, folder: Path | None = None) -> Path:
    """Write the settings and the event log of a run for a tracker; what an earlier call wrote of it is replaced.

    Args:
        form: a key of ``TRACKERS``.
        folder: where the tracker keeps its files [default: the tracker's, in the current folder].

    Returns:
        Where the run is.

    Raises:
        CftuiError: the package is not installed, or the run cannot be read.
        OSError: the folder is not writable.
    """
    tracker = TRACKERS[form]
    if find_spec(tracker.package) is None:
        raise missing_library(f"--format {form}", tracker.package, form)
    write: Callable[[Series, Path], Path] = import_module(f"cftui.analysis.trackers.to_{form}").write
    target = (folder or Path(tracker.folder)).absolute()
    target.mkdir(parents=True, exist_ok=True)
    return write(read_series(run), target)

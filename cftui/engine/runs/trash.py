"""Removed runs: they wait in ``models/.trash`` until they are restored or the trash is emptied.

A run is removed and restored by renaming its folder, so it is always whole in one of the two places. The name of a
folder in the trash is the run's name and the time of its removal: ``model4-7f3a~20261130-210512-048213``.
"""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cftui.engine.runs.folder import LIVE, RunFolder
from cftui.errors import CftuiError, several, suggestion
from cftui.home import Home

_TIME = "%Y%m%d-%H%M%S-%f"
# A folder of the trash with this prefix is being deleted for good.
_DELETING = ".deleting-"


@dataclass(frozen=True)
class RemovedRun:
    """A run in the trash."""

    name: str
    removed: datetime.datetime
    path: Path

    @property
    def bytes(self) -> int:
        """What it takes on disk."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())


def trash_folder(models: Path) -> Path:
    return models / ".trash"


def remove(run: RunFolder) -> RemovedRun:
    """Move a run to the trash.

    Raises:
        CftuiError: the run is being trained.
        OSError: the folder cannot be moved; it is where it was.
    """
    if run.status() in LIVE:
        raise CftuiError(f"run {run.name} is being trained; stop it first: cftui runs stop {run.name}")
    trash = trash_folder(run.path.parent)
    trash.mkdir(exist_ok=True)
    # A trainer that has only just started holds the lock before its log says that it lives.
    with run.lock():
        now = datetime.datetime.now()
        target = trash / f"{run.name}~{now:{_TIME}}"
        os.rename(run.path, target)
    return RemovedRun(run.name, now, target)


def removed_runs(home: Home) -> list[RemovedRun]:
    """The runs in the trash, the last removed first."""
    found = []
    with suppress(FileNotFoundError):
        for path in trash_folder(home.models).iterdir():
            name, _, time = path.name.partition("~")
            with suppress(ValueError):
                found.append(RemovedRun(name, datetime.datetime.strptime(time, _TIME), path))
    return sorted((run for run in found if not run.name.startswith(".")), key=lambda run: run.removed, reverse=True)


def find_removed(home: Home, wanted: str) -> RemovedRun:
    """A removed run by its name or a unique prefix of it; of several with the same name the last removed.

    Raises:
        CftuiError: none or several fit.
    """
    runs = removed_runs(home)
    names = list(dict.fromkeys(run.name for run in runs))
    fitting = [wanted] if wanted in names else [name for name in names if wanted and name.startswith(wanted)]
    if not fitting:
        hint = suggestion(wanted, names) if names else "the trash is empty"
        raise CftuiError(f"no removed run {wanted!r}", hint=hint, kind="unknown")
    if len(fitting) > 1:
        raise CftuiError(
            f"removed run {wanted!r} is ambiguous: {several(fitting)}", hint="give more letters", kind="ambiguous"
        )
    return next(run for run in runs if run.name == fitting[0])


def restore(removed: RemovedRun) -> RunFolder:
    """Move a removed run back to where it was.

    Raises:
        CftuiError: there is a run of this name again, or the removed run is gone.
    """
    target = removed.path.parent.parent / removed.name
    if target.exists():
        raise CftuiError(
            f"run {removed.name} cannot be restored: there is another run of this name",
            hint=f"rename that one first: cftui runs rename {removed.name} NAME",
        )
    try:
        os.rename(removed.path, target)
    except FileNotFoundError:
        raise CftuiError(f"run {removed.name} is no longer in the trash") from None
    return RunFolder(target)


def purge(home: Home, runs: Iterable[RemovedRun]) -> None:
    """Delete removed runs for good.

    Each is renamed first: what is half deleted when the process is killed cannot be restored, and goes with the next
    call.
    """
    trash = trash_folder(home.models)
    for run in runs:
        with suppress(FileNotFoundError):
            os.rename(run.path, trash / f"{_DELETING}{run.path.name}")
    for path in trash.glob(f"{_DELETING}*"):
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):  # it is not empty, or not there
        trash.rmdir()

"""The folders of the program: room, permissions, settings, who holds a lock, and whether the files are intact."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from cftui import settings
from cftui.cli.checkup.findings import Finding, State
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.text import plural

# A run of the smaller recipes on MovieLens 100K takes about 5 MB; one on 25 million ratings about 500.
FULL, SHORT = 100_000_000, 2_000_000_000


def folders(home: Home) -> Iterator[Finding]:
    places = {
        "data sets": home.data,
        "runs": home.models,
        "configuration": settings.config_file().parent,
        "state": settings.state_file().parent,
    }
    for what, path in places.items():
        yield _folder(what, path)
    yield _disk(home.root)


def _folder(what: str, path: Path) -> Finding:
    there = _existing(path)
    if not there.is_dir():
        return Finding(what, f"{there} is not a folder", "problem", f"move {there} away")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            what, f"{there} is not writable", "problem", f"chmod u+wx {there}, or choose another with --home"
        )
    return Finding(what, str(path) if there == path else f"{path} (not there yet)")


def _existing(path: Path) -> Path:
    """The path, or the nearest of its parents that exists."""
    return next((one for one in (path, *path.parents) if os.path.lexists(one)), Path("/"))


def _disk(root: Path) -> Finding:
    there = _existing(root)
    usage = shutil.disk_usage(there)
    says = f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free at {there}"
    state: State = "problem" if usage.free < FULL else "note" if usage.free < SHORT else "ok"
    advice = "" if state == "ok" else "make room: cftui runs trash --purge empties the trash"
    return Finding("disk", says, state, advice)


def configuration() -> Iterator[Finding]:
    path = settings.config_file()
    try:
        settings.Config.read(path)
    except CftuiError as error:
        yield Finding("config.toml", str(error), "problem", "correct that line")
    else:
        yield Finding("config.toml", "no mistakes found" if path.exists() else "not there: all defaults")
    bad = settings.set_aside(settings.state_file())
    if bad.exists():
        says = f"{bad} is a state file that could not be read"
        yield Finding("state", says, "note", f"the app began anew; delete {bad}")


def locks(home: Home) -> Iterator[Finding]:
    """The runs that are trained, the data sets that are written, and the runs that died."""
    from cftui.engine.runs.folder import all_runs

    held = []
    for run in all_runs(home):
        status = run.status()
        if run.is_locked():
            pid = (run.history().start or {}).get("pid")
            held.append(f"{run.name} ({status}, process {pid})")
        elif status == "dead":
            why = run.obituary(run.history())
            yield Finding(f"run {run.name}", f"dead: {why}", "note", f"cftui runs resume {run.name}")
    yield Finding("runs in training", ", ".join(held) or "none")
    writers = [f"{path.name[1:-5]} (process {pid})" for path in _lock_files(home) if (pid := _holder(path))]
    yield Finding("data sets being written", ", ".join(writers) or "none")


def _lock_files(home: Home) -> list[Path]:
    return sorted(home.data.glob(".*.lock")) if home.data.is_dir() else []


def _holder(path: Path) -> int | None:
    """The process that holds a lock file; None if nobody does: a later writer deletes the file."""
    from cftui.locks import lock

    try:
        with path.open("rb") as file:
            lock(file.fileno())
    except BlockingIOError:
        text = path.read_text(encoding="ascii", errors="replace")
        return int(text) if text.isdigit() else 0
    except OSError:
        return None
    return None


def intact(home: Home) -> Iterator[Finding]:
    """Every file of the data sets and the runs, compared with its checksum."""
    from cftui.engine.intact import examine

    sound = {"data set": 0, "run": 0}
    for one in examine(home):
        what = f"{one.kind} {one.name}"
        for problem in one.problems:
            yield Finding(what, problem, "problem", _remedy(home, one.kind, one.name))
        if one.unchecked:
            yield Finding(what, f"not compared: {one.unchecked}")
        elif not one.problems:
            sound[one.kind] += 1
    counts = " and ".join(plural(count, kind) for kind, count in sound.items())
    yield Finding("intact", counts)


def _remedy(home: Home, kind: str, name: str) -> str:
    if kind == "run":
        return f"train it again, and remove this one: cftui runs rm {name}"
    from cftui.data.store import catalog

    return catalog.find(name, home).known.remedy

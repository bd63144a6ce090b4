"""Run folders: what a training run leaves on disk, and finding them again.

run.json                recipe, hyper-parameters, data-set fingerprint, split, seed, device, versions
events.jsonl            what happened (see ``events``)
vocabulary.json         users, items and the items' titles, years, genres and rating counts
weights.safetensors     the trained model, written when training ends or is stopped
checkpoint.safetensors  what training resumes from, written after epochs, every half minute and at the end
snapshots/              the item factors after each epoch, for looking back
lists.json              how its lists of ten compare with popularity's, once that has been judged
point.json              how accurate and how novel its lists are beside the baselines', once that has been judged
heartbeat               touched about once a second by the trainer
train.log               what a detached trainer printed
notes.json              what a person wrote about the run (see ``notes``)
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import secrets
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from cftui import locks
from cftui.engine.models.method import LOSS, NDCG
from cftui.engine.runs.config import RunConfig, read_config
from cftui.engine.runs.events import History, Process, read_history
from cftui.engine.runs.verdict import Lists
from cftui.errors import CftuiError, several, suggestion
from cftui.files import rename_folder, write_json
from cftui.home import Home

# A trainer shows life once a second, but one step or validation pass may take long.
SILENCE_SECONDS = 60.0
# Whoever asks whether a run is locked holds the lock for a moment: a trainer waits that out.
LOCK_SECONDS = 0.2
LIVE = ("running", "stalled")
LATEST = "latest"
CUT = "its log has no beginning: it was cut or is damaged"
# How much of a dead trainer's log is worth reading.
LOG_BYTES = 4_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class RunFolder:
    """One folder under ``models/``; reading it raises CftuiError naming the file that is missing or damaged."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def config_file(self) -> Path:
        return self.path / "run.json"

    @property
    def events_file(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def vocabulary_file(self) -> Path:
        return self.path / "vocabulary.json"

    @property
    def weights_file(self) -> Path:
        return self.path / "weights.safetensors"

    @property
    def checkpoint_file(self) -> Path:
        return self.path / "checkpoint.safetensors"

    @property
    def snapshots_folder(self) -> Path:
        return self.path / "snapshots"

    @property
    def lists_file(self) -> Path:
        return self.path / "lists.json"

    @property
    def point_file(self) -> Path:
        return self.path / "point.json"

    @property
    def heartbeat_file(self) -> Path:
        return self.path / "heartbeat"

    @property
    def log_file(self) -> Path:
        return self.path / "train.log"

    @property
    def notes_file(self) -> Path:
        return self.path / "notes.json"

    def config(self) -> RunConfig:
        # A rename that was killed left the old name in the file.
        return replace(read_config(self.config_file), run=self.name)

    def history(self) -> History:
        return read_history(self.events_file)

    def status(self, history: History | None = None) -> str:
        """How the run stands.

        ``done``, ``stopped`` or ``failed`` as its log ends; else ``running``, ``stalled`` (its process is there but has
        not shown life for a minute) or ``dead`` (its process is gone).
        """
        history = history or self.history()
        if history.ending:
            return str(history.ending["event"])
        silent = self.seconds_silent()
        if history.start is None:
            # The beginning of the log may have been cut beneath a trainer that lives.
            if not self.is_locked():
                return "dead"
            return "running" if silent < SILENCE_SECONDS else "stalled"
        if history.start.get("host") != platform.node():
            return "running" if silent < SILENCE_SECONDS else "dead"
        if not is_alive(history.start):
            return "dead"
        return "running" if silent < SILENCE_SECONDS else "stalled"

    def failed_in_words(self) -> str:
        """What to say before an answer of a run that failed; empty if it did not."""
        history = self.history()
        if self.status(history) != "failed":
            return ""
        return f"run {self.name} failed ({self.obituary(history)}): its answers are of its last sound weights"

    def stamp(self) -> tuple[tuple[int, int], ...]:
        """Changes whenever the log, the description, the judged lists or the notes of the run do."""
        return tuple(map(_size_and_time, (self.events_file, self.config_file, self.lists_file, self.notes_file)))

    def lists(self) -> Lists | None:
        """How its lists were judged; None if that has not happened since it was last trained."""
        return Lists.read(self.lists_file) if self.is_kept(self.lists_file) else None

    def is_kept(self, path: Path) -> bool:
        """Whether a file that describes the trained run was written since it was last trained."""
        return path.exists() and _modified(path) >= _modified(self.events_file)

    def beat(self) -> None:
        """Show life. A full disk does not keep a trainer from working."""
        with suppress(OSError):
            self.heartbeat_file.touch()

    def seconds_silent(self) -> float:
        """Since the last sign of life: a heartbeat or an event."""
        return time.time() - max(_modified(self.heartbeat_file), _modified(self.events_file))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held by whoever writes the run's own files: who trains, removes or renames it.

        Raises:
            CftuiError: another process holds it, or the run was removed or renamed meanwhile.
        """
        path = self.path / "lock"
        gone = CftuiError(
            f"run {self.name} is gone: it was removed or renamed",
            hint="cftui runs lists all, and cftui runs trash those that were removed",
            kind="unknown",
        )
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o666)
        except FileNotFoundError:
            raise gone from None
        try:
            end = time.monotonic() + LOCK_SECONDS
            while not _locks(descriptor):
                if time.monotonic() > end:
                    raise CftuiError(f"run {self.name} is being trained already by another process")
                time.sleep(LOCK_SECONDS / 10)
            if not locks.is_at(descriptor, path):
                raise gone
            yield
        finally:
            os.close(descriptor)

    def forget(self) -> None:
        """Delete the folder of what never came to be a run, unless somebody is about to make it one."""
        with suppress(CftuiError, OSError), self.lock():
            if not self.config_file.exists():
                shutil.rmtree(self.path, ignore_errors=True)

    def is_locked(self) -> bool:
        """Whether a process trains the run, whatever its log says."""
        try:
            with (self.path / "lock").open("rb") as file:
                return not _locks(file.fileno())
        except OSError:
            return False

    def log_tail(self, lines: int = 5) -> list[str]:
        """Return the last lines of narration, and the error if there is one, that a detached trainer printed."""
        return [said for said, _ in self._log()][-lines:]

    def _log(self) -> list[tuple[str, bool]]:
        """The end of the log: each line as people read it, and whether it is the error that ended the trainer.

        A trainer that runs with ``--json`` writes one object a line. Other lines come from libraries, and from
        trainers of earlier versions.
        """
        try:
            text = self.log_file.read_bytes()[-LOG_BYTES:].decode(errors="replace")
        except OSError:
            return []
        found = []
        for line in filter(str.strip, text.splitlines()):
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            if not isinstance(entry, dict):
                found.append((line, False))
            elif isinstance(error := entry.get("error"), dict):
                found.append((str(error.get("message", "")), True))
            elif "progress" in entry:
                found.append((str(entry["progress"]), False))
        return found

    def obituary(self, history: History) -> str:
        """Why a run ended badly, in one line; empty where it did not."""
        if history.ending:
            return str(history.ending.get("reason", ""))
        errors = [said for said, is_error in self._log() if is_error]
        if errors:
            return errors[-1]
        if history.start is None:
            return CUT if self.events_file.exists() else "it never began"
        step = max((event["step"] for event in (*history.windows[-1:], *history.epochs[-1:])), default=0)
        life = max(_modified(self.heartbeat_file), _modified(self.events_file))
        seen = f", last seen {datetime.datetime.fromtimestamp(life):%Y-%m-%d %H:%M:%S}" if life else ""
        return f"process {history.start.get('pid')} is gone{seen} after batch {step:,}"


def _locks(descriptor: int) -> bool:
    """Lock a file until it is closed. False if another process holds it."""
    try:
        locks.lock(descriptor)
    except BlockingIOError:
        return False
    return True


def _size_and_time(path: Path) -> tuple[int, int]:
    """Bytes and nanoseconds since 1970, twice 0 for a file that does not exist."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _modified(path: Path) -> float:
    """Seconds since 1970, 0 for a file that is not (or no longer) there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def process_identity() -> Process:
    """What tells this process from a later one with the same number."""
    process = psutil.Process()
    return Process(pid=process.pid, process_started=process.create_time(), host=platform.node())


def is_alive(start: Process) -> bool:
    """Whether the process on this machine that wrote a start or resume event still runs."""
    try:
        process = psutil.Process(int(start["pid"]))
        same = abs(process.create_time() - float(start["process_started"])) < 2
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError, ValueError, TypeError, OverflowError):
        return False


def new_name(recipe: str, home: Home) -> str:
    while (home.models / (name := f"{recipe}-{secrets.token_hex(2)}")).exists():
        pass
    return name


@contextmanager
def created(home: Home, config: RunConfig, vocabulary: dict[str, Any]) -> Iterator[RunFolder]:
    """Make a run folder with its two descriptive files, or nothing at all, and hold its lock.

    Raises:
        CftuiError: the name is taken, also by a run that another process is about to begin, or is not a plain name.
    """
    _check_name(home, config.run)
    folder = RunFolder(home.models / config.run)
    # The folder itself may exist: whoever starts a detached trainer puts its log there first.
    existed = folder.path.exists()
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.lock():
        # Another process may have trained it meanwhile.
        _check_name(home, config.run)
        try:
            write_json(folder.vocabulary_file, vocabulary)
            write_json(folder.config_file, config.as_json())
        except BaseException:
            if not existed:
                shutil.rmtree(folder.path, ignore_errors=True)
            raise
        yield folder


def all_runs(home: Home) -> list[RunFolder]:
    """Every run folder, oldest first; folders without a ``run.json`` are not runs."""
    if not home.models.is_dir():
        return []
    found = [RunFolder(path) for path in home.models.iterdir() if (path / "run.json").is_file()]
    return sorted(found, key=lambda run: (_modified(run.config_file), run.name))


def find(home: Home, wanted: str) -> RunFolder:
    """A run by its name, a unique prefix of it, or ``latest``.

    Raises:
        CftuiError: none or several fit.
    """
    runs = all_runs(home)
    names = [run.name for run in runs]
    if wanted == LATEST:
        if not runs:
            raise CftuiError("no run yet", hint="train one with: cftui train model4", kind="unknown")
        return runs[-1]
    if wanted in names:
        return runs[names.index(wanted)]
    fitting = [run for run in runs if wanted and run.name.startswith(wanted)]
    if len(fitting) > 1:
        fit = several([run.name for run in fitting])
        raise CftuiError(f"run {wanted!r} is ambiguous: {fit}", hint="give more letters", kind="ambiguous")
    if not fitting:
        if (home.models / wanted).is_dir() and wanted:
            raise CftuiError(f"{home.models / wanted / 'run.json'}: no such file; the run folder is incomplete")
        raise CftuiError(f"no run {wanted!r}", hint=suggestion(wanted, names), kind="unknown")
    return fitting[0]


def _check_name(home: Home, name: str) -> None:
    if not _NAME.fullmatch(name) or name == LATEST:
        hint = f"use letters, digits, '.', '_' and '-', and not {LATEST!r}"
        raise CftuiError(f"run name {name!r} is not allowed", hint=hint, option="name")
    if (home.models / name / "run.json").exists():
        raise CftuiError(f"there is a run {name} already; choose another name or remove it: cftui runs rm {name}")


def rename(home: Home, run: RunFolder, name: str) -> RunFolder:
    """Rename a run, whole or not at all.

    Raises:
        CftuiError: the run is being trained, or the name is taken or is not a plain name.
        OSError: the disk is full or not writable; nothing has changed.
    """
    _check_name(home, name)
    with run.lock():
        if run.status() in LIVE:
            raise CftuiError(f"run {run.name} is being trained; rename it when it is done")
        renamed = RunFolder(home.models / name)
        if renamed.path.exists():
            raise CftuiError(f"{renamed.path} exists already", hint="choose another name")
        rename_folder(run.path, renamed.path, run.config_file.name, replace(run.config(), run=name).as_json())
    return renamed


def differences(first: RunFolder, second: RunFolder) -> list[dict[str, Any]]:
    """One row per setting or result in which two runs differ: ``what`` and a column per run, None where it has none.

    Losses have the digits of the epoch table.
    """

    def facts(run: RunFolder) -> dict[str, Any]:
        config, history = run.config(), run.history()
        best: Mapping[str, Any] = history.best or {}
        last: Mapping[str, Any] = history.ending or history.last or {}
        data = config.as_json()["data"]
        scores = {"valid_loss": LOSS.key, "NDCG@10": NDCG.key}
        losses = {name: last.get(key) for name, key in scores.items()}
        losses |= {f"best {name}": best.get(key) for name, key in scores.items()}
        return {
            "recipe": config.recipe.name,
            **config.settings(),
            **{f"data.{name}": value for name, value in data.items()},
            **{f"versions.{name}": value for name, value in config.versions.items()},
            "device": config.device,
            "epochs done": len(history.epochs),
            **{name: loss if loss is None else round(loss, 6) for name, loss in losses.items()},
            "best epoch": best.get("epoch"),
            "seconds": round(history.elapsed, 1),
        }

    left, right = facts(first), facts(second)
    names = [name for name in {**left, **right} if left.get(name) != right.get(name)]
    return [{"what": name, first.name: left.get(name), second.name: right.get(name)} for name in names]


def request_stop(run: RunFolder) -> None:
    """Ask the process that trains ``run`` to stop after the batch in hand.

    Raises:
        CftuiError: the run is not being trained, or not on this machine.
    """
    history = run.history()
    status = run.status(history)
    if status not in LIVE:
        raise CftuiError(f"run {run.name} is not being trained (status: {status})")
    if history.start is None:
        hint = f"see which process holds it: fuser {run.path / 'lock'}"
        raise CftuiError(f"run {run.name} is being trained, but {CUT}", hint=hint)
    if history.start.get("host") != platform.node():
        raise CftuiError(f"run {run.name} is trained on {history.start.get('host')}; stop it there")
    os.kill(int(history.start["pid"]), signal.SIGTERM)

"""Whether the files of data sets and runs are what was written: every file is read and compared with its checksum.

``DATA_CHECKS`` and ``RUN_CHECKS`` list what is checked; a new kind of file gets a function in one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from cftui.data import columns
from cftui.data.store import catalog
from cftui.data.store.catalog import DataSet
from cftui.engine.runs import weights
from cftui.engine.runs.config import read_json
from cftui.engine.runs.folder import RunFolder
from cftui.errors import CftuiError
from cftui.home import Home

# A data set without checksums is read and compared with its fingerprint, unless it has more bytes than this.
READ_BYTES = 50_000_000

Kind = Literal["data set", "run"]


@dataclass(frozen=True)
class Examined:
    """A data set or a run whose files were read.

    Attributes:
        problems: one line for each file that is damaged.
        unchecked: why its content could not be compared with anything; "" if it was.
    """

    kind: Kind
    name: str
    problems: tuple[str, ...] = ()
    unchecked: str = ""


class Unchecked(Exception):
    """There is nothing to compare a file with; the message says why."""


def examine(home: Home) -> Iterator[Examined]:
    """Read every file of the data sets on disk and of the runs in ``home``; yields each when it has been read."""
    for data_set in catalog.listed(home):
        if data_set.is_present:
            yield _examined("data set", data_set.name, [partial(check, data_set) for check in DATA_CHECKS])
    for run in _every_run(home):
        yield _examined("run", run.name, [partial(check, run) for check in RUN_CHECKS])


def _every_run(home: Home) -> list[RunFolder]:
    """All run folders, those whose ``run.json`` is missing included."""
    if not home.models.is_dir():
        return []
    folders = (RunFolder(path) for path in sorted(home.models.iterdir()) if path.is_dir() and path.name[0] != ".")
    return [run for run in folders if run.config_file.exists() or run.events_file.exists()]


def _examined(kind: Kind, name: str, checks: Sequence[Callable[[], Iterator[str]]]) -> Examined:
    problems, unchecked = [], ""
    for check in checks:
        try:
            problems += list(check())
        except Unchecked as reason:
            unchecked = str(reason)
        except (CftuiError, OSError) as error:
            problems.append(str(error))
    return Examined(kind, name, tuple(dict.fromkeys(problems)), unchecked)


def check_columns(data_set: DataSet) -> Iterator[str]:
    """The binary columns of an imported or synthetic set, and the tables beside them."""
    if (data_set.folder / columns.FACTS).exists():
        columns.check(data_set.folder, data_set.known.remedy)
        yield from columns.damaged_files(data_set.folder)


def check_published(data_set: DataSet) -> Iterator[str]:
    """A published set against the fingerprint that this program knows."""
    if (data_set.folder / columns.FACTS).exists():
        return
    size = sum(path.stat().st_size for path in data_set.folder.rglob("*") if path.is_file())
    if not data_set.known.fingerprint:
        raise Unchecked("it was published without a checksum of its files")
    if size > READ_BYTES:
        raise Unchecked(f"its files have {size / 1e6:,.0f} MB and no checksums")
    _ = data_set.tables
    yield from ()


def check_config(run: RunFolder) -> Iterator[str]:
    """``run.json``."""
    run.config()
    yield from ()


def check_vocabulary(run: RunFolder) -> Iterator[str]:
    """``vocabulary.json``."""
    vocabulary = read_json(run.vocabulary_file)
    missing = [name for name in ("users", "items", "item_table") if name not in vocabulary]
    yield from (f"{run.vocabulary_file}: {name} is missing" for name in missing)


def check_log(run: RunFolder) -> Iterator[str]:
    """``events.jsonl``."""
    history = run.history()
    if history.start is None:
        yield f"{run.events_file}: has no beginning: it is missing, was cut, or is damaged"


def check_tensors(run: RunFolder) -> Iterator[str]:
    """Weights, checkpoint and snapshots."""
    for path in _tensor_files(run):
        try:
            weights.check_file(path)
        except CftuiError as error:
            yield str(error)


def _tensor_files(run: RunFolder) -> list[Path]:
    files = [path for path in (run.weights_file, run.checkpoint_file) if path.exists()]
    return [*files, *weights.snapshots(run).values()]


DATA_CHECKS: tuple[Callable[[DataSet], Iterator[str]], ...] = (check_columns, check_published)
RUN_CHECKS: tuple[Callable[[RunFolder], Iterator[str]], ...] = (
    check_config,
    check_vocabulary,
    check_log,
    check_tensors,
)

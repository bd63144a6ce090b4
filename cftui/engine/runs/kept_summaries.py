"""The rows of the runs that have ended, kept beside them, so that a list of thousands need not read every log.

``models/.runs.json`` is only a cache: a row counts if the files of its run have the sizes and times that they had when
it was made, and a damaged file counts for nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cftui.engine.models.method import Criterion
from cftui.engine.runs.config import TrainedOn
from cftui.engine.runs.summaries import RunSummary
from cftui.engine.runs.verdict import Lists, Result
from cftui.files import check_ordinary, write_atomic
from cftui.home import Home
from cftui.version import __version__

# Sizes and times of change of the files that a row is made of.
Stamp = tuple[tuple[int, int], ...]
Rows = Mapping[str, tuple[Stamp, RunSummary]]
# Changes whenever a row says something else of the same files.
FORMAT = f"1 of cftui {__version__}"
# A list of fewer new runs is quick to make.
WORTH_KEEPING = 100


def cache_file(home: Home) -> Path:
    return home.models / ".runs.json"


def read_rows(home: Home) -> Rows:
    """The rows by the names of their runs; none if they were not kept, or the file is damaged or of another version."""
    with suppress(OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        check_ordinary(cache_file(home))
        head, _, body = cache_file(home).read_bytes().partition(b"\n")
        if head.decode() == _head(body):
            return {name: (_stamp(stamp), _summary(row)) for name, (stamp, row) in json.loads(body).items()}
    return {}


def write_rows(home: Home, rows: Rows) -> None:
    """Keep these rows. A home that is not writable does without."""
    # ``vars``, which makes no copies, takes a tenth of the time of ``asdict``.
    text = json.dumps(dict(rows), default=vars, ensure_ascii=False, separators=(",", ":"))
    body = text.encode(errors="surrogatepass")
    with suppress(OSError):
        write_atomic(cache_file(home), _head(body).encode() + b"\n" + body)


def _head(body: bytes) -> str:
    return f"{FORMAT} {hashlib.sha256(body).hexdigest()}"


def _stamp(value: list[list[int]]) -> Stamp:
    return tuple((size, time) for size, time in value)


def _summary(value: dict[str, Any]) -> RunSummary:
    for name in ("differs", "tags", "curve"):
        value[name] = tuple(value[name])
    if value["result"] is not None:
        value["result"] = _result(**value["result"])
    return RunSummary(**value)


def _result(*, trained_on: list[Any], score: dict[str, Any], lists: dict[str, Any] | None, **others: Any) -> Result:
    judged = None if lists is None else Lists(**lists)
    return Result(trained_on=TrainedOn(*trained_on), score=Criterion(**score), lists=judged, **others)

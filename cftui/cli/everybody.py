"""``cftui recommend --users``: lists for many users at once, to a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cftui.cli.output import INTERRUPTED_STATUS, narrate, print_json
from cftui.cli.verb import Session
from cftui.engine.interrupts import stop_requests
from cftui.errors import CftuiError
from cftui.text import plural

if TYPE_CHECKING:
    import numpy as np

    from cftui.analysis.trained import TrainedModel
    from cftui.data.ratings import Ratings

EVERYBODY = "all"


def recommend_to_file(
    session: Session,
    model: TrainedModel,
    ratings: Ratings,
    users: str,
    n: int,
    allowed: np.ndarray,
    *,
    among: Path | None,
    without: Path | None,
    seen: bool,
    target: Path,
) -> None:
    """Write the lists of ``users``, ``all`` or a file of ids, and say how long it took.

    Args:
        allowed: which items pass the filter, bool ``[items]``.
        among, without: files of item ids or titles, one a line, to choose from and to leave out.

    Raises:
        CftuiError: a file cannot be read or names somebody or something that is not known.
        click.exceptions.Exit: it was stopped; the same command goes on.
    """
    from cftui.analysis.everybody import Wanted, write_lists

    codes = _users(model, ratings, users)
    if among is not None:
        chosen = _items(model, among)
        allowed &= _mask(chosen, len(allowed))
    if without is not None:
        allowed &= ~_mask(_items(model, without), len(allowed))
    if not allowed.any():
        raise CftuiError("nothing is left to recommend: the filter and the lists of items exclude everything")
    wanted = Wanted(codes, n, allowed, seen, session.spreadsheet)
    begun = time.perf_counter()
    with stop_requests() as stop_requested, _progress(session.json) as progress:
        done = write_lists(model, ratings, wanted, target, progress=progress, should_stop=stop_requested)
    seconds = time.perf_counter() - begun
    if not done:
        narrate(f"stopped; the same command goes on with {target}")
        raise click.exceptions.Exit(INTERRUPTED_STATUS)
    facts = {"users": len(codes), "seconds": seconds, "users_per_second": len(codes) / max(seconds, 1e-9)}
    if session.json:
        print_json({**model.facts(), **facts, "file": str(target)})
    else:
        speed = f"{facts['users_per_second']:,.0f} a second"
        narrate(f"wrote the lists of {plural(len(codes), 'user')} to {target} in {seconds:.1f} s ({speed})")


def _mask(codes: list[int], size: int) -> np.ndarray:
    import numpy as np

    found = np.zeros(size, bool)
    found[codes] = True
    return found


def _lines(path: Path) -> list[str]:
    try:
        return [line for raw in path.read_text(encoding="utf-8-sig").splitlines() if (line := raw.strip())]
    except (OSError, UnicodeDecodeError) as error:
        raise CftuiError(f"{path}: {getattr(error, 'strerror', None) or 'is not UTF-8 text'}") from None


def _users(model: TrainedModel, ratings: Ratings, users: str) -> np.ndarray:
    """The codes of all users with ratings, or of those a file names."""
    import numpy as np

    if users == EVERYBODY:
        return np.unique(ratings.user)
    path = Path(users)
    codes = []
    for number, raw in enumerate(_lines(path), 1):
        code = model.users.code(raw)
        if code is None:
            raise CftuiError(f"{path}, line {number}: no user {raw} in {model.data_name}")
        codes.append(code)
    if not codes:
        raise CftuiError(f"{path}: names no user; it needs one id a line")
    return np.array(list(dict.fromkeys(codes)), np.int64)


def _items(model: TrainedModel, path: Path) -> list[int]:
    by_title = {title: code for code, title in enumerate(model.titles) if code}
    codes = []
    for number, raw in enumerate(_lines(path), 1):
        code = model.items.code(raw) or by_title.get(raw)
        if code is None:
            raise CftuiError(f"{path}, line {number}: no {model.noun} {raw!r} in {model.data_name}")
        codes.append(code)
    return codes


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr if that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("users"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("users")
        yield lambda done, of: bar.update(task, completed=done, total=of)

"""The watcher of a run: a small process that outlives the trainer, and tells when the run has ended, failed or died.

The trainer holds the only writing end of the watcher's stdin. Whatever ends the trainer, ``kill -9`` included, closes
it; the watcher then reads from the log how the run ended. It exists only where ``[notify]`` is in the settings.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cftui import settings
from cftui.engine.runs.events import Event
from cftui.engine.runs.folder import LIVE, RunFolder
from cftui.errors import CftuiError
from cftui.home import Home

# A process closes its files a moment before it is gone.
GONE_SECONDS = 30.0
_POLL_SECONDS = 0.05


@contextmanager
def watched(home: Home, emit: Callable[[Event], None]) -> Iterator[Callable[[Event], None]]:
    """In this context, somebody who reads the settings' ``[notify]`` is told how the run ends.

    Args:
        emit: what else receives the events of the run.

    Yields:
        What to pass to ``train`` or ``resume`` as ``emit``: its first event says which run to watch.
    """
    if not _notify():
        yield emit
        return
    watchers: list[subprocess.Popen[bytes]] = []

    def watching(event: Event) -> None:
        if event["event"] in ("start", "resume") and not watchers:
            with suppress(OSError):  # without a process for it, the run trains on
                watchers.append(_start(home.models / str(event.get("run", ""))))
        emit(event)

    try:
        yield watching
    finally:
        for one in watchers:
            assert one.stdin is not None
            one.stdin.close()
            one.returncode = 0  # nobody waits for it


def _start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "cftui.engine.runs.watcher", str(folder), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Neither Ctrl+C nor a terminal that closes reaches it.
        start_new_session=True,
    )


def _notify() -> settings.Notify:
    """What the settings say; nothing if the file has a mistake, which the app and ``cftui doctor`` report."""
    try:
        return settings.Config.read().notify
    except CftuiError:
        return settings.Notify()


def watch(folder: Path, trainer: int) -> None:
    """Wait until stdin is closed, and tell how the run in ``folder`` has ended.

    Args:
        trainer: the process that trains it. If another one has taken over, that one has a watcher of its own.
    """
    sys.stdin.buffer.read()
    run = RunFolder(folder)
    end = time.monotonic() + GONE_SECONDS
    while (status := run.status(history := run.history())) in LIVE and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    how = _notify()
    if status in LIVE or status not in how.on or (history.start or {}).get("pid") != trainer:
        return
    from cftui.engine.runs.notice import notice, send

    for failure in send(how, notice(run, history, status)):
        settings.log(failure)


def main() -> None:
    folder, trainer = sys.argv[1:]
    try:
        watch(Path(folder), int(trainer))
    except (CftuiError, OSError) as error:
        settings.log(f"watcher of {folder}: {error}")


if __name__ == "__main__":
    main()

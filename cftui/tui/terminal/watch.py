"""A thread that ends the app when it is told to, or its terminal or its parent is gone.

The event loop cannot do so alone. It may be busy, or wait for Textual's writer thread, which ends or blocks when the
terminal is gone. The thread sleeps in ``poll``, asks the app to end in order, and ends the process if it has not.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable

from cftui.tui.terminal.lifeline import Lifeline

GRACE_SECONDS = 0.9
# A hang-up wakes ``poll``, but not on every kind of terminal.
LOOK_MILLISECONDS = 500
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Watch:
    """Watches the terminal, the parent and the signals of this process.

    Args:
        leave: asks the app to end in order, with this exit status; called in the thread.
        keep: saves what must not be lost, without the event loop; called in the thread.
        lifeline: shared with the parent.
        terminal: a descriptor of the terminal.
    """

    def __init__(
        self,
        leave: Callable[[int], object],
        keep: Callable[[], object],
        lifeline: Lifeline,
        terminal: int,
    ) -> None:
        self._leave, self._keep, self._lifeline, self._terminal = leave, keep, lifeline, terminal
        self._read, self._write = os.pipe()

    def start(self) -> None:
        """Take over the signals, and begin to watch. Only in the main thread."""
        for number in SIGNALS:
            signal.signal(number, lambda number, _: self.end(128 + number))
        threading.Thread(target=self._run, name="cftui-watch", daemon=True).start()

    def end(self, status: int) -> None:
        """End the app with this exit status; the first one counts."""
        os.write(self._write, bytes([status]))

    def _run(self) -> None:
        status = self._wait()
        if status is not None:
            with contextlib.suppress(Exception):
                self._leave(status)
            time.sleep(GRACE_SECONDS)
        # The process is still here, or without its parent, which would restore the terminal.
        with contextlib.suppress(Exception):
            self._keep()
        if status is None:
            self._lifeline.restore()
        os._exit(128 + signal.SIGHUP if status is None else status)

    def _wait(self) -> int | None:
        """Until the app has to end: return the exit status, or None when the parent is gone."""
        poll = select.poll()
        poll.register(self._read, select.POLLIN)
        poll.register(self._lifeline.pipe, select.POLLIN)
        poll.register(self._terminal, 0)
        while not (ready := poll.poll(LOOK_MILLISECONDS)):
            pass
        source = ready[0][0]
        if source == self._terminal:
            return 128 + signal.SIGHUP
        asked = os.read(source, 1)
        return asked[0] if asked else None

"""What the app and its parent process share: the terminal as it was found, who holds it, and a pipe between the two."""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import termios
from dataclasses import dataclass
from typing import Any

# The end of a sequence that was cut, then the end of everything that Textual turns on: a frame that is held back, the
# keyboard protocol (which belongs to the alternate screen), the mouse, pasting, focus and size reports, the screen.
RESTORE = (
    "\x1b\\\x1b[?2026l\x1b[<u\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?2004l\x1b[?1004l\x1b[?2048l"
    "\x1b[0m\x1b[?1049l\x1b[?7h\x1b[?25h"
)
# How long a terminal that takes no bytes is waited for.
WRITE_MILLISECONDS = 300


@dataclass(frozen=True)
class Lifeline:
    """Shared by the app and its parent.

    Attributes:
        path: the terminal's device.
        settings: echo, line editing and the rest, as ``termios`` gives them, from before the app.
        pipe: the app reads here the exit status that its parent asks for; the end of file says that the parent is gone.
        held: one byte of shared memory: 1 while the app has changed the terminal and not yet changed it back.
    """

    path: str
    settings: list[Any]
    pipe: int
    held: mmap.mmap

    def take(self) -> None:
        self.held[0] = 1

    def give_back(self) -> None:
        self.held[0] = 0

    @property
    def taken(self) -> bool:
        return self.held[0] == 1

    def is_as_before(self) -> bool:
        """Whether echo, line editing and signals at keys are as the app found them."""
        with contextlib.suppress(OSError, termios.error):
            terminal = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                return termios.tcgetattr(terminal)[:4] == self.settings[:4]
            finally:
                os.close(terminal)
        return False

    def restore(self) -> None:
        """Make the terminal usable again, if the app has left it otherwise and it is still there.

        It is opened by its path: when the process dies that a terminal belongs to, what was open of it is cut off.
        """
        if not self.taken:
            return
        with contextlib.suppress(OSError, termios.error):
            terminal = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            # A process in the background may do this only while it does not listen to SIGTTOU.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
            try:
                poll = select.poll()
                poll.register(terminal, select.POLLOUT)
                if poll.poll(WRITE_MILLISECONDS):
                    os.write(terminal, RESTORE.encode())
                termios.tcsetattr(terminal, termios.TCSANOW, self.settings)
                # What the mouse has reported since is not for the shell.
                termios.tcflush(terminal, termios.TCIFLUSH)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                os.close(terminal)
        self.give_back()

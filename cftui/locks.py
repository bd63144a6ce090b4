"""Locks between processes: the kernel lets go of a lock when the process that holds it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cftui.errors import CftuiError

# Some network file systems have no locks; work without them is better than none.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


class Busy(CftuiError):
    """Another process holds the lock.

    Attributes:
        pid: the number of that process, as far as it is known.
    """

    def __init__(self, what: str, pid: int | None) -> None:
        self.pid = pid
        super().__init__(
            f"{what} is being written by {'another process' if pid is None else f'process {pid}'}",
            hint="wait until it is done, and try again",
        )


@contextmanager
def held(path: Path, what: object, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock file ``path``, which exists only while somebody holds it or has been killed.

    Args:
        what: what the lock protects, for the message.
        wait: wait for another process to end its work.

    Raises:
        Busy: another process holds it, unless ``wait``.
    """
    descriptor = _taken(path, str(what), wait)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _taken(path: Path, what: str, wait: bool) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o666)
        try:
            lock(descriptor, wait=wait)
            # Whoever held it before may have deleted the file that is locked now.
            if is_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            pid = os.pread(descriptor, 20, 0)
            os.close(descriptor)
            raise Busy(what, int(pid) if pid.isdigit() else None) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def lock(descriptor: int, *, wait: bool = False) -> None:
    """Lock an open file. Raises BlockingIOError if another process has locked it, unless ``wait``."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one at ``path``: it may have been moved or deleted since."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def sweep(folder: Path) -> None:
    """Delete the lock files in ``folder`` whose processes have died."""
    for path in folder.glob(".*.lock"):
        with suppress(CftuiError, OSError), held(path, path):
            pass

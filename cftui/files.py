"""Writing: neither a reader nor a crash ever leaves half a file or folder, and nothing of others is put away.

A file is written under another name and moved into place. A link is followed, the mode of an existing file is kept, and
a new one obeys the umask. What is no ordinary file (a pipe, a terminal, a device) is written through.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from cftui import leftovers, locks
from cftui.errors import CftuiError

# How long to wait for somebody to read from a pipe.
PIPE_SECONDS = 5.0
_PIPE_POLL_SECONDS = 0.02


def write_atomic(path: Path, content: bytes | str) -> None:
    """Give ``path`` the content ``content``. An ordinary file always holds the whole old or the whole new content.

    Raises:
        OSError: the disk is full or the folder is not writable; an ordinary file is unchanged. Nobody reads the pipe.
    """
    data = content.encode() if isinstance(content, str) else content
    with _naming(path):
        if _is_written_through(path):
            with _opened_as_it_is(path) as file:
                file.write(data)
            return
        with _replacing(_followed(path)) as (file, _):
            file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields an empty file to fill, whose content ``path`` then has as after ``write_atomic``."""
    if _is_written_through(path):
        with tempfile.TemporaryDirectory() as scratch:
            filled = Path(scratch, path.name)
            filled.touch()
            yield filled
            with _naming(path), filled.open("rb") as source, _opened_as_it_is(path) as file:
                shutil.copyfileobj(source, file)
        return
    with _naming(path), _replacing(_followed(path)) as (_, filled):
        yield filled


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """The error of a full disk names no file, and that of a temporary file the wrong one: name ``path``."""
    try:
        yield
    except OSError as error:
        if error.filename is None or Path(os.fsdecode(error.filename)).name.startswith(f".{path.name[:20]}"):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def _is_written_through(path: Path) -> bool:
    """Whether ``path`` is not an ordinary file, or is another name of an open one, as /dev/stdout."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not stat.S_ISREG(mode) or path.absolute().parts[1:2] in (("dev",), ("proc",))


def _opened_as_it_is(path: Path) -> IO[bytes]:
    """Open what is no ordinary file. A pipe is waited for, though not for ever."""
    until = time.monotonic() + PIPE_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO or not path.is_fifo():
                raise
            if time.monotonic() > until:
                raise OSError(errno.ENXIO, "nobody reads from this pipe", str(path)) from None
            time.sleep(_PIPE_POLL_SECONDS)
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "wb")


def _followed(path: Path) -> Path:
    """Where ``path`` leads to, also through a link to what does not exist yet."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


@contextmanager
def _replacing(path: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """Yields the file, and its name, that is moved to ``path`` when the block succeeds."""
    before = _status(path)
    new = leftovers.unfinished(path, "part")
    # No wider than the mode that it will have; a new file's mode obeys the umask.
    mode = 0o666 if before is None else stat.S_IMODE(before.st_mode)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, new
            file.flush()
            os.fsync(file.fileno())
            if before is not None:
                with suppress(OSError):  # only root may give a file away
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), mode)
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    leftovers.sweep(path.parent)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def check_ordinary(path: Path) -> None:
    """Check that reading ``path`` ends, which reading from a pipe or a device may never do.

    Raises:
        OSError: it does not exist, or is no ordinary file.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not an ordinary file", str(path))


def check_space(folder: Path, size: int) -> None:
    """Raises CftuiError if ``size`` bytes do not fit on the disk of ``folder``."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise CftuiError(
            f"{size:,} bytes do not fit on the disk of {folder}, which has {free:,} left",
            hint="make room, or choose another folder with --home",
        )


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` with ``write_atomic`` as indented JSON."""
    write_atomic(path, _dump(value))


def _dump(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def rename_folder(folder: Path, target: Path, inside: str, value: Any) -> None:
    """Rename a folder in which the JSON file ``inside`` then holds ``value``, or change nothing.

    Raises:
        OSError: the disk is full, ``target`` exists, or a folder is not writable.
    """
    # What needs room on the disk comes first, what cannot fail last.
    with _naming(folder / inside):
        new = leftovers.unfinished(folder / inside, "part")
        try:
            new.write_text(_dump(value), encoding="utf-8")
            os.rename(folder, target)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    os.replace(target / new.name, target / inside)


def update_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the JSON object in a file that several processes add to; a missing or damaged file is an empty object."""
    with locks.held(_lock_of(path), path, wait=True):
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            value = {}
        value = value if isinstance(value, dict) else {}
        change(value)
        write_json(path, value)


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name.lstrip('.')}.lock")


@contextmanager
def new_folder(target: Path, *, wait: bool = False) -> Iterator[Path]:
    """Build a folder beside ``target`` and move it into place only when the block succeeds.

    An existing ``target`` is replaced; it stays as it is if the block raises. Remains of killed builds are deleted. If
    the kill came after the old folder was moved away and before the new one was in place, the old folder is restored.

    Args:
        wait: wait for another process that builds the same folder.

    Yields:
        The folder to fill.

    Raises:
        locks.Busy: another process builds or removes the same folder, unless ``wait``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with locks.held(_lock_of(target), target, wait=wait):
        _sweep(target.parent)
        old = target.with_name(f".{target.name}.old")
        if old.exists() and not target.exists():
            os.replace(old, target)
        building = leftovers.unfinished(target, "incoming")
        building.mkdir()
        try:
            yield building
            shutil.rmtree(old, ignore_errors=True)
            if os.path.lexists(target):
                os.replace(target, old)
            try:
                os.replace(building, target)
            except OSError:
                if os.path.lexists(old):
                    os.replace(old, target)
                raise
            if old.is_symlink():
                old.unlink()
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(building, ignore_errors=True)


def remove_folder(target: Path) -> None:
    """Delete a folder; it is whole or gone, also after a kill. If it is a link, only the link is deleted.

    Raises:
        locks.Busy: another process builds or removes the same folder.
        OSError: it cannot be moved; it is where it was.
    """
    with locks.held(_lock_of(target), target):
        _sweep(target.parent)
        if target.is_symlink():
            target.unlink()
            return
        # A half-deleted folder must not pass for a whole one: it gets another name first.
        doomed = leftovers.unfinished(target, "removed")
        os.replace(target, doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _sweep(folder: Path) -> None:
    leftovers.sweep(folder, older=True)
    locks.sweep(folder)

"""Atomic writing: neither a reader nor a crash ever leaves half a file or folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_atomic(path: Path, content: bytes | str) -> None:
    """Replace ``path`` in one step, so that it always holds the whole old or the whole new content.

    Raises:
        OSError: the disk is full or the folder is not writable; ``path`` is unchanged.
    """
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            # The error of a full disk names no file.
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` with ``write_atomic`` as indented JSON."""
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _builder_lives(name: str) -> bool:
    """Whether the process that builds a folder still runs. Its id is the first part of ``name``."""
    import psutil

    pid = name.split("-")[0]
    return pid.isdecimal() and psutil.pid_exists(int(pid))


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Build a folder beside ``target`` and move it into place only when the block succeeds.

    An existing ``target`` is replaced; it stays as it is if the block raises. Remains of a killed build are deleted. If
    the kill came after the old folder was moved away and before the new one was in place, the old folder is restored.

    Yields:
        The folder to fill.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    old = target.with_name(f".{target.name}.old")
    prefix = f".{target.name}.incoming-"
    if old.exists() and not target.exists():
        os.replace(old, target)
    for unfinished in target.parent.glob(f"{prefix}*"):
        if not _builder_lives(unfinished.name.removeprefix(prefix)):
            shutil.rmtree(unfinished, ignore_errors=True)
    building = Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{prefix}{os.getpid()}-"))
    try:
        yield building
        os.chmod(building, 0o755)
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            os.replace(target, old)
        try:
            os.replace(building, target)
        except OSError:
            if old.exists():
                os.replace(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(building, ignore_errors=True)

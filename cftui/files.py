"""Writing files so that a reader, or a crash, never sees half of one."""

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
    """Replace ``path`` in one step: the old content or the new one, never a part.

    Raises:
        OSError: the disk is full or the folder is not writable; ``path`` is then as it was.
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
            # "No space left on device" alone does not say which.
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def write_json(path: Path, value: Any) -> None:
    """``write_atomic`` of pretty-printed JSON."""
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _builder_lives(name: str) -> bool:
    """Whether the process that began a build, named first in its folder's name, is still at work on it."""
    import psutil

    pid = name.split("-")[0]
    return pid.isdecimal() and psutil.pid_exists(int(pid))


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Build a folder beside ``target`` and move it into place only when the block succeeds.

    An existing ``target`` is replaced, and survives untouched if the block raises. What a killed build left behind is
    swept away, or put back if the kill fell between taking the old folder away and putting the new one in its place.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    old = target.with_name(f".{target.name}.old")
    prefix = f".{target.name}.incoming-"
    if old.exists() and not target.exists():
        os.replace(old, target)
    for left in target.parent.glob(f"{prefix}*"):
        if not _builder_lives(left.name.removeprefix(prefix)):
            shutil.rmtree(left, ignore_errors=True)
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

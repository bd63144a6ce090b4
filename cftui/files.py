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
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """``write_atomic`` of pretty-printed JSON."""
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Build a folder beside ``target`` and move it into place only when the block succeeds.

    An existing ``target`` is replaced, and survives untouched if the block raises. Left-overs of a build
    that was killed are swept away by the next one.
    """
    prefix = f".{target.name}.incoming-"
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(stale, ignore_errors=True)
    building = Path(tempfile.mkdtemp(dir=target.parent, prefix=prefix))
    try:
        yield building
        os.chmod(building, 0o755)
        old = target.with_name(f"{prefix}old")
        if target.exists():
            os.replace(target, old)
        os.replace(building, target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(building, ignore_errors=True)

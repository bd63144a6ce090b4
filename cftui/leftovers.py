"""Names of unfinished files and folders, which say who writes them; and sweeping up those whose writer has died.

``.me.csv.part-5f2c01ab-4711-9c0d33aa`` is the future ``me.csv``, written by process 4711 on this machine.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Literal

#   part      a file that is being written
#   incoming  a folder that is being filled
#   removed   a folder that is being deleted
Kind = Literal["part", "incoming", "removed"]

_NAME = re.compile(r"\..+\.(?:part|incoming|removed)-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}.*", re.DOTALL)
# What earlier versions left in a folder of data sets, where nobody else has such names.
_OLDER = re.compile(r"\..+\.(?:incoming|removed)-(?:(\d+)-)?\w*", re.DOTALL)
# File systems allow 255 bytes; what follows the name takes 40.
_LONGEST = 200
# Whether a process of another machine lives cannot be asked: what it began is kept for this long.
_FOREIGN_SECONDS = 24 * 3600


def unfinished(path: Path, kind: Kind) -> Path:
    """A name beside ``path`` that nothing has yet, for what this process is about to write or to delete."""
    name = os.fsdecode(os.fsencode(path.name)[:_LONGEST])
    return path.with_name(f".{name}.{kind}-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}")


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode(errors='replace')):08x}"


def sweep(folder: Path, *, older: bool = False) -> None:
    """Delete what processes that no longer live have left unfinished in ``folder``.

    Args:
        older: also what earlier versions left in a folder of data sets.
    """
    with suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(".") and _is_abandoned(folder / name, older):
                _delete(folder / name)


def _is_abandoned(path: Path, older: bool) -> bool:
    if found := _NAME.fullmatch(path.name):
        return not _owner_lives(path, found[1] == _machine(), int(found[2]))
    if older and (found := _OLDER.fullmatch(path.name)):
        return found[1] is None or not _owner_lives(path, True, int(found[1]))
    return False


def _owner_lives(path: Path, here: bool, pid: int) -> bool:
    import psutil

    try:
        changed = path.lstat().st_mtime
        if not here:
            return time.time() - changed < _FOREIGN_SECONDS
        # A later process may have the number of one that has died.
        return pid == os.getpid() or psutil.Process(pid).create_time() < changed + 2
    except psutil.AccessDenied:
        return True
    except (OSError, psutil.Error):
        return False


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()

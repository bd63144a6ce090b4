"""Find the one table in what the user named: an archive, a member of one, a compressed file, a pipe."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import select
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from cftui.data.formats.encodings import BLOCK
from cftui.data.formats.zstd import ZstdFile
from cftui.errors import CftuiError
from cftui.files import check_space

# Larger ratios are taken for a zip bomb: tables of ratings shrink to a tenth, rarely to a thirtieth.
RATIO = 200
ALWAYS_ALLOWED = 50_000_000
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    # Frames to be skipped, with which pzstd begins its files.
    **{bytes([0x50 + at]) + b"\x2a\x4d\x18": "zstd" for at in range(16)},
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
}
_BROKEN = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError,
    RuntimeError, ValueError, struct.error,
)  # fmt: skip
_POINTER = b"version https://git-lfs.github.com/spec/"
# What says that a zip file is a workbook and not an archive of tables.
_WORKBOOK = "xl/workbook.xml"
# What an archive tells about its tables, and what it is packed with.
_BESIDE = ("readme", "license", "licence", "__macosx", ".ds_store")
_PIPE_SECONDS = 5.0


def unpacked(path: Path, scratch: Path, wanted: Sequence[str] = ("rating",)) -> tuple[Path, str, str]:
    """The file behind ``path``, the member of the archive that it is, and the table in it that was named.

    ``-`` is standard input. ``x.zip:ratings.csv`` is a member of an archive, ``x.db:ratings`` a table of a database.
    What does not apply is an empty text. The file is ``path`` itself if nothing is packed, else a copy in ``scratch``.

    Args:
        wanted: words in the name of the table that is looked for in an archive.

    Raises:
        CftuiError: the file is missing; it is a pointer, or damaged; it unpacks to far too much; or which table is
            meant cannot be known.
    """
    path, member = _split(path)
    if _is_pipe(path):
        path = _drained(path, scratch / "piped")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file" if not os.path.lexists(path) else "not a file"
        raise CftuiError(f"{path}: {what}; give a table of ratings")
    if path.stat().st_size == 0:
        raise CftuiError(f"{path}: an empty file")
    found, name = path, ""
    for layer in range(3):  # as of ratings.csv.gz in a zip
        kind = _kind(found)
        if kind in ("", "workbook"):
            break
        target = scratch / f"unpacked{layer}"
        name = _unpack(path, found, kind, member, wanted, target) or name
        found, member = target, member if kind not in ("zip", "tar") else ""
        if found.stat().st_size == 0:
            raise CftuiError(f"{path}: an empty file" if not name else f"{path}: {name} in it is an empty file")
    if member and _kind(path) == "":
        return found, "", member  # a table of a database, or a sheet of a workbook
    with found.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise CftuiError(f"{path}: a pointer of Git LFS and not the file itself; git lfs pull fetches it")
    return found, name, "" if name else member


def with_member(path: Path, member: str) -> Path:
    """What the user calls a member of an archive: ``x.zip:ratings.csv``, however they named the archive."""
    return Path(f"{_split(path)[0]}:{member}") if member else path


def _split(path: Path) -> tuple[Path, str]:
    """A file and the member or table in it, from ``file:member``."""
    text = str(path)
    if ":" in text and not os.path.lexists(path):
        before, _, member = text.rpartition(":")
        if Path(before).is_file():
            return Path(before), member
    return path, ""


def _is_pipe(path: Path) -> bool:
    if str(path) == "-":
        return True
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _drained(path: Path, target: Path) -> Path:
    """All that comes out of a pipe. A pipe into which nobody writes is empty, and not waited for."""
    if str(path) == "-":
        if sys.stdin is None:
            raise CftuiError("-: standard input is closed; pipe a table into it")
        if sys.stdin.isatty():
            raise CftuiError("-: standard input is the keyboard; pipe a table into it")
        descriptor = os.dup(sys.stdin.fileno())
    else:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        select.select([descriptor], [], [], _PIPE_SECONDS)
        os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "rb") as source, target.open("wb") as out:
        while block := source.read(BLOCK):
            out.write(block)
        if not out.tell():
            raise CftuiError(f"{path}: nothing came out of this pipe")
    return target


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(262)
    kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "")
    if kind == "zip":
        try:
            with zipfile.ZipFile(path) as bundle:
                return "workbook" if _WORKBOOK in bundle.namelist() else _array_or_zip(bundle.namelist())
        except _BROKEN:
            return kind
    return "tar" if start[257:262] == b"ustar" else kind


def _array_or_zip(names: Sequence[str]) -> str:
    # A zip of arrays is numpy's own format.
    return "" if names and all(name.endswith(".npy") for name in names) else "zip"


def _unpack(path: Path, packed: Path, kind: str, member: str, wanted: Sequence[str], target: Path) -> str:
    """Unpack one layer; returns the name of the member that was chosen."""
    try:
        with _opened(path, packed, kind, member, wanted) as (name, source, size, taken):
            check_space(target.parent, size)
            _check_ratio(path, size, packed.stat().st_size)
            with target.open("wb") as out:
                while block := source.read(BLOCK):
                    # Compared with what has been taken so far: a bomb is known long before it fills the disk.
                    _check_ratio(path, out.tell() + len(block), taken())
                    out.write(block)
    except _BROKEN as error:
        raise CftuiError(f"{path}: not a readable {kind} file (truncated?): {error}") from None
    return name


def _check_ratio(path: Path, size: int, packed: int) -> None:
    bound = max(ALWAYS_ALLOWED, RATIO * packed)
    if size > bound:
        raise CftuiError(
            f"{path}: unpacks to more than {bound:,} bytes, {RATIO} times its size; a zip bomb? "
            f"If it is what it should be, unpack it yourself"
        )


Layer = tuple[str, IO[bytes], int, Callable[[], int]]


@contextmanager
def _opened(path: Path, packed: Path, kind: str, member: str, wanted: Sequence[str]) -> Iterator[Layer]:
    """Yields the member's name, its bytes, its size if the archive tells it, and how many packed bytes were read."""
    with packed.open("rb") as raw:
        if kind == "zip":
            with zipfile.ZipFile(raw) as bundle:
                infos = {info.filename: info for info in bundle.infolist() if not info.is_dir()}
                name = _chosen(path, list(infos), member, wanted)
                with bundle.open(infos[name]) as file:
                    yield name, file, infos[name].file_size, lambda: infos[name].compress_size
            return
        if kind == "tar":
            with tarfile.open(fileobj=raw) as tape:
                members = {info.name: info for info in tape.getmembers() if info.isfile()}
                name = _chosen(path, list(members), member, wanted)
                found = tape.extractfile(members[name])
                assert found is not None
                with found:
                    yield name, found, members[name].size, lambda: members[name].size
            return
        openers: dict[str, Callable[..., Any]] = {
            "gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open, "zstd": ZstdFile
        }  # fmt: skip
        with openers[kind](raw, "rb") as file:
            yield "", file, 0, raw.tell


def _chosen(path: Path, names: list[str], member: str, wanted: Sequence[str]) -> str:
    """The one table in an archive. Nothing is ever written under a member's own name."""
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0:1]:
            raise CftuiError(f"{path}: {name!r} in it points outside the archive; not opened")
    tables = [name for name in names if not any(word in name.casefold() for word in _BESIDE)]
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "") or "nothing"
    if member:
        fits = [name for name in names if name == member] or [
            name for name in names if PurePosixPath(name).name == member
        ]
        if len(fits) != 1:
            raise CftuiError(f"no one file {member!r} in it", where=path, hint=f"it holds {listed}")
        return fits[0]
    stems = {name: PurePosixPath(name).name.split(".")[0].casefold() for name in tables}
    suffixes = {name: PurePosixPath(name).suffix.casefold() for name in tables}
    choices = (
        names,
        tables,
        [name for name in tables if stems[name] in (f"{word}s" for word in wanted)],
        [name for name in tables if any(word in stems[name] for word in wanted)],
        # Published sets call them u.data and u.item.
        [name for name in tables if suffixes[name] == (".data" if "rating" in wanted else ".item")],
    )
    for fits in choices:
        if len(fits) == 1:
            return fits[0]
    example = next(iter(choices[3] or tables), "ratings.csv")
    hint = f"name the one that is meant: {path}:{example}" if names else "give a table of ratings"
    raise CftuiError(f"holds {listed}", where=path, hint=hint)

"""Turn any text file into plain UTF-8 on disk: unpack it within bounds, and guess its encoding."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from cftui.errors import CftuiError

# Larger ratios are taken for a zip bomb: tables of ratings shrink to a tenth, rarely to a thirtieth.
RATIO = 200
ALWAYS_ALLOWED = 50_000_000
BLOCK = 1 << 22
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip", b"PK\x05\x06": "zip"}
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class Plain:
    """A file that can be read as UTF-8.

    Attributes:
        path: the file itself, or a copy of it in the scratch folder.
        encoding: the original encoding of the file.
        valid: whether every byte is UTF-8; if not, some lines have another encoding.
    """

    path: Path
    encoding: str
    valid: bool


def plain(path: Path, scratch: Path, encoding: str | None = None) -> Plain:
    """Make ``path`` readable as UTF-8, by a copy in ``scratch`` if it is packed or has another encoding.

    Args:
        encoding: the encoding of the file; guessed if None.

    Raises:
        CftuiError: the file is missing; the archive is damaged, unpacks to far too much, or does not hold exactly one
            table; or the bytes are not in the given encoding.
    """
    if not path.is_file():
        raise CftuiError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; give a table of ratings")
    with path.open("rb") as file:
        start = file.read(8)
    kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    unpacked = path if kind is None else _unpack(path, kind, scratch / "unpacked")
    if unpacked.stat().st_size == 0:
        raise CftuiError(f"{path}: an empty file")
    try:
        return _as_utf8(unpacked, scratch / "utf-8", encoding)
    except CftuiError as error:
        # The user knows the file, not the copy of it.
        raise CftuiError(str(error).replace(str(unpacked), str(path))) from None


def _unpack(path: Path, kind: str, target: Path) -> Path:
    bound = max(ALWAYS_ALLOWED, RATIO * path.stat().st_size)
    try:
        with _opened(path, kind) as source, target.open("wb") as out:
            while block := source.read(BLOCK):
                if out.tell() + len(block) > bound:
                    raise CftuiError(
                        f"{path}: unpacks to more than {bound:,} bytes, {RATIO} times its size; a zip bomb? "
                        f"If it is what it should be, unpack it yourself"
                    )
                out.write(block)
    except _BROKEN as error:
        raise CftuiError(f"{path}: not a readable {kind} file (truncated?): {error}") from None
    return target


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[IO[bytes]]:
    if kind == "zip":
        with zipfile.ZipFile(path) as bundle, bundle.open(_member(path, bundle)) as member:
            yield member
        return
    openers: dict[str, Callable[..., Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    with openers[kind](path, "rb") as file:
        yield file


def _member(path: Path, bundle: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The only table in an archive. Nothing is ever written under a member's own name."""
    found = []
    for info in bundle.infolist():
        parts = PurePosixPath(info.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0:1]:
            raise CftuiError(f"{path}: {info.filename!r} in it points outside the archive; not opened")
        if not info.is_dir() and "__MACOSX" not in parts.parts:
            found.append(info)
    named = [info for info in found if PurePosixPath(info.filename).stem.casefold() == "ratings"]
    if len(found) != 1 and len(named) != 1:
        names = ", ".join(info.filename for info in found[:5]) or "nothing"
        raise CftuiError(f"{path}: holds {names}; give an archive of one file, or with one named ratings")
    return found[0] if len(found) == 1 else named[0]


def blocks(path: Path) -> Iterator[bytes]:
    """Yield the file in pieces that end with a line."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block + file.readline()


def _as_utf8(path: Path, target: Path, encoding: str | None) -> Plain:
    if encoding is not None:
        name = _codec(encoding)
        if name in ("utf-8", "ascii"):
            return Plain(path, encoding, _is_utf8(path))
        return _transcode(path, target, name)
    with path.open("rb") as file:
        start = file.read(4)
    bom = next((name for mark, name in _BOMS.items() if start.startswith(mark)), None)
    if bom == "utf-16":
        return _transcode(path, target, bom)
    if _is_utf8(path):
        return Plain(path, "utf-8", True)
    good, bad, sample = _judge(path)
    if good >= bad or bom:
        # If most lines are UTF-8, the others are errors to be named.
        return Plain(path, "utf-8", False)
    for guess in _guesses(sample):
        try:
            return _transcode(path, target, guess)
        except CftuiError:
            continue
    raise CftuiError(f"{path}: its encoding could not be guessed; name it with --encoding")


def _codec(encoding: str) -> str:
    try:
        info = codecs.lookup(encoding)
        "".encode(encoding)
    except (LookupError, TypeError, ValueError, UnicodeError):
        raise CftuiError(f"--encoding {encoding}: no such encoding; for example utf-8, latin-1, cp1252") from None
    return info.name


def _is_utf8(path: Path) -> bool:
    try:
        for block in blocks(path):
            block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _judge(path: Path) -> tuple[int, int, bytes]:
    """Count the lines with bytes above 127 that are UTF-8 and those that are not; also return the first that is not."""
    good = bad = 0
    sample = b""
    for block in blocks(path):
        if block.isascii():
            continue
        for line in block.split(b"\n"):
            if line.isascii():
                continue
            try:
                line.decode()
                good += 1
            except UnicodeDecodeError:
                bad += 1
                sample += line + b"\n" if len(sample) < 20_000 else b""
    return good, bad, sample[:40_000]


def _guesses(sample: bytes) -> Iterator[str]:
    try:
        # This library comes with requests; it is better at other alphabets than a fixed guess.
        from charset_normalizer import from_bytes
    except ImportError:
        found = None
    else:
        found = from_bytes(sample).best()
    # A short sample of Western letters fits many code pages: take the common one, unless it reads as another alphabet.
    if found is not None:
        western = found.encoding.startswith(("cp125", "cp85", "cp437", "latin", "iso8859", "mac"))
        if not western or any("Cyrillic" in one or "Greek" in one for one in found.alphabets):
            yield found.encoding
    yield "cp1252"
    yield "latin-1"


def _transcode(path: Path, target: Path, encoding: str) -> Plain:
    try:
        with (
            path.open(encoding=encoding, newline="") as source,
            target.open("w", encoding="utf-8", newline="") as out,
        ):
            while text := source.read(BLOCK):
                out.write(text)
    except (UnicodeError, LookupError) as error:
        raise CftuiError(f"{path}: not in {encoding} ({error}); name another with --encoding") from None
    return Plain(target, encoding, True)

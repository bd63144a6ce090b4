"""The encoding of a text file, and a copy of it in UTF-8 where it has another."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cftui.errors import CftuiError

BLOCK = 1 << 22
# A table has no longer line, and no longer cell over several lines.
LINE_BYTES = 16_000_000
_BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Another alphabet than Latin is believed only from this many bytes above 127 on.
_FOREIGN = 40


@dataclass(frozen=True)
class Plain:
    """A file that can be read as UTF-8.

    Attributes:
        path: the file itself, or a copy of it in the scratch folder.
        encoding: the original encoding of the file; empty if it is not text.
        valid: whether every byte is UTF-8; if not, some lines have another encoding.
        quoted: whether there is a double quote in it.
    """

    path: Path
    encoding: str
    valid: bool
    quoted: bool = False


def blocks(path: Path) -> Iterator[bytes]:
    """Yield the file in pieces that end with a line, unless that is longer than any line of a table."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block + file.readline(LINE_BYTES)


def check_lines(path: Path, readable: Path) -> None:
    """Raises CftuiError, which names ``path``, if a line of ``readable`` is longer than ``LINE_BYTES``."""
    length, line = 0, 1
    with readable.open("rb") as file:
        while block := file.read(min(BLOCK, LINE_BYTES)):
            end = block.find(b"\n")
            length += len(block) if end < 0 else end
            if length > LINE_BYTES:
                limit = f"{LINE_BYTES / 1e6:g} MB"
                raise CftuiError(f"a line of more than {limit}: not a table of ratings", where=f"{path}:{line}")
            if end >= 0:
                line += block.count(b"\n")
                length = len(block) - block.rfind(b"\n") - 1


def as_utf8(path: Path, target: Path, encoding: str | None) -> Plain:
    """Make ``path`` readable as UTF-8, by a copy at ``target`` if it has another encoding.

    Args:
        encoding: the encoding of the file; guessed if None.

    Raises:
        CftuiError: the bytes are not in the given encoding, or none could be guessed.
    """
    if encoding is not None:
        name = _codec(encoding)
        if name not in ("utf-8", "ascii", "utf-8-sig"):
            return _transcode(path, target, name)
    with path.open("rb") as file:
        start = file.read(4096)
    bom = next((name for mark, name in _BOMS.items() if start.startswith(mark)), None)
    wide = bom if bom == "utf-16" else _without_mark(start)
    if wide is not None and encoding is None:
        return _transcode(path, target, wide)
    quoted, decoder = False, codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                quoted = quoted or b'"' in block
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        pass
    else:
        return Plain(path, encoding or "utf-8", True, quoted)
    quoted = any(b'"' in block for block in blocks(path))
    if encoding is not None:
        return Plain(path, encoding, False, quoted)
    good, bad, sample = _judge(path)
    if good >= bad or bom:
        # If most lines are UTF-8, the others are errors to be named.
        return Plain(path, "utf-8", False, quoted)
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


def _without_mark(start: bytes) -> str | None:
    """UTF-16 without a byte-order mark: every second byte of text in a Latin alphabet is 0."""
    even, odd = start[0::2], start[1::2]
    if len(odd) < 4:
        return None
    if odd.count(0) > 0.9 * len(odd) and 0 not in even:
        return "utf-16-le"
    if even.count(0) > 0.9 * len(even) and 0 not in odd:
        return "utf-16-be"
    return None


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
    """Encodings to try: cp1252 first, except where much of the text is in another alphabet."""
    found = None
    if sum(byte > 127 for byte in sample) >= _FOREIGN:
        try:
            # This library comes with requests; it is better at other alphabets than a fixed guess.
            from charset_normalizer import from_bytes
        except ImportError:
            pass
        else:
            found = from_bytes(sample).best()
    if found is not None:
        western = found.encoding.startswith(("cp125", "cp85", "cp437", "cp775", "latin", "iso8859", "mac"))
        if not western or any("Cyrillic" in one or "Greek" in one for one in found.alphabets):
            yield found.encoding
    yield "cp1252"
    yield "latin-1"


def _transcode(path: Path, target: Path, encoding: str) -> Plain:
    quoted = False
    try:
        with (
            path.open(encoding=encoding, newline="") as source,
            target.open("w", encoding="utf-8", newline="") as out,
        ):
            while text := source.read(BLOCK):
                quoted = quoted or '"' in text
                out.write(text)
    except (UnicodeError, LookupError) as error:
        raise CftuiError(f"{path}: not in {encoding} ({error}); name another with --encoding") from None
    return Plain(target, encoding, True, quoted)

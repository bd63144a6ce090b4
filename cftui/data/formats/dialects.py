"""How the rows of a text file are cut into cells: its delimiter, its quotes, and the lines before its table."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from cftui.data.formats.encodings import LINE_BYTES, blocks
from cftui.errors import CftuiError

Quote = Literal["double", "backslash", "none"]
QUOTES = ("double", "backslash", "none")
DELIMITERS = (",", "\t", ";", "|", "::")
# Runs of blanks and tabs: no character can be this delimiter.
BLANKS = "blanks"
COMMENTS = ("#", "%")
# What a row is instead of cells if it begins like the comments above the table.
COMMENTED = "a comment"
_WORDS = {
    "tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", "colon": ":", BLANKS: BLANKS
}  # fmt: skip
_NAMES = {"\t": "tab", ",": "comma", " ": "space"}


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        line: where it begins; cells: its cells, or the reason why they cannot be used, or an empty text if none of
            them is filled.
        lines: the lines that it spans.
    """

    line: int
    cells: list[str] | str
    lines: int = 1


@dataclass(frozen=True)
class Dialect:
    """How a text file is to be read.

    Attributes:
        delimiter: one or several characters, or ``blanks``.
        quote: what a double quote is: the edge of a cell, doubled or escaped by a backslash within it; or a character.
        skip: the lines before the table.
        comment: what a comment within the table begins with, or empty.
    """

    delimiter: str = ","
    quote: Quote = "double"
    skip: int = 0
    comment: str = ""


def delimiter(text: str) -> str:
    """The delimiter that was typed: itself, or a word such as ``tab``. Raises CftuiError for an impossible one."""
    found = _WORDS.get(text.casefold(), text)
    if found != BLANKS and (not found or any(c in found for c in '\r\n"\0') or len(found) > 5):
        what = "must be one to five characters, without quotes; or tab, comma, space, blanks"
        raise CftuiError(what, where=f"--delimiter {text!r}", option="delimiter")
    return found


def delimiter_word(found: str) -> str:
    """What ``--delimiter`` calls a delimiter."""
    return _NAMES.get(found, found if found == BLANKS else repr(found))


def preamble(lines: Sequence[str]) -> tuple[int, str, str]:
    """What comes before a table.

    Returns:
        The number of comment lines, the sign that they begin with, and the delimiter that a ``sep=`` line names.
    """
    if lines and (named := re.fullmatch(r'"?sep=(.|\\t)"?', lines[0].strip("\r\n"), re.IGNORECASE)):
        return 1, "", "\t" if named[1] == "\\t" else named[1]
    for sign in COMMENTS:
        count = 0
        while count < len(lines) and (lines[count].startswith(sign) or (count and not lines[count].strip())):
            count += 1
        if 0 < count < len(lines):
            return count, sign, ""
    return 0, "", ""


def guess_delimiter(lines: Sequence[str]) -> str:
    """The candidate that splits most lines into the same number of pieces; more pieces are better.

    Blanks are a candidate only if no other divides most lines: they are part of many titles.
    """
    best, found = (0.0, 0), ","
    plain = [re.sub(r'"[^"]*"', "x", line) for line in lines]
    for candidate in DELIMITERS:
        counts = Counter(line.count(candidate) for line in plain)
        count, lines_so = max(counts.items(), key=lambda pair: (pair[0] > 0, pair[1], pair[0]), default=(0, 0))
        if count and (lines_so / len(lines), count) > best:
            best, found = (lines_so / len(lines), count), candidate
    if best[0] <= 0.5:
        pieces = [len(line.split()) for line in plain]
        count, lines_so = Counter(pieces).most_common(1)[0] if pieces else (0, 0)
        if count > 1 and lines_so / len(lines) > max(best[0], 0.9):
            single = all(line.strip().count(" ") == count - 1 and "\t" not in line for line in lines)
            return " " if single and all(line == line.strip() for line in lines) else BLANKS
    return found


def guess_quote(path: Path, dialect: Dialect, width: int) -> Quote:
    """What the double quotes in a file are, from all of it.

    Between tabs and bars a quote is a character unless every quoted cell closes on its line. Between commas and
    semicolons texts may span lines: there it is a character only if that alone makes every line a whole row.
    """
    if len(dialect.delimiter) > 1 and dialect.delimiter != BLANKS:
        return "none"
    if dialect.delimiter not in (",", ";"):
        return "double" if _closes_on_each_line(path, dialect) else "none"
    if _fits(path, replace(dialect, quote="double"), width):
        return "double"
    for quote in ("backslash", "none") if _escapes(path) else ("none",):
        if _fits(path, replace(dialect, quote=quote), width):
            return quote
    return "double"


def _escapes(path: Path) -> bool:
    return any(b'\\"' in block for block in blocks(path))


def _closes_on_each_line(path: Path, dialect: Dialect) -> bool:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        for line in file:
            if '"' in line:
                try:
                    next(csv.reader([line.rstrip("\r\n")], **_options(replace(dialect, quote="double"))))
                except csv.Error:
                    return False
    return True


def _fits(path: Path, dialect: Dialect, width: int) -> bool:
    """Whether every row has ``width`` cells and is on one line."""
    try:
        rows = (row for row in text_rows(path, path, dialect) if row.cells != COMMENTED)
        return all(not isinstance(row.cells, str) and len(row.cells) == width and row.lines == 1 for row in rows)
    except CftuiError:
        return False


def _options(dialect: Dialect) -> dict[str, Any]:
    one = " " if dialect.delimiter == BLANKS else dialect.delimiter
    more: dict[str, Any] = {"skipinitialspace": True} if dialect.delimiter == BLANKS else {}
    if dialect.quote == "backslash":
        more |= {"escapechar": "\\", "doublequote": False}
    return {"delimiter": one, "strict": True, **more}


def text_rows(path: Path, readable: Path, dialect: Dialect) -> Iterator[Row]:
    """All rows with anything in them, the header among them.

    Raises:
        CftuiError: a quote is opened and not closed, or only far below.
    """
    with readable.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        for _ in range(dialect.skip):
            file.readline()
        if dialect.quote == "none" or dialect.delimiter == BLANKS or len(dialect.delimiter) > 1:
            yield from _lines(file, dialect)
        else:
            yield from _quoted(path, file, dialect)


def _lines(file: Any, dialect: Dialect) -> Iterator[Row]:
    apart = None if dialect.delimiter == BLANKS else dialect.delimiter
    quoted = dialect.delimiter == BLANKS and dialect.quote != "none"
    for line, text in enumerate(file, dialect.skip + 1):
        if not text.strip():
            continue
        if dialect.comment and text.startswith(dialect.comment):
            yield Row(line, COMMENTED)
            continue
        if quoted and '"' in text:
            try:
                cells = next(csv.reader([" ".join(text.split())], **_options(dialect)))
            except csv.Error as error:
                yield Row(line, f"quoting: {error}")
                continue
        else:
            cells = text.rstrip("\r\n").split(apart)
        yield Row(line, cells if any(map(str.strip, cells)) else "")


def _quoted(path: Path, file: Any, dialect: Dialect) -> Iterator[Row]:
    reader, before = csv.reader(file, **_options(dialect)), dialect.skip
    csv.field_size_limit(LINE_BYTES)
    while True:
        line = before + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines = before + reader.line_num - line + 1
            if "unexpected end" in str(error):
                what = f"a quote is opened here and never closed: {lines:,} lines are one cell"
                hint = "--quote none reads a quote as a character"
                raise CftuiError(what, where=f"{path}:{line}", hint=hint, option="quote") from None
            if "field larger" in str(error):
                what = f"a quote is opened here, and a cell of more than {LINE_BYTES / 1e6:g} MB follows"
                hint = "--quote none reads a quote as a character"
                raise CftuiError(what, where=f"{path}:{line}", hint=hint, option="quote") from None
            yield Row(line, f"quoting: {error}", lines)
            continue
        lines = before + reader.line_num - line + 1
        if not cells or (len(cells) == 1 and not cells[0].strip()):
            continue
        if dialect.comment and cells[0].startswith(dialect.comment):
            yield Row(line, COMMENTED, lines)
            continue
        yield Row(line, cells if any(map(str.strip, cells)) else "", lines)

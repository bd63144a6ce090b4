"""Rows of a table in CSV, JSON lines or Parquet; malformed rows are collected instead of ending the reading.

A row is its line number and the requested cells as text, or the reason why it is malformed.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cftui.data.formats import guessing
from cftui.data.formats.unpacking import Plain, blocks, plain
from cftui.data.formats.values import shown
from cftui.errors import CftuiError, missing_library

SHOWN = 5
_FIRST = 50
# Rows read at a time, which bounds the memory.
CHUNK = 1_000_000
Row = tuple[int, "list[str] | str"]


@dataclass
class Faults:
    """The malformed rows of one file: the first few described, the others counted."""

    path: Path
    allowed: int = 0
    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, line: int, reason: str) -> None:
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(f"line {line}: {reason}")

    @property
    def text(self) -> str:
        more = f"; and {self.count - SHOWN:,} more" if self.count > SHOWN else ""
        return "; ".join(self.first) + more

    def check(self) -> None:
        """Raises CftuiError if there are more malformed rows than tolerated."""
        if self.count > self.allowed:
            rows = f"{self.count:,} malformed row{'s' if self.count > 1 else ''}"
            beyond = f", more than the {self.allowed:,} of --skip-bad" if self.allowed else ""
            raise CftuiError(
                f"{rows}{beyond}: {self.text}",
                where=self.path,
                hint=f"correct the file, or skip them: --skip-bad {self.count}",
                option="skip-bad",
            )


@dataclass(frozen=True, eq=False)
class Table:
    """A file whose format is known.

    Attributes:
        path: the file as the user named it; plain: the same file, readable as text.
        kind: ``csv``, ``json`` or ``parquet``.
        delimiter: of a CSV; one of several characters means that there is no quoting.
        columns: the names in the header, or ``1``, ``2``, ... without a header.
        header: whether the first row is a header.
    """

    path: Path
    plain: Plain
    kind: str
    delimiter: str
    columns: tuple[str, ...]
    header: bool

    def index(self, column: str, option: str) -> int:
        """The place of a column, by name or by number from 1. Raises CftuiError if no column fits, or two do."""
        number = int(column) - 1 if column.isascii() and column.isdecimal() and len(column) < 6 else -1
        named = [at for at, name in enumerate(self.columns) if name == column]
        named = named or [at for at, name in enumerate(self.columns) if name.casefold() == column.casefold()]
        if len(named) > 1:
            places = " and ".join(str(at + 1) for at in named)
            what = f"columns {places} are both named {column!r}"
            raise CftuiError(what, where=self.path, hint=f"give --{option} by number", option=option)
        if named:
            return named[0]
        if 0 <= number < len(self.columns):
            return number
        there = ", ".join(self.columns[:20])
        what = f"no column {column!r} (--{option})"
        raise CftuiError(what, where=self.path, hint=f"choose from {there}", option=option)

    def rows(self, picks: Sequence[int]) -> Iterator[Row]:
        """Yield the cells at ``picks``, row by row.

        Raises:
            CftuiError: a quote is opened and never closed.
        """
        if self.kind == "json":
            return _json_rows(self.plain.path, [self.columns[at] for at in picks])
        if self.kind == "parquet":
            return _parquet_rows(self.path, [self.columns[at] for at in picks])
        return self._csv_rows(picks)

    def _csv_rows(self, picks: Sequence[int]) -> Iterator[Row]:
        width, rows = len(self.columns), _cells(self.path, self.plain.path, self.delimiter)
        for line, cells in islice(rows, int(self.header), None):
            if isinstance(cells, str):
                yield line, cells
            elif len(cells) != width:
                yield line, f"{len(cells)} columns where {width} belong"
            else:
                yield line, [cells[at] for at in picks]


def open_table(
    path: Path, scratch: Path, *, delimiter: str | None = None, encoding: str | None = None, numbered: bool = False
) -> Table:
    """Find out what a file is.

    Args:
        numbered: the columns are given by number, so no header is needed.

    Raises:
        CftuiError: the file is missing or empty, an archive cannot be unpacked, or the format is not supported.
    """
    if path.suffix.casefold() in (".parquet", ".pq"):
        return _open_parquet(path)
    readable = plain(path, scratch, encoding)
    with readable.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        # Read a bounded amount: a file may be one endless line.
        lines = [line for _ in range(_FIRST) if (line := file.readline(1 << 20))]
    lines = [line.rstrip("\r\n") for line in lines if line.strip()]
    if not lines:
        raise CftuiError(f"{path}: holds only blank lines")
    if lines[0].lstrip()[:1] == "{" and delimiter is None:
        return _open_json(path, readable, lines)
    if lines[0].lstrip()[:1] == "[" and path.suffix.casefold() == ".json":
        raise CftuiError(f"{path}: a JSON array; give one JSON object per line (jq -c '.[]' converts it)")
    if "\0" in lines[0]:
        raise CftuiError(f"{path}: not text; give a CSV, JSON lines or Parquet file of ratings")
    chosen = guessing.guess_delimiter(lines) if delimiter is None else guessing.delimiter(delimiter)
    _, first = next(_cells(path, readable.path, chosen), (0, "no rows"))
    if isinstance(first, str):
        raise CftuiError(
            f"its first row cannot be read ({first})", where=path, hint="--delimiter may help", option="delimiter"
        )
    header = guessing.has_header(first, numbered)
    if not header and not numbered:
        raise CftuiError(
            f"{path}: no header in its first row ({', '.join(map(shown, first[:6]))}); say which column is which by "
            f"number: --user 1 --item 2 --rating 3"
        )
    names = [name.strip() for name in first] if header else [str(number + 1) for number in range(len(first))]
    return Table(path, readable, "csv", chosen, tuple(names), header)


def _cells(path: Path, readable: Path, delimiter: str) -> Iterator[Row]:
    """All non-blank rows, including the header."""
    with readable.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        if len(delimiter) > 1:
            for line, text in enumerate(file, 1):
                if text.strip():
                    yield line, text.rstrip("\r\n").split(delimiter)
            return
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end" in str(error):
                    raise CftuiError(f"{path}:{line}: a quote is opened here and never closed") from None
                large = "field larger" in str(error)
                yield line, "a quote is opened and not closed" if large else f"quoting: {error}"
                continue
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield line, cells


def _open_json(path: Path, readable: Plain, lines: list[str]) -> Table:
    names: dict[str, None] = {}
    for line in lines:
        found = _object(line)
        if isinstance(found, dict):
            names.update(dict.fromkeys(found))
    if not names:
        raise CftuiError(f"{path}: no JSON object in its first lines; give one per line")
    return Table(path, readable, "json", "", tuple(names), True)


def _object(line: str) -> dict[str, Any] | str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {str(error)[:80]}"
    return found if isinstance(found, dict) else "not a JSON object"


def _json_rows(readable: Path, names: list[str]) -> Iterator[Row]:
    with readable.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            found = _object(line)
            if isinstance(found, str):
                yield number, found
                continue
            try:
                yield number, [_text(name, found.get(name)) for name in names]
            except ValueError as error:
                yield number, str(error)


def _text(name: str, value: Any) -> str:
    """A value as the text that a CSV would hold. Raises ValueError for a value that cannot be a cell."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        raise ValueError(f"{name} is {str(value).lower()}")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "|".join(value)
    raise ValueError(f"{name} is neither text nor a number")


def _open_parquet(path: Path) -> Table:
    if not path.is_file():
        raise CftuiError(f"{path}: no such file")
    if find_spec("pyarrow") is None:
        raise missing_library(f"{path}: reading Parquet", "pyarrow", "parquet")
    import pyarrow  # type: ignore[import-not-found,unused-ignore]
    import pyarrow.parquet  # type: ignore[import-not-found,unused-ignore]

    try:
        names = pyarrow.parquet.read_schema(path).names
    except (pyarrow.ArrowException, OSError) as error:
        raise CftuiError(f"{path}: not a readable Parquet file: {str(error)[:120]}") from None
    return Table(path, Plain(path, "", True), "parquet", "", tuple(names), True)


def _parquet_rows(path: Path, names: list[str]) -> Iterator[Row]:
    import datetime

    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(columns=list(dict.fromkeys(names))):
            columns = [batch.column(name).to_pylist() for name in names]
            for values in zip(*columns, strict=True):
                number += 1
                try:
                    yield (
                        number,
                        [
                            value.isoformat() if isinstance(value, datetime.date) else _text(name, value)
                            for name, value in zip(names, values, strict=True)
                        ],
                    )
                except ValueError as error:
                    yield number, str(error)
    except (pyarrow.ArrowException, OSError) as error:
        raise CftuiError(f"{path}: not a readable Parquet file: {str(error)[:120]}") from None


@dataclass(frozen=True, eq=False)
class Columns:
    """The result of ``quick``: int32 codes ``[n]`` into the distinct texts of a column, and int64 times or None."""

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray
    time: np.ndarray | None
    texts: dict[str, list[str]]


def quick(table: Table, user: int, item: int, rating: int, time: int | None) -> Columns | None:
    """Read the ratings in vectorised passes; None if only reading row by row is certain to be right.

    Rows are lines: row k, from 0, is on line k + 1, plus one for a header.
    """
    if table.kind != "csv" or not table.plain.valid or len(table.delimiter) > 1:
        return None
    # pandas silently ignores surplus columns and blank lines, and quotes hide delimiters.
    mark, ends, cuts, last = table.delimiter.encode(), 0, 0, b"\n"
    for block in blocks(table.plain.path):
        if b'"' in block or b"\0" in block:
            return None
        ends, cuts, last = ends + block.count(b"\n"), cuts + block.count(mark), block[-1:]
    picks = {"user": user, "item": item, "rating": rating} | ({} if time is None else {"time": time})
    try:
        # An infinity among whole numbers is an error, about which numpy would warn as well.
        with np.errstate(invalid="ignore"):
            found = _chunked(table, picks)
    except (ValueError, OverflowError, pd.errors.ParserError):
        return None
    lines = len(found.user) + int(table.header)
    if lines != ends + (last != b"\n") or cuts != (len(table.columns) - 1) * lines:
        return None
    return found


def _chunked(table: Table, picks: dict[str, int]) -> Columns:
    names = {at: str(at) for at in range(len(table.columns))}
    texts: dict[str, dict[str, int]] = {name: {} for name in picks if name != "time"}
    codes: dict[str, list[np.ndarray]] = {name: [] for name in picks}
    # Text, not categories: pandas would turn those into numbers, and 007 into 7.
    kinds = {names[at]: "int64" if name == "time" else "str" for name, at in picks.items()}
    with pd.read_csv(
        table.plain.path,
        sep=table.delimiter,
        header=None,
        skiprows=int(table.header),
        names=list(names.values()),
        usecols=sorted(set(picks.values())),
        dtype=kinds,
        index_col=False,
        quoting=csv.QUOTE_NONE,
        na_filter=False,
        skip_blank_lines=False,
        encoding="utf-8-sig",
        engine="c",
        chunksize=CHUNK,
    ) as chunks:
        for chunk in chunks:
            for name, at in picks.items():
                if name == "time":
                    codes[name].append(chunk[names[at]].to_numpy())
                    continue
                which, distinct = pd.factorize(chunk[names[at]].to_numpy(dtype=object))
                seen = texts[name]
                whole = np.array([seen.setdefault(text, len(seen)) for text in distinct], dtype=np.int32)
                codes[name].append(whole[which] if len(whole) else which.astype(np.int32))
    empty = [np.zeros(0, dtype=np.int32)]
    joined = {name: np.concatenate(parts or empty) for name, parts in codes.items()}
    return Columns(
        joined["user"], joined["item"], joined["rating"], joined.get("time"), {k: list(v) for k, v in texts.items()}
    )

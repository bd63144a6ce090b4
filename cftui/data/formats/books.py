"""Files that hold tables with types: Parquet, Excel workbooks and SQLite databases."""

from __future__ import annotations

import datetime
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import IO, Any

from cftui.data.formats import guessing
from cftui.data.formats.dialects import Row
from cftui.errors import CftuiError, missing_library
from cftui.text import one_line, shorten

_XLS = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SQLITE = b"SQLite format 3\x00"
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class Found:
    """A table that was found in a file.

    Attributes:
        kind: the name of the format; header: whether ``columns`` are names.
        source: the cells at some places of its rows, as often as they are asked for.
        shape: how ratings are laid out; notes: what was made of the file, in words.
    """

    kind: str
    columns: tuple[str, ...]
    header: bool
    source: Callable[[Sequence[int]], Iterator[Row]]
    shape: Any = "rows"
    notes: tuple[str, ...] = ()


def text_of(name: str, value: Any) -> str:
    """A value as the text that a CSV would hold. Raises ValueError for a value that cannot be a cell."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    if isinstance(value, bytes):  # text in many a Parquet file that does not say so
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ValueError(f"{name} is neither text nor a number") from None
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return "|".join(value)
    raise ValueError(f"{name} is neither text nor a number")


def row_of(number: int, names: Sequence[str], values: Sequence[Any]) -> Row:
    """A row of typed values as text."""
    try:
        return Row(number, [text_of(name, value) for name, value in zip(names, values, strict=True)])
    except ValueError as error:
        return Row(number, str(error))


def first_rows(found: Found, count: int) -> tuple[list[str], ...]:
    """The first rows; a cell that cannot be text is empty."""
    every = range(len(found.columns))
    rows = list(islice(found.source(every), count))
    if any(isinstance(row.cells, str) and row.cells for row in rows):
        columns = [[row.cells for row in islice(found.source([at]), count)] for at in every]
        rows_of = zip(
            *([cells[0] if isinstance(cells, list) else "" for cells in column] for column in columns), strict=True
        )
        return tuple(list(cells) for cells in rows_of if any(cells))
    return tuple(row.cells for row in rows if isinstance(row.cells, list))


def open_book(path: Path, found: Path, member: str, header: bool | None = None) -> Found | None:
    """The table in a file of one of these formats, or None if it has another.

    Args:
        path: as the user named it; found: where it is.
        member: the sheet or table that the user named, or empty.
        header: whether the first row of a sheet holds the names of the columns; guessed if None.

    Raises:
        CftuiError: it is damaged, needs a library that is not installed, or holds several tables.
    """
    with found.open("rb") as file:
        start = file.read(16)
    if start.startswith(_PARQUET) or path.suffix.casefold() in (".parquet", ".pq"):
        return _parquet(path, found)
    if start.startswith(_XLS):
        what = "an Excel workbook of the old format; save the sheet as CSV or .xlsx"
        raise CftuiError(what, where=path)
    if start.startswith(_SQLITE):
        return _sqlite(path, found, member)
    if (start.startswith(b"PK") and path.suffix.casefold() in (".xlsx", ".xlsm")) or _is_workbook(found, start):
        return _excel(path, found, member, header)
    return None


def _parquet(path: Path, found: Path) -> Found:
    if find_spec("pyarrow") is None:
        raise missing_library(f"{path}: reading Parquet", "pyarrow", "parquet")
    import pyarrow  # type: ignore[import-not-found,import-untyped,unused-ignore]
    import pyarrow.parquet  # type: ignore[import-not-found,import-untyped,unused-ignore]

    try:
        names = pyarrow.parquet.read_schema(found).names
    except (pyarrow.ArrowException, OSError) as error:
        raise CftuiError(f"{path}: not a readable Parquet file: {shorten(one_line(str(error)), 120)}") from None

    def source(picks: Sequence[int]) -> Iterator[Row]:
        number, picked = 0, [names[at] for at in picks]
        try:
            for batch in pyarrow.parquet.ParquetFile(found).iter_batches(columns=list(dict.fromkeys(picked))):
                columns = [batch.column(name).to_pylist() for name in picked]
                for values in zip(*columns, strict=True):
                    number += 1
                    yield row_of(number, picked, values)
        except (pyarrow.ArrowException, OSError) as error:
            raise CftuiError(f"{path}: not a readable Parquet file: {shorten(one_line(str(error)), 120)}") from None

    return Found("parquet", tuple(names), True, source)


def _is_workbook(found: Path, start: bytes) -> bool:
    if not start.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(found) as bundle:
            return "xl/workbook.xml" in bundle.namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return False


def _excel(path: Path, found: Path, member: str, header: bool | None) -> Found:
    if find_spec("openpyxl") is None:
        what = f"{path}: an Excel workbook; save the sheet as CSV, or reading it"
        raise missing_library(what, "openpyxl", "excel")
    import openpyxl  # type: ignore[import-untyped,import-not-found,unused-ignore]

    def open_it(file: IO[bytes]) -> Any:
        try:
            # Open, since a name would have to end in .xlsx, and that of a copy from an archive does not.
            return openpyxl.load_workbook(file, read_only=True, data_only=True)
        except Exception as error:  # a damaged one fails in every way that XML and zip can
            raise CftuiError(f"{path}: not a readable workbook: {shorten(one_line(str(error)), 120)}") from None

    def rows() -> Iterator[tuple[Any, ...]]:
        with found.open("rb") as file, closing(open_it(file)) as book:
            try:
                # Many programs write a size of the sheet that is too small, and what lies beyond would be lost.
                book[sheet].reset_dimensions()
                yield from book[sheet].iter_rows(values_only=True)
            except Exception as error:
                raise CftuiError(f"{path}: not a readable workbook: {shorten(one_line(str(error)), 120)}") from None

    with found.open("rb") as file, closing(open_it(file)) as book:
        sheet = _chosen(path, list(book.sheetnames), member, "sheet")
    first = [[text_of("", value) for value in row] for row in islice(rows(), 2)]
    if not first:
        raise CftuiError(f"{path}: the sheet {sheet} is empty")
    if header is None:
        header = guessing.has_header(first[0], first[1] if len(first) > 1 else ())
    names = [name.strip() for name in first[0]] if header else [str(at + 1) for at in range(len(first[0]))]

    def source(picks: Sequence[int]) -> Iterator[Row]:
        for number, values in enumerate(islice(rows(), int(header), None), 1 + int(header)):
            if all(value is None or not str(value).strip() for value in values):
                yield Row(number, "")
                continue
            # A row ends with its last filled cell.
            cells = [values[at] if at < len(values) else None for at in picks]
            yield row_of(number, [names[at] for at in picks], cells)

    return Found("excel", tuple(names), header, source, "rows", (f"the sheet {sheet}",) if member else ())


def _sqlite(path: Path, found: Path, member: str) -> Found:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{found.absolute().as_uri()}?mode=ro", uri=True)

    try:
        with closing(connect()) as base:
            kinds = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
            table = _chosen(path, [name for (name,) in base.execute(kinds)], member, "table")
            quoted = '"' + table.replace('"', '""') + '"'
            names = [column[0] for column in base.execute(f"SELECT * FROM {quoted} LIMIT 0").description]
    except sqlite3.Error as error:
        raise CftuiError(f"{path}: not a readable SQLite database: {error}") from None

    def source(picks: Sequence[int]) -> Iterator[Row]:
        try:
            with closing(connect()) as base:
                for number, values in enumerate(base.execute(f"SELECT * FROM {quoted}"), 1):
                    yield row_of(number, [names[at] for at in picks], [values[at] for at in picks])
        except sqlite3.Error as error:
            raise CftuiError(f"{path}: not a readable SQLite database: {error}") from None

    return Found("sqlite", tuple(names), True, source, "rows", (f"the table {table}",))


def _chosen(path: Path, names: list[str], member: str, what: str) -> str:
    """The one table that is meant."""
    listed = ", ".join(names[:8]) or "nothing"
    if member:
        if member not in names:
            raise CftuiError(f"no {what} {member!r} in it", where=path, hint=f"it holds {listed}")
        return member
    named = [name for name in names if "rating" in name.casefold()]
    if len(names) != 1 and len(named) != 1:
        example = next(iter(named or names), "ratings")
        raise CftuiError(f"holds the {what}s {listed}", where=path, hint=f"name one: {path}:{example}")
    return names[0] if len(names) == 1 else named[0]

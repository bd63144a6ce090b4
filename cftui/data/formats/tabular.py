"""Rows of a table of any format; malformed rows are collected instead of ending the reading.

A table is opened by its first bytes. Whatever it is, its rows are cells of text under named columns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from cftui.data.formats import books, dialects, guessing, matrices, trees
from cftui.data.formats.dialects import Dialect, Row, text_rows
from cftui.data.formats.encodings import Plain, as_utf8, check_lines
from cftui.data.formats.unpacking import unpacked, with_member
from cftui.errors import CftuiError

SHOWN = 5
Shape = Literal["rows", "matrix", "lists", "blocks"]
SHAPES = ("rows", "matrix", "lists", "blocks")
# A share of the rows that are malformed alike is no accident.
_THROUGHOUT = 0.1


@dataclass
class Faults:
    """The malformed rows of one file: the first few described, the others counted.

    Attributes:
        allowed: how many are tolerated; count: how many there are, in lines; kinds: how often each kind of reason
            and each option that is concerned by it occurs.
    """

    path: Path
    allowed: int = 0
    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, line: int, reason: str, lines: int = 1, option: str = "") -> None:
        self.count += lines
        span = f"lines {line} to {line + lines - 1}" if lines > 1 else f"line {line}"
        if len(self.first) < SHOWN or line < self.first[-1][0]:
            self.first = sorted([*self.first, (line, f"{span}: {reason}")])[:SHOWN]
        if len(self.kinds) < 1000:
            self.kinds[re.sub(r"\d+", "9", reason), option] += lines

    @property
    def text(self) -> str:
        more = f"; and {self.count - len(self.first):,} more" if self.count > SHOWN else ""
        return "; ".join(reason for _, reason in self.first) + more

    def check(self, good: int) -> None:
        """Raises CftuiError if there are more malformed rows than tolerated.

        Args:
            good: the number of rows that are not malformed.
        """
        if self.count > self.allowed:
            rows = f"{self.count:,} malformed row{'s' if self.count > 1 else ''}"
            beyond = f", more than the {self.allowed:,} of --skip-bad" if self.allowed else ""
            raise CftuiError(
                f"{rows}{beyond}: {self.text}", where=self.path, hint=self._hint(good), option=self._option(good)
            )

    def _systematic(self, good: int) -> bool:
        """Whether most rows are malformed, or many in the same way: skipping them would lose what was meant."""
        most = self.count > good
        alike = max(self.kinds.values(), default=0)
        return most or (alike > 2 and alike == self.count and alike > _THROUGHOUT * (good + self.count))

    def _option(self, good: int) -> str:
        (_, option), _ = self.kinds.most_common(1)[0]
        return option or "delimiter" if self._systematic(good) else "skip-bad"

    def _hint(self, good: int) -> str:
        if not self._systematic(good):
            return f"correct the file, or skip them: --skip-bad {self.count}"
        what = "most rows are" if self.count > good else f"{self.count:,} of {self.count + good:,} rows are alike"
        option = self._option(good)
        ways = f"give another --{option}" if option != "delimiter" else "--delimiter or --quote cuts it otherwise"
        return f"correct the file, or {ways}: {what} malformed"


@dataclass(frozen=True, eq=False)
class Table:
    """A file whose format is known.

    Attributes:
        path: the file as the user named it; plain: the same file, readable as text.
        kind: ``csv``, or the name of another format.
        dialect: how a CSV is cut.
        columns: the names in the header, or ``1``, ``2``, ... without a header.
        header: whether the columns have names.
        shape: how ratings are laid out.
        source: the cells at some places of all rows, without the header.
        notes: what was made of the file beyond its delimiter and encoding, in words.
        first: the first rows that can be used.
    """

    path: Path
    plain: Plain
    kind: str
    dialect: Dialect
    columns: tuple[str, ...]
    header: bool
    source: Callable[[Sequence[int]], Iterator[Row]]
    shape: Shape = "rows"
    notes: tuple[str, ...] = ()
    first: tuple[list[str], ...] = ()

    @property
    def delimiter(self) -> str:
        return self.dialect.delimiter if self.kind == "csv" else ""

    def index(self, column: str, option: str) -> int:
        """The place of a column, by name or by number from 1. Raises CftuiError if no column fits, or two do."""
        number = int(column) - 1 if column.isascii() and column.isdecimal() and len(column) < 6 else -1
        named = [at for at, name in enumerate(self.columns) if name == column]
        named = named or [at for at, name in enumerate(self.columns) if name.casefold() == column.casefold()]
        # The names of a header of numbers are no names.
        if len(named) == 1 and number >= 0 and self.header and _counts_up(self.columns):
            named = []
        if len(named) > 1:
            places = " and ".join(str(at + 1) for at in named)
            what = f"columns {places} are both named {column!r}"
            raise CftuiError(what, where=self.path, hint=f"give --{option} by number", option=option)
        if named:
            return named[0]
        if 0 <= number < len(self.columns):
            return number
        what = f"no column {column!r} (--{option})"
        hint = f"choose from {guessing.listed(self.columns)}"
        raise CftuiError(what, where=self.path, hint=hint, option=option)

    def word(self, at: int) -> str:
        """What the command line calls a column: its name if no other column has it, else its number."""
        name = self.columns[at]
        alike = sum(other.casefold() == name.casefold() for other in self.columns)
        return name if name and alike == 1 and self.header and not _counts_up(self.columns) else str(at + 1)

    def rows(self, picks: Sequence[int]) -> Iterator[Row]:
        """Yield the cells at ``picks``, row by row.

        Raises:
            CftuiError: a quote is opened and never closed.
        """
        return self.source(picks)


def _counts_up(columns: Sequence[str]) -> bool:
    names = list(columns[1:] if columns and not columns[0] else columns)
    return names == [str(number) for number in range(len(names))]


def open_table(
    path: Path,
    scratch: Path,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    quote: dialects.Quote | None = None,
    header: bool | None = None,
    shape: Shape | None = None,
    named: Sequence[str] = (),
    wanted: Sequence[str] = ("rating",),
) -> Table:
    """Find out what a file is.

    Args:
        quote: what a double quote is; guessed if None.
        header: whether the first row of a text or a workbook holds the names of the columns; guessed if None.
        shape: how ratings are laid out; guessed if None.
        named: the columns that the user named; a table that has them is not taken for a matrix.
        wanted: words in the name of the table that is looked for in an archive.

    Raises:
        CftuiError: the file is missing or empty, an archive cannot be unpacked, or the format is not supported.
    """
    found, member, table = unpacked(path, scratch, wanted)
    name = with_member(path, member or table)
    book = books.open_book(name, found, table, header) or matrices.open_arrays(name, found, table)
    if book is not None:
        return _of_rows(name, Plain(found, "", True), book, shape, named)
    try:
        plain = as_utf8(found, scratch / "utf-8", encoding)
    except CftuiError as error:
        # The user knows the file, not the copy of it.
        raise CftuiError(str(error).replace(str(found), str(path))) from None
    lines = _first_lines(plain.path)
    if not any(line.strip() for line in lines):
        raise CftuiError(f"{path}: holds only blank lines")
    if any("\0" in line for line in lines[:2]):
        raise CftuiError(f"{path}: not text; give a table of ratings such as CSV, JSON lines or Parquet")
    if delimiter is None and shape != "lists":
        tree = trees.open_tree(name, plain.path, [line for line in lines if line.strip()])
        if tree is not None:
            return _of_rows(name, plain, tree, shape, named)
    return _open_text(name, plain, lines, delimiter, quote, header, shape, named)


def _first_lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        # Read a bounded amount: a file may be one endless line.
        return [line for _ in range(guessing.ROWS + 10) if (line := file.readline(1 << 20))]


def _of_rows(path: Path, plain: Plain, found: books.Found, shape: Shape | None, named: Sequence[str]) -> Table:
    """A table whose format gives cells and names."""
    first = books.first_rows(found, guessing.ROWS)
    table = Table(
        path, plain, found.kind, Dialect(), found.columns, found.header, found.source, found.shape, found.notes, first
    )
    return _shaped(table, shape, named) if found.shape == "rows" else table


def _open_text(
    path: Path,
    plain: Plain,
    lines: list[str],
    delimiter: str | None,
    quote: dialects.Quote | None,
    asked_header: bool | None,
    shape: Shape | None,
    named: Sequence[str],
) -> Table:
    check_lines(path, plain.path)
    skip, comment, separator = dialects.preamble(lines)
    heading = lines[skip - 1] if comment else ""
    bodies = [line.rstrip("\r\n") for line in lines[skip:] if line.strip()]
    bodies = [line for line in bodies if not (comment and line.startswith(comment))][: guessing.ROWS]
    grid = matrices.coordinates(lines[0], bodies) if comment == "%" else None
    if not bodies:
        skip, comment, bodies = 0, "", [line.rstrip("\r\n") for line in lines if line.strip()]
    if shape in (None, "blocks") and delimiter is None and matrices.are_blocks(bodies):
        return _reshaped(path, plain, matrices.blocks(path, plain.path), "blocks")
    chosen = dialects.delimiter(delimiter) if delimiter is not None else separator or dialects.guess_delimiter(bodies)
    if shape in (None, "lists") and not named and matrices.are_lists(bodies, delimiter and chosen):
        return _reshaped(path, plain, matrices.lists(path, plain.path, delimiter and chosen, skip, comment), "lists")
    dialect = Dialect(chosen, quote or "double", skip, comment)
    if quote is None and plain.quoted:
        width = len(_cells(bodies[0], chosen))
        dialect = Dialect(chosen, dialects.guess_quote(plain.path, dialect, width), skip, comment)

    def every() -> Iterator[Row]:
        return text_rows(path, plain.path, dialect)

    first = list(islice(every(), guessing.ROWS))
    usable = [row.cells for row in first if isinstance(row.cells, list)]
    if not usable:
        reason = next((row.cells for row in first if row.cells), "no cell of it is filled")
        where = f"{path}:{first[0].line}" if first else path
        raise CftuiError(
            f"its first row cannot be read ({reason})", where=where, hint="--delimiter may help", option="delimiter"
        )
    if isinstance(first[0].cells, str) and first[0].cells:
        what = f"its first row cannot be read ({first[0].cells})"
        raise CftuiError(what, where=path, hint="--delimiter or --quote may help", option="delimiter")
    header = asked_header
    if header is None:
        header = guessing.has_header(usable[0], usable[1] if len(usable) > 1 else ())
    above = heading and asked_header is None and not header and comment == "#"
    titled = _cells(heading.lstrip("#% ").rstrip("\r\n"), chosen) if above else []
    names = [name.strip() for name in usable[0]]
    notes: list[str] = []
    body = usable[int(header) :]
    if titled and len(titled) == len(usable[0]) and guessing.has_header(titled, usable[0]):
        names = [name.strip() for name in titled]
        named_above = True
    else:
        named_above = False
        names = guessing.untyped(names) if header else [str(number + 1) for number in range(len(usable[0]))]
    if header and body and all(len(cells) == len(names) + 1 for cells in body):
        # A delimiter ends each row, or a row's name begins it, and the header knows nothing of either.
        if not any(cells[-1].strip() for cells in body):
            names = [*names, ""]
            notes.append("a delimiter ends each row")
        elif guessing.counts_rows([cells[0] for cells in body]):
            names = ["", *names]
            notes.append("the first column has no name")
    before = int(header) + (1 if grid else 0)

    width = len(names)
    body = [cells[:width] for cells in body if len(cells) == width or not any(map(str.strip, cells[width:]))]
    body = [cells for cells in body if len(cells) == width]

    def source(picks: Sequence[int]) -> Iterator[Row]:
        for row in islice(every(), before, None):
            cells = row.cells
            if isinstance(cells, list):
                if len(cells) > width and not any(map(str.strip, cells[width:])):
                    cells = cells[:width]
                wrong = f"{len(cells)} columns where {width} belong"
                row = Row(row.line, [cells[at] for at in picks] if len(cells) == width else wrong, row.lines)
            yield row

    table = Table(
        path, plain, "csv", dialect, tuple(names), header or named_above, source, "rows", tuple(notes), tuple(body)
    )
    if grid:
        columns = ("user", "item", "rating")[: len(names)]
        return Table(path, plain, "matrix-market", dialect, columns, True, source, "rows", (grid,), tuple(body[1:]))
    return _shaped(table, shape, named)


def _cells(line: str, delimiter: str) -> list[str]:
    if delimiter == dialects.BLANKS:
        return line.split()
    if len(delimiter) > 1:
        return line.split(delimiter)
    import csv

    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def _reshaped(path: Path, plain: Plain, found: books.Found, shape: Shape) -> Table:
    first = books.first_rows(found, guessing.ROWS)
    return Table(path, plain, found.kind, Dialect(), found.columns, True, found.source, shape, found.notes, first)


def _shaped(table: Table, shape: Shape | None, named: Sequence[str]) -> Table:
    """The table, or the ratings in it if it is a matrix of users and items."""
    numbers = any(name.isdecimal() for name in named)
    known = any(name.casefold() == column.casefold() for name in named for column in table.columns)
    if shape == "rows" or (shape is None and (numbers or known)):
        return table
    matrix = matrices.matrix_of(table.columns, table.header, table.first, table.source, sure=shape == "matrix")
    if matrix is None:
        if shape is not None:
            what = f"no {shape} of ratings"
            raise CftuiError(what, where=table.path, hint="--shape rows reads a rating a row", option="shape")
        return table
    reshaped = _reshaped(table.path, table.plain, matrix, "matrix")
    return Table(
        table.path, table.plain, table.kind, table.dialect, reshaped.columns, True, matrix.source, "matrix",
        (*table.notes, *matrix.notes), reshaped.first,
    )  # fmt: skip


def looks_like_matrix(table: Table) -> bool:
    """Whether a table that is read as rows may be a matrix."""
    return table.shape == "rows" and (
        matrices.matrix_of(table.columns, table.header, table.first, table.source, sure=False) is not None
    )

"""The first rows of somebody's table, and what its columns seem to be: what there is to see before an import.

Read from the beginning of the file alone, by the code that the import reads all of it with.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cftui.errors import CftuiError

ROWS = 20
# More columns than anybody looks through; the others cannot be chosen here.
COLUMNS = 100
# Read of a file: fifty lines, from which the delimiter is guessed, are in it.
BYTES = 1 << 18
_PACKED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_PACKED_SUFFIXES = (".gz", ".bz2", ".xz")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", " ": "space"}

RATINGS = ("user", "item", "rating", "counts", "time")
ITEMS = ("item", "title")
OPTIONAL = ("counts", "time")


@dataclass(frozen=True)
class Sample:
    """The beginning of a file.

    Attributes:
        path: as the user named it; size: of the file, in bytes.
        kind: ``csv``, ``json`` or ``parquet``; delimiter and encoding: as guessed or given, or empty.
        columns: names, or ``1``, ``2``, ... where there is no header.
        rows: line number and cells of each; or the reason why it is no row.
    """

    path: Path
    size: int
    kind: str
    delimiter: str
    encoding: str
    header: bool
    columns: tuple[str, ...]
    rows: tuple[tuple[int, list[str] | str], ...]

    @property
    def format(self) -> str:
        """``comma`` or ``JSON``."""
        names = {"json": "JSON", "parquet": "Parquet"}
        return names.get(self.kind) or _DELIMITERS.get(self.delimiter, self.delimiter)

    def label(self, at: int) -> str:
        """What to call a column on the screen."""
        return self.columns[at] or f"column {at + 1}" if self.header else f"column {self.columns[at]}"

    def word(self, at: int) -> str:
        """What the command line calls a column: its name where that is the only one, else its number."""
        name = self.columns[at]
        alike = sum(other.casefold() == name.casefold() for other in self.columns)
        return name if self.header and name and alike == 1 else str(at + 1)


def read_sample(path: Path, delimiter: str | None = None, encoding: str | None = None) -> Sample:
    """The first rows of ``path``.

    Raises:
        CftuiError: no such file, or one that no table can be read from.
        OSError: it cannot be read at all.
    """
    from cftui.data.formats.tabular import open_table

    with tempfile.TemporaryDirectory(prefix="cftui-") as scratch:
        start = _beginning(path, Path(scratch))
        try:
            try:
                table = open_table(start, Path(scratch), delimiter=delimiter, encoding=encoding)
            except CftuiError:
                # Columns by number: then there need be no header.
                table = open_table(start, Path(scratch), delimiter=delimiter, encoding=encoding, numbered=True)
            picks = range(min(len(table.columns), COLUMNS))
            rows = tuple(islice(table.rows(picks), ROWS))
        except CftuiError as error:
            raise CftuiError(str(error).replace(str(start), str(path))) from None
        columns = tuple(table.columns[at] for at in picks)
        size = path.stat().st_size
        return Sample(path, size, table.kind, table.delimiter, table.plain.encoding, table.header, columns, rows)


def _beginning(path: Path, scratch: Path) -> Path:
    """A copy of the beginning, unpacked; the file itself where it is short, or cannot be read in part."""
    if not path.is_file() or path.suffix.casefold() in (".parquet", ".pq"):
        return path
    with path.open("rb") as file:
        mark = file.read(8)
    opener = next((opener for magic, opener in _PACKED.items() if mark.startswith(magic)), None)
    if (opener is None and path.stat().st_size <= BYTES) or mark.startswith(b"PK"):
        return path
    try:
        with (opener or open)(path, "rb") as file:
            found = file.read(BYTES)
    except (EOFError, OSError, lzma.LZMAError):
        return path  # the import's own reader says what is wrong with it
    if len(found) == BYTES and not found.startswith(_UTF_16):
        found = found[: found.rfind(b"\n") + 1] or found
    name = path.stem if path.suffix.casefold() in _PACKED_SUFFIXES else path.name
    (scratch / "start").mkdir()
    start = scratch / "start" / name
    start.write_bytes(found)
    return start


def guess(sample: Sample, roles: tuple[str, ...], noun: str = "item") -> dict[str, int]:
    """The columns that seem to play each of ``roles``."""
    from cftui.data.formats import guessing

    if sample.header:
        named = {role: guessing.role_of(role, sample.columns, noun) for role in roles}
        if named.get("rating") is not None:
            named["counts"] = None
        return {role: sample.columns.index(name) for role, name in named.items() if name is not None}
    # In the order nearly every such file has.
    usual = [role for role in roles if role != "counts"]
    found = {role: at for at, role in enumerate(usual) if at < len(sample.columns)}
    if "time" in found and not all(_is_time(cells[found["time"]]) for _, cells in sample.rows if type(cells) is list):
        del found["time"]
    return found


def _is_time(text: str) -> bool:
    from cftui.data.formats.values import parse_time

    try:
        # A small number may be anything.
        return parse_time(text) > 10**8
    except ValueError:
        return False


def taken_for_time(sample: Sample) -> str | None:
    """The column that an import uses as the time by default."""
    from cftui.data.formats import guessing

    return guessing.role_of("time", sample.columns) if sample.header else None


def noun_of(sample: Sample, item: int | None) -> str:
    """``book`` of a column ``book_id``; ``item`` where its name says nothing."""
    from cftui.data.formats import guessing

    name = re.sub(r"[\W_]", "", sample.columns[item].casefold()) if item is not None else ""
    known = guessing.ROLES["item"]
    word = name.removesuffix("id")
    return word if f"{word}id" in known and word in known and word != "item" else "item"


def wrong_column(sample: Sample, marks: Mapping[str, int]) -> str:
    """Why ratings or times cannot be in the column marked for them: none in sight is one. Else empty."""
    from cftui.data.formats.values import parse_rating, parse_time

    tries: dict[str, Callable[[str], Any]] = {"rating": parse_rating, "counts": parse_rating, "time": parse_time}
    cells = [cells for _, cells in sample.rows if isinstance(cells, list)]
    for role, parse in tries.items():
        if role not in marks or not cells:
            continue
        reasons = [_reason(parse, row[marks[role]]) for row in cells]
        if all(reasons):
            return f"column {sample.columns[marks[role]]!r} holds no {role}s: {reasons[0]}"
    return ""


def _reason(parse: Callable[[str], Any], text: str) -> str:
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return ""


def name_of(path: Path, taken: Callable[[str], bool]) -> str:
    """A name for the data set after its file: ``my ratings.csv.gz`` -> ``my-ratings``; a number where it is taken."""
    stem = path.name.lstrip(".").split(".")[0]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:56] or "ratings"
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, 10_000))) if not taken(one))

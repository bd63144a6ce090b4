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
from typing import TYPE_CHECKING, Any

from cftui.errors import CftuiError

if TYPE_CHECKING:
    from cftui.data.formats.guessing import Guess

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
# Packed or laid out so that only all of it can be read.
_WHOLE = (b"PK", b"\x28\xb5\x2f\xfd")
_DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", " ": "space"}
_SHAPES = {"matrix": "matrix of users and items", "lists": "user and their items a line", "blocks": "block per item"}

RATINGS = ("user", "item", "rating", "counts", "time")
ITEMS = ("item", "title")
OPTIONAL = ("counts", "time")


@dataclass(frozen=True)
class Sample:
    """The beginning of a file.

    Attributes:
        path: as the user named it; size: of the file, in bytes.
        kind: ``csv``, ``json``, ``parquet`` or another format; shape: how ratings are laid out in it.
        delimiter and encoding: as guessed or given, or empty.
        columns: names, or ``1``, ``2``, ... where there is no header.
        rows: line number and cells of each; or the reason why it is no row.
        first: cells of the rows that guesses are made from.
        words: what the command line calls each column: its name where that is the only one, else its number.
    """

    path: Path
    size: int
    kind: str
    delimiter: str
    encoding: str
    header: bool
    columns: tuple[str, ...]
    rows: tuple[tuple[int, list[str] | str], ...]
    first: tuple[list[str], ...] = ()
    shape: str = "rows"
    words: tuple[str, ...] = ()

    @property
    def format(self) -> str:
        """``comma`` or ``JSON``."""
        names = {"json": "JSON", "parquet": "Parquet", "excel": "Excel", "sqlite": "SQLite"}
        cut = names.get(self.kind) or _DELIMITERS.get(self.delimiter, self.delimiter) or self.kind
        return cut if self.shape == "rows" else f"{cut}, a {_SHAPES[self.shape]}"

    def label(self, at: int) -> str:
        """What to call a column on the screen."""
        return self.columns[at] or f"column {at + 1}" if self.header else f"column {self.columns[at]}"

    def word(self, at: int) -> str:
        """What the command line calls a column."""
        return self.words[at]


def read_sample(
    path: Path, delimiter: str | None = None, encoding: str | None = None, header: bool | None = None
) -> Sample:
    """The first rows of ``path``.

    Raises:
        CftuiError: no such file, or one that no table can be read from.
        OSError: it cannot be read at all.
    """
    from cftui.data.formats.tabular import open_table

    with tempfile.TemporaryDirectory(prefix="cftui-") as scratch:
        start = _beginning(path, Path(scratch))
        try:
            table = open_table(start, Path(scratch), delimiter=delimiter, encoding=encoding, header=header)
            picks = range(min(len(table.columns), COLUMNS))
            rows = tuple((line, cells) for line, cells, _ in islice(table.rows(picks), ROWS))
        except CftuiError as error:
            raise CftuiError(str(error).replace(str(start), str(path))) from None
        columns = tuple(table.columns[at] for at in picks)
        size = path.stat().st_size
        first = tuple(cells[: len(picks)] for cells in table.first)
        words = tuple(table.word(at) for at in picks)
        encoding = table.plain.encoding
        return Sample(
            path, size, table.kind, table.delimiter, encoding, table.header, columns, rows, first, table.shape, words
        )


def _beginning(path: Path, scratch: Path) -> Path:
    """A copy of the beginning, unpacked; the file itself where it is short, or cannot be read in part."""
    if not path.is_file():
        return path
    with path.open("rb") as file:
        mark = file.read(4096)
    opener = next((opener for magic, opener in _PACKED.items() if mark.startswith(magic)), None)
    whole = mark.startswith(_WHOLE) or mark.lstrip().startswith(b"[") or (opener is None and _is_binary(mark))
    if (opener is None and path.stat().st_size <= BYTES) or whole:
        return path
    try:
        with (opener or open)(path, "rb") as file:
            found = file.read(BYTES)
    except (EOFError, OSError, lzma.LZMAError):
        return path  # the import's own reader says what is wrong with it
    if found[257:262] == b"ustar" or found.lstrip()[:1] == b"[" or _is_binary(found[:4096]):
        return path  # it cannot be read in part
    if len(found) == BYTES and not found.startswith(_UTF_16):
        found = found[: found.rfind(b"\n") + 1] or found
    name = path.stem if path.suffix.casefold() in _PACKED_SUFFIXES else path.name
    (scratch / "start").mkdir()
    start = scratch / "start" / name
    start.write_bytes(found)
    return start


def _is_binary(start: bytes) -> bool:
    """Whether a file is of numbers and not of text, which has zeros only in UTF-16."""
    return b"\0" in start and not start.startswith(_UTF_16) and start.count(0) < 0.4 * len(start)


def guess(sample: Sample, roles: tuple[str, ...], noun: str = "item") -> Guess:
    """The columns that seem to play each of ``roles``, as the import guesses them."""
    from cftui.data.formats import guessing

    if "user" in roles:
        return guessing.guess_places(sample.columns, sample.header, sample.first, noun)
    if not sample.header:
        return guessing.Guess({role: at for at, role in enumerate(roles) if at < len(sample.columns)})
    named = {role: next(guessing.candidates(role, sample.columns, noun), None) for role in roles}
    return guessing.Guess({role: at for role, at in named.items() if at is not None})


def not_rated(sample: Sample, at: int) -> float | None:
    """The value in the column of ratings that seems to mean "not rated", or None."""
    import numpy as np

    from cftui.data.formats import scores

    known = scores.parse_scores([row[at] for row in sample.first]).values
    levels, weights = np.unique(known[~np.isnan(known)], return_counts=True)
    return scores.not_rated(levels, weights) if len(levels) else None


def noun_of(sample: Sample, item: int | None) -> str:
    """``book`` of a column ``book_id``; ``item`` where its name says nothing."""
    from cftui.data.formats import guessing

    name = re.sub(r"[\W_]", "", sample.columns[item].casefold()) if item is not None else ""
    known = guessing.ROLES["item"]
    word = name.removesuffix("id")
    return word if f"{word}id" in known and word in known and word != "item" else "item"


def wrong_column(sample: Sample, marks: Mapping[str, int]) -> str:
    """Why ratings or times cannot be in the column marked for them: none in sight is one. Else empty."""
    from cftui.data.formats.scores import parse_scores
    from cftui.data.formats.times import parse_times

    tries: dict[str, Callable[[list[str]], Any]] = {"rating": parse_scores, "counts": parse_scores, "time": parse_times}
    guessed = guess(sample, RATINGS).places
    for role, parse in tries.items():
        # A guessed column of times that cannot be read is left out.
        if role not in marks or not sample.first or (role == "time" and guessed.get(role) == marks[role]):
            continue
        reasons = parse([row[marks[role]] for row in sample.first]).reasons
        if len(reasons) == len(sample.first):
            return f"column {sample.columns[marks[role]]!r} holds no {role}s: {reasons[0]}"
    return ""


def name_of(path: Path, taken: Callable[[str], bool]) -> str:
    """A name for the data set after its file: ``my ratings.csv.gz`` -> ``my-ratings``; a number where it is taken."""
    stem = path.name.lstrip(".").split(".")[0]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:56] or "ratings"
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, 10_000))) if not taken(one))

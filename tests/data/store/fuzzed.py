"""Files of every format made at random, whole or spoilt, with the ratings that each holds."""

from __future__ import annotations

import bz2
import csv
import datetime
import gzip
import io
import json
import lzma
import random
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy import io as matlab
from scipy import sparse

NAMES = ("ann", "bob", "Zoë", "o'neil", "x y", "[REC]", "007", "u-1", "7", "Ünal", "ann b", "c#")
WORDS = ("good", "bad", 'an "odd" one', "so, so", "5'9\"", "", "two; three", "a|b", "é")
# What takes the place of a cell or of bytes.
JUNK = ("", "x", '"', '"x', "nan", "-", "1e400", ",", "\t", "#na#", "4,5", "\0", "\ufeff", "9" * 30, "99", "2020-01-01")


class File:
    """A file and what it holds.

    Attributes:
        rows: user, item, rating and seconds of each; lines: the number of rows written as lines, or 0.
        plain: the bytes before they are packed, by ``pack``.
        table: rows of cells, where ``typed`` makes the plain bytes of them.
    """

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        pick = self.draw.choice
        users = self.draw.sample(NAMES, 5)
        items = [f"i{number}" for number in range(9)] if pick((0, 1)) else [str(number) for number in range(10, 19)]
        step, low = pick(((1, 1), (0.5, 0.5), (1, -3)))
        pairs = self.draw.sample([(user, item) for user in users for item in items], self.draw.randint(14, 40))
        levels = [low + step * number for number in range(6)]
        # Enough of each that no guess is made from a few.
        self.rows = [
            (u, i, levels[at % 6], 1_500_000_000 + self.draw.randint(0, 10**8)) for at, (u, i) in enumerate(pairs)
        ]
        self.timed = pick((True, False))
        self.lines = 0
        self.name = "ratings.csv"
        self.pack: Callable[[bytes], bytes] = bytes
        self.table: list[list[str]] = []
        self.typed: Callable[[list[list[str]]], bytes] | None = None
        needs, layout = pick(LAYOUTS)
        self.plain = (layout if not needs or find_spec(needs) else text)(self)

    @property
    def content(self) -> bytes:
        return self.pack(self.plain)

    def cells(self, time: Callable[[int], str] = str) -> list[list[str]]:
        return [[u, i, f"{r:g}", *([time(t)] if self.timed else [])] for u, i, r, t in self.rows]

    def header(self) -> list[str]:
        user = self.draw.choice(("user", "user_id", "userId", "reviewer"))
        item = self.draw.choice(("item", "movieId", "book_id", "product"))
        return [user, item, self.draw.choice(("rating", "stars", "Rating")), *(["timestamp"] if self.timed else [])]

    def number(self, first_user: int, first_item: int) -> tuple[int, int]:
        """Number users and items from these on, by their place, and ratings from 1; returns how many there are."""
        users = list(dict.fromkeys(user for user, _, _, _ in self.rows))
        items = list(dict.fromkeys(item for _, item, _, _ in self.rows))
        low = min(rating for _, _, rating, _ in self.rows)
        self.rows = [
            (str(first_user + users.index(u)), str(first_item + items.index(i)), r - low + 1, t)
            for u, i, r, t in self.rows
        ]
        return len(users), len(items)

    def grid(self) -> np.ndarray:
        """The ratings as a matrix, in which 0 is not rated."""
        self.timed = False
        found = np.zeros(self.number(1, 1))
        for user, item, rating, _ in self.rows:
            found[int(user) - 1, int(item) - 1] = rating
        return found


def _iso(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _american(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%m/%d/%Y %H:%M:%S")


def _compact(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y%m%d%H%M%S")


# Packing


def _zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        bundle.writestr("README", "x")
        bundle.writestr("my-ratings.csv", content)
    return out.getvalue()


def _tarred(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tape:
        info = tarfile.TarInfo("own/ratings.csv")
        info.size = len(content)
        tape.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _zstd(content: bytes) -> bytes:
    if find_spec("zstandard") is None:
        return content
    import zstandard  # type: ignore[import-not-found,unused-ignore]

    half = len(content) // 2
    pack = zstandard.ZstdCompressor().compress
    return bytes(pack(content[:half]) + pack(content[half:]))


PACKS: tuple[Callable[[bytes], bytes], ...] = (
    bytes, bytes, bytes, gzip.compress, bz2.compress, lzma.compress, _zipped, _tarred, _zstd
)  # fmt: skip


# Layouts


def text(file: File) -> bytes:
    """Rows on lines, in one of many dialects."""
    pick = file.draw.choice
    delimiter = pick((",", "\t", ";", "|"))
    time = pick((str, _iso, _american, _compact, lambda seconds: str(seconds * 1000)))
    rows = file.cells(time)
    out = io.StringIO()
    header = file.header()
    if pick((True, False)):
        # Texts with quotes and delimiters; a tab cannot be quoted everywhere.
        for row in rows:
            row.append(pick(WORDS))
        header.append("review")
    quoting: Any = pick((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=pick(("\n", "\r\n")))
    if delimiter in ",;":
        writer.writerows([header, *rows])
    else:
        for row in [header, *rows]:
            out.write(delimiter.join(cell.replace(delimiter, " ") for cell in row) + "\n")
    written = out.getvalue()
    if pick((0, 0, 1)):
        written = f"# made at random\n{written}"
    file.lines, file.pack = len(rows), pick(PACKS)
    encodings: tuple[str, ...] = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le")
    return written.encode(pick(encodings))


def bare(file: File) -> bytes:
    """Rows of numbers without a header."""
    file.number(101, 1001)
    delimiter = file.draw.choice((",", "\t", "::", " ", "   "))
    file.lines, file.pack = len(file.rows), file.draw.choice(PACKS)
    return "".join(delimiter.join(row) + "\n" for row in file.cells()).encode()


def json_text(file: File) -> bytes:
    """Objects, one a line or in an array, or what Python prints."""
    header, pick = file.header(), file.draw.choice
    objects = [dict(zip(header, row, strict=True)) for row in file.cells()]
    if pick((0, 1)):
        file.lines, file.pack = len(objects), pick(PACKS)
        write: Callable[[Any], str] = pick((json.dumps, repr))
        return "".join(write(one) + "\n" for one in objects).encode()
    wrapped = {"ratings": objects} if pick((0, 1)) else objects
    return json.dumps(wrapped, indent=pick((None, 1))).encode()


def nested(file: File) -> bytes:
    file.timed = False
    users: dict[str, dict[str, float]] = {}
    for user, item, rating, _ in file.rows:
        users.setdefault(user, {})[item] = rating
    file.rows = [(user, item, rating, 0) for user, rated in users.items() for item, rating in rated.items()]
    return json.dumps(users, indent=file.draw.choice((None, 1))).encode()


def matrix(file: File) -> bytes:
    file.timed = False
    items = sorted({item for _, item, _, _ in file.rows})
    rated = {(user, item): rating for user, item, rating, _ in file.rows}
    users = list(dict.fromkeys(user for user, _, _, _ in file.rows))
    file.rows = [(u, i, rated[u, i], 0) for u in users for i in items if (u, i) in rated]
    lines = [["", *items], *([u, *(f"{rated[u, i]:g}" if (u, i) in rated else "" for i in items)] for u in users)]
    file.pack = file.draw.choice(PACKS)
    return "".join(",".join(line) + "\n" for line in lines).encode()


def blocks(file: File) -> bytes:
    items = list(dict.fromkeys(item for _, item, _, _ in file.rows))
    numbers = {item: str(number) for number, item in enumerate(items, 1)}
    file.timed = True
    found, lines = [], []
    for item in items:
        lines.append(f"{numbers[item]}:")
        for user, one, rating, seconds in file.rows:
            if one == item:
                at = seconds - seconds % 86400
                lines.append(f"{user},{rating:g},{_iso(at)[:10]}")
                found.append((user, numbers[item], rating, at))
    file.rows = found
    return "\n".join(lines).encode()


def lists(file: File) -> bytes:
    """A user and the items that they chose on each line."""
    file.number(0, 50)
    file.timed = False
    chosen: dict[str, list[str]] = {}
    for user, item, _, _ in file.rows:
        chosen.setdefault(user, []).append(item)
    # Lines of one length would be a table.
    if len({*map(len, chosen.values())}) == 1:
        chosen[next(iter(chosen))].append("99")
    file.rows = [(user, item, 1.0, 0) for user, items in chosen.items() for item in items]
    file.pack = file.draw.choice(PACKS)
    return "".join(" ".join([user, *items]) + "\n" for user, items in chosen.items()).encode()


def coordinates(file: File) -> bytes:
    """MatrixMarket's list of row, column and value."""
    file.timed = False
    users, items = file.number(1, 1)
    file.pack = file.draw.choice(PACKS)
    head = f"%%MatrixMarket matrix coordinate real general\n% made at random\n{users} {items} {len(file.rows)}\n"
    return (head + "".join(" ".join(row) + "\n" for row in file.cells())).encode()


# Files of typed cells


def database(file: File) -> bytes:
    def write(table: list[list[str]]) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "base")
            with sqlite3.connect(path) as base:
                base.execute(f"CREATE TABLE ratings ({', '.join(table[0])})")
                base.executemany(f"INSERT INTO ratings VALUES ({', '.join('?' * len(table[0]))})", table[1:])
            return path.read_bytes()

    return _typed(file, write)


def workbook(file: File) -> bytes:
    def write(table: list[list[str]]) -> bytes:
        import openpyxl  # type: ignore[import-untyped,import-not-found,unused-ignore]

        book, out = openpyxl.Workbook(), io.BytesIO()
        for row in table:
            # No cell of a workbook holds a control character.
            book.active.append([cell if cell.isprintable() else None for cell in row])
        book.save(out)
        return out.getvalue()

    return _typed(file, write)


def parquet(file: File) -> bytes:
    def write(table: list[list[str]]) -> bytes:
        import pyarrow  # type: ignore[import-untyped,import-not-found,unused-ignore]
        import pyarrow.parquet  # type: ignore[import-untyped,import-not-found,unused-ignore]

        out = io.BytesIO()
        columns = dict(zip(table[0], zip(*table[1:], strict=True), strict=True))
        pyarrow.parquet.write_table(pyarrow.table(columns), out)
        return out.getvalue()

    return _typed(file, write)


def _typed(file: File, write: Callable[[list[list[str]]], bytes]) -> bytes:
    file.table, file.typed = [file.header(), *file.cells()], write
    file.pack = file.draw.choice((bytes, gzip.compress, _zipped))
    return write(file.table)


# Arrays


def array(file: File) -> bytes:
    """A matrix of numpy, scipy or Matlab, or numpy's array of triples."""
    kind = file.draw.choice(("npy", "npz", "sparse", "mat", "triples"))
    out = io.BytesIO()
    if kind == "triples":
        file.number(101, 1001)
        np.save(out, np.array([[float(cell) for cell in row] for row in file.cells()]))
        return out.getvalue()
    grid = file.grid()
    if kind == "npy":
        np.save(out, grid)
    elif kind == "npz":
        np.savez(out, ratings=grid)
    elif kind == "sparse":
        sparse.save_npz(out, sparse.csr_matrix(grid))
    else:
        matlab.savemat(out, {"M": file.draw.choice((np.asarray, sparse.csc_matrix))(grid)})
    return out.getvalue()


def matlab73(file: File) -> bytes:
    import h5py  # type: ignore[import-untyped,import-not-found,unused-ignore]

    out = io.BytesIO()
    with h5py.File(out, "w", userblock_size=512) as written:
        written["M"] = file.grid().T
    return out.getvalue()


# Each with the package that it needs, which may be absent; text takes its place then.
LAYOUTS: tuple[tuple[str, Callable[[File], bytes]], ...] = (
    *[("", text)] * 5, ("", bare), ("", json_text), ("", json_text), ("", nested), ("", matrix), ("", blocks),
    ("", lists), ("", coordinates), ("", database), ("openpyxl", workbook), ("pyarrow", parquet), ("", array),
    ("h5py", matlab73),
)  # fmt: skip


def spoilt(file: File) -> bytes:
    """The file with a few of its cells or bytes changed, before or after it is packed, or cut short."""
    draw = file.draw
    if file.typed is not None and draw.random() < 0.7:
        for _ in range(draw.randint(1, 4)):
            row = draw.choice(file.table[1:])
            row[draw.randrange(len(row))] = draw.choice(JUNK)
        return file.pack(file.typed(file.table))
    if file.pack is not bytes and draw.random() < 0.5:
        file.plain = _changed(draw, file.plain)
        return file.content
    content = _changed(draw, file.content)
    file.plain = content[: draw.randrange(len(content))] if draw.random() < 0.1 else content
    return file.plain


def _changed(draw: random.Random, content: bytes) -> bytes:
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(content) + 1)
        junk = draw.choice(JUNK).encode() if draw.random() < 0.7 else draw.randbytes(draw.randint(1, 3))
        content = content[:at] + junk + content[at + draw.choice((0, 0, 1, 5)) :]
    return content

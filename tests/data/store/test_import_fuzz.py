"""Files made at random: those that are whole give exactly what was written, those that are spoilt lose nothing.

``CFTUI_FUZZ=10000`` asks for more than the few hundred of the suite.
"""

from __future__ import annotations

import bz2
import csv
import datetime
import gzip
import io
import json
import lzma
import os
import random
import re
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cftui.data.store import catalog
from cftui.data.store.asked import Asked
from cftui.data.store.importing import import_ratings
from cftui.errors import CftuiError
from cftui.home import Home

EXAMPLES = int(os.environ.get("CFTUI_FUZZ", "100"))
# Files of one test, each a seed.
BLOCK = 50
SEEDS = range(0, EXAMPLES, BLOCK)
NAMES = ("ann", "bob", "Zoë", "o'neil", "x y", "[REC]", "007", "u-1", "7", "Ünal", "ann b", "c#")
WORDS = ("good", "bad", 'an "odd" one', "so, so", "5'9\"", "", "two; three", "a|b", "é")
# What takes the place of a cell or of bytes.
JUNK = ("", "x", '"', '"x', "nan", "-", "1e400", ",", "\t", "#na#", "4,5", "\0", "\ufeff", "9" * 30, "99", "2020-01-01")


class File:
    """A file and what it holds.

    Attributes:
        rows: user, item, rating and seconds of each; lines: the number of rows written as lines, or 0.
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
        self.content = pick(LAYOUTS)(self)

    def cells(self, time: Callable[[int], str] = str) -> list[list[str]]:
        return [[u, i, f"{r:g}", *([time(t)] if self.timed else [])] for u, i, r, t in self.rows]

    def header(self) -> list[str]:
        user = self.draw.choice(("user", "user_id", "userId", "reviewer"))
        item = self.draw.choice(("item", "movieId", "book_id", "product"))
        return [user, item, self.draw.choice(("rating", "stars", "Rating")), *(["timestamp"] if self.timed else [])]


def _iso(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _american(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%m/%d/%Y %H:%M:%S")


def _compact(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y%m%d%H%M%S")


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
    file.lines = len(rows)
    encodings: tuple[str, ...] = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le")
    return _packed(file, written.encode(pick(encodings)))


def _packed(file: File, content: bytes) -> bytes:
    def zipped(content: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as bundle:
            bundle.writestr("README", "x")
            bundle.writestr("my-ratings.csv", content)
        return out.getvalue()

    packs: tuple[Callable[[bytes], bytes], ...] = (
        bytes,
        bytes,
        bytes,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        zipped,
    )
    return file.draw.choice(packs)(content)


def json_text(file: File) -> bytes:
    header, pick = file.header(), file.draw.choice
    objects = [dict(zip(header, row, strict=True)) for row in file.cells()]
    if pick((0, 1)):
        file.lines = len(objects)
        return _packed(file, "".join(json.dumps(one) + "\n" for one in objects).encode())
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
    return _packed(file, "".join(",".join(line) + "\n" for line in lines).encode())


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


def database(file: File) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "base")
        header, rows = file.header(), file.cells()
        with sqlite3.connect(path) as base:
            base.execute(f"CREATE TABLE ratings ({', '.join(header)})")
            base.executemany(f"INSERT INTO ratings VALUES ({', '.join('?' * len(header))})", rows)
        return path.read_bytes()


LAYOUTS: tuple[Callable[[File], bytes], ...] = (text, text, text, text, json_text, nested, matrix, blocks, database)


def _import(content: bytes, name: str, folder: Path, **asked: Any) -> tuple[dict[str, Any], Any, list[str]]:
    path, home = folder / name, Home(folder / "home")
    said: list[str] = []
    path.write_bytes(content)
    facts = import_ratings(path, "own", home, Asked(**asked), say=said.append)
    return facts, catalog.open_tables("own", home), said


@pytest.mark.parametrize("block", SEEDS)
def test_what_was_written_is_read(block: int, tmp_path: Path) -> None:
    for seed in range(block, block + BLOCK):
        file = File(seed)
        facts, tables, said = _import(file.content, file.name, tmp_path)
        users = tables.ratings["user"].astype(str).tolist()
        found = sorted(zip(users, tables.ratings["item"].astype(str), tables.ratings["rating"], strict=True))
        assert found == sorted((u, i, float(r)) for u, i, r, _ in file.rows), (seed, said)
        pairs = zip(users, tables.ratings["item"].astype(str), strict=True)
        seconds = dict(zip(pairs, tables.ratings["timestamp"], strict=True))
        assert all(seconds[u, i] == (t if file.timed else 0) for u, i, _, t in file.rows), (seed, said)
        assert facts["rows"] == len(file.rows), (seed, said)


def spoilt(file: File) -> bytes:
    """The file with a few of its cells or bytes changed, or cut short."""
    draw, content = file.draw, file.content
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(content) + 1)
        junk = draw.choice(JUNK).encode() if draw.random() < 0.7 else draw.randbytes(draw.randint(1, 3))
        content = content[:at] + junk + content[at + draw.choice((0, 0, 1, 5)) :]
    return content[: draw.randrange(len(content))] if draw.random() < 0.1 else content


@pytest.mark.parametrize("block", SEEDS)
def test_what_is_spoilt_is_named_or_counted(block: int, tmp_path: Path) -> None:
    for seed in range(block, block + BLOCK):
        file = File(seed)
        content = spoilt(file)
        try:
            facts, tables, said = _import(content, file.name, tmp_path, skip_bad=file.draw.choice((0, 3, 1000)))
        except CftuiError as error:
            complaint = str(error)
        else:
            complaint = ""
        assert "\n" not in complaint, seed
        assert len(complaint) < 2000, (seed, complaint)
        if complaint:
            continue
        rows = facts["ratings"] + facts["merged"] + facts["unrated"] + facts["left_out"] + facts["skipped"]
        assert facts["rows"] == rows, (seed, said)
        assert len(tables.ratings) == facts["ratings"]
        assert np.isfinite(tables.ratings["rating"]).all(), seed
        for what in ("merged", "unrated", "left_out", "skipped"):
            counted = any(str(facts[what]) in line for line in said) or (what == "merged" and tables.counted)
            assert not facts[what] or counted, (seed, what, said)
        if file.lines and _is_plain(content):
            assert _lines(content, said) in (facts["rows"], facts["rows"] + 1), (seed, said)


def _is_plain(content: bytes) -> bool:
    try:
        found = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return "\0" not in found and not found.startswith(("PK", "BZh"))


def _lines(content: bytes, said: list[str]) -> int:
    """The rows there are by the lines of the text, of which one may be a header; rows that span lines count as one."""
    lines = [line for line in re.split(r"\r\n|\r|\n", content.decode("utf-8-sig")) if line.strip() and line[0] != "#"]
    more = 0
    for line in said:
        if found := re.match(r"([\d,]+) rows? spans? ([\d,]+) lines", line):
            more += int(found[2].replace(",", "")) - int(found[1].replace(",", ""))
        if found := re.match(r"([\d,]+) rows? without any cell", line):
            more += int(found[1].replace(",", ""))
    return len(lines) - more

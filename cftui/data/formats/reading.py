"""The columns of a table as codes into their distinct texts: in one vectorised pass, or row by row."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cftui.data.formats.dialects import BLANKS, COMMENTED
from cftui.data.formats.encodings import blocks
from cftui.data.formats.tabular import Faults, Table

# Rows read at a time, which bounds the memory.
CHUNK = 1_000_000
TIME = "time"


@dataclass(frozen=True, eq=False)
class Columns:
    """Some columns of a table.

    Attributes:
        codes: by role, int32 ``[n]`` into the distinct texts of its column.
        texts: by role, the distinct texts.
        time: int64 ``[n]`` or None: whole numbers as they are written; -1 - k is the text k of ``texts``.
        line: int64 ``[n]``.
        empty: the number of rows in which no cell is filled.
        spanning: how many rows span several lines, and how many lines these are.
        comments: the number of lines among the rows that begin like a comment.
    """

    codes: Mapping[str, np.ndarray]
    texts: Mapping[str, list[str]]
    time: np.ndarray | None
    line: np.ndarray
    empty: int = 0
    spanning: tuple[int, int] = (0, 0)
    comments: int = 0


def quick(table: Table, picks: Mapping[str, int]) -> Columns | None:
    """Read the columns in vectorised passes; None if only reading row by row is certain to be right.

    Rows are lines: row k, from 0, is on line k + 1, plus one for a header.
    """
    dialect = table.dialect
    simple = len(table.delimiter) == 1 and not dialect.comment and table.shape == "rows"
    if table.kind != "csv" or not table.plain.valid or not simple or table.delimiter == BLANKS:
        return None
    if table.plain.quoted and dialect.quote != "none":
        return None
    before = dialect.skip + int(table.header)
    # pandas silently ignores surplus columns and blank lines.
    mark, ends, cuts, last = table.delimiter.encode(), 0, 0, b"\n"
    for number, block in enumerate(blocks(table.plain.path)):
        if b"\0" in block:
            return None
        if number == 0:
            head = b"".join(block.splitlines(keepends=True)[:before])
            cuts -= head.count(mark)
        ends, cuts, last = ends + block.count(b"\n"), cuts + block.count(mark), block[-1:]
    for timed in (True, False):
        try:
            # An infinity among whole numbers is an error, about which numpy would warn as well.
            with np.errstate(invalid="ignore"):
                found = _chunked(table, picks, before, timed)
        except (ValueError, OverflowError, pd.errors.ParserError):
            if TIME not in picks:
                return None
            continue
        break
    else:
        return None
    lines = len(found.line) + before
    if lines != ends + (last != b"\n") or cuts != (len(table.columns) - 1) * len(found.line):
        return None
    # A row without a user may be one in which no cell is filled.
    blank = any(not text.strip() for role in ("user", "item") for text in found.texts.get(role, ()))
    return None if blank else found


def _chunked(table: Table, picks: Mapping[str, int], before: int, timed: bool) -> Columns:
    """Read the file with pandas.

    Args:
        timed: whether times are whole numbers; a negative one or another text is then an error.
    """
    names = {at: str(at) for at in range(len(table.columns))}
    numbers = {TIME} if timed and TIME in picks else set()
    texts: dict[str, dict[str, int]] = {role: {} for role in picks if role not in numbers}
    codes: dict[str, list[np.ndarray]] = {role: [] for role in picks}
    # Text, not categories: pandas would turn those into numbers, and 007 into 7.
    kinds = {names[at]: "int64" if role in numbers else "str" for role, at in picks.items()}
    with pd.read_csv(
        table.plain.path,
        sep=table.delimiter,
        header=None,
        skiprows=before,
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
            for role, at in picks.items():
                if role in numbers:
                    values = chunk[names[at]].to_numpy()
                    if len(values) and values.min() < 0:
                        raise ValueError("a negative time")
                    codes[role].append(values)
                    continue
                which, distinct = pd.factorize(chunk[names[at]].to_numpy(dtype=object))
                seen = texts[role]
                whole = np.array([seen.setdefault(text, len(seen)) for text in distinct], dtype=np.int32)
                codes[role].append(whole[which] if len(whole) else which.astype(np.int32))
    empty = [np.zeros(0, dtype=np.int32)]
    joined = {role: np.concatenate(parts or empty) for role, parts in codes.items()}
    time = joined.pop(TIME, None)
    if time is not None and not numbers:
        time = -1 - time.astype(np.int64)
    n = len(joined["user"])
    line = np.arange(before + 1, before + 1 + n)
    return Columns(joined, {role: list(known) for role, known in texts.items()}, time, line)


def row_by_row(table: Table, picks: Mapping[str, int], faults: Faults) -> Columns:
    """Read the columns of every row that can be cut into cells; the others go to ``faults``."""
    roles = [role for role in picks if role != TIME]
    known: dict[str, dict[str, int]] = {role: {} for role in picks}
    kept = {role: array("i") for role in roles}
    time, line = array("q"), array("q")
    empty = spanning = lines = comments = 0
    keep = [(kept[role].append, known[role], at) for at, role in enumerate(picks) if role != TIME]
    at_time = list(picks).index(TIME) if TIME in picks else -1
    moments = known.get(TIME, {})
    for number, cells, span in table.rows(list(picks.values())):
        if isinstance(cells, str):
            if cells == COMMENTED:
                comments += span
            elif cells:
                faults.add(number, cells, span)
            else:
                empty += span
            continue
        for append, seen, at in keep:
            append(seen.setdefault(cells[at], len(seen)))
        if at_time >= 0:
            text = cells[at_time]
            whole = text.isascii() and text.isdecimal() and len(text) < 19
            time.append(int(text) if whole else -1 - moments.setdefault(text, len(moments)))
        line.append(number)
        if span > 1:
            spanning, lines = spanning + 1, lines + span
    arrays = {role: np.frombuffer(values, values.typecode) for role, values in kept.items()}
    moment = np.frombuffer(time, "q") if at_time >= 0 else None
    texts = {role: list(seen) for role, seen in known.items()}
    return Columns(arrays, texts, moment, np.frombuffer(line, "q"), empty, (spanning, lines), comments)

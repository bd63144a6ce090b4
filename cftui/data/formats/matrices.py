"""Ratings that are not one a row: matrices of users and items, blocks per item, lists per user, and arrays."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cftui.data.formats import matlab
from cftui.data.formats.books import Found
from cftui.data.formats.dialects import BLANKS, COMMENTED, Row
from cftui.data.formats.values import is_missing, is_number
from cftui.errors import CftuiError, missing_library
from cftui.text import one_line, plural, shorten

RATED = ("user", "item", "rating")
# Jester's code for a joke that was not rated.
_JESTER = "99"
# More numbers in a row than a rating has.
_WIDE = 8
_SIZE = re.compile(r"\s*\d+\s+\d+\s+\d+\s*", re.ASCII)
_MATLAB = b"MATLAB 5.0 MAT-file"
_NUMPY = b"\x93NUMPY"


# Text


def coordinates(first: str, bodies: Sequence[str]) -> str:
    """What to say of a MatrixMarket file of coordinates; empty if it is something else."""
    fits = first.casefold().startswith("%%matrixmarket matrix coordinate") and bodies and _SIZE.fullmatch(bodies[0])
    return "a MatrixMarket file of row, column and value" if fits else ""


def are_blocks(bodies: Sequence[str]) -> bool:
    """Whether a file is laid out as that of the Netflix prize: ``1:`` and then a line per user."""
    return (
        len(bodies) > 1 and re.fullmatch(r"\s*\d+:\s*", bodies[0]) is not None and ("," in bodies[1] or len(bodies) > 2)
    )


def blocks(path: Path, readable: Path) -> Found:
    """The ratings under each ``item:``."""
    columns = ("item", "user", "rating", "time")

    def source(picks: Sequence[int]) -> Iterator[Row]:
        item = ""
        with readable.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for line, text in enumerate(file, 1):
                text = text.strip()
                if not text:
                    continue
                if text.endswith(":"):
                    item = text[:-1]
                    continue
                cells = [item, *text.split(",")]
                cells += [""] * (len(columns) - len(cells) if len(cells) in (2, 3) else 0)
                wrong = f"{len(cells) - 1} columns where 3 belong (user, rating, date)"
                yield Row(line, [cells[at] for at in picks] if len(cells) == len(columns) else wrong)

    return Found("blocks", columns, True, source, "blocks", ("blocks of ratings, each under the id of its item",))


def are_lists(bodies: Sequence[str], delimiter: str | None) -> bool:
    """Whether each line is a user and the items that they chose."""
    if len(bodies) < 2 or (delimiter is None and any(mark in line for line in bodies for mark in ';|"')):
        return False
    lines = [_pieces(line, delimiter) for line in bodies]
    widths = {len(pieces) for pieces in lines}
    whole = all(piece.isascii() and piece.isdecimal() for pieces in lines for piece in pieces)
    users = [pieces[0] for pieces in lines if pieces]
    distinct = all(len(set(pieces[1:])) == len(pieces[1:]) for pieces in lines)
    return whole and len(widths) > 1 and max(widths) > 2 and len(set(users)) == len(users) and distinct


def _pieces(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None or delimiter == BLANKS:
        return line.replace(",", " ").split()
    return [piece.strip() for piece in line.split(delimiter) if piece.strip()]


def lists(path: Path, readable: Path, delimiter: str | None, skip: int, comment: str) -> Found:
    """A row for each item on each line."""

    def source(picks: Sequence[int]) -> Iterator[Row]:
        with readable.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for line, text in enumerate(file, 1):
                if line <= skip or not text.strip():
                    continue
                if comment and text.startswith(comment):
                    yield Row(line, COMMENTED)
                    continue
                user, *items = _pieces(text, delimiter)
                for item in items:
                    cells = (user, item)
                    yield Row(line, [cells[at] for at in picks])

    return Found("lists", ("user", "item"), True, source, "lists", ("lists: a user and their items on each line",))


def matrix_of(
    columns: Sequence[str],
    header: bool,
    first: Sequence[Sequence[str]],
    rows: Callable[[Sequence[int]], Iterator[Row]],
    *,
    sure: bool,
) -> Found | None:
    """The ratings in a matrix of users and items; None if a table is no such matrix.

    Args:
        first: its first rows; rows: the cells at some places of all rows.
        sure: whether the user says that it is one.
    """
    if len(columns) < 3 or not first:
        return None
    named = header and _is_corner(columns, first)
    jester = not header and all(_counts_itself(row) for row in first)
    bare = not header and len(columns) >= _WIDE and _filled_with_numbers(first)
    if not (named or jester or bare or sure):
        return None
    labelled = named or (sure and (header or not _filled_with_numbers(first)))
    begin = 1 if labelled or jester else 0
    items = [str(at) if not header else columns[at] for at in range(begin, len(columns))]
    items = [str(at - begin + 1) for at in range(begin, len(columns))] if not header else items
    missing = _JESTER if jester else None
    note = f"a matrix of users and {len(items):,} items"
    if jester:
        note += ", after the number of ratings in each row; 99 is not rated"
    elif not labelled:
        note += ", both by their number"
    every = range(len(columns))

    def source(picks: Sequence[int]) -> Iterator[Row]:
        number = 0
        for row in rows(every):
            if isinstance(row.cells, str):
                if row.cells:
                    yield row
                continue
            number += 1
            user = row.cells[0] if labelled else str(number)
            for item, cell in zip(items, row.cells[begin:], strict=True):
                if not is_missing(cell.strip()) and cell.strip() != missing:
                    cells = (user, item, cell)
                    yield Row(row.line, [cells[at] for at in picks])

    return Found("matrix", RATED, True, source, "matrix", (note,))


def _is_corner(columns: Sequence[str], first: Sequence[Sequence[str]]) -> bool:
    """Whether a table has users down its first column and items along its header."""
    from cftui.data.formats import guessing

    plain = re.sub(r"[\W_]", "", columns[0].casefold())
    numbers = [str(at) for at in range(len(columns) - 1)] == list(columns[1:])
    whole = all(not is_missing(cell.strip()) for row in first for cell in row)
    if plain and plain not in (*guessing.ROLES["user"], "unnamed0", "useritem"):
        return False
    if numbers and len(columns) < 6 and whole and not plain:
        return False  # a frame of pandas without names
    if any(next(guessing.candidates(role, columns[1:]), None) is not None for role in ("user", "item", "rating")):
        return False
    users = [row[0] for row in first]
    cells = [cell.strip() for row in first for cell in row[1:]]
    filled = [cell for cell in cells if not is_missing(cell)]
    return len(set(users)) == len(users) and bool(filled) and all(map(is_number, filled)) and len(columns) > 3


def _counts_itself(row: Sequence[str]) -> bool:
    """Whether a row begins with the number of its ratings, as Jester's do, where 99 means not rated."""
    cells = [cell.strip() for cell in row]
    rated = sum(cell != _JESTER and not is_missing(cell) for cell in cells[1:])
    return all(map(is_number, filter(None, cells))) and len(cells) > 3 and cells[0] == str(rated)


def _filled_with_numbers(first: Sequence[Sequence[str]]) -> bool:
    cells = [cell.strip() for row in first for cell in row]
    return all(is_number(cell) for cell in cells if not is_missing(cell)) and any(map(is_number, cells))


# Arrays


def open_arrays(path: Path, found: Path, member: str) -> Found | None:
    """The ratings in a file of numpy's, scipy's or Matlab's; None if it is another.

    Args:
        path: as the user named it; found: where it is.
        member: the array that the user named, or empty.

    Raises:
        CftuiError: it is damaged, needs a library that is not installed, or holds no matrix of ratings.
    """
    with found.open("rb") as file:
        start = file.read(520)
    try:
        if start.startswith(_NUMPY):
            return _of_array(path, np.load(found, allow_pickle=False))
        if start.startswith(b"PK") and (path.suffix.casefold() == ".npz" or b".npy" in start[:200]):
            return _npz(path, found, member)
        if start.startswith(_MATLAB):
            return _matlab(path, found, member)
        if start.startswith(matlab.HDF5) or start[512:].startswith(matlab.HDF5):
            if find_spec("h5py") is None:
                raise missing_library(f"{path}: reading a Matlab 7.3 file", "h5py", "matlab")
            return _matlab(path, found, member)
    except CftuiError:
        raise
    except Exception as error:  # numpy has no error of its own for damaged files
        raise CftuiError(f"{path}: not a readable file of arrays: {shorten(one_line(str(error)), 120)}") from None
    return None


def _npz(path: Path, found: Path, member: str) -> Found:
    with zipfile.ZipFile(found) as bundle:
        names = {name.removesuffix(".npy") for name in bundle.namelist()}
    if {"data", "shape", "format"} <= names:
        from scipy import sparse

        matrix = sparse.load_npz(found)
        if hasattr(matrix, "check_format"):
            matrix.check_format()
        return _of_sparse(path, matrix)
    with np.load(found, allow_pickle=False) as arrays:
        return _of_wanted(path, list(arrays.files), arrays, member)


def _matlab(path: Path, found: Path, member: str) -> Found:
    return _of_wanted(path, *matlab.read(path, found, member), member)


def _of_wanted(path: Path, names: list[str], arrays: Mapping[str, Any], member: str) -> Found:
    """The ratings in the arrays of a file that hold them."""
    from scipy import sparse

    chosen = matlab.wanted(names, member)
    if not chosen:
        listed = ", ".join(names[:8]) or "nothing"
        what = f"no array {member!r} in it" if member else f"holds the arrays {listed}"
        hint = f"it holds {listed}" if member else f"name one: {path}:{next(iter(names), 'ratings')}"
        raise CftuiError(what, where=path, hint=hint)
    found = [arrays[name] for name in chosen]
    if len(found) > 1:
        return _of_parts(path, *map(sparse.coo_matrix, found))
    return _of_sparse(path, found[0]) if sparse.issparse(found[0]) else _of_array(path, np.asarray(found[0]))


def _of_parts(path: Path, every: Any, train: Any, test: Any) -> Found:
    """The ratings in a matrix that are in one of two masks of its shape, with the part of each."""
    if not every.shape == train.shape == test.shape:
        shapes = ", ".join(str(list(one.shape)) for one in (every, train, test))
        raise CftuiError(f"{matlab.NAMES[0]}, {' and '.join(matlab.PARTS)} are of the shapes {shapes}", where=path)
    full = every.tocsr()
    found = []
    for mask in (train, test):
        rows, items = (part[mask.data != 0] for part in (mask.row, mask.col))
        found.append((rows, items, np.asarray(full[rows, items]).ravel() if len(rows) else np.zeros(0)))
    users, items, values = (np.concatenate(pair) for pair in zip(*found, strict=True))
    held = np.repeat(["train", "test"], [len(rows) for rows, _, _ in found])
    note = f"a matrix of {every.shape[0]:,} users and {every.shape[1]:,} items, with its training and test part"
    if left := int((every.data != 0).sum()) - len({*zip(users.tolist(), items.tolist(), strict=True)}):
        note += f"; {plural(left, 'rating is', 'ratings are')} in neither part and left out"
    return _of_triples(users + 1, items + 1, values, note, held)


def _of_sparse(path: Path, matrix: Any) -> Found:
    grid = matrix.tocoo()
    note = f"a sparse matrix of {grid.shape[0]:,} users and {grid.shape[1]:,} items"
    return _of_triples(grid.row + 1, grid.col + 1, grid.data, note)


def _of_array(path: Path, array: np.ndarray) -> Found:
    if array.dtype.kind not in "iufb" or array.ndim != 2:
        raise CftuiError(f"{path}: its array is of {array.dtype} {list(array.shape)} and no matrix of numbers")
    if array.shape[1] in (2, 3, 4):
        columns = tuple(str(at + 1) for at in range(array.shape[1]))
        texts = lambda picks: (Row(at, [_text(row[pick]) for pick in picks]) for at, row in enumerate(array, 1))  # noqa: E731
        return Found("array", columns, False, texts)
    rows, items = np.nonzero(np.nan_to_num(array))
    note = f"a matrix of {array.shape[0]:,} users and {array.shape[1]:,} items, in which 0 is not rated"
    return _of_triples(rows + 1, items + 1, array[rows, items], note)


def _of_triples(
    users: np.ndarray, items: np.ndarray, values: np.ndarray, note: str, held: np.ndarray | None = None
) -> Found:
    columns = (users, items, values) if held is None else (users, items, values, held)

    def source(picks: Sequence[int]) -> Iterator[Row]:
        picked = [columns[at].tolist() for at in picks]
        return (Row(at, [_text(value) for value in row]) for at, row in enumerate(zip(*picked, strict=True), 1))

    names = RATED if held is None else (*RATED, "split")
    return Found("matrix", names, True, source, "matrix", (note,))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    number = float(value)
    return str(int(number)) if number.is_integer() else str(number)

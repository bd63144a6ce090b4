"""JSON: objects one a line, an array of them, or an object of objects; and the literals that Python prints."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from cftui.data.formats.books import Found, row_of
from cftui.data.formats.dialects import Row
from cftui.errors import CftuiError

_SAMPLE = 50
# Names under which an object holds the array of ratings.
_WRAPPERS = ("ratings", "data", "reviews", "items", "rows", "results", "records")


def open_tree(path: Path, readable: Path, lines: list[str]) -> Found | None:
    """The table in a JSON file, or None if it is not JSON.

    Raises:
        CftuiError: it is JSON of which no table can be made.
    """
    start = lines[0].lstrip()[:1]
    if start == "{":
        if len(lines) == 1 or _object(lines[0]) is None:
            whole = _whole(readable)
            if whole is not None and not (len(lines) == 1 and _is_flat(whole)):
                return _of_value(path, whole)
        return _of_lines(path, readable, lines)
    if start == "[":
        if isinstance(first := _literal(lines[0]), list) and len(lines) > 1 and not lines[0].rstrip().endswith(","):
            return _of_arrays(path, readable, first)
        whole = _whole(readable)
        if whole is None:
            if "]" in lines[0] and not lines[0].lstrip().startswith(("[{", "[[")) and path.suffix != ".json":
                return None  # a title, such as [REC]
            raise CftuiError(f"{path}: not JSON, although it begins like an array; is it cut short?")
        return _of_value(path, whole)
    return None


def _whole(readable: Path) -> Any:
    try:
        return json.loads(readable.read_text(encoding="utf-8-sig", errors="surrogateescape"))
    except (ValueError, RecursionError):
        return None


def _is_flat(value: Any) -> bool:
    return isinstance(value, dict) and not any(isinstance(one, (dict, list)) for one in value.values())


def _literal(line: str) -> Any:
    """A line as JSON, or as what Python prints; None if it is neither."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes that Python does not know
            return ast.literal_eval(line.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _object(line: str) -> dict[str, Any] | None:
    found = _literal(line)
    return found if isinstance(found, dict) else None


def _of_lines(path: Path, readable: Path, lines: list[str]) -> Found:
    names: dict[str, None] = {}
    for line in lines:
        names.update(dict.fromkeys(map(str, _object(line) or {})))
    if not names:
        raise CftuiError(f"{path}: no JSON object in its first lines; give one per line, or an array of them")
    columns = tuple(names)

    def source(picks: Sequence[int]) -> Iterator[Row]:
        picked = [columns[at] for at in picks]
        with readable.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _row(number, _object(line), picked, line)

    return Found("json", columns, True, source)


def _of_arrays(path: Path, readable: Path, first: list[Any]) -> Found:
    """One array per line: the cells of a row."""
    columns = tuple(str(number + 1) for number in range(len(first)))

    def source(picks: Sequence[int]) -> Iterator[Row]:
        with readable.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _array_row(number, _literal(line.rstrip().rstrip(",")), len(columns), picks)

    return Found("json", columns, False, source)


def _of_value(path: Path, value: Any) -> Found:
    """The table in a whole JSON value."""
    if isinstance(value, Mapping):
        wrapped = next((value[name] for name in _WRAPPERS if isinstance(value.get(name), list)), None)
        if wrapped is not None:
            return _of_value(path, wrapped)
        return _of_nested(path, value)
    rows: list[Any] = value
    if rows and all(isinstance(row, list) for row in rows[:_SAMPLE]):
        columns = tuple(str(number + 1) for number in range(len(rows[0])))

        def arrays(picks: Sequence[int]) -> Iterator[Row]:
            return (_array_row(at, row, len(columns), picks) for at, row in enumerate(rows, 1))

        return Found("json", columns, False, arrays)
    names: dict[str, None] = {}
    for row in islice((row for row in rows if isinstance(row, dict)), _SAMPLE):
        names.update(dict.fromkeys(map(str, row)))
    if not names:
        raise CftuiError(f"{path}: a JSON array of no objects; give objects with a user, an item and a rating")
    columns = tuple(names)

    def objects(picks: Sequence[int]) -> Iterator[Row]:
        picked = [columns[at] for at in picks]
        return (_row(at, row, picked, "") for at, row in enumerate(rows, 1))

    return Found("json", columns, True, objects)


def _of_nested(path: Path, value: Mapping[str, Any]) -> Found:
    """``{user: {item: rating}}`` or ``{user: [item, ...]}``."""
    rated = bool(value) and all(_is_flat(one) and one for one in value.values())
    chosen = bool(value) and all(
        isinstance(one, list) and all(isinstance(item, (str, int)) for item in one) for one in value.values()
    )
    if not rated and not chosen:
        what = "a JSON object that is no table of ratings"
        raise CftuiError(what, where=path, hint="give an array of objects, or {user: {item: rating}}")
    columns = ("user", "item", "rating") if rated else ("user", "item")

    def source(picks: Sequence[int]) -> Iterator[Row]:
        pairs = ([(user, item, *([one[item]] if rated else [])) for item in one] for user, one in value.items())
        for number, cells in enumerate(chain.from_iterable(pairs), 1):
            yield _array_row(number, list(cells), len(columns), picks)

    shape = "an object of users, each with their items" + (" and ratings" if rated else "")
    return Found("json", columns, True, source, "rows", (shape,))


def _row(number: int, found: Any, names: Sequence[str], line: str) -> Row:
    if not isinstance(found, dict):
        return Row(number, "not JSON" if line and _literal(line) is None else "not a JSON object")
    return row_of(number, names, [found.get(name) for name in names])


def _array_row(number: int, found: Any, width: int, picks: Sequence[int]) -> Row:
    if not isinstance(found, (list, tuple)):
        return Row(number, "not a JSON array")
    if len(found) != width:
        return Row(number, f"{len(found)} columns where {width} belong")
    return row_of(number, [str(at + 1) for at in picks], [found[at] for at in picks])

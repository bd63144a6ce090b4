"""What the verbs print: data on stdout, narration and errors on stderr.

Without ``--json``, stderr holds lines for people; a verb that fails ends with one line that begins with ``cftui``.

With ``--json``, every line on stderr is one JSON object, so that a program that runs a verb need not read sentences:

- ``{"progress": "fetching MovieLens 100K from ..."}``: a line of narration, printed while the verb works.
- ``{"error": {"message": ..., "kind": ..., "exit": 1, ...}}``: the last line of a verb that fails. ``message`` is the
  whole line for people; ``kind`` is one of ``cftui.errors.Kind``; ``exit`` is the exit status: 1 for an error, 2 for
  wrong usage, 130 after Ctrl+C. ``what``, ``where``, ``hint`` and ``option`` (the option to change, without its dashes)
  are there if the error has them.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO, cast

from cftui.engine.ranks import launched
from cftui.text import for_terminal, is_invisible, one_line, printable, spec

if TYPE_CHECKING:
    import pandas as pd

    from cftui.errors import Kind

USAGE_STATUS = 2
# What a shell reports for a command that Ctrl+C ended.
INTERRUPTED_STATUS = 130


def narrate(text: str) -> None:
    """Print narration on stderr: the lines of ``text``, or a JSON object for each under ``--json``."""
    lines = [printable(line) for line in text.split("\n")]
    if _wants_json():
        lines = [_dump({"progress": line}) for line in lines if line]
    _print_on_stderr(*lines)


def _wants_json() -> bool:
    """Whether the verb that runs now was given ``--json``."""
    import click

    context = click.get_current_context(silent=True)
    return context is not None and bool(getattr(context.obj, "json", False))


def make_streams_lenient() -> None:
    """Let stdout and stderr replace what their encoding lacks, as ``\\u5343``, where it would end the verb."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def print_error(
    message: str,
    kind: Kind,
    *,
    status: int = 1,
    command: str = "cftui",
    as_json: bool = False,
    parts: Mapping[str, str] | None = None,
) -> int:
    """Print the error that ends a verb, on one line of stderr, and return ``status``.

    Args:
        command: what failed, for the line without ``--json``, such as ``cftui train``.
        parts: more fields of the JSON object; empty ones are left out.
    """
    message = one_line(message)
    if as_json:
        more = {name: one_line(text) for name, text in (parts or {}).items() if text}
        _print_on_stderr(_dump({"error": {"message": message, "kind": kind, "exit": status, **more}}))
    else:
        _print_on_stderr(f"{command}: {message}")
    return status


def _print_on_stderr(*lines: str) -> None:
    """Print ``lines``; a terminal that has gone away is no reason to stop working.

    Of several processes that train together, only the first prints.
    """
    if launched().rank:
        return
    with contextlib.suppress(OSError):
        print("\n".join(lines), file=sys.stderr, flush=True)


class _Terminal:
    """Standard output, where it is a terminal: nothing that it would obey comes through."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(for_terminal(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def clean_terminal() -> Iterator[None]:
    """Keep control characters of titles and files from the terminal; files and pipes get what there is."""
    stream = sys.stdout
    if stream is None or not stream.isatty():  # None if the parent process closed it
        yield
        return
    with contextlib.redirect_stdout(cast(TextIO, _Terminal(stream))):
        yield


def print_json(value: Any) -> None:
    """Print a value as JSON on one line; NaN becomes null."""
    print(_dump(value), flush=True)


def _dump(value: Any) -> str:
    # On a stream that is not UTF-8, what it cannot encode would be replaced by what is no JSON.
    unicode = all(codecs.lookup(one.encoding or "utf-8").name == "utf-8" for one in (sys.stdout, sys.stderr) if one)
    text = json.dumps(_plain(value), ensure_ascii=not unicode, allow_nan=False)
    # Written as an escape, a character that a terminal would obey is exact and does nothing.
    return text if text.isprintable() else "".join(json.dumps(c)[1:-1] if is_invisible(c) else c for c in text)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of ``frame`` as dictionaries by column name."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


# A format with a fixed number of decimals, which no magnitude fits.
_FIXED = re.compile(r"(\+?)\.(\d)f")
Formats = Mapping[str, str | Callable[[Any], str]]


def print_table(rows: Sequence[Mapping[str, Any]], formats: Formats | None = None) -> None:
    """Print aligned columns: numbers to the right, text to the left, and empty cells for None and NaN.

    Args:
        rows: the rows by column name; all have the same columns.
        formats: format specs by column name, such as ``{"rating": ".2f"}``, or functions that format.
    """
    if not rows:
        return
    names = list(rows[0])
    columns = [_column(name, [row[name] for row in rows], (formats or {}).get(name, str)) for name in names]
    for line in zip(*columns, strict=True):
        print("  ".join(line).rstrip())


def _column(name: str, values: Sequence[Any], form: str | Callable[[Any], str]) -> list[str]:
    """The heading and the cells of a column, as wide as the widest in cells of the terminal."""
    from rich.cells import cell_len

    missing = [value is None or (isinstance(value, float) and math.isnan(value)) for value in values]
    if isinstance(form, str) and (fixed := _FIXED.fullmatch(form)):
        known = [float(value) for value, gone in zip(values, missing, strict=True) if not gone]
        form = spec(known, int(fixed[2]), fixed[1])
    cells = [
        "" if gone else printable(form(value) if callable(form) else format(value, form)).strip()
        for value, gone in zip(values, missing, strict=True)
    ]
    # The least width is two more than the heading, so that neighbouring headings do not run together.
    width = max(cell_len(name) + 2, *map(cell_len, cells))
    left = any(isinstance(value, str) for value in values)
    pads = [(text, " " * (width - cell_len(text))) for text in (printable(name), *cells)]
    return [text + pad if left else pad + text for text, pad in pads]


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print a line ``name  value`` for each fact."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        print(f"{name:<{width}}  {printable(str(value))}")

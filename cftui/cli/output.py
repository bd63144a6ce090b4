"""What the verbs print: data on stdout, narration on stderr."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def narrate(line: str) -> None:
    """Say something on stderr; a terminal that has gone away is no reason to stop working."""
    with contextlib.suppress(OSError):
        print("\n".join(map(printable, line.split("\n"))), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Without control characters: an escape sequence in a title must not reach the terminal."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text)


def print_json(value: Any) -> None:
    """One JSON object on one line; NaN becomes null."""
    print(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False), flush=True)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_table(rows: Sequence[Mapping[str, Any]], formats: Mapping[str, str] | None = None) -> None:
    """Aligned columns: numbers to the right, text to the left, empty cells for None and NaN.

    Args:
        formats: format specs by column name, such as ``{"rating": ".2f"}``.
    """
    from tabulate import tabulate

    if not rows:
        return
    formats = formats or {}

    def cell(name: str, value: Any) -> str:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        return printable(format(value, formats[name]) if name in formats else str(value))

    names = list(rows[0])
    text = [any(isinstance(row[name], str) for row in rows) for name in names]
    print(
        tabulate(
            [[cell(name, row[name]) for name in names] for row in rows],
            headers=names,
            tablefmt="plain",
            disable_numparse=True,
            colalign=["left" if is_text else "right" for is_text in text],
        )
    )


def print_facts(facts: Mapping[str, Any]) -> None:
    """One ``name  value`` line each."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        print(f"{name:<{width}}  {printable(str(value))}")

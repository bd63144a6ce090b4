"""Asking where to write something, and saying where it went."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App

from cftui.analysis.search import normalise
from cftui.errors import CftuiError
from cftui.files import write_atomic
from cftui.tui.shell.prompt import Prompt

if TYPE_CHECKING:
    import pandas as pd


def file_name(text: str) -> str:
    """``like-Misérables, Les (1995).csv`` -> ``like-miserables-les-1995.csv``."""
    stem, _, suffix = text.rpartition(".")
    return f"{re.sub(' +', '-', normalise(stem)) or 'export'}.{suffix}"


def write_table(path: Path, table: pd.DataFrame) -> str:
    """A ranking as CSV, without the codes, which mean nothing outside."""
    write_atomic(path, table.drop(columns="code").to_csv(index=False))
    return f"{len(table):,} rows"


def ask_for_file(app: App[None], name: str, forms: Sequence[str], write: Callable[[Path], str]) -> None:
    """Ask for a file to write, with one proposed in the current folder, and write it.

    Args:
        name: of the file proposed, made fit for a file system.
        forms: the suffixes there may be.
        write: writes the file and returns what is in it, for the notice. May raise CftuiError or OSError.
    """

    def check(text: str) -> str:
        try:
            path = Path(text).expanduser()
            if path.suffix.lstrip(".").lower() not in forms:
                return f"a name that ends in {' or '.join('.' + form for form in forms)}"
            if path.is_dir():
                return f"{path} is a folder"
            if path.is_fifo():
                # A pipe that nobody empties would hold up the screen.
                return f"{path} is a pipe; cftui recommend --csv and its like write to pipes"
            return "" if path.parent.is_dir() else f"there is no folder {path.parent}"
        except (OSError, RuntimeError, ValueError) as error:  # too long, nobody's home, a null byte
            return f"that is no path here ({getattr(error, 'strerror', None) or error})"

    def done(answer: str | None) -> None:
        if answer is None:
            return
        path = Path(answer).expanduser()
        try:
            what = write(path)
        except (CftuiError, OSError) as error:
            app.notify(str(error), severity="error", timeout=20)
        else:
            app.notify(f"{path.resolve()}: {what}")

    hint = f"{' or '.join('.' + form for form in forms)}; a file of that name is replaced"
    app.push_screen(Prompt("write to", hint, file_name(name), check), done)

"""Files that a path begun in a text field may become."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cftui.text import printable

# Entries of a folder: read at most, and listed at most.
SCANNED, LISTED = 20_000, 500
TABLES: tuple[str, ...] = (".csv", ".tsv", ".txt", ".dat", ".data", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
TABLES += (".inter", ".psv", ".mtx", ".mat", ".npy", ".npz", ".xlsx", ".db", ".sqlite", ".sqlite3")
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz")


@dataclass(frozen=True)
class Entry:
    """A file or folder. ``name`` of a folder ends in a slash."""

    name: str
    size: int = 0

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


def path_of(text: str) -> Path:
    """Raises RuntimeError: no home of such a user."""
    return Path(text.strip()).expanduser()


def is_file(text: str) -> bool:
    try:
        return bool(text.strip()) and path_of(text).is_file()
    except (OSError, RuntimeError, ValueError):
        return False


def matches(text: str) -> list[Entry]:
    """What ``text`` is the beginning of, or else part of: tables first, then folders, then other files.

    Raises:
        OSError: its folder is not there or must not be read.
        RuntimeError, ValueError: it can be no path.
    """
    before, slash, start = text.rpartition("/")
    start = start.casefold()
    with os.scandir(path_of(before + slash) if slash else ".") as found:
        every = [entry for entry in islice(found, SCANNED) if printable(entry.name) == entry.name]
    # A field cannot hold other names, nor the terminal show them.
    shown = [entry for entry in every if start.startswith(".") or not entry.name.startswith(".")]
    fits = [entry for entry in shown if entry.name.casefold().startswith(start)]
    fits = fits or [entry for entry in shown if start in entry.name.casefold()]
    entries = sorted(map(_entry, fits), key=lambda entry: (_rank(entry), entry.name.casefold()))
    return entries[:LISTED]


def completed(text: str, entry: Entry) -> str:
    """The path with its last part replaced by ``entry``."""
    before, slash, _ = text.rpartition("/")
    return f"{before}{slash}{entry.name}"


def _entry(found: os.DirEntry[str]) -> Entry:
    try:
        return Entry(f"{found.name}/") if found.is_dir() else Entry(found.name, found.stat().st_size)
    except OSError:  # a link to nowhere
        return Entry(found.name)


def _rank(entry: Entry) -> int:
    name = entry.name.casefold()
    for suffix in PACKED:
        name = name.removesuffix(suffix)
    return 1 if entry.is_folder else 0 if name.endswith(TABLES) or name != entry.name.casefold() else 2


def size_text(size: float) -> str:
    """``57 kB``, ``1.2 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.1f} {unit}" if unit != "B" and size < 10 else f"{size:,.0f} {unit}"
        size /= 1000
    raise AssertionError

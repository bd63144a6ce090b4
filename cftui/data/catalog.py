"""The data sets cftui knows, and opening the ones that are on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cftui.errors import CftuiError, suggestion
from cftui.home import Home

if TYPE_CHECKING:  # pandas takes a third of a second to import: only when something is read
    from cftui.data.tables import Tables


@dataclass(frozen=True)
class Known:
    """A published data set.

    Attributes:
        url, sha256: the official archive.
        members: the files of the official layout that are kept; the rest of the archive is left out.
        required: those among ``members`` that a source cannot lack.
        fingerprint: of the content, the same from every source (``Tables.fingerprint``).
        licence: one line, shown when it is fetched.
    """

    name: str
    label: str
    url: str
    sha256: str
    members: tuple[str, ...]
    required: tuple[str, ...]
    fingerprint: str
    licence: str
    read: Callable[[Path], Tables]


def _read_ml_100k(folder: Path) -> Tables:
    from cftui.data.movielens import read_tables

    return read_tables(folder)


KNOWN = {
    known.name: known
    for known in (
        Known(
            name="ml-100k",
            label="MovieLens 100K",
            url="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
            sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            members=("u.data", "u.item", "u.user", "u.genre", "u.info", "u.occupation", "README"),
            required=("u.data", "u.item", "u.user"),
            fingerprint="2accfcfd0ac62478",
            licence="GroupLens, University of Minnesota: research use, no redistribution; cite Harper & Konstan 2015",
            read=_read_ml_100k,
        ),
    )
}


def known(name: str) -> Known:
    """Raises CftuiError for a name no data set bears."""
    if name not in KNOWN:
        raise CftuiError(f"no data set {name!r}; {suggestion(name, sorted(KNOWN))}")
    return KNOWN[name]


def folder(name: str, home: Home) -> Path:
    return home.data / known(name).name


def is_present(name: str, home: Home) -> bool:
    return folder(name, home).is_dir()


def open_tables(name: str, home: Home) -> Tables:
    """Read a data set from disk and make sure that it is what its name says.

    Raises:
        CftuiError: unknown, not fetched yet, malformed (file and line), or altered since it was published.
    """
    data_set, where = known(name), folder(name, home)
    if not where.is_dir():
        raise CftuiError(f"{name} is not in {home.data} yet; fetch it with: cftui data get {name}")
    tables = data_set.read(where)
    verify(data_set, tables, where)
    return tables


def verify(data_set: Known, tables: Tables, where: Path) -> None:
    """Raises CftuiError unless ``tables`` hold exactly the published content."""
    if tables.fingerprint != data_set.fingerprint:
        raise CftuiError(
            f"{where}: not {data_set.label} as published: {len(tables.ratings):,} ratings by "
            f"{len(tables.users):,} users of {len(tables.items):,} {tables.nouns}, fingerprint {tables.fingerprint} "
            f"instead of {data_set.fingerprint}; truncated or altered? "
            f"Fetch a good copy with: cftui data get {data_set.name}"
        )

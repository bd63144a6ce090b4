"""The data sets cftui knows, and opening the ones that are on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cftui.data import shapes
from cftui.errors import CftuiError, suggestion
from cftui.home import Home

if TYPE_CHECKING:  # pandas takes a third of a second to import: only when something is read
    from cftui.data.ratings import ItemKey, Ratings
    from cftui.data.tables import Tables


@dataclass(frozen=True)
class Known:
    """A data set that is published, or that can be made here.

    Attributes:
        url, sha256: the official archive; empty if it is made here.
        members: the files of the official layout that are kept; the rest of the archive is left out.
        required: those among ``members`` that a source cannot lack.
        fingerprint: of the content, the same from every source (``Tables.fingerprint``); empty if it depends on how
            the data set was made.
        licence: one line, shown when it is fetched.
        read: its folder as data frames.
        read_ratings: its folder encoded for training, for a data set too large to go through data frames. What it
            returns is what ``Ratings.encode`` of ``read`` would be.
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
    read_ratings: Callable[[Path, ItemKey], Ratings] | None = None

    @property
    def remedy(self) -> str:
        """How to come by a good copy, for the end of a message."""
        if self.url:
            return f"cftui data get {self.name}"
        return f"cftui data synth {self.name.removeprefix(shapes.PREFIX)}"


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


def _read_synth(folder: Path) -> Tables:
    from cftui.data.synth import read_tables

    return read_tables(folder)


def _read_synth_ratings(folder: Path, item_key: ItemKey) -> Ratings:
    from cftui.data.synth import read_ratings

    return read_ratings(folder, item_key)


def _synth(name: str) -> Known:
    """Raises CftuiError for a shape there is not."""
    shape = shapes.shape(name.removeprefix(shapes.PREFIX))
    return Known(
        name=name,
        label=f"synthetic ratings in the shape of {shape.name}",
        url="",
        sha256="",
        members=(),
        required=(),
        fingerprint="",
        licence="",
        read=_read_synth,
        read_ratings=_read_synth_ratings,
    )


def known(name: str) -> Known:
    """The description of a data set, on disk or not: one of ``KNOWN``, or ``synth-`` and a shape.

    Raises:
        CftuiError: no data set bears that name.
    """
    if name in KNOWN:
        return KNOWN[name]
    if name.startswith(shapes.PREFIX):
        return _synth(name)
    raise CftuiError(f"no data set {name!r}; {suggestion(name, sorted(KNOWN))}")


def listed(home: Home) -> list[Known]:
    """What is published, then what was made and is on disk."""
    made = [_synth(f"{shapes.PREFIX}{name}") for name in shapes.SHAPES]
    return [*KNOWN.values(), *(data_set for data_set in made if is_present(data_set.name, home))]


def folder(name: str, home: Home) -> Path:
    return home.data / known(name).name


def is_present(name: str, home: Home) -> bool:
    return folder(name, home).is_dir()


def open_tables(name: str, home: Home) -> Tables:
    """Read a data set from disk and make sure that it is what its name says.

    Raises:
        CftuiError: unknown, not fetched yet, malformed (file and line), or altered since it was published.
    """
    data_set, where = known(name), _present(name, home)
    tables = data_set.read(where)
    verify(data_set, tables, where)
    return tables


def open_ratings(name: str, home: Home, item_key: ItemKey = "title") -> Ratings:
    """Read a data set from disk, encoded for training; the shorter way where it has one.

    Raises:
        CftuiError: as ``open_tables``, or ``item_key`` is neither title nor id.
    """
    data_set = known(name)
    if data_set.read_ratings is not None:
        return data_set.read_ratings(_present(name, home), item_key)
    from cftui.data.ratings import Ratings

    return Ratings.encode(open_tables(name, home), item_key)


def _present(name: str, home: Home) -> Path:
    where = folder(name, home)
    if not where.is_dir():
        data_set = known(name)
        verb = "fetch" if data_set.url else "make"
        raise CftuiError(f"{name} is not in {home.data} yet; {verb} it with: {data_set.remedy}")
    return where


def verify(data_set: Known, tables: Tables, where: Path) -> None:
    """Raises CftuiError unless ``tables`` hold exactly the published content."""
    if data_set.fingerprint and tables.fingerprint != data_set.fingerprint:
        raise CftuiError(
            f"{where}: not {data_set.label} as published: {len(tables.ratings):,} ratings by "
            f"{len(tables.users):,} users of {len(tables.items):,} {tables.nouns}, fingerprint {tables.fingerprint} "
            f"instead of {data_set.fingerprint}; truncated or altered? "
            f"Fetch a good copy with: {data_set.remedy}"
        )

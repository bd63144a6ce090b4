"""The published data sets, one row each: where a set comes from, which files it has, and how they are read.

Nothing heavy is imported here: the list of data sets has to appear at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cftui.data.formats.layouts import Layout
from cftui.data.synth import shapes

if TYPE_CHECKING:  # pandas takes a third of a second to import: only when something is read
    from cftui.data.ratings import ItemKey, Ratings
    from cftui.data.tables import Tables

GROUPLENS = "https://files.grouplens.org/datasets/movielens"
LICENCE = "GroupLens, University of Minnesota: research use, no redistribution; cite Harper & Konstan 2015"


@dataclass(frozen=True)
class Mirror:
    """A wheel on the package registry that carries a data set.

    Attributes:
        requirement: the wheel by its exact version.
        sha256: its checksum.
        convert: writes its files into a folder in the official layout.
    """

    requirement: str
    sha256: str
    convert: Callable[[Path, Path], None]


@dataclass(frozen=True)
class Known:
    """A data set that is published, that can be made here, or that the user imported.

    Attributes:
        url: the official archive; empty for a set without one.
        checksum: the archive's, ``sha256:`` (as TensorFlow Datasets has it) or ``md5:`` (as GroupLens publishes it) and
            the digest; empty if the archive may change.
        members: the files of the official layout that are kept; the rest of the archive is left out.
        required: those among ``members`` that a source must have.
        fingerprint: of the content, the same from every source (``Tables.fingerprint``); empty if it depends on how the
            data set was made.
        licence: one line, shown when the set is fetched.
        read: reads its folder as data frames.
        read_ratings: reads its folder encoded for training, for a set too large to go through data frames. It returns
            what ``Ratings.encode`` of ``read`` would.
        imported: whether the user imported it.
        folder: the name of the folder in the official archive, if it is not that of the data set.
        member_bytes: an upper bound on the size of a member of the archive; 0 for the usual bound.
        layout: the files of one of the larger MovieLens sets.
        mirror: where else to get it.
    """

    name: str
    label: str
    read: Callable[[Path], Tables]
    read_ratings: Callable[[Path, ItemKey], Ratings] | None = None
    imported: bool = False
    url: str = ""
    checksum: str = ""
    members: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    fingerprint: str = ""
    licence: str = ""
    folder: str = ""
    member_bytes: int = 0
    layout: Layout | None = None
    mirror: Mirror | None = None

    @property
    def remedy(self) -> str:
        """The command that gets a good copy, for the end of a message."""
        if self.imported:
            return f"cftui data import FILE --name {self.name}"
        if self.url:
            return f"cftui data get {self.name}"
        return f"cftui data synth {self.name.removeprefix(shapes.PREFIX)}"


def _read_ml_100k(folder: Path) -> Tables:
    from cftui.data.formats.movielens import read_tables

    return read_tables(folder)


def _convert_ml_100k(wheel: Path, building: Path) -> None:
    from cftui.data.store.mirror import convert_ml_100k

    convert_ml_100k(wheel, building)


def _movielens(layout: Layout, checksum: str, more: str, folder: str = "", gigabytes: int = 1) -> Known:
    """One of the larger MovieLens sets; ``more`` names files that are kept but not required."""

    def read(folder: Path) -> Tables:
        from cftui.data.formats.movielens_sets import read_tables

        return read_tables(layout, folder)

    def read_ratings(folder: Path, item_key: ItemKey) -> Ratings:
        from cftui.data.formats.movielens_sets import read_ratings

        return read_ratings(layout, folder, item_key)

    return Known(
        name=layout.name,
        label=layout.label,
        url=f"{GROUPLENS}/{layout.name}.zip",
        checksum=checksum,
        members=tuple(filter(None, (*layout.files, layout.tags, *more.split()))),
        required=layout.files,
        licence=LICENCE,
        read=read,
        read_ratings=read_ratings,
        folder=folder,
        member_bytes=gigabytes * 1_000_000_000,
        layout=layout,
    )


def _csv(name: str, label: str, checksum: str, gigabytes: int = 1) -> Known:
    """A MovieLens set published as CSV, with half stars."""
    layout = Layout(name, label, "ratings.csv", "movies.csv", "", "tags.csv", 0.5)
    return _movielens(layout, checksum, "links.csv README.txt", gigabytes=gigabytes)


KNOWN = {
    known.name: known
    for known in (
        Known(
            name="ml-100k",
            label="MovieLens 100K",
            url=f"{GROUPLENS}/ml-100k.zip",
            checksum="sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            members=("u.data", "u.item", "u.user", "u.genre", "u.info", "u.occupation", "README"),
            required=("u.data", "u.item", "u.user"),
            fingerprint="2accfcfd0ac62478",
            licence=LICENCE,
            read=_read_ml_100k,
            mirror=Mirror(
                requirement="recbole==1.2.1",
                sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
                convert=_convert_ml_100k,
            ),
        ),
        # No checksum: "these datasets will change over time", says GroupLens.
        _csv("ml-latest-small", "MovieLens latest small", ""),
        _movielens(
            Layout("ml-1m", "MovieLens 1M", "ratings.dat", "movies.dat", "users.dat", "", 1.0),
            "sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
            "README",
        ),
        _movielens(
            Layout("ml-10m", "MovieLens 10M", "ratings.dat", "movies.dat", "", "tags.dat", 0.5),
            "md5:ce571fd55effeba0271552578f2648bd",
            "README.html",
            folder="ml-10M100K",
        ),
        _csv("ml-20m", "MovieLens 20M", "sha256:96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3"),
        _csv("ml-25m", "MovieLens 25M", "sha256:8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa", 2),
        _csv("ml-32m", "MovieLens 32M", "md5:d472be332d4daa821edc399621853b57", 2),
    )
}

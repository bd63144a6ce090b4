"""The data sets cftui knows, and opening the ones that are on disk."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cftui.data.synth import shapes
from cftui.errors import CftuiError, suggestion
from cftui.home import Home

if TYPE_CHECKING:  # pandas takes a third of a second to import: only when something is read
    from cftui.data.ratings import ItemKey, Ratings
    from cftui.data.tables import Tables


# What ``kind`` says in the ``dataset.json`` of a set that the user imported.
IMPORTED = "imported"


@dataclass(frozen=True)
class Known:
    """A data set that is published, that can be made here, or that the user imported.

    Attributes:
        url: the official archive; empty if it is made here.
        checksum: of that archive, ``sha256:`` (as TensorFlow Datasets has it) or ``md5:`` (as GroupLens publishes it)
            and the digest; empty if the archive may change.
        members: the files of the official layout that are kept; the rest of the archive is left out.
        required: those among ``members`` that a source cannot lack.
        fingerprint: of the content, the same from every source (``Tables.fingerprint``); empty if it depends on how
            the data set was made.
        licence: one line, shown when it is fetched.
        read: its folder as data frames.
        read_ratings: its folder encoded for training, for a data set too large to go through data frames. What it
            returns is what ``Ratings.encode`` of ``read`` would be.
        imported: whether it is the user's own.
        folder: what the folder in the official archive is called, if not like the data set.
        member_bytes: no member of the archive is larger; 0 for the bound of ``sources``.
    """

    name: str
    label: str
    url: str
    checksum: str
    members: tuple[str, ...]
    required: tuple[str, ...]
    fingerprint: str
    licence: str
    read: Callable[[Path], Tables]
    read_ratings: Callable[[Path, ItemKey], Ratings] | None = None
    imported: bool = False
    folder: str = ""
    member_bytes: int = 0

    @property
    def remedy(self) -> str:
        """How to come by a good copy, for the end of a message."""
        if self.imported:
            return f"cftui data import FILE --name {self.name}"
        if self.url:
            return f"cftui data get {self.name}"
        return f"cftui data synth {self.name.removeprefix(shapes.PREFIX)}"


def _read_ml_100k(folder: Path) -> Tables:
    from cftui.data.formats.movielens import read_tables

    return read_tables(folder)


_LICENCE = "GroupLens, University of Minnesota: research use, no redistribution; cite Harper & Konstan 2015"


def _movielens(
    name: str, label: str, members: str, required: str, checksum: str, folder: str = "", gigabytes: int = 1
) -> Known:
    """One of the larger MovieLens sets."""

    def read(folder: Path) -> Tables:
        from cftui.data.formats.movielens_sets import read_tables

        return read_tables(name, folder)

    def read_ratings(folder: Path, item_key: ItemKey) -> Ratings:
        from cftui.data.formats.movielens_sets import read_ratings

        return read_ratings(name, folder, item_key)

    return Known(
        name=name,
        label=label,
        url=f"https://files.grouplens.org/datasets/movielens/{name}.zip",
        checksum=checksum,
        members=tuple(members.split()),
        required=tuple(required.split()),
        fingerprint="",
        licence=_LICENCE,
        read=read,
        read_ratings=read_ratings,
        folder=folder,
        member_bytes=gigabytes * 1_000_000_000,
    )


_CSV_FILES = "ratings.csv movies.csv tags.csv links.csv README.txt"
_CSV_REQUIRED = "ratings.csv movies.csv"

KNOWN = {
    known.name: known
    for known in (
        Known(
            name="ml-100k",
            label="MovieLens 100K",
            url="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
            checksum="sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            members=("u.data", "u.item", "u.user", "u.genre", "u.info", "u.occupation", "README"),
            required=("u.data", "u.item", "u.user"),
            fingerprint="2accfcfd0ac62478",
            licence=_LICENCE,
            read=_read_ml_100k,
        ),
        # "These datasets will change over time": GroupLens.
        _movielens("ml-latest-small", "MovieLens latest small", _CSV_FILES, _CSV_REQUIRED, checksum=""),
        _movielens(
            "ml-1m",
            "MovieLens 1M",
            "ratings.dat movies.dat users.dat README",
            "ratings.dat movies.dat users.dat",
            checksum="sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        ),
        _movielens(
            "ml-10m",
            "MovieLens 10M",
            "ratings.dat movies.dat tags.dat README.html",
            "ratings.dat movies.dat",
            checksum="md5:ce571fd55effeba0271552578f2648bd",
            folder="ml-10M100K",
        ),
        _movielens(
            "ml-20m",
            "MovieLens 20M",
            _CSV_FILES,
            _CSV_REQUIRED,
            checksum="sha256:96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
        ),
        _movielens(
            "ml-25m",
            "MovieLens 25M",
            _CSV_FILES,
            _CSV_REQUIRED,
            checksum="sha256:8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
            gigabytes=2,
        ),
        _movielens(
            "ml-32m",
            "MovieLens 32M",
            _CSV_FILES,
            _CSV_REQUIRED,
            checksum="md5:d472be332d4daa821edc399621853b57",
            gigabytes=2,
        ),
    )
}


def _read_synth(folder: Path) -> Tables:
    from cftui.data.synth.generate import read_tables

    return read_tables(folder)


def _read_synth_ratings(folder: Path, item_key: ItemKey) -> Ratings:
    from cftui.data.synth.generate import read_ratings

    return read_ratings(folder, item_key)


def _synth(name: str) -> Known:
    """Raises CftuiError for a shape there is not."""
    shape = shapes.shape(name.removeprefix(shapes.PREFIX))
    return Known(
        name=name,
        label=f"synthetic ratings in the shape of {shape.name}",
        url="",
        checksum="",
        members=(),
        required=(),
        fingerprint="",
        licence="",
        read=_read_synth,
        read_ratings=_read_synth_ratings,
    )


def is_plain(name: str) -> bool:
    """Whether ``name`` is fit to be a folder anywhere and to be typed."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) is not None and not name.endswith(".")


def is_reserved(name: str) -> bool:
    """Whether ``name`` is, or on some file systems would be taken for, that of a published or synthetic set."""
    return name.casefold() in KNOWN or name.casefold().startswith(shapes.PREFIX)


def is_imported(name: str, home: Home) -> bool:
    """Whether the user's own data set of that name is on disk."""
    if is_reserved(name) or not is_plain(name):
        return False
    try:
        facts = json.loads((home.data / name / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(facts, dict) and facts.get("kind") == IMPORTED


def _imported(name: str, home: Home) -> Known:
    def remedy() -> str:
        return f"import it again: {_imported(name, home).remedy}"

    def read(folder: Path) -> Tables:
        from cftui.data.columns import read_tables

        return read_tables(folder, remedy())

    def read_ratings(folder: Path, item_key: ItemKey) -> Ratings:
        from cftui.data.columns import read_ratings

        return read_ratings(folder, item_key, remedy())

    facts = json.loads((home.data / name / "dataset.json").read_text(encoding="utf-8"))
    return Known(
        name=name,
        label=str(facts.get("label", name)),
        url="",
        checksum="",
        members=(),
        required=(),
        fingerprint="",
        licence="",
        read=read,
        read_ratings=read_ratings,
        imported=True,
    )


def known(name: str, home: Home | None = None) -> Known:
    """The description of a data set, on disk or not: one of ``KNOWN``, ``synth-`` and a shape, or imported in ``home``.

    Raises:
        CftuiError: no data set bears that name.
    """
    if name in KNOWN:
        return KNOWN[name]
    if name.startswith(shapes.PREFIX):
        return _synth(name)
    if home is not None and is_imported(name, home):
        return _imported(name, home)
    own = [one.name for one in imported(home)] if home is not None else []
    names = sorted([*KNOWN, *own])
    # Published names are alike: a near miss of one is not also to be told of the others.
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    raise CftuiError(f"no data set {name!r}", hint=suggestion(name, near or names), kind="unknown")


def imported(home: Home) -> list[Known]:
    """The user's own data sets, by name."""
    if not home.data.is_dir():
        return []
    names = sorted(path.name for path in home.data.iterdir() if path.is_dir())
    return [_imported(name, home) for name in names if is_imported(name, home)]


def listed(home: Home) -> list[Known]:
    """What is published, then what was made and is on disk, then what was imported."""
    made = [_synth(f"{shapes.PREFIX}{name}") for name in shapes.SHAPES]
    there = [data_set for data_set in made if is_present(data_set.name, home)]
    return [*KNOWN.values(), *there, *imported(home)]


def folder(name: str, home: Home) -> Path:
    return home.data / known(name, home).name


def remove(name: str, home: Home) -> Path:
    """Delete a data set from disk and return the folder that held it.

    Raises:
        CftuiError: no data set bears that name, or it is not on disk.
    """
    import shutil
    import tempfile

    where = _present(name, home)
    if where.is_symlink():
        where.unlink()
        return where
    # Out of the way first: what is half deleted must not be taken for a data set.
    doomed = Path(tempfile.mkdtemp(dir=home.data, prefix=f".{name}.removed-"))
    try:
        where.replace(doomed / name)
    finally:
        shutil.rmtree(doomed, ignore_errors=True)
    return where


def is_present(name: str, home: Home) -> bool:
    return folder(name, home).is_dir()


def open_tables(name: str, home: Home) -> Tables:
    """Read a data set from disk and make sure that it is what its name says.

    Raises:
        CftuiError: unknown, not fetched yet, malformed (file and line), or altered since it was published.
    """
    data_set, where = known(name, home), _present(name, home)
    tables = data_set.read(where)
    verify(data_set, tables, where)
    return tables


def open_ratings(name: str, home: Home, item_key: ItemKey = "title") -> Ratings:
    """Read a data set from disk, encoded for training; the shorter way where it has one.

    Raises:
        CftuiError: as ``open_tables``, or ``item_key`` is neither title nor id.
    """
    data_set = known(name, home)
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

"""Finding data sets by name, and opening those that are on disk."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cftui.data.store.registry import KNOWN, Known
from cftui.data.synth import shapes
from cftui.errors import CftuiError, suggestion
from cftui.files import check_ordinary
from cftui.home import Home

if TYPE_CHECKING:  # pandas takes a third of a second to import, so import it only to read
    from cftui.data.ratings import ItemKey, Ratings
    from cftui.data.tables import Tables


# The ``kind`` in the ``dataset.json`` of an imported set.
IMPORTED = "imported"


def _read_synth(folder: Path) -> Tables:
    from cftui.data.synth.generate import read_tables

    return read_tables(folder)


def _read_synth_ratings(folder: Path, item_key: ItemKey) -> Ratings:
    from cftui.data.synth.generate import read_ratings

    return read_ratings(folder, item_key)


def _synth(name: str) -> Known:
    """A synthetic set by its name. Raises CftuiError if there is no such shape."""
    shape = shapes.shape(name.removeprefix(shapes.PREFIX))
    return Known(
        name=name,
        label=f"synthetic ratings in the shape of {shape.name}",
        read=_read_synth,
        read_ratings=_read_synth_ratings,
    )


def is_plain(name: str) -> bool:
    """Whether ``name`` can name a folder on any system and is easy to type."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) is not None and not name.endswith(".")


def is_reserved(name: str) -> bool:
    """Whether ``name`` is that of a published or synthetic set, or the same on some file systems."""
    return name.casefold() in KNOWN or name.casefold().startswith(shapes.PREFIX)


def is_imported(name: str, home: Home) -> bool:
    """Whether an imported data set of that name is on disk."""
    if is_reserved(name) or not is_plain(name):
        return False
    path = home.data / name / "dataset.json"
    try:
        check_ordinary(path)
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(facts, dict) and facts.get("kind") == IMPORTED


def _imported(name: str, home: Home) -> Known:
    def remedy() -> str:
        return f"import it again: {one.remedy}"

    def read(folder: Path) -> Tables:
        from cftui.data.columns import read_tables

        return read_tables(folder, remedy())

    def read_ratings(folder: Path, item_key: ItemKey) -> Ratings:
        from cftui.data.columns import read_ratings

        return read_ratings(folder, item_key, remedy())

    facts = json.loads((home.data / name / "dataset.json").read_text(encoding="utf-8"))
    one = Known(
        name=name,
        label=str(facts.get("label", name)),
        read=read,
        read_ratings=read_ratings,
        imported=True,
    )
    return one


def known(name: str, home: Home | None = None) -> Known:
    """The description of a data set, on disk or not: one of ``KNOWN``, ``synth-`` and a shape, or imported in ``home``.

    Raises:
        CftuiError: no data set has that name.
    """
    if name in KNOWN:
        return KNOWN[name]
    if name.startswith(shapes.PREFIX):
        return _synth(name)
    if home is not None and is_imported(name, home):
        return _imported(name, home)
    own = [one.name for one in imported(home)] if home is not None else []
    names = sorted([*KNOWN, *own])
    # Published names are similar: a near miss of one should not list the others, too.
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    raise CftuiError(f"no data set {name!r}", hint=suggestion(name, near or names), kind="unknown")


def imported(home: Home) -> list[Known]:
    """The imported data sets, by name."""
    if not home.data.is_dir():
        return []
    names = sorted(path.name for path in home.data.iterdir() if path.is_dir())
    return [_imported(name, home) for name in names if is_imported(name, home)]


@dataclass(eq=False)
class DataSet:
    """A data set in a home: its name is resolved once, and what has been read stays with it.

    Attributes:
        known: its description.
        folder: where it is, or would be.
    """

    known: Known
    folder: Path
    _ratings: dict[str, Ratings] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.known.name

    @property
    def is_present(self) -> bool:
        """Whether it is on disk."""
        return self.folder.is_dir()

    @cached_property
    def tables(self) -> Tables:
        """The data set as frames, read once and compared with what its name says.

        Raises:
            CftuiError: not on disk, malformed (file and line), or altered since it was published.
        """
        self._check_present()
        tables = self.known.read(self.folder)
        verify(self.known, tables, self.folder)
        return tables

    def ratings(self, item_key: ItemKey = "title") -> Ratings:
        """The data set encoded for training, read once per key, without the frames if it is too large for them.

        Raises:
            CftuiError: as for ``tables``, or ``item_key`` is neither title nor id.
        """
        if item_key not in self._ratings:
            if self.known.read_ratings is not None:
                self._check_present()
                self._ratings[item_key] = self.known.read_ratings(self.folder, item_key)
            else:
                from cftui.data.ratings import Ratings

                self._ratings[item_key] = Ratings.encode(self.tables, item_key)
        return self._ratings[item_key]

    def remove(self) -> Path:
        """Delete it from disk and return the folder that held it. Raises CftuiError if it is not on disk."""
        from cftui.files import remove_folder

        self._check_present()
        remove_folder(self.folder)
        return self.folder

    def _check_present(self) -> None:
        if not self.is_present:
            verb = "import" if self.known.imported else "fetch" if self.known.url else "make"
            raise CftuiError(f"{self.name} is not in {self.folder.parent} yet; {verb} it with: {self.known.remedy}")


def find(name: str, home: Home) -> DataSet:
    """The data set of that name, on disk or not. Raises CftuiError if no data set has that name."""
    return DataSet(known(name, home), home.data / name)


def listed(home: Home) -> list[DataSet]:
    """The published sets, then the synthetic ones that are on disk, then the imported ones."""
    synthetic = [find(f"{shapes.PREFIX}{name}", home) for name in shapes.SHAPES]
    every = [*(find(name, home) for name in KNOWN), *(one for one in synthetic if one.is_present)]
    return [*every, *(DataSet(one, home.data / one.name) for one in imported(home))]


def open_tables(name: str, home: Home) -> Tables:
    """``find(name, home).tables``."""
    return find(name, home).tables


def open_ratings(name: str, home: Home, item_key: ItemKey = "title") -> Ratings:
    """``find(name, home).ratings(item_key)``."""
    return find(name, home).ratings(item_key)


def verify(data_set: Known, tables: Tables, where: Path) -> None:
    """Raises CftuiError unless ``tables`` hold exactly the published content."""
    if data_set.fingerprint and tables.fingerprint != data_set.fingerprint:
        raise CftuiError(
            f"{where}: not {data_set.label} as published: {len(tables.ratings):,} ratings by "
            f"{len(tables.users):,} users of {len(tables.items):,} {tables.nouns}, fingerprint {tables.fingerprint} "
            f"instead of {data_set.fingerprint}; truncated or altered? "
            f"Fetch a good copy with: {data_set.remedy}"
        )

"""What the user says about a file to be imported; everything else is guessed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cftui.data.formats.dialects import Quote, delimiter_word
from cftui.data.formats.tabular import Shape, Table

Say = Callable[[str], None]
Duplicates = Literal["last", "mean", "error"]
RULES = ("last", "mean", "error")


@dataclass(frozen=True)
class Asked:
    """What the user says about the files; everything else is guessed.

    Attributes:
        user, item, rating, time: columns of the ratings, by name or by number from 1; ``time`` may be "".
        counts: in the place of ``rating``, the column that says how often the user chose the item.
        no_rating: the file has neither; every row says that the user chose the item once more.
        unrated: ratings that say that nothing was rated; such rows are left out.
        only: a column and the text in it of the rows that count, as ``column=text``.
        test: a second file of ratings, which form the test part; split_column: the column that says which part a row is
            of, or ``column=text`` with the text of the rows that form the test part.
        items: a file about the items, with its columns ``title``, ``genres``, ``year``; ``item_id`` is the one that
            holds the ids in ``item``. Without it, these are columns of the ratings.
        quote: what a double quote is; header: whether the first row holds the names of the columns.
        shape: how ratings are laid out.
        duplicates: which rating counts if a user rates an item twice: the last by time, then in the file, the mean,
            or none.
        skip_bad: number of malformed rows to tolerate in each file.
    """

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    time: str | None = None
    counts: str | None = None
    no_rating: bool = False
    unrated: tuple[float, ...] = ()
    only: str | None = None
    test: Path | None = None
    split_column: str | None = None
    items: Path | None = None
    item_id: str | None = None
    title: str | None = None
    genres: str | None = None
    year: str | None = None
    noun: str = "item"
    label: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    quote: Quote | None = None
    header: bool | None = None
    shape: Shape | None = None
    duplicates: Duplicates = "last"
    skip_bad: int = 0

    @property
    def only_column(self) -> str | None:
        return self.only.partition("=")[0] if self.only is not None else None

    @property
    def only_text(self) -> str | None:
        return self.only.partition("=")[2] if self.only is not None else None

    @property
    def split_name(self) -> str | None:
        """The column that says which part a row is of."""
        return self.split_column.partition("=")[0] if self.split_column is not None else None

    @property
    def split_text(self) -> str | None:
        """The text of the rows that form the test part, if it was said."""
        return self.split_column.partition("=")[2] or None if self.split_column is not None else None


def say_format(table: Table, asked: Asked, guessed: list[str], say: Say) -> None:
    """Report what was guessed, as the options that would say it."""
    found = list(guessed)
    if table.kind == "csv" and table.shape in ("rows", "matrix") and asked.delimiter is None:
        found.append(f"--delimiter {delimiter_word(table.delimiter)}")
    if table.kind == "csv" and table.plain.quoted and asked.quote is None and table.dialect.quote != "double":
        found.append(f"--quote {table.dialect.quote}")
    if asked.encoding is None and table.plain.encoding not in ("", "utf-8"):
        found.append(f"--encoding {table.plain.encoding}")
    if table.shape != "rows" and asked.shape is None:
        found.append(f"--shape {table.shape}")
    notes = f" ({'; '.join(table.notes)})" if table.notes else ""
    if found:
        say(f"guessed for {table.path} (give an option to change it): {' '.join(found)}{notes}")
    elif notes:
        say(f"read {table.path} as {'; '.join(table.notes)}")

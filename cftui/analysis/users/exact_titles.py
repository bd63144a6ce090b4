"""Finding an item by a title that somebody else wrote down: exactly, but for accents, case, article and year."""

from __future__ import annotations

import re

import numpy as np

from cftui.analysis.search import keys_of
from cftui.analysis.trained import TrainedModel

_YEAR = re.compile(r"\s*\((\d{4})(?:-\d{4})?\)\s*$")
_OTHER_NAME = re.compile(r"\(([^()]+)\)")
_LAST_ARTICLE = re.compile(r"(.+), [^\W\d]+'?")
_ARTICLE = re.compile(r"^(?:the|an?) (?=.)")
# Two sources often date an item a year apart.
YEARS_APART = 1


def plain(title: str) -> str:
    """What two spellings of a title have in common: ``the lambs``, ``Lambs, The`` and ``LAMBS`` are ``lambs``."""
    return _ARTICLE.sub("", keys_of(title.strip()).split("\n")[-1])


def split_year(title: str) -> tuple[str, int]:
    """``Heat (1995)`` as ``Heat`` and 1995; the year is 0 if it is missing."""
    found = _YEAR.search(title)
    return (title[: found.start()], int(found[1])) if found else (title, 0)


class ExactTitles:
    """The items of a model by their titles."""

    def __init__(self, model: TrainedModel) -> None:
        self._counts, self._years = model.counts, model.item_table["year"].to_numpy()
        self._titles = model.titles
        # Titles as a whole, and names in brackets, such as the original title: those are looked up second.
        self._whole: dict[str, list[int]] = {}
        self._other: dict[str, list[int]] = {}
        for code, title in enumerate(model.titles):
            if code:
                self._add(code, title)

    def _add(self, code: int, title: str) -> None:
        name, year = split_year(title)
        others = _OTHER_NAME.findall(name)
        names = {plain(title), plain(name), plain(f"{name} {year or ''}")}
        # Any article behind the name may be left out; in front, only the English ones are recognised.
        if "\n" in keys_of(name) and (short := _LAST_ARTICLE.fullmatch(name)):
            names.add(plain(short[1]))
        for key in names:
            self._whole.setdefault(key, []).append(code)
        for other in {plain(one) for one in [*others, _OTHER_NAME.sub(" ", name)] if others} - names:
            if other:
                self._other.setdefault(other, []).append(code)

    def find(self, title: str, year: int = 0) -> int | None:
        """The code of the one item that is meant; None if no item fits, or several do.

        Args:
            year: of the item, 0 if it is not known. It decides between items of one name, and rules out an item that
                is more than a year older or younger.
        """
        name, own = split_year(title)
        year = year or own
        key = plain(name)
        for table in (self._whole, self._other):
            codes = self._of_year(table.get(key, []), year)
            if len({self._titles[code] for code in codes}) == 1:
                # Among ids that share a title, the best known one is meant.
                return max(codes, key=lambda code: int(self._counts[code]))
            if codes:
                return None
        return None

    def _of_year(self, codes: list[int], year: int) -> list[int]:
        if not year:
            return codes
        apart = {code: abs(int(self._years[code]) - year) if self._years[code] else 0 for code in codes}
        near = [code for code in codes if apart[code] <= YEARS_APART]
        least = min((apart[code] for code in near), default=0)
        return [code for code in near if apart[code] == least]


def best_known_by_title(model: TrainedModel) -> dict[str, int]:
    """The code of each title as it is written; among ids that share it, the best known."""
    return {model.titles[code]: int(code) for code in np.argsort(model.counts, kind="stable") if code}

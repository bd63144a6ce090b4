"""Title search for what people type: without accents, with the article in front, half a word, a typo."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

_ARTICLE = re.compile(
    r"^(.*?), (the|an?|le|la|les|l'|il|lo|el|los|las|der|die|das|de|het|een|une?)(?=\W|$)(.*)$", re.IGNORECASE
)
_NOISE = re.compile(r"[^\w]+")
FEW = 5
# The least similarity of a fuzzy match; lower if no title contains the words at all.
FUZZY_CUTOFF, FUZZY_CUTOFF_ALONE = 88, 70
# Titles that are compared letter by letter because they share trigrams with the query, and how many entries of the
# trigram index are read to propose them: a bound on the time, whatever is typed.
_CANDIDATES, _ENTRIES = 300, 60_000
# The place of a hit: at the beginning of a title, at the beginning of a word, within a word, nowhere.
_TITLE, _WORD, _WITHIN, _NOWHERE = range(4)
_UNITS = 1 << 16
_BLANK = ord(" ")


def normalise(text: str) -> str:
    """Lower case, no accents or punctuation: ``Misérables, Les (1995)`` becomes ``miserables les 1995``."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _NOISE.sub(" ", text.casefold().replace("'", "")).strip()


def keys_of(title: str) -> str:
    """The keys of a title: as written, and with its article in front (``Lambs, The`` -> ``the lambs``)."""
    plain = normalise(title)
    moved = _ARTICLE.match(title) if ", " in title else None
    if not moved:
        return plain
    gap = "" if moved[2].endswith("'") else " "
    return f"{plain}\n{normalise(f'{moved[2]}{gap}{moved[1]}{moved[3]}')}"


class TitleIndex:
    """Search titles by code, fast enough for every key press.

    All titles are in one array, the best known first, so that hits come out in the right order and no query needs a
    loop over titles.

    Args:
        titles: one per code; code 0 is the unknown and is never found.
        counts: ratings per code, int ``[n]``, to rank known titles before obscure ones.
    """

    def __init__(self, titles: Sequence[str], counts: np.ndarray) -> None:
        order = np.argsort(-np.asarray(counts, dtype=np.int64), kind="stable")
        self._codes = order[order != 0]
        """Code by rank: the best known first."""
        self._keys = [keys_of(titles[code]) for code in self._codes.tolist()]
        self._text = _Text.of(self._keys)
        self._run_together = self._text.without_blanks()
        self._trigrams = _Trigrams(self._text)

    def search(self, query: str, limit: int | None = 50, *, fuzzy: bool = True) -> list[int]:
        """The first ``limit`` codes of ``matches``."""
        return self.matches(query, fuzzy=fuzzy)[:limit].tolist()

    def matches(self, query: str, *, fuzzy: bool = True) -> np.ndarray:
        """Codes of matching titles, int64, best first; an empty query matches all.

        They are ordered by the place of the match (beginning of the title, of a word, within a word), then by number of
        ratings. If no title contains the words as typed, titles that match without regard to blanks (``starwars``) are
        found, then those that contain all words in any order.

        Args:
            fuzzy: if few titles contain the words, add near matches.
        """
        wanted = normalise(query)
        if not wanted:
            return self._codes.copy()
        found = _ordered(self._text.places(wanted))
        typed = len(found)
        if not typed or (fuzzy and typed < FEW):
            found = _joined(found, _ordered(self._run_together.places(wanted.replace(" ", ""))))
        if not typed and " " in wanted:
            found = _joined(found, _ordered(self._all_words(wanted)))
        if fuzzy and len(found) < FEW and len(wanted) >= 3:
            found = _joined(found, self._nearly(wanted, FUZZY_CUTOFF if len(found) else FUZZY_CUTOFF_ALONE))
        return self._codes[found]

    def _all_words(self, wanted: str) -> np.ndarray:
        """The place of the match for titles that contain all words in any order: that of the worst word."""
        worst = np.zeros(len(self._keys), dtype=np.uint8)
        # Longest first: a word that no title contains, usually a long one, ends the search.
        for word in sorted(set(wanted.split()), key=len, reverse=True):
            np.maximum(worst, self._text.places(word), out=worst)
            if worst.min(initial=_NOWHERE) == _NOWHERE:
                break
        return worst

    def _nearly(self, wanted: str, cutoff: int) -> np.ndarray:
        """Ranks of titles that nearly match ``wanted``, the most similar first, then by number of ratings."""
        from rapidfuzz import fuzz, process

        # partial_ratio is generous to keys shorter than the query.
        ranks = [rank for rank in self._trigrams.alike(wanted) if len(self._keys[rank]) >= len(wanted) * 0.6]
        scored = process.extract(
            wanted,
            [self._keys[rank] for rank in ranks],
            scorer=fuzz.partial_ratio,
            processor=None,
            score_cutoff=cutoff,
            limit=None,
        )
        good = sorted((-round(score), ranks[at]) for _, score, at in scored)
        return np.array([rank for _, rank in good], dtype=np.int64)


class _Text:
    """The keys of all titles in one array, with an index of the positions of each letter.

    Attributes:
        units: uint16 ``[m]``, UTF-16: every letter outside its first plane is two units, which changes nothing for
            a search. ``\\r`` precedes each title, ``\\n`` separates the two keys of a title.
        owner: int32 ``[m]``, rank of the title that a unit belongs to.
        place: uint8 ``[m]``, the place of a hit that begins at a unit.
        titles: number of titles.
    """

    def __init__(self, units: np.ndarray, owner: np.ndarray, place: np.ndarray, titles: int) -> None:
        self.units, self.owner, self.place, self.titles = units, owner, place, titles
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(units, minlength=_UNITS))])
        # A radix sort: fast because a unit has 16 bits.
        self._where = np.argsort(units, kind="stable").astype(np.int32)

    @classmethod
    def of(cls, keys: Sequence[str]) -> _Text:
        units = _units("".join(f"\r{key}" for key in keys))
        owner = np.cumsum(units == ord("\r"), dtype=np.int32) - 1
        place = np.full(len(units), _WITHIN, dtype=np.uint8)
        place[1:][units[:-1] == _BLANK] = _WORD
        place[1:][units[:-1] < _BLANK] = _TITLE
        return cls(units, owner, place, len(keys))

    def without_blanks(self) -> _Text:
        """The same titles, their words run together; a hit still knows whether it begins a word."""
        kept = self.units != _BLANK
        return _Text(self.units[kept], self.owner[kept], self.place[kept], self.titles)

    def places(self, wanted: str) -> np.ndarray:
        """The best place of ``wanted`` in each title: uint8 ``[titles]``, by rank."""
        best = np.full(self.titles, _NOWHERE, dtype=np.uint8)
        hits = self._hits(_units(wanted))
        np.minimum.at(best, self.owner.take(hits), self.place.take(hits))
        return best

    def _hits(self, wanted: np.ndarray) -> np.ndarray:
        """Positions at which the units ``wanted`` begin, ascending."""
        begin, end = self._starts[wanted], self._starts[wanted.astype(np.int64) + 1]
        rarest_first = np.argsort(end - begin, kind="stable").tolist()
        at = rarest_first[0]
        hits = self._where[begin[at] : end[at]] - at
        first, last = np.searchsorted(hits, (0, len(self.units) - len(wanted) + 1))
        hits = hits[first:last]
        for at in rarest_first[1:]:
            hits = hits[self.units[hits + at] == wanted[at]]
        return hits


class _Trigrams:
    """An index from three consecutive letters to titles; the blank before a key counts as a letter.

    Trigrams are identified by a hash of 16 bits. A collision can only propose a title too many.
    """

    def __init__(self, text: _Text) -> None:
        units = text.units
        grams = _hashes(np.where(units < _BLANK, np.uint16(_BLANK), units))
        whole = np.flatnonzero((units[1:-1] >= _BLANK) & (units[2:] >= _BLANK))
        grams, owner = grams[whole], text.owner[whole]
        order = np.argsort(grams, kind="stable")
        grams, owner = grams[order], owner[order]
        # The sort is stable and owners ascend, so repeated trigrams of a title are adjacent.
        once = np.ones(len(grams), dtype=bool)
        once[1:] = (grams[1:] != grams[:-1]) | (owner[1:] != owner[:-1])
        self._owner = owner[once]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(grams[once], minlength=_UNITS))])
        self._titles = text.titles

    def alike(self, wanted: str) -> list[int]:
        """Ranks, ascending, of the titles that share most trigrams with ``wanted``; rare trigrams count more."""
        grams = np.unique(_hashes(_units(f" {wanted}"))).astype(np.int64)
        begin, size = self._starts[grams], self._starts[grams + 1] - self._starts[grams]
        order = np.argsort(size, kind="stable")
        order = order[(size[order] > 0) & (np.cumsum(size[order]) - size[order] < _ENTRIES)]
        if not len(order):
            return []
        begin, size = begin[order], size[order]
        holders = [self._owner[at : at + many] for at, many in zip(begin.tolist(), size.tolist(), strict=True)]
        weight = np.repeat(np.log1p(self._titles / size), size)
        shared = np.bincount(np.concatenate(holders), weight, minlength=self._titles)
        ranks = np.flatnonzero(shared)
        if len(ranks) > _CANDIDATES:
            # Ties go to the best known: ranks are below a billion, weights far above a billionth.
            ranks = ranks[np.argpartition(ranks * 1e-9 - shared[ranks], _CANDIDATES)[:_CANDIDATES]]
        return np.sort(ranks).tolist()


def _units(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2")


def _hashes(units: np.ndarray) -> np.ndarray:
    """A hash of each three units in a row, uint16 ``[m - 2]``."""
    wide = units.astype(np.uint32)
    mixed = (
        (wide[:-2] * np.uint32(2654435761)) ^ (wide[1:-1] * np.uint32(2246822519)) ^ (wide[2:] * np.uint32(3266489917))
    )
    return (mixed >> np.uint32(16)).astype(np.uint16)


def _ordered(places: np.ndarray) -> np.ndarray:
    """Ranks of the titles found, by place, then by rank."""
    return np.concatenate([np.flatnonzero(places == place) for place in (_TITLE, _WORD, _WITHIN)])


def _joined(found: np.ndarray, more: np.ndarray) -> np.ndarray:
    """``found`` followed by the entries of ``more`` that it does not contain."""
    return np.concatenate([found, more[~np.isin(more, found)]]) if len(more) else found

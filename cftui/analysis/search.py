"""Finding an item by what a person types: no accents, articles in front, half a word, a typo."""

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
# How alike a title must be: less when nothing holds the words at all.
FUZZY_CUTOFF, FUZZY_CUTOFF_ALONE = 88, 70


def normalise(text: str) -> str:
    """Lower case, no accents, no punctuation, single blanks: ``Misérables, Les (1995)`` -> ``miserables les 1995``."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c)).casefold().replace("'", "")
    return _NOISE.sub(" ", plain).strip()


def keys_of(title: str) -> str:
    """What a title is found by: as it stands, and with its article in front (``Lambs, The`` -> ``the lambs``)."""
    plain = normalise(title)
    moved = _ARTICLE.match(title)
    if not moved:
        return plain
    gap = "" if moved[2].endswith("'") else " "
    return f"{plain}\n{normalise(f'{moved[2]}{gap}{moved[1]}{moved[3]}')}"


class TitleIndex:
    """Titles by code, ready to be searched at every key press.

    Args:
        titles: one per code; code 0 is the unknown and is never found.
        counts: ratings per code, int ``[n]``, to put the known before the obscure.
    """

    def __init__(self, titles: Sequence[str], counts: np.ndarray) -> None:
        self._keys = [""] + [keys_of(title) for title in titles[1:]]
        self._counts = counts

    def search(self, query: str, limit: int = 50, *, fuzzy: bool = True) -> list[int]:
        """Codes that fit, best first: where the match stands, then number of ratings. An empty query finds the known.

        Args:
            fuzzy: when few titles hold the words, add those that nearly do.
        """
        wanted = normalise(query)
        if not wanted:
            return [int(code) for code in np.argsort(-self._counts, kind="stable") if code][:limit]
        found = [code for code, key in enumerate(self._keys) if wanted in key]
        if not found and " " in wanted:
            words = wanted.split()
            found = [code for code, key in enumerate(self._keys) if all(word in key for word in words)]
        found.sort(key=lambda code: (self._place(wanted, self._keys[code]), -self._counts[code]))
        if fuzzy and len(found) < FEW and len(wanted) >= 3:
            cutoff = FUZZY_CUTOFF if found else FUZZY_CUTOFF_ALONE
            found += [code for code in self._nearly(wanted, limit, cutoff) if code not in set(found)]
        return found[:limit]

    @staticmethod
    def _place(wanted: str, key: str) -> int:
        """0 at the beginning of the title, 1 at the beginning of a word, 2 within one."""
        if any(line.startswith(wanted) for line in key.split("\n")):
            return 0
        return 1 if f" {wanted}" in key else 2

    def _nearly(self, wanted: str, limit: int, cutoff: int) -> list[int]:
        from rapidfuzz import fuzz, process

        scored = process.extract(
            wanted,
            self._keys,
            scorer=fuzz.partial_ratio,
            processor=None,
            score_cutoff=cutoff,
            limit=200,
        )
        # partial_ratio is generous to keys shorter than the query.
        good = [(round(score), code) for key, score, code in scored if len(key) >= len(wanted) * 0.6]
        good.sort(key=lambda pair: (-pair[0], -self._counts[pair[1]]))
        return [code for _, code in good[:limit]]

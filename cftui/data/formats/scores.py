"""A column of ratings: numbers, or words that mean numbers, and codes for "not rated"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cftui.data.formats.values import is_missing, is_number, parse_rating, shown

_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_OUT_OF = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:/|out of)\s*(\d+)(?:\s*stars?)?", re.ASCII | re.IGNORECASE)
_STARS = re.compile(r"(\d+(?:[.,]\d+)?)[\s-]*stars?", re.ASCII | re.IGNORECASE)
_PERCENT = re.compile(r"(\d+(?:[.,]\d+)?)\s*%", re.ASCII)
WORDS = {
    "true": 1, "t": 1, "yes": 1, "y": 1, "like": 1, "liked": 1, "likes": 1, "thumbs up": 1, "up": 1, "positive": 1,
    "false": 0, "f": 0, "no": 0, "n": 0, "dislike": 0, "disliked": 0, "dislikes": 0, "thumbs down": 0, "down": 0,
    "negative": 0,
}  # fmt: skip
LIKES = {"like", "liked", "likes", "dislike", "disliked", "dislikes", "thumbs up", "thumbs down"}
_GLYPHS = re.compile(r"[★☆⭐⯪½✩✪✮*️\s]+")
_GRADE = re.compile(r"[A-Fa-f][+-]?")
# A column of counts: whole numbers with a long tail.
_COUNTS_BEYOND, _COUNTS_LEVELS, _COUNTS_TAIL = 100, 12, 10
# A value that says "not rated": apart from the others, or most of all.
_APART, _SHARE, _LEVELS = 2.0, 0.4, 3


@dataclass(frozen=True)
class Scores:
    """A column of ratings.

    Attributes:
        values: float64 ``[n]``, one for each text; NaN where nothing was rated or it cannot be read.
        reasons: by the place of a text, why it cannot be read.
        form: what it was read as, in words; empty for numbers.
    """

    values: np.ndarray
    reasons: dict[int, str] = field(default_factory=dict)
    form: str = ""


def parse_scores(texts: Sequence[str]) -> Scores:
    """Read the distinct texts of a column, all in one form."""
    values, reasons = np.full(len(texts), np.nan), {}
    stripped = [text.strip() for text in texts]
    known = [text for text in stripped if not is_missing(text)]
    words = bool(known) and all(text.casefold() in WORDS for text in known)
    commas = [text for text in known if _COMMA.fullmatch(text)]
    # 1,234 may be a thousand.
    thousands = all(len(text.partition(",")[2]) == 3 for text in commas)
    decimal_comma = not thousands and not any("." in text for text in known)
    tops = {found[2] for text in known if (found := _OUT_OF.fullmatch(text))}
    form = "words: 1 for like, true or yes, 0 for the contrary" if words else ""
    for place, text in enumerate(stripped):
        if is_missing(text):
            continue
        if words:
            values[place] = WORDS[text.casefold()]
            continue
        try:
            number, how = _number(text, decimal_comma, len(tops) == 1)
            values[place] = parse_rating(number)
        except ValueError as error:
            reasons[place] = _explained(text, tops) or str(error)
        else:
            form = how or form
    if len(tops) == 1 and form == "out of":
        form = f"ratings out of {tops.pop()}"
    return Scores(values, reasons, form)


def _number(text: str, decimal_comma: bool, one_top: bool) -> tuple[str, str]:
    """The number in a text, and the form in which it was written."""
    if decimal_comma and _COMMA.fullmatch(text):
        return text.replace(",", "."), "numbers with a decimal comma"
    for pattern, how in ((_STARS, "numbers of stars"), (_PERCENT, "per cent"), (_OUT_OF, "out of")):
        if (how != "out of" or one_top) and (found := pattern.fullmatch(text)):
            return found[1].replace(",", "."), how
    return text, ""


def _explained(text: str, tops: set[str]) -> str:
    if len(tops) > 1 and _OUT_OF.fullmatch(text):
        return f"rating {shown(text)} is out of another number than the rest ({', '.join(sorted(tops)[:3])})"
    if _GLYPHS.fullmatch(text):
        return f"rating {shown(text)} is drawn with stars; write their number"
    if _GRADE.fullmatch(text):
        return f"rating {shown(text)} is a grade; write a number for each letter"
    if text.casefold() in WORDS:
        return f"rating {shown(text)} is a word among numbers"
    return ""


def are_likes(texts: Sequence[str]) -> bool:
    """Whether a column says what was liked and what was not, in these words."""
    known = {text.strip().casefold() for text in texts if not is_missing(text.strip())}
    return bool(known) and known <= LIKES


def are_counts(levels: np.ndarray, weights: np.ndarray) -> bool:
    """Whether distinct values ``levels [k]``, each occurring ``weights [k]`` times, count something.

    They do if they are whole numbers above 0, reach far beyond a rating scale, and most of them are small.
    """
    if len(levels) < _COUNTS_LEVELS or levels.min() < 1 or levels.max() <= _COUNTS_BEYOND or (levels % 1).any():
        return False
    order = np.argsort(levels)
    median = levels[order][np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)]
    return bool(levels.max() > _COUNTS_TAIL * median)


def not_rated(levels: np.ndarray, weights: np.ndarray) -> float | None:
    """The extreme value that seems to say "not rated", or None.

    Args:
        levels: the distinct values ``[k]``; weights: how often each occurs ``[k]``.
    """
    order = np.argsort(levels)
    levels, shares = levels[order], weights[order] / weights.sum()
    if len(levels) < _LEVELS + 1:
        return None
    gaps = np.diff(levels)
    for value, share, gap, others in (
        (levels[0], shares[0], gaps[0], gaps[1:]),
        (levels[-1], shares[-1], gaps[-1], gaps[:-1]),
    ):
        code = value in (0, -1, 99, 999, -99, -999)
        apart = code and gap >= _APART * others.max()
        if apart or (value <= 0 and code and share > _SHARE):
            return float(value)
    return None


def has_decimal_comma(text: str) -> bool:
    """Whether a cell is a number such as 4,5."""
    return _COMMA.fullmatch(text.strip()) is not None


def is_score(text: str) -> bool:
    """Whether a cell can be a rating."""
    text = text.strip()
    scores = parse_scores([text])
    return is_number(text) or not (scores.reasons or is_missing(text))

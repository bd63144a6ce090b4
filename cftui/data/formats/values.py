"""Parse one cell of a table, an id, a rating or a time, or say why it is malformed."""

from __future__ import annotations

import datetime
import json
import math
import re

from cftui.data.ratings import UNKNOWN
from cftui.text import has_control, shorten

MAX_ID = 500
MAX_RATING = 1e9
# Seconds since 1970 reach this in the year 5138, milliseconds did in 1973.
SECONDS_BELOW = 1e11
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
# Only a number's usual form: 007 and 7 are different ids.
_WHOLE = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_MISSING = {"na", "n/a", "#n/a", "null", "none", "nan", "nil", "\\n", "-", "?", "."}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip()) is not None


def is_missing(text: str) -> bool:
    """Whether a cell, without blanks around it, is empty or says that nothing is there."""
    return not text or text.casefold() in _MISSING


def shown(text: str) -> str:
    """A cell in a message: quoted and shortened."""
    return repr(shorten(text, 40))


def parse_id(what: str, text: str) -> str:
    """The id without blanks around it. Raises ValueError with the reason."""
    text = text.strip()
    if not text:
        raise ValueError(f"no {what}")
    if len(text) > MAX_ID:
        raise ValueError(f"{what} of {len(text):,} characters; at most {MAX_ID}")
    if text == UNKNOWN:
        raise ValueError(f"{what} {UNKNOWN!r} is reserved for the unknown")
    if has_control(text):
        raise ValueError(f"{what} {shown(text)} holds a control character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} {text[:40]!a} is not UTF-8; is all of the file in one encoding?") from None
    return text


def parse_rating(text: str) -> float:
    """A finite number. Raises ValueError with the reason."""
    text = text.strip()
    if _NUMBER.fullmatch(text) is None:
        if text.casefold().lstrip("+-") in ("nan", "inf", "infinity"):
            raise ValueError(f"rating {text} is not a finite number")
        raise ValueError(f"rating {shown(text)} is not a number" if text else "no rating")
    value = float(text)
    if not math.isfinite(value) or abs(value) > MAX_RATING:
        raise ValueError(f"rating {shown(text)} is beyond {MAX_RATING:g}")
    return value


def parse_time(text: str) -> int:
    """Seconds since 1970 from seconds, milli-, micro- or nanoseconds (by magnitude) or an ISO date; 0 if empty.

    Raises ValueError with the reason.
    """
    text = text.strip()
    if not text:
        return 0
    if _NUMBER.fullmatch(text):
        # Keep whole numbers: a float cannot hold all of them.
        value = int(text) if text.lstrip("+-").isdecimal() and len(text) < 25 else float(text)
        for _ in range(3):
            if abs(value) < SECONDS_BELOW:
                break
            value = value // 1000
        if math.isfinite(value) and abs(value) < SECONDS_BELOW:
            return int(value)
        raise ValueError(f"time {shown(text)} is out of range")
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        return int((moment - _EPOCH).total_seconds() // 1)
    except (ValueError, OverflowError):
        raise ValueError(f"time {shown(text)} is neither epoch seconds or milliseconds nor an ISO date") from None


def as_int(text: str) -> int | None:
    """An id as a whole number, if it is written as one and fits 64 bits; else None."""
    if _WHOLE.fullmatch(text) is None:
        return None
    value = int(text)
    return value if abs(value) < 2**63 else None


def parse_year(text: str) -> int:
    """The year at the beginning of a year or an ISO date, or 0."""
    found = re.match(r"\s*(\d{4})(?!\d)", text, re.ASCII)
    return int(found[1]) if found else 0


def parse_genres(text: str) -> str:
    """Genres joined by ``|``, from text with bars, commas, or a JSON list."""
    text = text.strip()
    if text.startswith("["):
        try:
            names = json.loads(text)
        except (ValueError, RecursionError):
            names = None
        if isinstance(names, list):
            return "|".join(str(name).strip() for name in names)
    if "|" in text or "," not in text:
        return text
    return "|".join(part.strip() for part in text.split(","))

"""A column of times: which of many forms it is written in, and the seconds since 1970 of each of its texts."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from cftui.data.formats.values import is_missing, is_number, parse_time, shown

# A form is the form of a column if it fits this share of the texts in it.
MOST = 0.9
# Ratings are not made outside these years.
PLAUSIBLE = (1980, 2100)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_SERIAL_ZERO = datetime.datetime(1899, 12, 30, tzinfo=datetime.UTC)
_SLASHED = re.compile(
    r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})"
    r"(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AaPp]\.?[Mm]\.?)?)?(?:\s*(?:Z|UTC|GMT))?",
    re.ASCII,
)
_MONTH = re.compile(r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec", re.IGNORECASE)
# Amazon's reviews: 09 13, 2009
_MONTH_DAY = re.compile(r"(\d{1,2}) (\d{1,2}), (\d{4})", re.ASCII)
_NAMED = ("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%a %b %d %H:%M:%S %Y")


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes:
        seconds: int64 ``[n]``, one for each text; 0 where it is missing or cannot be read.
        reasons: by the place of a text, why it cannot be read.
        form: what it was read as, in words; empty where that goes without saying.
    """

    seconds: np.ndarray
    reasons: dict[int, str] = field(default_factory=dict)
    form: str = ""


def parse_times(texts: Sequence[str]) -> Times:
    """Read the distinct texts of a column in the one form that fits it."""
    stripped = [text.strip() for text in texts]
    known = [text for text in stripped if not is_missing(text)]
    parse, form = _form(known)
    seconds, reasons = np.zeros(len(texts), np.int64), {}
    for place, text in enumerate(stripped):
        if is_missing(text):
            continue
        try:
            seconds[place] = parse(text)
        except (ValueError, OverflowError):
            reasons[place] = f"time {shown(text)} is neither epoch seconds or milliseconds nor a date"
    return Times(seconds, reasons, form)


def span(seconds: np.ndarray) -> str:
    """What is odd about times ``[n]``, of which 0 is a missing one; empty if nothing is."""
    low, high = (_seconds(datetime.datetime(year, 1, 1)) for year in PLAUSIBLE)
    odd = np.count_nonzero(((seconds < low) & (seconds != 0)) | (seconds >= high))
    if not odd:
        return ""
    known = seconds[seconds != 0]
    beyond = f"{odd:,} of {len(known):,} times are before {PLAUSIBLE[0]} or after {PLAUSIBLE[1] - 1}"
    return f"{beyond}: they run from {_day(known.min())} to {_day(known.max())}"


def _day(seconds: int) -> str:
    try:
        return f"{_EPOCH + datetime.timedelta(seconds=int(seconds)):%Y-%m-%d}"
    except OverflowError:
        return f"{int(seconds)} s"


Parse = Callable[[str], int]


def _form(texts: list[str]) -> tuple[Parse, str]:
    if not texts:
        return parse_time, ""
    if all(map(is_number, texts)):
        return _number_form(texts)

    def fits(parse: Parse) -> float:
        return sum(_reads(parse, text) for text in texts) / len(texts)

    if fits(parse_time) >= MOST:
        return parse_time, ""
    parts = [found for text in texts if (found := _SLASHED.fullmatch(text))]
    if len(parts) >= MOST * len(texts):
        day_first = _day_first(parts)
        return (lambda text: _slashed(text, day_first)), f"{'day/month' if day_first else 'month/day'}/year"
    if fits(_month_day) >= MOST:
        return _month_day, "month day, year"
    if any(map(_MONTH.search, texts)):
        return _named, "dates with named months"
    return parse_time, ""


def _reads(parse: Parse, text: str) -> bool:
    try:
        parse(text)
    except (ValueError, OverflowError):
        return False
    return True


def _number_form(texts: list[str]) -> tuple[Parse, str]:
    values = [float(text) for text in texts]
    low, high = min(values), max(values)
    whole = all(text.isdecimal() for text in texts)
    lengths = {len(text) for text in texts}
    if whole and lengths == {8} and low > 19_000_000 and high < 21_010_000 and all(_reads(_compact, t) for t in texts):
        return _compact, "days written as YYYYMMDD"
    if whole and lengths == {14} and all(_reads(_compact, text) for text in texts):
        return _compact, "times written as YYYYMMDDhhmmss"
    if whole and low >= 1900 and high <= 2100:
        return _year, "years"
    if low >= 20_000 and high <= 73_050:
        return _serial, "Excel's days since 1900"
    return parse_time, ""


def _compact(text: str) -> int:
    form = "%Y%m%d%H%M%S" if len(text) == 14 else "%Y%m%d"
    return _seconds(datetime.datetime.strptime(text, form))


def _year(text: str) -> int:
    return _seconds(datetime.datetime(int(text), 1, 1))


def _serial(text: str) -> int:
    return _seconds(_SERIAL_ZERO + datetime.timedelta(days=float(text)))


def _day_first(parts: list[re.Match[str]]) -> bool:
    """Whether slashed dates begin with the day: where nothing tells, those with dots do."""
    first = max((int(part[1]) for part in parts if len(part[1]) < 3), default=0)
    second = max(int(part[2]) for part in parts)
    return first > 12 or (second <= 12 and all("." in part[0][:6] for part in parts))


def _slashed(text: str, day_first: bool) -> int:
    part = _SLASHED.fullmatch(text)
    if part is None:
        raise ValueError(text)
    one, two, three = int(part[1]), int(part[2]), int(part[3])
    if len(part[1]) == 4:
        year, month, day = one, two, three
    else:
        year, day, month = (three, one, two) if day_first else (three, two, one)
        year += 0 if len(part[3]) == 4 else 1900 if year >= 70 else 2000
    hour, minute, second = (int(part[at] or 0) for at in (4, 5, 6))
    if part[7]:
        hour = hour % 12 + (12 if part[7][0] in "Pp" else 0)
    return _seconds(datetime.datetime(year, month, day, hour, minute, second))


def _month_day(text: str) -> int:
    part = _MONTH_DAY.fullmatch(text)
    if part is None:
        raise ValueError(text)
    return _seconds(datetime.datetime(int(part[3]), int(part[1]), int(part[2])))


def _named(text: str) -> int:
    for form in _NAMED:
        try:
            return _seconds(datetime.datetime.strptime(text, form))
        except ValueError:
            continue
    # It guesses what it lacks: ask for a month by name and for a whole year.
    if _MONTH.search(text) is None or re.search(r"(?<!\d)\d{4}(?!\d)", text) is None:
        raise ValueError(text)
    from dateutil import parser

    return _seconds(parser.parse(text, default=datetime.datetime(1970, 1, 1)))


def _seconds(moment: datetime.datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return int((moment - _EPOCH).total_seconds() // 1)

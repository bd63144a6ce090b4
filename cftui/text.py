"""Text that may reach a terminal: control characters, one-line forms, shortening and plurals."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Terminals obey these instead of showing them, or begin a new line at them.
CONTROL = frozenset({"Cc", "Zl", "Zp"})
# Invisible besides: marks that turn the direction of a line around, the soft hyphen; and halves of surrogate pairs,
# which cannot be encoded.
INVISIBLE = CONTROL | {"Cf", "Cs"}
# Emoji and several scripts need these two, and no terminal obeys them.
JOINERS = "\u200c\u200d"
# Not characters at all; XML forbids them.
NONCHARACTERS = "\ufffe\uffff"


def has_control(text: str) -> bool:
    """Whether ``text`` holds a control character or a line separator."""
    return not text.isprintable() and any(unicodedata.category(c) in CONTROL for c in text)


def printable(text: str, instead: str = " ", keep: str = "") -> str:
    """``text`` with every control or invisible character replaced; joiners stay.

    Args:
        instead: what takes the place of each.
        keep: characters that stay although they are control characters, such as a newline.
    """
    if text.isprintable():
        return text
    return "".join(instead if is_invisible(c) and c not in keep else c for c in text)


def is_invisible(c: str) -> bool:
    """Whether a terminal obeys the character ``c`` or does not show it."""
    return (unicodedata.category(c) in INVISIBLE and c not in JOINERS) or c in NONCHARACTERS


def for_terminal(text: str) -> str:
    """Any number of lines as they may be written to a terminal."""
    return printable(text, keep="\n\t")


def one_line(text: str) -> str:
    """``printable`` text with runs of white space reduced to one space."""
    return " ".join(printable(text).split())


def shorten(text: str, width: int, mark: str = "...") -> str:
    """``text`` in at most ``width`` characters; what does not fit gives way to ``mark``."""
    return text if len(text) <= width else f"{text[: max(width - len(mark), 0)]}{mark}"[:width]


# A spreadsheet takes a cell that begins with one of these for a formula, and runs it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def for_spreadsheet(cell: str) -> str:
    """A text that a spreadsheet shows instead of running it: behind an apostrophe if it would be a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def valued(title: str, value: float | None, counted: bool = False) -> str:
    """A title with its rating, ``Fargo (1996) 5``, or with how often it was chosen, ``song 33 x3``."""
    if value is None or (counted and value == 1):
        return title
    return f"{title} {'x' if counted else ''}{level(value)}"


def level(value: float) -> str:
    """A rating or a count as it is written: ``3.5``, ``16,777,216``, ``1e-07``."""
    return f"{value:,.0f}" if 1e6 <= abs(value) < 1e15 and float(value).is_integer() else f"{value:g}"


SPARKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 12) -> str:
    """The course of some figures in at most ``width`` characters: ``█▅▃▂▁``. What is not finite is left out."""
    known = [value for value in values if math.isfinite(value)]
    every = -(-len(known) // width) or 1
    known = known[::-1][::every][::-1]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = (len(SPARKS) - 1) / (high - low) if high > low else 0.0
    return "".join(SPARKS[round((value - low) * scale)] for value in known)


def plural(n: int, noun: str, nouns: str = "") -> str:
    """``1 rating``, ``1,234 ratings``.

    Args:
        nouns: the plural, if it is not the noun with an s.
    """
    return f"{n:,} {noun if n == 1 else nouns or f'{noun}s'}"


def parts_in_words(sizes: Mapping[str, Any]) -> str:
    """``trains on 80,000 ratings of 943 users, validates on 20,000 of 459``; empty for a run of an older version."""
    if not {"train", "valid", "train_users", "valid_users"} <= sizes.keys():
        return ""
    trains = f"trains on {plural(sizes['train'], 'rating')} of {plural(sizes['train_users'], 'user')}"
    return f"{trains}, validates on {sizes['valid']:,} of {sizes['valid_users']:,}" if sizes["valid"] else trains


def spec(values: Iterable[float], digits: int, sign: str = "") -> str:
    """The format of the figures of one column: ``.4f``, or ``.3e`` where that would show zeros alone, or run on."""
    largest = max((abs(value) for value in values if value and math.isfinite(value)), default=1.0)
    fits = 10.0**-digits <= largest < 10.0 ** (10 - digits)
    return f"{sign}.{digits}f" if fits else f"{sign}.{max(digits - 1, 2)}e"


def number(value: float, digits: int, sign: str = "") -> str:
    """One figure with this many decimals, or with as many significant digits where these would not show it."""
    return format(value, spec([value], digits, sign))


def scaled(value: float, scale: Sequence[float], sign: str = "", digits: int = 2) -> str:
    """A mean, a prediction or a difference of ratings, in the digits that their scale asks for.

    ``3.53`` from 1 to 5, ``3.53e-07`` on a scale of millionths.
    """
    return format(value, spec(scale, digits, sign))


def scaled_width(scale: Sequence[float], sign: str = "", digits: int = 2) -> int:
    """How wide a column of ``scaled`` figures is."""
    return max(len(scaled(end, scale, sign, digits)) for end in scale)


def share(of_one: float) -> str:
    """The share of the variance that a component holds: ``12.3%``, or ``empty``."""
    return f"{of_one:.1%}" if of_one else "empty"


def figure(value: float) -> str:
    """A number of any magnitude, short: ``3.53``, ``1,682``, ``12,346``, ``0.000123``, ``2.5e+16``."""
    size = abs(value)
    if size and not 1e-4 <= size < 1e15:
        return f"{value:.3g}"
    if size >= 1000 or float(value).is_integer():
        return f"{value:,.0f}"
    # Two digits after the point as a rule, more where these would say little.
    return f"{value:.2f}" if size >= 0.1 else f"{value:.3g}"


def measure(value: Any) -> tuple[bool, float | str] | None:
    """What a value is sorted by: numbers, also those in a text such as ``1,035`` or ``27.8%``, before words.

    Returns None for what has no place in an order, such as an empty cell, a dash or NaN: it comes last either way.
    """
    text = str(value).strip()
    if value is None or text in ("", "-"):
        return None
    try:
        number = float(text.replace(",", "").rstrip(" %"))
    except ValueError:
        return True, text.casefold()
    return None if math.isnan(number) else (False, number)


def ranks(values: Sequence[Any]) -> list[float]:
    """Return numbers that sort as these values do: equal ones have the same, and what has no place has NaN."""
    marks = [measure(value) for value in values]
    places = {mark: place for place, mark in enumerate(sorted({mark for mark in marks if mark is not None}))}
    return [math.nan if mark is None else places[mark] for mark in marks]

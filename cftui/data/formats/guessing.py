"""Guesses of what a table's columns mean, from its header and first rows; each guess can be overridden."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from cftui.data.formats.values import is_number
from cftui.errors import CftuiError

DELIMITERS = (",", "\t", ";", "|", "::")
_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", "colon": ":"}
# Names are compared in lower case, letters and digits only: whole names first, then endings.
ROLES = {
    role: tuple(names.split())
    for role, names in {
        "user": "userid user uid username reviewerid reviewer reviewername reader readerid customerid customer "
        "memberid member personid person account listener profilename",
        "item": "itemid item iid movieid movie bookid book isbn isbn13 songid song trackid track artistid artist "
        "albumid album productid product asin parentasin beerid beer gameid game animeid anime recipeid recipe "
        "businessid jokeid wine",
        "rating": "rating ratings score stars star overall vote grade value",
        "counts": "plays playcount count counts views viewcount purchases listens listencount clicks quantity",
        "time": "timestamp time datetime date ts unixreviewtime ratedat createdat",
        "title": "title name itemname label",
        "genres": "genres genre categories category tags",
        "year": "year yearofpublication publicationyear originalpublicationyear releaseyear",
    }.items()
}


def delimiter(text: str) -> str:
    """The delimiter that was typed: itself, or a word such as ``tab``. Raises CftuiError for an impossible one."""
    found = _WORDS.get(text.casefold(), text)
    if not found or any(c in found for c in '\r\n"\0') or len(found) > 5:
        what = "must be one to five characters, without quotes; or tab, comma, space"
        raise CftuiError(what, where=f"--delimiter {text!r}", option="delimiter")
    return found


def guess_delimiter(lines: Sequence[str]) -> str:
    """The candidate that splits most lines into the same number of pieces; more pieces are better."""
    best, found = (0.0, 0), ","
    for candidate in DELIMITERS:
        counts = Counter(re.sub(r'"[^"]*"', "", line).count(candidate) for line in lines)
        count, lines_so = max(counts.items(), key=lambda pair: (pair[0] > 0, pair[1], pair[0]), default=(0, 0))
        if count and (lines_so / len(lines), count) > best:
            best, found = (lines_so / len(lines), count), candidate
    return found


def role_of(role: str, columns: Sequence[str], noun: str = "item") -> str | None:
    """The column that plays ``role``, or None if no column has a fitting name."""
    plain = {_plain(column): column for column in reversed(columns)}
    names = ROLES[role]
    if role == "item":
        word = _plain(noun)
        names = (f"{word}id", word, *names)
    for name in names:
        if name in plain:
            return plain[name]
    for name in names:
        for short, column in reversed(plain.items()):
            if len(name) > 3 and short.endswith(name):
                return column
    return None


def has_header(first: Sequence[str], numbered: bool) -> bool:
    """Whether a first row is a header: it holds no number and, if columns may be given by number, a usual name."""
    if any(is_number(cell) for cell in first) or not any(cell.strip() for cell in first):
        return False
    usual = {name for names in ROLES.values() for name in names}
    return not numbered or any(_plain(cell) in usual for cell in first)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())

"""Guesses of what a table's columns mean, from its header and first rows; each guess can be overridden.

The command line and the app ask the same function, ``guess_places``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from cftui.data.formats import scores
from cftui.data.formats.values import is_missing, is_number, parse_time, shown
from cftui.text import shorten

# Rows that guesses are made from.
ROWS = 50
# Names are compared in lower case, letters and digits only: whole names first, then the words that end one.
ROLES = {
    role: tuple(names.split())
    for role, names in {
        "user": "userid user uid username reviewerid reviewer reviewername reader readerid customerid customer custid "
        "cust memberid member personid person account listener profilename visitorid visitor viewerid viewer "
        "playerid player clientid client buyerid buyer sessionid session critic criticid subjectid participantid "
        "respondentid raterid rater judgeid",
        "item": "itemid item iid movieid movie filmid film bookid book isbn isbn13 songid song trackid track artistid "
        "artist albumid album productid product asin parentasin beerid beer gameid game animeid anime recipeid recipe "
        "businessid jokeid joke wine wineid placeid place restaurantid restaurant venueid venue locationid location "
        "poiid hotelid hotel courseid course articleid article newsid showid show videoid video photoid appid app "
        "storyid podcastid paperid",
        "rating": "rating ratings score stars star overall rate vote grade value liked like preference",
        "counts": "plays playcount count counts views viewcount purchases listens listencount clicks quantity",
        "time": "timestamp time datetime date ts unixreviewtime reviewtime ratedat createdat when",
        "title": "title name itemname label",
        "genres": "genres genre categories category tags",
        "year": "year yearofpublication publicationyear originalpublicationyear releaseyear",
    }.items()
}
# Columns that hold the ratings of others, or numbers about ratings.
_NOT_OWN = re.compile(r"avg|average|mean|imdb|count|helpful|total|sum|num", re.IGNORECASE)
_INDEX = {"", "unnamed0", "index", "rownames", "row"}
# Ratings that one person exported have one of these columns besides titles.
_EXPORTS = {"letterboxduri", "const", "yourrating", "myrating", "exclusiveshelf", "dateread"}


@dataclass(frozen=True)
class Guess:
    """What the columns are taken for.

    Attributes:
        places: the column of each role.
        no_rating: nothing says how an item was liked; every row is one choice.
        unused: columns that were expected to matter and do not.
        problem: why the roles cannot be guessed; hint: what to do about it.
    """

    places: Mapping[str, int] = field(default_factory=dict)
    no_rating: bool = False
    unused: tuple[int, ...] = ()
    problem: str = ""
    hint: str = ""


def listed(columns: Sequence[str], width: int = 160) -> str:
    """Names of columns, as far as one line of a message holds them."""
    text = ", ".join(shorten(name, 40) or "''" for name in columns[:20])
    if len(text) <= width and len(columns) <= 20:
        return text
    return f"{text[:width].rpartition(', ')[0] or shorten(text, width)}, ... ({len(columns)} columns)"


def guess_places(
    columns: Sequence[str],
    header: bool,
    rows: Sequence[Sequence[str]],
    noun: str = "item",
    given: Mapping[str, int] | None = None,
    *,
    valued: bool = True,
    timed: bool = True,
) -> Guess:
    """Guess which column is the user, the item, the rating or count, and the time.

    Args:
        header: whether ``columns`` are names; else they are numbers.
        rows: the first rows of the table, for what names do not tell.
        given: the columns that are known.
        valued: whether ratings or counts are looked for; timed: whether times are.
    """
    guess = _guess(columns, header, rows, noun, dict(given or {}), valued, timed)
    at = guess.places.get("rating")
    if at is not None and "rating" not in (given or {}) and scores.are_likes([row[at] for row in rows]):
        return counting(guess)
    return guess


def _guess(
    columns: Sequence[str],
    header: bool,
    rows: Sequence[Sequence[str]],
    noun: str,
    places: dict[str, int],
    valued: bool,
    timed: bool,
) -> Guess:
    look = _Look(columns, rows, noun)
    free = [at for at in range(len(columns)) if at not in places.values() and not look.is_index(at)]
    if not header or look.numbered:
        return _by_position(look, places, free, valued, timed)
    for role in ("user", "item", "rating", "counts", "time"):
        skipped = (role in ("rating", "counts") and not (valued and not places.keys() & {"rating", "counts"})) or (
            role == "time" and not timed
        )
        if role in places or skipped:
            continue
        found = next((at for at in look.named(role) if at in free and look.plausible(role, at)), None)
        if role == "item" and found is None:
            found = look.remaining_id(free) if "user" in places else None
            found = next((at for at in look.named("title") if at in free), None) if found is None else found
        if found is not None:
            alike = [at for at in free if columns[at].casefold() == columns[found].casefold()]
            if len(alike) > 1:
                what = f"columns {' and '.join(str(at + 1) for at in alike)} are both named {columns[found]!r}"
                return Guess(places, problem=what, hint=f"give --{role} by number")
            places[role] = found
            free.remove(found)
    return _checked(look, places, free, valued)


def _checked(look: _Look, places: dict[str, int], free: list[int], valued: bool) -> Guess:
    """What was found by name, or what is lacking."""
    columns = look.columns
    there = listed(columns)
    if "user" not in places:
        names = {_plain(name) for name in columns}
        if len(columns) == 1:
            what = f"only one column, {shown(columns[0])}"
            return Guess(places, problem=what, hint="is it cut by another character? --delimiter names it")
        if "item" in places and ({"rating"} & places.keys() or names & _EXPORTS):
            what = "no column of users: it looks like the ratings of one person"
            return Guess(places, problem=what, hint="cftui foldin FILE reads them as those of a new user")
        return Guess(places, problem="no column looks like the user", hint=f"give --user one of {there}")
    if "item" not in places:
        return Guess(places, problem="no column looks like the item", hint=f"give --item one of {there}")
    if not valued or places.keys() & {"rating", "counts"}:
        return Guess(places)
    scored = [at for at in free if look.scored(at) and look.distinct(at) > 1 and not look.labels(at)]
    if scored:
        hint = (
            f"give --rating one of {there}; or --counts one that counts plays or purchases, or --no-rating if every "
            "row is one"
        )
        return Guess(places, problem="no column looks like the rating", hint=hint)
    return Guess(places, no_rating=True, unused=tuple(free))


def _by_position(look: _Look, places: dict[str, int], free: list[int], valued: bool, timed: bool) -> Guess:
    """In the order that nearly every file without a header has: user, item, rating, time."""
    if len(free) + len(places) < 2:
        what = f"only one column, such as {shown(look.cells(0)[0] if look.rows else '')}"
        return Guess(places, problem=what, hint="is it cut by another character? --delimiter names it")
    rest = list(free)
    for role in ("user", "item"):
        if role not in places:
            if not rest:
                return Guess(places, problem=f"no column is left for the {role}", hint=f"give --{role} by number")
            places[role] = rest.pop(0)
    unused: list[int] = []
    if valued and not places.keys() & {"rating", "counts"} and rest:
        words = [at for at in rest[:1] if not look.scored(at)]
        if look.scored(rest[0]) and not look.timed(rest[0]):
            places["rating"] = rest.pop(0)
        elif words and look.labels(words[0]) and any(look.scored(at) for at in rest[1:]):
            return Guess(places, problem=_behaviours(look, words[0]), hint=_keep_one(look, words[0], rest))
        else:
            unused += words
    if timed and "time" not in places:
        found = next((at for at in rest if look.timed(at)), None)
        if found is not None:
            places["time"] = found
            rest.remove(found)
    lacking = valued and not places.keys() & {"rating", "counts"}
    return Guess(places, no_rating=lacking, unused=tuple(unused))


def _behaviours(look: _Look, at: int) -> str:
    counts = look.tally(at)
    kinds = ", ".join(f"{shorten(text, 20)} ({count:,})" for text, count in counts[:4])
    return f"column {at + 1} says what happened: {kinds} in the first rows"


def _keep_one(look: _Look, at: int, rest: Sequence[int]) -> str:
    value = next(number for number in rest if number != at and look.scored(number))
    kinds = [text for text, _ in look.tally(at)]
    last = kinds[-1]
    return f"keep one of them: --user 1 --item 2 --counts {value + 1} --only {at + 1}={last}, or --no-rating for all"


def two_scales(columns: Sequence[str], rows: Sequence[Sequence[str]], places: Mapping[str, int]) -> int | None:
    """A column that says what happened in a row, such as purchase or play, which gives its number another meaning."""
    look = _Look(columns, rows, "item")
    used = set(places.values())
    return next(
        (at for at in range(len(columns)) if at not in used and look.labels(at) and look.repeats(at, places)), None
    )


@dataclass(frozen=True)
class _Look:
    """The names and first rows of a table."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    noun: str

    def cells(self, at: int) -> list[str]:
        return [row[at].strip() for row in self.rows]

    def filled(self, at: int) -> list[str]:
        return [cell for cell in self.cells(at) if not is_missing(cell)]

    def distinct(self, at: int) -> int:
        return len(set(self.filled(at)))

    def tally(self, at: int) -> list[tuple[str, int]]:
        counts: dict[str, int] = {}
        for cell in self.filled(at):
            counts[cell] = counts.get(cell, 0) + 1
        return sorted(counts.items(), key=lambda pair: -pair[1])

    @property
    def numbered(self) -> bool:
        """Whether the names are the numbers that pandas gives to columns without names."""
        names = [name for at, name in enumerate(self.columns) if not (at == 0 and _plain(name) in _INDEX)]
        return bool(names) and names == [str(number) for number in range(len(names))]

    def is_index(self, at: int) -> bool:
        """Whether a column counts the rows, as an index does."""
        if _plain(self.columns[at]) not in _INDEX or at:
            return False
        return not self.rows or counts_rows(self.cells(at))

    def named(self, role: str) -> Iterator[int]:
        """The columns that have a name of the role, the likeliest first."""
        return candidates(role, self.columns, self.noun)

    def plausible(self, role: str, at: int) -> bool:
        """Whether most cells of a column can be what the role needs; ids can be anything."""
        filled = self.filled(at)
        tests: dict[str, Callable[[str], bool]] = {"rating": scores.is_score, "counts": is_number}
        if role not in tests or not filled:
            return True
        # What nobody can read is explained when it is read.
        return role == "rating" or 2 * sum(map(tests[role], filled)) >= len(filled)

    def remaining_id(self, free: Sequence[int]) -> int | None:
        """The one column left that is named like an id."""
        found = [at for at in free if _words(self.columns[at])[-1:] in (["id"], ["ids"], ["key"], ["code"])]
        return found[0] if len(found) == 1 else None

    def scored(self, at: int) -> bool:
        filled = self.filled(at)
        return bool(filled) and all(map(scores.is_score, filled))

    def timed(self, at: int) -> bool:
        filled = self.filled(at)
        return bool(filled) and all(map(_is_time, filled))

    def labels(self, at: int) -> bool:
        """Whether a column holds a few words again and again."""
        filled = self.filled(at)
        kinds = set(filled)
        return 2 <= len(kinds) <= 5 and len(filled) >= 2 * len(kinds) and not any(map(is_number, kinds))

    def repeats(self, at: int, places: Mapping[str, int]) -> bool:
        """Whether a user and an item occur together again where a column differs, and only there."""
        pairs: dict[tuple[str, str], set[str]] = {}
        for row in self.rows:
            pairs.setdefault((row[places["user"]], row[places["item"]]), set()).add(row[at])
        return any(len(kinds) > 1 for kinds in pairs.values())


def _is_time(text: str) -> bool:
    try:
        # A small number may be anything.
        return parse_time(text) > 10**8
    except ValueError:
        return False


def role_of(role: str, columns: Sequence[str], noun: str = "item") -> str | None:
    """The column that plays ``role``, or None if no column has a fitting name."""
    return next((columns[at] for at in candidates(role, columns, noun)), None)


def candidates(role: str, columns: Sequence[str], noun: str = "item") -> Iterator[int]:
    """The columns whose names fit ``role``, the likeliest first."""
    names = ROLES[role]
    if role == "item":
        word = _plain(noun)
        names = (f"{word}id", word, *names)
    plain = [_plain(column) for column in columns]
    seen: set[int] = set()
    for name in names:
        for at, short in enumerate(plain):
            if short == name and at not in seen:
                seen.add(at)
                yield at
    for name in names:
        for at, column in enumerate(columns):
            ends = len(name) > 3 and name in _endings(column) and not (role == "rating" and _NOT_OWN.search(column))
            if ends and at not in seen:
                seen.add(at)
                yield at


def has_header(first: Sequence[str], second: Sequence[str] = ()) -> bool:
    """Whether a first row is a header: it holds usual names, or no number where the row after it has one."""
    filled = [cell.strip() for cell in first if cell.strip()]
    if not filled:
        return False
    if any(map(_is_written_number, filled)):
        # The ids of the items, over a matrix of ratings; or the numbers pandas gives to columns without names.
        corner = first[0].strip()
        return len(first) > 2 and (not corner or _plain(corner) in ROLES["user"]) and all(map(is_number, first[1:]))
    usual = {name for names in ROLES.values() for name in names} | _EXPORTS | {"id"}
    known = sum(_plain(cell) in usual or (" " not in cell and bool(usual & _endings(cell))) for cell in filled)
    return known >= min(2, len(filled)) or any(map(_is_written_number, second))


def _is_written_number(cell: str) -> bool:
    """Whether a cell is a number, with a decimal comma perhaps."""
    return is_number(cell) or scores.has_decimal_comma(cell)


def counts_rows(cells: Sequence[str]) -> bool:
    """Whether cells are consecutive numbers."""
    if not all(cell.isascii() and cell.isdecimal() and len(cell) < 12 for cell in cells):
        return False
    return all(int(after) == int(before) + 1 for before, after in pairwise(cells))


def untyped(names: Sequence[str]) -> list[str]:
    """Names without the types that RecBole writes behind them: ``user_id:token``."""
    typed = [re.fullmatch(r"(.+):(token|float|token_seq|float_seq)", name) for name in names]
    return [found[1] for found in typed if found] if all(typed) else list(names)


def counting(guess: Guess) -> Guess:
    """The guess with its ratings taken for counts, as what was liked is."""
    places = {("counts" if role == "rating" else role): at for role, at in guess.places.items()}
    return replace(guess, places=places)


def _words(name: str) -> list[str]:
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word.casefold() for word in re.split(r"[\W_]+", parts) if word]


def _endings(name: str) -> set[str]:
    """The last words of a name, joined: ``customer_id`` -> ``customerid``, ``id``."""
    words = _words(name)
    return {"".join(words[at:]) for at in range(len(words))}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())

"""Ratings of a table: each distinct text is parsed once, and what could not be used is counted and named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cftui.data.formats import scores, split_column, times
from cftui.data.formats.reading import TIME, Columns, quick, row_by_row
from cftui.data.formats.tabular import Faults, Table
from cftui.data.formats.values import parse_id, shown
from cftui.text import plural

# Above this share of times that cannot be read, a guessed column does not hold times.
_UNREADABLE = 0.1
_FLOAT_ID = re.compile(r"-?\d+\.0+", re.ASCII)


@dataclass(frozen=True, eq=False)
class Chosen:
    """What users chose and did not rate: codes ``[m]`` into ids of its own, and times ``[m]``."""

    user: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    item: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    time: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    user_ids: list[str] = field(default_factory=list)
    item_ids: list[str] = field(default_factory=list)

    def among(self, users: Sequence[str], items: Sequence[str]) -> np.ndarray:
        """The pairs whose user and item are among these ids: their places there and times, int64 ``[3, m]``."""
        place = [
            np.array([known.get(one, -1) for one in own], np.int64)
            for own, known in (
                (self.user_ids, {one: at for at, one in enumerate(users)}),
                (self.item_ids, {one: at for at, one in enumerate(items)}),
            )
        ]
        if not len(self.user):
            return np.zeros((3, 0), np.int64)
        found = np.stack((place[0][self.user], place[1][self.item], self.time))
        return found[:, (found[:2] >= 0).all(axis=0)]

    def with_more(self, other: Chosen) -> Chosen:
        """These pairs and, behind them, the others."""
        user, item = other.user + len(self.user_ids), other.item + len(self.item_ids)
        return Chosen(
            np.concatenate((self.user, user)),
            np.concatenate((self.item, item)),
            np.concatenate((self.time, other.time)),
            [*self.user_ids, *other.user_ids],
            [*self.item_ids, *other.item_ids],
        )


@dataclass(frozen=True, eq=False)
class Read:
    """Ratings as read from a file: codes ``[n]`` into the distinct ids, and the line number of each.

    Attributes:
        rows: how many rows there were; unrated: how many of them rate nothing; left_out: how many are of another kind
            than was asked for; empty: how many have no cell.
        said: what was made of the columns, in words.
        levels: the distinct ratings ``[k]``, and how often each occurs ``[k]``.
        held_back: which rows are of the test part, bool ``[n]``; None without one.
        chosen: the rows that rate nothing, except those of the test part.
        labels: by role (``title``, ``genres``, ``year``), what the first row of each item says.
    """

    user: np.ndarray
    item: np.ndarray
    rating: np.ndarray
    time: np.ndarray
    line: np.ndarray
    user_ids: list[str]
    item_ids: list[str]
    rows: int = 0
    unrated: int = 0
    left_out: int = 0
    empty: int = 0
    timed: bool = False
    said: tuple[str, ...] = ()
    levels: tuple[np.ndarray, np.ndarray] | None = None
    labels: Mapping[str, list[str]] = field(default_factory=dict)
    held_back: np.ndarray | None = None
    chosen: Chosen = field(default_factory=lambda: Chosen())

    def where(self, kept: np.ndarray, **more: Any) -> Read:
        """The rows ``kept``; ids without rows are gone."""
        found = {name: getattr(self, name)[kept] for name in ("user", "item", "rating", "time", "line")}
        users, user_ids, _ = _used(found["user"], self.user_ids)
        items, item_ids, at = _used(found["item"], self.item_ids)
        labels = {role: [texts[place] for place in at] for role, texts in self.labels.items()}
        if self.held_back is not None:
            found["held_back"] = self.held_back[kept]
        found |= {"user": users, "item": items}
        return replace(self, **found, user_ids=user_ids, item_ids=item_ids, labels=labels, **more)


def read(
    table: Table,
    places: Mapping[str, int],
    faults: Faults,
    *,
    counted: bool,
    guessed_time: bool = False,
    only: str | None = None,
    unrated: tuple[float, ...] = (),
    test: str | None = None,
) -> Read:
    """Read the columns ``places`` of a table.

    Args:
        counted: whether the ratings are counts; without a column of them every row is one.
        guessed_time: whether a column of times that cannot be read is left out.
        only: the text in the column ``only`` of the rows that count.
        unrated: ratings that say that nothing was rated.
        test: the text in the column ``split`` of the rows that form the test part; None if its words say so.

    Raises:
        CftuiError: the column ``split`` does not say which part a row is of.
    """
    found = quick(table, places)
    if found is None:
        found = row_by_row(table, places, faults)
    held_back = split_column.held_back(found, test, faults.path)
    return _parsed(found, places, faults, counted, guessed_time, only, unrated, held_back)


def _parsed(
    found: Columns,
    places: Mapping[str, int],
    faults: Faults,
    counted: bool,
    guessed_time: bool,
    only: str | None,
    unrated: tuple[float, ...],
    held_back: np.ndarray | None,
) -> Read:
    n = len(found.line)
    rows = n + faults.count
    said: list[str] = []
    good = np.ones(n, dtype=bool)
    left_out = np.zeros(n, dtype=bool)
    if only is not None:
        fits = np.array([text.strip().casefold() == only.strip().casefold() for text in found.texts["only"]] or [False])
        left_out = ~fits[found.codes["only"]] if n else left_out

    def fault(bad: np.ndarray, reasons: Mapping[int, str], codes: np.ndarray, option: str) -> None:
        for at in np.flatnonzero(bad & good & ~left_out):
            faults.add(int(found.line[at]), reasons[int(codes[at])], option=option)
        good[bad] = False

    ids = {}
    for role in ("user", "item"):
        place, names, reasons = _ids(role, found.texts[role])
        codes = found.codes[role]
        if reasons:
            fault(_marked(codes, reasons, len(found.texts[role])), reasons, codes, role)
        whole = bool(names) and all(map(_FLOAT_ID.fullmatch, names))
        if whole:
            names = [name.partition(".")[0] for name in names]
            said.append(f"the {role} ids are written like {found.texts[role][0].strip()}: read as whole numbers")
        ids[role] = place, names
    rating, dropped = _ratings(found, faults, fault, said, counted, unrated)
    time, timed = _times(found, fault, said, guessed_time)
    if found.comments:
        one = found.comments == 1
        said.append(f"{plural(found.comments, 'line')} among the rows {'is' if one else 'are'} taken for a comment")
    if found.spanning[0]:
        count, lines = found.spanning
        what = "1 row spans" if count == 1 else f"{count:,} rows span"
        said.append(f"{what} {lines:,} lines, by line ends in quotes (--quote none reads a quote as a character)")
    user, item = (ids[role][0][found.codes[role]] if n else found.codes[role] for role in ("user", "item"))
    every = Read(
        user, item, rating, time, np.asarray(found.line), ids["user"][1], ids["item"][1],
        rows=rows, empty=found.empty, timed=timed, said=tuple(said), labels=_labels(found, item, len(ids["item"][1])),
        levels=_levels(found, unrated), held_back=held_back,
    )  # fmt: skip
    kept = good & ~dropped & ~left_out
    if kept.all():
        return every
    nothing = good & dropped & ~left_out
    # A count of 0 says that nothing was chosen; of the test part, nothing may be known.
    at = np.flatnonzero(nothing if held_back is None else nothing & ~held_back)[: 0 if counted else None]
    chosen = Chosen(user[at], item[at], time[at], every.user_ids, every.item_ids)
    return every.where(kept, unrated=int(nothing.sum()), left_out=int(left_out.sum()), chosen=chosen)


def _marked(codes: np.ndarray, reasons: Mapping[int, str], size: int) -> np.ndarray:
    marks = np.zeros(size, dtype=bool)
    marks[list(reasons)] = True
    return marks[codes]


def _ids(what: str, texts: list[str]) -> tuple[np.ndarray, list[str], dict[int, str]]:
    """The place of each text among the distinct ids, int32 ``[texts]``; the ids; and why a text is not an id."""
    ids: dict[str, int] = {}
    place, reasons = np.zeros(len(texts), dtype=np.int32), {}
    for at, text in enumerate(texts):
        try:
            # Blanks around an id do not change it.
            place[at] = ids.setdefault(parse_id(what, text), len(ids))
        except ValueError as error:
            reasons[at] = str(error)
    return place, list(ids), reasons


def _ratings(
    found: Columns, faults: Faults, fault: Any, said: list[str], counted: bool, unrated: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Ratings or counts ``[n]``, and which rows rate nothing."""
    n = len(found.line)
    if "rating" not in found.codes:
        return np.ones(n), np.zeros(n, dtype=bool)
    texts, codes = found.texts["rating"], found.codes["rating"]
    known = scores.parse_scores(texts)
    reasons = dict(known.reasons)
    if counted:
        reasons |= {at: f"count {shown(texts[at])} is below 0" for at in np.flatnonzero(known.values < 0).tolist()}
    if reasons:
        fault(_marked(codes, reasons, len(texts)), reasons, codes, "counts" if counted else "rating")
    if known.form:
        said.append(f"the ratings are read as {known.form}")
    nothing = np.isnan(known.values) | np.isin(known.values, unrated)
    if counted:
        nothing |= known.values == 0
    values = known.values[codes] if n else np.zeros(0)
    return values, nothing[codes] if n else np.zeros(0, dtype=bool)


def _levels(found: Columns, unrated: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    if "rating" not in found.codes:
        return None
    values = scores.parse_scores(found.texts["rating"]).values
    weights = np.bincount(found.codes["rating"], minlength=len(values))
    kept = ~np.isnan(values) & ~np.isin(values, unrated)
    levels, which = np.unique(values[kept], return_inverse=True)
    return levels, np.bincount(which, weights[kept], minlength=len(levels))


def _times(found: Columns, fault: Any, said: list[str], guessed: bool) -> tuple[np.ndarray, bool]:
    """Seconds since 1970 ``[n]``, 0 where there are none; and whether there are any."""
    n = len(found.line)
    if found.time is None:
        return np.zeros(n, dtype=np.int64), False
    time = found.time
    texts = found.texts.get(TIME, [])
    if texts or not n or time.max() < 10**8 or (time.min() > 19 * 10**12 and time.max() < 21 * 10**12):
        # Few distinct numbers, or text: each is parsed once, as what all of them are.
        numbers, which = np.unique(time, return_inverse=True)
        distinct = [texts[-1 - one] if one < 0 else str(one) for one in numbers.tolist()]
        known = times.parse_times(distinct)
        seconds = known.seconds[which] if n else np.zeros(0, np.int64)
        if known.form:
            said.append(f"the times are read as {known.form}")
        if known.reasons:
            bad = _marked(which, known.reasons, len(distinct))
            first = known.reasons[int(which[np.flatnonzero(bad)[0]])]
            where = f"line {found.line[np.flatnonzero(bad)[0]]}: {first}"
            if not guessed:
                fault(bad, known.reasons, which, TIME)
            elif bad.sum() > _UNREADABLE * n:
                said.append(f"the times are left out, since {bad.sum():,} of {n:,} cannot be read ({where})")
                return np.zeros(n, dtype=np.int64), False
            else:
                said.append(f"{plural(int(bad.sum()), 'time')} cannot be read and counted as missing ({where})")
    else:
        seconds = _by_magnitude(time)
    if odd := times.span(seconds):
        said.append(f"{odd}; is it the right column (--time)?")
    return seconds, bool(n and seconds.any())


def _by_magnitude(time: np.ndarray) -> np.ndarray:
    """``parse_time`` on whole numbers, all at once."""
    for _ in range(3):
        large = time >= 10**11
        if not large.any():
            break
        time = np.where(large, time // 1000, time)
    return time


def _labels(found: Columns, item: np.ndarray, items: int) -> dict[str, list[str]]:
    """What the first row of each item says about it."""
    labels: dict[str, list[str]] = {}
    if len(item) and found.codes.keys() & {"title", "genres", "year"}:
        seen, first = np.unique(item, return_index=True)
        for role in found.codes.keys() & {"title", "genres", "year"}:
            column = [""] * items
            for one, row in zip(seen.tolist(), first.tolist(), strict=True):
                column[one] = found.texts[role][found.codes[role][row]]
            labels[role] = column
    return labels


def _used(codes: np.ndarray, ids: list[str]) -> tuple[np.ndarray, list[str], list[int]]:
    """Codes into the ids that occur, these ids, and their places among all."""
    used = np.zeros(len(ids), dtype=bool)
    used[codes] = True
    if used.all():
        return codes, ids, list(range(len(ids)))
    place = np.cumsum(used, dtype=np.int32) - 1
    at = np.flatnonzero(used).tolist()
    return place[codes], [ids[one] for one in at], at

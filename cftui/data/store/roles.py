"""What the columns of a table are: as the user named them, or as they look."""

from __future__ import annotations

from cftui.data.formats import guessing, scores, split_column
from cftui.data.formats.guessing import Guess
from cftui.data.formats.tabular import Table
from cftui.data.store.asked import Asked, Say, say_format
from cftui.data.store.read import Read
from cftui.errors import CftuiError

# What there is to read beside user, item, rating and time.
_LABELS = ("title", "genres", "year")


def guessed(table: Table, asked: Asked) -> Guess:
    """The columns as named by the user, and guesses for the others."""
    given: dict[str, int] = {}
    for role in ("user", "item", "rating", "counts", "time"):
        if column := getattr(asked, role):
            given[role] = table.index(column, role)
    if asked.only_column is not None:
        given["only"] = table.index(asked.only_column, "only")
    at: dict[int, str] = {}
    for role, place in given.items():
        if at.setdefault(place, role) != role:
            what = f"column {table.columns[place]!r} for both --{at[place]} and --{role}"
            raise CftuiError(what, where=table.path, hint="give each its own column", option=role)
    guess = guessing.guess_places(
        table.columns,
        table.header,
        table.first,
        asked.noun,
        given,
        valued=not asked.no_rating,
        timed=asked.time is None,
    )
    if guess.problem:
        option = next((role for role in ("user", "item", "rating") if role not in guess.places), "rating")
        hint = guess.hint.replace("FILE", str(table.path))
        raise CftuiError(guess.problem, where=table.path, hint=hint, option=option)
    return guess


def places_of(table: Table, guess: Guess, asked: Asked, say: Say) -> tuple[dict[str, int], bool]:
    """The places of the columns to read, with counts in that of ratings, and whether they are counts.

    Reports the guesses.
    """
    places, guessed = {}, []
    for role in ("user", "item", "rating", "counts", "time"):
        if role in guess.places:
            places["rating" if role == "counts" else role] = guess.places[role]
            if getattr(asked, role) is None:
                guessed.append(f"--{role} {table.word(guess.places[role])}")
    counted = asked.no_rating or "rating" not in places or "counts" in guess.places
    if guess.no_rating and not asked.no_rating:
        guessed.append("--no-rating")
    if "only" in guess.places:
        places["only"] = guess.places["only"]
    if asked.split_column is not None or (asked.test is None and not asked.only):
        column = asked.split_name
        guess_at = split_column.guessed(table.columns, table.first, set(places.values())) if column is None else None
        at = table.index(column, "split-column") if column is not None else guess_at
        if at is not None:
            places[split_column.SPLIT] = at
            guessed += [] if column is not None else [f"--split-column {table.word(at)}"]
    if asked.items is None and table.shape == "rows":
        for role in _LABELS:
            column = getattr(asked, role)
            at = table.index(column, role) if column else _label(table, role, places)
            if at is not None and (role == "title" or "title" in places):
                places[role] = at
                guessed += [] if column else [f"--{role} {table.word(at)}"]
    say_format(table, asked, guessed, say)
    if guess.no_rating and not asked.no_rating and guess.unused:
        names = " and ".join(table.word(at) for at in guess.unused[:5])
        say(f"no column is of ratings, so each row counts as one choice; not used: {names}")
    elif guess.no_rating and not asked.no_rating:
        say("no column is of ratings, so each row counts as one choice (--no-rating)")
    return places, counted


def _label(table: Table, role: str, places: dict[str, int]) -> int | None:
    """A column of the ratings that says something about the items."""
    if not table.header:
        return None
    found = guessing.candidates(role, table.columns)
    used = set(places.values())
    at = next((at for at in found if at not in used), None)
    if at is None or (role == "title" and not _depends(table, places["item"], at)):
        return None
    return at


def _depends(table: Table, item: int, title: int) -> bool:
    """Whether rows of the same item have the same title in the first rows."""
    pairs = {(row[item], row[title]) for row in table.first}
    return bool(pairs) and len(pairs) == len({one for one, _ in pairs}) and any(one != two for one, two in pairs)


def is_feedback(found: Read) -> bool:
    return found.levels is not None and scores.are_counts(*found.levels)

"""Profiles: your own ratings as a CSV of title and rating, in any file or saved under a name beside the data sets."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cftui.analysis.search import normalise
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users.exact_titles import ExactTitles, best_known_by_title
from cftui.analysis.users.exports import mapped, read_export
from cftui.errors import CftuiError
from cftui.files import write_atomic
from cftui.home import Home
from cftui.text import plural

# Skipped titles that are named in one line.
SHOWN = 5
# What a profile has in the place of a rating where there is only a like; the first is what is written.
LIKES = ("like", "liked", "♥", "❤")
_NAME = re.compile(r"[^\W\d_][\w-]{0,30}")


@dataclass(frozen=True)
class Skipped:
    """A title of a file that is not that of one item, and the title that is most like it, or ""."""

    title: str
    nearest: str

    def __str__(self) -> str:
        return f"{self.title} (nearest: {self.nearest})" if self.nearest else self.title


@dataclass(frozen=True, eq=False)
class Rated:
    """The ratings in a profile, or in a file of somebody's ratings.

    Attributes:
        items: int64 codes into the model's vocabulary ``[n]``, each once.
        given: float32 ratings ``[n]``, on the scale of the model; NaN is a like without a rating.
        skipped: titles of the file that are not exactly those of one item of the model.
        unrated: rows without a rating.
        source: the service whose export it is, such as ``Letterboxd``; "" for any other file.
        scale: the scale of the file, where its ratings had to be brought to that of the model.
    """

    items: np.ndarray
    given: np.ndarray
    skipped: tuple[Skipped, ...] = ()
    unrated: int = 0
    source: str = ""
    scale: tuple[float, float] | None = None

    @property
    def unknown(self) -> tuple[str, ...]:
        """The titles that were skipped."""
        return tuple(one.title for one in self.skipped)

    def remarks(self, model: TrainedModel) -> list[str]:
        """What to say about a file besides its ratings, a sentence each."""
        said = []
        if likes := int(np.isnan(self.given).sum()):
            use = "not used by this model, which predicts ratings" if model.rates else "taken as likes"
            said.append(f"{plural(likes, 'title')} without a rating: {use}")
        if self.scale is not None:
            low, high = model.rating_range
            what = f"{self.source}'s ratings" if self.source else "ratings"
            said.append(f"{what} of {self.scale[0]:g} to {self.scale[1]:g} brought to {low:g} to {high:g}")
        if self.unrated:
            said.append(f"skipped {plural(self.unrated, 'row')} without a rating")
        if self.skipped:
            n = len(self.skipped)
            few = "; ".join(map(str, self.skipped[:SHOWN])) + ("; ..." if n > SHOWN else "")
            titles = "1 title that is" if n == 1 else f"{n} titles that are"
            said.append(f"skipped {titles} not exactly that of one {model.noun} in {model.data_name}: {few}")
        return said


def folder(home: Home) -> Path:
    return home.data / "profiles"


def names(home: Home) -> list[str]:
    """The saved profiles, sorted."""
    where = folder(home)
    return sorted(path.stem for path in where.glob("*.csv")) if where.is_dir() else []


def check_name(name: str, model: TrainedModel) -> str:
    """What is wrong with a name for a profile, or an empty string."""
    if model.users.code(name) is not None:
        return f"{name} is a user of {model.data_name}"
    if not _NAME.fullmatch(name):
        return "a profile's name begins with a letter and has letters, digits, - and _ (31 at most)"
    return ""


def save(home: Home, name: str, model: TrainedModel, items: np.ndarray, given: np.ndarray) -> Path:
    """Save a profile, replacing one of that name.

    Raises:
        CftuiError: the name is not allowed, or there is nothing to save.
    """
    wrong = check_name(name, model) or ("" if len(items) else "no ratings yet")
    if wrong:
        raise CftuiError(wrong)
    table = pd.DataFrame({"title": [model.titles[code] for code in items], "rating": given})
    table = table.astype({"rating": object}).fillna(LIKES[0])
    folder(home).mkdir(parents=True, exist_ok=True)
    path = folder(home) / f"{name}.csv"
    write_atomic(path, table.to_csv(index=False))
    return path


def load(home: Home, name: str, model: TrainedModel) -> Rated:
    """A saved profile. Raises CftuiError as ``read_rated`` does, or if no profile has that name."""
    if name not in names(home):
        raise CftuiError(f"no profile {name!r}; saved profiles: {', '.join(names(home)) or 'none yet'}")
    return read_rated(folder(home) / f"{name}.csv", model)


def check_likes(model: TrainedModel, given: np.ndarray, where: Path | None = None) -> None:
    """Raises CftuiError if there are only likes, and the model predicts ratings."""
    if model.rates and len(given) and np.isnan(given).all():
        what = f"{model.recipe.name} predicts ratings, and titles without ratings tell it nothing"
        raise CftuiError(what, where=where, hint="a run of ease or ials takes them, or add a column rating")


def read_rated(path: Path, model: TrainedModel, scale: tuple[float, float] | None = None) -> Rated:
    """Read a file of somebody's ratings: a CSV with a title and a rating, or an export (``exports.SOURCES``).

    Only exact titles count, whatever their accents, case, article and year (``ExactTitles``); all others are skipped
    and listed with the title that is most like them. The last of several ratings of an item counts. If ids share a
    title, the better known one is meant. Rows without a rating are skipped. A rating ``like`` is a like without a
    rating, and so is every row of a file without a column of ratings.

    Args:
        scale: of the file's ratings; None takes that of the service it comes from, or else that of the model.

    Raises:
        CftuiError: the file cannot be read or lacks the columns, a value is not a rating (its line is named), no title
            matches, or there are only likes and the model predicts ratings.
    """
    export = read_export(path, model.noun)
    source = export.source
    own = scale or (source.scale if source else model.rating_range)
    rated: dict[int, float] = {}
    skipped, unrated = [], 0
    as_written, titles = best_known_by_title(model), None
    for row in export.lines:
        like = not export.rated or row.text.casefold() in LIKES
        value = math.nan if like else _number(row.text)
        if not like and (not row.text or (source and value in source.unrated)):
            unrated += 1
            continue
        if not like and not own[0] <= value <= own[1]:
            raise CftuiError(
                f"{path}, line {row.line}: {row.text!r} is not a rating from {own[0]:g} to {own[1]:g}",
                hint="" if math.isnan(value) else "foldin --scale 1-10 says what the scale of the file is",
            )
        code = as_written.get(row.title)
        if code is None:
            # Made only where it is needed: of many thousand titles it takes a while.
            titles = titles or ExactTitles(model)
            code = titles.find(row.title, row.year)
        if code is None:
            skipped.append(Skipped(row.title, _nearest(model, row.title) if row.title else ""))
        else:
            rated[code] = value if like else mapped(value, own, model.rating_range)
    if not rated:
        what = f"none of its {len(skipped)} titles is in {model.data_name}" if skipped else "it has no ratings"
        raise CftuiError(f"{path}: {what}")
    given = np.array([*rated.values()], np.float32)
    check_likes(model, given, path)
    return Rated(
        np.array([*rated], np.int64),
        given,
        tuple(skipped),
        unrated,
        source.name if source else "",
        own if own != model.rating_range else None,
    )


def _nearest(model: TrainedModel, title: str) -> str:
    """The most similar of the titles that a search finds; "" if it finds nothing."""
    from rapidfuzz import fuzz, process

    found = [model.titles[code] for code in model.index.search(title, limit=10)]
    near = process.extractOne(normalise(title), found, scorer=fuzz.ratio, processor=normalise)
    return near[0] if near else ""


def _number(text: str) -> float:
    """The number that the text is, else NaN."""
    try:
        return float(text)
    except ValueError:
        return math.nan

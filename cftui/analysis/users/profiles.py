"""Profiles: your own ratings as a CSV of title and rating, in any file or saved under a name beside the data sets."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cftui.analysis.trained import TrainedModel
from cftui.errors import CftuiError
from cftui.files import write_atomic
from cftui.home import Home

_NAME = re.compile(r"[^\W\d_][\w-]{0,30}")


@dataclass(frozen=True, eq=False)
class Rated:
    """The ratings in a profile.

    Attributes:
        items: int64 codes into the model's vocabulary ``[n]``, each once.
        given: float32 ratings ``[n]``.
        unknown: titles of the file that match no item of the model, or more than one.
    """

    items: np.ndarray
    given: np.ndarray
    unknown: tuple[str, ...] = ()


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
    folder(home).mkdir(parents=True, exist_ok=True)
    path = folder(home) / f"{name}.csv"
    write_atomic(path, table.to_csv(index=False))
    return path


def load(home: Home, name: str, model: TrainedModel) -> Rated:
    """A saved profile. Raises CftuiError as ``read_rated`` does, or if no profile has that name."""
    if name not in names(home):
        raise CftuiError(f"no profile {name!r}; saved profiles: {', '.join(names(home)) or 'none yet'}")
    return read_rated(folder(home) / f"{name}.csv", model)


def read_rated(path: Path, model: TrainedModel) -> Rated:
    """Read a CSV with the columns ``title`` and ``rating``.

    Part of a title is enough if it matches only one item; titles that match no item, or several, are skipped and
    listed. The last of several ratings of an item counts. If ids share a title, the better known one is meant.

    Raises:
        CftuiError: the file cannot be read or lacks the columns, a value is not a rating (its line is named), or no
            title matches.
    """
    rated: dict[int, float] = {}
    unknown = []
    # Among ids that share a title the better known comes last, and stays.
    codes = {model.titles[code]: int(code) for code in np.argsort(model.counts, kind="stable") if code}
    for line, title, text in _rows(path):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        low, high = model.rating_range
        if not low <= value <= high:
            raise CftuiError(f"{path}, line {line}: {text!r} is not a rating from {low:g} to {high:g}")
        try:
            rated[codes[title] if title in codes else model.item_code(title)] = value
        except CftuiError:
            unknown.append(title)
    if not rated:
        what = f"none of its {len(unknown)} titles is in {model.data_name}" if unknown else "it has no ratings"
        raise CftuiError(f"{path}: {what}")
    return Rated(np.array([*rated], np.int64), np.array([*rated.values()], np.float32), tuple(unknown))


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line number (as an editor shows it), title and rating of each row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True, strict=True)
            header = [name.strip().lower() for name in next(filter(any, reader), [])]
            for column in ("title", "rating"):
                if header.count(column) != 1:
                    have = ", ".join(header) or "none"
                    raise CftuiError(f"{path}: needs the columns title and rating, once each; it has {have}")
            for row in reader:
                if len(row) > len(header):
                    raise CftuiError(f"{path}, line {reader.line_num}: put a title with a comma in quotes")
                if any(row):
                    cells = dict(zip(header, row, strict=False))
                    yield reader.line_num, cells.get("title", "").strip(), cells.get("rating", "").strip()
    except FileNotFoundError:
        raise CftuiError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CftuiError(f"{path}: not a CSV of title,rating ({str(error).strip().splitlines()[0]})") from None

"""A column that says which rows train and which are the test part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cftui.data.formats.reading import Columns
from cftui.data.formats.values import shown
from cftui.errors import CftuiError

SPLIT = "split"
# What columns that name the part of a row are called.
NAMES = ("split", "subset", "partition", "part")
TRAINS = {"train", "training", "learn", "base"}
TESTS = {"test", "testing", "valid", "validation", "val", "dev", "eval", "probe", "holdout", "quiz"}


def guessed(columns: Sequence[str], first: Sequence[Sequence[str]], used: set[int]) -> int | None:
    """The place of a column that names the part of each row; None if no column is surely one."""
    for at, name in enumerate(columns):
        words = {row[at].strip().casefold() for row in first}
        if name.strip().casefold() in NAMES and at not in used and words and words <= TRAINS | TESTS:
            return at
    return None


def held_back(found: Columns, test: str | None, path: Path) -> np.ndarray | None:
    """Which rows form the test part, bool ``[n]``, by their column ``split``; None if there is no such column.

    Args:
        test: the text that the rows of the test part have; None if it is one of ``TESTS``.

    Raises:
        CftuiError: the texts do not say which part a row is of.
    """
    if SPLIT not in found.codes:
        return None
    words = [text.strip().casefold() for text in found.texts[SPLIT]]
    wanted = {test.strip().casefold()} if test is not None else TESTS
    known = set(words) if test is not None else TRAINS | TESTS
    tests = sorted(wanted & set(words))
    if set(words) - known or (test is not None and not tests) or len(tests) > 1:
        listed = ", ".join(shown(text) for text in found.texts[SPLIT][:5])
        what = f"the column of the split holds {listed}, which does not say what the test part is"
        hint = "name its text: --split-column COL=TEXT"
        raise CftuiError(what, where=path, hint=hint, option="split-column")
    marks = np.array([word in wanted for word in words] or [False], dtype=bool)
    return marks[found.codes[SPLIT]] if len(found.line) else np.zeros(0, dtype=bool)

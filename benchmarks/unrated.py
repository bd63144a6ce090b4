"""Measure what choices without a rating are worth to `ease` and `ials`: lists with and without them.

    python benchmarks/unrated.py            print the table
    python benchmarks/unrated.py --write    also put it into docs/models/choices.md

MovieLens 100K must be on disk. A random ``SHARE`` of the training ratings of ``SPLITS`` lose their rating, and
keep user, item and time. All models rank the same items: those that a user chose without a rating are left
out of every list.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from markdown import DOCS, put, table

from cftui.data.ratings import Ratings, Unrated
from cftui.data.splits import Split, split
from cftui.engine.models.recipes import recipe
from cftui.engine.rankings import quick_ndcg
from cftui.engine.training import fitter_for, open_ratings
from cftui.home import Home

SPLITS = ("u1.inner", "u2.inner", "u3.inner")
SHARE = 0.3
SETTINGS: dict[str, dict[str, Any]] = {"ease": {"l2": 200.0}, "ials": {}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/models/choices.md")
    arguments = parser.parse_args()
    ratings = open_ratings(Home.find(None), "ml-100k")
    rows = []
    for name in SETTINGS:
        for used in (False, True):
            found = [ndcg(ratings, split(ratings, one), name, used=used) for one in SPLITS]
            words = "with" if used else "without"
            rows.append([f"`{name}`, {words} them", *(f"{one:.4f}" for one in found), f"{np.mean(found):.4f}"])
    text = table(["NDCG@10", *SPLITS, "mean"], rows)
    print(text)
    if arguments.write:
        put("unrated", text, DOCS / "models" / "choices.md")


def ndcg(ratings: Ratings, parts: Split, name: str, *, used: bool) -> float:
    """NDCG@10 of a recipe on the ratings that are left, and on the choices without a rating if they are used."""
    lost = np.random.default_rng(0).random(len(parts.train)) < SHARE
    rows = parts.train[lost]
    known = replace(ratings, unrated=Unrated(ratings.user[rows], ratings.item[rows], ratings.timestamp[rows]))
    rest = Split(parts.name, train=parts.train[~lost], valid=parts.valid)
    row = recipe(name)
    fitter = fitter_for(row, row.options(**SETTINGS[name]), known if used else ratings, rest, torch.device("cpu"))
    fitter.fit()
    found = quick_ndcg(fitter.model, known, rest)
    assert found is not None
    return found


if __name__ == "__main__":
    main()

"""Recommendations for many users at once, in chunks of bounded memory, to a file that a stopped run can finish."""

from __future__ import annotations

import csv
import hashlib
import importlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cftui.analysis.exports import without_formulas
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.errors import CftuiError, missing_library
from cftui.files import replacing, write_atomic, write_json

# Scores held at a time: bounds the memory, not the result.
CELLS = 20_000_000
# Users in one part of a file: what a stopped run has to do again at most.
PART = 20_000
FORMS = (".csv", ".parquet", ".jsonl")


@dataclass(frozen=True, eq=False)
class Wanted:
    """What to recommend to whom.

    Attributes:
        users: codes int64 ``[u]``.
        n: the length of a list.
        items: which items may be recommended, bool ``[items]``.
        seen: whether to recommend what a user has rated already, or chose without a rating.
        spreadsheet: whether text in a CSV file that a spreadsheet would run as a formula begins with an apostrophe.
    """

    users: np.ndarray
    n: int
    items: np.ndarray
    seen: bool = False
    spreadsheet: bool = False


def lists(model: TrainedModel, ratings: Ratings, wanted: Wanted) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield user codes ``[b]``, item codes ``[b, n]`` and scores ``[b, n]``, the best first, a chunk at a time.

    A model that predicts ratings is ranked by them, in the order of ``Architecture.scores``. Code 0 fills the places of
    a list that is too short.
    """
    closed = torch.zeros(len(model.items)).masked_fill_(~torch.from_numpy(wanted.items), -torch.inf)
    n = min(wanted.n, int(wanted.items.sum()))
    for start in range(0, len(wanted.users), chunk := max(1, CELLS // len(model.items))):
        users = wanted.users[start : start + chunk]
        with torch.no_grad():
            scores = model.module.scores(torch.from_numpy(users)).float().nan_to_num_(nan=-torch.inf)
        scores += closed
        if not wanted.seen:
            rows = [ratings.by_user.rows(int(user)) for user in users]
            place = np.repeat(np.arange(len(users)), [len(one) for one in rows])
            scores[torch.from_numpy(place), torch.from_numpy(ratings.item[np.concatenate(rows)])] = -torch.inf
            if ratings.unrated is not None:
                for at, user in enumerate(users):
                    scores[at, torch.from_numpy(ratings.unrated.of_user(int(user)))] = -torch.inf
        best = scores.topk(n, dim=1)
        # Equal scores are ordered by code.
        codes, by_code = best.indices.sort(dim=1)
        values = best.values.gather(1, by_code)
        order = values.argsort(dim=1, descending=True, stable=True)
        codes, values = codes.gather(1, order), values.gather(1, order)
        codes[values.isneginf()] = 0
        yield users, codes.numpy(), values.numpy()


def write_lists(
    model: TrainedModel,
    ratings: Ratings,
    wanted: Wanted,
    target: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, users: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Write everybody's lists to a file: ``user``, ``item``, ``title``, ``rank`` and ``score``, one row for each place.

    Parts are kept beside the file until all are done. Called again with the same wishes, it goes on after the last.

    Args:
        target: its suffix says the format: ``.csv``, ``.parquet`` or ``.jsonl``.

    Returns:
        Whether the file was finished; false if it was stopped.

    Raises:
        CftuiError: the format is another, pyarrow is missing, or the folder does not exist.
        OSError: the disk is full or not writable; the parts so far are kept.
    """
    form = target.suffix.lower()
    if form not in FORMS:
        raise CftuiError(f"{target}: must end in {', '.join(FORMS[:-1])} or {FORMS[-1]}", option="to")
    if target.is_dir() or not target.parent.is_dir():
        raise CftuiError(f"{target}: is a folder" if target.is_dir() else f"no folder {target.parent}", option="to")
    if form == ".parquet":
        _arrow()
    parts = target.with_name(f".{target.name}.parts")
    _begin(parts, model, wanted)
    for start in range(0, len(wanted.users), PART):
        path = parts / f"{start:012d}{form}"
        if not path.exists():
            users = wanted.users[start : start + PART]
            found = []
            for chunk in lists(model, ratings, replace(wanted, users=users)):
                if should_stop():
                    return False
                table = _table(model, *chunk)
                found.append(without_formulas(table) if wanted.spreadsheet and form == ".csv" else table)
                progress(start + sum(one["user"].nunique() for one in found), len(wanted.users))
            write_atomic(path, _encode(pd.concat(found, ignore_index=True), form))
        progress(min(start + PART, len(wanted.users)), len(wanted.users))
    _join(sorted(parts.glob(f"*{form}")), target, form)
    shutil.rmtree(parts)
    return True


def _begin(parts: Path, model: TrainedModel, wanted: Wanted) -> None:
    """Make the folder of the parts; parts of other wishes or of another model are thrown away."""
    weights = model.run.weights_file if model.run is not None else None
    stamp = weights.stat().st_mtime_ns if weights is not None and weights.exists() else 0
    asked = hashlib.sha256(wanted.users.tobytes() + np.packbits(wanted.items).tobytes()).hexdigest()
    key: dict[str, Any] = {"run": model.name, "weights": stamp, "n": wanted.n, "seen": wanted.seen, "asked": asked}
    key["spreadsheet"] = wanted.spreadsheet
    known = parts / "wanted.json"
    if known.exists() and json.loads(known.read_text(encoding="utf-8")) == key:
        return
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    write_json(known, key)


def _table(model: TrainedModel, users: np.ndarray, codes: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    b, n = codes.shape
    flat = codes.ravel()
    names = np.array(model.users.classes, dtype=object), np.array(model.items.classes, dtype=object)
    table = pd.DataFrame(
        {
            "user": np.repeat(names[0][users], n),
            "item": names[1][flat],
            "title": model.item_table["title"].to_numpy()[flat],
            "rank": np.tile(np.arange(1, n + 1), b),
            "score": scores.ravel(),
        }
    )
    return table[flat > 0]


def _encode(table: pd.DataFrame, form: str) -> bytes:
    if form == ".parquet":
        content = io.BytesIO()
        table.astype({"user": str, "item": str}).to_parquet(content, index=False)
        return content.getvalue()
    if form == ".jsonl":
        return table.to_json(orient="records", lines=True, force_ascii=False).encode()
    return table.to_csv(index=False, header=False, quoting=csv.QUOTE_MINIMAL).encode()


def _join(parts: list[Path], target: Path, form: str) -> None:
    """Put the parts together, in the target's folder, and move the whole into place."""
    with replacing(target) as whole:
        if form == ".parquet":
            arrow = _arrow()
            schema = arrow.ParquetFile(parts[0]).schema_arrow
            with arrow.ParquetWriter(whole, schema) as writer:
                for part in parts:
                    writer.write_table(arrow.read_table(part))
        else:
            with whole.open("wb") as file:
                if form == ".csv":
                    file.write(b"user,item,title,rank,score\n")
                for part in parts:
                    with part.open("rb") as source:
                        shutil.copyfileobj(source, file)


def _arrow() -> Any:
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise missing_library("writing Parquet", "pyarrow", "parquet") from None

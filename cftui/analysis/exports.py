"""Export embeddings for other programs; read maps of two components back in."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cftui.analysis.maps.components import QUADRANTS, quadrant
from cftui.analysis.trackers.exporting import TRACKERS
from cftui.analysis.trained import TrainedModel
from cftui.errors import CftuiError, suggestion
from cftui.files import write_atomic
from cftui.text import for_spreadsheet, one_line


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose text no spreadsheet takes for a formula."""
    quote = lambda cell: for_spreadsheet(cell) if isinstance(cell, str) else cell  # noqa: E731
    text = table.select_dtypes(exclude="number")
    return table.assign(**{str(name): text[name].map(quote) for name in text})


def export(model: TrainedModel, form: str, target: Path, *, spreadsheet: bool = False) -> list[Path]:
    """Write a model's factors and biases, and return the files.

    ``csv``: ``<target>-items.csv`` (``item``, ``title``, ``year``, ``genres``, ``ratings``, ``bias`` if there are any,
    ``f0``, ``f1``, ...) and ``<target>-users.csv`` (``user``, ``bias``, ``f0``, ...), the unknown left out.

    ``npz``: ``item_factors [items, k]``, ``user_factors [users, k]``, ``item_bias [items]`` and ``user_bias [users]``
    if there are any, ``titles [items]`` and ``users [users]`` as text; row 0 is the unknown. Needs no pickle.

    ``safetensors``: the same arrays; ``titles``, ``users`` and ``run`` are JSON in the file's metadata.

    ``tsv``: ``<target>-vectors.tsv`` and ``<target>-metadata.tsv``, the pair that TensorBoard's embedding projector
    (projector.tensorflow.org) loads: one line per item, the unknown left out; only the second has a header.

    Args:
        target: a folder, in which the files are named after the run; or the file, with or without the format's suffix
            (for ``csv`` and ``tsv``: what the names of both files begin with).
        spreadsheet: whether text in ``csv`` that a spreadsheet would run as a formula begins with an apostrophe.

    Raises:
        CftuiError: no such format, no such folder, or a model without factors.
        OSError: the disk is full, or the folder is not writable; existing files are then still intact.
    """
    if form not in FORMS:
        raise CftuiError(f"no format {form!r}; {suggestion(form, [*FORMS, *TRACKERS])}")
    _ = model.item_factors  # raises the error of a model without factors
    if target.is_dir():
        target = target / model.name
    elif target.suffix.lower() == f".{form}":
        target = target.with_suffix("")
    if not target.parent.is_dir():
        raise CftuiError(f"{target.parent}: no such folder")
    content_of = _csv(model, spreadsheet) if form == "csv" else FORMS[form](model)
    files = {target.with_name(target.name + end): content for end, content in content_of}
    for path, content in files.items():
        write_atomic(path, content)
    return list(files)


Files = Iterator[tuple[str, bytes]]


def _csv(model: TrainedModel, spreadsheet: bool = False) -> Files:
    learned = model.learned
    table = model.item_table[["title", "year", "genres", "ratings"]].assign(year=_years(model))
    item_bias, user_bias = (None if b is None else b.numpy() for b in (learned.item_bias, learned.user_bias))
    items = pd.concat(
        [pd.DataFrame({"item": model.items.classes}), table, _numbers(item_bias, model.item_factors)], axis=1
    )
    users = pd.concat([pd.DataFrame({"user": model.users.classes}), _numbers(user_bias, _user_factors(model))], axis=1)
    for name, rows in (("items", items), ("users", users)):
        rows = rows.iloc[1:]
        yield f"-{name}.csv", _utf8((without_formulas(rows) if spreadsheet else rows).to_csv(index=False))


def _numbers(bias: np.ndarray | None, factors: np.ndarray) -> pd.DataFrame:
    numbers = pd.DataFrame(factors, columns=[f"f{at}" for at in range(factors.shape[1])])
    if bias is not None:
        numbers.insert(0, "bias", bias)
    return numbers


def _user_factors(model: TrainedModel) -> np.ndarray:
    factors = model.learned.user_factors
    return np.empty((len(model.users), 0), np.float32) if factors is None else factors.numpy()


def _years(model: TrainedModel) -> pd.Series:
    """The years of the items; missing if the data set does not say."""
    year = model.item_table["year"].astype("Int64")
    return year.where(year > 0)


def _npz(model: TrainedModel) -> Files:
    content = io.BytesIO()
    texts = {"titles": np.array(model.titles), "users": np.array([str(user) for user in model.users.classes])}
    arrays: dict[str, Any] = {**_arrays(model), **texts}
    np.savez_compressed(content, **arrays)
    yield ".npz", content.getvalue()


def _safetensors(model: TrainedModel) -> Files:
    from safetensors.numpy import save

    facts = {**model.facts(), "fingerprint": model.fingerprint, "noun": model.noun, "options": asdict(model.options)}
    metadata = {"titles": model.titles, "users": list(model.users.classes), "run": facts}
    yield ".safetensors", save(_arrays(model), {name: json.dumps(value) for name, value in metadata.items()})


def _arrays(model: TrainedModel) -> dict[str, np.ndarray]:
    """Factors and biases, float32, under their names in ``Learned``."""
    learned = model.learned._asdict()
    return {name: np.ascontiguousarray(value.numpy()) for name, value in learned.items() if value is not None}


def _tsv(model: TrainedModel) -> Files:
    vectors = pd.DataFrame(model.item_factors[1:])
    yield "-vectors.tsv", _utf8(vectors.to_csv(sep="\t", header=False, index=False))
    table = model.item_table[["title", "year", "genres", "ratings"]].assign(year=_years(model))
    if model.has_bias:
        table["bias"] = model.item_bias
    rows = table.iloc[1:].astype(object).where(table.iloc[1:].notna(), "").itertuples(index=False)
    lines = ["\t".join(table.columns), *("\t".join(_cell(value) for value in row) for row in rows)]
    yield "-metadata.tsv", _utf8("\n".join(lines) + "\n")


def _cell(value: object) -> str:
    """A value on one line and in one column, since the format has no quotes."""
    return one_line(str(value))


def _utf8(text: str) -> bytes:
    """UTF-8. Half of a surrogate pair, which a title can hold but no file can, becomes a question mark."""
    return text.encode(errors="replace")


FORMS: dict[str, Callable[[TrainedModel], Files]] = {
    "csv": _csv,
    "npz": _npz,
    "safetensors": _safetensors,
    "tsv": _tsv,
}


def read_map(path: Path) -> pd.DataFrame:
    """A map that ``cftui pca --csv`` wrote, or one of the chapter's, as a data frame of the same columns.

    Returns:
        ``0``, ``1`` (coordinates), ``2`` (distance from the origin) and ``3`` (quadrant), one row per line. For a
        file with only ``0`` and ``1`` the other two are computed. Then ``title`` and ``ratings``, if the file has them;
        the chapter's files do not. Other columns, such as the index that pandas writes, are left out.

    Raises:
        CftuiError: the file is malformed; the message names the file, what is wrong, and the line if there is one.
    """
    header, lines = _read_csv(path)
    missing = [name for name in ("0", "1") if name not in header]
    if missing:
        there = ", ".join(name for name in header if name) or "nothing"
        raise CftuiError(f"{path}: no column {' or '.join(missing)}; its columns are {there}")
    if not lines:
        raise CftuiError(f"{path}: has a header but no rows")

    def column(name: str, convert: Callable[[str], object], wanted: str) -> list[object]:
        at, values = header.index(name), []
        for number, row in lines:
            try:
                values.append(convert(row[at]))
            except ValueError:
                raise CftuiError(f"{path}: line {number}: {name} is {row[at]!r}, not {wanted}") from None
        return values

    x, y = (np.array(column(name, _finite, "a finite number"), dtype=np.float64) for name in ("0", "1"))
    table = pd.DataFrame({"0": x, "1": y})
    table["2"] = column("2", _finite, "a finite number") if "2" in header else np.hypot(x, y)
    table["3"] = column("3", _quadrant, "a quadrant") if "3" in header else [_named(name) for name in quadrant(x, y)]
    if "title" in header:
        table["title"] = column("title", str, "a title")
    if "ratings" in header:
        table["ratings"] = column("ratings", _count, "a count")
    return table


def _read_csv(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and each row with its line number (the last line, if a quoted field spans several)."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CftuiError(f"{path}: line {line} is not UTF-8 text") from None
    except FileNotFoundError:
        raise CftuiError(f"{path}: no such file") from None
    except OSError as error:
        raise CftuiError(f"{path}: {error.strerror}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    lines = []
    try:
        for row in reader:
            if not row:
                continue
            if header is None:
                header = [name.strip() for name in row]
            elif len(row) != len(header):
                raise CftuiError(f"{path}: line {reader.line_num} has {len(row)} fields, the header {len(header)}")
            else:
                lines.append((reader.line_num, row))
    except csv.Error as error:
        raise CftuiError(f"{path}: line {reader.line_num}: {error}") from None
    if header is None:
        raise CftuiError(f"{path}: empty")
    return header, lines


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _count(text: str) -> int:
    value = _finite(text)
    if value < 0 or value != int(value):
        raise ValueError
    return int(value)


def _named(name: str) -> str:
    """The quadrant's name in the chapter's data frame."""
    return name if name == "Center" else f"{name} Quadrant"


def _quadrant(text: str) -> str:
    if text not in map(_named, QUADRANTS):
        raise ValueError
    return text

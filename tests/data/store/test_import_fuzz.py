"""Files made at random: those that are whole give exactly what was written, those that are spoilt lose nothing.

``CFTUI_FUZZ=10000`` asks for more than the few hundred of the suite.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cftui.data.store import catalog
from cftui.data.store.asked import Asked
from cftui.data.store.importing import import_ratings
from cftui.errors import CftuiError
from cftui.home import Home
from tests.data.store.fuzzed import File, spoilt

EXAMPLES = int(os.environ.get("CFTUI_FUZZ", "100"))
# Files of one test, each a seed.
BLOCK = 50
SEEDS = range(0, EXAMPLES, BLOCK)


def _import(content: bytes, name: str, folder: Path, **asked: Any) -> tuple[dict[str, Any], Any, list[str]]:
    path, home = folder / name, Home(folder / "home")
    said: list[str] = []
    path.write_bytes(content)
    facts = import_ratings(path, "own", home, Asked(**asked), say=said.append)
    return facts, catalog.open_tables("own", home), said


@pytest.mark.parametrize("block", SEEDS)
def test_what_was_written_is_read(block: int, tmp_path: Path) -> None:
    for seed in range(block, block + BLOCK):
        file = File(seed)
        facts, tables, said = _import(file.content, file.name, tmp_path)
        users = tables.ratings["user"].astype(str).tolist()
        found = sorted(zip(users, tables.ratings["item"].astype(str), tables.ratings["rating"], strict=True))
        assert found == sorted((u, i, float(r)) for u, i, r, _ in file.rows), (seed, said)
        pairs = zip(users, tables.ratings["item"].astype(str), strict=True)
        seconds = dict(zip(pairs, tables.ratings["timestamp"], strict=True))
        assert all(seconds[u, i] == (t if file.timed else 0) for u, i, _, t in file.rows), (seed, said)
        assert facts["rows"] == len(file.rows), (seed, said)


@pytest.mark.parametrize("block", SEEDS)
def test_what_is_spoilt_is_named_or_counted(block: int, tmp_path: Path) -> None:
    for seed in range(block, block + BLOCK):
        file = File(seed)
        content = spoilt(file)
        try:
            facts, tables, said = _import(content, file.name, tmp_path, skip_bad=file.draw.choice((0, 3, 1000)))
        except CftuiError as error:
            complaint = str(error)
        else:
            complaint = ""
        assert "\n" not in complaint, seed
        assert len(complaint) < 2000, (seed, complaint)
        if complaint:
            continue
        rows = facts["ratings"] + facts["merged"] + facts["unrated"] + facts["left_out"] + facts["skipped"]
        assert facts["rows"] == rows, (seed, said)
        assert len(tables.ratings) == facts["ratings"]
        assert np.isfinite(tables.ratings["rating"]).all(), seed
        for what in ("merged", "unrated", "left_out", "skipped"):
            counted = any(str(facts[what]) in line for line in said) or (what == "merged" and tables.counted)
            assert not facts[what] or counted, (seed, what, said)
        if file.lines and _is_plain(file.plain):
            assert _lines(file.plain, said) in (facts["rows"], facts["rows"] + 1), (seed, said)


def _is_plain(content: bytes) -> bool:
    try:
        found = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return "\0" not in found and not found.startswith(("PK", "BZh"))


def _lines(content: bytes, said: list[str]) -> int:
    """The rows there are by the lines of the text, of which one may be a header; rows that span lines count as one."""
    lines = [line for line in re.split(r"\r\n|\r|\n", content.decode("utf-8-sig")) if line.strip()]
    above = next((at for at, line in enumerate(lines) if line[0] != "#"), 0)
    more = above
    for line in said:
        if found := re.match(r"([\d,]+) rows? spans? ([\d,]+) lines", line):
            more += int(found[2].replace(",", "")) - int(found[1].replace(",", ""))
        if found := re.match(r"([\d,]+) (rows? without any cell|lines? among the rows)", line):
            more += int(found[1].replace(",", ""))
    return len(lines) - more

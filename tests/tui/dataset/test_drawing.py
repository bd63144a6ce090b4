"""The pictures of the Dataset screen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cftui.tui.dataset import drawing

FULL = "█"


def counted(values: list[float], counts: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"rating": values, "count": counts, "share": np.array(counts) / sum(counts)})


def heights(text: str, column: int) -> int:
    """Lines in which a column has something, the labels left out."""
    return sum(line[column : column + 1].strip() != "" for line in text.split("\n")[:-1])


def test_a_scale_with_room_has_a_line_for_each_value() -> None:
    lines = drawing.histogram(counted([1, 2, 3], [10, 20, 70]), 40, 5).plain.split("\n")
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert [line.split()[-1] for line in lines] == ["10.0%", "20.0%", "70.0%"]
    assert lines[2].count(FULL) > lines[1].count(FULL) > lines[0].count(FULL)


def test_a_scale_from_0_to_10_has_eleven_columns_of_one_width() -> None:
    text = drawing.histogram(counted(list(range(11)), [5] * 11), 36, 5).plain
    assert text.split("\n")[-1].split() == [str(level) for level in range(11)]
    assert [heights(text, 3 * level) for level in range(11)] == [4] * 11


@pytest.mark.parametrize("size", [(18, 5), (36, 5), (71, 10), (5, 3)])
def test_bins_are_drawn_in_whatever_room_there_is(size: tuple[int, int]) -> None:
    edges = np.arange(20) * 500.0
    frame = counted(edges.tolist(), list(range(1, 21))).assign(to=edges + 500)
    lines = drawing.histogram(frame, *size).plain.split("\n")
    assert len(lines) == size[1]
    assert max(map(len, lines[:-1])) <= size[0]


def test_what_is_there_at_all_is_seen() -> None:
    text = drawing.columns(["a", "b", "c"], [1, 10_000, 0], 30, 5).plain
    assert [heights(text, at) for at in (0, 8, 16)] == [1, 4, 0]
    assert drawing.bar(1e-9, 20) == FULL
    assert drawing.bar(0, 20) == ""


def test_the_tail_is_as_high_as_the_logarithm() -> None:
    """On a plain axis all but the first of these would be flat."""
    text = drawing.tail([1000, 100, 10, 1], 10, 8).plain + "\n"
    label = len("1,000 ")
    found = [heights(text, label + at) for at in (0, 1, 2, 3)]
    assert found == sorted(found, reverse=True)
    assert found[0] - found[1] in (2, 3)
    assert found[1] - found[2] in (2, 3)
    assert found[3] == 1
    heads = [line[:label].strip() for line in text.split("\n")]
    assert [head for head in heads if head] == ["1,000", "100", "10", "1"]


@pytest.mark.parametrize(("lines", "popularity"), [(1, [5, 3]), (2, [1, 1, 1]), (6, [7]), (3, [])])
def test_a_tail_of_any_length_is_drawn(lines: int, popularity: list[int]) -> None:
    text = drawing.tail(popularity, 12, lines).plain
    assert len(text.split("\n")) == (lines if popularity else 1)
    assert all(len(line) <= 12 for line in text.split("\n"))

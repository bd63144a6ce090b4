"""Pictures made of characters: bars beside each other or below each other, and the long tail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

EIGHTHS = " ▁▂▃▄▅▆▇█"
# A bar is not longer than this, and a column not wider.
LONGEST, WIDEST = 60, 8


def value(number: float) -> str:
    """A rating as it is written: ``4``, ``3.5``, ``10,000``, ``5e-07``."""
    return format(float(number), ",.10g")


def bar(share: float, width: int) -> str:
    """A bar of ``share`` of the width; what is there at all is seen."""
    return "█" * max(round(share * width), 1 if share else 0)


def histogram(frame: pd.DataFrame, width: int, lines: int) -> Text:
    """How often each rating was given: a line for each where there are lines enough, else a column for each."""
    labels = [value(low) for low in frame["rating"]]
    counts = frame["count"].to_list()
    if "to" in frame:
        labels = [
            low if low == high else f"{low}-{high}" for low, high in zip(labels, map(value, frame["to"]), strict=True)
        ]
    if len(labels) <= lines:
        return bars(labels, counts, width)
    if "to" in frame:
        labels = [value(low) for low in frame["rating"]]
    return columns(labels, counts, width, lines)


def bars(labels: Sequence[str], counts: Sequence[int], width: int, total: int = 0) -> Text:
    """Label, bar and share of ``total``, or of their sum; the number as well where a long enough bar leaves room."""
    if not counts:
        return Text()
    most, total = max(counts), total or sum(counts)
    label, digits = max(map(len, labels)), len(f"{most:,}")
    numbered = width >= 20 + label + digits
    room = min(max(width - label - 8 - (digits + 1) * numbered, 4), LONGEST)
    text = []
    for name, count in zip(labels, counts, strict=True):
        number = f" {count:>{digits},}" if numbered else ""
        text.append(Text(f"{name:>{label}} {bar(count / most, room):<{room}}{number} {count / total:6.1%}"))
    return Text("\n").join(text)


def top_bars(labels: Sequence[str], counts: Sequence[int], total: int, width: int, lines: int) -> Text:
    """A line for each of the first, as many as there are lines. The shares of ``total`` may overlap."""
    return bars(labels[:lines], counts[:lines], width, total)


def columns(labels: Sequence[str], counts: Sequence[float], width: int, lines: int) -> Text:
    """Columns side by side, their labels beneath: each where it fits, else the first and the last."""
    if not counts or width < 1 or lines < 2:
        return Text()
    together = math.ceil(len(counts) / width)
    heights = [sum(counts[at : at + together]) for at in range(0, len(counts), together)]
    cell = min(max(width // len(heights), 1), WIDEST)
    gap = 1 if cell > 2 else 0
    body = stand(heights, lines - 1, [cell - gap] * len(heights), " " * gap)
    if together == 1 and max(map(len, labels)) <= cell - 1:
        foot = "".join(f"{label:<{cell}}" for label in labels)
    else:
        across = cell * len(heights) - gap
        foot = f"{labels[0]}{labels[-1]:>{max(across - len(labels[0]), len(labels[-1]) + 1)}}"
    return Text("\n").join([*body, Text(foot.rstrip(), style="dim")])


def stand(heights: Sequence[float], lines: int, widths: Sequence[int], gap: str = "") -> list[Text]:
    """Lines of text in which each height is a column; what is there at all is seen."""
    top = max(max(heights), 1e-300)
    eighths = [max(round(height / top * lines * 8), 1 if height else 0) for height in heights]
    columns = list(zip(eighths, widths, strict=True))

    def line(number: int) -> Text:
        return Text("".join(EIGHTHS[min(max(full - 8 * number, 0), 8)] * wide + gap for full, wide in columns))

    return [line(number) for number in range(lines - 1, -1, -1)]


def tail(popularity: Sequence[int], width: int, lines: int) -> Text:
    """Items from the most rated to the least, the number of ratings on a logarithmic axis."""
    if not len(popularity) or lines < 1:
        return Text()
    most = max(popularity[0], 1)
    label = len(f"{most:,}") + 1
    across = max(width - label, 1)
    at = [round(column * (len(popularity) - 1) / max(across - 1, 1)) for column in range(across)]
    # One rating is the foot of the axis, and is to be seen.
    top = math.log(most + 1)
    heights = [math.log(popularity[place] + 1) / top for place in at]
    body = stand([*heights, 1.0], lines, [1] * across + [0])
    heads = [""] * lines
    for ten in (10**power for power in range(len(str(most)))):
        heads[min(int((1 - math.log(ten + 1) / top) * lines), lines - 1)] = f"{ten:,}"
    heads[0] = f"{most:,}"
    return Text("\n").join(
        Text.assemble((f"{head:>{label - 1}} ", "dim"), line) for head, line in zip(heads, body, strict=True)
    )

"""The rankings at the side of the map: what is liked most and least, by bias or, without biases, by mean rating."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text

from cftui.tui.shell.colours import Colours
from cftui.tui.shell.columns import Column

if TYPE_CHECKING:
    import pandas as pd

    from cftui.tui.session.workspace import OpenModel

# On a screen of this width there is room for the mean beside the bias.
WIDE = 110

Cells = Callable[[int], tuple[str | Text, ...]]


def side_columns(
    table: pd.DataFrame, by: str, opened: OpenModel, palette: Callable[[], Colours], *, wide: bool
) -> tuple[tuple[Column, ...], Cells]:
    """Columns of a ranking, and the cells of a row.

    Args:
        table: ``code``, ``title``, ``ratings``, ``mean`` and, if ``by`` is that, ``bias``.
        by: ``bias`` or ``mean``.
        palette: the colours of the theme at the time a row is drawn.
    """
    titles, counts, means = (table[name].to_numpy() for name in ("title", "ratings", "mean"))
    noun = Column(opened.model.noun, values=opened.title_ranks[table["code"].to_numpy()])
    if by == "bias":
        biases = table["bias"].to_numpy()
        bias, mean = Column("bias", 5, right=True, values=biases), Column("mean", 4, right=True, values=means)
        if wide:
            return (bias, mean, noun), lambda row: (palette().signed(biases[row]), f"{means[row]:.2f}", titles[row])
        return (bias, noun), lambda row: (palette().signed(biases[row]), titles[row])
    if opened.ratings.counted:
        rated = Column("by", 6, right=True, values=counts)
        return (rated, noun), lambda row: (bold(f"{counts[row]:,}"), titles[row])
    mean = Column("mean", 4, right=True, values=means)
    return (mean, noun), lambda row: (bold(f"{means[row]:.2f}"), titles[row])


def bold(text: str) -> Text:
    return Text(text, style="bold")

"""The rankings at the side of the map: what is liked most and least, by bias or, without biases, by mean rating."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text

from cftui.text import scaled, scaled_width
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
    scale = opened.model.rating_range
    titles, counts, means = (table[name].to_numpy() for name in ("title", "ratings", "mean"))
    noun = Column(opened.model.noun, values=opened.title_ranks[table["code"].to_numpy()])
    if by == "bias":
        biases = table["bias"].to_numpy()
        bias = Column("bias", max(5, scaled_width(scale, "+")), right=True, values=biases)
        mean = Column("mean", max(4, scaled_width(scale)), right=True, values=means)
        if wide:
            return (bias, mean, noun), lambda row: (
                palette().signed(biases[row], scale=scale),
                scaled(means[row], scale),
                titles[row],
            )
        return (bias, noun), lambda row: (palette().signed(biases[row], scale=scale), titles[row])
    if opened.ratings.counted:
        rated = Column("by", 6, right=True, values=counts)
        return (rated, noun), lambda row: (bold(f"{counts[row]:,}"), titles[row])
    mean = Column("mean", max(4, scaled_width(scale)), right=True, values=means)
    return (mean, noun), lambda row: (bold(scaled(means[row], scale)), titles[row])


def bold(text: str) -> Text:
    return Text(text, style="bold")

"""The pane of what is most like the item on show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.content import Content

from cftui.errors import CftuiError
from cftui.text import printable, spec
from cftui.tui.search.pane_table import PaneTable
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.columns import Column
from cftui.tui.shell.rows import cosine, scored_row

if TYPE_CHECKING:
    import pandas as pd

    from cftui.analysis.ranking import Filter
    from cftui.analysis.trained import TrainedModel

NEIGHBOURS = 100
# What a column of scores is called.
HEADS = {"cosine": "cos", "euclidean": "dist", "weight": "wt"}


class Neighbours(PaneTable):
    """The most similar items, by the chosen metric.

    Attributes:
        metric: ``cosine`` or ``euclidean``.
        shrink: whether each counts for as much as its ratings vouch for it. Without, an item with two ratings that
            happens to lie near is the first of the list.
        table: what is shown, None where the model has no neighbours.
    """

    metric = "cosine"
    shrink = True
    table: pd.DataFrame | None = None

    def answer(self, opened: OpenModel, model: TrainedModel, item: int, only: Filter) -> None:
        """Show what is like the item in ``model``: that of ``opened`` as trained, or after an earlier epoch."""
        from cftui.analysis import ranking

        self.border_title = Content(f"like {printable(model.titles[item])}")
        try:
            near = ranking.similar(
                model,
                item,
                NEIGHBOURS,
                metric=self.metric if model.has_factors else ranking.METRICS[0],
                shrink=ranking.SHRINK if self.shrink else 0,
                only=only,
            )
        except CftuiError as error:
            self.table = None
            self.border_subtitle = ""
            self.show_instead(str(error))
            return
        self.table = near
        measure = str(near.columns[-1])
        score, titles, counts = near[measure].to_numpy(), near["title"].to_numpy(), near["ratings"].to_numpy()

        distance = spec(score, 2)
        wide = max([4, *(len(format(value, distance)) for value in score)]) if measure == "euclidean" else 4

        def render(index: int, width: int) -> Text:
            # Weights are small: two digits would not tell them apart.
            digits = 3 if measure == "weight" else 2
            value = format(score[index], distance) if measure == "euclidean" else cosine(score[index], digits)
            return scored_row(f"{value:>{wide}}", titles[index], counts[index], width)

        columns = (
            Column(HEADS[measure], wide, right=True, values=score),
            Column(model.noun, values=titles),
            Column("rated", 5, right=True, values=counts),
        )
        self.show(len(near), render, columns=columns)
        measured = f"{measure} (s)" if model.has_factors else measure
        said = [f"{measured}, {'shrunk' if self.shrink else 'plain'} (z)", str(only)]
        if model.epoch is not None:
            said.append(f"after {opened.unit} {model.epoch}")
        self.border_subtitle = Content("  ".join(filter(None, said)))

    def clear(self) -> None:
        self.table = None
        self.show(0, lambda index, width: Text())
        self.border_title = self.border_subtitle = ""

"""The pane of the best of what the chosen user has not seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text
from textual.content import Content

from cftui.text import printable, scaled
from cftui.tui.search.pane_table import PaneTable
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.columns import Column
from cftui.tui.shell.interval_bar import interval_bar
from cftui.tui.shell.remarks import remark
from cftui.tui.shell.rows import called, scored_row

if TYPE_CHECKING:
    import pandas as pd

    from cftui.analysis.evaluation.intervals import By
    from cftui.analysis.pair import Both, Order
    from cftui.analysis.ranking import Filter
    from cftui.analysis.users.people import Person
    from cftui.tui.shell.row_list import RenderRow

RECOMMENDED = 100
# Cells of an interval's track in a list that is as wide as this.
TRACK_IN_LIST = 13
LIST_WITH_BARS = 46
# What the best are sorted by: the prediction, or that and what is uncertain of it, as it stands beside it.
ORDERS: dict[By, str] = {"mean": "", "lower": ": less ±", "upper": ": plus ±"}
# With two runs: what the list is of, in words, and what it is ordered by.
OF_TWO: dict[Order, str] = {"choice": "would choose", "both": "would choose and like", "rating": "would rate highest"}


class Recommended(PaneTable):
    """The best by one run, or by two together.

    Attributes:
        order: what the best by one run are sorted by.
        order_of_two: what those by two runs are sorted by; None to take one run alone.
        table: what is shown.
    """

    order: By = "mean"
    order_of_two: Order | None = "choice"
    table: pd.DataFrame | None = None
    _said = Content()

    def answer(self, opened: OpenModel, who: Person, both: Both | None, only: Filter) -> None:
        """Show the best of what passes the filter."""
        if both is not None and self.order_of_two is not None:
            self._by_two(opened, both, self.order_of_two, only)
        else:
            self._by_one(opened, who, only)

    def _by_one(self, opened: OpenModel, who: Person, only: Filter) -> None:
        from cftui.analysis import ranking

        by = self.order if opened.sure else "mean"
        best = ranking.recommend(opened.model, who, RECOMMENDED, only=only, by=by)
        self.table = best
        rates = opened.model.rates
        score = best["predicted" if rates else "score"].to_numpy()
        titles, counts = best["title"].to_numpy(), best["ratings"].to_numpy()
        title = f"{called(who)} would {'like' if rates else 'choose'}"
        if opened.sure:
            from cftui.analysis.evaluation.intervals import NINETY, RANKINGS, intervals

            found, scale = intervals(opened.model, who.row, best["code"].to_numpy(copy=True)), opened.model.rating_range
            title = f"{RANKINGS[by]} for {called(who)}{ORDERS[by]}"

        scale = opened.model.rating_range if rates else (0.0, 1.0)
        texts = [scaled(value, scale) for value in score]
        if opened.sure:
            # The prediction's column, since rows are sorted by it.
            means, halves = found.centre.tolist(), (NINETY * found.uncertainty).tolist()
            texts = [f"{text}±{scaled(half, scale)}" for text, half in zip(texts, halves, strict=True)]
        head = ("pred ±" if opened.sure else "pred") if rates else "score"
        wide = max([len(head), *map(len, texts)])

        def render(i: int, width: int) -> Text:
            bar = None
            if opened.sure and width >= LIST_WITH_BARS:
                low, high = means[i] - halves[i], means[i] + halves[i]
                bar = interval_bar(means[i], low, high, scale, TRACK_IN_LIST, framed=False)
            return scored_row(f"{texts[i]:>{wide}}", titles[i], counts[i], width, bar=bar)

        before = (Column(head, wide, right=True, values=score),)
        self._fill(opened, best, render, before, bars=opened.sure)
        self.border_title = Content(title)
        said = Content("unseen  ±: how sure (o)" if opened.sure else "unseen")
        # Where no other run chooses better, it is said what this list is worth.
        if opened.pair is None and opened.lists is not None and opened.lists.kind != "good":
            said = remark(opened.lists.kind, f"{opened.lists.brief} (e)")
        self._said = Content("  ").join([said, Content(str(only))]) if str(only) else said

    def _by_two(self, opened: OpenModel, who: Both, order: Order, only: Filter) -> None:
        """Both numbers of each: which choice it is, and what it would be rated."""
        assert opened.pair is not None
        best = opened.pair.recommend(who, RECOMMENDED, only=only, order=order)
        self.table = best
        place, predicted = best["place"].to_numpy(), best["predicted"].to_numpy()
        titles, counts = best["title"].to_numpy(), best["ratings"].to_numpy()
        low, high = (best[end].to_numpy() if end in best else None for end in ("low", "high"))
        scale = opened.model.rating_range
        digits = max(3, len(str(place.max(initial=0))))

        def render(i: int, width: int) -> Text:
            bar = None
            if low is not None and high is not None and width >= LIST_WITH_BARS:
                bar = interval_bar(predicted[i], low[i], high[i], scale, TRACK_IN_LIST, framed=False)
            return scored_row(f"{place[i]:>{digits}} {predicted[i]:>4.1f}", titles[i], counts[i], width, bar=bar)

        before = (Column("no.", digits, right=True, values=place), Column("pred", 4, right=True, values=predicted))
        self._fill(opened, best, render, before, bars=low is not None)
        self.border_title = Content(f"{called(who.chooser)} {OF_TWO[order]}")
        # Which run says what: the header names both.
        said = (f"no. {opened.pair.chooser.name}  pred {opened.pair.rater.name}", str(only))
        self._said = Content(printable("  ".join(filter(None, said))))

    def _fill(
        self, opened: OpenModel, best: pd.DataFrame, render: RenderRow, before: tuple[Column, ...], *, bars: bool
    ) -> None:
        """Show the rows, with heads that leave room for the intervals where those are drawn."""
        titles, counts = best["title"].to_numpy(), best["ratings"].to_numpy()

        def show(keep: bool) -> None:
            drawn = bars and self.scrollable_content_region.width >= LIST_WITH_BARS
            columns = (
                *before,
                *((Column("", TRACK_IN_LIST),) if drawn else ()),
                Column(opened.model.noun, values=titles),
                Column("rated", 5, right=True, values=counts),
            )
            self.show(len(best), render, columns=columns, keep=keep)

        self._show_again = show
        show(keep=False)

    _show_again: Callable[[bool], None] | None = None

    def on_resize(self) -> None:
        if self._show_again is not None:
            self._show_again(True)

    def say_epoch(self, epoch: int | None) -> None:
        """Say below the list that it stays as trained while other panes show an earlier epoch."""
        self.border_subtitle = self._said if epoch is None else Content("as trained  ") + self._said

    def say_reason(self, opened: OpenModel, who: Person, both: Both | None, index: int) -> None:
        """In the frame, the rating of the user that speaks most for the item in that row."""
        from cftui.analysis.pair import reasons

        assert self.table is not None
        model = opened.model
        if opened.pair is not None and both is not None and self.order_of_two is not None:
            model, who = opened.pair.chooser, both.chooser
        code = self.table["code"].to_numpy(copy=True)[index : index + 1]
        for found in reasons(model, who, code, n=1):
            if found:
                self.border_subtitle = Content(printable(f"because {found[0]}"))

    def next_order(self, opened: OpenModel) -> None:
        """Rank by choice, by both or by rating if two runs know the user, then by the ends of the interval."""
        ways: list[tuple[Order | None, By]] = []
        if opened.pair is not None:
            ways = [(order, "mean") for order in OF_TWO]
        if opened.sure:
            # With two runs, the order by rating has been there already.
            ways += [(None, by) for by in ORDERS if by != "mean" or not ways]
        now = (self.order_of_two if opened.pair is not None else None, self.order)
        self.order_of_two, self.order = ways[(ways.index(now) + 1) % len(ways) if now in ways else 0]

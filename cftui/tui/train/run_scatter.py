"""Runs on the same ratings as points: how accurate their lists are against how novel what they recommend is."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult, RenderResult
from textual.containers import Vertical
from textual.worker import get_current_worker
from textual_plotext import PlotextPlot

from cftui.engine.runs.verdict import points as in_points
from cftui.errors import CftuiError
from cftui.tui.session.app import session_of
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.colours import colours
from cftui.tui.shell.columns import Column, line
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList
from cftui.tui.train.canvas import Canvas
from cftui.tui.train.scale import scale_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cftui.analysis.evaluation.list_points import Point

# One letter a point; the points beyond share the last mark.
MARKS = [*string.ascii_lowercase, *string.ascii_uppercase]
BEYOND = "+"


def mark(place: int) -> str:
    return MARKS[place] if place < len(MARKS) else BEYOND


class ScatterChart(PlotextPlot):
    """Each point as a letter, with its name where there is room for it; the point of the cursor lies on top."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._points: Sequence[Point] = ()
        self._cursor: int | None = None

    def show(self, points: Sequence[Point], cursor: int | None) -> None:
        self._points, self._cursor = points, cursor
        self.refresh()

    def render(self) -> RenderResult:
        self._draw()
        return super().render()

    def _draw(self) -> None:
        plt, points = self.plt, self._points
        plt.clear_figure()
        if not points:
            plt.title("judging the lists ...")
            return
        known = colours(self.app.current_theme.dark)
        across = scale_of(min(one.novelty for one in points), max(one.novelty for one in points))
        up = scale_of(min(one.ndcg for one in points), max(one.ndcg for one in points))
        ground = self.styles.background.rgb
        size = (self.size.width, self.size.height)
        canvas = Canvas(plt, size, (across.low, across.high), up, ground, whole=False, unit="bits")

        def colour(index: int) -> tuple[int, int, int]:
            if index == self._cursor:
                return known.best
            return known.valid if points[index].recipe else known.lines

        order = sorted(range(len(points)), key=lambda index: index == self._cursor)
        for index in order:
            canvas.marks([(points[index].novelty, points[index].ndcg)], mark(index), colour(index))
        for index in reversed(order):
            one = points[index]
            canvas.name(one.name, one.novelty, one.ndcg, colour(index))


class RunScatter(Dialog[str | None]):
    """Dismissed with the name of a run to show, or None."""

    BINDINGS = bindings("dialog")
    CSS_PATH = "run_scatter.tcss"

    def __init__(self, opened: OpenModel) -> None:
        super().__init__()
        self._opened = opened
        self._points: list[Point] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="run-scatter"):
            yield ScatterChart(id="scatter-chart")
            yield RowList("judging the lists ...", enter="Show", id="scatter-runs")

    def on_mount(self) -> None:
        box, rows = self.query_one("#run-scatter"), self.query_one(RowList)
        box.border_title = "lists of 10: up NDCG@10, right novelty in bits"
        self._say("judging ...")
        # The letters are in the order of the rows.
        rows.arranges = False
        rows.focus()
        self._judge()

    def _say(self, words: str) -> None:
        self.query_one("#run-scatter").border_subtitle = words

    @work(thread=True, exclusive=True)
    def _judge(self) -> None:
        """Off the event loop: each run that has not been judged is loaded, and ranks its lists."""
        from cftui.analysis.evaluation.list_points import list_points

        app, opened, worker, found = session_of(self), self._opened, get_current_worker(), []
        try:
            for point in list_points(opened.model, opened.ratings, opened.home):
                if worker.is_cancelled:
                    return
                found.append(point)
                app.from_worker(self._show, list(found))
        except (CftuiError, OSError) as error:
            app.from_worker(self._cannot, str(error))
            return
        app.from_worker(self._show, found, done=True)

    def _cannot(self, why: str) -> None:
        if self.query(RowList):
            self.query_one(RowList).show_instead(why)
            self._say("escape: close")

    def _show(self, found: list[Point], done: bool = False) -> None:
        if not self.query(RowList):
            return
        rows, in_use = self.query_one(RowList), self._opened.name
        # The cursor waits for the run in use, and then stays where it is.
        waits = all(one.name != in_use for one in self._points)
        at = in_use if waits or rows.cursor is None else self._points[rows.cursor].name
        self._points = sorted(found, key=lambda one: -one.ndcg)
        self._say("enter: show the run   escape: close" if done else f"judged {len(found)} ...")
        columns = (
            Column(" ", 1),
            Column("run"),
            Column("recipe", 14),
            Column("NDCG@10", 8, right=True),
            Column("novelty", 8, right=True),
        )

        def render(index: int, width: int) -> Text:
            one = self._points[index]
            name = f"{one.name} (in use)" if one.recipe and one.name == in_use else one.name
            cells = (mark(index), name, one.recipe or "baseline", in_points(one.ndcg), f"{one.novelty:.2f}")
            return line(columns, cells, width)

        rows.show(len(self._points), render, keep=True, columns=columns)
        names = [one.name for one in self._points]
        rows.move_to(names.index(at) if at in names else 0)
        self._draw()

    @on(RowList.Highlighted)
    def _draw(self) -> None:
        self.query_one(ScatterChart).show(self._points, self.query_one(RowList).cursor)

    @on(RowList.Selected)
    def _picked(self, event: RowList.Selected) -> None:
        one = self._points[event.index]
        if one.recipe:
            self.dismiss(one.name)
        else:
            self.notify(f"{one.name} is a baseline and no run")

"""What a run is worth: its errors, its lists beside popularity's, for whom they are good, and its worst errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from cftui.errors import CftuiError
from cftui.text import printable
from cftui.tui.session.app import session_of
from cftui.tui.session.places import Place
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.paper import Paper
from cftui.tui.shell.table import Table

if TYPE_CHECKING:
    from cftui.analysis.evaluation.report import Section


class EvaluationScreen(Dialog[None]):
    """The tables of ``cftui eval`` for one run."""

    BINDINGS = bindings("evaluation")
    CSS_PATH = "evaluation.tcss"

    def __init__(self, opened: OpenModel) -> None:
        super().__init__()
        self._opened = opened
        self._places: list[Place] = []

    def compose(self) -> ComposeResult:
        with Paper(id="report"):
            yield Static("judging the lists ...", id="report-text")
            yield Table(id="report-rows", cursor_type="row", zebra_stripes=True)

    def on_mount(self) -> None:
        report = self.query_one("#report")
        report.border_title = Content(f"what {self._opened.name} is worth")
        report.border_subtitle = "escape closes"
        report.focus()
        self._judge()

    @work(thread=True, exclusive=True)
    def _judge(self) -> None:
        """Off the event loop: on a large set it takes a while."""
        from cftui.analysis.evaluation.report import evaluation

        app = session_of(self)
        try:
            found = evaluation(self._opened.model, self._opened.ratings)
        except CftuiError as error:
            app.from_worker(self._write, [], str(error))
            return
        app.from_worker(self._write, found)

    def _write(self, sections: list[Section], instead: str = "") -> None:
        if not self.query("#report-text"):
            return
        told = [one for one in sections if not one.about]
        text = Text("\n").join(map(_section, told)) if told else Text(printable(instead))
        for one in sections:
            if one.about:  # at most one, the last: its rows lead to Search
                text.append(f"\n{one.title}", style="bold")
                self._fill(one)
        self.query_one("#report-text", Static).update(text)

    def _fill(self, section: Section) -> None:
        self._places = [Place("search", item, user) for user, item in section.about]
        table = self.query_one("#report-rows", Table)
        for name in section.rows[0]:
            table.add_column(Text(name))
        for row in section.rows:
            table.add_row(*(Text(printable(cell)) for cell in row.values()))
        self.query_one("#report").border_subtitle = "tab: worst errors, enter: in Search   escape closes"

    @on(Table.RowSelected)
    async def _picked(self) -> None:
        at = self.query_one("#report-rows", Table).current_index
        if at is not None:
            await session_of(self).visit(self._places[at])


def _section(one: Section) -> Text:
    """A heading, the table, and what follows from it."""
    lines = [Text(one.title, style="bold")]
    if one.rows:
        names = list(one.rows[0])
        widths = [max(len(name), *(len(row[name]) for row in one.rows)) for name in names]
        # Names to the left, figures to the right.
        left = [name in ("list", "part", "title", "predicted sd") for name in names]

        def line(cells: list[str]) -> str:
            fitted = zip(cells, widths, left, strict=True)
            return "  ".join(f"{cell:<{width}}" if to_left else f"{cell:>{width}}" for cell, width, to_left in fitted)

        lines.append(Text(line(names), style="dim", no_wrap=True))
        lines += [Text(printable(line([row[name] for name in names])), no_wrap=True) for row in one.rows]
    if one.note:
        lines.append(Text(one.note))
    return Text("\n").join([*lines, Text()])

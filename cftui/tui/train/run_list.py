"""The runs on this machine."""

from __future__ import annotations

import math

from rich.text import Text
from textual import on
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from cftui.engine.runs.summaries import RunSummary
from cftui.tui.session.app import session_of
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.textual_private import SteadyOptionList

# Four letters at the most: the list is narrow.
MARKS = {"done": "ok", "running": "live", "stalled": "slow", "stopped": "stop", "failed": "fail", "dead": "dead"}
ORDERS = ("newest first", "best first")


class _OfRun(Message):
    """Ask for an action on the run called ``name``."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class RunList(SteadyOptionList):
    """A row per run: name, validation loss or NDCG, status. Enter or a click picks one."""

    BINDINGS = bindings("runs")

    class Picked(_OfRun):
        """Somebody wants to see it."""

    class Rename(_OfRun):
        """Somebody wants to give it another name."""

    class Delete(_OfRun):
        """Somebody wants to be rid of it; ask first."""

    class Compare(_OfRun):
        """Somebody wants to know how it differs from the one on show."""

    order = ORDERS[0]
    kept_by: tuple[str, str] | None = None
    _rows: list[RunSummary] = []

    def copy_text(self) -> str:
        """The name of the run under the cursor."""
        return self.current or ""

    @property
    def current(self) -> str | None:
        """Name of the run under the cursor."""
        if self.highlighted is None or not self.option_count:
            return None
        return self.get_option_at_index(self.highlighted).id

    def on_mount(self) -> None:
        self.watch(self.app, "run_rows", lambda rows: self._show([judged.run for judged in rows]))

    def reload(self) -> None:
        """Read the runs again, off the event loop: there may be many, on a slow disk."""
        session_of(self).look_at_runs()

    def _show(self, rows: list[RunSummary]) -> None:
        """Draw what has changed: over SSH every repaint is paid for."""
        if rows != self._rows or not self.option_count:
            self._rows = rows
            self._draw()

    def on_resize(self) -> None:
        if self._rows:
            self._draw()

    def _draw(self) -> None:
        rows, kept = self._rows, self.current
        if self.kept_by:
            what, value = self.kept_by
            rows = [row for row in rows if getattr(row, what) == value]
        if self.order == "best first":
            rows = sorted(rows, key=_by_score)
        self.clear_options()
        width = max(self.scrollable_content_region.width, 24)
        self.border_title = f"runs: {self.kept_by[1]}" if self.kept_by else "runs"
        lists = "N: NDCG@10" if any(row.ndcg is not None for row in rows) else ""
        self.border_subtitle = "  ".join(filter(None, (self.order, lists))) if rows else ""
        if not rows:
            self.add_option(Option(Text("none yet", style="dim"), disabled=True))
            return
        self.add_options([Option(self._row(row, width), id=row.name) for row in rows])
        names = [row.name for row in rows]
        self.highlighted = names.index(kept) if kept in names else 0

    @staticmethod
    def _row(row: RunSummary, width: int) -> Text:
        loss = f"{row.valid_loss:.4f}" if row.valid_loss is not None else "-"
        if row.ndcg is not None:
            loss = f"N{row.ndcg:.4f}".replace("0.", ".", 1)
        name = Text(row.name)
        name.truncate(width - 12, overflow="ellipsis", pad=True)
        return Text.assemble(name, f" {loss:>6} ", (MARKS.get(row.status, "bad"), "dim"), no_wrap=True)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option.id:
            self.post_message(self.Picked(event.option.id))

    def action_sort(self) -> None:
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self._draw()

    def action_filter(self) -> None:
        """All, then those of this recipe, then those of this data set."""
        here = next((row for row in self._rows if row.name == self.current), None)
        if self.kept_by is None and here:
            self.kept_by = ("recipe", here.recipe)
        elif self.kept_by and self.kept_by[0] == "recipe" and here:
            self.kept_by = ("data", here.data)
        else:
            self.kept_by = None
        self._draw()

    def action_rename(self) -> None:
        if self.current:
            self.post_message(self.Rename(self.current))

    def action_delete(self) -> None:
        if self.current:
            self.post_message(self.Delete(self.current))

    def action_compare(self) -> None:
        if self.current:
            self.post_message(self.Compare(self.current))


def _by_score(row: RunSummary) -> tuple[int, float]:
    """Losses first, the lowest before all; then NDCGs, which cannot be compared with them, the highest first."""
    if row.valid_loss is not None:
        return 0, row.valid_loss
    return (1, -row.ndcg) if row.ndcg is not None else (2, math.inf)

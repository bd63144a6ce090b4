"""The runs on this machine, newest first."""

from __future__ import annotations

from rich.text import Text
from textual import on, work
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from cftui.engine.runs import RunSummary

# Four letters at the most: the list is narrow.
MARKS = {
    "done": "ok",
    "running": "live",
    "stalled": "slow",
    "stopped": "stop",
    "failed": "fail",
    "dead": "dead",
}


class RunList(OptionList):
    """A row per run: name, validation loss, how it ended. Enter or a click picks one."""

    class Picked(Message):
        """Somebody wants to see the run called ``name``."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    @work(thread=True, exclusive=True)
    def reload(self) -> None:
        """Read the folder again, off the event loop: there may be many runs, on a slow disk."""
        from cftui.engine.runs import all_runs, summarise

        rows = [summarise(run) for run in reversed(all_runs(self.app.home))]  # type: ignore[attr-defined]
        self.app.call_from_thread(self._show, rows)

    def _show(self, rows: list[RunSummary]) -> None:
        at = self.highlighted
        self.clear_options()
        width = max(self.scrollable_content_region.width, 24)
        if not rows:
            self.add_option(Option(Text("none yet", style="dim"), disabled=True))
            return
        self.add_options([Option(self._row(row, width), id=row.name) for row in rows])
        self.highlighted = min(at or 0, len(rows) - 1)

    @staticmethod
    def _row(row: RunSummary, width: int) -> Text:
        loss = f"{row.valid_loss:.4f}" if row.valid_loss is not None else "-"
        name = Text(row.name)
        name.truncate(width - 12, overflow="ellipsis", pad=True)
        return Text.assemble(name, f" {loss:>6} ", (MARKS.get(row.status, "bad"), "dim"), no_wrap=True)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option.id:
            self.post_message(self.Picked(event.option.id))

"""Two runs side by side: which is better, whether that is more than chance, and in what they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Mount
from textual.widgets import Static

from cftui.errors import CftuiError
from cftui.tui.session.app import session_of
from cftui.tui.shell.remarks import remark
from cftui.tui.shell.sheet import Sheet
from cftui.tui.shell.table import Table

if TYPE_CHECKING:
    from cftui.engine.runs.folder import RunFolder
    from cftui.engine.runs.verdict import Remark


class Comparison(Sheet):
    """The differences of two runs beneath what follows from them."""

    CSS_PATH = "comparison.tcss"

    def __init__(self, one: RunFolder, other: RunFolder, rows: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(f"{one.name} and {other.name}", rows)
        self._runs = one, other

    def compose(self) -> ComposeResult:
        with Vertical(id="comparison"):
            yield Static("which is better: comparing ...", id="winner", markup=False)
            yield from super().compose()

    def on_mount(self, event: Mount) -> None:  # type: ignore[override]
        # Textual calls the handlers of all classes unless told not to, this one first.
        event.prevent_default()
        super().on_mount()
        # The frame is around both.
        frame, table = self.query_one("#comparison"), self.query_one(Table)
        frame.border_title, frame.border_subtitle = table.border_title, table.border_subtitle
        table.border_title = table.border_subtitle = ""
        self._compare()

    @work(thread=True, exclusive=True)
    def _compare(self) -> None:
        """Off the event loop: both models are loaded and judged."""
        from cftui.analysis.evaluation.comparing import compare
        from cftui.analysis.trained import TrainedModel
        from cftui.engine.runs.verdict import Remark

        app = session_of(self)
        try:
            one, other = map(TrainedModel.load, self._runs)
            said = compare(one, other, one.ratings(app.home)).remarks
        except (CftuiError, OSError) as error:
            said = [Remark("neutral", str(error))]
        app.from_worker(self._write, said)

    def _write(self, remarks: Sequence[Remark]) -> None:
        if self.query("#winner"):
            lines = [remark(one.kind, one.words) for one in remarks]
            self.query_one("#winner", Static).update(Content("\n").join(lines))

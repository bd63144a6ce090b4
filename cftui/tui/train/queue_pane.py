"""The pane of the trainings that wait for their turn; it is there only while there are any."""

from __future__ import annotations

from rich.text import Text

from cftui.tui.session.app import session_of
from cftui.tui.session.queue import Queued, moved, without
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList


class QueuePane(RowList):
    """A row per training, the next one first. Enter begins it at once, beside the one that trains."""

    BINDINGS = bindings("queue")

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(enter="Begin now", id=id, classes=classes)
        self._queue: tuple[Queued, ...] = ()

    def on_mount(self) -> None:
        self.border_subtitle = "kept if you quit"
        self.watch(self.app, "queue", self._changed)

    def _changed(self, queue: tuple[Queued, ...]) -> None:
        current = self.current
        self._queue = queue
        self.border_title = f"queue: {len(queue)}"
        if not queue and self.has_focus:
            self.screen.focus_next()
        self.display = bool(queue)

        def render(index: int, _: int) -> Text:
            return Text.assemble((f"{index + 1} ", "dim"), queue[index].what)

        self.show(len(queue), render, keep=True)
        names = [one.name for one in queue]
        if current in names:
            self.move_to(names.index(current))

    @property
    def current(self) -> str | None:
        """The name of the run that the training under the cursor will be."""
        return None if self.cursor is None else self._queue[self.cursor].name

    def action_select(self) -> None:
        if self.cursor is not None:
            session_of(self).begin(self._queue[self.cursor])

    def action_remove(self) -> None:
        if self.current:
            app = session_of(self)
            app.queue = without(app.queue, self.current)

    def action_shift(self, by: int) -> None:
        if self.current:
            app = session_of(self)
            app.queue = moved(app.queue, self.current, by)

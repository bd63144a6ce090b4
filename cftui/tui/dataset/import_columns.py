"""The first rows of a file to be imported; each column wears what it is taken for."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text
from textual.message import Message

from cftui.text import printable
from cftui.tui.dataset.import_sample import Sample
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.table import Table

# The widest cell shown, in characters.
CELL = 32


class ColumnTable(Table):
    """Letters say what the column under the cursor is. The screen keeps the marks."""

    BINDINGS = bindings("columns")
    # Its columns are what is being asked about; a file is read in its own order.
    arranges = False

    class Marked(Message):
        """A letter was pressed on the column ``at``."""

        def __init__(self, letter: str, at: int) -> None:
            super().__init__()
            self.letter, self.at = letter, at

    class WithoutValues(Message):
        """There are no ratings: every row says that something was chosen."""

    class Unrated(Message):
        """The odd value of the ratings says that nothing was rated."""

    class Formatted(Message):
        """Ask for another delimiter or encoding: ``what`` is one of these."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self, id: str) -> None:
        super().__init__(id=id, cursor_type="column", zebra_stripes=True, header_height=2)

    def show(self, sample: Sample, marks: Mapping[str, int]) -> None:
        """Fill it anew, the cursor on the column where it was."""
        roles = {at: role for role, at in marks.items()}
        at, scroll = self.cursor_column, self.scroll_x
        self.clear(columns=True)
        for column in range(len(sample.columns)):
            label = printable(sample.label(column))[:CELL]
            self.add_column(Text.assemble((roles.get(column, ""), "bold reverse"), "\n", label))
        for line, cells in sample.rows:
            if isinstance(cells, str):
                cells = [f"line {line}: {cells}", *[""] * (len(sample.columns) - 1)]
            self.add_row(*(Text(printable(cell[:CELL])) for cell in cells))
        self.move_cursor(column=min(at, len(sample.columns) - 1))
        self.scroll_to(x=scroll, animate=False)

    def action_mark(self, letter: str) -> None:
        self.post_message(self.Marked(letter, self.cursor_column))

    def action_each_row(self) -> None:
        self.post_message(self.WithoutValues())

    def action_unrated(self) -> None:
        self.post_message(self.Unrated())

    def action_format(self, what: str) -> None:
        self.post_message(self.Formatted(what))

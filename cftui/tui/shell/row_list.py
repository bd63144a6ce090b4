"""A list of any number of rows, of which only those in view are ever made: a hundred thousand cost what ten do.

By hand because Textual's own lists make, measure and lay out every row when they are filled, which at each key press
of a search is most of the time between the key and the screen.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from cftui.text import printable
from cftui.tui.shell.keys import bindings

CURSOR = "row-list--cursor"
# So wide that no row is cut.
WIDE = 400

RenderRow = Callable[[int, int], Text]
"""``render(index, width)``: one line of text for the row; what is wider than ``width`` cells is cut."""


class RowList(ScrollView, can_focus=True):
    """Rows with a cursor on one of them; filled by ``show``.

    Keys move the cursor; enter selects the row it is on. A click moves the cursor, and selects the row if the cursor
    is on it already: twice to pick, as one looks before one leaps.

    Args:
        placeholder: what an empty list shows, dimmed; long text is wrapped.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {CURSOR}
    DEFAULT_CSS = """
    RowList {
        width: 1fr;
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;

        & > .row-list--cursor {
            color: $block-cursor-blurred-foreground;
            background: $block-cursor-blurred-background;
        }
        &:focus > .row-list--cursor {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
        }
    }
    """
    BINDINGS = bindings("list")

    placeholder: reactive[str] = reactive("")

    class _OfRow(Message):
        """Something happened to the row ``index`` of ``row_list``."""

        def __init__(self, row_list: RowList, index: int) -> None:
            super().__init__()
            self.row_list = row_list
            self.index = index

        @property
        def control(self) -> RowList:
            return self.row_list

    class Highlighted(_OfRow):
        """The cursor has moved to the row."""

    class Selected(_OfRow):
        """Enter, or a click where the cursor was."""

    def __init__(self, placeholder: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.set_reactive(RowList.placeholder, placeholder)
        self._count = 0
        self._render_row: RenderRow = lambda index, width: Text()
        self._cursor: int | None = None

    def copy_text(self) -> str:
        """The row with the cursor, in full."""
        return "" if self._cursor is None else self._render_row(self._cursor, WIDE).plain.strip()

    @property
    def count(self) -> int:
        return self._count

    @property
    def cursor(self) -> int | None:
        """Index of the row with the cursor; None if, and only if, there are no rows."""
        return self._cursor

    def show_instead(self, message: str) -> None:
        """Show no rows but a message, such as why there are none."""
        drawn, self.placeholder = self._rows_drawn(), message
        self.show(0, lambda index, width: Text())
        self.refresh(Region(0, 0, self.size.width, max(drawn, self._rows_drawn())))

    def show(self, count: int, render: RenderRow, *, keep: bool = False, announce: bool = False) -> None:
        """Show the rows 0 to ``count - 1``.

        Args:
            render: makes a row when it comes into view; called anew each time it is drawn.
            keep: leave the cursor on its index (or the last row) instead of the first row.
            announce: post ``Highlighted`` for the row with the cursor, if there is one.
        """
        stay = self._cursor if keep and self._cursor is not None else 0
        drawn = self._rows_drawn()
        self._count, self._render_row = count, render
        self._cursor = min(stay, count - 1) if count else None
        if self.virtual_size.height != count:
            # Assigned the usual way, a size lays out the whole screen. The scrollbar alone is enough, which asks for
            # a layout itself when it comes or goes.
            self.set_reactive(Widget.virtual_size, Size(0, count))
            self._scroll_update(self.virtual_size)
            if self.styles.auto_dimensions:
                self.refresh(layout=True)
        if not keep:
            self._scroll_to_row(0)
        self._follow()
        self.refresh(Region(0, 0, self.size.width, max(drawn, self._rows_drawn())))
        if announce and self._cursor is not None:
            self.post_message(self.Highlighted(self, self._cursor))

    def move_to(self, index: int) -> None:
        """Move the cursor to a row, or the nearest, and scroll to it; do nothing if empty."""
        if self._cursor is None:
            return
        before, self._cursor = self._cursor, min(max(index, 0), self._count - 1)
        self._follow()
        if self._cursor != before:
            self._refresh_row(before)
            self._refresh_row(self._cursor)
            self.post_message(self.Highlighted(self, self._cursor))

    # Keys and clicks

    def action_move(self, by: int) -> None:
        if self._cursor is not None:
            self.move_to(self._cursor + by)

    def action_page(self, way: int) -> None:
        self.action_move(way * max(self._height, 1))

    def action_first(self) -> None:
        self.move_to(0)

    def action_last(self) -> None:
        self.move_to(self._count - 1)

    def action_select(self) -> None:
        if self._cursor is not None:
            self.post_message(self.Selected(self, self._cursor))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        index = offset.y + self.scroll_offset.y
        if index == self._cursor:
            self.action_select()
        elif index < self._count:
            self.move_to(index)

    # The window on the rows

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _height(self) -> int:
        return self.scrollable_content_region.height

    def _rows_drawn(self) -> int:
        """Lines that are not blank, those of the placeholder included."""
        return min(max(self._count, len(textwrap.wrap(self.placeholder, max(self._width, 1))), 1), self._height)

    def _scroll_to_row(self, top: int) -> None:
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)

    def _follow(self) -> None:
        """Scroll no further than the row with the cursor needs to be in view."""
        if self._cursor is not None and self._height > 0:
            top = self.scroll_offset.y
            self._scroll_to_row(min(max(top, self._cursor - self._height + 1), self._cursor))

    def _refresh_row(self, index: int) -> None:
        """Draw one row again; Textual sends a whole region, changed or not."""
        if 0 <= index - self.scroll_offset.y < self._height:
            self.refresh_line(index)

    def on_resize(self) -> None:
        self._follow()

    # Drawing

    def render_line(self, y: int) -> Strip:
        width = self._width
        if width <= 0:
            return Strip([])
        index = y + self.scroll_offset.y
        if index < self._count:
            return self._strip(self._render_row(index, width), width, is_cursor=index == self._cursor)
        if not self._count and y < len(lines := textwrap.wrap(self.placeholder, width)):
            return self._strip(Text(lines[y], style="dim"), width)
        return Strip.blank(width, self.rich_style)

    def _strip(self, text: Text, width: int, *, is_cursor: bool = False) -> Strip:
        """One line, exactly ``width`` cells wide."""
        text = text.copy()
        if not text.plain.isprintable():
            text.plain = printable(text.plain)
        text.truncate(width, overflow="ellipsis", pad=True)
        text.end = ""
        console = self.app.console
        # Rich leaves the style of the whole text out of what it renders.
        base = self.rich_style + console.get_style(text.style)
        over = self._cursor_style() if is_cursor else None
        return Strip(Segment.apply_style(text.render(console), base, over), width)

    def _cursor_style(self) -> Style:
        """One colour for the whole row. Without colours, reverse video tells the cursor of the list with the focus."""
        style = self.get_component_rich_style(CURSOR)
        if self.has_focus:
            return Style(color=style.bgcolor, bgcolor=style.color, reverse=True, bold=True, dim=False)
        return Style(color=style.color, bgcolor=style.bgcolor, underline=True, bold=True, dim=False)

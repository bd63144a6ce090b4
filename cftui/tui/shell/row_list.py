"""A list of any number of rows, of which only those in view are ever made: a hundred thousand cost what ten do.

By hand because Textual's own lists make, measure and lay out every row when they are filled, which at each key press
of a search is most of the time between the key and the screen.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace

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
from cftui.tui.shell.arranging import Arranged
from cftui.tui.shell.columns import GAP, Column, Order, arranged, heads, widths, with_note
from cftui.tui.shell.keys import bindings

CURSOR = "row-list--cursor"
# So wide that no row is cut.
WIDE = 400

RenderRow = Callable[[int, int], Text]
"""``render(index, width)``: one line of text for the row; what is wider than ``width`` cells is cut."""


class RowList(Arranged, ScrollView, can_focus=True):
    """Rows with a cursor on one of them; filled by ``show``.

    Keys move the cursor; enter selects the row it is on. A click moves the cursor, and selects the row if the cursor
    is on it already: twice to pick, as one looks before one leaps.

    With columns, their heads stand above the rows, and the rows can be sorted and filtered. An index is always that of
    a row as it was given to ``show``; where the row stands is the list's own affair.

    Args:
        placeholder: what an empty list shows, dimmed; long text is wrapped.
        enter: what enter does, for the key bar; "" keeps it out of there.
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
    BINDINGS = [*bindings("list"), *bindings("arrange")]

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

    def __init__(
        self, placeholder: str = "", *, enter: str = "", id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.set_reactive(RowList.placeholder, placeholder)
        self.enter = enter
        self._count = 0
        self._render_row: RenderRow = lambda index, width: Text()
        self._columns: Sequence[Column] = ()
        self._words: Callable[[int], str] | None = None
        # The rows in view, in their order; None: all of them as they were given.
        self._view: list[int] | None = None
        # The cursor's place in view, and the lines drawn last.
        self._place: int | None = None
        self._drawn = 0

    def copy_text(self) -> str:
        """The row with the cursor, in full; of the padding of its columns two blanks are left."""
        if self.cursor is None:
            return ""
        return re.sub(r" {2,}", "  ", printable(self._render_row(self.cursor, WIDE).plain).strip())

    @property
    def count(self) -> int:
        """How many rows there are, those that the filter leaves out included."""
        return self._count

    @property
    def in_view(self) -> int:
        """How many rows the filter keeps."""
        return self._count if self._view is None else len(self._view)

    @property
    def cursor(self) -> int | None:
        """Index of the row with the cursor; None if, and only if, no row is in view."""
        return None if self._place is None else self._index(self._place)

    def _index(self, place: int) -> int:
        return place if self._view is None else self._view[place]

    def show_instead(self, message: str) -> None:
        """Show no rows but a message, such as why there are none."""
        self.placeholder = message
        self.show(0, lambda index, width: Text())

    def show(
        self,
        count: int,
        render: RenderRow,
        *,
        keep: bool = False,
        announce: bool = False,
        columns: Sequence[Column] = (),
        words: Callable[[int], str] | None = None,
    ) -> None:
        """Show the rows 0 to ``count - 1``.

        Args:
            render: makes a row when it comes into view; called anew each time it is drawn.
            keep: leave the cursor on its index (or the last row) instead of the first row.
            announce: post ``Highlighted`` for the row with the cursor, if there is one.
            columns: what the heads say and the rows can be sorted by. Without columns, there are no heads, and the rows
                are neither sorted nor filtered. The order and the filter stay as long as the titles are the same.
            words: what the filter looks in; without it, the rows as they are drawn.
        """
        before = self.cursor if keep else None
        if [one.title for one in columns] != [one.title for one in self._columns]:
            self.arrangement = Order()
        self._columns, self._words = columns, words
        self._count, self._render_row = count, render
        self._lay_out(before, keep)
        if announce and self.cursor is not None:
            self.post_message(self.Highlighted(self, self.cursor))

    def _lay_out(self, before: int | None, keep: bool) -> None:
        """Find the rows in view and draw them, the cursor on the row ``before`` if it is still there."""
        self._view = self._arranged()
        in_view = self.in_view
        stay = 0
        if before is not None:
            stay = before if self._view is None else self._view.index(before) if before in self._view else 0
        self._place = min(stay, in_view - 1) if in_view else None
        height = in_view + self._head
        if self.virtual_size.height != height:
            # Assigned the usual way, a size lays out the whole screen. The scrollbar alone is enough, which asks for
            # a layout itself when it comes or goes.
            self.set_reactive(Widget.virtual_size, Size(0, height))
            self._scroll_update(self.virtual_size)
            if self.styles.auto_dimensions:
                self.refresh(layout=True)
        if not keep:
            self._scroll_to_row(0)
        self._follow()
        drawn = self._drawn
        self._drawn = self._rows_drawn()
        self.refresh(Region(0, 0, self.size.width, max(drawn, self._drawn)))

    def move_to(self, index: int) -> None:
        """Move the cursor to a row, or the nearest, and scroll to it; do nothing if it is not in view."""
        index = min(max(index, 0), self._count - 1)
        if self._view is None:
            self._move_to_place(index)
        elif index in self._view:
            self._move_to_place(self._view.index(index))

    def _move_to_place(self, place: int) -> None:
        if self._place is None:
            return
        before, self._place = self._place, min(max(place, 0), self.in_view - 1)
        self._follow()
        if self._place != before:
            self._refresh_row(before)
            self._refresh_row(self._place)
            self.post_message(self.Highlighted(self, self._index(self._place)))

    # Order and filter

    def sortable(self) -> Sequence[str]:
        return [column.title for column in self._columns if column.values is not None]

    def filterable(self) -> bool:
        return bool(self._columns) and self._count > 0

    def rearrange(self) -> None:
        self._lay_out(self.cursor, keep=True)
        if self.cursor is not None:
            self.post_message(self.Highlighted(self, self.cursor))

    def _arranged(self) -> list[int] | None:
        values = next((column.values for column in self._columns if column.title == self.arrangement.by), None)
        if values is None and not self.arrangement.words:
            return None
        return arranged(self._count, self.arrangement, values, self._words or self._drawn_words)

    def _drawn_words(self, index: int) -> str:
        return self._render_row(index, WIDE).plain

    # Keys and clicks

    def action_move(self, by: int) -> None:
        if self._place is not None:
            self._move_to_place(self._place + by)

    def action_page(self, way: int) -> None:
        self.action_move(way * max(self._height, 1))

    def action_first(self) -> None:
        self._move_to_place(0)

    def action_last(self) -> None:
        self._move_to_place(self.in_view - 1)

    def action_select(self) -> None:
        if self.cursor is not None:
            self.post_message(self.Selected(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < self._head:
            self._sort_by_column_at(offset.x)
            return
        place = offset.y - self._head + self.scroll_offset.y
        if place == self._place:
            self.action_select()
        elif place < self.in_view:
            self._move_to_place(place)

    def _sort_by_column_at(self, x: int) -> None:
        """A click on a head sorts by its column, a second one the other way."""
        end = 0
        for column, wide in zip(self._columns, widths(self._columns, self._width), strict=True):
            end += wide + GAP
            if x < end:
                if column.values is not None:
                    same = self.arrangement.by == column.title
                    self.set_order(
                        replace(self.arrangement, by=column.title, descending=same and not self.arrangement.descending)
                    )
                return

    # The window on the rows

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _head(self) -> int:
        """Lines above the rows."""
        return int(bool(self._columns))

    @property
    def _height(self) -> int:
        """Lines for rows."""
        return self.scrollable_content_region.height - self._head

    def _rows_drawn(self) -> int:
        """Lines that are not blank, those of the placeholder included."""
        lines = max(self.in_view, len(textwrap.wrap(self.placeholder, max(self._width, 1))), 1)
        return min(lines + self._head, self._height + self._head)

    def _scroll_to_row(self, top: int) -> None:
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)

    def _follow(self) -> None:
        """Scroll no further than the row with the cursor needs to be in view."""
        if self._place is not None and self._height > 0:
            top = self.scroll_offset.y
            self._scroll_to_row(min(max(top, self._place - self._height + 1), self._place))

    def _refresh_row(self, place: int) -> None:
        """Draw one row again; Textual sends a whole region, changed or not."""
        if 0 <= place - self.scroll_offset.y < self._height:
            self.refresh_line(place + self._head)

    def on_resize(self) -> None:
        self._follow()
        self._drawn = self._rows_drawn()

    # Drawing

    def render_line(self, y: int) -> Strip:
        width = self._width
        if width <= 0:
            return Strip([])
        if y < self._head:
            return self._strip(self._heads(width), width)
        y -= self._head
        place = y + self.scroll_offset.y
        if place < self.in_view:
            return self._strip(self._render_row(self._index(place), width), width, is_cursor=place == self._place)
        empty = self.placeholder if not self._count else f"no row with {self.arrangement.words!r}"
        if not self.in_view and y < len(lines := textwrap.wrap(empty, width)):
            return self._strip(Text(lines[y], style="dim"), width)
        return Strip.blank(width, self.rich_style)

    def _heads(self, width: int) -> Text:
        """The heads; with a filter, what it is and what it keeps at their right end."""
        text = heads(self._columns, self.arrangement, width)
        return with_note(text, self.arrangement, self.in_view, self._count, width)

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

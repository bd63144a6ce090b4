"""Every use of Textual's private names, each with the reason for it and the version that needs it.

A private name may go in any release. ``tests/tui/shell/test_textual_private.py`` has a test for each use here that
fails when its name goes, so that nobody finds out from a screen that stopped working.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual._two_way_dict import TwoWayDict
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.command import CommandPalette
from textual.content import Content
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widgets import Checkbox, DataTable, OptionList, Select
from textual.widgets._select import SelectCurrent, SelectOverlay
from textual.widgets.data_table import RowKey


def add_filter(app: App[Any], line_filter: LineFilter) -> None:
    """Send every line through a filter before it reaches the terminal.

    Textual 8.2.8 makes its own filters from the environment and has no way to add one.
    """
    app._filters.append(line_filter)


def set_filter(app: App[Any], line_filter: LineFilter) -> None:
    """Put a filter before all others, in the place of an earlier one of its kind.

    Textual 8.2.8 makes its own filters from the environment and has no way to add one.
    """
    app._filters[:] = [line_filter, *(kept for kept in app._filters if type(kept) is not type(line_filter))]


def write_to_terminal(app: App[Any], sequence: str) -> None:
    """Write an escape sequence past the screen.

    Textual 8.2.8 can copy to the clipboard, but not wrapped for tmux and screen.
    """
    if app._driver is not None:
        app._driver.write(sequence)


def remember_copied(app: App[Any], text: str) -> None:
    """Make ``App.clipboard`` return this. Textual 8.2.8 sets it only together with its own escape sequence."""
    app._clipboard = text


def remember_exception(app: App[Any], error: Exception) -> None:
    """Let ``run_test`` raise an error that the app survived; the first one counts.

    Textual 8.2.8 records errors only where it also ends the app.
    """
    app._exception = app._exception or error


def all_screens(app: App[Any]) -> Iterator[Screen[Any]]:
    """The screens of all modes, those beneath others included. Textual 8.2.8 gives only the current mode's stack."""
    for stack in app._screen_stacks.values():
        yield from stack


def has_binding(node: DOMNode, id: str) -> bool:
    """Whether a screen or widget binds an action itself. Textual 8.2.8 tells only what is bound around the focus."""
    return any(binding.id == id for _, binding in node._bindings)


def mapped_bindings(screen: Screen[Any]) -> Iterator[Binding]:
    """A screen's own bindings with the keys of the configuration.

    ``Screen.active_bindings`` of Textual 8.2.8 leaves out those whose keys the focused field takes for letters.
    """
    mapped = screen._bindings.copy()
    mapped.apply_keymap(screen.app._keymap)
    for same in mapped.key_to_bindings.values():
        yield from same


class SteadyPalette(CommandPalette):
    """Textual's palette. In 8.2.8 a page key raises KeyError if it comes before the list has been laid out."""

    def _action_command_list(self, action: str) -> None:
        try:
            super()._action_command_list(action)
        except KeyError:
            self.log(f"{action} before there was a page")


class SteadyOptionList(OptionList):
    """Textual's list. In 8.2.8 a page key raises KeyError if it comes before the list has been laid out."""

    def _move_page(self, direction: Any) -> None:
        with contextlib.suppress(KeyError):
            super()._move_page(direction)


class QuickTable(DataTable[Text]):
    """Textual's table. 8.2.8 wraps and pads each cell as it would a paragraph; a cell of one line is drawn at once.

    What is drawn is the same. A crosstab draws more than a thousand cells for every new order of its rows.
    """

    def put_in_order(self, keys: Sequence[str]) -> None:
        """Show the rows, all of which are named, in this order. ``sort`` of 8.2.8 knows cells, and not their rows."""
        known = {key.value: key for key in self.rows}
        self._row_locations = TwoWayDict({known[key]: place for place, key in enumerate(keys)})
        self._update_count += 1
        self.refresh()

    def _render_cell(
        self,
        row_index: int,
        column_index: int,
        base_style: Style,
        width: int,
        cursor: bool = False,
        hover: bool = False,
    ) -> list[list[Segment]]:
        is_header, is_label = row_index == -1, column_index == -1
        row = None if is_header else self.rows[self._row_locations.get_key(row_index) or RowKey()]
        height = row.height if row is not None else self.header_height
        cell = None if is_label else self._get_row_renderables(row_index).cells[column_index]
        if height != 1 or not isinstance(cell, Text) or cell.justify == "full" or not cell.plain.isprintable():
            return super()._render_cell(row_index, column_index, base_style, width, cursor, hover)
        is_fixed = not is_header and (row_index < self.fixed_rows or column_index < self.fixed_columns)
        before, after = self._get_styles_to_render_cell(
            is_header,
            is_label,
            is_fixed,
            hover,
            cursor,
            self.show_cursor,
            self._show_hover_cursor,
            self.cursor_foreground_priority == "css",
            self.cursor_background_priority == "css",
        )
        place = Style.from_meta({"row": row_index, "column": column_index})
        padding = [Segment(" " * self.cell_padding)] if self.cell_padding else []
        segments = [*padding, *one_line(cell, width - 2 * self.cell_padding).render(self.app.console), *padding]
        return [list(Segment.apply_style(segments, base_style + place + before, after))]


def one_line(cell: Text, width: int) -> Text:
    """The text cut or padded to ``width`` cells, as Rich does it for text that is not wrapped."""
    text = cell.copy()
    text.end = ""
    overflow = text.overflow or "fold"
    if text.justify == "right" or text.justify == "center":
        text.rstrip()
        text.truncate(width, overflow=overflow)
        text.align(text.justify, width)
    text.truncate(width, overflow=overflow)
    # Rich leaves the style of the whole text out of what it renders.
    text.stylize_before(text.style)
    text.pad_right(width - text.cell_len)
    return text


class _SteadyOverlay(SelectOverlay):
    # It takes all letters to find an entry by: the key bar has these two left.
    BINDINGS = [("enter", "select", "Choose"), ("escape", "dismiss", "Close")]

    def _move_page(self, direction: Any) -> None:
        with contextlib.suppress(KeyError):
            super()._move_page(direction)


class SteadySelect(Select[str]):
    """Textual's drop-down list. In 8.2.8 a page key raises KeyError if it comes before the list has been laid out."""

    def compose(self) -> ComposeResult:
        yield SelectCurrent(self.prompt)
        yield _SteadyOverlay(type_to_search=self._type_to_search).data_bind(compact=Select.compact)


class Tick(Checkbox):
    """A check box that is recognisable without colours, too. Textual 8.2.8 marks the two states by colour alone."""

    @property
    def _button(self) -> Content:
        return Content("[x]" if self.value else "[ ]")

"""Every use of Textual's private names, each with the reason for it and the version that needs it.

A private name may go in any release. ``tests/tui/shell/test_textual_private.py`` has a test for each use here that
fails when its name goes, so that nobody finds out from a screen that stopped working.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.command import CommandPalette
from textual.content import Content
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widgets import Checkbox, OptionList, Select
from textual.widgets._select import SelectCurrent, SelectOverlay


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

"""Textual's private names: each use fails here when its name goes, and no other file has any."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.color import Color
from textual.command import CommandPalette
from textual.filter import LineFilter
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Checkbox, DataTable, OptionList, Static
from textual.widgets._select import SelectOverlay

import cftui.tui
from cftui.tui.shell import textual_private as private

# Textual's own, which are reached through ``self`` in a class of ours.
APP = ["_filters", "_driver", "_clipboard", "_exception", "_screen_stacks", "_keymap", "_bindings"]
TABLE = ["_render_cell", "_row_locations", "_update_count"]
INHERITED = {*APP, *TABLE}


def private_names(source: str) -> set[str]:
    """Private names that belong to something other than ``self``, or that ``self`` inherits."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not own or node.attr in INHERITED:
                found.add(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual._"):
            found.add(str(node.module))
    return found


def test_no_other_file_uses_a_private_name_of_textual() -> None:
    """Except for what Textual calls where an error ends the app: that is overridden where the app is."""
    folder = Path(cftui.tui.__file__).parent
    found = set()
    for path in folder.rglob("*.py"):
        if path.name != "textual_private.py":
            found |= private_names(path.read_text())
    assert found - {"os._exit"} == {"super()._handle_exception"}


class Shout(LineFilter):
    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text.upper(), style, control) for text, style, control in segments]


class Small(App[None]):
    BINDINGS = [("a", "bell", "Ring")]

    def compose(self):
        yield Static("quiet")


async def test_a_filter_changes_what_is_drawn() -> None:
    app = Small()
    private.add_filter(app, Shout())
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.screen._compositor.render_strips()[0].text.startswith("QUIET")


async def test_a_filter_takes_the_place_of_one_of_its_kind() -> None:
    app = Small()
    private.set_filter(app, Shout())
    private.set_filter(app, last := Shout())
    assert [kept for kept in app._filters if isinstance(kept, Shout)] == [last]
    assert app._filters[0] is last


async def test_a_sequence_reaches_the_driver_and_what_was_copied_is_remembered(monkeypatch) -> None:
    app = Small()
    written: list[str] = []
    private.write_to_terminal(app, "too early")
    async with app.run_test():
        monkeypatch.setattr(app._driver, "write", written.append)
        private.write_to_terminal(app, "\x1b]52;c;")
        private.remember_copied(app, "Fargo")
        monkeypatch.undo()
    assert "\x1b]52;c;" in written
    assert app.clipboard == "Fargo"


async def test_an_error_that_was_survived_is_raised_at_the_end_of_a_test() -> None:
    app = Small()

    async def survive() -> None:
        async with app.run_test():
            private.remember_exception(app, ZeroDivisionError())
            private.remember_exception(app, ValueError())

    with pytest.raises(ZeroDivisionError):
        await survive()


async def test_the_screens_of_all_modes_are_found() -> None:
    class Modes(App[None]):
        MODES = {"one": Screen, "two": Screen}

    app = Modes()
    async with app.run_test():
        await app.switch_mode("one")
        beneath = app.screen
        await app.push_screen(Screen())
        await app.switch_mode("two")
        assert {beneath, app.screen} < {*private.all_screens(app)}


async def test_bindings_have_the_keys_of_the_configuration() -> None:
    from textual.binding import Binding

    class Bound(Screen[None]):
        BINDINGS = [Binding("a", "app.bell", "Ring", id="ring")]

    app = Small()
    app.set_keymap({"ring": "f9"})
    async with app.run_test():
        screen = Bound()
        await app.push_screen(screen)
        assert {binding.key for binding in private.mapped_bindings(screen) if binding.id == "ring"} == {"f9"}


@pytest.mark.parametrize(
    ("ours", "base", "name"),
    [
        (private.SteadyPalette, CommandPalette, "_action_command_list"),
        (private.SteadyOptionList, OptionList, "_move_page"),
        (private._SteadyOverlay, SelectOverlay, "_move_page"),
        (private.Tick, Checkbox, "_button"),
    ],
)
def test_what_is_overridden_is_there_and_is_what_textual_calls(ours: type, base: type, name: str) -> None:
    assert name in vars(ours)
    definers = [kind for kind in base.__mro__ if name in vars(kind)]
    assert definers
    callers = Path(__import__(definers[0].__module__, fromlist=["_"]).__file__).read_text()
    assert callers.count(name) > 1


class Choosing(App[None]):
    def compose(self):
        yield private.SteadySelect([(one, one) for one in ("a", "b", "c")], allow_blank=False)


async def test_a_page_key_before_a_drop_down_list_is_laid_out_does_nothing() -> None:
    app = Choosing()
    async with app.run_test() as pilot:
        overlay = app.query_one(SelectOverlay)
        overlay.highlighted = 1
        # Not open, so without lines: what a page key finds that comes together with the key that opens it.
        overlay.action_page_down()
        await pilot.press("enter", "down", "enter")
        assert app.query_one(private.SteadySelect).value == "b"


class Cells(App[None]):
    """A table of cells of every kind, in columns some of which are too narrow for them."""

    TEXTS = (
        Text("Star Wars (1977)"),
        Text("12", justify="right"),
        Text("12  ", justify="center"),
        Text("a long number  ", justify="right", style="bold"),
        Text("a title that is cut for sure"),
        Text("a title that is cut for sure", overflow="ellipsis"),
        Text.assemble(("3", "bold red"), "  of  ", ("4", "dim")),
        Text("dim", style="dim", justify="right"),
        Text("宇宙戦艦ヤマト新たなる旅立ち"),
        Text(""),
        Text("one\ntwo"),
        Text("a\tb"),
    )

    def compose(self):
        yield private.QuickTable(cursor_type="row", zebra_stripes=True, fixed_columns=1)

    def on_mount(self) -> None:
        table = self.query_one(private.QuickTable)
        for width in (14, 9, 2, 1):
            table.add_column(Text("what it is", justify="right"), width=width)
        for at in range(len(self.TEXTS)):
            table.add_row(*(self.TEXTS[(at + more) % len(self.TEXTS)] for more in range(4)), key=str(at))


@pytest.mark.parametrize("padding", [0, 1])
async def test_a_cell_of_one_line_is_drawn_as_textual_draws_it(padding: int) -> None:
    app = Cells()
    async with app.run_test(size=(60, 40)) as pilot:
        table = app.query_one(private.QuickTable)
        table.cell_padding = padding
        await pilot.pause()
        style = Style(color="red", bgcolor="blue")
        for row, column, has_cursor in itertools.product(range(-1, len(app.TEXTS)), range(4), (False, True)):
            width = table.ordered_columns[column].get_render_width(table)
            ours = table._render_cell(row, column, style, width, has_cursor)
            theirs = DataTable._render_cell(table, row, column, style, width, has_cursor)
            assert [Strip(line).simplify() for line in ours] == [Strip(line).simplify() for line in theirs], (
                row,
                column,
            )


async def test_rows_are_put_in_another_order() -> None:
    app = Cells()
    async with app.run_test() as pilot:
        table = app.query_one(private.QuickTable)
        before = [str(table.get_row_at(row)[0]) for row in range(table.row_count)]
        keys = [row.key.value or "" for row in table.ordered_rows]
        table.put_in_order(keys[::-1])
        await pilot.pause()
        assert [str(table.get_row_at(row)[0]) for row in range(table.row_count)] == before[::-1]

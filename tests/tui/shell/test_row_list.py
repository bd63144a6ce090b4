"""The list that makes only the rows in view, on an app of its own."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from cftui.tui.shell.row_list import RowList

WIDTH, HEIGHT = 40, 8


class ListApp(App[None]):
    """A field above two lists: the first is the one tested, the second proves that messages are told apart."""

    CSS = "Vertical { height: 8; width: 40; } #other { height: 3; }"

    def __init__(self, count: int = 0) -> None:
        super().__init__()
        self.count = count
        self.heard: list[tuple[str, int]] = []
        self.drawn: list[int] = []

    def compose(self) -> ComposeResult:
        yield Input(compact=True)
        with Vertical():
            rows = RowList("nothing [b]here", id="rows")
            # Filled before it has a size: shown all the same.
            rows.show(self.count, self.row)
            yield rows
        yield RowList(id="other")

    def on_mount(self) -> None:
        self.rows.focus()

    @property
    def rows(self) -> RowList:
        return self.query_one("#rows", RowList)

    def row(self, index: int, width: int) -> Text:
        self.drawn.append(index)
        return Text(f"row {index}")

    @on(RowList.Highlighted, "#rows")
    def _highlighted(self, event: RowList.Highlighted) -> None:
        assert event.control is event.row_list is self.rows
        self.heard.append(("highlighted", event.index))

    @on(RowList.Selected, "#rows")
    def _selected(self, event: RowList.Selected) -> None:
        self.heard.append(("selected", event.index))


def lines(rows: RowList) -> list[str]:
    """What stands in the list, line by line."""
    return [rows.render_line(y).text.rstrip() for y in range(rows.size.height)]


def attributes(rows: RowList, y: int) -> set[str]:
    """What every cell of a line has."""
    styles = [segment.style for segment in rows.render_line(y) if segment.style is not None]
    return {name for name in ("bold", "dim", "reverse", "underline") if all(getattr(style, name) for style in styles)}


async def fill(pilot: Pilot[None], count: int, **how: Any) -> RowList:
    app = pilot.app
    assert isinstance(app, ListApp)
    app.rows.show(count, app.row, **how)
    await pilot.pause()
    return app.rows


async def test_only_rows_in_view_are_made() -> None:
    app = ListApp(100_000)
    async with app.run_test() as pilot:
        assert lines(app.rows) == [f"row {n}" for n in range(HEIGHT)]
        await pilot.press("end")
        assert app.rows.cursor == 99_999
        assert lines(app.rows) == [f"row {n}" for n in range(100_000 - HEIGHT, 100_000)]
        assert len(set(app.drawn)) == 2 * HEIGHT
        app.drawn.clear()
        rows = await fill(pilot, 1_000_000)
        assert rows.cursor == rows.scroll_offset.y == 0
        assert sorted(set(app.drawn)) == list(range(HEIGHT))
        assert app.heard == [("highlighted", 99_999)]


@pytest.mark.parametrize(
    ("keys", "at"),
    [
        ("down j j up", 2),
        ("k up", 0),
        ("end", 49),
        ("G j down", 49),
        ("G g", 0),
        ("end home", 0),
        ("pagedown", HEIGHT),
        ("ctrl+d ctrl+d pageup", HEIGHT),
        ("G ctrl+u", 49 - HEIGHT),
        ("pageup", 0),
        ("G pagedown", 49),
    ],
)
async def test_keys_move_the_cursor_and_keep_it_in_view(keys: str, at: int) -> None:
    app = ListApp(50)
    async with app.run_test() as pilot:
        for key in keys.split():
            await pilot.press(key)
            assert f"row {app.rows.cursor}" in lines(app.rows)
        assert app.rows.cursor == at
        # One message for each key that moved it, none for a key at an end.
        moved = [index for what, index in app.heard if what == "highlighted"]
        assert len(moved) == len(app.heard) <= len(keys.split())
        assert all(one != next_one for one, next_one in zip([0, *moved], moved, strict=False))
        await pilot.press("enter")
        assert app.heard[-1] == ("selected", at)


async def test_a_move_scrolls_no_further_than_it_must() -> None:
    app = ListApp(50)
    async with app.run_test() as pilot:
        app.rows.move_to(HEIGHT)
        await pilot.pause()
        assert app.rows.scroll_offset.y == 1
        app.rows.move_to(1)
        await pilot.pause()
        assert app.rows.scroll_offset.y == 1
        app.rows.move_to(0)
        await pilot.pause()
        assert app.rows.scroll_offset.y == 0


async def test_a_click_moves_and_a_second_selects() -> None:
    app = ListApp(50)
    async with app.run_test() as pilot:
        app.rows.move_to(20)
        await pilot.pause()
        top = app.rows.scroll_offset.y
        await pilot.click("#rows", offset=(3, 2))
        assert app.heard == [("highlighted", 20), ("highlighted", top + 2)]
        await pilot.click("#rows", offset=(30, 2))
        assert app.heard[2:] == [("selected", top + 2)]


async def test_clicks_beside_the_rows_do_nothing() -> None:
    app = ListApp(3)
    async with app.run_test() as pilot:
        await pilot.click("#rows", offset=(3, 5))
        await pilot.click("#rows", offset=(WIDTH - 1, 1))
        assert app.heard == [("highlighted", 1)]
        rows = await fill(pilot, 50)
        app.heard.clear()
        # There is a scrollbar now.
        await pilot.click("#rows", offset=(WIDTH - 1, 1))
        assert rows.cursor == 0
        assert app.heard == []


async def test_what_moves_it_is_said_once_and_filling_is_not() -> None:
    app = ListApp(10)
    async with app.run_test() as pilot:
        rows = await fill(pilot, 20)
        assert app.heard == []
        for index in (4, 4, 99, -5):
            rows.move_to(index)
        await pilot.pause()
        assert app.heard == [("highlighted", 4), ("highlighted", 19), ("highlighted", 0)]
        app.heard.clear()
        await fill(pilot, 5, announce=True)
        await fill(pilot, 0, announce=True)
        assert app.heard == [("highlighted", 0)]
        other = app.query_one("#other", RowList)
        other.show(3, app.row, announce=True)
        other.move_to(2)
        other.action_select()
        await pilot.pause()
        assert app.heard == [("highlighted", 0)]


async def test_the_cursor_stays_if_asked() -> None:
    app = ListApp(50)
    async with app.run_test() as pilot:
        app.rows.move_to(30)
        await pilot.pause()
        top = app.rows.scroll_offset.y
        rows = await fill(pilot, 60, keep=True)
        assert (rows.cursor, rows.scroll_offset.y) == (30, top)
        rows = await fill(pilot, 12, keep=True)
        assert rows.cursor == 11
        assert lines(rows)[-1] == "row 11"
        rows = await fill(pilot, 0, keep=True)
        assert rows.cursor is None
        rows = await fill(pilot, 4, keep=True)
        assert rows.cursor == 0
        assert lines(rows)[:5] == ["row 0", "row 1", "row 2", "row 3", ""]


async def test_an_empty_list_says_so() -> None:
    app = ListApp(0)
    async with app.run_test() as pilot:
        rows = app.rows
        assert rows.cursor is None
        assert lines(rows) == ["nothing [b]here", *[""] * (HEIGHT - 1)]
        assert attributes(rows, 0) == {"dim"}
        await pilot.press("down", "G", "g", "pagedown", "k", "enter")
        await pilot.click("#rows", offset=(1, 0))
        rows.move_to(3)
        await pilot.pause()
        assert app.heard == []
        rows.placeholder = "still nothing"
        await pilot.pause()
        assert lines(rows)[0] == "still nothing"
        await fill(pilot, 2)
        assert lines(rows)[:3] == ["row 0", "row 1", ""]


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("[REC] (2007)", "[REC] (2007)"),
        ("[/]", "[/]"),
        ("[bold]Markup[/bold] [link=x]", "[bold]Markup[/bold] [link=x]"),
        ("x" * 100, "x" * 38 + "…"),
        ("七人の侍" * 10, "七人の侍" * 4 + "七人の…"),
        ("a" + "七人の侍" * 10, "a" + "七人の侍" * 4 + "七人 …"),
        ("Ame\u0301lie " * 9, "Ame\u0301lie " * 5 + "Ame\u0301…"),
        ("👨‍👩‍👧 family", "👨‍👩‍👧 family"),
        ("two\nlines\tand\x1b[31m red", "two lines and [31m red"),
        ("\u202eright to left\udc80", " right to left"),
        ("", ""),
    ],
)
async def test_odd_titles_take_exactly_one_line(title: str, shown: str) -> None:
    app = ListApp()
    async with app.run_test() as pilot:
        app.rows.show(20, lambda index, width: Text(title))
        await pilot.pause()
        for y in (0, 1):
            strip = app.rows.render_line(y)
            # One column is the scrollbar's.
            assert strip.cell_length == cell_len(strip.text) == WIDTH - 1
            assert strip.text.rstrip() == shown


async def test_the_widget_leaves_the_callers_text_as_it_was() -> None:
    app = ListApp()
    async with app.run_test() as pilot:
        text = Text("a\tb " * 30, style="red")
        app.rows.show(3, lambda index, width: text)
        await pilot.pause()
        assert text.plain == "a\tb " * 30
        style = app.rows.render_line(1)._segments[0].style
        assert style is not None
        assert style.color is not None
        assert style.color.name == "red"


async def test_one_step_draws_two_rows() -> None:
    app = ListApp(50)
    async with app.run_test() as pilot:
        await pilot.pause()
        app.drawn.clear()
        await pilot.press("down")
        assert sorted(app.drawn) == [0, 1]
        app.drawn.clear()
        await pilot.press("up", "up")
        assert sorted(app.drawn) == [0, 1]
        app.drawn.clear()
        await pilot.click("#rows", offset=(1, 5))
        # A mouse makes Textual ask for the line it is over.
        assert set(app.drawn) == {0, 5}


async def test_filling_it_again_lays_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    layouts = []
    refresh_layout = Screen._refresh_layout

    def counted(screen: Screen[object], *args: Any, **how: Any) -> None:
        layouts.append(screen)
        refresh_layout(screen, *args, **how)

    app = ListApp(50)
    async with app.run_test() as pilot:
        await pilot.pause()
        monkeypatch.setattr(Screen, "_refresh_layout", counted)
        for count in (30, 9, 2_000):
            app.drawn.clear()
            await fill(pilot, count)
            assert sorted(app.drawn) == list(range(HEIGHT))
        assert layouts == []
        assert app.rows.show_vertical_scrollbar
        await fill(pilot, HEIGHT)
        assert not app.rows.show_vertical_scrollbar
        assert layouts


async def test_rows_that_went_away_are_wiped_from_the_screen() -> None:
    app = ListApp(6)

    def on_screen() -> list[str]:
        top = app.rows.region.y
        return [strip.text[:WIDTH].rstrip() for strip in app.screen._compositor.render_strips()[top : top + HEIGHT]]

    async with app.run_test() as pilot:
        assert on_screen() == [*(f"row {n}" for n in range(6)), "", ""]
        await fill(pilot, 2)
        assert on_screen() == ["row 0", "row 1", *[""] * 6]
        await fill(pilot, 0)
        assert on_screen() == ["nothing [b]here", *[""] * 7]
        await fill(pilot, 7)
        assert on_screen() == [*(f"row {n}" for n in range(7)), ""]


async def test_the_cursor_shows_without_colour_and_so_does_the_focus() -> None:
    app = ListApp(5)
    async with app.run_test() as pilot:
        assert attributes(app.rows, 0) == {"bold", "reverse"}
        assert attributes(app.rows, 1) == set()
        app.query_one(Input).focus()
        await pilot.pause()
        assert attributes(app.rows, 0) == {"bold", "underline"}
        app.rows.move_to(1)
        await pilot.pause()
        assert attributes(app.rows, 0) == set()
        assert attributes(app.rows, 1) == {"bold", "underline"}


async def settle(pilot) -> None:
    """Layout, the scroll that follows from it, and its repaint come one after the other."""
    for _ in range(10):
        await pilot.pause()


async def test_a_resize_cuts_the_rows_anew_and_keeps_the_cursor_in_view() -> None:
    app = ListApp()
    async with app.run_test() as pilot:
        rows, box = app.rows, app.query_one(Vertical)
        rows.show(50, lambda index, width: Text(f"{index}" + "x" * 200))
        rows.move_to(7)
        box.styles.height, box.styles.width = 4, 20
        await settle(pilot)
        assert rows.scroll_offset.y == 4
        assert [line[:1] for line in lines(rows)] == ["4", "5", "6", "7"]
        assert {rows.render_line(y).cell_length for y in range(4)} == {19}
        box.styles.height = 100
        await settle(pilot)
        assert not rows.scroll_offset.y
        box.styles.height, box.styles.width = 4, "100%"
        await pilot.resize_terminal(12, 20)
        await settle(pilot)
        assert [rows.render_line(y).text for y in (0, 3)] == [f"{index}xxxxxxxxx…" for index in (4, 7)]


async def test_no_room_is_no_trouble() -> None:
    app = ListApp(50)
    async with app.run_test() as pilot:
        box = app.query_one(Vertical)
        for height, width in ((0, 40), (8, 0), (0, 0), (1, 1)):
            box.styles.height, box.styles.width = height, width
            await pilot.pause()
            await pilot.press("down", "pagedown", "end", "home", "enter")
            await fill(pilot, 20)
        app.rows.move_to(15)
        box.styles.height, box.styles.width = 3, 40
        await settle(pilot)
        assert "row 15" in lines(app.rows)
        box.display = False
        await pilot.pause()
        await fill(pilot, 5)
        app.rows.move_to(4)
        box.display = True
        await settle(pilot)
        assert lines(app.rows)[-1] == "row 4"


async def test_a_theme_changes_every_row() -> None:
    app = ListApp(5)

    def colours() -> set[object]:
        strips = app.screen._compositor.render_strips()[app.rows.region.y :][:HEIGHT]
        return {
            segment.style.color for strip in strips for segment in strip if segment.style and segment.text[:3] == "row"
        }

    async with app.run_test() as pilot:
        before = colours()
        app.theme = "textual-light"
        await pilot.pause()
        assert before
        assert not before & colours()

"""Sorting and filtering, the same in a list of rows and in a table of cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rich.text import Text
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input

from cftui.text import ranks
from cftui.tui.shell.columns import Column, Order, arranged, heads, line, measure
from cftui.tui.shell.key_bar import KeyBar
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import scored_row
from cftui.tui.shell.table import Table

TITLES = ["Silent River (1930)", "Golden River (1937)", "[REC] (2007)", "Chasing Amy (1997)"]
COUNTS = ["1,035", "9", "27.8%", "-"]
COLUMNS = (Column("film", values=TITLES), Column("seen", 7, right=True, values=COUNTS))


class PaneApp(App[None]):
    """Either kind of pane over the same rows, and a key bar."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.selected: list[Any] = []

    def compose(self) -> ComposeResult:
        yield (
            RowList(id="pane", enter="Drill")
            if self.kind == "list"
            else Table(id="pane", cursor_type="row", enter="Drill")
        )
        yield KeyBar()

    def on_mount(self) -> None:
        pane = self.query_one("#pane")
        if isinstance(pane, RowList):
            pane.show(4, lambda n, width: line(COLUMNS, (TITLES[n], COUNTS[n]), width), columns=COLUMNS)
        elif isinstance(pane, Table):
            for column in COLUMNS:
                pane.add_column(Text(column.title))
            for at, (title, count) in enumerate(zip(TITLES, COUNTS, strict=True)):
                pane.add_row(Text(title), Text(count, justify="right"), key=str(at))
        pane.focus()

    def on_row_list_selected(self, event: RowList.Selected) -> None:
        self.selected.append(event.index)

    def on_data_table_row_selected(self, event: Table.RowSelected) -> None:
        self.selected.append(int(event.row_key.value or -1))

    @property
    def lines(self) -> list[str]:
        """The head, then the films in view by the first word."""
        pane = self.query_one("#pane")
        drawn = [pane.render_line(y).text.rstrip() for y in range(pane.size.height)]
        return [text.strip() for text in drawn if text.strip()]

    @property
    def films(self) -> list[str]:
        return [text.split()[0] for text in self.lines[1:]]

    @property
    def bar(self) -> str:
        return self.query_one(KeyBar).render().plain


@pytest.fixture(params=["list", "table"])
def app(request: pytest.FixtureRequest) -> PaneApp:
    return PaneApp(request.param)


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


async def test_the_heads_stand_above_the_rows_and_the_keys_are_in_the_bar(app: PaneApp) -> None:
    async with app.run_test(size=(60, 12)):
        assert app.lines[0].split() == ["film", "seen"]
        assert app.films == ["Silent", "Golden", "[REC]", "Chasing"]
        assert all(word in app.bar for word in ("Drill", "s Sort", "/ Filter"))


async def test_s_sorts_by_the_next_column_and_capital_s_the_other_way(app: PaneApp) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await press(pilot, "s")
        assert app.films == ["[REC]", "Chasing", "Golden", "Silent"]
        assert app.lines[0].split() == ["film▲", "seen"]
        await press(pilot, "s")
        assert app.films == ["Golden", "[REC]", "Silent", "Chasing"], "numbers by size, no number last"
        await press(pilot, "S")
        assert app.films == ["Silent", "[REC]", "Golden", "Chasing"], "no number last either way"
        assert app.lines[0].split() == ["film", "seen▼"]
        await press(pilot, "s")
        assert app.films == ["Silent", "Golden", "[REC]", "Chasing"], "as they were given"


async def test_the_cursor_stays_on_its_row_and_enter_means_that_row(app: PaneApp) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await press(pilot, "j", "s", "enter")
        assert app.selected == [1], "Golden River is the third row now"
        await press(pilot, "j", "enter")
        assert app.selected == [1, 0], "the row beneath it in the order"


async def test_the_filter_works_while_one_types_and_stays_until_escape(app: PaneApp) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await press(pilot, "slash", *"river")
        assert app.films == ["Silent", "Golden"], "no enter is needed"
        await press(pilot, "enter")
        assert not app.screen.query(Input), "the field is gone"
        assert "/river 2 of 4" in app.lines[0]
        assert "All rows" in app.bar
        await press(pilot, "j", "enter")
        assert app.selected == [1]
        await press(pilot, "escape")
        assert app.films == ["Silent", "Golden", "[REC]", "Chasing"]
        assert "All rows" not in app.bar


async def test_escape_in_the_field_leaves_the_rows_as_they_were(app: PaneApp) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await press(pilot, "slash", *"zzz")
        assert app.films in ([], ["no"]), "nothing is kept, and said so"
        await press(pilot, "escape")
        assert app.films == ["Silent", "Golden", "[REC]", "Chasing"]


async def test_titles_are_looked_for_as_they_are_not_as_markup_or_patterns(app: PaneApp) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await press(pilot, "slash", *"[rec", "enter")
        assert app.films == ["[REC]"]


async def test_a_pane_without_columns_leaves_the_keys_to_its_screen() -> None:
    app = PaneApp("list")
    async with app.run_test(size=(60, 12)) as pilot:
        app.query_one(RowList).show(2, lambda n, width: Text(TITLES[n]))
        app.screen.refresh_bindings()
        await press(pilot, "s", "slash")
        assert [text.split()[0] for text in app.lines] == ["Silent", "Golden"], "no head, no order"
        assert not app.screen.query(Input)
        assert "Filter" not in app.bar


async def test_a_row_that_comes_later_finds_its_place(app: PaneApp) -> None:
    async with app.run_test(size=(60, 12)) as pilot:
        await press(pilot, "s")
        pane = app.query_one("#pane")
        if isinstance(pane, Table):
            pane.add_row(Text("Amadeus (1984)"), Text("276"), key="4")
        elif isinstance(pane, RowList):
            titles = [*TITLES, "Amadeus (1984)"]
            columns = (Column("film", values=titles), Column("seen", 7))
            pane.show(5, lambda n, width: line(columns, (titles[n], ""), width), columns=columns, keep=True)
        await pilot.pause()
        assert app.films == ["[REC]", "Amadeus", "Chasing", "Golden", "Silent"]


def test_words_come_after_numbers_and_nothing_comes_last() -> None:
    values = ["b", "10", None, "2", "a", float("nan"), ""]
    assert arranged(7, Order("x"), values, str) == [3, 1, 4, 0, 2, 5, 6]
    assert arranged(7, Order("x", descending=True), values, str)[-3:] == [2, 5, 6]
    assert measure("1,035") == (False, 1035.0)


def test_a_head_that_is_cut_keeps_its_arrow() -> None:
    columns = (Column("a long title", 5), Column("rest"))
    assert heads(columns, Order("a long title"), 20).plain.startswith("a lo▲ rest")


def test_an_array_of_numbers_is_sorted_as_a_list_of_them_is() -> None:
    random = np.random.default_rng(0)
    numbers = random.integers(-5, 5, 300) / 2
    numbers[random.random(300) < 0.1] = np.nan
    for descending in (False, True):
        order = Order("n", descending, "a")
        in_words = arranged(300, order, numbers.tolist(), lambda row: "ab"[row % 2])
        assert arranged(300, order, numbers, lambda row: "ab"[row % 2]) == in_words


def test_ranks_sort_as_the_texts_do() -> None:
    texts = ["Zorro", "1984", "-", "amélie", "Amélie", "300", "", "1,001", "alien", "Alien"]
    for descending in (False, True):
        order = Order("title", descending)
        assert arranged(10, order, np.array(ranks(texts)), str) == arranged(10, order, texts, str)


def test_where_there_is_no_room_a_column_at_the_right_is_left_out_as_a_whole():
    columns = (Column("cos", 4, right=True), Column("movie"), Column("rated", 5, right=True))
    cells = (".71", "Silent River (1930)", "1,035")
    for width in range(14, 40):
        shown = line(columns, cells, width).plain
        assert len(shown) <= width
        assert shown.endswith("1,035") == (width >= 4 + 1 + 8 + 1 + 5)
        assert heads(columns, Order(), width).plain.endswith("rated") == shown.endswith("1,035")
        row = scored_row(" .71", "Silent River (1930)", 1035, width).plain
        assert row.rstrip() == shown.rstrip()

"""The Dataset screen: what it says while a data set opens, its pictures, and its tables."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from textual.widgets import TabbedContent

from cftui.data.store.catalog import DataSet
from cftui.tui.dataset.contents import contents
from cftui.tui.dataset.screen import LABELS, DatasetScreen, Listed
from cftui.tui.main import CftuiApp

from ..looking import SIZE, page, said, settled, title, wait
from ..walking import furnished as furnished

SMALL = (60, 20)


@pytest.fixture
def made(furnished) -> CftuiApp:
    return furnished()


async def filled(pilot) -> None:
    await wait(pilot, lambda: pilot.app.screen.query_one("#head-table", Listed).row_count)
    await settled(pilot)


def tab_names(app: CftuiApp) -> list[str]:
    tabs = app.screen.query_one(TabbedContent)
    return [tabs.get_tab(name).label.plain for name in LABELS if tabs.get_tab(name).display]


async def test_while_a_data_set_opens_its_name_is_said(made, monkeypatch):
    go_on = threading.Event()
    read = DataSet.tables.func
    monkeypatch.setattr(DataSet, "tables", property(lambda self: go_on.wait(60) and read(self)))
    async with made.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: isinstance(made.screen, DatasetScreen))
        assert said(made, "#facts") == "opening formula ..."
        assert "Get data" not in page(made)
        await pilot.press("3")
        await wait(pilot, lambda: "opening formula ..." in page(made))
        assert "No data set yet" not in page(made)
        await pilot.press("1")
        go_on.set()
        await filled(pilot)
        assert "opening" not in page(made)


async def test_a_data_set_that_is_gone_is_not_opened_for_ever(tmp_path, furnished):
    made = furnished()
    made.config = replace(made.config, data="of-no-such-name")
    async with made.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: isinstance(made.screen, DatasetScreen) and "No data set yet" in page(made))
        assert not made.opening


@pytest.mark.parametrize("size", [SMALL, SIZE, (120, 40), (200, 60)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_nothing_of_the_facts_and_no_tab_is_cut(made, size):
    async with made.run_test(size=size) as pilot:
        await filled(pilot)
        shown = page(made)
        for words in ("100 ids, 99 titles", "1997-11-20 to 1998-01-02", "1 duplicate title (d)", "median 32"):
            assert words in shown
        for name in tab_names(made):
            assert name in shown
        assert [name[0] for name in tab_names(made)] == list("hcdumepa")
        # The pictures fill the room that they have.
        for name in ("histogram", "tail"):
            pane = made.screen.query_one(f"#{name}")
            width = max(map(len, said(made, f"#{name}").rstrip().split("\n")))
            assert pane.content_size.width * 0.7 <= width <= pane.content_size.width


async def test_a_terminal_that_grows_has_its_pictures_and_bars_drawn_anew(made):
    async with made.run_test(size=SMALL) as pilot:
        await filled(pilot)
        await pilot.press("e")
        await settled(pilot)
        narrow = len(said(made, "#tail").split("\n")[-1])
        bar = str(made.screen.query_one("#genres-table", Listed).get_row_at(0)[-1])
        await pilot.resize_terminal(200, 60)
        await settled(pilot)
        assert len(said(made, "#tail").split("\n")[-1]) > 2 * narrow
        assert len(str(made.screen.query_one("#genres-table", Listed).get_row_at(0)[-1])) > len(bar)
        assert title(made, "#when") == "ratings each day" or title(made, "#when") == "ratings each week"


async def test_what_a_data_set_does_not_know_has_no_pane(made, tiny_tables):
    bare = replace(
        tiny_tables,
        users=tiny_tables.users[["user"]],
        items=tiny_tables.items.assign(genres=""),
        ratings=tiny_tables.ratings.assign(timestamp=0),
    )
    async with made.run_test(size=(120, 40)) as pilot:
        await filled(pilot)
        made.screen._show(contents(bare))
        await settled(pilot)
        assert [name.split()[0] for name in tab_names(made)] == ["h", "c", "d", "u", "m", "p"]
        assert not made.screen.query_one("#more").display
        before = made.screen.query_one(TabbedContent).active
        await pilot.press("e")
        assert made.screen.query_one(TabbedContent).active == before


async def test_choices_that_were_all_made_once_have_no_histogram(made, tiny_tables):
    likes = replace(tiny_tables, counted=True, ratings=tiny_tables.ratings.assign(rating=1))
    async with made.run_test(size=SIZE) as pilot:
        await filled(pilot)
        made.screen._show(contents(likes))
        await settled(pilot)
        assert not made.screen.query_one("#histogram").display
        assert title(made, "#tail") == "long tail: users per movie, log"


async def test_the_crosstab_is_headed_by_titles_and_keeps_the_users_in_view(made):
    async with made.run_test(size=SIZE) as pilot:
        await filled(pilot)
        await pilot.press("c", *["right"] * 12)
        await settled(pilot)
        table = made.screen.query_one("#crosstab-table", Listed)
        assert table.scroll_x > 0
        assert "user" in page(made)
        heads = [str(column.label) for column in table.ordered_columns]
        assert heads[0] == "user"
        assert all("(" in head or head.endswith("...") for head in heads[1:])


async def test_the_tables_sort_and_filter_and_say_so(made):
    async with made.run_test(size=SIZE) as pilot:
        await filled(pilot)
        await pilot.press("p")
        table = made.screen.query_one("#people-table", Listed)
        assert "s Sort  / Filter" in page(made)
        await pilot.press("slash", *"occup", "enter")
        await settled(pilot)
        assert {str(table.get_row_at(row)[0]) for row in range(table.row_count)} == {"occupation"}
        await pilot.press("escape", "s", "s", "s")
        users = [int(str(table.get_row_at(row)[2])) for row in range(table.row_count)]
        assert users == sorted(users)
        # The bars are no column to sort by.
        assert [*table.sortable()] == ["by", "group", "users", "ratings", "mean"]

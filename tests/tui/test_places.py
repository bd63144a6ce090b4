"""From screen to screen with an item or a user in hand, and back."""

from __future__ import annotations

import pytest
from textual.widgets import DataTable, TabbedContent

from cftui.analysis.evaluation.report import evaluation
from cftui.tui.dataset.screen import DatasetScreen
from cftui.tui.main import CftuiApp
from cftui.tui.map.point_map import PointMap
from cftui.tui.map.screen import MapScreen
from cftui.tui.search.screen import SearchScreen
from cftui.tui.session.places import Place
from cftui.tui.shell.biases import BiasScreen
from cftui.tui.shell.sheet import Sheet
from cftui.tui.train.evaluation import EvaluationScreen
from cftui.tui.train.screen import TrainScreen

from .looking import SIZE, mapping, notices, page, said, searching, settled, wait
from .walking import furnished as furnished


@pytest.fixture
def made(furnished) -> CftuiApp:
    """The app over the data set and the model that are made by formula."""
    return furnished()


def shown(app: CftuiApp) -> str:
    """Title of the item that Search shows."""
    return app.chosen.model.titles[app.screen.item]


async def come_to_search(pilot) -> None:
    app = pilot.app
    await wait(pilot, lambda: isinstance(app.screen, SearchScreen) and app.wanted is None)


async def test_enter_on_the_map_shows_the_movie_in_search_and_escape_comes_back(quick):
    async with mapping(quick) as pilot:
        await pilot.press("right", "up")
        there, cursor = quick.screen.item, quick.screen.query_one(PointMap).cursor
        await pilot.press("enter")
        await come_to_search(pilot)
        assert quick.screen.item == there
        assert quick.chosen.model.titles[there] in said(quick, "#prediction")
        assert "esc Back" in page(quick)
        await pilot.press("escape")
        assert isinstance(quick.screen, MapScreen)
        assert quick.screen.query_one(PointMap).cursor == cursor
        assert not quick.can_go_back


async def test_l_in_search_puts_the_cursor_of_the_map_on_the_movie_and_escape_comes_back(quick):
    async with searching(quick) as pilot:
        await pilot.press(*"fargo", "enter", "l")
        await wait(pilot, lambda: isinstance(quick.screen, MapScreen) and quick.wanted is None)
        fargo = quick.chosen.model.titles[quick.screen.item]
        assert fargo == "Fargo (1996)"
        assert said(quick, "#where").strip().startswith(fargo)
        await pilot.press("right")
        assert quick.screen.item != quick.chosen.code_of(fargo)
        await pilot.press("escape")
        await come_to_search(pilot)
        assert shown(quick) == fargo


async def test_escape_leads_back_from_neighbour_to_neighbour(quick):
    async with searching(quick) as pilot:
        await pilot.press(*"fargo", "enter")
        way = [shown(quick)]
        for _ in range(2):
            await pilot.press("down", "enter")
            way.append(shown(quick))
        assert len(set(way)) == 3
        for title in way[1::-1]:
            await pilot.press("escape")
            assert shown(quick) == title
        assert "esc Back" not in page(quick)


async def test_a_screen_that_is_opened_by_its_key_has_no_way_back(quick):
    async with mapping(quick) as pilot:
        await pilot.press("right", "enter")
        await come_to_search(pilot)
        await pilot.press("4", "3", "escape")
        assert isinstance(quick.screen, SearchScreen)
        assert not quick.can_go_back


async def test_enter_in_the_bias_ranking_over_the_map_leads_to_search_and_back_to_the_ranking(quick, opened):
    async with mapping(quick) as pilot:
        await pilot.press("b")
        await wait(pilot, lambda: isinstance(quick.screen, BiasScreen))
        await pilot.press("down", "enter")
        await come_to_search(pilot)
        assert quick.screen.item == opened.biases["code"].iloc[1]
        await pilot.press("escape")
        assert isinstance(quick.screen, BiasScreen)


async def test_the_bias_column_of_the_map_leads_to_search(quick, opened):
    async with mapping(quick) as pilot:
        quick.screen.query_one("#lowest").focus()
        await pilot.press("down", "enter")
        await come_to_search(pilot)
        assert quick.screen.item == opened.biases["code"].iloc[-2]


@pytest.mark.parametrize("tab", ["head", "crosstab", "duplicates", "users", "items"])
async def test_every_table_of_dataset_leads_to_search_and_back(made, tab):
    async with made.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: made.chosen and made.screen.query_one("#head-table", DataTable).row_count)
        made.screen.query_one(TabbedContent).active = tab
        table = made.screen.query_one(f"#{tab}-table", DataTable)
        table.focus()
        keys = ("down", "right", "right") if tab == "crosstab" else () if tab == "duplicates" else ("down",)
        await pilot.press(*keys)
        row = [str(cell) for cell in table.get_row_at(table.cursor_row)]
        heads = [str(column.label) for column in table.ordered_columns]
        await pilot.press("enter")
        await come_to_search(pilot)
        if tab in ("head", "users", "crosstab"):
            assert made.user == row[0]
        if tab == "users":
            assert made.focused is made.screen.query_one("#recommended")
        if "title" in heads:
            assert shown(made) == row[heads.index("title")]
        if tab == "crosstab":
            assert shown(made) == "Golden River (1937)"
        await pilot.press("escape")
        assert isinstance(made.screen, DatasetScreen)
        assert made.focused is table


async def test_a_user_of_dataset_without_a_model_leads_to_the_invitation_and_is_kept(furnished, tmp_path):
    made = furnished()
    made._bring_back = lambda data: None
    async with made.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: made.opened and made.screen.query_one("#head-table", DataTable).row_count)
        table = made.screen.query_one("#head-table", DataTable)
        await pilot.press("down", "down", "enter")
        await wait(pilot, lambda: isinstance(made.screen, SearchScreen))
        assert "No trained model yet" in page(made)
        title = [str(cell) for cell in table.get_row_at(2)][-2]
        made.open_model("model4-made")
        await wait(pilot, lambda: made.chosen and made.wanted is None)
        assert shown(made) == title


async def test_the_worst_errors_lead_to_search_and_back(made):
    async with made.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: made.chosen)
        await pilot.press("2", "escape", "w")
        await wait(pilot, lambda: isinstance(made.screen, EvaluationScreen))
        table = made.screen.query_one("#report-rows", DataTable)
        await settled(pilot, lambda: table.row_count)
        worst = evaluation(made.chosen.model, made.chosen.ratings)[-1]
        await pilot.press("tab", "down", "enter")
        await come_to_search(pilot)
        assert (made.user, made.chosen.model.items.classes[made.screen.item]) == worst.about[1]
        await pilot.press("escape")
        assert isinstance(made.screen, EvaluationScreen)
        await pilot.press("escape")
        assert isinstance(made.screen, TrainScreen)


async def test_the_results_lead_to_search_and_back(made):
    async with made.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: made.chosen)
        await pilot.press("2", "escape", "v")
        await wait(pilot, lambda: isinstance(made.screen, Sheet))
        row = [str(cell) for cell in made.screen.query_one(DataTable).get_row_at(1)]
        await pilot.press("down", "enter")
        await come_to_search(pilot)
        assert (made.user, shown(made)) == (row[0], row[1])
        await pilot.press("escape")
        assert isinstance(made.screen, Sheet)


async def test_an_item_that_the_run_does_not_know_is_named(quick):
    async with searching(quick) as pilot:
        before = quick.screen.item
        await quick.visit(Place("search", "Nothing of the kind (1900)"))
        await wait(pilot, lambda: quick.wanted is None)
        assert quick.screen.item == before
        assert any("does not know Nothing of the kind (1900)" in notice for notice in notices(quick))

"""Each screen answers its question at 80x24, from the keyboard."""

from __future__ import annotations

from textual.widgets import DataTable, Input, OptionList, Static, TabbedContent

from cftui.analysis import ranking
from cftui.tui.screens.prompt import Prompt
from cftui.tui.widgets.point_map import PointMap

from .conftest import SIZE

LAMBS = "Silence of the Lambs, The (1991)"


def text_of(app, selector: str) -> str:
    return str(app.screen.query_one(selector, Static).render())


def options_of(app, selector: str) -> list[str]:
    pane = app.screen.query_one(selector, OptionList)
    return [str(pane.get_option_at_index(at).prompt) for at in range(pane.option_count)]


async def test_dataset_shows_the_chapters_facts(app, until):
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "943" in text_of(app, "#facts"))
        facts = text_of(app, "#facts")
        assert "100,000" in facts
        assert "1,682 ids, 1,664 titles" in facts
        assert "27,145" in text_of(app, "#histogram")
        head = app.screen.query_one("#head-table", DataTable)
        assert "Kolya (1996)" in [str(cell) for cell in head.get_row_at(0)]
        await pilot.press("d")
        assert app.screen.query_one("#tables", TabbedContent).active == "duplicates"
        duplicates = app.screen.query_one("#duplicates-table", DataTable)
        assert duplicates.row_count == 18
        assert "Chasing Amy (1997)" in [str(cell) for cell in duplicates.get_row_at(0)]


async def test_digits_reach_every_screen_and_mark_the_place(app, until):
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        for key, mode in (("2", "train"), ("4", "map"), ("1", "dataset"), ("f3", "search"), ("f4", "map")):
            await pilot.press(key)
            await pilot.pause()
            assert app.current_mode == mode


async def test_search_finds_neighbours_and_the_prediction_for_user_196(app, until, trained):
    _, _, model = trained
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("3")
        await pilot.pause()
        await pilot.press(*"the silence of")
        await until(pilot, lambda: LAMBS in options_of(app, "#found")[0])
        item = model.item_code(LAMBS)
        nearest = ranking.similar(model, item, 1).iloc[0]
        first = options_of(app, "#neighbours")[0]
        assert nearest["title"][:15] in first
        assert first.startswith(f"{nearest['cosine']:.2f}"[1:])
        predicted = model.predict_all(model.user_code(196))[item]
        assert f"{predicted:.2f}" in text_of(app, "#prediction")
        assert LAMBS in text_of(app, "#prediction")


async def test_arrows_and_enter_walk_from_the_search_field(app, until):
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("3")
        await pilot.pause()
        await pilot.press(*"star trek")
        await until(pilot, lambda: "Star Trek" in options_of(app, "#found")[0])
        before = app.screen.item
        await pilot.press("down")
        await pilot.pause()
        assert app.screen.item != before
        await pilot.press("enter")
        await pilot.pause()
        assert app.focused is app.screen.query_one("#neighbours")
        picked = app.screen.item
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen.item != picked
        await pilot.press("slash")
        assert isinstance(app.focused, Input)


async def test_choosing_a_user_changes_the_prediction_and_refuses_strangers(app, until):
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("3")
        await until(pilot, lambda: options_of(app, "#recommended"))
        before = options_of(app, "#recommended")
        await pilot.press("enter", "u")
        await pilot.pause()
        await pilot.press(*"999", "enter")
        await pilot.pause()
        assert isinstance(app.screen, Prompt)
        assert "no user '999'" in text_of(app, "#prompt-hint")
        app.screen.query_one(Input).value = "22"
        await pilot.press("enter")
        await pilot.pause()
        assert app.user == "22"
        assert options_of(app, "#recommended") != before
        assert app.screen.query_one("#prediction").border_title == "user 22 would give"


async def test_the_minimum_leaves_obscure_neighbours_out(app, until, trained):
    _, _, model = trained
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("3")
        await until(pilot, lambda: options_of(app, "#neighbours"))
        await pilot.press("enter", "m")
        await pilot.pause()
        pane = app.screen.query_one("#neighbours", OptionList)
        codes = [int(pane.get_option_at_index(at).id) for at in range(pane.option_count)]
        assert min(model.counts[codes]) >= 20


async def test_map_names_the_movie_under_the_cursor(app, until):
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("4")
        await until(pilot, lambda: options_of(app, "#highest"))
        assert "+" in options_of(app, "#highest")[0]
        await pilot.press("right")
        await until(pilot, lambda: "distance" in text_of(app, "#where"))
        here = app.screen.query_one(PointMap).cursor
        await pilot.press("right")
        await pilot.pause()
        points = app.screen.query_one(PointMap)
        assert points.cursor != here
        assert points._xy[points.cursor][0] > points._xy[here][0]


async def test_map_goes_to_a_movie_by_name_and_by_bias(app, until):
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("4")
        await until(pilot, lambda: options_of(app, "#lowest"))
        await pilot.press("slash")
        await pilot.pause()
        await pilot.press(*"fargo", "enter")
        await until(pilot, lambda: "Fargo (1996)" in text_of(app, "#where"))
        await pilot.press("b", "b", "enter")
        least = options_of(app, "#lowest")[0].split(" ", 1)[1]
        await until(pilot, lambda: least in text_of(app, "#where"))


async def test_help_lists_the_keys_of_the_screen(app, until):
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("2", "question_mark")
        await pilot.pause()
        assert app.screen.query_one("#help").border_title == "help: train"
        await pilot.press("escape")
        await pilot.pause()
        assert app.current_mode == "train"


async def test_titles_that_look_like_markup_are_shown_as_they_are(app, until):
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("3")
        await until(pilot, lambda: app.screen.item)
        app.chosen.model.item_table.loc[app.screen.item, "title"] = "[REC] [/] (2007)"
        try:
            app.screen._find("")
            await pilot.pause()
            assert any("[REC] [/] (2007)" in row for row in options_of(app, "#found"))
            app.notify("[/bold] is no markup")
            await pilot.pause()
        finally:
            app.chosen.model.item_table.loc[app.screen.item, "title"] = app.chosen.model.titles[app.screen.item]

"""Each screen answers its question at 80x24, from the keyboard."""

from __future__ import annotations

import pytest
from textual.widgets import DataTable, Static, TabbedContent
from textual.widgets._toast import Toast

from cftui.analysis import ranking
from cftui.tui.shell.help import HelpScreen
from cftui.tui.shell.key_bar import KeyBar
from cftui.tui.shell.notices import Notice

from .looking import SIZE, mapping, page, rows, searching, title, visible, wait

LAMBS = "Silence of the Lambs, The (1991)"


def text_of(app, selector: str) -> str:
    return str(app.screen.query_one(selector, Static).render())


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


async def test_search_shows_what_is_read_from_disk(app, until, trained):
    """From the files to the screen; everything else about Search is in test_search.py."""
    _, _, model = trained
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("3", *"the silence of")
        await until(pilot, lambda: rows(app, "#found") and LAMBS in visible(app, "#found")[0])
        item = model.item_code(LAMBS)
        nearest = ranking.similar(model, item, 1, shrink=ranking.SHRINK).iloc[0]
        first = visible(app, "#neighbours")[1].strip()
        assert first.startswith(f"{nearest['cosine']:.2f}"[1:])
        assert nearest["title"][:15] in first
        predicted = model.rate(model.user_rows[model.user_code(196)])[item]
        assert f"{predicted:.2f}" in text_of(app, "#prediction")


async def test_the_map_shows_what_is_read_from_disk(app, until, trained):
    _, _, model = trained
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("4")
        await until(pilot, lambda: title(app, "#points").startswith("PC1"))
        await pilot.press("right")
        assert "trust" in text_of(app, "#where")
        best = ranking.biases(model).iloc[-1]
        assert visible(app, "#highest")[1].startswith(f"{best['bias']:+.2f} {best['title'][:10]}")


@pytest.mark.slow
async def test_help_lists_the_keys_of_the_screen(app, until):
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("2", "question_mark")
        await pilot.pause()
        assert app.screen.query_one("#help").border_title == "help: train"
        await pilot.press("escape")
        await pilot.pause()
        assert app.current_mode == "train"


@pytest.mark.parametrize("keys", [("3", "escape"), ("4",), ("3", "escape", "m")], ids=["search", "map", "me"])
async def test_help_names_every_key_once(quick, until, keys):
    async with mapping(quick) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        screen = quick.screen
        offered = [one for one in type(screen).BINDINGS if screen.check_action(one.action.split("(")[0], ())]
        described = {binding.tooltip for binding in offered}
        assert len(described) > 8
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(quick.screen, HelpScreen))
        table = quick.screen.query(Static).last().visual._renderable
        shown = [str(cell) for cell in table.columns[1].cells]
        for description in described:
            assert shown.count(description) == 1, description
        await pilot.press("escape")
        assert not isinstance(quick.screen, HelpScreen)


def bar(app) -> str:
    return page(app).split("\n")[-1]


async def test_a_click_on_a_key_in_the_bottom_line_presses_it(quick):
    async with mapping(quick) as pilot:
        assert not isinstance(quick.screen, HelpScreen)
        await pilot.click(KeyBar, offset=(bar(quick).index("? Help") + 3, 0))
        await wait(pilot, lambda: isinstance(quick.screen, HelpScreen))


async def test_keys_without_room_are_left_out_whole_and_help_never_is(quick):
    async with mapping(quick) as pilot:
        everything = bar(quick).split("  ")
        for width in (60, 40, 30, 20):
            await pilot.resize_terminal(width, 24)
            await wait(pilot, lambda width=width: len(bar(quick)) == width)
            shown = bar(quick).strip().split("  ")
            assert [key.strip() for key in shown[-2:]] == ["? Help", "q Quit"]
            assert {key.strip() for key in shown} < {key.strip() for key in everything}


async def test_a_notice_is_no_markup(quick):
    async with searching(quick) as pilot:
        quick.notify("[/bold] is no markup")
        quick.screen.notify("[/bold] neither from a screen")
        await wait(pilot, lambda: len(quick.screen.query(Toast)) == 2)
        assert "[/bold] is no markup" in page(quick)
        assert "[/bold] neither from a screen" in page(quick)


async def test_a_notice_that_runs_out_while_it_is_shown_does_not_stop_the_app(quick, monkeypatch):
    """Textual makes a timer of the time left, and one of less than none never lets go of the event loop."""
    async with searching(quick) as pilot:
        monkeypatch.setattr(Notice, "has_expired", False)  # as it was when Textual looked
        shown, mount = [], Toast._on_mount
        monkeypatch.setattr(Toast, "_on_mount", lambda toast, event: (mount(toast, event), shown.append(toast)))
        quick.notify("too late", timeout=-0.001)
        await wait(pilot, lambda: shown)
        await wait(pilot, lambda: not quick.screen.query(Toast))
        await pilot.press("escape", "4")
        assert quick.current_mode == "map"

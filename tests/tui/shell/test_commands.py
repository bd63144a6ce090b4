"""The palette: every action of every screen, once, with its key; and what else all dialogs share."""

from __future__ import annotations

from textual.widgets import Input
from textual.widgets._toast import Toast

from cftui.tui.main import CftuiApp
from cftui.tui.shell.commands import commands
from cftui.tui.shell.help import HelpScreen
from cftui.tui.shell.key_bar import KeyBar
from cftui.tui.shell.keys import ACTIONS, MOVES
from cftui.tui.shell.prompt import Prompt
from cftui.tui.shell.screens import SCREENS
from cftui.tui.shell.textual_private import has_binding
from tests.tui.looking import SIZE, page, wait


def bar(app: CftuiApp) -> str:
    return app.screen.query_one(KeyBar).render().plain


async def test_the_palette_has_every_action_of_every_screen_once_with_its_key(quick: CftuiApp) -> None:
    async with quick.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: quick.chosen)
        await pilot.press("2")
        await wait(pilot, lambda: quick.current_mode == "train")
        found = list(commands(quick, quick.screen))
        names = [command.help.split()[-1] for command in found]
        assert len(set(names)) == len(names), "once"
        assert len({command.title for command in found}) == len(found), "and told from each other"
        groups = [group for entry in SCREENS for group in entry.groups]
        wanted = {f"{group}.{key.name}" for group in groups for key in ACTIONS[group] if key.name not in MOVES}
        assert wanted - set(names) == set()
        by_name = dict(zip(names, (command.title for command in found), strict=True))
        assert by_name["search.why"] == "Search: Why this prediction (w)"
        assert by_name["train.stop"] == "Stop the run (x)", "here it needs no name of a screen"


async def test_every_group_of_a_screen_is_found_on_it(quick: CftuiApp) -> None:
    async with quick.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: quick.chosen)
        for entry in SCREENS[1:]:
            await quick.switch_mode(entry.mode)
            await pilot.pause()
            nodes = [quick.screen, *quick.screen.query("*")]
            for group in entry.groups:
                assert any(has_binding(node, f"{group}.{ACTIONS[group][0].name}") for node in nodes), group


async def test_an_action_of_another_screen_goes_there_and_does_it(quick: CftuiApp) -> None:
    async with quick.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: quick.chosen)
        await quick.switch_mode("train")
        await pilot.pause()
        biases = next(one for one in commands(quick, quick.screen) if one.help.endswith("search.biases"))
        await biases.callback()
        await wait(pilot, lambda: type(quick.screen).__name__ == "BiasScreen")
        assert quick.current_mode == "search"


async def test_a_dialog_leaves_the_screen_visible_and_has_its_own_keys_below(bare_app: CftuiApp) -> None:
    async with bare_app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: bare_app.activity)
        assert "No data set yet" in page(bare_app)
        bare_app.push_screen(Prompt("how many?", "", "3", lambda text: ""))
        await wait(pilot, lambda: bare_app.screen.query(Input) and bar(bare_app))
        assert "MovieLens" in page(bare_app)
        assert bar(bare_app).split() == ["⏎", "OK", "esc", "Cancel", "tab", "Next"]
        assert "Get data" not in page(bare_app).splitlines()[-1], "keys that do nothing now are covered"


async def test_the_help_scrolls_with_the_keys_of_vim(bare_app: CftuiApp) -> None:
    async with bare_app.run_test(size=(80, 16)) as pilot:
        await wait(pilot, lambda: bare_app.activity)
        await pilot.press("question_mark")
        await wait(pilot, lambda: isinstance(bare_app.screen, HelpScreen))
        paper = bare_app.screen.query_one("#help")
        await wait(pilot, lambda: paper.max_scroll_y)
        await pilot.press("j")
        await wait(pilot, lambda: paper.scroll_y == 1)
        await pilot.press("G")
        await wait(pilot, lambda: paper.scroll_y == paper.max_scroll_y)
        await pilot.press("g")
        await wait(pilot, lambda: paper.scroll_y == 0)


async def test_a_notice_covers_neither_the_panes_nor_the_keys(quick: CftuiApp) -> None:
    async with quick.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: quick.chosen)
        await pilot.press("2")
        await wait(pilot, lambda: quick.current_mode == "train")
        quick.notify("model4-a1b2: valid loss 0.8203")
        await wait(pilot, lambda: quick.screen.query(Toast) and quick.screen.query_one(Toast).region.area)
        notice = quick.screen.query_one(Toast).region
        assert (notice.y, notice.height) == (1, 1), "in the line of the tabs"
        assert not [pane for pane in quick.screen.query(".pane") if pane.region.overlaps(notice)]

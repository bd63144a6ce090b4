"""Choosing the runs whose lists stand side by side: in the comparison, and from the table of runs."""

from __future__ import annotations

import json
import shutil

from cftui.home import Home
from cftui.tui.main import CftuiApp
from cftui.tui.search.lists import ListsScreen
from cftui.tui.search.run_choice import RunChoice
from cftui.tui.session.places import Place
from cftui.tui.train.run_table import RunTable

from ..looking import notices, wait


async def test_the_runs_whose_lists_are_compared_are_chosen(tiny_runs) -> None:
    app = CftuiApp(tiny_runs[0])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("3", "escape")
        await wait(pilot, lambda: app.screen.item is not None)
        await pilot.press("c")
        await wait(pilot, lambda: isinstance(app.screen, ListsScreen) and app.screen._all is not None)
        lists = app.screen
        before = lists._all.names
        await pilot.press("r")
        await wait(pilot, lambda: isinstance(app.screen, RunChoice) and len(app.screen._names) > 5)
        choice = app.screen
        rows = choice.query_one("#run-choice-list")
        assert choice._chosen == before
        assert choice._names[-1] == "popularity"
        # A fifth is refused; all but one left out cannot be compared.
        rows.move_to(next(at for at, name in enumerate(choice._names) if name not in before))
        await pilot.press("space")
        await wait(pilot, lambda: any("4 lists at most" in one for one in notices(app)))
        assert choice._chosen == before
        for name in before[:3]:
            rows.move_to(choice._names.index(name))
            await pilot.press("space")
        await pilot.press("enter")
        await wait(pilot, lambda: any("1 list chosen" in one for one in notices(app)))
        rows.move_to(choice._names.index("bayes.run"))
        await pilot.press("space", "enter")
        await wait(pilot, lambda: app.screen is lists and lists._all.names == ["popularity", "bayes.run"])
        assert [pane.id for pane in lists.query("#lists RowList") if pane.display] == ["history", "list-0", "list-1"]
        assert "popularity" in str(lists.query_one("#list-0").border_title)
        await pilot.press("r")
        await wait(pilot, lambda: isinstance(app.screen, RunChoice))
        await pilot.press("escape")
        await wait(pilot, lambda: app.screen is lists)


async def test_four_chosen_lists_are_reached_where_the_terminal_is_narrow(tiny_runs) -> None:
    app = CftuiApp(tiny_runs[0])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        names = (app.chosen.name, "ease.run", "ials.run", "popularity")
        await app.visit(Place("search", runs=names))
        await wait(pilot, lambda: isinstance(app.screen, ListsScreen) and app.screen._all is not None)
        lists = app.screen
        assert lists._all.names == [*names]
        panes = [pane for pane in lists.query("#lists RowList") if pane.display]
        assert len(panes) == 5
        assert min(pane.size.width for pane in panes) >= 16
        last = lists.query_one("#list-3")
        await pilot.press("tab", "tab", "tab")
        await wait(pilot, lambda: last.has_focus and last.region.x >= 0 and last.region.right <= 80)


async def test_selected_runs_are_compared_from_their_table(tiny_runs) -> None:
    app = CftuiApp(tiny_runs[0])
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("2", "u")
        table = app.screen.query_one(RunTable)
        await wait(pilot, lambda: table.count > 5)
        shown = [run.name for run in table.shown]
        for name in ("ease.run", "ials.run"):
            table.move_to(shown.index(name))
            await pilot.press("space")
        await pilot.press("L")
        await wait(pilot, lambda: isinstance(app.screen, ListsScreen) and app.screen._all is not None)
        assert app.screen._all.names[0] == app.chosen.name
        assert {*app.screen._all.names} == {app.chosen.name, "ease.run", "ials.run", "popularity"}


async def test_runs_on_other_ratings_are_refused_in_one_line(tiny_runs, tmp_path) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(tiny_runs[0].root, home.root)
    config = home.models / "ease.run" / "run.json"
    written = json.loads(config.read_text())
    written["options"]["seed"] = 8
    config.write_text(json.dumps(written))
    app = CftuiApp(home)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("2", "u")
        table = app.screen.query_one(RunTable)
        await wait(pilot, lambda: table.count > 5)
        other = "ials.run" if app.chosen.name == "ease.run" else "ease.run"
        table.move_to([run.name for run in table.shown].index(other))
        await pilot.press("L")
        said = f"not compared: {app.chosen.name} and {other} differ in their seed"
        await wait(pilot, lambda: notices(app))
        assert said in "".join(notices(app))
        assert not isinstance(app.screen, ListsScreen)

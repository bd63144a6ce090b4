"""Runs as points: each has its letter on the chart and in the list, and enter shows the run."""

from __future__ import annotations

import pytest
from textual_plotext import PlotextPlot

from cftui.analysis.evaluation.list_points import Point
from cftui.tui.main import CftuiApp
from cftui.tui.train.run_scatter import BEYOND, MARKS, RunScatter, mark
from cftui.tui.train.screen import TrainScreen

from ..looking import notices, page, rows, wait


def letters(app: CftuiApp) -> str:
    """What is drawn on the chart."""
    return app.screen.query_one(PlotextPlot).plt.uncolorize(app.screen.query_one(PlotextPlot).plt.build())


@pytest.mark.parametrize("size", [(60, 20), (80, 24), pytest.param((120, 40), marks=pytest.mark.slow)])
async def test_every_run_is_a_point(tiny_runs, size: tuple[int, int]) -> None:
    app = CftuiApp(tiny_runs[0])
    async with app.run_test(size=size, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("2", "escape", "A")
        await wait(pilot, lambda: isinstance(app.screen, RunScatter) and "enter: show" in page(app))
        screen = app.screen
        names = [one.name for one in screen._points]
        assert {"popularity", "item kNN", "ease.run", "ials.run", app.chosen.name} <= {*names}
        assert [one.ndcg for one in screen._points] == sorted((one.ndcg for one in screen._points), reverse=True)
        # The cursor is on the run in use, whose letter lies on top.
        runs = screen.query_one("#scatter-runs")
        at = names.index(app.chosen.name)
        assert runs.cursor == at
        assert mark(at) in letters(app)
        assert any("(in use)" in row for row in rows(app, "#scatter-runs"))
        # A baseline is no run to go to.
        runs.move_to(names.index("popularity"))
        await pilot.press("enter")
        await wait(pilot, lambda: any("is a baseline" in one for one in notices(app)))
        runs.move_to(names.index("ease.run"))
        await pilot.press("enter")
        await wait(pilot, lambda: isinstance(app.screen, TrainScreen) and app.followed.name == "ease.run")


async def test_points_in_one_place_and_of_one_kind_can_be_drawn(tiny_runs, monkeypatch) -> None:
    from cftui.analysis.evaluation import list_points

    many = [Point(f"run-{at}", "ease", 0.3, 2.0) for at in range(60)]
    monkeypatch.setattr(list_points, "list_points", lambda *_: iter(many))
    app = CftuiApp(tiny_runs[0])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("2", "escape", "A")
        await wait(pilot, lambda: isinstance(app.screen, RunScatter) and "enter: show" in page(app))
        assert "a run-0" in letters(app)
        await pilot.press("end")
        await wait(pilot, lambda: f"{BEYOND} run-59" in letters(app))
    assert len(MARKS) == 52

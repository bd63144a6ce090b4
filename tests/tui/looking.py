"""What is on the screen, as text; and the app brought to where a test begins."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.app import App
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from cftui.tui.main import CftuiApp
from cftui.tui.map.point_map import PointMap
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.room import Room
from cftui.tui.shell.row_list import RowList

SIZE = (80, 24)
WIDE = (160, 48)
# Generous: a loaded machine is no reason to fail.
PATIENCE = 30.0
# Wide enough that no title is cut.
UNCUT = 300


async def wait(pilot: Pilot, condition: Callable[[], object]) -> None:
    """Until something is true, letting the app work; fails if it never is."""
    waited = 0.0
    while not condition():
        await pilot.pause(0.02)
        waited += 0.02
        assert waited < PATIENCE, "the app never came to that"
    await pilot.pause()


def unmeasured(app: App) -> bool:
    """Whether a table has yet to fit its columns to its rows, which Textual does when it is idle."""
    return any(table._require_update_dimensions for table in app.screen.query(DataTable))


async def settled(pilot: Pilot, there: Callable[[], object] = lambda: True) -> None:
    """Wait until ``there`` is true and nothing changes on the screen any more; raises what the app failed with."""
    app = pilot.app

    def come() -> object:
        if app._exception is not None:
            raise app._exception
        return there()

    await wait(pilot, come)
    before, same = "", 0
    # Several times the same: on a busy machine a table's new widths are drawn a while after they were measured.
    while same < 3:
        now = page(app)
        busy = any(worker.is_running for worker in app.workers) or unmeasured(app)
        same = same + 1 if now == before and not busy else 0
        before = now
        await pilot.pause(0.02)


def page(app: App) -> str:
    """The screen, line by line, as the terminal gets it."""
    strips = app.screen._compositor.render_strips(app.screen.size)
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def said(app: App, selector: str) -> str:
    """The text of a label."""
    return str(app.screen.query_one(selector, Static).render())


def visible(app: App, selector: str) -> list[str]:
    """The lines of a list that are in view."""
    pane = app.screen.query_one(selector, RowList)
    height = pane.scrollable_content_region.height
    return [line for y in range(height) if (line := pane.render_line(y).text.rstrip())]


def rows(app: App, selector: str) -> list[str]:
    """Every row of a list, as it is drawn when it comes into view and there is room."""
    pane = app.screen.query_one(selector, RowList)
    return [pane._render_row(index, UNCUT).plain.rstrip() for index in range(pane.count)]


def scored(app: App, selector: str) -> list[tuple[str, str, int]]:
    """Score, title and number of ratings of every row of a list of items."""
    found = []
    for row in rows(app, selector):
        parts = re.fullmatch(r" *(\S+) (.+?) +([\d,]+)", row)
        assert parts, f"no score, title and count: {row!r}"
        found.append((parts[1], parts[2].rstrip(), int(parts[3].replace(",", ""))))
    return found


def title(app: App, selector: str) -> str:
    """What stands in a pane's upper frame, marks of style left out."""
    content = app.screen.query_one(selector)._border_title
    return content.plain if content else ""


def subtitle(app: App, selector: str) -> str:
    """The same of the lower frame."""
    content = app.screen.query_one(selector)._border_subtitle
    return content.plain if content else ""


def notices(app: App) -> list[str]:
    return [notice.message for notice in app._notifications]


async def answer(pilot: Pilot, text: str) -> None:
    """Fill in the field of a dialog and press enter."""
    await wait(pilot, lambda: pilot.app.screen.query(Input))
    pilot.app.screen.query_one(Input).value = text
    await pilot.pause()
    await pilot.press("enter")


class EmptyRoom(Room):
    """In the place of the Dataset screen, which takes a third of the time of a short test to fill."""

    ROOM = "dataset"


def app_with(opened: OpenModel) -> CftuiApp:
    """An app that has a model on show from its start: that it is read from disk is tested elsewhere."""
    app = CftuiApp(opened.home)
    app._modes["dataset"] = EmptyRoom
    app.open_data = lambda *_: app._choose(opened)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def searching(app: CftuiApp, size: tuple[int, int] = SIZE) -> AsyncIterator[Pilot]:
    """The Search screen, the keys in its field; notices are drawn."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("3")
        await wait(pilot, lambda: app.current_mode == "search" and app.screen.query_one("#found", RowList).count)
        yield pilot


@asynccontextmanager
async def mapping(app: CftuiApp, size: tuple[int, int] = SIZE) -> AsyncIterator[Pilot]:
    """The Map screen with its points, the keys on them; notices are drawn."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("4")
        await wait(pilot, lambda: app.current_mode == "map" and app.screen.query_one(PointMap)._xy is not None)
        yield pilot

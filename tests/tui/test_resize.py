"""A terminal changes its size in the middle of things: nothing breaks, the keys stay named, all comes back."""

from __future__ import annotations

import pytest

from cftui.analysis.maps import robust
from cftui.tui.map.point_map import PointMap
from cftui.tui.map.robust import RobustScreen
from cftui.tui.map.screen import MapScreen
from cftui.tui.search.anatomy import AnatomyScreen
from cftui.tui.search.me import MeScreen
from cftui.tui.search.screen import SearchScreen
from cftui.tui.search.users import ProfileScreen, UserPicker
from cftui.tui.shell.biases import BiasScreen
from cftui.tui.shell.key_bar import KeyBar
from cftui.tui.shell.prompt import Confirm, Prompt
from cftui.tui.shell.titles import TitlePicker

from .looking import SIZE, app_with, mapping, page, rows, searching, visible, wait

SMALL, LARGE = (60, 20), (200, 60)


async def resized(pilot, size: tuple[int, int]) -> list[str]:
    await pilot.resize_terminal(*size)
    lines: list[str] = []
    while lines != (now := page(pilot.app).split("\n")) or len(now) != size[1]:
        lines = now
        await pilot.pause(0.05)
    return lines


@pytest.mark.slow
@pytest.mark.parametrize(
    ("come", "keys", "screen", "footer"),
    [
        (searching, (), SearchScreen, "⏎ Neighbours"),
        (searching, ("escape", "w"), SearchScreen, "/ Search"),
        (mapping, ("right", "c", "plus"), MapScreen, "/ Find"),
        (mapping, ("right", "v"), MapScreen, "/ Find"),
        (searching, ("escape", "m", "5", "1"), MeScreen, "space Not seen"),
    ],
    ids=["search", "why", "map", "map with neighbours", "me"],
)
async def test_a_screen_keeps_its_footer_at_every_size(quick, come, keys, screen, footer):
    async with come(quick) as pilot:
        if keys:
            await pilot.press(*keys)
        await wait(pilot, lambda: isinstance(quick.screen, screen))
        before = page(quick).split("\n")
        assert footer in before[-1]
        for size in (SMALL, LARGE, SIZE):
            lines = await resized(pilot, size)
            assert lines[0].startswith(" cftui")
            assert footer in lines[-1]
        assert lines == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("come", "keys", "screen", "keys_named"),
    [
        (searching, ("u",), UserPicker, "escape: as it was"),
        (searching, ("p",), ProfileScreen, "escape closes"),
        (searching, ("b",), BiasScreen, "enter: Search"),
        (searching, ("a",), AnatomyScreen, "n: another batch"),
        (searching, ("x",), Prompt, "escape: cancel"),
        (searching, ("m", "5", "escape"), Confirm, "y: yes"),
        (mapping, ("a",), TitlePicker, "enter: take it"),
    ],
    ids=["users", "profile", "biases", "anatomy", "prompt", "confirm", "titles"],
)
async def test_a_dialog_keeps_its_frame_with_its_keys_at_every_size(quick, come, keys, screen, keys_named):
    async with come(quick) as pilot:
        await pilot.press("escape", *keys)
        await wait(pilot, lambda: isinstance(quick.screen, screen))
        await pilot.pause()
        before = page(quick).split("\n")
        for size in (SMALL, LARGE, SIZE):
            lines = await resized(pilot, size)
            # What stands around a dialog is the screen that it was opened on.
            own = (child for child in quick.screen.children if not child.has_class("-textual-system"))
            (box,) = (child.region for child in own if not isinstance(child, KeyBar))
            assert quick.screen.region.contains_region(box)
            framed = [line[box.x : box.right] for line in lines[box.y : box.bottom]]
            assert framed[0].startswith("╭")
            assert framed[0].endswith("╮")
            assert framed[-1].startswith("╰")
            assert framed[-1].endswith("╯")
            assert all(line[0] == line[-1] == "│" for line in framed[1:-1])
            assert keys_named in framed[-1]
        assert lines == before
        await pilot.press("escape")
        assert not isinstance(quick.screen, screen)


@pytest.mark.slow
async def test_a_solver_is_watched_at_every_size(tiny_opened):
    opened = tiny_opened("model4")
    steps = len(robust.robust_factors(opened.model).steps)
    app = app_with(opened)
    async with mapping(app) as pilot:
        await pilot.press("p")
        await wait(pilot, lambda: isinstance(app.screen, RobustScreen) and len(rows(app, "#steps")) == steps)
        for size in (SMALL, LARGE, SIZE):
            await resized(pilot, size)
            assert visible(app, "#steps")[-1].split()[0] == str(steps)
            assert "converged" in page(app)
            assert "escape: cancel" in page(app)


@pytest.mark.slow
async def test_with_more_room_search_explains_and_the_map_shows_both_sides(quick):
    async with searching(quick) as pilot:
        assert not rows(quick, "#why")
        await pilot.press("f4")
        await wait(
            pilot, lambda: isinstance(quick.screen, MapScreen) and quick.screen.query_one(PointMap)._xy is not None
        )
        await pilot.press("right")
        cursor, view = quick.screen.query_one(PointMap).cursor, quick.screen.query_one(PointMap).view
        await resized(pilot, LARGE)
        assert "most liked" in page(quick)
        assert rows(quick, "#near"), "the cursor is on a movie: what is like it can be told"
        assert quick.screen.query_one(PointMap).cursor == cursor
        assert quick.screen.query_one(PointMap).view == view
        await pilot.press("3")
        await wait(pilot, lambda: isinstance(quick.screen, SearchScreen) and rows(quick, "#why"))
        for words in ("like ", "would give", "would like", "why "):
            assert words in page(quick)
        await resized(pilot, SIZE)
        assert "why " not in page(quick)

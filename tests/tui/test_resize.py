"""A terminal changes its size in the middle of things: nothing breaks, the keys stay named, all comes back."""

from __future__ import annotations

import pytest

from cftui.analysis import robust
from cftui.tui.screens.anatomy import AnatomyScreen
from cftui.tui.screens.biases import BiasScreen
from cftui.tui.screens.map import MapScreen
from cftui.tui.screens.me import MeScreen
from cftui.tui.screens.prompt import Confirm, Prompt
from cftui.tui.screens.robust import RobustScreen
from cftui.tui.screens.search import SearchScreen
from cftui.tui.screens.titles import TitlePicker
from cftui.tui.screens.users import ProfileScreen, UserPicker
from cftui.tui.widgets.point_map import PointMap

from .looking import SIZE, app_with, mapping, page, rows, visible, wait

SMALL, LARGE = (60, 20), (200, 60)


async def resized(pilot, size: tuple[int, int]) -> list[str]:
    await pilot.resize_terminal(*size)
    lines: list[str] = []
    while lines != (now := page(pilot.app).split("\n")) or len(now) != size[1]:
        lines = now
        await pilot.pause(0.05)
    return lines


@pytest.mark.parametrize(
    ("keys", "screen", "footer"),
    [
        (("3",), SearchScreen, "⏎ Neighbours"),
        (("3", "escape", "w"), SearchScreen, "/ Search"),
        (("right", "c", "plus"), MapScreen, "/ Find"),
        (("right", "v"), MapScreen, "/ Find"),
        (("3", "escape", "m", "5", "1"), MeScreen, "space Not seen"),
    ],
    ids=["search", "why", "map", "map with neighbours", "me"],
)
async def test_a_screen_keeps_its_footer_at_every_size(quick, keys, screen, footer):
    async with mapping(quick) as pilot:
        await pilot.press(*keys)
        await wait(pilot, lambda: isinstance(quick.screen, screen))
        await pilot.pause()
        before = page(quick).split("\n")
        assert before[-1].lstrip().startswith(footer)
        for size in (SMALL, LARGE, SIZE):
            lines = await resized(pilot, size)
            assert lines[0].startswith(" cftui")
            assert lines[-1].lstrip().startswith(footer)
        assert lines == before


@pytest.mark.parametrize(
    ("keys", "screen", "keys_named"),
    [
        (("3", "escape", "u"), UserPicker, "escape: as it was"),
        (("3", "escape", "p"), ProfileScreen, "escape closes"),
        (("3", "escape", "b"), BiasScreen, "G g ends"),
        (("3", "escape", "a"), AnatomyScreen, "n: another batch"),
        (("3", "escape", "x"), Prompt, "escape: cancel"),
        (("3", "escape", "m", "5", "escape"), Confirm, "y: yes"),
        (("a",), TitlePicker, "enter: take it"),
    ],
    ids=["users", "profile", "biases", "anatomy", "prompt", "confirm", "titles"],
)
async def test_a_dialog_keeps_its_frame_with_its_keys_at_every_size(quick, keys, screen, keys_named):
    async with mapping(quick) as pilot:
        await pilot.press(*keys)
        await wait(pilot, lambda: isinstance(quick.screen, screen))
        await pilot.pause()
        before = page(quick).split("\n")
        for size in (SMALL, LARGE, SIZE):
            lines = await resized(pilot, size)
            framed = [line.strip() for line in lines if line.strip()]
            assert framed[0].startswith("╭")
            assert framed[0].endswith("╮")
            assert framed[-1].startswith("╰")
            assert framed[-1].endswith("╯")
            assert keys_named in framed[-1]
        assert lines == before
        await pilot.press("escape")
        assert not isinstance(quick.screen, screen)


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


async def test_with_more_room_search_explains_and_the_map_shows_both_sides(quick):
    async with mapping(quick) as pilot:
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

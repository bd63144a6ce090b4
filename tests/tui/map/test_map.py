"""Map: what did it learn? Every point, label and number as the analysis has it, from the keyboard."""

from __future__ import annotations

import re
import shutil
import threading
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch
from textual.widgets import Input

from cftui.analysis import ranking
from cftui.analysis.maps import components, robust
from cftui.analysis.maps import mapping as maps
from cftui.analysis.ranking import Filter
from cftui.engine.models.recipes import RECIPES
from cftui.engine.training import train
from cftui.home import Home
from cftui.tui.main import CftuiApp
from cftui.tui.map.point_map import PointMap
from cftui.tui.map.robust import RobustScreen
from cftui.tui.map.screen import MapScreen
from cftui.tui.map.words import PARTS, QUADRANTS
from cftui.tui.search.me import MeScreen
from cftui.tui.search.screen import SearchScreen
from cftui.tui.shell.biases import BiasScreen
from cftui.tui.shell.prompt import Prompt
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.titles import TitlePicker

from ...conftest import write_tiny
from ..looking import (
    SIZE,
    WIDE,
    answer,
    app_with,
    mapping,
    notices,
    page,
    rows,
    said,
    scored,
    settled,
    subtitle,
    title,
    visible,
    wait,
)

FARGO = "Fargo (1996)"
WELL_KNOWN = Filter(20)


def points(app) -> PointMap:
    return app.screen.query_one(PointMap)


def expected(opened, only: Filter = WELL_KNOWN, whole: maps.ItemMap | None = None) -> maps.ItemMap:
    """The items that should be on the map."""
    whole = whole or maps.principal_map(opened.model)[0]
    return whole.only(only.allows(opened.model)[whole.table["code"].to_numpy()])


def is_drawn(app, shown: maps.ItemMap) -> bool:
    """Whether the points of the widget are those of an ``ItemMap``."""
    drawn = points(app)._xy
    return drawn is not None and drawn.shape == shown.xy.shape and bool(np.allclose(drawn, shown.xy, atol=1e-12))


def row_of(shown: maps.ItemMap, name: str) -> int:
    return int(np.flatnonzero(shown.table["title"] == name)[0])


async def choose(pilot, text: str) -> None:
    """Take the first that a dialog finds for a text."""
    await wait(pilot, lambda: isinstance(pilot.app.screen, TitlePicker))
    await answer(pilot, text)


async def filtered(pilot, text: str) -> None:
    await pilot.press("f")
    await answer(pilot, text)


# The cursor


async def test_cursor_keys_snap_to_points_and_name_the_movie_with_its_trust(quick, opened):
    shown = expected(opened)
    async with mapping(quick, WIDE) as pilot:
        assert is_drawn(quick, shown)
        x, y = shown.variance
        assert title(quick, "#points") == f"PC1 {x:.1%}   PC2 {y:.1%}"
        assert subtitle(quick, "#points") == f"{len(shown.table)} movies  20+ ratings  5 farthest each"
        assert quick.focused is points(quick)
        await pilot.press("right")
        here = points(quick).cursor
        # The first key takes the point in the middle, each other goes its way.
        assert here == np.square(shown.xy / np.abs(shown.xy).max(axis=0)).sum(axis=1).argmin()
        for key, axis, sign in (
            ("right", 0, 1), ("l", 0, 1), ("up", 1, 1), ("k", 1, 1),
            ("left", 0, -1), ("h", 0, -1), ("down", 1, -1), ("j", 1, -1),
        ):  # fmt: skip
            await pilot.press(key)
            now = points(quick).cursor
            assert now != here
            assert (shown.xy[now] - shown.xy[here])[axis] * sign > 0
            here = now
            row = shown.table.iloc[here]
            kept, of = maps.trust(shown, here)
            where = said(quick, "#where").strip()
            assert where.startswith(row["title"])
            *facts, trust = where.removeprefix(row["title"]).split("  ")[1:]
            full = f"trust {kept}/{of}: {kept} of the {of} nearest here are nearest in all dimensions"
            assert trust in (full, f"trust {kept}/{of}"), "in full where there is room"
            assert [fact.replace(" quadrant", "") for fact in facts] == [
                f"({row['0']:.3f}, {row['1']:.3f})",
                f"dist {row['2']:.3f}",
                f"{QUADRANTS[row['3'].split()[0]]} ({row['3'].split()[0]})",
                f"{row['ratings']:,} ratings",
            ]


async def test_at_80_columns_the_movie_is_still_told_from_others_of_its_name(quick, opened):
    shown = expected(opened)
    name = "Star Trek: The Motion Picture (1979)"
    async with mapping(quick) as pilot:
        await pilot.press("slash")
        await choose(pilot, name)
        assert points(quick).cursor == row_of(shown, name)
        line = page(quick).splitlines()[-3]
        assert name[:22] in line, "Star Trek: The M..., not one of the seven others"
        assert "trust" in line


async def test_at_80_columns_the_colour_of_the_point_at_the_cursor_is_told_in_words(quick, opened):
    shown = expected(opened)
    async with mapping(quick) as pilot:
        await pilot.press("right")
        for way in ("genre", "bias", "ratings"):
            await pilot.press("c")
            group, names = maps.groups(opened.model, shown.table, way)
            assert names[group[points(quick).cursor]] in page(quick).splitlines()[-3]


async def test_a_click_picks_the_nearest_point(quick, opened):
    shown = expected(opened)
    async with mapping(quick) as pilot:
        await pilot.click(PointMap, offset=(10, 5))
        first = points(quick).cursor
        await pilot.click(PointMap, offset=(40, 12))
        second = points(quick).cursor
        assert shown.xy[first][0] < shown.xy[second][0]
        assert shown.xy[first][1] > shown.xy[second][1]


# The view


async def test_zoom_pan_and_the_whole_map(quick, opened):
    shown = expected(opened)
    async with mapping(quick) as pilot:
        whole = points(quick).view
        reach = np.abs(shown.xy).max(axis=0)
        assert whole == pytest.approx((-1.05 * reach[0], 1.05 * reach[0], -1.05 * reach[1], 1.05 * reach[1]))
        before = page(quick)
        await pilot.press("plus", "plus")
        left, right, low, high = points(quick).view
        assert right - left == pytest.approx((whole[1] - whole[0]) / 1.25**2)
        assert high - low == pytest.approx((whole[3] - whole[2]) / 1.25**2)
        assert page(quick) != before
        for key, axis, sign in (("L", 0, 1), ("shift+left", 0, -1), ("K", 1, 1), ("shift+down", 1, -1)):
            was = np.array(points(quick).view).reshape(2, 2)
            await pilot.press(key)
            now = np.array(points(quick).view).reshape(2, 2)
            assert (now - was)[axis] == pytest.approx(sign * 0.2 * (was[axis, 1] - was[axis, 0]) * np.ones(2))
            assert (now - was)[1 - axis] == pytest.approx(0)
        await pilot.press("right", "plus")
        centre = np.array(points(quick).view).reshape(2, 2).mean(axis=1)
        assert centre == pytest.approx(shown.xy[points(quick).cursor])
        await pilot.press("minus")
        wider = np.array(points(quick).view).reshape(2, 2)
        assert wider[0, 1] - wider[0, 0] == pytest.approx((whole[1] - whole[0]) / 1.25**2)
        await pilot.press("z")
        assert points(quick).view == pytest.approx(whole)


async def test_the_cursor_is_never_out_of_sight(quick):
    async with mapping(quick) as pilot:
        await pilot.press("right", *["plus"] * 16)
        for key in ("right", "right", "left", "up", "right", "right", "down", "left"):
            await pilot.press(key)
            assert "◉" in page(quick)


# Colours


async def test_colours_go_round_and_the_legend_says_what_they_mean(quick, opened):
    shown = expected(opened)
    async with mapping(quick, WIDE) as pilot:
        await pilot.press("right")
        here, view = points(quick).cursor, points(quick).view
        for way in ("genre", "bias", "ratings", "quadrant"):
            await pilot.press("c")
            group, names = maps.groups(opened.model, shown.table, way)
            assert np.array_equal(points(quick)._group, group)
            legend = said(quick, "#legend")
            assert legend.strip().startswith(f"{way}:")
            told = [part.strip() for part in legend.split("⣿")[1:]]
            if way in ("bias", "ratings"):
                assert told == [name.split(" to ")[0] for name in names[:-1]] + [names[-1]]
            else:
                quadrants = [f"{name}, {QUADRANTS.get(name)}" if way == "quadrant" else name for name in names]
                assert told == [name for name in quadrants if not name.startswith("Center")]
            where = said(quick, "#where")
            assert names[group[here]] in where
            assert points(quick).cursor == here
            assert points(quick).view == view


async def test_no_bias_colouring_where_the_recipe_has_none(tiny_opened):
    app = app_with(tiny_opened("model4"))
    async with mapping(app) as pilot:
        await pilot.press("c", "c")
        assert said(app, "#legend").strip().startswith("bias:")
        app._choose(tiny_opened("model1"))
        await wait(pilot, lambda: is_drawn(app, expected(app.chosen)))
        seen = []
        for _ in range(4):
            seen.append(said(app, "#legend").split(":")[0].strip())
            await pilot.press("c")
        assert seen == ["quadrant", "genre", "ratings", "quadrant"]
        best = ranking.rated(app.chosen.model, app.chosen.ratings, 20)[::-1]
        assert title(app, "#highest") == "best rated"
        assert rows(app, "#highest") == [f"{m:.2f} {t}" for m, t in zip(best["mean"], best["title"], strict=True)]
        assert rows(app, "#lowest") == rows(app, "#highest")[::-1]
        await pilot.press("b")
        assert isinstance(app.screen, MapScreen), "there are no biases to rank, and no key says so"


# Which points


async def test_the_filter_leaves_points_out_and_is_told_what_it_does_not_know(quick, opened):
    only = Filter(50, "Comedy")
    shown = expected(opened, only)
    async with mapping(quick) as pilot:
        await filtered(pilot, "comedy 50")
        assert is_drawn(quick, shown)
        assert 0 < len(shown.table) < 500
        assert subtitle(quick, "#points") == f"{len(shown.table)} movies  Comedy 50+ ratings  5 farthest each"
        await pilot.press("f")
        await wait(pilot, lambda: isinstance(quick.screen, Prompt))
        assert quick.screen.query_one(Input).value == "Comedy 50"
        for text, complaint in (("blorp", "no genre 'blorp'"), ("99999", "that leaves nothing to see")):
            await answer(pilot, text)
            assert isinstance(quick.screen, Prompt)
            assert complaint in page(quick)
        await pilot.press("escape")
        assert is_drawn(quick, shown)
        await filtered(pilot, "")
        assert is_drawn(quick, expected(opened, Filter()))
        assert len(points(quick)._xy) == 1664


async def test_the_cursor_stays_on_its_movie_when_others_go(quick, opened):
    async with mapping(quick) as pilot:
        await pilot.press("slash")
        await choose(pilot, "fargo")
        await filtered(pilot, "drama 400")
        assert points(quick).cursor == row_of(expected(opened, Filter(400, "Drama")), FARGO)
        await filtered(pilot, "comedy")
        assert points(quick).cursor is None
        assert "arrows" in said(quick, "#where")


def labelled(app) -> set[str]:
    """Titles that the map has labels for, fit or not."""
    table = app.screen._shown.table
    return {table["title"].iloc[row] for row in app.screen.query_one(PointMap)._labels}


async def test_the_chapters_three_plots_are_a_key_away(quick, opened):
    shown = expected(opened)
    async with mapping(quick, WIDE) as pilot:
        far = components.farthest(shown.table)
        assert labelled(quick) == set(far["title"])
        assert len(far) == 20
        best = far.sort_values("2", ascending=False)["title"].iloc[0]
        assert f"• {best}"[:20] in page(quick)
        await pilot.press("9")
        assert labelled(quick) == set()
        assert "• " not in page(quick)
        assert subtitle(quick, "#points").endswith("no labels")
        await pilot.press("0")
        tolerance = components.NEAR
        near = components.near_axes(shown.table, tolerance)
        assert labelled(quick) == set(near["title"])
        assert subtitle(quick, "#points").endswith(f"{len(near)} within 0.0002 of an axis")
        assert any(f"• {name}"[:12] in page(quick) for name in near["title"])
        for key, factor in (("greater_than_sign", 2), ("greater_than_sign", 2), ("less_than_sign", 0.5)):
            tolerance *= factor
            await pilot.press(key)
            near = components.near_axes(shown.table, tolerance)
            assert labelled(quick) == set(near["title"])
            assert subtitle(quick, "#points").endswith(f"{len(near)} within {tolerance:.2g} of an axis")
        await pilot.press("5")
        assert labelled(quick) == set(far["title"])


# Finding


async def test_what_is_found_is_marked_and_n_walks_through_it(quick, opened):
    shown = expected(opened)
    there = set(shown.table["code"])
    found = [code for code in opened.index.matches("star trek", fuzzy=False) if code in there]
    assert len(found) == 8
    async with mapping(quick) as pilot:
        await pilot.press("9", "n")
        assert "nothing found yet" in notices(quick)[-1]
        await pilot.press("slash")
        await choose(pilot, "star trek")
        assert points(quick).cursor == np.flatnonzero(shown.table["code"] == found[0])[0]
        assert {shown.table["code"].iloc[row] for row in points(quick)._found} == set(found)
        assert "◆" in page(quick)
        walked = []
        for _ in found:
            await pilot.press("n")
            walked.append(int(shown.table["code"].iloc[points(quick).cursor]))
        assert walked == [*found[1:], found[0]]
        await pilot.press("N")
        assert shown.table["code"].iloc[points(quick).cursor] == found[-1]
        # Marks survive another way of looking at the same points.
        await pilot.press("c")
        assert "◆" in page(quick)
        await pilot.press("slash", *"toy", "escape")
        assert shown.table["code"].iloc[points(quick).cursor] == found[-1]


async def test_what_the_filter_hides_is_found_all_the_same_and_that_is_said(quick, opened):
    async with mapping(quick) as pilot:
        await filtered(pilot, "comedy 100")
        await pilot.press("slash")
        await choose(pilot, "fargo")
        shown = expected(opened, Filter())
        assert is_drawn(quick, shown)
        assert points(quick).cursor == row_of(shown, FARGO)
        assert "filter" in notices(quick)[-1]
        assert said(quick, "#where").strip().startswith(FARGO)


# Axes


async def test_axes_are_named_by_their_poles_which_lie_at_minus_one_and_one(quick, opened):
    model = opened.model
    poles = ("Fargo (1996)", "Toy Story (1995)", "Horror", "Musical")
    x, y = ((maps.pole(model, low), maps.pole(model, high)) for low, high in (poles[:2], poles[2:]))
    async with mapping(quick, WIDE) as pilot:
        await pilot.press("a")
        for place, (question, text) in enumerate(
            zip(("x axis, from", "x axis, to", "y axis, from", "y axis, to"), poles, strict=True)
        ):
            await wait(pilot, lambda question=question: question in page(quick))
            if place % 2:
                assert f"({poles[place - 1]} ...)" in page(quick)
            await answer(pilot, text)
        shown = expected(opened, whole=maps.named_map(model, x, y))
        assert isinstance(quick.screen, MapScreen)
        assert is_drawn(quick, shown)
        assert title(quick, "#points") == "Fargo (1996) → Toy Story (1995)   Horror → Musical"
        assert subtitle(quick, "#points").startswith("p: back to the components")
        await filtered(pilot, "")
        lines = page(quick)
        for end in ("◂ Fargo (1996)", "Toy Story (1995) ▸", "▾ Horror", "▴ Musical", "■ Horror", "■ Musical"):
            assert end in lines
        places = {name: (x, y) for name, x, y in quick.screen._shown.poles}
        assert [places["Fargo (1996)"][0], places["Toy Story (1995)"][0]] == pytest.approx([-1, 1])
        assert [places["Horror"][1], places["Musical"][1]] == pytest.approx([-1, 1])
        drawn, codes = points(quick)._xy, quick.screen._shown.table["code"].to_numpy()
        row = {int(code): at for at, code in enumerate(codes)}
        assert drawn[row[model.item_code(poles[0])]][0] == pytest.approx(-1)
        assert drawn[row[model.item_code(poles[1])]][0] == pytest.approx(1)
        for genre, at in (("Horror", -1), ("Musical", 1)):
            members = [row[int(code)] for code in np.flatnonzero(model.genres[genre])]
            assert drawn[members, 1].mean() == pytest.approx(at)
        # Escape at the first question: back to the components.
        await pilot.press("a", "escape")
        await wait(pilot, lambda: is_drawn(quick, expected(opened, Filter())))
        assert title(quick, "#points").startswith("PC1 ")


async def test_a_tag_is_a_pole_and_a_filter_where_there_are_tags(opened):
    titles = opened.model.item_table["title"]
    tags = np.where(titles.isin(["Fargo (1996)", "Clerks (1994)"]), "dark comedy", "")
    tags[titles == "Star Wars (1977)"] = "\x1b[31mepic"
    opened.model = replace(opened.model, item_table=opened.model.item_table.assign(tags=tags))
    app = app_with(opened)
    async with mapping(app, WIDE) as pilot:
        await pilot.press("a")
        await wait(pilot, lambda: isinstance(app.screen, TitlePicker))
        assert "tag" not in page(app).split("a title or a genre or tag")[1], "nothing is typed yet"
        await pilot.press(*"dark")
        await wait(pilot, lambda: "tag  dark comedy" in page(app))
        await pilot.press("enter")
        for text in ("toy", "horror", "musical"):
            await choose(pilot, text)
        x = maps.pole(opened.model, "dark comedy"), maps.pole(opened.model, "Toy Story (1995)")
        y = maps.pole(opened.model, "Horror"), maps.pole(opened.model, "Musical")
        assert title(app, "#points") == "dark comedy → Toy Story (1995)   Horror → Musical"
        await filtered(pilot, "dark comedy")
        shown = app.screen._shown.table
        assert sorted(shown["title"]) == ["Clerks (1994)", "Fargo (1996)"]
        whole = maps.named_map(opened.model, x, y).table
        assert shown["0"].tolist() == pytest.approx(whole["0"][whole["title"].isin(shown["title"])].tolist())


async def test_an_axis_with_one_place_for_both_poles_is_told_and_the_map_stays(quick, opened):
    async with mapping(quick) as pilot:
        await pilot.press("a")
        for text in ("fargo", "fargo", "horror", "musical"):
            await choose(pilot, text)
        assert notices(quick) == ["Fargo (1996) and Fargo (1996) are the same place; an axis needs two"]
        assert is_drawn(quick, expected(opened))
        assert title(quick, "#points").startswith("PC1 ")
        # Half way through, escape leaves everything as it is.
        await pilot.press("a")
        await choose(pilot, "fargo")
        await pilot.press("escape")
        assert isinstance(quick.screen, MapScreen)
        assert is_drawn(quick, expected(opened))


# Robust PCA


async def solved(pilot) -> None:
    await wait(pilot, lambda: isinstance(pilot.app.screen, RobustScreen) and not pilot.app.screen._going)


async def test_p_solves_robust_pca_once_and_goes_through_l_s_and_m(tiny_opened):
    opened = tiny_opened("model4")
    app = app_with(opened)
    async with mapping(app, WIDE) as pilot:
        await filtered(pilot, "")
        whole = expected(opened, Filter())
        assert is_drawn(app, whole)
        await pilot.press("p")
        await solved(pilot)
        await pilot.press("enter")
        parts = robust.robust_pca(opened.model.item_factors[1:])
        for factors, name, then in (
            (parts.low_rank, "L", "p: the sparse part"),
            (parts.sparse, "S", "p: back to the components"),
        ):
            shown, found = maps.principal_map(opened.model, factors, f"{name} PC")
            await wait(pilot, lambda shown=shown: is_drawn(app, shown))
            x, y = found.variance
            assert title(app, "#points") == f"{name} PC1 {x:.1%}   {name} PC2 {y:.1%}   {PARTS[name]}"
            assert subtitle(app, "#points").startswith(then)
            assert f"rank of L {parts.rank}, density of S {parts.density:.1%}" in notices(app)[-1]
            await pilot.press("p")
        await wait(pilot, lambda: is_drawn(app, whole))
        assert title(app, "#points").startswith("PC1 ")
        # Again: L at once, nothing is asked.
        await pilot.press("p")
        assert isinstance(app.screen, MapScreen)
        assert title(app, "#points").startswith("L PC1 ")


def steps_shown(app) -> list[list[str]]:
    return [row.split() for row in rows(app, "#steps")]


def as_steps(parts: robust.Robust) -> list[list[str]]:
    return [
        [str(step.iteration), f"{step.residual:.1e}", str(step.rank), f"{step.density:.1%}"] for step in parts.steps
    ]


async def test_both_solvers_show_their_steps_and_what_came_of_it(tiny_opened):
    opened = tiny_opened("model4")
    app = app_with(opened)
    async with mapping(app) as pilot:
        await pilot.press("r")
        for key, solver in (("i", "ialm"), ("b", "book")):
            await solved(pilot)
            await pilot.press(key)
            await solved(pilot)
            parts = robust.robust_pca(opened.model.item_factors[1:], solver)
            assert steps_shown(app) == as_steps(parts)
            state = "converged" if parts.converged else "did not converge"
            text = page(app)
            assert f"{solver}: {state}; rank of L {parts.rank}, density of S {parts.density:.1%}" in text
            assert f"objective {parts.objective:.2f}" in text
            assert visible(app, "#steps")[-1].split()[0] == str(parts.steps[-1].iteration)
        await pilot.press("enter")
        shown = expected(opened, whole=maps.principal_map(opened.model, parts.low_rank, "L PC")[0])
        await wait(pilot, lambda: is_drawn(app, shown))
        assert "(book)" in notices(app)[-1]


async def test_the_second_time_it_is_read_from_the_run(tiny_opened, monkeypatch):
    opened = tiny_opened("model4")
    parts = robust.robust_factors(opened.model)

    def solve_again(*_, **__):
        raise AssertionError("solved again")

    monkeypatch.setattr(robust, "robust_pca", solve_again)
    app = app_with(opened)
    async with mapping(app) as pilot:
        await pilot.press("p")
        await solved(pilot)
        assert steps_shown(app) == as_steps(parts)
        assert "converged" in page(app)


@pytest.mark.slow
async def test_a_solver_at_work_is_watched_and_escape_cancels_it(tiny_opened, monkeypatch):
    opened = tiny_opened("model4")
    go_on, stopped = threading.Event(), threading.Event()

    def slow(matrix, solver="ialm", *, on_step=None, cancelled=None):
        for iteration in range(1, 10_000):
            if cancelled():
                stopped.set()
                raise robust.Cancelled
            on_step(robust.Iteration(iteration, 1 / iteration, iteration, 0.5))
            if iteration >= 3:
                go_on.wait(0.01)
        raise AssertionError("never cancelled")

    monkeypatch.setattr(robust, "robust_pca", slow)
    app = app_with(opened)
    async with mapping(app) as pilot:
        before = points(app)._xy
        await pilot.press("p")
        await wait(pilot, lambda: isinstance(app.screen, RobustScreen) and len(rows(app, "#steps")) >= 3)
        assert "ialm ..." in page(app)
        await pilot.press("b")
        assert notices(app)[-1] == "ialm is at work; escape cancels it"
        await pilot.press("enter")
        assert notices(app)[-1] == "not done yet"
        await pilot.press("escape")
        await solved(pilot)
        assert stopped.is_set()
        assert isinstance(app.screen, RobustScreen)
        assert "ialm: cancelled" in page(app)
        await pilot.press("enter")
        assert isinstance(app.screen, RobustScreen)
        assert not robust.cache_file(opened.model, "ialm").exists()
        await pilot.press("escape")
        assert isinstance(app.screen, MapScreen)
        assert points(app)._xy is before
        assert app.screen.part == "M"


# Out and back in


async def test_export_writes_the_map_as_a_picture_or_a_table_that_can_be_read_back(
    quick, opened, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    async with mapping(quick) as pilot:
        await filtered(pilot, "comedy 100")
        shown = expected(opened, Filter(100, "Comedy"))
        await pilot.press("x")
        await wait(pilot, lambda: isinstance(quick.screen, Prompt))
        assert quick.screen.query_one(Input).value == "map-model4-shared.svg"
        await pilot.press("enter")
        await wait(pilot, lambda: notices(quick))
        text = (tmp_path / "map-model4-shared.svg").read_text()
        root = ElementTree.fromstring(text)
        assert root.tag.endswith("svg")
        words = " ".join(root.itertext())
        assert components.farthest(shown.table)["title"].iloc[0] in words
        assert f"PC1 ({shown.variance[0]:.1%})" in words
        for name in ("map.png", "map.csv"):
            await pilot.press("x")
            await answer(pilot, name)
        await wait(pilot, lambda: len(notices(quick)) == 3)
        assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
        table = pd.read_csv(tmp_path / "map.csv")
        assert list(table.columns) == ["0", "1", "2", "3", "title", "ratings"]
        pd.testing.assert_frame_equal(table, shown.table[list(table.columns)], check_dtype=False)
        # Back in, on top of something else.
        await pilot.press("left_square_bracket")
        assert not is_drawn(quick, shown)
        await pilot.press("i")
        await answer(pilot, "map.csv")
        assert is_drawn(quick, shown)
        assert title(quick, "#points").split() == ["0", "1"]


async def test_what_is_in_view_is_what_is_written_as_a_picture(quick, tmp_path, monkeypatch):
    from cftui.analysis.maps import pictures

    monkeypatch.chdir(tmp_path)
    asked = {}
    draw = pictures.draw_map
    monkeypatch.setattr(pictures, "draw_map", lambda *args, **how: (asked.update(how), draw(*args, **how)))
    async with mapping(quick) as pilot:
        await pilot.press("right", "plus", "plus", "c", "x")
        await answer(pilot, "zoomed.svg")
        await wait(pilot, lambda: notices(quick))
        assert asked["view"] == points(quick).view
        assert asked["legend"][-1] == "other"
        assert (tmp_path / "zoomed.svg").exists()


async def test_a_file_that_is_no_map_is_told_in_the_prompt(quick, opened, tmp_path, monkeypatch, tree):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "strangers.csv").write_text("0,1,title\n1,2,Nobody knows it\n")
    (tmp_path / "words.csv").write_text("0,1\n1,two\n")
    (tmp_path / "few.csv").write_text("0,1\n1,2\n")
    (tmp_path / "empty.csv").write_text("")
    async with mapping(quick) as pilot:
        await pilot.press("i")
        for text, complaint in (
            ("nowhere.csv", "no such file"),
            ("", "Is a directory"),
            ("folder.csv", "Is a directory"),
            ("other.csv", "no column 0 or 1"),
            ("strangers.csv", "none of its titles is in ml-100k"),
            ("words.csv", "line 2: 1 is 'two'"),
            ("few.csv", "1 rows without titles"),
            ("empty.csv", "empty"),
        ):
            await answer(pilot, text)
            assert isinstance(quick.screen, Prompt)
            assert complaint in " ".join(page(quick).replace("│", " ").split())
        await pilot.press("escape", "x")
        for text, complaint in (
            ("map.pdf", "a name that ends in .svg or .png or .csv"),
            ("nowhere/map.svg", "there is no folder nowhere"),
        ):
            before = tree(tmp_path)
            await answer(pilot, text)
            assert complaint in page(quick)
        await pilot.press("escape")
        assert tree(tmp_path) == before
        assert is_drawn(quick, expected(opened))


@pytest.mark.parametrize("path", ["~nobody-of-that-name/map.csv", "n" * 300 + ".csv"], ids=["home", "long"])
async def test_a_path_that_no_system_can_have_is_told_too(quick, path):
    async with mapping(quick) as pilot:
        await pilot.press("i")
        await answer(pilot, path)
        assert isinstance(quick.screen, Prompt)
        assert "a CSV with the columns" not in page(quick)


async def test_a_map_of_one_item_can_be_read_and_walked_on(quick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.csv").write_text('0,1,title\n0.5,0.25,"Fargo (1996)"\n')
    async with mapping(quick) as pilot:
        await pilot.press("i")
        await answer(pilot, "one.csv")
        await pilot.press("right", "right", "plus", "z", "c", "5", "0", "9")
        assert said(quick, "#where").strip().startswith("Fargo (1996)  (0.500, 0.250)")
        await pilot.press("slash")
        await choose(pilot, "toy story")
        assert notices(quick)[-1] == "this map does not have it"


# Epochs


async def test_the_scrub_moves_the_points_and_the_neighbours_with_them(quick, opened):
    model = opened.model
    trained, found = maps.principal_map(model)
    async with mapping(quick) as pilot:
        await pilot.press("slash")
        await choose(pilot, "fargo")
        await pilot.press("v")
        here, view = points(quick).cursor, points(quick).view
        code = model.item_code(FARGO)
        for epoch in opened.epochs[::-1]:
            await pilot.press("left_square_bracket")
            earlier = model.at_epoch(epoch)
            assert is_drawn(quick, expected(opened, whole=maps.epoch_map(earlier, found)))
            assert title(quick, "#points").endswith(f"after epoch {epoch}")
            assert points(quick).cursor == here
            assert points(quick).view == view
            near = ranking.similar(earlier, code, 50, only=WELL_KNOWN)
            assert [row[1] for row in scored(quick, "#near")] == near["title"].to_list()
        for _ in opened.epochs:
            await pilot.press("right_square_bracket")
        assert quick.epoch is None
        assert is_drawn(quick, expected(opened, whole=trained))
        assert "epoch" not in title(quick, "#points")


async def test_an_epoch_that_was_lost_is_told_and_the_cursor_still_moves(tiny_opened):
    opened = tiny_opened("model4")
    app = app_with(opened)
    async with mapping(app) as pilot:
        shutil.rmtree(opened.model.run.snapshots_folder)
        await pilot.press("v", "left_square_bracket")
        assert "no snapshot of epoch" in notices(app)[0]
        await pilot.press("right", "right", "left")
        assert rows(app, "#near")
        assert isinstance(app.screen, MapScreen)


# The side


async def test_the_bias_lists_are_whole_and_the_cursor_of_the_map_follows(quick, opened):
    table = ranking.biases(opened.model, opened.ratings)
    async with mapping(quick, WIDE) as pilot:
        lowest = [row.split(maxsplit=1)[1] for row in rows(quick, "#lowest")]
        assert [row.split()[0] for row in rows(quick, "#lowest")] == [f"{bias:+.2f}" for bias in table["bias"]]
        assert [row.split(maxsplit=1)[1] for row in lowest] == table["title"].to_list()
        assert [row.split()[1] for row in rows(quick, "#highest")] == [f"{mean:.2f}" for mean in table["mean"][::-1]]
        best = table.iloc[-1]
        assert f"{best['bias']:+.2f} {best['mean']:.2f} {best['title'][:10]}" in page(quick)
        assert " bias mean movie" in page(quick)
        for pane, name in (("#highest", table["title"].iloc[-2]), ("#lowest", table["title"].iloc[1])):
            quick.screen.query_one(pane).focus()
            on_map = expected(opened)
            before = points(quick).cursor
            await pilot.press("down")
            there = name in on_map.table["title"].to_list()
            assert points(quick).cursor == (row_of(on_map, name) if there else before)
        await pilot.press("escape")
        assert quick.focused is points(quick)


@pytest.mark.parametrize("pane", ["#highest", "#lowest"])
async def test_a_list_of_all_items_is_sorted_and_filtered_without_drawing_them_all(quick, opened, pane):
    """With 62,000 items, drawing a row for each of them takes seconds."""
    async with mapping(quick, WIDE) as pilot:
        side = quick.screen.query_one(pane, RowList)
        assert all(column.values.dtype.kind in "iuf" for column in side._columns)
        drawn, render = [], side._render_row
        side._render_row = lambda index, width: (drawn.append(index), render(index, width))[1]
        side.focus()
        await pilot.press("s", "s", "s", "slash", *"star", "down")
        assert side.in_view == opened.biases["title"].str.casefold().str.contains("star").sum()
        assert len(set(drawn)) < side.count


async def test_where_there_is_no_room_for_the_mean_the_bias_stands_alone(quick, opened):
    best = ranking.biases(opened.model, opened.ratings).iloc[-1]
    async with mapping(quick) as pilot:
        assert f"{best['bias']:+.2f} {best['title'][:10]}" in page(quick)
        await pilot.resize_terminal(*WIDE)
        await wait(pilot, lambda: f"{best['bias']:+.2f} {best['mean']:.2f} {best['title'][:10]}" in page(quick))


async def test_a_list_at_the_side_is_sorted_and_filtered_and_copied_without_padding(quick, opened):
    table = ranking.biases(opened.model, opened.ratings)
    async with mapping(quick) as pilot:
        lowest = quick.screen.query_one("#lowest")
        lowest.focus()
        await pilot.press("s", "s", "g")
        assert visible(quick, "#lowest")[1].split(maxsplit=1)[1][:8] == min(table["title"], key=str.casefold)[:8]
        await pilot.press("slash", *"fargo", "enter", "y")
        assert lowest.in_view == 1
        fargo = table[table["title"] == FARGO].iloc[0]
        assert quick.clipboard == f"{fargo['bias']:+.2f} {FARGO}"


async def test_a_model_without_factors_has_no_map_and_says_what_to_do(tiny_opened):
    app = app_with(tiny_opened("ease"))
    async with app.run_test(size=SIZE) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("4")
        await wait(pilot, lambda: "not available for this model" in page(app))
        assert "Open another run" in " ".join(page(app).split())
        assert "Colour" not in page(app).splitlines()[-1], "a key that does nothing is offered"
        assert rows(app, "#highest")


async def test_a_movie_that_the_filter_hides_is_shown_when_it_is_asked_for(quick, opened):
    table = ranking.biases(opened.model)[::-1]
    async with mapping(quick) as pilot:
        await filtered(pilot, "horror 100")
        hidden = next(i for i, code in enumerate(table["code"]) if not opened.model.genres["Horror"][code])
        await pilot.press("b")
        await wait(pilot, lambda: isinstance(quick.screen, BiasScreen))
        await pilot.press(*["down"] * hidden, "l")
        shown = expected(opened, Filter())
        assert is_drawn(quick, shown)
        assert points(quick).cursor == row_of(shown, table["title"].iloc[hidden])


async def test_b_opens_the_whole_ranking_and_l_there_goes_to_the_point(quick, opened):
    table = ranking.biases(opened.model)[::-1]
    async with mapping(quick) as pilot:
        await pilot.press("b")
        await wait(pilot, lambda: isinstance(quick.screen, BiasScreen))
        await pilot.press("down", "down", "l")
        assert isinstance(quick.screen, MapScreen)
        assert points(quick).cursor == row_of(expected(opened), table["title"].iloc[2])


async def test_v_shows_what_is_like_the_movie_at_the_cursor(quick, opened):
    shown = expected(opened)
    async with mapping(quick) as pilot:
        await pilot.press("v")
        assert visible(quick, "#near") == ["move the cursor"]
        await pilot.press("right", "up")
        row = shown.table.iloc[points(quick).cursor]
        near = ranking.similar(opened.model, row["code"], 50, only=WELL_KNOWN)
        assert title(quick, "#near") == f"like {row['title']}"
        assert [name for _, name, _ in scored(quick, "#near")] == near["title"].to_list()
        assert [score for score, _, _ in scored(quick, "#near")] == [
            f"{value:.2f}".replace("0.", ".", 1) for value in near["cosine"]
        ]
        assert "most liked" not in page(quick)
        quick.screen.query_one("#near").focus()
        await pilot.press("down", "enter")
        assert points(quick).cursor == row_of(shown, near["title"].iloc[1])
        assert title(quick, "#near") == f"like {near['title'].iloc[1]}"
        await pilot.press("v")
        assert "most liked" in page(quick)
        assert not quick.screen.query_one("#near").display


async def test_with_room_biases_and_neighbours_stand_side_by_side(quick):
    async with mapping(quick, WIDE) as pilot:
        await pilot.press("right")
        line = page(quick).splitlines()[2]
        assert "most liked" in line
        assert "like " in line.split("most liked")[1]
        assert rows(quick, "#near")


# Other runs, other titles

EVERY_KEY = (*"cfaprbxnN509vi[]<>zhjklHJKL+-", "slash", "escape", "right", "left", "up", "down")


async def press_all(pilot, keys=EVERY_KEY) -> None:
    """Every key, out of every dialog that one opens."""
    for key in keys:
        await pilot.press(key)
        for _ in range(5):
            if isinstance(pilot.app.screen, MapScreen):
                break
            await pilot.press("escape")
        assert isinstance(pilot.app.screen, MapScreen), key


@pytest.mark.slow
async def test_a_run_with_one_factor_has_no_map_says_so_and_survives_every_key(tmp_path, tiny_known, until):
    home = Home(tmp_path / "one-factor")
    write_tiny(home.data / tiny_known)
    options = RECIPES["model4"].options(epochs=2, bs=16, factors=1)
    train(home, RECIPES["model4"], options, data=tiny_known, device=torch.device("cpu"), name="one")
    app = CftuiApp(home)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await until(pilot, lambda: app.chosen)
        await pilot.press("4")
        await until(pilot, lambda: "two components need" in page(app))
        assert len(rows(app, "#highest")) == 19
        await press_all(pilot)
        assert "two components need" in page(app)


@pytest.mark.slow
async def test_every_recipe_has_a_map(tiny_opened):
    app = app_with(tiny_opened("model1"))
    async with mapping(app) as pilot:
        for recipe in (name for name in RECIPES if name != "ease"):  # which has no factors
            opened = tiny_opened(recipe)
            app._choose(opened)
            await wait(pilot, lambda opened=opened: is_drawn(app, expected(opened, app.screen._only)))
            await press_all(pilot, ("right", "v", "["))
            # Without biases, the items are ranked by their mean ratings.
            assert rows(app, "#highest")
            await wait(pilot, lambda: re.search(r"trust \d+/\d+", said(app, "#where")))


ODD = ("[REC] (2007)", "[/REC] (2008)", "[bold] x", "\x1b[31mred\x1b[0m")


async def test_titles_that_look_like_markup_stand_on_the_map_as_they_are(tiny_opened):
    opened = tiny_opened("model4")
    for code, name in enumerate(ODD, 1):
        opened.model.item_table.loc[code, "title"] = name
    for cached in ("titles", "index"):
        opened.model.__dict__.pop(cached)
    opened.__dict__.pop("biases")
    app = app_with(opened)
    async with mapping(app, WIDE) as pilot:
        await filtered(pilot, "")
        for code, name in enumerate(ODD, 1):
            plain = "".join(c if c.isprintable() else " " for c in name)
            app.screen._go_to(code)
            await pilot.pause()
            assert said(app, "#where").strip().startswith(plain.strip())
            assert title(app, "#near") == f"like {plain}"
            assert any(plain in row for row in rows(app, "#highest"))
        assert "\x1b" not in page(app)
        await pilot.press("a")
        await choose(pilot, "[REC] (2007)")
        await choose(pilot, "[bold] x")
        await choose(pilot, "action")
        await choose(pilot, "comedy")
        assert title(app, "#points") == "[REC] (2007) → [bold] x   Action → Comedy"
        assert "[REC] (2007) → [bold] x" in page(app)


async def test_a_pole_that_looks_like_markup_is_named_in_the_question_after_it(tiny_opened):
    opened = tiny_opened("model4")
    for code, name in enumerate(ODD[:3], 1):
        opened.model.item_table.loc[code, "title"] = name
    for cached in ("titles", "index"):
        opened.model.__dict__.pop(cached)
    app = app_with(opened)
    async with mapping(app) as pilot:
        for name in ODD[:3]:
            await pilot.press("a")
            await choose(pilot, name)
            assert f"x axis, to ({name} ...)" in page(app)
            await pilot.press("escape")


# A model that gives way to another while a dialog is open


async def swap(pilot, opened) -> None:
    """A run has ended, and what it learned comes on show."""
    pilot.app._choose(opened)
    await pilot.pause()


@pytest.mark.slow
async def test_a_dialog_that_was_open_when_the_model_changed_does_no_harm(opened, tiny_opened):
    """An item, a genre or a user of the one data set is asked for; the other lacks it."""
    small = tiny_opened("model4")
    small.model.item_table["genres"] = small.model.item_table["genres"].str.replace("Animation", "Drama")
    small.model.__dict__.pop("genres")
    app = app_with(opened)
    async with mapping(app) as pilot:
        for room, key, text, keys in (
            ("f4", "b", None, ("end", "enter")),
            ("f4", "slash", "zeus", ("enter",)),
            ("f4", "f", "animation", ("enter",)),
            ("f3", "b", None, ("end", "enter")),
            ("f3", "u", "900", ("enter",)),
            ("f3", "m", None, ("5", "w", "enter")),
        ):
            await swap(pilot, opened)
            await pilot.press(room, "escape", key)
            await wait(pilot, lambda: app.screen.is_modal or isinstance(app.screen, MeScreen))
            if text is not None:
                app.screen.query_one(Input).value = text
            await swap(pilot, small)
            await pilot.press(*keys, "escape")
            assert app.is_running, f"{room} {key}"
            assert isinstance(app.screen, (MapScreen, SearchScreen)), f"{room} {key}"
            await pilot.press("f4", "escape")
            await wait(pilot, lambda: points(app)._xy is not None and len(points(app)._xy) < 20)
            assert set(app.screen._shown.table["title"]) <= set(small.model.titles)


async def test_axes_asked_for_one_model_are_not_shown_as_those_of_another(tiny_opened):
    one, other = tiny_opened("model4"), tiny_opened("model3")
    app = app_with(one)
    async with mapping(app) as pilot:
        await pilot.press("a")
        for text in ("fargo", "toy", "horror"):
            await choose(pilot, text)
        await swap(pilot, other)
        await choose(pilot, "musical")
        await wait(pilot, lambda: isinstance(app.screen, MapScreen))
        assert title(app, "#points").startswith("PC1 ")
        assert is_drawn(app, expected(other))


async def test_parts_that_were_found_for_one_model_are_not_shown_as_those_of_another(tiny_opened):
    one, other = tiny_opened("model4"), tiny_opened("model3")
    app = app_with(one)
    async with mapping(app) as pilot:
        await pilot.press("p")
        await solved(pilot)
        await swap(pilot, other)
        if isinstance(app.screen, RobustScreen):
            await pilot.press("enter")
        await settled(pilot)
        assert app.chosen is other
        factors = {
            "M": None,
            "L": robust.robust_pca(other.model.item_factors[1:]).low_rank,
        }[app.screen.part]
        assert is_drawn(app, expected(other, whole=maps.principal_map(other.model, factors)[0]))

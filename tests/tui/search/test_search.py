"""Search: what is like that movie, what would this person give it, and why: with the numbers of the analysis."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from textual.widgets import Input

from cftui.analysis import ranking
from cftui.analysis.explain.anatomy import anatomy, describe
from cftui.analysis.explain.explaining import explain
from cftui.analysis.explain.words import in_words
from cftui.analysis.users import people
from cftui.tui.search.anatomy import AnatomyScreen
from cftui.tui.search.me import MeScreen
from cftui.tui.search.screen import SearchScreen
from cftui.tui.search.users import ProfileScreen, UserPicker
from cftui.tui.search.why import _cut, bar_scale, signed_bar
from cftui.tui.shell import rows as rows_module
from cftui.tui.shell.biases import BiasScreen
from cftui.tui.shell.prompt import Prompt
from cftui.tui.shell.row_list import RowList
from tests.settings import RATING

from ..looking import (
    SIZE,
    WIDE,
    answer,
    app_with,
    notices,
    page,
    rows,
    said,
    scored,
    searching,
    subtitle,
    title,
    visible,
    wait,
)

LAMBS = "Silence of the Lambs, The (1991)"
FARGO = "Fargo (1996)"


def score(value: float) -> str:
    """A cosine as the lists show it: ``.71``."""
    return f"{value:.2f}".replace("0.", ".", 1)


def as_shown(table: pd.DataFrame, column: str, show=lambda value: f"{value:.2f}") -> list[tuple[str, str, int]]:
    """A ranking as the triples that a list of items shows."""
    return [
        (show(value), title, int(count))
        for value, title, count in zip(table[column], table["title"], table["ratings"], strict=True)
    ]


def near(model, item: int, n: int = 100, **options) -> pd.DataFrame:
    """The neighbours as they are shown at first."""
    return ranking.similar(model, item, n, shrink=ranking.SHRINK, **options)


def found_titles(app) -> list[str]:
    model = app.chosen.model
    return [model.titles[int(code)] for code in app.screen._found]


async def to(pilot, title: str) -> int:
    """Type a title and leave the field for the keys; the item's code."""
    app = pilot.app
    app.screen.query_one("#query", Input).value = title
    await wait(pilot, lambda: app.screen.item and app.chosen.model.titles[app.screen.item] == title)
    await pilot.press("escape")
    return app.screen.item


# The field


async def test_typing_filters_the_titles_and_ranks_them_as_the_index_does(quick, opened):
    async with searching(quick) as pilot:
        for query, first in (
            ("star", "Star Wars (1977)"),
            ("the silence of", LAMBS),
            ("miserables", "Misérables, Les (1995)"),
            ("starwars", "Star Wars (1977)"),
            ("fargow", FARGO),
        ):
            quick.screen.query_one("#query", Input).value = ""
            await pilot.press(*query)
            codes = opened.index.matches(query)
            assert title(quick, "#search-pane") == f"{len(codes):,} of 1,664 movies"
            assert len(codes) < 1664
            found = [row.split(maxsplit=1) for row in rows(quick, "#found")]
            assert [count for count, _ in found] == [f"{opened.model.counts[code]:,}" for code in codes]
            assert all(row.startswith(opened.model.titles[c]) for (_, row), c in zip(found, codes, strict=True))
            assert first in visible(quick, "#found")[0]
            assert first in said(quick, "#prediction")


async def test_what_fits_nothing_says_so_and_leaves_the_answer(quick):
    async with searching(quick) as pilot:
        await pilot.press(*"fargo")
        item = quick.screen.item
        await pilot.press(*"qqqzzz")
        assert visible(quick, "#found") == ["no match; try fewer letters"]
        assert title(quick, "#search-pane") == "0 of 1,664 movies"
        await pilot.press("down", "up", "enter")
        assert quick.screen.item == item
        assert FARGO in said(quick, "#prediction")


async def test_arrows_in_the_field_move_the_found_list_and_the_answer_follows(quick, opened):
    async with searching(quick) as pilot:
        await pilot.press(*"star trek")
        codes = opened.index.matches("star trek")
        for key, at in (("down", 1), ("down", 2), ("up", 1), ("pagedown", 6), ("pagedown", 7), ("pageup", 2)):
            await pilot.press(key)
            at = min(at, len(codes) - 1)
            assert quick.screen.query_one("#found", RowList).cursor == at
            assert quick.screen.item == codes[at]
            assert opened.model.titles[codes[at]] in said(quick, "#prediction")
            assert title(quick, "#neighbours") == f"like {opened.model.titles[codes[at]]}"
        await pilot.press("up", "up", "up")
        assert quick.screen.query_one("#found", RowList).cursor == 0
        field = quick.screen.query_one("#query", Input)
        assert quick.focused is field
        assert field.value == "star trek"
        await pilot.press(*": first")
        assert found_titles(quick)[0] == "Star Trek: First Contact (1996)"


async def test_digits_are_typed_and_slash_takes_the_whole_text_for_the_next_search(quick):
    async with searching(quick) as pilot:
        await pilot.press(*"2001", "enter")
        assert found_titles(quick)[0].startswith("2001")
        assert quick.focused is quick.screen.query_one("#neighbours")
        await pilot.press("slash", *"fargo")
        assert quick.screen.query_one("#query", Input).value == "fargo"


# What is like it


async def test_neighbours_equal_those_of_the_analysis_by_every_metric(quick, opened):
    """Shrunk at first, so that an item with two ratings is no discovery; the chapter's cosine is a key away."""
    model = opened.model
    async with searching(quick) as pilot:
        item = await to(pilot, FARGO)
        shrunk = near(model, item)
        assert scored(quick, "#neighbours") == as_shown(shrunk, "cosine", score)
        assert subtitle(quick, "#neighbours") == "cosine (s), shrunk (z)"
        first = visible(quick, "#neighbours")[1].split()
        assert first[0] == score(shrunk["cosine"].iloc[0])
        assert first[-1] == str(shrunk["ratings"].iloc[0])
        await pilot.press("z")
        plain = ranking.similar(model, item, 100)
        assert scored(quick, "#neighbours") == as_shown(plain, "cosine", score)
        assert subtitle(quick, "#neighbours") == "cosine (s), plain (z)"
        assert shrunk["ratings"].head(20).min() > plain["ratings"].head(20).min()
        await pilot.press("s")
        distances = ranking.similar(model, item, 100, metric="euclidean")
        assert scored(quick, "#neighbours") == as_shown(distances, "euclidean")
        assert list(distances["title"]) != list(plain["title"])
        assert subtitle(quick, "#neighbours") == "euclidean (s), plain (z)"
        await pilot.press("z")
        shrunk_distances = near(model, item, metric="euclidean")
        assert scored(quick, "#neighbours") == as_shown(shrunk_distances, "euclidean")
        assert list(shrunk_distances["title"]) != list(distances["title"])
        await pilot.press("s")
        assert scored(quick, "#neighbours") == as_shown(shrunk, "cosine", score)


async def test_heads_name_the_columns_and_the_lists_are_sorted_from_either_end(quick, opened):
    async with searching(quick) as pilot:
        item = await to(pilot, FARGO)
        await pilot.press("enter")
        assert visible(quick, "#neighbours")[0].split() == ["cos", "movie", "rated"]
        assert visible(quick, "#recommended")[0].split() == ["pred", "movie", "rated"]
        await pilot.press("tab", "shift+tab")
        await wait(pilot, lambda: quick.focused.id == "neighbours")
        table = near(opened.model, item)
        for column in ("cosine", "title", "ratings"):
            for best in (min, max):
                await pilot.press("S", "g")
                first = quick.screen.query_one("#neighbours", RowList).cursor
                values = table[column].str.casefold() if column == "title" else table[column]
                assert values.iloc[first] == best(values)
        # These letters stay the screen's.
        await pilot.press("s")
        assert visible(quick, "#neighbours")[0].split() == ["dist", "movie", "rated"]
        await pilot.press("slash")
        assert quick.focused is quick.screen.query_one("#query")


async def test_the_filter_keeps_a_genre_and_a_least_number_of_ratings(quick, opened):
    model = opened.model
    async with searching(quick) as pilot:
        item = await to(pilot, FARGO)
        await pilot.press("f")
        await answer(pilot, "comedy 100")
        only = ranking.Filter(100, "Comedy")
        assert scored(quick, "#neighbours") == as_shown(near(model, item, only=only), "cosine", score)
        best = ranking.recommend(model, opened.person("196"), 100, only=only)
        assert scored(quick, "#recommended") == as_shown(best, "predicted")
        assert all("Comedy" in model.item_table["genres"].iloc[code] for code in best["code"])
        assert best["ratings"].min() >= 100
        assert subtitle(quick, "#neighbours") == "cosine (s), shrunk (z)  Comedy 100+ ratings"
        worth = f"▼ {opened.lists.brief} (e)"
        assert " below popularity (" in worth
        assert subtitle(quick, "#recommended") == f"{worth}  Comedy 100+ ratings"
        # It stands in the field again, to be changed; emptied, everything is back.
        await pilot.press("f")
        await wait(pilot, lambda: isinstance(quick.screen, Prompt))
        assert quick.screen.query_one(Input).value == "Comedy 100"
        await answer(pilot, "")
        assert scored(quick, "#neighbours") == as_shown(near(model, item), "cosine", score)


async def test_a_wrong_genre_is_told_in_the_prompt_and_nothing_is_lost(quick):
    async with searching(quick) as pilot:
        await to(pilot, FARGO)
        await pilot.press("f")
        await answer(pilot, "drama 50")
        before = scored(quick, "#neighbours"), scored(quick, "#recommended")
        await pilot.press("f")
        await answer(pilot, "blorp 50")
        assert isinstance(quick.screen, Prompt)
        assert "no genre 'blorp'" in page(quick)
        assert quick.screen.query_one(Input).value == "blorp 50"
        await pilot.press("escape")
        assert (scored(quick, "#neighbours"), scored(quick, "#recommended")) == before
        await pilot.press("f")
        assert quick.screen.query_one(Input).value == "Drama 50"


# What this person would give it


async def test_the_prediction_stands_beside_what_was_given_and_the_facts_of_the_movie(quick, opened):
    model, user = opened.model, opened.person("196")
    unseen = model.item_code(FARGO)
    assert user.rating(unseen) is None
    given = int(user.items[0])
    async with searching(quick) as pilot:
        for item in (unseen, given):
            await to(pilot, model.titles[item])
            about = ranking.about(model, opened.ratings, item)
            predicted = model.predict(np.array([model.user_code(196)]), np.array([item]))[0]
            text = page(quick)
            rating = user.rating(item)
            assert f"{predicted:.2f} 1 |" in text
            assert ("unseen" if rating is None else f"gave {rating:g}") in said(quick, "#prediction")
            assert about.title in said(quick, "#prediction")
            assert " ".join(about.genres) in text
            assert f"{about.ratings:,} ratings, mean {about.mean:.2f}" in text
            assert f"bias {about.bias:+.2f}, no. {about.rank:,} of 1,664" in text
            shares = [f"{share:.0%}" for share in about.histogram["share"]]
            assert re.findall(r"\d+%", said(quick, "#prediction").splitlines()[-1]) == shares
        assert title(quick, "#prediction") == "user 196 would give"


async def test_a_prediction_on_a_scale_of_halves_is_not_cut_off(opened):
    opened.model = replace(opened.model, rating_range=(0.5, 5.0))
    user = opened.person("196")
    app = app_with(opened)
    async with searching(app) as pilot:
        for item in (int(user.items[0]), int(np.setdiff1d(np.arange(1, 100), user.items)[0])):
            await to(pilot, opened.model.titles[item])
            first, pane = said(app, "#prediction").splitlines()[0], app.screen.query_one("#prediction")
            assert "0.5 |" in first
            assert first.endswith(("unseen", "gave 5", "gave 4", "gave 3", "gave 2", "gave 1"))
            assert len(first) <= pane.content_size.width


@pytest.mark.parametrize(
    ("values", "width", "shown"),
    [
        ([1, 2, 3, 4, 5], 60, "1▂10% 2▂10% 3▄20% 4▄20% 5█40% "),
        ([1, 2, 3, 4, 5], 14, "1▂ 2▂ 3▄ 4▄ 5█ "),
        ([1, 2, 3, 4, 5], 13, "1 ▂▂▄▄█ 5"),
        ([1, 2, 3, 4, 5], 7, "1 ▄██ 5"),
        ([0.5, 1, 1.5, 2, 2.5], 18, "0.5 ▂▂▄▄█ 2.5"),
        ([1, 2, 3, 4, 5], 0, "1 █ 5"),
    ],
)
def test_a_histogram_has_every_rating_value_however_narrow(values, width, shown):
    shares = [0.1, 0.1, 0.2, 0.2, 0.4]
    about: Any = SimpleNamespace(histogram=pd.DataFrame({"value": values, "share": shares}))
    assert rows_module.histogram(about, width).plain == shown


async def test_tags_have_a_line_of_their_own_where_there_is_room(opened):
    table = opened.model.item_table.assign(tags="dark comedy|quirky")
    opened.model = replace(opened.model, item_table=table)
    genres = "Crime Drama Thriller"
    for size, line in ((SIZE, f"{genres}  dark comedy, "), (WIDE, genres)):
        app = app_with(opened)
        async with searching(app, size) as pilot:
            await to(pilot, FARGO)
            lines = said(app, "#prediction").splitlines()
            assert lines[2].startswith(line)
            assert (lines[3] == "dark comedy, quirky") == (size == WIDE)
            assert "%" in lines[-1]
            assert len(lines) <= app.screen.query_one("#prediction").content_size.height


async def test_the_histogram_says_the_shares_of_the_very_first_movie_too(quick, opened):
    """Drawn before the pane had its size, it had no room for them."""
    async with searching(quick) as pilot:
        await pilot.pause()
        about = ranking.about(opened.model, opened.ratings, quick.screen.item)
        shares = [f"{share:.0%}" for share in about.histogram["share"]]
        assert re.findall(r"\d+%", said(quick, "#prediction").splitlines()[-1]) == shares


async def test_what_was_predicted_behind_the_explanation_is_whole_when_it_comes_forward(quick, opened):
    async with searching(quick) as pilot:
        await to(pilot, FARGO)
        await pilot.press("w")
        await wait(pilot, lambda: rows(quick, "#why"))
        await pilot.press("end", "enter")
        item = quick.screen.item
        assert opened.model.titles[item] != FARGO
        await pilot.press("w")
        shares = [f"{share:.0%}" for share in ranking.about(opened.model, opened.ratings, item).histogram["share"]]
        assert re.findall(r"\d+%", said(quick, "#prediction").splitlines()[-1]) == shares


async def test_enter_walks_through_neighbours_and_recommendations(quick, opened):
    model = opened.model
    async with searching(quick) as pilot:
        item = await to(pilot, FARGO)
        await pilot.press("slash", "enter", "down", "enter")
        second = int(near(model, item, 2)["code"].iloc[1])
        assert quick.screen.item == second
        assert title(quick, "#neighbours") == f"like {model.titles[second]}"
        assert scored(quick, "#neighbours") == as_shown(near(model, second), "cosine", score)
        assert model.titles[second] in said(quick, "#prediction")
        assert quick.focused is quick.screen.query_one("#neighbours")
        best = ranking.recommend(model, opened.person("196"), 100)
        assert scored(quick, "#recommended") == as_shown(best, "predicted")
        await pilot.press("r", "down", "down", "enter")
        third = int(best["code"].iloc[2])
        assert quick.screen.item == third
        assert title(quick, "#neighbours") == f"like {model.titles[third]}"
        assert f"{best['predicted'].iloc[2]:.2f} 1 |" in page(quick)


# Why


async def test_why_takes_the_right_column_and_gives_it_back(quick, opened):
    async with searching(quick) as pilot:
        item = await to(pilot, FARGO)
        assert not quick.screen.query_one("#why").display
        assert "would give" in page(quick)
        await pilot.press("w")
        await wait(pilot, lambda: rows(quick, "#why"))
        assert quick.focused is quick.screen.query_one("#why")
        text = page(quick)
        who = opened.person("196")
        found = explain(opened.model, who.row, item)
        assert f"why {found.prediction:.2f} for user 196" in text
        assert "would give" not in text
        assert "would like" not in text
        assert "like Fargo (1996)" in text
        assert text.rstrip().splitlines()[-1].lstrip().startswith("⏎ All terms  / Search")
        await pilot.press("w")
        assert "user 196 would give" in page(quick)
        assert "why" not in page(quick).replace("w Why", "")
        await pilot.press("w")
        await pilot.press("r")
        assert "user 196 would like" in page(quick)
        assert quick.focused is quick.screen.query_one("#recommended")


def why_numbers(app) -> dict[str, float]:
    """The terms shown, by name, and ``sum``."""
    found: dict[str, float] = {}
    shown = rows(app, "#why")
    begin = next((at for at, row in enumerate(shown) if row.startswith("by the model's terms")), len(shown))
    for row in shown[begin + 1 :]:
        parts = re.fullmatch(r"(\S.*?) +([+-]?\d+\.\d\d)\b.*", row)
        if parts is None or "completeness" in row or row[0] in "+-":
            break
        found[parts[1]] = float(parts[2])
        if parts[1] == "sum":
            break
    return found


async def test_the_terms_shown_sum_to_the_prediction_and_enter_shows_them_all(quick, opened):
    model, who = opened.model, opened.person("196")
    async with searching(quick) as pilot:
        item = await to(pilot, LAMBS)
        await pilot.press("w")
        await wait(pilot, lambda: rows(quick, "#why"))
        found = explain(model, who.row, item)
        few = why_numbers(quick)
        assert few.pop("sum") == round(found.prediction, 2)
        assert list(few)[:3] == ["baseline", "user bias", "movie bias"]
        assert sum(few.values()) == pytest.approx(found.prediction, abs=0.005 * (len(few) + 1))
        assert few == {term.name: round(term.stars, 2) + 0.0 for term in found.grouped(len(few))}
        assert list(few)[-1] == f"{len(found.terms) - len(few) + 1} more"
        assert f"{found.raw:+.3f} by sigmoid range (0, 5.5)" in rows(quick, "#why")
        await pilot.press("enter")
        every = why_numbers(quick)
        assert every.pop("sum") == round(found.prediction, 2)
        assert every == {term.name: round(term.stars, 2) + 0.0 for term in found.terms}
        assert len(every) == 53
        await pilot.press("enter")
        assert len(why_numbers(quick)) == len(few) + 1


async def test_the_ratings_that_pull_are_named_and_enter_goes_to_one(quick, opened):
    model, who = opened.model, opened.person("196")
    async with searching(quick) as pilot:
        item = await to(pilot, FARGO)
        await pilot.press("w")
        await wait(pilot, lambda: rows(quick, "#why"))
        table = people.pulls(model, who, item).head(10)
        shown = rows(quick, "#why")
        at = next(index for index, row in enumerate(shown) if row.startswith("moved most by"))
        assert "leave-one-out" in shown[at]
        pulls = [re.fullmatch(r"(\d) (.+?) +([+-]\d\.\d\d) .*", row).groups() for row in shown[at + 1 :]]
        expected = zip(table["rating"], table["title"], table["pull"], strict=True)
        assert pulls == [(f"{given:g}", name, f"{pull:+.2f}") for given, name, pull in expected]
        await pilot.press("end")
        await pilot.press("enter")
        last = int(table["code"].iloc[-1])
        assert quick.screen.item == last
        assert title(quick, "#neighbours") == f"like {model.titles[last]}"
        assert subtitle(quick, "#why") == model.titles[last]
        found = explain(model, who.row, last)
        assert why_numbers(quick)["sum"] == round(found.prediction, 2)


async def test_the_words_come_first_and_are_those_of_the_analysis(quick, opened):
    model, who = opened.model, opened.person("196")
    async with searching(quick) as pilot:
        item = await to(pilot, FARGO)
        await pilot.press("w")
        await wait(pilot, lambda: rows(quick, "#why"))
        terms = explain(model, who.row, item).terms
        words = in_words(model, opened.ratings, who, item, terms, people.pulls(model, who, item))
        shown = rows(quick, "#why")
        head = next(at for at, row in enumerate(shown) if row.startswith("by the model's terms"))
        # Long sentences go over several lines, of which none is cut.
        assert " ".join(" ".join(shown[:head]).split()) == " ".join(words)
        width = quick.screen.query_one("#why").scrollable_content_region.width
        assert all(len(row) <= width for row in shown[:head])
        await pilot.resize_terminal(60, 20)
        narrow = quick.screen.query_one("#why")
        await wait(pilot, lambda: narrow.scrollable_content_region.width < width)
        await wait(pilot, lambda: "rates like most" in " ".join(visible(quick, "#why")[:2]))
        assert not any("…" in row for row in visible(quick, "#why")[:3])


def test_one_scale_for_all_bars_and_what_goes_beyond_it_is_marked():
    """Two bars of the same length are of the same value."""
    assert bar_scale([0.86, -0.5, 0.4, 0.13]) == 0.86
    assert signed_bar(0.86, 0.86, 6) == "      │██████"
    assert signed_bar(-0.43, 0.86, 6) == "   ███│      "
    assert signed_bar(0.13, 0.86, 6) == "      │█     "
    assert signed_bar(-0.05, 0.86, 6) == "     ▐│      "
    # One that is far longer than the others is cut.
    scale = bar_scale([5.0, 0.5, 0.4, 0.1])
    assert scale == pytest.approx(1.2)
    assert signed_bar(5.0, scale, 6) == "      │█████▸"
    assert signed_bar(-5.0, scale, 6) == "◂█████│      "
    assert signed_bar(1.2, scale, 6) == "      │██████"
    assert bar_scale([]) == 0


@pytest.mark.parametrize("width", [5, 9, 12, 16, 30])
def test_the_number_of_a_factor_is_never_what_is_cut(width):
    label = _cut("movie factor 17", width, keep_number=True)
    assert label.cell_len == width
    assert label.plain.rstrip().endswith(" 17")


async def test_the_bars_point_to_the_side_of_the_sign(quick):
    async with searching(quick) as pilot:
        await to(pilot, FARGO)
        await pilot.press("w")
        await wait(pilot, lambda: rows(quick, "#why"))
        await pilot.press("enter")
        bars = [row for row in rows(quick, "#why") if "│" in row]
        assert len(bars) > 50
        for row in bars:
            value = float(re.search(r" ([+-]\d\.\d\d) ", row)[1])
            left, right = re.search(r"[+-]\d\.\d\d (.*)", row)[1].split("│")
            assert "█" not in (right if value < 0 else left), row
        assert any("█│" in row for row in bars)
        assert any("│█" in row for row in bars)


async def test_with_room_all_three_columns_stand_side_by_side(quick, opened):
    async with searching(quick, WIDE) as pilot:
        item = await to(pilot, FARGO)
        await wait(pilot, lambda: rows(quick, "#why"))
        found = explain(opened.model, opened.person("196").row, item)
        text = page(quick)
        line = next(line for line in text.splitlines() if "like Fargo (1996)" in line)
        assert "user 196 would give" in line
        assert f"why {found.prediction:.2f} for user 196" in line
        assert "user 196 would like" in text
        assert len(why_numbers(quick)) > 12
        await pilot.press("w")
        assert quick.focused is quick.screen.query_one("#why")
        assert "user 196 would give" in page(quick)


# Who


async def use_user(pilot, text: str) -> None:
    await pilot.press("u")
    await answer(pilot, text)


async def test_a_user_is_chosen_by_id_and_everything_about_him_follows(quick, opened):
    model = opened.model
    async with searching(quick) as pilot:
        item = await to(pilot, FARGO)
        await pilot.press("w")
        await wait(pilot, lambda: rows(quick, "#why"))
        await use_user(pilot, "22")
        assert quick.user == "22"
        assert "user 22" in page(quick).splitlines()[0]
        who = opened.person("22")
        assert why_numbers(quick)["sum"] == round(float(model.rate(who.row, np.array([item]))[0]), 2)
        await pilot.press("w")
        assert title(quick, "#prediction") == "user 22 would give"
        assert f"{model.rate(who.row, np.array([item]))[0]:.2f} 1 |" in page(quick)
        assert scored(quick, "#recommended") == as_shown(ranking.recommend(model, who, 100), "predicted")


async def test_users_are_searched_by_age_gender_and_occupation(quick, opened):
    async with searching(quick) as pilot:
        await pilot.press("escape")
        for query in ("20-29", "librarian", "f 25", "25", "student m 30-40"):
            await pilot.press("u")
            await wait(pilot, lambda: isinstance(quick.screen, UserPicker))
            quick.screen.query_one(Input).value = query
            await pilot.pause()
            codes = people.search_users(opened.ratings, query)
            assert 1 < len(codes) < 943
            ids = [str(opened.ratings.users.classes[code]) for code in codes]
            assert [row.split()[0] for row in rows(quick, "#users-list")] == ids
            facts = people.facts(opened.ratings, int(codes[0]))
            first = visible(quick, "#users-list")[1]
            assert all(fact in first for fact in facts.values())
            await pilot.press("down", "enter")
            assert isinstance(quick.screen, SearchScreen)
            assert quick.user == ids[1]


async def test_nobody_fits_is_said_and_escape_leaves_the_user_as_he_was(quick):
    async with searching(quick) as pilot:
        await pilot.press("escape", "u")
        await wait(pilot, lambda: isinstance(quick.screen, UserPicker))
        assert "now 196" in page(quick)
        await pilot.press(*"99999", "enter")
        assert isinstance(quick.screen, UserPicker)
        assert visible(quick, "#users-list") == ["no match"]
        await pilot.press("escape")
        assert isinstance(quick.screen, SearchScreen)
        assert quick.user == "196"
        assert title(quick, "#prediction") == "user 196 would give"


async def test_the_profile_of_the_user_shows_his_ratings_and_his_taste(quick, opened):
    model, who = opened.model, opened.person("196")
    async with searching(quick) as pilot:
        await pilot.press("escape", "p")
        await wait(pilot, lambda: isinstance(quick.screen, ProfileScreen))
        text = page(quick)
        assert f"{len(who.items)} ratings, mean {who.given.mean():.2f}  49  M  writer" in text
        rated, taste = people.rated(model, who), people.taste(model, who)
        assert rows(quick, "#rated") == [
            f"{row.rating:>4g} {row.predicted:>4.2f} {row.title}" for row in rated.itertuples(index=False)
        ]
        assert [row.split() for row in rows(quick, "#taste")] == [
            [row.genre, str(row.ratings), f"{row.mean:.2f}", f"{row.beside:+.2f}"]
            for row in taste.itertuples(index=False)
        ]
        assert taste["genre"].iloc[0] in visible(quick, "#taste")[1]
        await pilot.press("tab")
        assert quick.focused is quick.screen.query_one("#taste")
        await pilot.press("p")
        assert isinstance(quick.screen, SearchScreen)


# All biases


async def test_the_bias_ranking_is_whole_and_its_ends_are_a_key_away(quick, opened):
    async with searching(quick) as pilot:
        await pilot.press("escape", "b")
        await wait(pilot, lambda: isinstance(quick.screen, BiasScreen))
        table = ranking.biases(opened.model, opened.ratings)[::-1].reset_index(drop=True)
        expected = [
            [f"{at:,}", f"{row.bias:+.3f}", f"{row.mean:.2f}", f"{row.ratings:,}", row.title]
            for at, row in enumerate(table.itertuples(index=False), 1)
        ]
        assert [row.split(maxsplit=4) for row in rows(quick, "#biases-list")] == expected
        assert visible(quick, "#biases-list")[0].split() == ["no.", "bias", "mean", "ratings", "movie"]
        assert expected[0][4] in visible(quick, "#biases-list")[1]
        await pilot.press("G")
        assert visible(quick, "#biases-list")[-1].split()[0] == "1,664"
        await pilot.press("g", "down", "enter")
        assert quick.screen.item == table["code"].iloc[1]
        assert table["title"].iloc[1] in said(quick, "#prediction")


async def test_the_bias_ranking_is_searched_within_and_keeps_its_numbers(quick, opened):
    async with searching(quick) as pilot:
        await pilot.press("escape", "b")
        await wait(pilot, lambda: isinstance(quick.screen, BiasScreen))
        await pilot.press("slash", *"star trek")
        table = ranking.biases(opened.model, opened.ratings)[::-1].reset_index(drop=True)
        codes = opened.index.matches("star trek")
        expected = table[table["code"].isin(codes)]
        found = [row.split(maxsplit=4) for row in rows(quick, "#biases-list")]
        assert [row[0] for row in found] == [f"{at + 1:,}" for at in expected.index]
        assert [row[4] for row in found] == expected["title"].to_list()
        await pilot.press("down", "down", "up", "enter")
        assert quick.screen.item == expected["code"].iloc[1]


async def test_escape_leads_from_the_field_of_the_biases_to_the_list_and_out(quick):
    async with searching(quick) as pilot:
        await pilot.press("escape")
        item = quick.screen.item
        await pilot.press("b")
        await wait(pilot, lambda: isinstance(quick.screen, BiasScreen))
        await pilot.press("slash", *"zzzqqq")
        assert visible(quick, "#biases-list")[1:] == ["no match"]
        await pilot.press("enter")
        assert isinstance(quick.screen, BiasScreen)
        await pilot.press("escape")
        assert quick.focused is quick.screen.query_one("#biases-list")
        await pilot.press("escape")
        assert isinstance(quick.screen, SearchScreen)
        assert quick.screen.item == item


# Anatomy


async def test_the_anatomy_is_that_of_the_analysis_and_n_takes_another_batch(quick, opened):
    async with searching(quick) as pilot:
        await pilot.press("escape", "a")
        await wait(pilot, lambda: isinstance(quick.screen, AnatomyScreen))
        for seed in range(2):
            parts = anatomy(opened.model, opened.ratings, 3, seed)
            text = said(quick, "#paper-text")
            width = quick.screen.query_one("#paper-text").size.width
            assert [line.split() for line in text.splitlines()] == [
                line.split() for line in describe(parts, width=width).splitlines()
            ]
            assert f"user {parts.ratings[0].user}, {parts.ratings[0].title}" in page(quick)
            await pilot.press("n")
        top = page(quick)
        await pilot.press("j")
        assert page(quick) != top
        await pilot.press("k")
        assert page(quick) == top
        await pilot.press("a")
        assert isinstance(quick.screen, SearchScreen)


async def test_no_line_of_the_anatomy_is_wrapped(quick):
    async with searching(quick) as pilot:
        await pilot.press("escape", "a")
        await wait(pilot, lambda: isinstance(quick.screen, AnatomyScreen))
        await pilot.pause()
        paper = quick.screen.query_one("#paper-text")
        longest = max(len(line) for line in said(quick, "#paper-text").splitlines())
        assert longest <= paper.size.width


# Export


async def test_export_writes_the_neighbours_that_are_shown(quick, opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with searching(quick) as pilot:
        item = await to(pilot, "Misérables, Les (1995)")
        await pilot.press("s", "x")
        await wait(pilot, lambda: isinstance(quick.screen, Prompt))
        assert quick.screen.query_one(Input).value == "like-miserables-les-1995.csv"
        await pilot.press("enter")
        written = tmp_path / "like-miserables-les-1995.csv"
        expected = near(opened.model, item, metric="euclidean").drop(columns="code")
        pd.testing.assert_frame_equal(pd.read_csv(written), expected, check_dtype=False)
        assert [f"{written}: 100 rows"] == notices(quick)


async def test_export_writes_the_recommendations_where_the_keys_are(quick, opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with searching(quick) as pilot:
        await pilot.press("escape", "r", "x")
        await wait(pilot, lambda: isinstance(quick.screen, Prompt))
        await pilot.press("enter")
        expected = ranking.recommend(opened.model, opened.person("196"), 100).drop(columns="code")
        written = pd.read_csv(tmp_path / "recommended-196.csv")
        pd.testing.assert_frame_equal(written, expected, check_dtype=False)


async def test_export_writes_the_biases_that_were_found(quick, opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with searching(quick) as pilot:
        await pilot.press("escape", "b")
        await wait(pilot, lambda: isinstance(quick.screen, BiasScreen))
        await pilot.press("slash", *"star trek", "escape", "x")
        await wait(pilot, lambda: isinstance(quick.screen, Prompt))
        await answer(pilot, "trek.csv")
        table = ranking.biases(opened.model, opened.ratings)[::-1]
        expected = table[table["code"].isin(opened.index.matches("star trek"))].drop(columns="code")
        written = pd.read_csv(tmp_path / "trek.csv")
        pd.testing.assert_frame_equal(written, expected.reset_index(drop=True), check_dtype=False)


async def test_export_refuses_what_it_cannot_write_and_escape_writes_nothing(quick, tmp_path, monkeypatch, tree):
    (tmp_path / "here" / "folder.csv").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    before = tree(tmp_path)
    async with searching(quick) as pilot:
        await pilot.press("escape", "x")
        for text, complaint in (
            ("neighbours.txt", "a name that ends in .csv"),
            ("neighbours", "a name that ends in .csv"),
            ("", "a name that ends in .csv"),
            ("nowhere/neighbours.csv", "there is no folder nowhere"),
            ("folder.csv", "folder.csv is a folder"),
        ):
            await answer(pilot, text)
            assert isinstance(quick.screen, Prompt)
            assert complaint in page(quick)
        await pilot.press("escape")
        assert isinstance(quick.screen, SearchScreen)
        assert tree(tmp_path) == before
        assert not notices(quick)


@pytest.mark.parametrize("text", ["~nobody-of-that-name/neighbours.csv", "n" * 300 + ".csv"], ids=["home", "long"])
async def test_a_path_that_no_system_can_have_is_refused_too(quick, tmp_path, monkeypatch, tree, text):
    monkeypatch.chdir(tmp_path)
    before = tree(tmp_path)
    async with searching(quick) as pilot:
        await pilot.press("escape", "x")
        await answer(pilot, text)
        assert isinstance(quick.screen, Prompt)
        assert "a file of that name is replaced" not in page(quick)
        assert tree(tmp_path) == before


async def test_a_disk_that_refuses_is_told_and_the_app_goes_on(quick, tmp_path, monkeypatch):
    from cftui.tui.shell import export

    def full(path, content):
        raise OSError(28, "No space left on [/device]", str(path))

    monkeypatch.setattr(export, "write_atomic", full)
    monkeypatch.chdir(tmp_path)
    async with searching(quick) as pilot:
        await pilot.press("escape", "x")
        await wait(pilot, lambda: isinstance(quick.screen, Prompt))
        await pilot.press("enter")
        assert "No space left on [/device]" in notices(quick)[0]
        assert isinstance(quick.screen, SearchScreen)


# Epochs


async def test_the_scrub_shows_the_neighbours_as_they_were_and_comes_back(quick, opened):
    model = opened.model
    async with searching(quick) as pilot:
        item = await to(pilot, FARGO)
        prediction = said(quick, "#prediction")
        trained = scored(quick, "#neighbours")
        last = opened.epochs[-1]
        for epoch in opened.epochs[::-1]:
            await pilot.press("left_square_bracket")
            earlier = near(model.at_epoch(epoch), item)
            assert scored(quick, "#neighbours") == as_shown(earlier, "cosine", score)
            assert subtitle(quick, "#neighbours") == f"cosine (s), shrunk (z)  after epoch {epoch}"
        assert scored(quick, "#neighbours") != trained
        # What does not move says so: of an epoch only the items were kept.
        assert said(quick, "#prediction") == prediction
        assert subtitle(quick, "#prediction") == "as trained"
        assert subtitle(quick, "#recommended").startswith("as trained")
        await pilot.press("w")
        assert title(quick, "#why").endswith(", as trained")
        await pilot.press("w")
        await pilot.press("left_square_bracket")
        assert quick.epoch == opened.epochs[0] == 0
        for _ in range(last):
            await pilot.press("right_square_bracket")
        assert subtitle(quick, "#neighbours") == f"cosine (s), shrunk (z)  after epoch {last}"
        await pilot.press("right_square_bracket", "right_square_bracket")
        assert quick.epoch is None
        assert "as trained" not in page(quick)
        assert scored(quick, "#neighbours") == trained
        assert subtitle(quick, "#neighbours") == "cosine (s), shrunk (z)"
        assert said(quick, "#prediction") == prediction


# Other recipes, other titles


@pytest.mark.slow
async def test_every_recipe_answers_everything(tiny_opened):
    """Without biases, without a sigmoid, with a softmax, with a network: the same keys, no exception."""
    app = app_with(tiny_opened("model1"))
    async with searching(app, (110, 24)) as pilot:
        app.screen.query_one("#query", Input).value = "silence"
        for recipe in RATING:
            opened = tiny_opened(recipe)
            app._choose(opened)
            await wait(pilot, lambda: app.screen.item and rows(app, "#why"))
            model, who, item = opened.model, opened.person("1"), app.screen.item
            assert model.titles[item] == LAMBS
            predicted = model.rate(who.row, np.array([item]))[0]
            assert (f"{predicted:.1f} (" if opened.sure else f"{predicted:.2f} 1 |") in page(app)
            about = ranking.about(model, opened.ratings, item)
            assert ("no bias" if about.bias is None else f"bias {about.bias:+.2f}, no. {about.rank} of 19") in page(app)
            assert scored(app, "#neighbours") == as_shown(near(model, item), "cosine", score)
            found = explain(model, who.row, item)
            said_why = f"why {found.prediction:.2f} for user 1"
            await wait(pilot, lambda said_why=said_why: title(app, "#why") == said_why)
            few = why_numbers(app)
            assert few.pop("sum") == round(found.prediction, 2)
            assert sum(few.values()) == pytest.approx(found.prediction, abs=0.005 * (len(few) + 1))
            assert any(row.startswith("completeness error") for row in rows(app, "#why"))
            if not model.has_bias:
                await pilot.press("escape", "b")
                assert notices(app)[-1] == f"{recipe} has no biases"
                assert isinstance(app.screen, SearchScreen)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["collab-nn", "cross-entropy", "ease", "ials"])
async def test_every_dialog_opens_on_a_recipe_of_its_own_kind(tiny_opened, recipe):
    app = app_with(tiny_opened(recipe))
    async with searching(app) as pilot:
        await pilot.press("escape", "s", "z", "left_square_bracket", "right_square_bracket")
        for key, screen in (("p", ProfileScreen), ("a", AnatomyScreen), ("m", MeScreen)):
            await pilot.press(key)
            await wait(pilot, lambda screen=screen: isinstance(app.screen, screen))
            await pilot.press("escape")
            await wait(pilot, lambda: isinstance(app.screen, SearchScreen))


# What looks like markup, and what a terminal would obey.
ODD = ("[REC] (2007)", "[/REC] (2008)", "[bold] x", "\x1b[31mred\x1b[0m", "")


def retitled(opened, names) -> dict[str, int]:
    """Give the first items of a model other titles; the codes they have."""
    model = opened.model
    for code, name in enumerate(names, 1):
        model.item_table.loc[code, "title"] = name
    for cached in ("titles", "index"):
        model.__dict__.pop(cached, None)
    opened.__dict__.pop("biases", None)
    opened.prepare()
    return {name: code for code, name in enumerate(names, 1)}


async def test_a_title_that_looks_like_markup_stands_everywhere_as_it_is(tiny_opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opened = tiny_opened("model4")
    codes = retitled(opened, ODD)
    app = app_with(opened)
    async with searching(app) as pilot:
        await pilot.press("escape", "w")
        for name, code in codes.items():
            shown = "".join(c if c.isprintable() else " " for c in name)
            app.screen._show(code)
            await pilot.pause()
            assert title(app, "#neighbours") == f"like {shown}"
            assert said(app, "#prediction").splitlines()[1] == shown
            assert subtitle(app, "#why") == shown
            assert any(shown in row for row in rows(app, "#found"))
            assert f"like {shown}"[:30] in page(app)
            await pilot.press("x")
            await wait(pilot, lambda: isinstance(app.screen, Prompt))
            await pilot.press("enter")
        names = sorted(path.name for path in tmp_path.glob("*.csv"))
        stems = ("-31mred-0m", "-bold-x", "-rec-2007", "-rec-2008", "")
        assert names == [f"like{stem}.csv" for stem in stems]
        written = pd.read_csv(tmp_path / "like-rec-2007.csv")["title"]
        assert {"[/REC] (2008)", "[bold] x"} <= set(written)
        await pilot.press("w", "b")
        await wait(pilot, lambda: isinstance(app.screen, BiasScreen))
        await pilot.press("slash", *"rec")
        assert {row.split(maxsplit=4)[4] for row in visible(app, "#biases-list")[1:]} == set(ODD[:2])
        assert "\x1b" not in page(app)


@pytest.mark.parametrize(("room", "mode"), [("3", "search"), ("4", "map")])
async def test_without_a_model_no_key_does_harm_and_the_invitation_is_heard(bare_app, room, mode):
    """What is not on the screen takes no focus: it would swallow the keys that the invitation names."""
    async with bare_app.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: bare_app.activity)
        await pilot.press(room)
        await wait(pilot, lambda: bare_app.current_mode == mode)
        keys = [key for key, found in bare_app.screen.active_bindings.items() if found.node is bare_app.screen]
        assert keys
        for key in keys:
            if key not in ("t", "g", "tab", "shift+tab"):
                await pilot.press(key)
                focused = bare_app.focused
                assert focused is None or focused.region, f"{key} put the focus on {focused}, which nobody sees"
        assert "Press g" in page(bare_app)
        await pilot.press("1")
        assert bare_app.current_mode == "dataset"


# A model that gives way to another


async def test_a_profile_that_the_new_model_cannot_read_leaves_nothing_of_the_old(opened, tiny_opened):
    """None of its titles is known there: who it was, and what he would like, is off the screen."""
    app = app_with(opened)
    (opened.home.data / "profiles").mkdir()
    (opened.home.data / "profiles" / "me.csv").write_text('title,rating\n"Godfather, The (1972)",5\n')
    async with searching(app) as pilot:
        app.user = "me"
        await wait(pilot, lambda: title(app, "#recommended") == "you would like")
        app._choose(tiny_opened("model4"))
        await wait(pilot, lambda: title(app, "#search-pane") == "19 of 19 movies")
        known = set(app.chosen.model.titles)
        assert all(name in known for _, name, _ in scored(app, "#recommended"))
        await pilot.press("escape", "r", "end", "enter")
        assert app.screen.item < 20


async def test_a_search_that_fits_nothing_in_the_new_model_leaves_nothing_of_the_old(opened, tiny_opened):
    app = app_with(opened)
    async with searching(app) as pilot:
        await pilot.press(*"zebrahead")
        app._choose(tiny_opened("model4"))
        await pilot.pause()
        known = set(app.chosen.model.titles)
        assert all(name in known for _, name, _ in scored(app, "#neighbours"))
        assert "Zebrahead" not in said(app, "#prediction")
        await pilot.press("escape", "tab", "end", "enter")
        assert app.screen.item is None or app.screen.item < 20


async def test_an_earlier_epoch_that_was_lost_is_told_and_nothing_breaks(tiny_opened):
    """Somebody cleared the run's folder while its model was on show."""
    opened = tiny_opened("model4")
    app = app_with(opened)
    async with searching(app) as pilot:
        item = await to(pilot, FARGO)
        shutil.rmtree(opened.model.run.snapshots_folder)
        await pilot.press("left_square_bracket")
        assert "no snapshot of epoch" in notices(app)[0]
        await pilot.press("enter", "down", "enter", "right_square_bracket")
        assert app.epoch is None
        assert app.screen.item != item
        expected = near(opened.model, app.screen.item)
        assert scored(app, "#neighbours") == as_shown(expected, "cosine", score)

"""Become a user: every key moves the recommendations, and what is saved is a user like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from cftui.analysis import ranking
from cftui.analysis.users import folding, people, profiles
from cftui.home import Home
from cftui.tui.main import CftuiApp
from cftui.tui.search.me import MeScreen
from cftui.tui.search.screen import SearchScreen
from cftui.tui.search.users import UserPicker
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.prompt import Confirm, Prompt
from cftui.tui.shell.titles import TitlePicker

from ..looking import answer, app_with, notices, page, rows, said, searching, title, visible, wait

FARGO = "Fargo (1996)"


@asynccontextmanager
async def rating(app: CftuiApp) -> AsyncIterator[Pilot]:
    """The screen that asks, come to by ``m``."""
    async with searching(app) as pilot:
        await pilot.press("escape", "m")
        await wait(pilot, lambda: isinstance(app.screen, MeScreen))
        yield pilot


class Told:
    """What somebody has said so far, and what follows from it by the analysis alone."""

    def __init__(self, opened: OpenModel) -> None:
        self.opened = opened
        self.rated: dict[int, float] = {}
        self.passed: list[int] = []

    @property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array([*self.rated], np.int64), np.array([*self.rated.values()], np.float32)

    @property
    def next_question(self) -> str:
        passed = np.array(self.passed, np.int64)
        return self.opened.model.titles[folding.questions(self.opened.model, *self._arrays, 1, passed=passed)[0]]

    @property
    def recommended(self) -> list[list[str]]:
        who = people.folded(self.opened.model, "me", *self._arrays)
        best = ranking.recommend(self.opened.model, who, 100)
        return [[f"{row.predicted:.2f}", row.title, f"{row.ratings:,}"] for row in best.itertuples(index=False)]


def question(app) -> str:
    return said(app, "#question").splitlines()[0]


def recommended(app) -> list[list[str]]:
    """Prediction, title and count of every row; how far it moved is left out."""
    return [[row[5:9], row[10:-5].strip(), row[-5:].strip()] for row in rows(app, "#me-recommended")]


def rated(app) -> list[str]:
    return [" ".join(row.split()) for row in rows(app, "#answers")]


def check(app, told: Told, asked: str = "") -> None:
    assert question(app) == (asked or told.next_question)
    assert recommended(app) == told.recommended
    count = len(told.rated)
    assert title(app, "#question") == f"{count} rated" + ("" if count >= 10 else " of 10")


async def test_every_key_moves_the_recommendations_as_folding_in_does(quick, opened):
    told = Told(opened)
    async with rating(quick) as pilot:
        check(quick, told)
        assert title(quick, "#me-recommended") == "what the average user would like"
        assert visible(quick, "#answers") == ["nothing rated yet"]
        for key in ("5", "1", "space", "3", "2", "4", "0"):
            code = opened.model.item_code(question(quick))
            before = recommended(quick)
            await pilot.press(key)
            if key in ("space", "0"):
                told.passed.append(code)
                assert recommended(quick) == before
                assert rated(quick)[0] == f"- {opened.model.titles[code]}"
            else:
                told.rated[code] = float(key)
                assert recommended(quick) != before
                assert rated(quick)[0] == f"{key} {opened.model.titles[code]}"
                assert opened.model.titles[code] not in [row[1] for row in recommended(quick)]
            check(quick, told)
        assert len(rated(quick)) == 7
        assert title(quick, "#me-recommended") == "you would like"
        first = told.recommended[0]
        assert first[0] in visible(quick, "#me-recommended")[0]
        assert first[1][:20] in visible(quick, "#me-recommended")[0]


async def test_rows_say_how_far_they_moved(quick):
    async with rating(quick) as pilot:
        assert not any(mark in page(quick) for mark in "▲▼")
        for key in "51":
            before = [row[1] for row in recommended(quick)]
            await pilot.press(key)
            marks = [row[:4].strip() for row in rows(quick, "#me-recommended")]
            assert any(marks)
            for place, (name, mark) in enumerate(zip([row[1] for row in recommended(quick)], marks, strict=True)):
                was = before.index(name) if name in before else None
                expected = "new" if was is None else f"▲{was - place}" if was > place else f"▼{place - was}"
                assert mark == ("" if was == place else expected)


async def test_backspace_takes_back_the_last_answer_and_asks_it_again(quick, opened):
    told = Told(opened)
    async with rating(quick) as pilot:
        await pilot.press("backspace")
        check(quick, told)
        first = question(quick)
        await pilot.press("5")
        second = question(quick)
        told.rated[opened.model.item_code(first)] = 5.0
        await pilot.press("space", "backspace")
        check(quick, told, second)
        await pilot.press("1", "backspace")
        check(quick, told, second)
        assert rated(quick) == [f"5 {first}"]
        await pilot.press("backspace")
        told.rated.clear()
        check(quick, told, first)
        await pilot.press("2")
        assert rated(quick) == [f"2 {first}"]
        # What nobody would have asked next is asked again all the same.
        await pilot.press("slash")
        await answer(pilot, "zeus")
        await pilot.press("3", "backspace")
        assert question(quick) == "Zeus and Roxanne (1997)"


async def test_slash_rates_another_movie_and_escape_from_it_loses_nothing(quick, opened):
    told = Told(opened)
    async with rating(quick) as pilot:
        await pilot.press("slash")
        await wait(pilot, lambda: isinstance(quick.screen, TitlePicker))
        await answer(pilot, "fargo")
        check(quick, told, FARGO)
        await pilot.press("5")
        told.rated[opened.model.item_code(FARGO)] = 5.0
        check(quick, told)
        asked = question(quick)
        await pilot.press("slash", *"12", "escape")
        check(quick, told, asked)
        # Asked again, the answer takes the place of the one before.
        await pilot.press("slash")
        await answer(pilot, "fargo")
        await pilot.press("1")
        told.rated[opened.model.item_code(FARGO)] = 1.0
        check(quick, told)
        assert rated(quick) == [f"1 {FARGO}"]


@pytest.mark.slow
async def test_undoing_a_changed_answer_brings_the_one_before_back(quick):
    async with rating(quick) as pilot:
        for key in "51":
            await pilot.press("slash")
            await answer(pilot, "fargo")
            await pilot.press(key)
        assert rated(quick) == [f"1 {FARGO}"]
        await pilot.press("backspace")
        assert f"5 {FARGO}" in rated(quick)


async def test_ten_ratings_are_enough_and_that_is_said_once(quick):
    async with rating(quick) as pilot:
        await pilot.press(*"5142335511")
        assert title(quick, "#question") == "10 rated"
        assert notices(quick) == ["ten rated: press w to save them as a user, or go on"]
        await pilot.press("3")
        assert title(quick, "#question") == "11 rated"
        assert len(notices(quick)) == 1


async def test_the_keys_1_to_4_do_not_leave_for_another_room(quick):
    async with rating(quick) as pilot:
        await pilot.press(*"1234")
        assert quick.current_mode == "search"
        assert isinstance(quick.screen, MeScreen)
        assert len(rated(quick)) == 4


# Saving


async def saved(pilot: Pilot, name: str, keys: str = "512") -> dict[str, float]:
    """Rate, and save under a name; what was rated by title."""
    app, given = pilot.app, {}
    for key in keys:
        given[question(app)] = float(key)
        await pilot.press(key)
    await pilot.press("w")
    await answer(pilot, name)
    await wait(pilot, lambda: isinstance(app.screen, SearchScreen))
    return given


async def test_a_saved_profile_is_a_csv_and_becomes_the_user(quick, opened):
    model = opened.model
    async with rating(quick) as pilot:
        given = await saved(pilot, "tester")
        path = opened.home.data / "profiles" / "tester.csv"
        table = pd.read_csv(path)
        assert list(table.columns) == ["title", "rating"]
        assert dict(zip(table["title"], table["rating"], strict=True)) == given
        assert str(path) in notices(quick)[0]
        assert quick.user == "tester"
        assert "user tester" in page(quick).splitlines()[0]
        codes = np.array([model.item_code(name) for name in given])
        who = people.folded(model, "tester", codes, np.array([*given.values()], np.float32))
        best = ranking.recommend(model, who, 100)
        assert title(quick, "#recommended") == "tester would like"
        assert rows(quick, "#recommended")[0].startswith(f"{best['predicted'].iloc[0]:.2f} {best['title'].iloc[0]}")
        item = quick.screen.item
        assert f"{model.rate(who.row, np.array([item]))[0]:.2f} 1 |" in page(quick)
        assert title(quick, "#prediction") == "tester would give"
        await pilot.press("w")
        await wait(pilot, lambda: rows(quick, "#why"))
        pulls = people.pulls(model, who, item)
        assert len(pulls) == 3
        assert [row.split(maxsplit=1)[0] for row in rows(quick, "#why")[-3:]] == [f"{r:g}" for r in pulls["rating"]]
        quick.clear_notifications()
        await pilot.press("p")
        assert "3 ratings" in page(quick)
        assert "folded in" in page(quick)


async def test_a_bad_name_is_told_and_nothing_is_lost(quick, opened):
    async with rating(quick) as pilot:
        await pilot.press("w")
        assert notices(quick) == ["no ratings yet"]
        await pilot.press("5", "w")
        await wait(pilot, lambda: isinstance(quick.screen, Prompt))
        assert quick.screen.query_one(Input).value == "me"
        for name, complaint in (
            ("196", "196 is a user of ml-100k"),
            ("", "begins with a letter"),
            ("9lives", "begins with a letter"),
            ("a/b", "begins with a letter"),
            ("[/b]", "begins with a letter"),
            ("a" * 32, "31 at most"),
        ):
            await answer(pilot, name)
            assert isinstance(quick.screen, Prompt)
            assert complaint in " ".join(page(quick).replace("│", " ").split())
        assert profiles.names(opened.home) == []
        await pilot.press("escape")
        assert len(rated(quick)) == 1
        await saved(pilot, "good-name_2", keys="4")
        assert profiles.names(opened.home) == ["good-name_2"]


@pytest.mark.slow
async def test_a_saved_profile_is_in_the_picker_and_survives_a_restart(quick, opened, trained, ml_100k_folder):
    (opened.home.data / "ml-100k").symlink_to(ml_100k_folder)
    opened.home.models.mkdir()
    (opened.home.models / trained[1].name).symlink_to(trained[1].path)
    async with rating(quick) as pilot:
        given = await saved(pilot, "tester")
        shown = rows(quick, "#recommended")
        await pilot.press("u")
        await wait(pilot, lambda: isinstance(quick.screen, UserPicker))
        assert "now tester" in title(quick, "#users")
        assert rows(quick, "#users-list")[0].split() == ["tester", "a", "saved", "profile"]
    again = CftuiApp(opened.home)
    async with searching(again) as pilot:
        assert again.user == "196"
        await pilot.press("escape", "u")
        await answer(pilot, "test")
        assert again.user == "tester"
        assert rows(again, "#recommended") == shown
        await pilot.press("m")
        await wait(pilot, lambda: isinstance(again.screen, MeScreen))
        assert set(rated(again)) == {f"{value:g} {name}" for name, value in given.items()}


async def test_m_with_a_profile_for_a_user_goes_on_with_its_ratings(quick, opened):
    async with rating(quick) as pilot:
        given = await saved(pilot, "tester")
        before = rows(quick, "#recommended")
        await pilot.press("m")
        await wait(pilot, lambda: isinstance(quick.screen, MeScreen))
        assert set(rated(quick)) == {f"{value:g} {name}" for name, value in given.items()}
        asked = question(quick)
        assert asked not in given
        await pilot.press("1", "w")
        await wait(pilot, lambda: isinstance(quick.screen, Prompt))
        assert quick.screen.query_one(Input).value == "tester"
        await pilot.press("enter")
        await wait(pilot, lambda: isinstance(quick.screen, SearchScreen))
        assert quick.user == "tester"
        assert len(profiles.load(opened.home, "tester", opened.model).items) == 4
        assert rows(quick, "#recommended") != before, "the same name with other ratings is another user"


async def test_of_a_trained_user_no_ratings_are_taken_over(quick):
    async with rating(quick) as pilot:
        assert quick.user == "196"
        assert rated(quick) == []
        await pilot.press("escape")
        assert isinstance(quick.screen, SearchScreen)


# Leaving


async def test_escape_asks_only_where_ratings_would_be_lost(quick, opened):
    async with rating(quick) as pilot:
        await pilot.press("space", "space", "escape")
        assert isinstance(quick.screen, SearchScreen), "what was not seen is no loss"
        await pilot.press("m", "5", "1", "escape")
        assert isinstance(quick.screen, Confirm)
        assert "2 unsaved ratings" in page(quick)
        await pilot.press("n")
        assert isinstance(quick.screen, MeScreen)
        assert len(rated(quick)) == 2
        await pilot.press("q", "y")
        assert isinstance(quick.screen, SearchScreen)
        assert quick.user == "196"
        assert profiles.names(opened.home) == []


@pytest.mark.slow
async def test_a_saved_profile_left_as_it_was_is_left_without_a_question(quick, opened):
    async with rating(quick) as pilot:
        await saved(pilot, "tester")
        await pilot.press("m", "space", "escape")
        assert isinstance(quick.screen, SearchScreen)
        await pilot.press("m", "backspace", "escape")
        assert isinstance(quick.screen, Confirm)
        await pilot.press("y")
        assert isinstance(quick.screen, SearchScreen)
        assert len(profiles.load(opened.home, "tester", opened.model).items) == 3
        assert quick.user == "tester"


async def test_a_home_whose_path_looks_like_markup_can_keep_a_profile(opened, tmp_path):
    opened.home = Home(tmp_path / "a[" / "b]c")
    opened.home.data.mkdir(parents=True)
    app = app_with(opened)
    async with rating(app) as pilot:
        await saved(pilot, "tester", keys="5")
        await wait(pilot, lambda: notices(app))
        assert (opened.home.data / "profiles" / "tester.csv").exists()
        assert app.is_running


async def test_what_cannot_be_written_is_told_and_the_ratings_stay(quick, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system [/]", "/somewhere")

    async with rating(quick) as pilot:
        await pilot.press("5", "w")
        await wait(pilot, lambda: isinstance(quick.screen, Prompt))
        monkeypatch.setattr(profiles, "write_atomic", refuse)
        await pilot.press("enter")
        await wait(pilot, lambda: notices(quick))
        assert "Read-only file system [/]" in notices(quick)[0]
        assert isinstance(quick.screen, MeScreen)
        assert len(rated(quick)) == 1
        assert quick.user == "196"


# Scales


def scaled(opened: OpenModel, ends: tuple[float, float], levels: list[float]) -> OpenModel:
    """The same model on another scale, as far as what is typed is concerned."""
    opened.model = replace(opened.model, rating_range=ends)
    opened.ratings = replace(opened.ratings, rating_range=ends)
    opened.ratings.__dict__["levels"] = tuple(levels)
    return opened


def entry(app) -> str:
    return said(app, "#question").splitlines()[2]


def given(app) -> list[str]:
    """The ratings, the last one first."""
    return [row.split()[0] for row in rated(app)]


@pytest.mark.parametrize(
    ("ends", "levels", "keys", "ratings"),
    [
        ((0.0, 10.0), range(11), ["7", "1", "enter", "1", "0", "0"], ["7", "1", "10", "0"]),
        ((0.5, 5.0), np.arange(0.5, 5.5, 0.5), ["3", "4", "full_stop", "5", "5"], ["3", "4.5", "5"]),
        ((0.0, 100.0), range(101), ["7", "5", "8", "enter", "1", "0", "0"], ["75", "8", "100"]),
        ((-10.0, 10.0), range(-10, 11), ["minus", "4", "9", "minus", "1", "0"], ["-4", "9", "-10"]),
    ],
    ids=["0-10", "halves", "0-100", "-10-10"],
)
async def test_keys_enter_the_value_of_the_scale_itself(tiny_opened, ends, levels, keys, ratings):
    app = app_with(scaled(tiny_opened("model4"), ends, levels))
    async with rating(app) as pilot:
        assert f"type {ends[0]:g} to {ends[1]:g}" in entry(app)
        await pilot.press(*keys)
        assert given(app) == ratings[::-1]


async def test_what_is_typed_is_shown_until_it_is_complete_and_backspace_shortens_it(tiny_opened):
    app = app_with(scaled(tiny_opened("model4"), (0.0, 100.0), list(range(101))))
    async with rating(app) as pilot:
        await pilot.press("1")
        assert "1_   enter: take it" in entry(app)
        await pilot.press("0")
        assert "10_" in entry(app)
        await pilot.press("5")
        assert entry(app) == "105 is not on the scale 0 to 100"
        await pilot.press("backspace")
        assert "1_" in entry(app)
        await pilot.press("backspace")
        assert "type 0 to 100" in entry(app)
        assert rated(app) == []


async def test_left_and_right_step_through_the_scale_and_enter_takes_it(tiny_opened):
    app = app_with(scaled(tiny_opened("model4"), (0.5, 5.0), list(np.arange(0.5, 5.5, 0.5))))
    async with rating(app) as pilot:
        await pilot.press("right", "right", "left")
        assert "2.5_   enter: take it" in entry(app)
        await pilot.press("right", "enter")
        assert given(app) == ["3"]
        await pilot.press(*["right"] * 20, "enter")
        assert given(app) == ["5", "3"]
        # A digit after a step begins anew.
        await pilot.press("right", "4")
        assert given(app) == ["4", "5", "3"]


async def test_a_number_that_is_not_on_the_scale_is_told(quick):
    async with rating(quick) as pilot:
        await pilot.press("7")
        assert entry(quick) == "7 is not on the scale 1 to 5"
        await pilot.press("3")
        assert given(quick) == ["3"]


async def test_enter_on_an_answer_asks_about_it_again(quick):
    async with rating(quick) as pilot:
        first = question(quick)
        await pilot.press("5", "4", "shift+tab")
        await wait(pilot, lambda: quick.focused.id == "answers")
        await pilot.press("down", "enter")
        assert question(quick) == first
        await pilot.press("2")
        assert rated(quick)[0] == f"2 {first}"
        assert len(rated(quick)) == 2


async def test_ratings_are_taken_from_an_export_and_backspace_gives_them_back(quick, opened, tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(
        "Date,Name,Year,Letterboxd URI,Rating\n"
        "2025-01-17,Toy Story,1995,https://x,4.5\n2025-01-18,Heat,1995,https://y,2\n2025-01-18,Split,2016,https://z,5\n"
    )
    async with rating(quick) as pilot:
        await pilot.press("5")
        before = rated(quick)
        asked = question(quick)
        await pilot.press("i")
        await answer(pilot, str(tmp_path / "gone.csv"))
        assert "gone.csv is no file" in " ".join(page(quick).split())
        await answer(pilot, str(path))
        await wait(pilot, lambda: len(rated(quick)) == 3)
        assert rated(quick) == ["2 Heat (1995)", "4.5 Toy Story (1995)", *before]
        told = notices(quick)[-1]
        assert told.startswith(
            "took 2 ratings; backspace undoes it.\nLetterboxd's ratings of 0.5 to 5 brought to 1 to 5"
        )
        assert "skipped 1 title that is not exactly that of one movie in ml-100k: Split" in told
        assert title(quick, "#question") == "3 rated of 10"
        await pilot.press("backspace")
        assert rated(quick) == before
        assert question(quick) == asked
        path.write_text("thing\n1\n")
        await pilot.press("i")
        await answer(pilot, str(path))
        await wait(pilot, lambda: "needs the columns title and rating" in notices(quick)[-1])
        assert rated(quick) == before


async def test_in_a_narrow_terminal_titles_are_whole(quick):
    """The panes are one above the other: side by side, ten letters of each title were left."""
    async with rating(quick) as pilot:
        await pilot.resize_terminal(60, 20)
        await pilot.press("5", "1")
        recommended = quick.screen.query_one("#me-recommended")
        await wait(pilot, lambda: recommended.region.width == 60)
        assert len(visible(quick, "#me-recommended")) >= 4
        assert not any("…" in row for row in visible(quick, "#me-recommended"))
        assert not any("…" in row for row in visible(quick, "#answers"))


async def test_when_everything_was_asked_that_is_said_and_can_be_saved(tiny_opened):
    app = app_with(tiny_opened("model4"))
    async with rating(app) as pilot:
        await pilot.press(*["4"] * 19)
        assert "No more movies to ask about" in page(app)
        assert recommended(app) == []
        await pilot.press("3", "space")
        assert len(rated(app)) == 19
        await pilot.press("w", "enter")
        await wait(pilot, lambda: isinstance(app.screen, SearchScreen))
        assert app.user == "me"
        assert rows(app, "#recommended") == []


async def test_l_likes_without_a_rating_where_a_model_of_choices_is_at_work(tiny_opened):
    opened = tiny_opened("ease")
    app = app_with(opened)
    async with rating(app) as pilot:
        first = question(app)
        await pilot.press("l")
        assert "l: like it" in page(app)
        assert rated(app) == [f"♥ {first}"]
        liked = people.folded(opened.model, "me", np.array([opened.model.item_code(first)]), np.array([np.nan]))
        best = ranking.recommend(opened.model, liked, 100)
        assert best["title"][0][:8] in rows(app, "#me-recommended")[0]
        await pilot.press("w")
        await wait(pilot, lambda: isinstance(app.screen, Prompt))
        await answer(pilot, "me")
        assert profiles.load(opened.home, "me", opened.model).given.tolist() == [pytest.approx(np.nan, nan_ok=True)]


async def test_a_model_of_ratings_has_no_use_for_l(quick):
    async with rating(quick) as pilot:
        first = question(quick)
        assert "l: like it" not in page(quick)
        await pilot.press("l")
        assert question(quick) == first
        assert rated(quick) == []

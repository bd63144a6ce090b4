"""A run that is sampled: its form, its words while it goes on, and the intervals of what it predicts."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
import torch
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, Select

from cftui.analysis import ranking
from cftui.analysis.evaluation.intervals import NINETY, By, intervals
from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people
from cftui.engine.models.options import Options
from cftui.engine.models.recipes import recipe
from cftui.engine.models.terms import Kind, Term
from cftui.engine.runs.events import History
from cftui.engine.runs.folder import RunFolder
from cftui.engine.training import train
from cftui.home import Home
from cftui.tui.main import CftuiApp
from cftui.tui.search.me import MeScreen
from cftui.tui.session.following import Followed
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.filters import to_ascii
from cftui.tui.shell.help import HelpScreen
from cftui.tui.shell.interval_bar import interval_bar, interval_words
from cftui.tui.shell.prompt import Prompt
from cftui.tui.train.epoch_table import EPOCHS_SHOWN, EpochTable
from cftui.tui.train.loss_chart import LossChart
from cftui.tui.train.recipe_form import RecipeForm
from tests.settings import settings_of_verb

from .looking import SIZE, WIDE, EmptyRoom, app_with, page, rows, said, searching, subtitle, title, wait

STARS = (1.0, 5.0)


# The bar


@pytest.mark.parametrize(
    ("mean", "low", "high", "given", "drawn"),
    [
        (3.0, 2.0, 4.0, None, "│....├━━━●━━━┤....│"),
        (3.0, 2.0, 4.0, 5.0, "│....├━━━●━━━┤...◇│"),
        (3.0, 2.0, 4.0, 1.0, "│◇...├━━━●━━━┤....│"),
        (3.0, 2.0, 4.0, 3.1, "│....├━━━◉━━━┤....│"),
        (4.5, 3.0, 6.0, None, "│........├━━━━━●━━▸"),
        (1.5, 0.0, 3.0, None, "◂━━●━━━━━┤........│"),
        (3.0, -9.0, 9.0, None, "◂━━━━━━━━●━━━━━━━━▸"),
        (5.6, 5.2, 6.0, None, "│................●▸"),
        (3.0, 3.0, 3.0, None, "│........●........│"),
    ],
)
def test_the_interval_is_drawn_where_it_is_on_the_scale(mean, low, high, given, drawn):
    found = interval_bar(mean, low, high, STARS, 17, given)
    assert found.plain.count("●") + found.plain.count("◉") == 1
    assert found.plain == drawn


def test_without_a_frame_what_is_beyond_the_scale_is_said_by_the_last_cells():
    assert interval_bar(3.0, 2.0, 4.0, STARS, 9, framed=False).plain == "..├━●━┤.."
    assert interval_bar(3.0, 0.0, 4.0, STARS, 9, framed=False).plain == "◂━━━●━┤.."
    assert interval_bar(3.0, 2.0, 6.0, STARS, 9, framed=False).plain == "..├━●━━━▸"


@pytest.mark.parametrize("width", [0, 1, 2, 3, 7, 40])
@pytest.mark.parametrize("framed", [True, False])
def test_a_bar_has_the_width_it_was_asked_for_and_always_its_mean(width, framed):
    for mean, low, high in ((3.2, 2.0, 4.1), (0.5, 0.2, 9.0), (5.0, 5.0, 5.0)):
        found = interval_bar(mean, low, high, STARS, width, framed=framed)
        assert found.cell_len == (width + 2 * framed if width else 0)
        assert found.plain.count("●") == bool(width)


def test_in_ascii_every_part_of_a_bar_is_still_told_from_the_others():
    found = to_ascii(interval_bar(3.0, 2.0, 6.0, STARS, 17, 4.5).plain)
    assert found == "|....+---@-----o-->"
    assert to_ascii(interval_bar(3.0, 0.0, 4.0, STARS, 17, 5.0).plain) == "<--------@---+...o|"


def test_a_scale_of_one_value_or_of_halves_is_no_trouble():
    assert interval_bar(1.0, 0.5, 1.5, (1.0, 1.0), 5, framed=False).cell_len == 5
    assert interval_bar(2.75, 0.5, 5.0, (0.5, 5.0), 11).plain == "│├━━━━●━━━━┤│"


def test_in_words_nothing_is_beyond_the_scale():
    assert interval_words(4.23, 2.84, 5.61, STARS) == "4.2 (2.8 to 5.0)"
    assert interval_words(5.2, 4.9, 5.5, STARS) == "5.0 (4.9 to 5.0)"
    assert interval_words(0.7, 0.2, 1.2, STARS) == "1.0 (1.0 to 1.2)"


# The form


@asynccontextmanager
async def on_train_screen(app: CftuiApp, size: tuple[int, int] = SIZE) -> AsyncIterator[Pilot]:
    app._modes["dataset"] = EmptyRoom
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("2")
        await wait(pilot, lambda: app.current_mode == "train" and app.screen.query(RecipeForm))
        yield pilot


async def choose(pilot: Pilot, name: str) -> RecipeForm:
    form = pilot.app.screen.query_one(RecipeForm)
    form.query_one("#recipe", Select).value = name
    await pilot.pause()
    return form


def seen(form: RecipeForm) -> set[str]:
    """The fields that can be seen and changed."""
    fields = [*form.query(Input), *form.query(Checkbox)]
    shown = [field for field in fields if form._fields in field.ancestors]
    return {field.id.removeprefix("field-") for field in shown if field.display and not field.disabled}


def taken(name: str, words: list[str]) -> Options:
    """What the verb makes of the form's words; fails where it does not take them."""
    return settings_of_verb([name, *words])


def value(form: RecipeForm, name: str) -> str:
    return form._fields.query_one(f"#field-{name}", Input).value


async def test_the_form_has_what_the_recipe_has_and_sends_nothing_else(bare_app):
    async with on_train_screen(bare_app) as pilot:
        form = await choose(pilot, "bayes")
        assert seen(form) == {"sweeps", "burn_in", "factors", "seed", "implicit", "side"}
        assert (value(form, "sweeps"), value(form, "factors")) == ("300", "16")
        assert "sweeps" in page(bare_app)
        assert "epochs   300" not in page(bare_app)
        assert taken("bayes", form.options()) == recipe("bayes").options()
        form = await choose(pilot, "model4")
        assert {"epochs", "bs", "lr", "wd", "factors", "seed", "patience", "keep-best"} <= seen(form)
        assert not {"burn_in", "implicit", "side"} & seen(form)
        assert (value(form, "epochs"), value(form, "factors")) == ("5", "50")
        assert taken("model4", form.options()) == recipe("model4").options()
        assert "sweeps" not in page(bare_app)


async def test_what_was_typed_stays_and_what_is_chosen_is_sent(bare_app):
    async with on_train_screen(bare_app) as pilot:
        form = await choose(pilot, "model4")
        form.set_value("epochs", "60")
        form.set_value("lr", "nonsense that is of no concern to a sampler")
        form.query_one("#keep-best", Checkbox).value = True
        form = await choose(pilot, "bayes")
        assert (value(form, "sweeps"), value(form, "factors")) == ("300", "16")
        form.set_value("sweeps", "60")
        form.set_value("burn_in", "20")
        form.query_one("#implicit", Checkbox).value = form.query_one("#side", Checkbox).value = False
        await pilot.pause()
        words = form.options()
        assert words[-2:] == ["--split", "random"]
        asked = taken("bayes", words)
        assert asked == recipe("bayes").options(epochs=60, burn_in=20, implicit=False, side=False)
        assert asked.burn == 20


async def test_a_chain_of_which_nothing_is_left_is_not_begun(bare_app):
    async with on_train_screen(bare_app) as pilot:
        form = await choose(pilot, "bayes")
        for burn, wrong in (
            ("300", "burn-in 300 discards all 300 sweeps"),
            ("-1", "burn-in '-1': must be a whole"),
        ):
            form.set_value("burn_in", burn)
            await pilot.pause()
            assert form.options() is None
            assert wrong in said(bare_app, "#form-error")
        form.set_value("burn_in", "")
        form.set_value("sweeps", "none")
        await pilot.pause()
        assert said(bare_app, "#form-error").startswith("sweeps 'none': must be a whole number")


async def test_a_sampler_is_offered_no_learning_rate_finder(bare_app):
    async with on_train_screen(bare_app) as pilot:
        form = await choose(pilot, "model4")
        form.focus_start()
        await wait(pilot, lambda: "LR finder" in page(bare_app))
        await choose(pilot, "bayes")
        await wait(pilot, lambda: "LR finder" not in page(bare_app))


# While it goes on


def sweep(number: int, **more: float) -> dict:
    step = number + 1
    same = {"epoch": number, "step": step, "elapsed": 0.02 * step}
    window = {"event": "window", **same, "loss": 0.6, "mean": 0.6, "min": 0.6, "max": 0.6, "lr": None}
    # Twenty sweeps from anywhere.
    loss = 2.0 - number / 20 if number < 20 else 0.8
    draws = max(0, number - 39)
    scores = {"train_loss": 0.6, "valid_loss": loss, "rmse": loss**0.5, "mae": 0.7, "noise": 0.79, "coverage": 0.8951}
    speed = {"seconds": 0.02, "ratings_per_second": 5_810_000.0}
    return {"window": window, "epoch": {"event": "epoch", **same, **scores, **speed, "draws": draws, **more}}


def sampled_history(sweeps: int) -> History:
    start: Any = {"event": "start", "run": "b", "recipe": "bayes", "epochs": 300, "steps": 300, "steps_per_epoch": 1}
    history = History()
    start |= {"batch_size": 80_000, "unit": "sweep", "device": "cpu", "pid": 1}
    history.extend([start])
    history.extend([{"event": "baselines", "global_mean": 1.27, "bias_only": 0.9, "item_knn": 0.84}])
    history.extend([event for number in range(sweeps) for event in sweep(number).values()])
    return history


class Live(Followed):
    """A run that goes on for as long as the test likes."""

    live = True


async def follow(pilot: Pilot, history: History) -> Live:
    app = pilot.app
    followed = Live(RunFolder(app.home.models / "b"), history=history)
    app.followed = followed
    await pilot.pause()
    return followed


@pytest.mark.slow
async def test_a_live_run_is_told_in_sweeps(bare_app):
    async with on_train_screen(bare_app) as pilot:
        await follow(pilot, sampled_history(20))
        table = bare_app.screen.query_one(EpochTable)
        assert title(bare_app, "#epochs") == "sweeps  burning in"
        followed = await follow(pilot, sampled_history(150))
        assert title(bare_app, "#epochs") == "sweeps  110 draws kept"
        assert subtitle(bare_app, "#epochs") == "best: sweep 20, 0.800000"
        assert [str(column.label).strip() for column in table.ordered_columns] == [
            "sweep", "train_loss", "valid_loss", "rmse", "coverage"
        ]  # fmt: skip
        assert [str(cell) for cell in table.get_row_at(149)] == ["149", "0.600000", "0.800000", "0.894", "89.5 %"]
        whole = page(bare_app)
        assert "50%  00:03 left  5.8M ratings/s" in whole
        assert "item kNN 0.840" in whole
        assert "batches" not in whole
        assert not re.search(r"\bepoch", whole.replace("epochs   5 ", ""))
        # A hundred sweeps between two looks, and the cursor on the newest.
        followed.history.extend([event for number in range(150, 250) for event in sweep(number).values()])
        bare_app.tick += 1
        await pilot.pause()
        assert table.row_count == table.cursor_row + 1 == 250
        assert str(table.get_row_at(249)[0]) == "249"


@pytest.mark.slow
async def test_where_there_is_room_the_noise_stands_there_as_well(bare_app):
    async with on_train_screen(bare_app, WIDE) as pilot:
        await follow(pilot, sampled_history(60))
        assert re.search(r"sweep train_loss valid_loss +rmse +noise +coverage", page(bare_app))
        assert re.search(r"59 +0.600000 +0.800000 +0.894 +0.790 +89.5 %", page(bare_app))


@pytest.mark.slow
async def test_a_long_chain_does_not_fill_the_table(bare_app):
    async with on_train_screen(bare_app) as pilot:
        followed = await follow(pilot, sampled_history(20))
        table = bare_app.screen.query_one(EpochTable)
        for begin in range(20, 1020, 50):
            followed.history.extend([event for n in range(begin, begin + 50) for event in sweep(n).values()])
            table.show("b", followed.history)
            assert table.row_count <= 2 * EPOCHS_SHOWN
            assert str(table.get_row_at(table.row_count - 1)[0]) == str(begin + 49)
            assert table.cursor_row == table.row_count - 1
        # Somebody looks back: the newest does not tear him away.
        table.move_cursor(row=3)
        followed.history.extend(sweep(1020).values())
        table.show("b", followed.history)
        assert table.cursor_row == 3


async def test_the_first_sweeps_do_not_set_the_scale_and_a_sweep_is_no_step(bare_app):
    async with on_train_screen(bare_app) as pilot:
        await follow(pilot, sampled_history(150))
        chart = bare_app.screen.query_one(LossChart)
        assert chart.scale.high < 0.91
        axes = []
        for _ in range(3):
            bare_app.screen.action_x_axis()
            axes.append(chart.x_axis)
        assert axes == ["seconds", "epoch", "seconds"]


# What it learned


@pytest.fixture(scope="module")
def chain(tmp_path_factory, tiny_known, tiny_runs) -> TrainedModel:
    """Enough sweeps on the tiny data to be sure of something."""
    home = Home(tmp_path_factory.mktemp("chain"))
    shutil.copytree(tiny_runs[0].data, home.data)
    options = recipe("bayes").options(epochs=60, factors=2)
    return TrainedModel.load(
        train(home, recipe("bayes"), options, data=tiny_known, device=torch.device("cpu"), name="chain")
    )


@pytest.fixture
def sure(chain) -> OpenModel:
    home = Home(chain.run.path.parent.parent)
    return OpenModel(chain, chain.ratings(home), home)


async def test_going_on_with_a_chain_asks_for_sweeps(sure, monkeypatch):
    app = app_with(sure)
    asked = []
    monkeypatch.setattr(app, "resume_training", lambda *words: asked.append(words))
    async with on_train_screen(app) as pilot:
        app.follow("chain")
        await pilot.press("r")
        await wait(pilot, lambda: isinstance(app.screen, Prompt))
        assert "how many more sweeps for chain?" in page(app)
        assert "one-cycle" not in page(app)
        app.screen.query_one(Input).value = "0"
        await pilot.press("enter")
        assert "sweeps '0': must be a whole number from 1" in page(app)
        app.screen.query_one(Input).value = "40"
        await pilot.press("enter")
        await wait(pilot, lambda: asked)
        assert asked == [("chain", 40)]


async def test_a_prediction_stands_with_its_interval_and_what_was_given(sure):
    app = app_with(sure)
    async with searching(app, WIDE) as pilot:
        who = sure.person(app.user)
        for code in (int(who.items[0]), next(c for c in range(1, 19) if c not in who.items)):
            app.screen._show(code)
            await pilot.pause()
            found = intervals(sure.model, who.row, np.array([code]))
            words = f"{found.mean[0]:.1f} ({found.low[0]:.1f} to {found.high[0]:.1f})"
            first = said(app, "#prediction").splitlines()[0]
            assert first.startswith(f"{words} 1 ")
            assert first.endswith(" 5")
            given = who.rating(code)
            if given is None:
                assert subtitle(app, "#prediction") == "unseen   90 % interval"
                assert "◇" not in first
            else:
                mark = subtitle(app, "#prediction")[0]
                assert subtitle(app, "#prediction") == f"{mark} gave {given:g}   90 % interval"
                assert mark in first
                assert mark in "◇◉"
            beyond = found.centre[0] + NINETY * found.sd[0] > 5
            assert ("▸" in first) == beyond
            assert first in page(app)


async def test_o_sorts_the_best_by_what_is_sure_and_by_what_may_be(sure):
    app = app_with(sure)
    async with searching(app) as pilot:
        await pilot.press("escape")
        who = sure.person(app.user)
        assert "o Order" in page(app)
        tops = []
        orders: tuple[tuple[By, str], ...] = (
            ("mean", "most liked for user 1"),
            ("lower", "safe for user 1: less ±"),
            ("upper", "adventurous for user 1: plus ±"),
        )
        for by, name in orders:
            assert title(app, "#recommended") == name
            assert name in page(app)
            best = ranking.recommend(sure.model, who, 100, by=by)
            half = NINETY * best["uncertainty"]
            columns = zip(best["predicted"], half, best["title"], strict=True)
            shown = [f"{predicted:.2f}±{beside:.2f} {name}" for predicted, beside, name in columns]
            listed = [" ".join(row.split()) for row in rows(app, "#recommended")]
            assert [re.sub(r" [.├┤━●◂▸]{13} ", " ", row).rsplit(" ", 1)[0] for row in listed] == shown
            tops.append(shown)
            await pilot.press("o")
        assert title(app, "#recommended") == "most liked for user 1"
        assert len({tuple(top) for top in tops}) > 1


async def test_the_order_is_in_the_help_where_there_is_one_and_nowhere_else(sure, tiny_opened):
    app = app_with(sure)
    async with searching(app, WIDE) as pilot:
        for opened, offered in ((sure, True), (tiny_opened("model4"), False)):
            app._choose(opened)
            await pilot.pause()
            await pilot.press("escape", "o")
            assert ("o Order" in page(app)) == offered
            assert title(app, "#recommended") == ("safe for user 1: less ±" if offered else "user 1 would like")
            assert ("±" in page(app)) == offered
            await pilot.press("question_mark")
            await wait(pilot, lambda: isinstance(app.screen, HelpScreen))
            assert ("Order of the best" in page(app)) == offered
            await pilot.press("escape")


async def test_each_rating_says_how_sure_one_was_and_is(sure):
    app = app_with(sure)
    async with searching(app) as pilot:
        await pilot.press("escape", "m")
        await wait(pilot, lambda: isinstance(app.screen, MeScreen))
        screen, model, before = app.screen, sure.model, None
        halves = []
        for key in ("", "5", "2", "4", "5", "1", "4", "3", "5"):
            if key:
                await pilot.press(key)
            items, given = screen._rated
            who = people.folded(model, "me", items, given, sure.prior)
            codes = ranking.recommend(model, who, 100)["code"].to_numpy(copy=True)
            now = NINETY * intervals(model, who.row, codes).uncertainty.mean()
            was = "" if before is None else f"±{NINETY * intervals(model, before, codes).uncertainty.mean():.2f} → "
            assert subtitle(app, "#me-recommended") == f"how sure: {was}±{now:.2f}"
            assert all(re.search(r"\d\.\d\d [.├┤━●◂▸]{20} ", row) for row in rows(app, "#me-recommended"))
            before = who.row
            halves.append(now)
        assert halves[-1] < halves[1]


async def test_the_bars_of_a_folded_in_user_narrow_with_what_is_known_of_him(sure):
    """Drawn from what is uncertain of the prediction, which ratings take away, and not from the noise."""
    app = app_with(sure)
    async with searching(app, WIDE) as pilot:
        await pilot.press("escape", "m")
        await wait(pilot, lambda: isinstance(app.screen, MeScreen))

        def width() -> float:
            bars = [re.search(r"[.├┤━●◂▸]{20}", row)[0] for row in rows(app, "#me-recommended")]
            return sum(len(bar) - bar.count(".") for bar in bars) / len(bars)

        await pilot.press("5")
        begun = width()
        await pilot.press("4", "5", "2", "4", "3", "5", "4")
        assert width() < begun


async def test_earlier_sweeps_are_called_that(tiny_opened):
    app = app_with(tiny_opened("bayes"))
    async with searching(app) as pilot:
        await pilot.press("escape", "left_square_bracket")
        await wait(pilot, lambda: app.epoch is not None)
        assert subtitle(app, "#neighbours").endswith(f"after sweep {app.epoch}")
        await pilot.press("a")
        await wait(pilot, lambda: app.screen.query("#paper-text"))
        await wait(pilot, lambda: "bayes is sampled" in said(app, "#paper-text"))
        assert "another" not in subtitle(app, "#paper")


async def test_what_sets_and_side_information_say_has_a_row_of_its_own(sure):
    app = app_with(sure)
    async with searching(app, WIDE) as pilot:
        await pilot.press("escape")
        await wait(pilot, lambda: rows(app, "#why"))
        names = [re.split(r" {2,}", row)[0] for row in rows(app, "#why")]
        assert {"rated by user", "who rated it", "facts of movie"} <= set(names)


def test_names_of_terms_fit_a_narrow_pane():
    from cftui.tui.search.why import _short

    names: tuple[tuple[str, Kind, str], ...] = (
        ("which movies the user rated", "implicit", "rated by user"),
        ("who rated the movie", "implicit", "who rated it"),
        ("what is known of the user", "side", "facts of user"),
        ("what is known of the movie", "side", "facts of movie"),
        ("factor 3", "factor", "factor 3"),
    )
    for name, kind, short in names:
        assert _short(Term(name, kind, None, 0.1, 0.1)) == short
        assert len(short) <= 14

"""The line under the chart: what is said, what gives way first, and the key that keeps the best epoch."""

from __future__ import annotations

import json
import shutil

import pytest
from textual.widgets import DataTable

from cftui.engine.runs.folder import RunFolder, differences
from cftui.engine.runs.verdict import Remark
from cftui.home import Home
from cftui.tui.main import CftuiApp
from cftui.tui.train.comparison import Comparison
from cftui.tui.train.verdict_line import VerdictLine, fitted, shortened
from tests.settings import settings_of_verb

from ..looking import SIZE, said, settled, wait

BESIDE = Remark(
    "good",
    "0.827: beats item kNN (0.840) by 1.6 %",
    shorter=("0.827: beats item kNN (0.840) by 1.6 %", "0.827: beats item kNN"),
)
OTHER = Remark("neutral", "your run calm-otter reaches 0.764")
OVER = Remark("overfit", "best at epoch 2; later epochs overfit", "keep_best", ("best at epoch 2",))
LISTS = Remark(
    "bad", "poor lists: NDCG@10 .129, below popularity (.172)", shorter=("poor lists: .129, below", "poor lists (.129)")
)
BESIDE_SHORT, OVER_SHORT, LISTS_SHORT = (shortened(one, 2) for one in (BESIDE, OVER, LISTS))


@pytest.mark.parametrize(
    ("width", "rows", "lines"),
    [
        (200, 3, [[BESIDE, OTHER, OVER, LISTS]]),
        (84, 3, [[BESIDE, OTHER], [OVER], [LISTS]]),
        (52, 3, [[BESIDE], [OVER], [LISTS]]),
        (48, 2, [[shortened(BESIDE, 1)], [OVER_SHORT, shortened(LISTS, 1)]]),
        (46, 2, [[BESIDE_SHORT, OVER_SHORT], [LISTS_SHORT]]),
        (26, 2, [[BESIDE_SHORT], [LISTS_SHORT]]),
        (46, 9, [[BESIDE], [OTHER], [OVER], [LISTS]]),
        (20, 1, [[BESIDE_SHORT]]),
    ],
)
def test_the_least_important_remark_gives_way_first(width: int, rows: int, lines: list[list[Remark]]) -> None:
    assert fitted([BESIDE, OTHER, OVER, LISTS], width, rows) == lines


@pytest.fixture
def overfitted(tiny_runs, tmp_path) -> Home:
    """A run whose log says that its first epoch was the best."""
    home, runs = tiny_runs
    own = Home(tmp_path / "home")
    shutil.copytree(home.data, own.data)
    run = RunFolder(shutil.copytree(runs["model4"].path, own.models / "over"))
    events = [json.loads(line) for line in run.events_file.read_text().splitlines()]
    epochs = [event for event in events if event["event"] == "epoch"]
    assert len(epochs) >= 2
    for event in epochs:
        event["valid_loss"] = 0.8 if event["epoch"] == 0 else 0.9
    events[-1]["valid_loss"] = 0.9
    run.events_file.write_text("".join(json.dumps(event) + "\n" for event in events))
    return own


async def test_the_key_in_the_line_trains_the_run_again_and_keeps_its_best_epoch(overfitted, monkeypatch) -> None:
    app = CftuiApp(overfitted)
    started: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(app, "start_training", lambda recipe, options=(): started.append((recipe, list(options))))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        await pilot.press("2", "escape")
        offer = "best at epoch 0; later epochs overfit: keep best? (b)"
        await wait(pilot, lambda: offer in said(app, "#verdict"))
        assert said(app, "#verdict").lstrip()[0] in "▲▼•"
        await pilot.press("b")
        await wait(pilot, lambda: started)
    (recipe, words), config = started[0], RunFolder(overfitted.models / "over").config()
    assert recipe == "model4"
    assert settings_of_verb(["model4", *words]) == config.recipe.options(**{**config.settings(), "keep_best": True})


async def test_a_run_without_a_figure_says_why(overfitted) -> None:
    run = RunFolder(overfitted.models / "over")
    run.events_file.write_text("")
    app = CftuiApp(overfitted)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await pilot.press("2", "escape")
        await wait(pilot, lambda: "no verdict: it ended before" in said(app, "#verdict"))
        assert app.screen.query_one(VerdictLine).size.height == len(said(app, "#verdict").splitlines())


async def test_the_comparison_of_two_runs_names_the_better(tiny_runs) -> None:
    app = CftuiApp(tiny_runs[0])
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen and len(app.run_rows) > 2)
        await pilot.press("2")
        await settled(pilot)
        one, other = (RunFolder(tiny_runs[1][name].path) for name in ("model1", "cross-entropy"))
        app.push_screen(Comparison(one, other, differences(one, other)))
        await wait(pilot, lambda: isinstance(app.screen, Comparison))
        await wait(pilot, lambda: "comparing" not in said(app, "#winner"))
        words = said(app, "#winner")
        assert "predicts better" in words
        assert "recommends better" in words
        assert ("more than chance" in words) or ("may be chance" in words)
        columns = [str(column.label) for column in app.screen.query_one(DataTable).ordered_columns]
        assert columns == ["what", one.name, other.name]

"""What is on the canvas of the chart, cell by cell."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.app import App, ComposeResult

from cftui.engine.runs.events import History
from cftui.tui.train.epoch_table import EpochTable
from cftui.tui.train.loss_chart import LossChart, overlay

BASELINES = {"global_mean": 1.27, "bias_only": 0.901, "item_knn": 0.84}
# What the chart has of terminals of 60x20, 80x24 and 200x60.
SMALL, USUAL, LARGE = (26, 6), (46, 11), (150, 40)
TABLE = 10


def history(valid: Sequence[float | None], *, per: int = 20, baselines: dict[str, float] = BASELINES) -> History:
    """A run whose training loss falls from 3 to a little below the validation losses given here."""
    made = History(start={"epochs": len(valid), "steps": per * len(valid), "steps_per_epoch": per, "unit": "epoch"})
    made.baselines = dict(baselines)
    for step in range(1, per * len(valid) + 1):
        loss = 0.78 + 2.2 / (1 + step)
        facts: Any = {"step": step, "epoch": (step - 1) // per, "loss": loss, "mean": loss, "lr": None}
        made.windows.append(facts | {"event": "window", "elapsed": step / 10, "min": loss - 0.02, "max": loss + 0.02})
    for epoch, loss in enumerate(valid):
        scores: Any = {"valid_loss": loss, "train_loss": 0.8, "rmse": 0.9, "mae": 0.7}
        at = (epoch + 1) * per
        pace = {"step": at, "seconds": 1.0, "elapsed": at / 10, "ratings_per_second": 1e5}
        made.epochs.append({"event": "epoch", "epoch": epoch} | scores | pace)
    return made


class ChartApp(App[None]):
    """The chart, with as many columns and rows as the terminal has beyond the table."""

    CSS = f"EpochTable {{ height: {TABLE}; }}"

    def compose(self) -> ComposeResult:
        yield LossChart()
        yield EpochTable()


@asynccontextmanager
async def charted(shown: History, size: tuple[int, int] = USUAL) -> AsyncIterator[LossChart]:
    app = ChartApp()
    async with app.run_test(size=(size[0], size[1] + TABLE)) as pilot:
        await pilot.pause()
        chart = app.query_one(LossChart)
        app.query_one(EpochTable).show("run", shown)
        chart.show(shown, urgent=True)
        await pilot.pause()
        assert chart.size == size
        yield chart


def drawn(chart: LossChart) -> list[str]:
    return str(chart.render()).splitlines()


def canvas(chart: LossChart) -> list[str]:
    """The rows of the canvas, without the axis at the left and what is below."""
    return [re.split("[│┤├]", row, maxsplit=1)[1] for row in drawn(chart)[:-2]]


def row_of(chart: LossChart, value: float) -> int:
    """The row in which a value is, from the top."""
    rows = len(canvas(chart))
    return rows - 1 - int(chart.scale.height(value) * rows)


EPOCHS = [0.94, 0.86, 0.82, 0.81]
BRAILLE = range(0x2801, 0x2900)
SIZES = pytest.mark.parametrize("size", [SMALL, USUAL, LARGE])


@SIZES
async def test_a_loss_above_the_range_leaves_only_the_mark_of_a_cut_in_the_top_row(size):
    async with charted(history([1.503, *EPOCHS]), size) as chart:
        assert not chart.scale.holds(1.503)
        top = canvas(chart)[0]
        assert top.count("^") >= 2, "training and the first epoch are above"
        assert "o" not in top or row_of(chart, EPOCHS[0]) == 0
        marks = "".join(canvas(chart)).replace("bias only", "").count("o")
        assert marks == len(EPOCHS) - 1, "the first epoch is off the scale, and the last is the best"
        # What else is there are curves on their way up, not one along the frame.
        assert sum(ord(c) in BRAILLE for c in top) <= 2 + size[0] // 20
        chart.everything = True
        assert "^" not in "".join(canvas(chart))
        assert canvas(chart)[row_of(chart, 1.503)].count("o") == 1


async def test_training_that_falls_far_below_is_cut_at_the_bottom():
    shown = history(EPOCHS)
    for window in shown.windows:
        window["loss"] -= 0.7
    async with charted(shown) as chart:
        assert "v" in canvas(chart)[-1]
        assert "^" in canvas(chart)[0]


@SIZES
async def test_a_baseline_has_its_line_and_its_name_at_its_height(size):
    async with charted(history(EPOCHS), size) as chart:
        for name in ("bias_only", "item_knn"):
            row = canvas(chart)[row_of(chart, BASELINES[name])]
            assert f"{name.replace('_', ' ').replace('knn', 'kNN')} {BASELINES[name]:.3f}" in row
            assert "─" in row or size == SMALL
        assert "mean 1.270 ^" in chart.border_subtitle or size == SMALL
        assert "z shows all" in chart.border_subtitle
        assert "mean" not in "".join(canvas(chart))


@SIZES
async def test_an_epoch_has_one_number_in_the_chart_and_in_the_table(size):
    async with charted(history(EPOCHS), size) as chart:
        rows = drawn(chart)
        best, table = chart.history.best, chart.app.query_one(EpochTable)
        marks = [(x, row) for row in rows for x, c in enumerate(row) if c == "@"]
        assert len(marks) == 1
        column = marks[0][0]
        # The last epoch is at the right end, under its number.
        assert rows[-1].rstrip()[-1] == str(best["epoch"]) == "3"
        assert abs(rows[-1].rindex("3") - column) <= 1
        assert str(table.get_row_at(table.row_count - 1)[0]) == "3"
        assert "best: epoch 3" in table.border_subtitle
        assert "4" not in rows[-1]


async def test_the_marks_of_the_epochs_are_over_their_numbers():
    async with charted(history(EPOCHS), LARGE) as chart:
        rows = drawn(chart)
        for epoch, loss in enumerate(EPOCHS[:-1]):
            row = rows[row_of(chart, loss)]
            assert row[rows[-1].index(str(epoch))] == "o", epoch


async def test_scores_of_sweeps_are_counted_from_0_too():
    shown = history([None] * 4)
    shown.start |= {"unit": "sweep", "score": "ndcg", "higher_is_better": True}
    shown.baselines = {"popularity": 0.172, "item_knn": 0.2}
    for epoch, ndcg in zip(shown.epochs, (0.1, 0.2, 0.25, 0.24), strict=True):
        epoch["ndcg"] = ndcg
    async with charted(shown) as chart:
        rows = drawn(chart)
        assert re.findall(r"\d", rows[-1]) == ["0", "1", "2", "3"]
        best = next(row for row in rows if "@" in row)
        assert best.index("@") == rows[-1].index("2")
        assert "popularity 0.172" in canvas(chart)[row_of(chart, 0.172)]


@SIZES
async def test_runs_laid_over_keep_their_names_and_all_their_points(size):
    async with charted(history(EPOCHS), size) as chart:
        longer = history([0.93, 0.92, 0.91, 0.9, 0.89, 0.88])
        chart.others = [overlay("calm-otter", longer, 0), overlay("quiet-heron", history([0.95, 0.87]), 1)]
        chart.show(chart.history, urgent=True)
        text = "\n".join(canvas(chart))
        assert "x calm-" in text
        assert "+ quiet" in text
        if size == LARGE:
            assert "x calm-otter 0.880" in text
            assert text.replace("x calm-otter", "").count("x") == len(longer.epochs)
        # The longest run sets the end.
        assert drawn(chart)[-1].rstrip()[-1] == ("4" if size == SMALL else "5")


async def test_a_run_judged_by_another_figure_is_not_in_the_legend():
    ranked = history([None, None])
    ranked.start |= {"score": "ndcg", "higher_is_better": True}
    async with charted(history(EPOCHS)) as chart:
        chart.others = [overlay("ranked", ranked, 0)]
        chart.show(chart.history, urgent=True)
        assert "ranked" not in chart.border_title
        assert "ranked" not in "\n".join(drawn(chart))


async def test_the_band_is_an_area_or_off():
    async with charted(history(EPOCHS), LARGE) as chart:
        assert "░" not in "".join(canvas(chart))
        chart.band = True
        rows = canvas(chart)
        for column in range(90, 140):
            cells = [y for y, row in enumerate(rows) if row[column] == "░"]
            # A curve, a label or a line may cover the middle of it.
            assert len(cells) >= 2
            assert cells[-1] - cells[0] <= len(cells) + 3, "the band has holes"


async def test_the_legend_has_no_part_of_a_name_and_the_run_gives_way_first():
    async with charted(history(EPOCHS), SMALL) as chart:
        chart.run_name = "a-name-that-is-far-too-long-for-this"
        chart.show(chart.history, urgent=True)
        title = re.sub(r"\[.*?\]", "", str(chart.border_title))
        assert title == "⠒ train  o valid"
    async with charted(history(EPOCHS), USUAL) as chart:
        chart.run_name = "a-name-that-is-far-too-long-for-this"
        chart.others = [overlay("another-run-with-a-name", history(EPOCHS), 0)]
        chart.show(chart.history, urgent=True)
        title = re.sub(r"\[.*?\]", "", str(chart.border_title))
        assert title == "a-name-that...  ⠒ train  o valid  @ best"


async def test_a_label_hides_no_mark_as_long_as_it_can_be_elsewhere_or_shorter():
    async with charted(history([0.842, 0.841, 0.84, 0.839, 0.838, 0.841, 0.842]), SMALL) as chart:
        text = "".join(canvas(chart))
        assert "@" in text
        assert "item kNN" in text


@pytest.mark.parametrize("log_y", [False, True])
@pytest.mark.parametrize("x_axis", ["epoch", "step", "seconds"])
@pytest.mark.parametrize(
    "shown",
    [
        history([0.9]),
        history([None, None]),
        history([0.9, 0.9], baselines={}),
        history([2e6, 3e-3]),
        History(start={"epochs": 3, "steps": 30, "steps_per_epoch": 10}, windows=history([0.9]).windows[:1]),
    ],
    ids=["one epoch", "no validation", "all the same", "wild", "one window"],
)
async def test_odd_runs_are_drawn(shown, x_axis, log_y):
    async with charted(shown, SMALL) as chart:
        chart.x_axis, chart.log_y = x_axis, log_y
        assert any(ord(c) in BRAILLE or c in "o@^v" for c in "".join(canvas(chart)))


async def test_a_redraw_is_quick_however_long_the_run():
    async with charted(history([0.8 + 1 / (n + 2) for n in range(8000)], per=1), (150, 40)) as chart:
        begun = time.process_time()
        for _ in range(5):
            chart.render()
        # About 0.03 s on an idle machine; a raw line of this many points takes a second.
        assert (time.process_time() - begun) / 5 < 0.3


async def test_what_was_read_of_a_run_is_kept_until_it_goes_on_or_is_resumed() -> None:
    shown = history([0.95, 0.9, 0.85])
    async with charted(shown) as chart:
        scale, first = chart.scale, chart._series[0]
        chart.log_y = True
        assert chart.scale.log
        assert chart._series[0] is first, "a key does not read all epochs again"
        chart.log_y = False
        shown.epochs.append(shown.epochs[-1] | {"epoch": 3, "step": 80, "valid_loss": 0.5})
        assert chart.scale.low < scale.low, "a new epoch is read"
        resumed: Any = {"event": "resume", "step": 60}
        shown.extend([resumed, shown.epochs[-1] | {"valid_loss": 0.85}])
        assert chart.scale == scale, "as many epochs as before, and other ones"

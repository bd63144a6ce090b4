"""Every screen as text at three sizes, compared to the letter with the files in ``snapshots/``.

``CFTUI_UPDATE_SNAPSHOTS=1 pytest tests/tui/test_snapshots.py`` writes the files anew; read the difference before it is
committed. What is on the screens is the same on every machine: the ratings follow a formula, the model's weights are
set and not learned, and the log of its training is written by hand. Two numbers are masked: ``MASKS`` says why.

``walk`` takes the app from screen to screen; ``test_contrast.py`` goes the same way with other eyes.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import difflib
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import DataTable

from cftui.analysis.trained import TrainedModel
from cftui.data.formats.movielens import read_tables
from cftui.data.store.catalog import KNOWN
from cftui.data.tables import Tables
from cftui.engine.models.recipes import recipe
from cftui.engine.runs.folder import RunFolder, process_identity
from cftui.engine.runs.weights import save_snapshot, save_weights
from cftui.engine.training import train
from cftui.home import Home
from cftui.settings import Config
from cftui.tui.app import CftuiApp
from cftui.tui.dataset.data_sets import DataSets
from cftui.tui.dataset.import_columns import ColumnTable
from cftui.tui.dataset.import_ratings import ImportScreen
from cftui.tui.map.point_map import PointMap
from cftui.tui.map.robust import RobustScreen
from cftui.tui.search.anatomy import AnatomyScreen
from cftui.tui.search.me import MeScreen
from cftui.tui.search.users import ProfileScreen, UserPicker
from cftui.tui.shell.biases import BiasScreen
from cftui.tui.shell.help import HelpScreen
from cftui.tui.shell.jump import JumpScreen
from cftui.tui.shell.prompt import Confirm, Prompt
from cftui.tui.shell.sheet import Sheet
from cftui.tui.shell.titles import TitlePicker
from cftui.tui.train.run_list import RunList

from .looking import page, rows, said, visible, wait

SNAPSHOTS = Path(__file__).with_name("snapshots")
UPDATE = os.environ.get("CFTUI_UPDATE_SNAPSHOTS") == "1"
SIZES = ((80, 24), (120, 40), (200, 60))
# What depends on the machine: the error of a sum of floats, and the residuals of a solver close to its end.
MASKS = (
    re.compile(r"(?<=completeness error )\S+"),
    re.compile(r"(?<=\d   )[ \d]\d\.\de-\d\d(?=   +\d+   +[\d.]+%)"),
)
SCREENS = (
    "dataset",
    "data-sets",
    "import-files",
    "import-columns",
    "train",
    "comparison",
    "search",
    "why",
    "user-picker",
    "profile",
    "biases",
    "anatomy",
    "filter",
    "export",
    "help",
    "jump",
    "me",
    "leave-me",
    "map",
    "map-near",
    "robust",
    "title-picker",
    "axes",
    "train-live",
    "no-data",
    "invitation",
)

# Ratings by a formula

FORMULA = "formula"
USERS = 60
FIRST = (
    *("Silent", "Golden", "Broken", "Distant", "Crimson", "Hidden"),
    *("Last", "Paper", "Northern", "Secret", "Burning", "Gentle"),
)
SECOND = ["River", "Harbour", "Letter", "Garden", "Station", "Winter", "Promise", "Mirror"]
ODD = (
    "Misérables, Les (1995)",
    "[REC] (2007)",
    "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb (1963)",
    "Chasing Amy (1997)",
    "Chasing Amy (1997)",
)
MADE = [f"{a} {b} ({1930 + (7 * i + 11 * j) % 69})" for j, b in enumerate(SECOND) for i, a in enumerate(FIRST)]
TITLES = (*MADE[:3], *ODD, *MADE[3:])
# So many of a hundred ratings are at most 1, 2, 3, 4.
SCALE = (6, 17, 44, 78)


def write_formula(folder: Path) -> Path:
    """The layout of MovieLens 100K with about 3,000 ratings, a long tail, and a few odd titles."""
    folder.mkdir(parents=True)
    lines = []
    for user in range(1, USERS + 1):
        for item in range(1, len(TITLES) + 1):
            if (37 * user + 11 * item + user * item) % 97 < 88 - item * 3 // 4:
                draw = (31 * user + 17 * item + 3 * (user % 7) * (item % 5)) % 100
                rating = 1 + sum(draw >= bound for bound in SCALE)
                lines.append(f"{user}\t{item}\t{rating}\t{880_000_000 + 7_200 * (7 * user + item)}\n")
    (folder / "u.data").write_text("".join(lines))
    items = []
    for code, title in enumerate(TITLES, 1):
        kinds = {1 + code % 18, 1 + code * 5 % 18} if code % 3 else {1 + code % 7}
        flags = "|".join("1" if genre in kinds else "0" for genre in range(19))
        items.append(f"{code}|{title}|01-Jan-1995||http://example.org|{flags}\n")
    (folder / "u.item").write_bytes("".join(items).encode("latin-1"))
    jobs = ("writer", "engineer", "student", "librarian")
    people = [f"{u}|{18 + u}|{'MF'[u % 2]}|{jobs[u % 4]}|{10_000 + u}\n" for u in range(1, USERS + 1)]
    (folder / "u.user").write_text("".join(people))
    return folder


def read_formula(folder: Path) -> Tables:
    return dataclasses.replace(read_tables(folder), name=FORMULA, label="Ratings by a formula")


# A model whose weights are set, and what its training would have logged

RUN, OTHER, LIVE = "model4-made", "model3-made", "model4-live"
FACTORS, EPOCHS, STEPS = 8, 5, 40


def wave(shape: tuple[int, ...], phase: float) -> torch.Tensor:
    """Numbers between -1 and 1 without a pattern that repeats; later columns are smaller, so that axes are apart."""
    row = np.arange(1, shape[0] + 1)[:, None]
    column = np.arange(1, (shape[1] if len(shape) > 1 else 1) + 1)[None, :]
    values = np.sin(row * (0.7 + 0.37 * column) + phase + 0.05 * row * row) / np.sqrt(column)
    return torch.tensor(np.round(values, 3).reshape(shape), dtype=torch.float32)


def set_weights(run: RunFolder) -> None:
    """In the place of what was learned; two earlier epochs are kept."""
    model = TrainedModel.load(run)
    state = model.module.state_dict()
    for phase, (name, value) in enumerate(sorted(state.items())):
        if value.dtype.is_floating_point and value.ndim:
            state[name] = wave(tuple(value.shape), float(phase)) * (0.4 if value.shape[-1] == 1 else 0.5)
    shutil.rmtree(run.snapshots_folder, ignore_errors=True)
    for epoch, share in ((0, 0.4), (2, 0.8)):
        model.module.load_state_dict({name: value * share for name, value in state.items()})
        save_snapshot(run, epoch, model.module)
    model.module.load_state_dict(state)
    save_weights(run, model.module)


def write_log(run: RunFolder, name: str, level: float, *, live: bool = False) -> None:
    """Losses that fall towards ``level``; a live run is in its fourth epoch, and its trainer is this process."""
    per = STEPS // EPOCHS
    events = [
        {
            "event": "start",
            "run": run.name,
            "recipe": name,
            "steps": STEPS,
            "steps_per_epoch": per,
            "epochs": EPOCHS,
            "batch_size": 64,
            "device": "cpu, 2 threads",
            **(process_identity() if live else {"pid": 1, "process_started": 0.0, "host": "elsewhere"}),
        },
        {"event": "baselines", "global_mean": level + 0.45, "bias_only": level + 0.08, "item_knn": level + 0.11},
    ]
    seconds = 0.0
    for step in range(1, STEPS * 3 // 4 if live else STEPS + 1):
        seconds = round(step * 0.05, 3)
        loss = round(level - 0.05 + 1.6 / (1 + step), 6)
        spread = {"mean": loss, "min": round(loss - 0.06, 6), "max": round(loss + 0.07, 6)}
        events.append(
            {"event": "window", "step": step, "epoch": (step - 1) // per, "loss": loss, "lr": 0.005, "elapsed": seconds}
            | spread
        )
        if step % per == 0:
            scored = {"valid_loss": round(level + 2.0 / (1 + step), 6), "train_loss": round(loss + 0.01, 6)}
            scored |= {"rmse": round((level + 2.0 / (1 + step)) ** 0.5, 6), "mae": 0.75}
            passed = {"seconds": 0.4, "elapsed": seconds, "ratings_per_second": 118_000.0}
            events.append({"event": "epoch", "epoch": step // per - 1, "step": step, **scored, **passed})
    if not live:
        last = events[-1]
        events.append(
            {"event": "done", "run": run.name, "seconds": 2.0, "step": STEPS} | {"valid_loss": last["valid_loss"]}
        )
    run.events_file.write_text("".join(json.dumps(event) + "\n" for event in events))


def another(home: Home, name: str, recipe_name: str, age: int) -> RunFolder:
    """A second run folder; the list sorts by the age of its file."""
    run = RunFolder(home.models / name)
    shutil.copytree(home.models / RUN, run.path)
    config = run.config()
    run.config_file.write_text(json.dumps(replace(config, recipe=recipe(recipe_name)).as_json()))
    os.utime(run.config_file, (age, age))
    return run


def write_own(folder: Path) -> None:
    """Files that somebody might import."""
    folder.mkdir(parents=True)
    draws = [f"u{u};b{b:02};{(u * b) % 10 / 2};{1_600_000_000 + u * b}\n" for u in range(1, 20) for b in range(1, 20)]
    (folder / "evenings.csv").write_text("reviewer;beer;mark;poured\n" + "".join(draws))
    (folder / "beers.csv").write_text("beer,name\n" + "".join(f"b{b:02},Stout No. {b}\n" for b in range(1, 20)))
    (folder / "older").mkdir()


def furnish(home: Home) -> Home:
    """The data set, a trained model and an older run beside it."""
    write_own(home.root / "own")
    write_formula(home.data / FORMULA)
    options = recipe("model4").options(epochs=1, bs=256, factors=FACTORS)
    run = train(home, recipe("model4"), options, data=FORMULA, device=torch.device("cpu"), name=RUN)
    set_weights(run)
    write_log(run, "model4", 0.82)
    os.utime(run.config_file, (2e9, 2e9))
    write_log(another(home, OTHER, "model3", 1_000_000_000), "model3", 0.88)
    return home


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., CftuiApp]]:
    """Makes the app over all of that; ``bare`` one over nothing, ``live`` one that has a run going."""
    folder = tmp_path_factory.mktemp("formula")
    fingerprint = read_formula(write_formula(folder / "looked-at")).fingerprint
    KNOWN[FORMULA] = dataclasses.replace(
        KNOWN["ml-100k"], name=FORMULA, label="Ratings by a formula", fingerprint=fingerprint, read=read_formula
    )
    home = furnish(Home(folder / "home"))
    live = Home(folder / "live")
    shutil.copytree(home.root, live.root)
    os.utime(live.models / RUN / "run.json", (2e9, 2e9))
    os.utime(live.models / OTHER / "run.json", (1e9, 1e9))
    run = another(live, LIVE, "model4", 2_100_000_000)
    for left in (run.weights_file, run.checkpoint_file):
        left.unlink(missing_ok=True)

    def make(kind: str = "") -> CftuiApp:
        if kind == "bare":
            return CftuiApp(Home(folder / "bare"))
        if kind == "live":
            write_log(run, "model4", 0.8, live=True)
            run.beat()
        return CftuiApp(live if kind == "live" else home, Config(data=FORMULA))

    yield make
    KNOWN.pop(FORMULA, None)


# From screen to screen


def unmeasured(app: App) -> bool:
    """Whether a table has yet to fit its columns to its rows, which Textual does when it is idle."""
    return any(table._require_update_dimensions for table in app.screen.query(DataTable))


async def settled(pilot: Pilot, there: Callable[[], object]) -> None:
    """Until ``there`` is true and nothing changes on the screen any more."""
    app = pilot.app
    await wait(pilot, there)
    before, same = "", 0
    # Several times the same: on a busy machine a table's new widths are drawn a while after they were measured.
    while same < 3:
        now = page(app)
        busy = any(worker.is_running for worker in app.workers) or unmeasured(app)
        same = same + 1 if now == before and not busy else 0
        before = now
        await pilot.pause(0.02)


async def _dialogs(pilot: Pilot) -> AsyncIterator[str]:
    """All that opens over the Search screen by one key, and closes by escape."""
    app = pilot.app
    for name, key, screen in (
        ("user-picker", "u", UserPicker),
        ("profile", "p", ProfileScreen),
        ("biases", "b", BiasScreen),
        ("anatomy", "a", AnatomyScreen),
        ("filter", "f", Prompt),
        ("export", "x", Prompt),
        ("help", "question_mark", HelpScreen),
        ("jump", "ctrl+o", JumpScreen),
    ):
        await pilot.press(key)
        await settled(pilot, lambda screen=screen: isinstance(app.screen, screen))
        yield name
        await pilot.press("escape")
        await wait(pilot, lambda screen=screen: not isinstance(app.screen, screen))


async def _importing(pilot: Pilot) -> AsyncIterator[str]:
    """What the Dataset screen opens; back to it."""
    app = pilot.app
    await pilot.press("o")
    await settled(pilot, lambda: isinstance(app.screen, DataSets) and rows(app, "#data-sets-list"))
    yield "data-sets"
    await pilot.press("escape")
    with contextlib.chdir(app.home.root / "own"):
        await pilot.press("i")
        await settled(pilot, lambda: isinstance(app.screen, ImportScreen) and rows(app, "#import-files"))
        yield "import-files"
        await pilot.press("e", "enter")
        await settled(pilot, lambda: isinstance(app.focused, ColumnTable))
        await pilot.press("right", "right", "right", "t")
        await settled(pilot, lambda: "time poured" in said(app, "#import-marks"))
        yield "import-columns"
    await pilot.press("escape")


async def walk(make: Callable[..., CftuiApp], size: tuple[int, int]) -> AsyncIterator[tuple[str, Pilot]]:
    """Through every screen, each as it stands when there is nothing left to come; yields its name and the pilot."""
    app = make()
    async with app.run_test(size=size) as pilot:
        await settled(pilot, lambda: app.chosen and app.screen.query_one("#head-table", DataTable).row_count)
        yield "dataset", pilot
        async for name in _importing(pilot):
            yield name, pilot

        await pilot.press("2")
        await settled(pilot, lambda: app.screen.query_one(RunList).option_count == 2)
        yield "train", pilot
        await pilot.press("u", "down", "c")
        await settled(pilot, lambda: isinstance(app.screen, Sheet))
        yield "comparison", pilot
        await pilot.press("escape", "escape")

        await pilot.press("3")
        await settled(pilot, lambda: app.current_mode == "search" and rows(app, "#found"))
        yield "search", pilot
        await pilot.press("escape", "w")
        await settled(pilot, lambda: rows(app, "#why"))
        yield "why", pilot
        if size[0] < 110:  # else it is there beside the rest
            await pilot.press("w")
        async for name in _dialogs(pilot):
            yield name, pilot
        await pilot.press("m")
        await wait(pilot, lambda: isinstance(app.screen, MeScreen))
        await pilot.press("5", "1", "space", "4")
        await settled(pilot, lambda: len(rows(app, "#answers")) == 4)
        yield "me", pilot
        await pilot.press("escape")
        await settled(pilot, lambda: isinstance(app.screen, Confirm))
        yield "leave-me", pilot
        await pilot.press("y")

        await pilot.press("4")
        await settled(pilot, lambda: app.current_mode == "map" and app.screen.query_one(PointMap)._xy is not None)
        await pilot.press("right")
        await settled(pilot, lambda: "trust" in said(app, "#where"))
        yield "map", pilot
        await pilot.press("v")
        await settled(pilot, lambda: visible(app, "#near"))
        yield "map-near", pilot
        await pilot.press("v", "r")
        await settled(pilot, lambda: isinstance(app.screen, RobustScreen) and "converged" in page(app))
        yield "robust", pilot
        await pilot.press("escape")
        for name, key in (("title-picker", "slash"), ("axes", "a")):
            await pilot.press(key)
            await settled(pilot, lambda: isinstance(app.screen, TitlePicker))
            yield name, pilot
            await pilot.press("escape")

    app = make("live")
    async with app.run_test(size=size) as pilot:
        await wait(pilot, lambda: app.chosen and app.training)
        await pilot.press("2")
        await settled(pilot, lambda: app.screen.query_one(RunList).option_count == 3 and "ETA" in page(app))
        await settled(pilot, lambda: app.activity.startswith("training"))
        yield "train-live", pilot

    app = make("bare")
    async with app.run_test(size=size) as pilot:
        await settled(pilot, lambda: app.activity)
        yield "no-data", pilot
        await pilot.press("3")
        await settled(pilot, lambda: app.current_mode == "search")
        yield "invitation", pilot


def text(app: App) -> str:
    """The screen without blanks at the ends of its lines, and without what depends on the machine."""
    shown = "\n".join(line.rstrip() for line in page(app).split("\n")) + "\n"
    for pattern in MASKS:
        shown = pattern.sub(lambda found: "~" * len(found[0]), shown)
    return shown


@pytest.fixture(scope="session")
def shots(furnished) -> Callable[[tuple[int, int]], dict[str, str]]:
    """All screens at a size, walked through once."""
    taken: dict[tuple[int, int], dict[str, str]] = {}

    async def take(size: tuple[int, int]) -> dict[str, str]:
        return {name: text(pilot.app) async for name, pilot in walk(furnished, size)}

    def of(size: tuple[int, int]) -> dict[str, str]:
        if size not in taken:
            taken[size] = asyncio.run(take(size))
        return taken[size]

    return of


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_looks_as_it_did(shots, screen, size):
    now = shots(size)[screen]
    file = SNAPSHOTS / f"{screen}-{size[0]}x{size[1]}.txt"
    if UPDATE:
        SNAPSHOTS.mkdir(exist_ok=True)
        file.write_text(now, encoding="utf-8")
        return
    assert file.exists(), f"no snapshot {file.name} yet: CFTUI_UPDATE_SNAPSHOTS=1 writes it"
    before = file.read_text(encoding="utf-8")
    changes = difflib.unified_diff(before.splitlines(), now.splitlines(), "as it was", "as it is", lineterm="", n=1)
    assert now == before, f"{file.name} (if it is meant: CFTUI_UPDATE_SNAPSHOTS=1)\n" + "\n".join(changes)


def test_no_snapshot_is_of_a_screen_there_is_no_more():
    known = {f"{screen}-{width}x{height}.txt" for screen in SCREENS for width, height in SIZES}
    assert {path.name for path in SNAPSHOTS.iterdir()} <= known

"""A home that looks the same on every machine, and the way through all screens of the app over it.

The ratings follow a formula, the weights of the model are set and not learned, and the log of its training is written
by hand. ``STOPS`` lists the screens; ``walk`` goes from one to the next and notes, for each, what a visitor makes of
it, or why it could not be reached. One screen that fails costs only itself: the walk goes on in a new app.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import DataTable, Input

from cftui.analysis.trained import TrainedModel
from cftui.data.formats.movielens import read_tables
from cftui.data.store.catalog import KNOWN
from cftui.data.tables import Tables
from cftui.engine.models.recipes import recipe
from cftui.engine.runs import trash
from cftui.engine.runs.folder import RunFolder, process_identity
from cftui.engine.runs.notes import set_tags
from cftui.engine.runs.weights import save_snapshot, save_weights
from cftui.engine.training import train
from cftui.home import Home
from cftui.settings import Config
from cftui.tui.dataset.data_sets import DataSets
from cftui.tui.dataset.import_columns import ColumnTable
from cftui.tui.dataset.import_ratings import ImportScreen
from cftui.tui.main import CftuiApp
from cftui.tui.map.point_map import PointMap
from cftui.tui.map.robust import RobustScreen
from cftui.tui.search.anatomy import AnatomyScreen
from cftui.tui.search.lists import ListsScreen
from cftui.tui.search.me import MeScreen
from cftui.tui.search.run_choice import RunChoice
from cftui.tui.search.users import ProfileScreen, UserPicker
from cftui.tui.shell.biases import BiasScreen
from cftui.tui.shell.help import HelpScreen
from cftui.tui.shell.jump import JumpScreen
from cftui.tui.shell.prompt import Confirm, Prompt
from cftui.tui.shell.run_switcher import RunSwitcher
from cftui.tui.shell.titles import TitlePicker
from cftui.tui.train.comparison import Comparison
from cftui.tui.train.run_scatter import RunScatter
from cftui.tui.train.run_table import RunTable
from cftui.tui.train.trash import Trash

from .looking import page, rows, said, settled, visible, wait

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
    run.config_file.write_text(json.dumps({**run.config().as_json(), "created": "2025-11-02T12:00:00+00:00"}))
    set_weights(run)
    write_log(run, "model4", 0.82)
    set_tags(run, ["chapter"])
    removed = trash.trash_folder(home.models) / "model2-made~20251103-120000-000000"
    removed.mkdir(parents=True)
    (removed / "weights.safetensors").write_bytes(bytes(1_200_000))
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

MakeApp = Callable[..., CftuiApp]
Condition = Callable[[App], object]
# Narrower than this, the explanation takes the place of another pane of the Search screen.
EXPLAINED_BESIDE = 110


@dataclass(frozen=True)
class Stop:
    """A screen and the way to it.

    Args:
        name: of the screen, and of its snapshots.
        room: the key that leads to where the way begins; none for the screen that the app opens with.
        way: keys to press, each with what has to be true before the next ones are pressed.
        back: keys that lead back to where the way began.
        kind: of app, as ``furnished`` makes it.
    """

    name: str
    room: str
    way: Sequence[tuple[Sequence[str], Condition]]
    back: Sequence[str] = ()
    kind: str = ""


def showing(kind: type) -> Condition:
    return lambda app: isinstance(app.screen, kind)


def dialog(name: str, room: str, key: str, kind: type) -> Stop:
    """A dialog that one key opens and escape closes."""
    return Stop(name, room, [([key], showing(kind))], ["escape"])


def tab(name: str, key: str) -> Stop:
    """A tab of the Dataset screen."""
    return Stop(f"dataset-{name}", "1", [([key], lambda app: app.focused and app.focused.id == f"{name}-table")], ["h"])


STOPS = (
    Stop("dataset", "1", [((), lambda app: app.screen.query_one("#head-table", DataTable).row_count)]),
    *(tab(name, key) for name, key in (("crosstab", "c"), ("genres", "e"), ("people", "p"), ("activity", "a"))),
    Stop(
        "data-sets",
        "1",
        [(["o"], lambda app: isinstance(app.screen, DataSets) and rows(app, "#data-sets-list"))],
        ["escape"],
    ),
    Stop(
        "import-files",
        "1",
        [(["i"], lambda app: isinstance(app.screen, ImportScreen) and rows(app, "#import-files"))],
        ["escape"],
    ),
    Stop(
        "import-columns",
        "1",
        [
            (["i"], lambda app: isinstance(app.screen, ImportScreen) and rows(app, "#import-files")),
            (["e", "enter"], lambda app: isinstance(app.focused, ColumnTable)),
            (["right", "right", "right", "t"], lambda app: "time poured" in said(app, "#import-marks")),
        ],
        ["escape"],
    ),
    Stop("train", "2", [((), lambda app: app.screen.query_one(RunTable).count == 2)]),
    Stop(
        "removed-runs",
        "2",
        [(["u", "T"], lambda app: isinstance(app.screen, Trash) and rows(app, "#trash-list"))],
        ["escape", "escape"],
    ),
    Stop(
        "switch-run",
        "2",
        [(["R"], lambda app: isinstance(app.screen, RunSwitcher) and len(rows(app, "#switcher-list")) == 2)],
        ["escape"],
    ),
    Stop(
        "comparison",
        "2",
        [
            (
                ["u", "down", "c"],
                lambda app: isinstance(app.screen, Comparison) and "comparing" not in said(app, "#winner"),
            )
        ],
        ["escape", "escape"],
    ),
    Stop(
        "run-scatter",
        "2",
        [(["A"], lambda app: isinstance(app.screen, RunScatter) and "enter: show" in page(app))],
        ["escape"],
    ),
    Stop("search", "3", [((), lambda app: rows(app, "#found"))]),
    Stop("lists", "3", [(["c"], lambda app: isinstance(app.screen, ListsScreen) and "hit" in page(app))], ["escape"]),
    Stop(
        "run-choice",
        "3",
        [
            (["c"], lambda app: isinstance(app.screen, ListsScreen) and "hit" in page(app)),
            (["r"], lambda app: isinstance(app.screen, RunChoice) and rows(app, "#run-choice-list")),
        ],
        ["escape", "escape"],
    ),
    Stop("why", "3", [(["w"], lambda app: rows(app, "#why"))]),
    dialog("user-picker", "3", "u", UserPicker),
    dialog("profile", "3", "p", ProfileScreen),
    dialog("biases", "3", "b", BiasScreen),
    dialog("anatomy", "3", "a", AnatomyScreen),
    dialog("filter", "3", "f", Prompt),
    dialog("export", "3", "x", Prompt),
    dialog("help", "3", "question_mark", HelpScreen),
    dialog("jump", "3", "ctrl+o", JumpScreen),
    Stop(
        "me",
        "3",
        [(["m"], showing(MeScreen)), (["5", "1", "space", "4"], lambda app: len(rows(app, "#answers")) == 4)],
        ["escape", "y"],
    ),
    Stop(
        "leave-me",
        "3",
        [(["m"], showing(MeScreen)), (["5", "1", "space", "4", "escape"], showing(Confirm))],
        ["y"],
    ),
    Stop("map", "4", [((), lambda app: "trust" in said(app, "#where"))]),
    Stop("map-near", "4", [(["v"], lambda app: visible(app, "#near"))], ["v"]),
    Stop(
        "robust",
        "4",
        [(["r"], lambda app: isinstance(app.screen, RobustScreen) and "converged" in page(app))],
        ["escape"],
    ),
    dialog("title-picker", "4", "slash", TitlePicker),
    dialog("axes", "4", "a", TitlePicker),
    Stop(
        "train-live",
        "2",
        [
            (
                (),
                lambda app: (
                    app.screen.query_one(RunTable).count == 3
                    and " left" in page(app)
                    and app.activity.startswith("training")
                ),
            )
        ],
        kind="live",
    ),
    Stop("queue", "2", [(["t"], lambda app: rows(app, "#queue"))], ["Q", "d"], kind="live"),
    Stop("no-data", "", [((), lambda app: app.activity)], kind="bare"),
    Stop("invitation", "3", [((), lambda app: app.current_mode == "search")], kind="bare"),
)
MODES = {"1": "dataset", "2": "train", "3": "search", "4": "map"}


async def begin(pilot: Pilot, stop: Stop) -> None:
    """Go to where the way to a screen begins: the focus in the list of Search, the cursor on a point of the Map."""
    app = pilot.app
    if stop.kind != "bare":
        await wait(pilot, lambda: app.chosen and (app.training or not stop.kind))
    if not stop.room:
        return
    if app.current_mode != MODES[stop.room]:
        await pilot.press(stop.room)
        await wait(pilot, lambda: app.current_mode == MODES[stop.room])
        if stop.room == "3" and stop.kind != "bare":
            await settled(pilot, lambda: rows(app, "#found"))
        if stop.room == "4":
            await settled(pilot, lambda: app.screen.query_one(PointMap)._xy is not None)
            await pilot.press("right")
    if stop.room == "3" and isinstance(app.focused, Input) and stop.way[0][0]:
        await pilot.press("escape")


async def visit(pilot: Pilot, stop: Stop, look: Callable[[Pilot], Awaitable[Any]]) -> Any:
    """Go to a screen, look at it, and go back."""
    app = pilot.app
    await begin(pilot, stop)
    base = app.screen
    for keys, there in stop.way:
        await pilot.press(*keys)
        await settled(pilot, lambda there=there: there(app))
    seen = await look(pilot)
    await pilot.press(*stop.back)
    if stop.name == "why" and app.size.width < EXPLAINED_BESIDE:
        await pilot.press("w")
    await wait(pilot, lambda: app.screen is base)
    return seen


async def walk(
    make: MakeApp, size: tuple[int, int], look: Callable[[Pilot], Awaitable[Any]], stops: Sequence[Stop] = STOPS
) -> dict[str, Any]:
    """Look at every screen when nothing more will change on it.

    Args:
        make: makes an app of a kind.
        size: of the terminal, columns and lines.
        look: is given the pilot at each screen.

    Returns:
        By name of the screen, what ``look`` returned, or the exception that came in its stead.
    """
    found: dict[str, Any] = {}
    left = list(stops)
    while left:
        kind, stop = left[0].kind, left[0]
        try:
            app = make(kind)
            own = app.home.root / "own"
            with contextlib.chdir(own if own.is_dir() else "."):
                async with app.run_test(size=size) as pilot:
                    while left and left[0].kind == kind:
                        stop = left.pop(0)
                        found[stop.name] = await visit(pilot, stop, look)
        except Exception as error:  # whatever it was is reported as the outcome of this screen
            found[stop.name] = error
            if left and left[0] is stop:
                left.pop(0)
    return found

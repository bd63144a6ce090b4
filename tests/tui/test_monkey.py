"""A monkey at the keyboard: thousands of keys in no order, a terminal that changes its size, a run that goes on."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import psutil
import pytest
from textual.command import CommandPalette

from cftui.engine.runs import folder
from cftui.engine.runs.folder import RunFolder
from cftui.home import Home
from cftui.settings import Config
from cftui.tui.main import CftuiApp
from cftui.tui.session import jobs, memory
from cftui.tui.shell.keys import ACTIONS
from cftui.tui.train.lr_finder import LrFinder

from ..conftest import TINY
from .conftest import SETTLE
from .looking import wait

SEED = 20240607
KEYS, FEW, BURST = 5_200, 520, 26
SIZES = ((60, 20), (80, 24), (100, 30), (132, 43), (160, 48), (200, 60))
MOST_GROWTH = 60 * 2**20
OF_ACTIONS = sorted({key.strip() for keys in ACTIONS.values() for one in keys for key in one.keys.split(",")})
TYPED = [*"abcdefghijklmnopqrstuvwxyz0123456789", "space", "full_stop", "left_square_bracket", "slash"]
EDITING = ["enter", "escape", "tab", "shift+tab", "backspace", "up", "down", "left", "right", "home", "end"]
# Nothing but these four is sure to lead out of wherever the monkey has got to.
ROOMS = ["f1", "f2", "f3", "f4"]


class FakeTrainer:
    """In the place of a trainer's process: writes some of a real run's log whenever it is asked how it does."""

    pid = 2**22 - 1
    returncode: int | None = None

    def __init__(self, run: RunFolder, lines: list[str]) -> None:
        self._lines, self._run, self._resting = lines, run, 0

    def poll(self) -> int | None:
        if self.returncode is None:
            with self._run.events_file.open("a") as log:
                log.write("".join(self._lines[:3]))
            del self._lines[:3]
            if not self._lines:
                self.returncode = 0
        return self.returncode

    def terminate(self) -> None:
        self.returncode = -15

    kill = terminate


@pytest.fixture
def home(tiny_runs, tmp_path, monkeypatch) -> Home:
    """A home of one's own with three runs. What is written, wherever to, is written here."""
    home = Home(tmp_path / "home")
    shutil.copytree(tiny_runs[0].data, home.data)
    for name in ("model1", "collab-nn", "model4"):
        shutil.copytree(tiny_runs[1][name].path, home.models / f"{name}.run")
    for name in ("HOME", "XDG_DOWNLOAD_DIR", "CFTUI_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def started(tiny_runs, monkeypatch) -> list[str]:
    """Names of the runs the app has started or gone on with: each a long copy of model4's, without its process."""
    source: Path = tiny_runs[1]["model4"].path
    begin, *rest = source.joinpath("events.jsonl").read_text().splitlines(keepends=True)
    middle = [line for line in rest if json.loads(line)["event"] != "done"]
    done = [line for line in rest if json.loads(line)["event"] == "done"]
    names: list[str] = []

    def start(home: Home, name: str, words: list[str]) -> FakeTrainer:
        run = RunFolder(home.models / name)
        shutil.copytree(source, run.path, dirs_exist_ok=True)
        run.events_file.write_text("")
        names.append(name)
        return FakeTrainer(run, [begin, *middle * 12, *done])

    monkeypatch.setattr(jobs, "start_detached", start)
    # By their logs, the trainer is this process.
    monkeypatch.setattr(folder, "request_stop", lambda run: None)
    return names


@pytest.mark.slow
@pytest.mark.parametrize("count", [FEW, KEYS])
async def test_keys_at_random_leave_the_app_alive_and_its_memory_as_it_was(count, home, started, monkeypatch):
    chance = random.Random(SEED)
    monkeypatch.setattr(memory, "settle", SETTLE)  # The other tests do without it; here it is part of what is measured.
    fetched, left = [], []
    monkeypatch.setattr(CftuiApp, "fetch_data", lambda self, *_: fetched.append(1))
    monkeypatch.setattr(CftuiApp, "exit", lambda self, *_, **__: left.append(1))
    rates = [10.0**power for power in range(-6, 1)]
    monkeypatch.setattr(LrFinder, "_find", lambda self: self._show(rates, [3, 3, 2.5, 2, 1.5, 2, 9], 1e-2))
    app, process = CftuiApp(home, Config(data=TINY), remember=True), psutil.Process()
    pressed: list[str] = []
    seen: Counter[str] = Counter()
    sizes, watched, halfway = set(), 0, 0

    def story() -> str:
        return f"seed {SEED}, key {len(pressed)}, {app.size}, {app._exception!r}; the last: {' '.join(pressed[-60:])}"

    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait(pilot, lambda: app.chosen)
        app.start_training("model4")
        while len(pressed) < count:
            burst = [chance.choice(ROOMS), *(press(chance) for _ in range(BURST - 1))]
            if chance.random() < 0.3:
                burst.insert(1, "escape")
            if chance.random() < 0.05:
                burst.append("ctrl+p")
            if chance.random() < 0.1:
                # Three keys in a row lead there; left to chance, hardly ever.
                burst[-3:] = ["f3", "escape", "m"]
            for key in burst:
                pressed.append(key)
                app.simulate_key(key)
                if key == "ctrl+p" or isinstance(app.screen, CommandPalette):
                    # Textual's own palette needs its time to come, to fill and to go.
                    await pilot.pause(0.01)
            if chance.random() < 0.15:
                # Large ones are slow to draw: most of the time is spent at 80x24.
                size = chance.choice(SIZES)
                sizes.add(size)
                await pilot.resize_terminal(*size)
                await pilot.pause()
                await pilot.resize_terminal(80, 24)
            try:
                await pilot.pause()
            except BaseException as error:
                raise AssertionError(story()) from error
            assert app._exception is None, story()
            assert app.is_running, story()
            seen[type(app.screen).__name__] += 1
            watched += app.training
            if not app.training and chance.random() < 0.2 and len(started) < 6:
                app.start_training("model4")
            if not halfway and len(pressed) > count / 2:
                halfway = process.memory_info().rss
        grown = process.memory_info().rss - halfway
        for _ in range(8):
            await pilot.press("escape", "f1")
        await wait(pilot, lambda: app.current_mode == "dataset")
    if count == FEW:  # too few keys to have been everywhere
        return
    assert grown < MOST_GROWTH, f"{grown / 2**20:.0f} MB more over the second half; {story()}"
    assert len(sizes) == len(SIZES), story()
    assert watched > 20, f"hardly any key fell into a live run; {story()}"
    assert {"DatasetScreen", "TrainScreen", "SearchScreen", "MapScreen", "MeScreen"} <= seen.keys(), seen
    assert len(seen) >= 12, f"the monkey saw no more than {seen}"


def press(chance: random.Random) -> str:
    return chance.choice(chance.choices((OF_ACTIONS, TYPED, EDITING), (5, 2, 3))[0])

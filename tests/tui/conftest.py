"""The app over a home in which model4 is trained, at 80x24 unless a test says otherwise."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Awaitable, Callable, Iterator

import pytest
import textual._wait
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot

from cftui.analysis.trained import TrainedModel
from cftui.engine.runs.folder import RunFolder
from cftui.home import Home
from cftui.tui.main import CftuiApp
from cftui.tui.session import memory
from cftui.tui.session.workspace import OpenModel

from .looking import SIZE as SIZE
from .looking import app_with, wait

Until = Callable[[Pilot, Callable[[], object]], Awaitable[None]]


_PARSED: dict[tuple, list] = {}
# The real one, which the fixture below puts out of action.
SETTLE = memory.settle


@pytest.fixture(autouse=True, scope="session")
def _no_slower_than_need_be() -> Iterator[None]:
    """An app is started for nearly every test, and most of its processor time goes to what is always the same.

    Textual's style sheets are parsed once, not once for every app and again for every screen. The pilot looks for
    idleness every 10 ms instead of 20, twice at every key: still longer than a frame. And the garbage collector is not
    sent through the whole test process whenever a model is opened: more than half of the time of some files.
    """
    parse = Stylesheet._parse_rules

    def parse_once(sheet: Stylesheet, *args, **kwargs) -> list:
        key = (args, tuple(sorted(kwargs.items())), tuple(sorted(sheet._variables.items())))
        if key not in _PARSED:
            _PARSED[key] = parse(sheet, *args, **kwargs)
        return _PARSED[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        patch.setattr(textual._wait, "SLEEP_GRANULARITY", 1 / 100)
        patch.setattr(memory, "settle", lambda: None)
        yield


@pytest.fixture
def until() -> Until:
    """Wait for something to become true, letting the app work; fails if it never does."""
    return wait


@pytest.fixture
def app(trained) -> CftuiApp:
    home, _, _ = trained
    return CftuiApp(home)


@pytest.fixture
def bare_app(tmp_path) -> CftuiApp:
    """No data set, no run."""
    return CftuiApp(Home(tmp_path))


@pytest.fixture(scope="session")
def prepared(trained) -> OpenModel:
    """The trained model with what is found once, found; not to be altered."""
    home, _, model = trained
    opened = OpenModel(model, model.ratings(home), home)
    opened.prepare()
    SETTLE()
    return opened


@pytest.fixture
def opened(prepared, tmp_path) -> OpenModel:
    """The same, in a home of its own, so that profiles kept there are the test's."""
    own = copy.copy(prepared)
    own.home = Home(tmp_path / "own-home")
    own.home.data.mkdir(parents=True)
    return own


@pytest.fixture
def quick(opened) -> CftuiApp:
    """The app with the trained model on show from its start."""
    return app_with(opened)


@pytest.fixture
def tiny_opened(tiny_runs, tmp_path) -> Callable[[str], OpenModel]:
    """A recipe's run on the tiny data: a copy, which a test may spoil."""
    tiny_home, runs = tiny_runs
    home = Home(tmp_path / "own-tiny-home")

    def open_run(recipe: str) -> OpenModel:
        run = RunFolder(home.models / runs[recipe].name)
        if not run.path.exists():
            shutil.copytree(runs[recipe].path, run.path)
            home.data.mkdir(exist_ok=True)
        model = TrainedModel.load(run)
        opened = OpenModel(model, model.ratings(tiny_home), home)
        opened.prepare()
        return opened

    return open_run

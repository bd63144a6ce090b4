"""The app always starts: what it came back to and could not open is said and left out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from cftui import settings
from cftui.engine.runs.folder import RunFolder
from cftui.home import Home
from cftui.settings import Config, State, Use
from cftui.tui.main import CftuiApp

from ..conftest import write_tiny
from .looking import notices, wait

DATA = "tiny"


@pytest.fixture
def home(tiny_runs, tmp_path) -> Home:
    """A home with the run ``odd``, which a test may spoil, and the older run ``good``."""
    _, runs = tiny_runs
    home = Home(tmp_path / "home")
    write_tiny(home.data / DATA)
    for name in ("good", "odd"):
        run = RunFolder(home.models / name)
        shutil.copytree(runs["model4"].path, run.path)
        config = json.loads(run.config_file.read_text())
        run.config_file.write_text(json.dumps({**config, "run": name}))
    settings.write_state(home, State(data=DATA, screen="map", used={DATA: Use("odd", "1", "odd")}))
    return home


async def come_back(home: Home) -> CftuiApp:
    """Start the app where it was left, and look at every screen."""
    app = CftuiApp(home, Config(data=DATA), remember=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait(pilot, lambda: app._looked and app.opened and not app.opening and not app.activity)
        app.notices_seen = notices(app)
        for mode in app.MODES:
            await app.switch_mode(mode)
            await pilot.pause()
    return app


def nan(path: Path) -> None:
    tensors = load_file(path)
    for tensor in tensors.values():
        tensor.fill_(float("nan"))
    save_file(tensors, path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def null(path: Path) -> None:
    path.write_text("null\n")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def numbers(path: Path) -> None:
    """Each value of an object, or each line, is another kind of thing."""
    path.write_text("\n".join(f'{{"event": {n}, "run": {n}, "options": [], "note": {n}}}' for n in range(3)))


FILES = ("run.json", "events.jsonl", "vocabulary.json", "weights.safetensors", "lists.json", "notes.json", "heartbeat")


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [empty, null, half, folder, numbers], ids=lambda spoil: spoil.__name__)
@pytest.mark.parametrize("name", FILES)
async def test_whatever_a_run_folder_holds_the_app_starts(home, name, spoil):
    path = home.models / "odd" / name
    path.touch()
    spoil(path)
    app = await come_back(home)
    assert app.return_code in (0, None)


async def test_weights_that_hold_nan_are_said_and_left_out(home):
    nan(home.models / "odd" / "weights.safetensors")
    app = await come_back(home)
    assert any("holds NaN or infinity" in said for said in app.notices_seen), app.notices_seen
    assert app.chosen is None


async def test_a_snapshot_that_cannot_be_read_does_not_keep_the_model_from_being_shown(home):
    for path in (home.models / "odd" / "snapshots").iterdir():
        empty(path)
    app = await come_back(home)
    assert app.chosen.name == "odd"


async def test_a_screen_that_broke_on_a_run_is_not_what_the_app_begins_with_again(home, monkeypatch):
    """Whatever the defect is: it ends the app once, not at every start."""
    from cftui.tui.map.screen import MapScreen

    def fail():
        raise RuntimeError("a defect")

    monkeypatch.setattr(MapScreen, "model_changed", lambda self, opened: self.call_later(fail))
    with pytest.raises(RuntimeError, match="a defect"):
        await come_back(home)
    state, _ = settings.read_state(home)
    assert (state.broken, state.left_out) == ("map", ["odd"])
    monkeypatch.undo()

    app = CftuiApp(home, Config(data=DATA), remember=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait(pilot, lambda: app.chosen)
        assert app.current_mode == "dataset"
        assert app.chosen.name == "good"
        said = " ".join(notices(app))
        assert "the Map screen ended cftui with an internal error; not opened again: odd; details in" in said
        app.open_model("odd")
        await wait(pilot, lambda: app.chosen.name == "odd")
    state, _ = settings.read_state(home)
    assert (state.broken, state.left_out) == ("", [])

"""Installed from its wheel, away from the checkout, the program does what it does here."""

from __future__ import annotations

import email
import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import cftui
from cftui.errors import DISTRIBUTION
from cftui.home import Home

from .conftest import CHECKOUT


def run(words: list[str | Path], *, cwd: Path, **variables: str) -> str:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("CFTUI", "PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [*map(str, words)], cwd=cwd, env={**inherited, **variables}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words: list[str | Path] = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, CHECKOUT]
    run(words, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment: the wheel is its own, its dependencies are those of the tests."""
    root = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(root, with_pip=False)
    site = root / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    words: list[str | Path] = [sys.executable, "-m", "pip", "--python", root / "bin" / "python", "install", "-q"]
    run([*words, "--no-deps", "--no-index", wheel], cwd=root)
    # Appended by hand, not as a site folder: its own .pth files, the checkout's among them, are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return root / "bin"


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    tracked = {
        str(path.relative_to(CHECKOUT))
        for path in (CHECKOUT / "cftui").rglob("*")
        if (path.suffix in (".py", ".tcss") or path.name == "py.typed") and "__pycache__" not in path.parts
    }
    assert sum(name.endswith(".tcss") for name in tracked) > 5
    assert tracked <= names
    assert all(name.startswith("cftui/") for name in names)
    assert "cftui/py.typed" in names
    assert licences


def test_the_wheel_is_called_what_messages_tell_people_to_install(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Name"] == DISTRIBUTION
    assert {"parquet", "pictures"} <= set(metadata.get_all("Provides-Extra", []))


def test_what_runs_is_what_was_installed(installed: Path, tmp_path: Path) -> None:
    where = run([installed / "python", "-c", "import cftui.tui.app as app; print(app.__file__)"], cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_the_installed_program_tells_its_version(installed: Path, tmp_path: Path) -> None:
    assert run([installed / "cftui", "--version"], cwd=tmp_path).split()[-1] == cftui.__version__


def test_away_from_a_checkout_all_is_kept_in_the_users_folders(installed: Path, tmp_path: Path) -> None:
    places = {"HOME": str(tmp_path), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}
    told = json.loads(run([installed / "cftui", "locate", "--json"], cwd=tmp_path, **places))
    assert len(told) >= 6
    for what, place in told.items():
        assert Path(place["path"]).is_relative_to(tmp_path), what
        assert "cftui" in Path(place["path"]).relative_to(tmp_path).parts, what


@pytest.mark.slow
def test_the_installed_program_goes_on_its_tour(installed: Path, fresh_home: Home, tmp_path: Path) -> None:
    out = run([installed / "cftui", "tour"], cwd=tmp_path, CFTUI_HOME=str(fresh_home.root), OMP_NUM_THREADS="1")
    assert "Silence of the Lambs" in out
    (run_folder,) = (path for path in fresh_home.models.iterdir() if (path / "run.json").exists())
    assert (run_folder / "weights.safetensors").exists()


def test_the_installed_app_finds_its_style_sheets(installed: Path, tmp_path: Path) -> None:
    """Every screen of it: a style sheet that was left behind is missed when the screen is opened."""
    code = """
import asyncio, importlib, pkgutil, inspect
import cftui.tui
from textual.css.stylesheet import Stylesheet
from pathlib import Path
seen = 0
for found in pkgutil.walk_packages(cftui.tui.__path__, "cftui.tui."):
    module = importlib.import_module(found.name)
    for _, kind in inspect.getmembers(module, inspect.isclass):
        sheet = vars(kind).get("CSS_PATH")
        if sheet and kind.__module__ == module.__name__:
            path = Path(module.__file__).parent / sheet
            assert path.is_file(), path
            seen += 1
assert seen > 5
print("all", seen)
"""
    assert run([installed / "python", "-c", code], cwd=tmp_path).startswith("all")

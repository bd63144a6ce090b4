"""Installed from its wheel, away from the checkout, the program does what it does here."""

from __future__ import annotations

import email
import json
import os
import re
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
    where = run([installed / "python", "-c", "import cftui.tui.main as app; print(app.__file__)"], cwd=tmp_path)
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


@pytest.mark.slow
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


# Another package with a recipe, an architecture and a method of its own.
PLUGIN = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "more-recipes"
version = "1"
[project.entry-points."cftui.recipes"]
more = "more_recipes:RECIPES"
""",
    "more_recipes/__init__.py": """
from cftui.engine.models.recipes import Recipe

RECIPES = [
    Recipe("squared", "a dot product of squares", "more_recipes.models:Squared", defaults={"wd": 0.2}),
    Recipe("model4", "an impostor", "more_recipes.models:Squared"),
]
""",
    "more_recipes/models.py": """
from cftui.engine.models.architectures import Architecture, embedding, sigmoid_range


class Squared(Architecture):
    def __init__(self, shape):
        super().__init__(shape)
        self.user_factors = embedding(shape.users, shape.factors)
        self.item_factors = embedding(shape.items, shape.factors)

    def user_rows(self, user):
        return self.user_factors(user)

    def rate(self, rows, item):
        return sigmoid_range((rows * self.item_factors(item)).square().sum(dim=1), self.y_range)
""",
}


@pytest.fixture(scope="module")
def with_plugin(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same environment with the second package installed."""
    source, built = tmp_path_factory.mktemp("plugin"), tmp_path_factory.mktemp("plugin-wheel")
    for name, text in PLUGIN.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(text)
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", built, source], cwd=source)
    (wheel,) = built.glob("*.whl")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", installed / "python", "install", "-q"]
    run([*pip, "--no-deps", "--no-index", wheel], cwd=source)
    return installed


def test_the_readmes_lines_run_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    (tmp_path / "lines.py").write_text(block)
    out = run([installed / "python", "lines.py"], cwd=tmp_path, HOME=str(tmp_path), OMP_NUM_THREADS="1")
    assert "predicted" in out
    where = run([installed / "python", "-c", "import cftui; print(cftui.__file__)"], cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)


@pytest.mark.slow
def test_a_recipe_of_another_package_is_listed_fitted_and_in_the_form(with_plugin: Path, tmp_path: Path) -> None:
    listed = run([with_plugin / "cftui", "train", "--help"], cwd=tmp_path)
    assert "squared" in listed
    assert "a dot product of squares" in listed
    assert "an impostor" not in listed
    code = """
import asyncio, tempfile
from pathlib import Path

import pandas as pd
import cftui

frame = pd.DataFrame({"user": [f"u{i % 7}" for i in range(60)], "item": [f"i{i % 11}" for i in range(60)],
                      "rating": [1 + i * i % 5 for i in range(60)]})
model = cftui.fit("squared", frame, epochs=2, bs=8)
assert model.options["wd"] == 0.2
assert cftui.recipes().loc["model4", "summary"] == "model3 with weight decay"

from textual.app import App
from textual.widgets import Select
from cftui.tui.train.recipe_form import RecipeForm

class Form(App):
    def compose(self):
        yield RecipeForm()

async def look():
    app = Form()
    async with app.run_test() as pilot:
        form = app.query_one(RecipeForm)
        form.query_one("#recipe", Select).value = "squared"
        await pilot.pause()
        assert form.options()[form.options().index("--wd") + 1] == "0.2"

asyncio.run(look())
print(model.recommend("u1", 2)["item"].tolist())
"""
    out = run([with_plugin / "python", "-c", code], cwd=tmp_path, HOME=str(tmp_path), OMP_NUM_THREADS="1")
    assert out.startswith("['i")


@pytest.mark.slow
def test_a_run_of_a_recipe_that_is_not_installed_says_what_to_install(
    with_plugin: Path, installed: Path, fresh_home: Home, tmp_path: Path
) -> None:
    own = {"CFTUI_HOME": str(fresh_home.root), "OMP_NUM_THREADS": "1"}
    words = ["train", "squared", "--epochs", "1", "--bs", "8192", "--name", "theirs"]
    run([with_plugin / "cftui", *words], cwd=tmp_path, **own)
    assert "squared" in run([with_plugin / "cftui", "runs"], cwd=tmp_path, **own)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("CFTUI", "PYTHON"))}
    words = [sys.executable, "-m", "cftui", "recommend", "--user", "196", "--run", "theirs"]
    done = subprocess.run(words, cwd=CHECKOUT, env={**inherited, **own}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "belongs to no installed recipe; install the package that brings squared" in done.stderr
    assert done.stderr.count("\n") == 1

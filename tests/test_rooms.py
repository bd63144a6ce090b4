"""One way through the house: what each room may import, looked at in a fresh process."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import grimp
import pytest

import cftui

SCREEN = {"textual", "textual_plotext", "plotext"}


def loaded_by(code: str) -> set[str]:
    """The modules in ``sys.modules`` after ``code`` ran in a new interpreter."""
    report = "import json, sys; sys.stdout.flush(); print('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def modules_of(room: str) -> list[str]:
    package = __import__(f"cftui.{room}", fromlist=["x"])
    names = [module.name for module in pkgutil.walk_packages(package.__path__, f"cftui.{room}.")]
    # Each of these imports an optional package.
    return [name for name in names if not name.startswith("cftui.analysis.trackers.to_")]


def rooms(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("cftui.")} & {
        "data",
        "engine",
        "analysis",
        "cli",
        "tui",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("room", "may_see"),
    [
        ("data", {"data"}),
        ("engine", {"data", "engine"}),
        ("analysis", {"data", "engine", "analysis"}),
        ("cli", {"data", "engine", "analysis", "cli"}),
    ],
)
def test_a_room_sees_only_what_lies_before_it_and_no_screen(room: str, may_see: set[str]) -> None:
    names = modules_of(room)
    assert len(names) >= 3
    loaded = loaded_by("\n".join(f"import {name}" for name in names))
    assert set(names) <= loaded
    assert rooms(loaded) <= may_see
    assert SCREEN.isdisjoint(loaded)


def test_the_app_does_not_know_the_command_line_and_starts_without_torch_or_pandas() -> None:
    loaded = loaded_by("import cftui.tui.main")
    assert "textual" in loaded
    assert "cli" not in rooms(loaded)
    assert loaded.isdisjoint({"torch", "pandas", "scipy", "fbpca", "sklearn"})


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["train", "--help"], ["data", "--help"]])
def test_what_needs_no_model_imports_no_heavy_library(arguments: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["cftui", *{arguments!r}]
from cftui.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    loaded = loaded_by(code)
    assert "cftui.cli.main" in loaded
    assert loaded.isdisjoint({"torch", "pandas", "numpy", "scipy", "textual", "plotext", "pooch", "requests"})


def test_version_prints_the_version() -> None:
    done = subprocess.run([sys.executable, "-m", "cftui", "--version"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.split()[-1] == cftui.__version__


def test_importing_the_package_imports_next_to_nothing() -> None:
    """A module takes a millisecond or so; ``benchmarks/startup.py`` measures it."""
    bare = loaded_by("pass")
    added = loaded_by("import cftui") - bare
    assert {name for name in added if name.startswith("cftui")} == {"cftui", "cftui.version"}
    assert len(added) < 20, sorted(added)


def test_nothing_inside_imports_the_packages_front_door() -> None:
    """``cftui`` is for people who use the package; inside it, each fact is imported from where it is."""
    graph = grimp.build_graph("cftui", include_external_packages=False)
    assert graph.find_modules_that_directly_import("cftui") == set()
    assert graph.find_modules_that_directly_import("cftui.api") <= {"cftui"}


def test_an_error_can_be_imported_without_anything_heavy() -> None:
    loaded = loaded_by(
        "import cftui.errors, cftui.home, cftui.data.store.catalog, cftui.engine.models.recipes\n"
        "import cftui.engine.runs.events"
    )
    assert loaded.isdisjoint({"torch", "pandas", "numpy", *SCREEN})

"""Fixtures all rooms share: the real MovieLens 100K, and a tiny data set in its layout that needs no download.

``CFTUI_ML_100K`` may name a folder or zip with the real data; else the checkout's own copy is used, else it is fetched.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# One thread: on a shared machine two threads that wait for each other make a training many times slower.
# Set before torch is imported anywhere; the processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test reads or writes what the person running it keeps.
os.environ["CFTUI_CONFIG_DIR"] = tempfile.mkdtemp(prefix="cftui-test-")
os.environ["CFTUI_STATE_DIR"] = tempfile.mkdtemp(prefix="cftui-test-")

import numpy as np
import pytest

from cftui.data.ratings import Ratings
from cftui.data.store import catalog
from cftui.data.store.catalog import KNOWN
from cftui.data.tables import Tables
from cftui.home import Home

from .settings import CHOOSING, options_for

# The files that take longest. They begin first, so that no worker is left alone with one of them at the end.
LONG = (
    "test_monkey",
    "test_import",
    "test_gibbs",
    "test_search",
    "test_map",
    "test_snapshots",
    "test_craft",
    "test_training",
    "test_runs",
    "test_processes",
    "test_killing",
    "test_me",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort long files to the front and leave the rest in order; within a file the order stays."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through every module and test at each of its rounds."""
    gc.collect()
    gc.freeze()


CHECKOUT = Path(__file__).resolve().parent.parent
TINY = "tiny"
TINY_TITLES = (
    "Toy Story (1995)",
    "Silence of the Lambs, The (1991)",
    "Misérables, Les (1995)",
    "Seven (Se7en) (1995)",
    "[REC] (2007)",
    "Chasing Amy (1997)",
    "Chasing Amy (1997)",
    *(f"Film {letter} (199{number})" for number, letter in enumerate("ABCDEFGHIJ")),
    "Fargo (1996)",
    "Fargo Revisited (1999)",
    "Star Wars (1977)",
)


def write_tiny(folder: Path, users: int = 30) -> Path:
    """Write a valid ml-100k layout: 20 items of which two share a title, about 60 % of all pairs rated."""
    random = np.random.default_rng(7)
    items = len(TINY_TITLES)
    taste = random.normal(size=(users, 2)) @ random.normal(size=(2, items)) + random.normal(size=items)
    ratings = np.clip(np.rint(3.3 + taste), 1, 5).astype(int)
    pairs = [(u, i) for u in range(users) for i in range(items) if random.random() < 0.6]
    rows = [pairs[at] for at in random.permutation(len(pairs))]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "u.data").write_text(
        "".join(f"{u + 1}\t{i + 1}\t{ratings[u, i]}\t{880_000_000 + random.integers(10**6)}\n" for u, i in rows)
    )
    flags = ["|".join("1" if genre == (code % 18) + 1 else "0" for genre in range(19)) for code in range(items)]
    (folder / "u.item").write_bytes(
        "".join(
            f"{code + 1}|{title}|01-Jan-1995||http://example.org|{flags[code]}\n"
            for code, title in enumerate(TINY_TITLES)
        ).encode("latin-1")
    )
    (folder / "u.user").write_text("".join(f"{u + 1}|{20 + u}|M|writer|0000{u % 10}\n" for u in range(users)))
    return folder


def read_tiny(folder: Path) -> Tables:
    from cftui.data.formats.movielens import read_tables

    return dataclasses.replace(read_tables(folder), name=TINY, label="Tiny")


@pytest.fixture(scope="session")
def ml_100k_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that holds the real data set and nothing else."""
    from cftui.data.store import sources

    home = Home(tmp_path_factory.mktemp("ml-100k-home"))
    named = os.environ.get("CFTUI_ML_100K")
    own = CHECKOUT / "data" / "ml-100k"
    sources.get("ml-100k", home, source=Path(named) if named else own if own.is_dir() else None)
    return home


@pytest.fixture(scope="session")
def ml_100k_folder(ml_100k_home: Home) -> Path:
    return ml_100k_home.data / "ml-100k"


@pytest.fixture(scope="session")
def tables(ml_100k_home: Home) -> Tables:
    return catalog.open_tables("ml-100k", ml_100k_home)


@pytest.fixture(scope="session")
def ratings(tables: Tables) -> Ratings:
    return Ratings.encode(tables)


@pytest.fixture
def fresh_home(tmp_path: Path, ml_100k_folder: Path) -> Home:
    """A home of one's own in which the real data set is present and nothing has been trained."""
    home = Home(tmp_path / "home")
    home.data.mkdir(parents=True)
    (home.data / "ml-100k").symlink_to(ml_100k_folder)
    return home


@pytest.fixture(scope="session")
def trained(ml_100k_home: Home, tmp_path_factory: pytest.TempPathFactory):
    """``(home, run, model)``: model4 as the chapter trains it, once for all tests; not to be altered."""
    import torch

    from cftui.analysis.trained import TrainedModel
    from cftui.engine.models.recipes import recipe
    from cftui.engine.training import train

    home = Home(tmp_path_factory.mktemp("trained-home"))
    home.data.mkdir()
    (home.data / "ml-100k").symlink_to(ml_100k_home.data / "ml-100k")
    run = train(home, recipe("model4"), recipe("model4").options(), device=torch.device("cpu"), name="model4-shared")
    return home, run, TrainedModel.load(run)


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    """A folder in the official layout that a test may spoil."""
    return write_tiny(tmp_path / "tiny-source")


@pytest.fixture(scope="session")
def tiny_tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return read_tiny(write_tiny(tmp_path_factory.mktemp("tiny") / TINY))


@pytest.fixture(scope="session")
def tiny(tiny_tables: Tables) -> Ratings:
    return Ratings.encode(tiny_tables)


@pytest.fixture(scope="session")
def tiny_known(tiny_tables: Tables) -> Iterator[str]:
    """The tiny data set under a name of its own in the catalogue, so that homes can hold it."""
    KNOWN[TINY] = dataclasses.replace(
        KNOWN["ml-100k"], name=TINY, label="Tiny", fingerprint=tiny_tables.fingerprint, read=read_tiny
    )
    yield TINY
    del KNOWN[TINY]


@pytest.fixture
def tiny_home(tmp_path: Path, tiny_known: str) -> Home:
    """A home of one's own that holds the tiny data set, for in-process tests."""
    home = Home(tmp_path / "tiny-home")
    write_tiny(home.data / tiny_known)
    return home


@pytest.fixture(scope="session")
def tiny_runs(tmp_path_factory: pytest.TempPathFactory, tiny_known: str):
    """``(home, {recipe: run})``: every recipe trained for two epochs on the tiny data; not to be altered."""
    import torch

    from cftui.engine.models.recipes import RECIPES
    from cftui.engine.training import train

    home = Home(tmp_path_factory.mktemp("tiny-runs"))
    write_tiny(home.data / tiny_known)
    settings, cpu = {"epochs": 2, "bs": 16, "factors": 8}, torch.device("cpu")
    runs = {
        name: train(home, row, options_for(row, **settings), data=tiny_known, device=cpu, name=f"{name}.run")
        # Last those that predict ratings: most tests open the latest run and ask it for one.
        for name, row in sorted(RECIPES.items(), key=lambda one: one[0] not in CHOOSING)
    }
    return home, runs


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes]]:
    """What lies below a folder, hidden files included: to see that nothing changed."""

    def snapshot(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    return snapshot

"""Synthetic ratings: exact counts, long tails, a planted truth at the recorded floor, and nothing half made."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cftui.cli.main import main
from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.data.statistics import describe, head
from cftui.data.store import catalog
from cftui.data.synth import generate as synth
from cftui.data.synth.shapes import MIN_PER_USER, SHAPES
from cftui.engine.gradient.trainer import Trainer
from cftui.engine.metrics import score
from cftui.engine.models.recipes import recipe
from cftui.engine.training import open_ratings
from cftui.errors import CftuiError
from cftui.files import new_folder
from cftui.home import Home

from ...settings import gradient_options
from ...waiting import until

SMALL = ("tiny", "ml-100k")


@pytest.fixture(scope="session")
def synth_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Holds the small shapes; not to be altered."""
    home = Home(tmp_path_factory.mktemp("synth-home"))
    for name in SMALL:
        synth.make(name, home)
    return home


@pytest.fixture
def tiny_synth(tmp_path: Path) -> Home:
    """A home of one's own that holds ``synth-tiny``."""
    home = Home(tmp_path / "home")
    synth.make("tiny", home)
    return home


def run(home: Home, *arguments: object) -> int:
    return main(lambda home, ascii_only: 0, [*map(str, arguments), "--home", str(home.root)])


# What is made


@pytest.mark.parametrize("name", SMALL)
def test_counts_are_exact_and_no_pair_stands_twice(synth_home: Home, name: str) -> None:
    shape, ratings = SHAPES[name], open_ratings(synth_home, f"synth-{name}")
    assert len(ratings) == shape.ratings
    assert (len(ratings.users), len(ratings.items)) == (shape.users + 1, shape.items + 1)
    per_user, per_item = np.bincount(ratings.user), np.bincount(ratings.item)
    assert per_user[0] == per_item[0] == 0
    assert per_user[1:].min() >= MIN_PER_USER
    assert per_user.max() <= shape.most_per_user
    assert per_item[1:].min() >= 1
    assert len(np.unique(ratings.user.astype(np.int64) * len(ratings.items) + ratings.item)) == shape.ratings
    assert set(np.unique(ratings.rating)) == set(np.arange(shape.low, shape.high + shape.step / 2, shape.step))
    assert shape.first <= ratings.timestamp.min()
    assert ratings.timestamp.max() < shape.last


def test_both_sides_have_long_tails(synth_home: Home) -> None:
    ratings = open_ratings(synth_home, "synth-ml-100k")
    for side in (ratings.user, ratings.item):
        counts = np.sort(np.bincount(side)[1:])[::-1]
        assert counts[: len(counts) // 10].sum() > 0.3 * counts.sum()
        assert counts.max() > 6 * np.median(counts)
        assert counts.mean() > 1.3 * np.median(counts)


def test_items_are_drawn_by_popularity_without_replacement() -> None:
    """Both ways of drawing, the repeated and the one by exponential clocks, follow the same law."""
    random, users = np.random.default_rng(3), 4_000
    popularity = 1 / np.arange(1, 61)
    popularity /= popularity.sum()
    shares = []
    # 60 / 50 items make a user busy: pad with items nobody draws for the other way.
    for items in (60, 3_000):
        padded = np.concatenate([popularity, np.full(items - 60, 1e-15)])
        keys = synth._draw(np.full(users, 6), np.empty(0, np.int64), padded, random)
        assert len(np.unique(keys)) == 6 * users
        assert np.array_equal(np.bincount(keys // items), np.full(users, 6))
        shares.append(np.bincount(keys % items, minlength=items)[:60] / users)
    assert shares[0] == pytest.approx(shares[1], abs=5 * np.sqrt(0.25 / users) * np.sqrt(2))


def test_what_was_taken_before_is_kept() -> None:
    random = np.random.default_rng(0)
    counts = np.array([20, 2, 1])
    taken = np.array([5, 7, 102, 250])
    keys = synth._draw(counts, taken, np.full(100, 0.01), random)
    assert set(taken) <= set(keys)
    assert np.bincount(keys // 100).tolist() == counts.tolist()


def test_activity_adds_up_even_when_many_hit_the_ceiling() -> None:
    shape = dataclasses.replace(SHAPES["tiny"], ratings=int(300 * 100 * 0.78), spread=3.0)
    counts = synth._activity(shape, np.random.default_rng(0))
    assert counts.sum() == shape.ratings
    assert counts.min() >= MIN_PER_USER
    assert counts.max() == shape.most_per_user


def test_every_title_is_another_and_sorts_as_its_id(synth_home: Home) -> None:
    tables = catalog.open_tables("synth-ml-100k", synth_home)
    titles = tables.items["title"].tolist()
    assert titles == sorted(set(titles))
    assert titles[0].startswith("Item 0001 (")
    assert (tables.items["genres"].str.len() > 0).all()
    assert tables.items["year"].between(1920, 1997).all()


# The planted truth


@pytest.mark.parametrize("name", SMALL)
def test_the_planted_model_is_at_the_recorded_floor(synth_home: Home, name: str) -> None:
    ratings = open_ratings(synth_home, f"synth-{name}")
    facts = synth.read_facts(synth_home.data / f"synth-{name}")
    truth = synth.plant(SHAPES[name], seed=0)
    scores = truth.score(ratings.user - 1, ratings.item - 1)
    best = synth.expected(SHAPES[name], scores)
    assert float(np.sqrt(np.mean((ratings.rating - best) ** 2))) == pytest.approx(facts["floor"], rel=1e-6)
    assert facts["floor"] < 0.9 * facts["biases_only"] < 0.9 * facts["mean_only"]
    assert facts["mean_only"] == pytest.approx(float(np.std(ratings.rating.astype(float))), rel=1e-6)
    # Neither shifting nor stretching it helps: it is the conditional mean.
    slope, shift = np.polyfit(best, ratings.rating, 1)
    assert slope == pytest.approx(1, abs=0.02)
    assert shift == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize("at", [-2.0, 0.7, 2.95, 3.5, 4.9, 9.0])
def test_the_expected_rating_is_the_mean_over_the_noise(at: float) -> None:
    shape, random = SHAPES["ml-25m"], np.random.default_rng(1)
    drawn = synth._on_scale(
        shape, np.float32(at) + np.float32(shape.noise) * random.standard_normal(400_000, np.float32)
    )
    assert synth.expected(shape, np.array([at]))[0] == pytest.approx(drawn.mean(), abs=0.005)


def test_training_comes_near_the_floor(tmp_path: Path) -> None:
    """200,000 ratings do not quite determine 1,949 x 9 numbers: above the floor, below what biases alone can reach."""
    home = Home(tmp_path)
    folder = synth.make("ml-1m", home, scale=0.2)
    ratings, facts = open_ratings(home, "synth-ml-1m"), synth.read_facts(folder)
    options = gradient_options(recipe("model4"), epochs=8, bs=512, lr=0.01, wd=0.1, factors=8)
    trainer = Trainer(recipe("model4"), options, ratings, split(ratings), torch.device("cpu"))
    trainer.fit()
    reached = trainer.validate().rmse
    assert facts["floor"] < reached < 1.12 * facts["floor"] < 0.95 * facts["biases_only"]


def test_no_model_on_the_validation_rows_beats_the_truth(synth_home: Home) -> None:
    ratings = open_ratings(synth_home, "synth-ml-100k")
    rows = split(ratings).valid
    truth = synth.expected(
        SHAPES["ml-100k"], synth.plant(SHAPES["ml-100k"], 0).score(ratings.user[rows] - 1, ratings.item[rows] - 1)
    )
    found = score(torch.from_numpy(truth), torch.from_numpy(ratings.rating[rows]))
    assert found.rmse == pytest.approx(synth.read_facts(synth_home.data / "synth-ml-100k")["floor"], rel=0.02)


# The same again


def test_the_same_seed_makes_the_same_bytes_and_another_does_not(
    tiny_synth: Home, tmp_path: Path, tree: Callable[[Path], dict[str, bytes]]
) -> None:
    again, other = Home(tmp_path / "again"), Home(tmp_path / "other")
    synth.make("tiny", again)
    synth.make("tiny", other, seed=1)
    assert tree(again.root) == tree(tiny_synth.root)
    prints = {open_ratings(home, "synth-tiny").fingerprint for home in (again, other)}
    assert len(prints) == 2
    assert open_ratings(tiny_synth, "synth-tiny").fingerprint in prints


def test_a_set_that_is_there_is_kept_and_another_seed_replaces_it(tiny_synth: Home) -> None:
    folder = tiny_synth.data / "synth-tiny"
    said: list[str] = []
    before = (folder / "rating.npy").stat().st_ino
    synth.make("tiny", tiny_synth, say=said.append)
    assert (folder / "rating.npy").stat().st_ino == before
    assert "is already in" in said[-1]
    synth.make("tiny", tiny_synth, seed=4, say=said.append)
    assert synth.read_facts(folder)["seed"] == 4
    assert any("replacing it" in line for line in said)
    assert [path.name for path in tiny_synth.data.iterdir()] == ["synth-tiny"]


def test_chunks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made in many chunks, everything that must hold still holds."""
    monkeypatch.setattr(synth, "CHUNK", 500)
    shape = SHAPES["tiny"]
    with new_folder(tmp_path / "synth-tiny") as building:
        scores, _ = synth._write(shape, 0, building)
        user, item = np.load(building / "user.npy"), np.load(building / "item.npy")
        counts = np.load(building / "user_count.npy")
    assert np.array_equal(np.bincount(user)[1:], counts)
    keys = user.astype(np.int64) * 1_000 + item
    assert np.all(np.diff(keys) > 0)
    assert len(np.unique(item)) == shape.items
    assert 0.6 < scores["floor"] < scores["biases_only"]


def test_scale_multiplies_users_items_and_ratings(tmp_path: Path) -> None:
    home = Home(tmp_path)
    synth.make("ml-1m", home, scale=0.2)
    ratings = open_ratings(home, "synth-ml-1m")
    assert (len(ratings.users) - 1, len(ratings.items) - 1, len(ratings)) == (1_208, 741, 200_042)
    assert synth.read_facts(home.data / "synth-ml-1m")["scale"] == 0.2


# Reading


@pytest.mark.parametrize("item_key", ["title", "id"])
def test_the_short_way_reads_what_the_long_way_encodes(synth_home: Home, item_key: str) -> None:
    short = catalog.open_ratings("synth-tiny", synth_home, item_key)  # type: ignore[arg-type]
    long = Ratings.encode(catalog.open_tables("synth-tiny", synth_home), item_key)  # type: ignore[arg-type]
    for name in ("user", "item", "rating", "timestamp"):
        assert np.array_equal(getattr(short, name), getattr(long, name)), name
    for name in ("name", "noun", "users", "items", "item_key", "rating_range", "fingerprint", "known_splits"):
        assert getattr(short, name) == getattr(long, name), name
    pd.testing.assert_frame_equal(short.item_table, long.item_table)
    pd.testing.assert_frame_equal(short.user_table, long.user_table)


def test_the_tables_are_those_of_any_data_set(synth_home: Home) -> None:
    tables = catalog.open_tables("synth-tiny", synth_home)
    assert tables.titled["title"].astype(str).tolist() == (
        tables.ratings.merge(tables.items, on="item", how="left")["title"].tolist()
    )
    facts = describe(tables)
    assert (facts["users"], facts["items"], facts["ratings"]) == (300, 200, 12_000)
    assert facts["ids_consecutive"]
    assert len(head(tables, 3)) == 3


def test_reading_never_alters_the_files(tiny_synth: Home, tree: Callable[[Path], dict[str, bytes]]) -> None:
    before = tree(tiny_synth.root)
    ratings = open_ratings(tiny_synth, "synth-tiny")
    ratings.rating[:] = 0
    ratings.user[:] = 0
    assert tree(tiny_synth.root) == before


def test_item_key_must_be_title_or_id(synth_home: Home) -> None:
    with pytest.raises(CftuiError, match="no item key 'isbn'"):
        open_ratings(synth_home, "synth-tiny", "isbn")


def _truncate(folder: Path) -> None:
    os.truncate(folder / "rating.npy", 1_000)


def _shorten(folder: Path) -> None:
    np.save(folder / "rating.npy", np.load(folder / "rating.npy")[:-1])


def _retype(folder: Path) -> None:
    np.save(folder / "rating.npy", np.load(folder / "rating.npy").astype(np.float64))


def _remove(folder: Path) -> None:
    (folder / "rating.npy").unlink()


def _empty(folder: Path) -> None:
    (folder / "rating.npy").write_bytes(b"")


def _scramble_facts(folder: Path) -> None:
    (folder / "dataset.json").write_text("{")


def _forget_the_shape(folder: Path) -> None:
    facts = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**facts, "shape": {"users": 3}}))


DAMAGE = (_truncate, _shorten, _retype, _remove, _empty, _scramble_facts, _forget_the_shape)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("read", [catalog.open_tables, catalog.open_ratings])
def test_a_damaged_set_is_not_opened_and_can_be_made_again(
    tiny_synth: Home, damage: Callable[[Path], None], read: Callable[[str, Home], object]
) -> None:
    folder = tiny_synth.data / "synth-tiny"
    damage(folder)
    with pytest.raises(CftuiError, match="make it again with: cftui data synth tiny") as caught:
        read("synth-tiny", tiny_synth)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    synth.make("tiny", tiny_synth)
    read("synth-tiny", tiny_synth)


# Interrupted


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), MemoryError])
@pytest.mark.parametrize("present", [False, True])
def test_an_interruption_leaves_what_was_there(
    tmp_path: Path,
    error: BaseException,
    present: bool,
    monkeypatch: pytest.MonkeyPatch,
    tree: Callable[[Path], dict[str, bytes]],
) -> None:
    home = Home(tmp_path)
    if present:
        synth.make("tiny", home, seed=9)
    before = tree(home.root)

    def stop(*args: object) -> None:
        raise error

    monkeypatch.setattr(synth, "_timestamps", stop)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        synth.make("tiny", home)
    assert tree(home.root) == before
    assert [path.name for path in home.data.iterdir()] == ["synth-tiny"] * present


def test_a_killed_generation_leaves_no_data_set_and_the_next_one_sweeps_up(tmp_path: Path) -> None:
    home = Home(tmp_path)
    command = [sys.executable, "-m", "cftui", "data", "synth", "ml-25m", "--home", str(home.root)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    incoming = ".synth-ml-25m.incoming-*/rating.npy"
    until(lambda: list(home.data.glob(incoming)) or process.poll() is not None, "a column")
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not catalog.find("synth-ml-25m", home).is_present
    assert [known.name for known in catalog.listed(home)] == list(catalog.KNOWN)
    with pytest.raises(CftuiError, match="make it with: cftui data synth ml-25m"):
        open_ratings(home, "synth-ml-25m")
    synth.make("ml-25m", home, scale=0.02)
    assert [path.name for path in home.data.iterdir()] == ["synth-ml-25m"]


# Names and the verb


def test_the_catalogue_knows_every_shape_and_lists_those_on_disk(synth_home: Home, tmp_path: Path) -> None:
    assert [known.name for known in catalog.listed(synth_home)][-2:] == ["synth-tiny", "synth-ml-100k"]
    assert [known.name for known in catalog.listed(Home(tmp_path))] == list(catalog.KNOWN)
    assert {"tiny", "ml-1m", "ml-25m"} <= set(SHAPES)
    big = SHAPES["ml-25m"]
    assert (big.users, big.items, big.ratings) == (162_541, 59_047, 25_000_095)
    assert (big.low, big.high, big.step, big.rank) == (0.5, 5, 0.5, 8)
    for name in SHAPES:
        assert catalog.known(f"synth-{name}").read_ratings is not None
    with pytest.raises(CftuiError, match="no shape 'ml-2m'; choose from tiny, ml-100k, ml-1m, ml-25m"):
        catalog.known("synth-ml-2m")


def test_the_verb_makes_a_set_that_the_others_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    assert run(home, "data", "synth", "tiny", "--seed", 3, "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["name"] == "synth-tiny"
    assert made["seed"] == 3
    assert made["floor"] < made["biases_only"] < made["mean_only"]
    assert run(home, "data", "synth", "tiny", "--seed", 3) == 0
    assert capsys.readouterr().out.strip() == made["folder"]
    assert run(home, "data", "list", "--json") == 0
    assert {"name": "synth-tiny", "on_disk": True} in [
        {key: row[key] for key in ("name", "on_disk")} for row in json.loads(capsys.readouterr().out)
    ]
    assert run(home, "data", "stats", "synth-tiny", "--json") == 0
    assert json.loads(capsys.readouterr().out)["fingerprint"] == made["fingerprint"]
    assert run(home, "data", "head", "synth-tiny", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["title"].startswith("Item ")
    assert run(home, "train", "model4", "--data", "synth-tiny", "--epochs", 1, "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["event"] == "done"


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["synth", "ml-2m"], 1, "no shape 'ml-2m'; choose from tiny, ml-100k, ml-1m, ml-25m"),
        (["synth", "tiny", "--scale", "0.01"], 1, "scale 0.01 of tiny: 3 users and 2 items are too few"),
        (["synth", "tiny", "--scale", "-1"], 1, "scale -1: must be above 0"),
        (["synth", "tiny", "--scale", "nan"], 1, "scale nan: must be above 0"),
        (["synth", "tiny", "--scale", "inf"], 1, "scale inf: must be above 0"),
        (["synth", "tiny", "--seed", "x"], 2, "seed 'x'"),
        (["synth"], 2, "Missing argument"),
        (["stats", "synth-tiny"], 1, "make it with: cftui data synth tiny"),
        (["stats", "synth-huge"], 1, "no shape 'huge'"),
        (["get", "synth-tiny"], 1, "synth-tiny is made, not fetched: cftui data synth tiny"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, complaint: str
) -> None:
    assert run(Home(tmp_path), "data", *arguments) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert complaint in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "data").exists() or not list((tmp_path / "data").iterdir())

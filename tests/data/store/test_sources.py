"""Fetching: the same data set from every source, and nothing half-written when a source fails."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from cftui.data import statistics
from cftui.data.formats.movielens import GENRES, read_tables
from cftui.data.store import catalog, sources
from cftui.data.store import mirror as registry_mirror
from cftui.data.tables import Tables
from cftui.errors import CftuiError
from cftui.home import Home

FILES = ("u.data", "u.item", "u.user")


def make_zip(folder: Path, path: Path, prefix: str = "ml-100k/") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in FILES:
            bundle.write(folder / name, prefix + name)
        bundle.writestr(prefix + "u1.base", "not wanted")
    return path


def as_the_mirror_has_it(folder: Path, path: Path) -> Path:
    """A wheel like recbole's: titles without the year, genres as words, item 267 misspelt, UTF-8, a header row."""

    def item(line: str) -> str:
        values = line.split("|")
        title, _, year = values[1].strip().rpartition(" (")
        genres = " ".join(genre for genre, flag in zip(GENRES, values[5:], strict=True) if flag == "1")
        if not title:
            title, year = "unkonwn", ")"
        return "\t".join([values[0], title, year.removesuffix(")"), genres])

    lines = (folder / "u.item").read_text(encoding="latin-1").split("\n")
    members = {
        "inter": ["user_id:token\titem_id:token\trating:float\ttimestamp:float", (folder / "u.data").read_text()],
        "user": [
            "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token",
            (folder / "u.user").read_text().replace("|", "\t"),
        ],
        "item": ["item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq", *map(item, lines[:-1])],
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for kind, text in members.items():
            wheel.writestr(f"recbole/dataset_example/ml-100k/ml-100k.{kind}", "\n".join(text))
    return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.mark.parametrize("source", ["folder", "parent", "zip", "flat zip"])
def test_every_layout_gives_the_same_data_set(
    source: str, home: Home, tmp_path: Path, ml_100k_folder: Path, tables: Tables
) -> None:
    path = {
        "folder": lambda: ml_100k_folder,
        "parent": lambda: ml_100k_folder.parent,
        "zip": lambda: make_zip(ml_100k_folder, tmp_path / "a.zip"),
        "flat zip": lambda: make_zip(ml_100k_folder, tmp_path / "b.zip", prefix=""),
    }[source]()
    folder = sources.get("ml-100k", home, source=path)
    assert folder == home.data / "ml-100k"
    assert catalog.open_tables("ml-100k", home).fingerprint == tables.fingerprint
    assert not (folder / "u1.base").exists()
    note = json.loads((folder / "dataset.json").read_text())
    assert note["source"] == str(path)
    assert note["fingerprint"] == tables.fingerprint
    assert [p.name for p in home.data.iterdir()] == ["ml-100k"]


def test_the_mirror_converts_to_the_very_same_data_set(
    home: Home, tmp_path: Path, ml_100k_folder: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = as_the_mirror_has_it(ml_100k_folder, tmp_path / "recbole-1.2.1-py3-none-any.whl")

    def fetch(data_set: catalog.Known, building: Path, progressbar: object) -> str:
        registry_mirror.convert_ml_100k(wheel, building)
        return "mirror"

    monkeypatch.setattr(sources, "_official", unreachable)
    monkeypatch.setattr(sources, "_mirror", fetch)
    sources.get("ml-100k", home)
    mine = catalog.open_tables("ml-100k", home)
    assert mine.fingerprint == tables.fingerprint
    assert mine.items.equals(tables.items)
    assert mine.ratings.equals(tables.ratings)
    assert statistics.describe(mine) == statistics.describe(tables)


def test_a_wheel_without_the_data_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.whl", "w") as wheel:
        wheel.writestr("recbole/__init__.py", "")
    with pytest.raises(CftuiError, match=r"empty\.whl: not the expected mirror"):
        registry_mirror.convert_ml_100k(tmp_path / "empty.whl", tmp_path)


def test_the_fingerprint_notices_one_changed_rating(tiny_folder: Path, tiny_tables: Tables) -> None:
    assert read_tables(tiny_folder).fingerprint == tiny_tables.fingerprint
    lines = (tiny_folder / "u.data").read_text().split("\n")
    user, movie, rating, time = lines[0].split("\t")
    lines[0] = "\t".join([user, movie, "1" if rating != "1" else "2", time])
    (tiny_folder / "u.data").write_text("\n".join(lines))
    assert read_tables(tiny_folder).fingerprint != tiny_tables.fingerprint


def test_the_fingerprint_notices_two_rows_changing_places(tiny_folder: Path, tiny_tables: Tables) -> None:
    lines = (tiny_folder / "u.data").read_text().split("\n")
    lines[0], lines[1] = lines[1], lines[0]
    (tiny_folder / "u.data").write_text("\n".join(lines))
    assert read_tables(tiny_folder).fingerprint != tiny_tables.fingerprint


def test_a_good_copy_is_kept_without_asking_the_network(fresh_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_official", forbidden)
    monkeypatch.setattr(sources, "_mirror", forbidden)
    said: list[str] = []
    sources.get("ml-100k", fresh_home, say=said.append)
    assert "already in" in said[0]


def test_a_damaged_copy_is_fetched_again(
    home: Home, ml_100k_folder: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sources.get("ml-100k", home, source=ml_100k_folder)
    with (folder / "u.data").open("r+") as file:
        file.truncate(1000)

    def official(data_set: catalog.Known, building: Path, progressbar: object) -> str:
        for name in FILES:
            shutil.copy(ml_100k_folder / name, building)
        return data_set.url

    monkeypatch.setattr(sources, "_official", official)
    sources.get("ml-100k", home)
    assert catalog.open_tables("ml-100k", home).fingerprint == tables.fingerprint


def test_no_network_is_one_error_with_the_url_and_the_way_out(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CFTUI_ML_100K", raising=False)
    monkeypatch.setattr(sources, "_official", unreachable)
    monkeypatch.setattr(sources, "_mirror", unreachable)
    with pytest.raises(CftuiError) as caught:
        sources.get("ml-100k", home)
    assert "https://files.grouplens.org/datasets/movielens/ml-100k.zip" in str(caught.value)
    assert "cftui data get ml-100k --from ml-100k.zip" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(home.data.iterdir()) == []


@pytest.mark.parametrize("name", ["requests", "pip"])
def test_the_real_fetchers_turn_their_failures_into_ours(
    name: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    def refuse(*args: object, **kwargs: object) -> None:
        raise requests.exceptions.ConnectTimeout("no route")

    monkeypatch.setattr(requests, "get", refuse)
    monkeypatch.setattr(requests.Session, "request", refuse)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    fetch = sources._official if name == "requests" else sources._mirror
    building = tmp_path / ".building"
    building.mkdir()
    wanted = "cannot be reached" if name == "requests" else r"pip download recbole==1\.2\.1 failed"
    with pytest.raises(CftuiError, match=wanted) as caught:
        fetch(catalog.known("ml-100k"), building, None)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.rglob("*")) == [building]


def test_an_altered_download_is_refused_by_its_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pooch

    def altered(self: object, url: str, output_file: str, *args: object, **kwargs: object) -> None:
        Path(output_file).write_bytes(b"not the archive")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", altered)
    building = tmp_path / ".building"
    building.mkdir()
    with pytest.raises(CftuiError, match="altered or truncated"):
        sources._official(catalog.known("ml-100k"), building, None)
    assert list(tmp_path.rglob("*")) == [building]


def unreachable(data_set: catalog.Known, building: Path, progressbar: object) -> str:
    (building / "u.data").write_text("half")
    raise CftuiError("cannot be reached")


def forbidden(data_set: catalog.Known, building: Path, progressbar: object) -> str:
    raise AssertionError("the network was asked")

"""The larger MovieLens sets in exactly the layouts GroupLens publishes, a few rows each."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cftui.data.formats import movielens_sets
from cftui.data.ratings import Ratings
from cftui.data.statistics import describe
from cftui.data.store import catalog, sources
from cftui.data.store.registry import KNOWN
from cftui.engine.models.build import y_range
from cftui.errors import CftuiError
from cftui.home import Home

DAT_1M = {
    "ratings.dat": b"1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978301968\n10::3952::1::978300275\n",
    "movies.dat": (
        "661::James and the Giant Peach (1996)::Animation|Children's|Musical\n"
        "1193::One Flew Over the Cuckoo's Nest (1975)::Drama\n"
        "1216::Star Wars: Episode IV - A New Hope (1977)::Sci-Fi\n"
        "3952::Misérables, Les (1995)::Drama|Musical\n"
    ).encode("latin-1"),
    "users.dat": b"1::F::1::10::48067\n2::M::56::16::70072\n10::F::35::1::95370-1234\n",
    "README": b"SUMMARY\n",
}
DAT_10M = {
    "ratings.dat": b"1::122::5::838985046\n1::185::4.5::838983525\n2::122::0.5::868245777\n",
    "movies.dat": "122::Boomerang (1992)::Comedy|Romance\n185::Amélie: a::b (2001)::(no genres listed)\n".encode(),
    "tags.dat": b"15::4973::excellent!::1215184630\n",
    "README.html": b"<html>\n",
}
CSV = {
    "ratings.csv": b"userId,movieId,rating,timestamp\n1,1,4.0,964982703\n1,3,0.5,964981247\n2,193609,5.0,964982224\n",
    "movies.csv": (
        "movieId,title,genres\n"
        "1,Toy Story (1995),Adventure|Animation|Children|Comedy|Fantasy\n"
        '3,"Misérables, Les (""Wretched"") (1998)",Drama\n'
        "5,[REC] (2007),Horror\n"
        "193609,Andrew Dice Clay: Dice Rules,(no genres listed)\n"
    ).encode(),
    "tags.csv": b"userId,movieId,tag,timestamp\n2,60756,funny,1445714994\n",
    "links.csv": b"movieId,imdbId,tmdbId\n1,0114709,862\n",
    "README.txt": b"Summary\n",
}
FILES = {"ml-1m": DAT_1M, "ml-10m": DAT_10M} | dict.fromkeys(("ml-latest-small", "ml-20m", "ml-25m", "ml-32m"), CSV)
FOLDERS = {"ml-10m": "ml-10M100K"}

LAYOUTS = {name: known.layout for name, known in KNOWN.items() if known.layout is not None}


def publish(name: str, where: Path) -> Path:
    """The unpacked archive of ``name``, in ``where``."""
    folder = where / FOLDERS.get(name, name)
    folder.mkdir(parents=True)
    for file, content in FILES[name].items():
        (folder / file).write_bytes(content)
    return folder


def pack(name: str, where: Path) -> Path:
    with zipfile.ZipFile(where / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        for file, content in FILES[name].items():
            bundle.writestr(f"{FOLDERS.get(name, name)}/{file}", content)
    return where / f"{name}.zip"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def fetched(home: Home, tmp_path: Path) -> Callable[[str], Path]:
    def get(name: str) -> Path:
        return sources.get(name, home, source=publish(name, tmp_path / "published"))

    return get


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["folder", "the folder above", "zip"])
def test_each_set_is_taken_from_a_folder_or_a_zip(name: str, how: str, home: Home, tmp_path: Path) -> None:
    source = pack(name, tmp_path) if how == "zip" else publish(name, tmp_path / "published")
    said: list[str] = []
    folder = sources.get(name, home, source=source.parent if how == "the folder above" else source, say=said.append)
    assert folder == home.data / name
    assert set(FILES[name]) <= {path.name for path in folder.iterdir()}
    assert any("research use, no redistribution" in line for line in said)
    tables = catalog.open_tables(name, home)
    assert (tables.name, tables.noun, tables.label) == (name, "movie", LAYOUTS[name].label)
    assert (
        len(tables.ratings)
        == len(catalog.open_ratings(name, home))
        == FILES[name][LAYOUTS[name].ratings].count(b"\n") - (not LAYOUTS[name].dat)
    )
    describe(tables)


def test_every_set_of_the_issue_is_known_with_its_official_address() -> None:
    assert set(FILES) <= set(catalog.KNOWN)
    for name in FILES:
        known = catalog.known(name)
        assert known.url == f"https://files.grouplens.org/datasets/movielens/{name}.zip"
        assert set(LAYOUTS[name].files) == set(known.required) <= set(known.members)


def test_1m_with_its_users_in_the_words_of_the_readme(fetched: Callable, home: Home) -> None:
    fetched("ml-1m")
    tables = catalog.open_tables("ml-1m", home)
    assert tables.ratings.to_dict("list") == {
        "user": [1, 1, 2, 10],
        "item": [1193, 661, 1193, 3952],
        "rating": [5, 3, 4, 1],
        "timestamp": [978300760, 978302109, 978301968, 978300275],
    }
    assert tables.users.to_dict("list") == {
        "user": [1, 2, 10],
        "gender": ["F", "M", "F"],
        "age": ["Under 18", "56+", "35-44"],
        "occupation": ["K-12 student", "self-employed", "academic/educator"],
        "zip_code": ["48067", "70072", "95370-1234"],
    }
    assert tables.items["title"].tolist()[-2:] == [
        "Star Wars: Episode IV - A New Hope (1977)",
        "Misérables, Les (1995)",
    ]
    assert tables.items["year"].tolist() == [1996, 1975, 1977, 1995]
    assert tables.items["genres"].tolist()[0] == "Animation|Children's|Musical"
    assert (tables.rating_range, y_range(tables.rating_range)) == ((1, 5), (0, 5.5))


def test_10m_has_half_stars_and_titles_with_colons(fetched: Callable, home: Home) -> None:
    fetched("ml-10m")
    tables = catalog.open_tables("ml-10m", home)
    assert tables.ratings["rating"].tolist() == [5, 4.5, 0.5]
    assert tables.items["title"].tolist() == ["Boomerang (1992)", "Amélie: a::b (2001)"]
    assert tables.items["genres"].tolist() == ["Comedy|Romance", ""]
    assert tables.rating_range == (0.5, 5)


def test_csv_with_quoted_titles(fetched: Callable, home: Home) -> None:
    fetched("ml-latest-small")
    tables = catalog.open_tables("ml-latest-small", home)
    assert tables.items.iloc[1].tolist() == [3, 'Misérables, Les ("Wretched") (1998)', 1998, "Drama", ""]
    assert tables.items.iloc[3].tolist() == [193609, "Andrew Dice Clay: Dice Rules", 0, "", ""]
    assert tables.ratings["item"].tolist() == [1, 3, 193609]
    assert tables.ratings["rating"].dtype == np.float32


@pytest.mark.parametrize("name", ["ml-1m", "ml-latest-small"])
@pytest.mark.parametrize("item_key", ["title", "id"])
def test_the_short_way_reads_what_the_long_way_encodes(name: str, item_key: Any, fetched: Callable, home: Home) -> None:
    fetched(name)
    short = catalog.open_ratings(name, home, item_key)
    long = Ratings.encode(catalog.open_tables(name, home), item_key)
    for field in ("user", "item", "rating", "timestamp"):
        assert np.array_equal(getattr(short, field), getattr(long, field)), field
    for field in ("users", "items", "rating_range", "fingerprint", "noun"):
        assert getattr(short, field) == getattr(long, field), field
    pd.testing.assert_frame_equal(short.item_table, long.item_table)
    pd.testing.assert_frame_equal(short.user_table, long.user_table)


# Tags

TAGS = [
    (1, 1, "Funny"),
    (2, 1, "toys"),
    (3, 1, " TOYS "),
    (3, 1, "toys"),  # again: one person is one person
    (1, 3, "funny"),
    (1, 3, "a, b"),
    (2, 5, "FUNNY"),
    (1, 5, "toys"),
    (9, 193609, "toys"),
    (9, 5, "on two only"),
    (9, 3, "on two only"),
    (9, 5, ""),
    (9, 60756, "of no movie"),
]


def tagged(name: str, where: Path) -> Path:
    folder = publish(name, where)
    if LAYOUTS[name].dat:
        text = "".join(f"{user}::{movie}::{tag}::1445714994\n" for user, movie, tag in TAGS)
    else:
        rows = pd.DataFrame(TAGS, columns=["userId", "movieId", "tag"]).assign(timestamp=1445714994)
        text = rows.to_csv(index=False)
    (folder / LAYOUTS[name].tags).write_text(text)
    return folder


def test_tags_by_how_many_people_gave_them(home: Home, tmp_path: Path) -> None:
    sources.get("ml-32m", home, source=tagged("ml-32m", tmp_path))
    tables = catalog.open_tables("ml-32m", home)
    # "a, b" and "on two only" stand on too few movies.
    assert tables.items["tags"].tolist() == ["toys|funny", "funny", "funny|toys", "toys"]
    table = catalog.open_ratings("ml-32m", home).item_table
    assert dict(zip(table["title"], table["tags"], strict=True))["Toy Story (1995)"] == "toys|funny"
    assert table["tags"][0] == ""


def test_tags_of_a_dat_may_hold_colons_and_bars(home: Home, tmp_path: Path) -> None:
    folder = publish("ml-10m", tmp_path)
    movies = "".join(f"{n}::Film {n} (1990)::Drama\n" for n in range(1, 5))
    with (folder / "movies.dat").open("a") as file:
        file.write(movies)
    (folder / "tags.dat").write_text("".join(f"7::{n}::a::b|c::1445714994\n" for n in range(1, 4)))
    sources.get("ml-10m", home, source=folder)
    assert catalog.open_tables("ml-10m", home).items["tags"].tolist() == ["a::b/c"] * 3 + [""] * 3


def test_the_eight_that_most_people_gave(home: Home, tmp_path: Path) -> None:
    folder = publish("ml-25m", tmp_path)
    rows = [(u, m, f"tag{t}") for t in range(10) for m in (1, 3, 5) for u in range(1, (t + 2 if m == 1 else 2))]
    (folder / "tags.csv").write_text("userId,movieId,tag,timestamp\n" + "".join(f"{u},{m},{t},0\n" for u, m, t in rows))
    sources.get("ml-25m", home, source=folder)
    toy_story, other = catalog.open_tables("ml-25m", home).items["tags"].tolist()[:2]
    assert toy_story.split("|") == [f"tag{t}" for t in range(9, 1, -1)]
    assert other.split("|") == [f"tag{t}" for t in range(8)], "equals in the order of the alphabet"


@pytest.mark.parametrize("rows", ["", "1,1,funny,0\n", "1,1, ,0\n"])
def test_a_file_without_a_tag_that_counts(rows: str, home: Home, tmp_path: Path) -> None:
    folder = publish("ml-20m", tmp_path)
    (folder / "tags.csv").write_text(f"userId,movieId,tag,timestamp\n{rows}")
    sources.get("ml-20m", home, source=folder)
    assert not catalog.open_ratings("ml-20m", home).item_table["tags"].any()


def test_a_set_without_its_tags_is_read_and_read_again_once_they_are_there(home: Home, tmp_path: Path) -> None:
    folder = tagged("ml-latest-small", tmp_path)
    (folder / "tags.csv").rename(tmp_path / "tags.csv")
    there = sources.get("ml-latest-small", home, source=folder)
    before = catalog.open_ratings("ml-latest-small", home)
    assert "tags" not in before.item_table
    (tmp_path / "tags.csv").rename(there / "tags.csv")
    after = catalog.open_ratings("ml-latest-small", home)
    assert (after.item_table["tags"] != "").sum() == 3, "of the movies that are rated"
    assert after.fingerprint != before.fingerprint


# The cache


def test_the_columns_are_read_until_a_file_changes(fetched: Callable, home: Home, monkeypatch) -> None:
    folder, reads = fetched("ml-25m"), []
    real = movielens_sets._read
    monkeypatch.setattr(movielens_sets, "_read", lambda *args: reads.append(1) or real(*args))
    before = catalog.open_ratings("ml-25m", home).fingerprint
    catalog.open_tables("ml-25m", home)
    assert not reads
    path = folder / "ratings.csv"
    path.write_bytes(path.read_bytes() + b"2,1,3.5,964982999\n")
    after = catalog.open_ratings("ml-25m", home)
    assert len(after) == 4
    assert after.fingerprint != before
    catalog.open_ratings("ml-25m", home)
    assert len(reads) == 1
    # The same size, another time.
    path.write_bytes(path.read_bytes().replace(b"3.5,", b"1.5,"))
    os.utime(path, ns=(1, 1))
    assert catalog.open_ratings("ml-25m", home).rating[-1] == 1.5
    assert len(reads) == 2


@pytest.mark.parametrize("damage", ["gone", "truncated", "facts"])
def test_damaged_columns_are_made_again(damage: str, fetched: Callable, home: Home) -> None:
    folder = fetched("ml-25m")
    before = catalog.open_ratings("ml-25m", home)
    path = folder / "columns" / ("dataset.json" if damage == "facts" else "item.npy")
    path.unlink() if damage == "gone" else path.write_bytes(path.read_bytes()[:20])
    after = catalog.open_ratings("ml-25m", home)
    assert after.fingerprint == before.fingerprint
    assert after.rating.tolist() == before.rating.tolist()


# What is wrong


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "complaint"),
    [
        ("ml-1m", "ratings.dat", b"::661::3::", b"::661::", "ratings.dat: 1 malformed row: line 2: 3 columns where 4"),
        ("ml-1m", "ratings.dat", b"::661::3", b"::661:7:3", "line 2: 3 columns where 4 belong"),
        ("ml-1m", "ratings.dat", b"978302109", b"978302109:5", "line 2: timestamp '978302109:5' is not a whole number"),
        ("ml-1m", "ratings.dat", b"::661::3", b"::661::3.5", "line 2: rating 3.5 is not on the scale of 1 to 5"),
        ("ml-1m", "ratings.dat", b"::661::3", b"::661::x", "line 2: rating 'x' is not a number"),
        ("ml-1m", "ratings.dat", b"::661::", b"::9::", "ratings.dat:2: movie 9 is not in movies.dat"),
        ("ml-1m", "ratings.dat", b"::661::", b"::1193::", "ratings.dat:2: user 1 rates movie 1193 a second time"),
        ("ml-1m", "users.dat", b"M::56", b"M::57", "users.dat:2: gender, age or occupation is not one of the codes"),
        ("ml-1m", "users.dat", b"::70072", b"", "users.dat:2: 4 columns where 5 belong"),
        ("ml-1m", "movies.dat", b"1193::", b"661::", "movies.dat:2: movie 661 occurs twice"),
        ("ml-10m", "ratings.dat", b"::0.5::", b"::0::", "line 3: rating 0 is not on the scale of 0.5 to 5"),
        ("ml-25m", "ratings.csv", b"1,3,0.5", b"1,3,0.4", "line 3: rating 0.4 is not on the scale of 0.5 to 5"),
        ("ml-25m", "ratings.csv", b"1,3,0.5", b"1,3,nan", "line 3: rating nan is not a finite number"),
        ("ml-25m", "ratings.csv", b"1,3,0.5,", b"1,3,0.5,7,", "line 3: 5 columns where 4 belong"),
        ("ml-25m", "ratings.csv", b"1,3,0.5", b"1,x,0.5", "line 3: movie 'x' is not a whole number"),
        ("ml-25m", "ratings.csv", b"1,3,0.5", b"1,4,0.5", "ratings.csv:3: movie 4 is not in movies.csv"),
        ("ml-25m", "ratings.csv", CSV["ratings.csv"][32:], b"", "ratings.csv: no ratings in it"),
        ("ml-25m", "tags.csv", b",funny", b"", "tags.csv:2: 3 columns where 4 belong (user, movie, tag, timestamp)"),
        ("ml-25m", "tags.csv", b"60756", b"sixty", "tags.csv:2: movie 'sixty' is not a whole number"),
        ("ml-10m", "tags.dat", b"excellent!::", b"", "tags.dat:1: 3 columns where 4 belong"),
        ("ml-25m", "movies.csv", b'"Mis', b'Mis"', "movies.csv:3: "),
        ("ml-25m", "movies.csv", b'Wretched"") (1998)"', b'Wretched"") (1998)', "movies.csv:3: quoting"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    name: str, file: str, old: bytes, new: bytes, complaint: str, home: Home, tmp_path: Path
) -> None:
    folder = publish(name, tmp_path / "published")
    content = (folder / file).read_bytes()
    assert old in content
    (folder / file).write_bytes(content.replace(old, new, 1))
    with pytest.raises(CftuiError) as caught:
        sources.get(name, home, source=folder)
    assert complaint in str(caught.value)
    assert f"{folder}/{file}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(home.data.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing(name: str, home: Home, tmp_path: Path) -> None:
    folder = publish(name, tmp_path / "published")
    (folder / LAYOUTS[name].movies).unlink()
    with pytest.raises(CftuiError, match=f"no {LAYOUTS[name].movies} in it"):
        sources.get(name, home, source=folder)


# The network


class Answer:
    def __init__(self, text: str) -> None:
        self.text = text

    def raise_for_status(self) -> None:
        pass


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``files.grouplens.org`` serves ml-latest-small; returns the archive."""
    import pooch

    archive = pack("ml-latest-small", tmp_path)

    def serve(self: object, url: str, output_file: str, *args: object, **kwargs: object) -> None:
        assert url == "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip"
        Path(output_file).write_bytes(archive.read_bytes())

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", serve)
    return archive


@pytest.mark.parametrize("form", ["{md5}  ml-latest-small.zip\n", "MD5 (ml-latest-small.zip) = {md5}\n"])
def test_the_archive_is_checked_by_the_md5_beside_it(form: str, official: Path, home: Home, monkeypatch) -> None:
    asked: list[str] = []
    digest = hashlib.md5(official.read_bytes()).hexdigest()

    def answer(url: str, **kwargs: object) -> Answer:
        asked.append(url)
        return Answer(form.format(md5=digest))

    monkeypatch.setattr("requests.get", answer)
    said: list[str] = []
    sources.get("ml-latest-small", home, say=said.append)
    assert asked == ["https://files.grouplens.org/datasets/movielens/ml-latest-small.zip.md5"]
    assert any("its MD5 as published" in line for line in said)


@pytest.mark.parametrize("name", [name for name in FILES if name != "ml-latest-small"])
def test_an_archive_that_is_not_the_one_published_is_refused(
    name: str, home: Home, tmp_path: Path, monkeypatch
) -> None:
    import pooch

    archive = pack(name, tmp_path)

    def serve(self: object, url: str, output_file: str, *args: object, **kwargs: object) -> None:
        Path(output_file).write_bytes(archive.read_bytes())

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", serve)
    with pytest.raises(CftuiError, match="its checksum differs"):
        sources.get(name, home)
    assert list(home.data.iterdir()) == []
    # As it would be were it the one: what is refused is the checksum and nothing else.
    digest = hashlib.file_digest(archive.open("rb"), "sha256").hexdigest()
    monkeypatch.setitem(catalog.KNOWN, name, replace(catalog.KNOWN[name], checksum=f"sha256:{digest}"))
    assert sources.get(name, home) == home.data / name


def test_an_altered_archive_is_refused(official: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests.get", lambda url, **kwargs: Answer("0" * 32))
    with pytest.raises(CftuiError, match="its MD5 differs"):
        sources.get("ml-latest-small", home)
    assert list(home.data.iterdir()) == []


@pytest.mark.parametrize("text", [None, "<html>"])
def test_an_archive_that_could_not_be_checked_is_said_to_be_so(
    text: str | None, official: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    def answer(url: str, **kwargs: object) -> Answer:
        if text is None:
            raise requests.exceptions.ConnectTimeout("no route")
        return Answer(text)

    monkeypatch.setattr("requests.get", answer)
    said: list[str] = []
    sources.get("ml-latest-small", home, say=said.append)
    assert any("the archive could not be checked" in line for line in said)

"""What people bring from elsewhere: exports of Letterboxd, IMDb and Goodreads, titles spelt in another way."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import profiles
from cftui.analysis.users.exact_titles import ExactTitles
from cftui.analysis.users.exports import mapped

TITLES = (
    *("Calm Water Split (1974)", "Heat (1995)", "Heat (1972)", "Misérables, Les (1995)", "Toy Story (1995)"),
    *("Postino, Il (Postman, The) (1994)", "Postman, The (1997)", "Seven (Se7en) (1995)", "Split (1989)", "Thing, The"),
)

LETTERBOXD = """Date,Name,Year,Letterboxd URI,Rating
2025-01-16,Heat,1995,https://boxd.it/x,4
2025-01-17,Toy Story,1995,https://boxd.it/y,4.5
2025-01-18,Les Misérables,1995,https://boxd.it/z,0.5
2025-01-18,Split,2016,https://boxd.it/s,5
2025-01-19,Se7en,1995,https://boxd.it/7,
"""
IMDB = """Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Year
tt01,8,2025-12-01,Toy Story,Toy Story,https://x,Movie,8.3,1995
tt02,7,2025-12-01,Heat,Heat,https://x,Movie,8.3,1995
tt03,1,2025-12-01,The Postman,The Postman,https://x,Movie,6.1,1997
"""
GOODREADS = """Book Id,Title,Author,My Rating,Average Rating,Original Publication Year
1,Heat,A,5,4.01,1995
2,Toy Story,B,0,4.11,1995
"""


@pytest.fixture
def model(tiny_runs) -> TrainedModel:
    model = TrainedModel.load(tiny_runs[1]["model4"])
    table = model.item_table.copy()
    for code, title in enumerate(TITLES, 1):
        year = title[-5:-1]
        table.loc[code, ["title", "year"]] = title, int(year) if year.isdecimal() else 0
    return dataclasses.replace(model, item_table=table)


def read(tmp_path: Path, model: TrainedModel, text: str, **options) -> tuple[dict[str, float], profiles.Rated]:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    rated = profiles.read_rated(path, model, **options)
    return {model.titles[code]: given for code, given in zip(rated.items, rated.given.tolist(), strict=True)}, rated


def test_letterboxd(tmp_path: Path, model: TrainedModel) -> None:
    given, rated = read(tmp_path, model, LETTERBOXD)
    assert given == {"Heat (1995)": 4, "Toy Story (1995)": 4.5, "Misérables, Les (1995)": 1}
    assert (rated.source, rated.unrated, rated.unknown) == ("Letterboxd", 1, ("Split",))
    assert rated.remarks(model) == [
        "Letterboxd's ratings of 0.5 to 5 brought to 1 to 5",
        "skipped 1 row without a rating",
        "skipped 1 title that is not exactly that of one movie in tiny: Split (nearest: Split (1989))",
    ]


def test_imdb(tmp_path: Path, model: TrainedModel) -> None:
    given, rated = read(tmp_path, model, IMDB)
    assert given == {"Toy Story (1995)": 4, "Heat (1995)": 3.5, "Postman, The (1997)": 1}
    assert (rated.source, rated.unknown) == ("IMDb", ())


def test_goodreads_has_0_for_unrated(tmp_path: Path, model: TrainedModel) -> None:
    given, rated = read(tmp_path, model, GOODREADS)
    assert given == {"Heat (1995)": 5}
    assert (rated.source, rated.unrated, rated.scale) == ("Goodreads", 1, None)


def test_the_scale_of_any_other_file_can_be_told(tmp_path: Path, model: TrainedModel) -> None:
    text = "title,rating\nToy Story (1995),8\n"
    given, rated = read(tmp_path, model, text, scale=(1.0, 10.0))
    assert given == {"Toy Story (1995)": 4}
    assert rated.remarks(model) == ["ratings of 1 to 10 brought to 1 to 5"]


@pytest.mark.parametrize(
    ("title", "year", "found"),
    [
        ("Split", 0, "Split (1989)"),
        ("Split", 2016, None),
        ("Split", 1990, "Split (1989)"),
        ("split (1989)", 0, "Split (1989)"),
        ("Calm Water", 0, None),
        ("Water Split", 0, None),
        ("CALM WATER SPLIT", 0, "Calm Water Split (1974)"),
        ("Heat", 0, None),
        ("Heat", 1995, "Heat (1995)"),
        ("Heat", 1973, "Heat (1972)"),
        ("Les Miserables", 0, "Misérables, Les (1995)"),
        ("Misérables, Les", 1995, "Misérables, Les (1995)"),
        ("miserables", 0, "Misérables, Les (1995)"),
        ("The Postman", 1997, "Postman, The (1997)"),
        ("The Postman", 1994, "Postino, Il (Postman, The) (1994)"),
        ("Il Postino", 0, "Postino, Il (Postman, The) (1994)"),
        ("Se7en", 1995, "Seven (Se7en) (1995)"),
        ("seven", 0, "Seven (Se7en) (1995)"),
        ("The Thing", 1982, "Thing, The"),
        ("thing", 0, "Thing, The"),
        ("", 0, None),
        ("(1995)", 0, None),
    ],
)
def test_a_title_is_exactly_that_of_one_item_or_it_is_skipped(
    title: str, year: int, found: str | None, model: TrainedModel
) -> None:
    code = ExactTitles(model).find(title, year)
    assert (None if code is None else model.titles[code]) == found


def test_every_title_finds_itself(trained) -> None:
    model = trained[2]
    titles = ExactTitles(model)
    assert all(titles.find(model.titles[code]) == code for code in range(1, len(model.items)))


@pytest.mark.parametrize(
    ("source", "target", "value", "wanted"),
    [
        ((1, 10), (1, 5), 8, 4),
        ((1, 10), (1, 5), 1, 1),
        ((0.5, 5), (1, 10), 4.5, 9),
        ((0.5, 5), (0, 100), 2.5, 50),
        ((1, 5), (-10, 10), 3, 0),
        ((1, 5), (1, 5), 2.75, 2.75),
    ],
)
def test_ratings_are_brought_to_the_scale_of_the_data(source, target, value, wanted) -> None:
    assert mapped(value, source, target) == pytest.approx(wanted)


def test_of_ids_that_share_a_title_the_best_known_is_meant(model: TrainedModel) -> None:
    table = pd.concat([model.item_table.iloc[:11], model.item_table.iloc[11:].assign(title="Split (1989)", year=1989)])
    twice = dataclasses.replace(model, item_table=table)
    same = np.flatnonzero(np.array(twice.titles) == "Split (1989)")
    assert len(same) > 2
    code = ExactTitles(twice).find("Split")
    assert code is not None
    assert twice.counts[code] == twice.counts[same].max()

"""Ratings of one's own: kept and reopened, and every file a person may hand over read or refused by its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cftui.analysis.trained import TrainedModel
from cftui.analysis.users import people, profiles
from cftui.engine.models.recipes import recipe
from cftui.engine.training import train
from cftui.errors import CftuiError
from cftui.home import Home

from ...conftest import write_tiny

LAMBS, SEVEN, AMY = "Silence of the Lambs, The (1991)", "Seven (Se7en) (1995)", "Chasing Amy (1997)"


@pytest.fixture(scope="module")
def model(tiny_runs) -> TrainedModel:
    return TrainedModel.load(tiny_runs[1]["model4"])


@pytest.fixture(scope="module")
def by_id(tmp_path_factory: pytest.TempPathFactory, tiny_known: str) -> TrainedModel:
    """A model of the same data that tells items apart by their ids: two of them are called Chasing Amy."""
    home = Home(tmp_path_factory.mktemp("by-id"))
    write_tiny(home.data / tiny_known)
    options = recipe("model4").options(epochs=1, bs=16, factors=4, item_key="id")
    return TrainedModel.load(train(home, recipe("model4"), options, data=tiny_known, device=torch.device("cpu")))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def read(tmp_path: Path, model: TrainedModel):
    """``read(content)``: what such a file says, as titles and ratings, and what was passed over."""

    def reading(content: str | bytes) -> tuple[dict[str, float], tuple[str, ...]]:
        path = tmp_path / "mine.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        rated = profiles.read_rated(path, model)
        assert len(set(rated.items.tolist())) == len(rated.items) == len(rated.given)
        assert [rated.items.dtype, rated.given.dtype] == [np.dtype(np.int64), np.dtype(np.float32)]
        pairs = zip(rated.items, rated.given.tolist(), strict=True)
        return {model.titles[code]: given for code, given in pairs}, rated.unknown

    return reading


@pytest.fixture
def complaint(read, tmp_path: Path):
    """``complaint(content)``: why such a file is refused, after the file's name."""

    def complaining(content: str | bytes) -> str:
        with pytest.raises(CftuiError) as caught:
            read(content)
        said, name = str(caught.value), str(tmp_path / "mine.csv")
        assert said.startswith(name)
        assert "\n" not in said
        return said.removeprefix(name)

    return complaining


def test_what_is_saved_is_what_is_loaded(home: Home, model: TrainedModel) -> None:
    items, given = np.array([9, 1, 16, 12]), np.array([5, 3.5, 1, 2], np.float32)
    path = profiles.save(home, "anna", model, items, given)
    assert path == home.data / "profiles" / "anna.csv"
    loaded = profiles.load(home, "anna", model)
    assert dict(zip(loaded.items, loaded.given, strict=True)) == dict(zip(items, given, strict=True))
    assert loaded.unknown == ()
    profiles.save(home, "anna", model, items[:1], given[:1])
    assert profiles.load(home, "anna", model).items.tolist() == [9]


def test_every_title_there_is_survives_being_saved(home: Home, trained) -> None:
    model = trained[2]
    items = np.arange(1, len(model.items))
    given = (1 + items % 5).astype(np.float32)
    profiles.save(home, "all", model, items, given)
    loaded = profiles.load(home, "all", model)
    assert loaded.items.tolist() == items.tolist()
    assert loaded.given.tolist() == given.tolist()


def test_saved_profiles_are_listed_by_name(home: Home, model: TrainedModel) -> None:
    assert profiles.names(home) == []
    for name in ("zoe", "anna", "Ben-2"):
        profiles.save(home, name, model, np.array([1]), np.array([4.0]))
    (profiles.folder(home) / "notes.txt").write_text("title,rating\n")
    assert profiles.names(home) == ["Ben-2", "anna", "zoe"]


def test_a_profile_that_is_not_there_is_met_with_those_that_are(home: Home, model: TrainedModel) -> None:
    with pytest.raises(CftuiError, match="no profile 'anna'; saved profiles: none yet"):
        profiles.load(home, "anna", model)
    profiles.save(home, "ben", model, np.array([1]), np.array([4.0]))
    with pytest.raises(CftuiError, match="no profile 'anna'; saved profiles: ben"):
        profiles.load(home, "anna", model)


@pytest.mark.parametrize("name", ["a", "Anna", "zoë", "me-2", "m_e", "x" * 31])
def test_a_name_that_will_do(name: str, home: Home, model: TrainedModel) -> None:
    assert profiles.check_name(name, model) == ""
    profiles.save(home, name, model, np.array([1]), np.array([4.0]))
    assert profiles.names(home) == [name]


@pytest.mark.parametrize(
    "name", ["", "3", "30", " 30 ", "99", "-me", "_me", "a b", "a/b", "../me", "a.csv", "x" * 32, "me\n", "\x1b[31m"]
)
def test_a_name_that_will_not_do_is_refused_and_nothing_written(name: str, home: Home, model: TrainedModel) -> None:
    wrong = profiles.check_name(name, model)
    rule = "a profile's name begins with a letter and has letters, digits, - and _ (31 at most)"
    assert wrong == (f"{name} is a user of tiny" if name.strip() in ("3", "30") else rule)
    with pytest.raises(CftuiError) as caught:
        profiles.save(home, name, model, np.array([1]), np.array([4.0]))
    assert str(caught.value) == wrong
    assert not home.data.exists()


def test_a_profile_of_nothing_is_not_kept(home: Home, model: TrainedModel) -> None:
    with pytest.raises(CftuiError, match="no ratings yet"):
        profiles.save(home, "anna", model, np.array([], int), np.array([]))
    assert profiles.names(home) == []


def test_a_profile_is_at_home_in_every_run_of_the_same_data(
    home: Home, model: TrainedModel, by_id: TrainedModel, tiny_runs
) -> None:
    titles = {LAMBS: 5.0, SEVEN: 1.0, "Film C (1992)": 3.0}
    codes = np.array([model.titles.index(title) for title in titles])
    profiles.save(home, "anna", model, codes, np.array([*titles.values()]))
    for other in (TrainedModel.load(tiny_runs[1]["collab-nn"]), by_id):
        loaded = profiles.load(home, "anna", other)
        pairs = zip(loaded.items, loaded.given.tolist(), strict=True)
        assert {other.titles[code]: given for code, given in pairs} == titles
    assert [by_id.titles.index(title) for title in titles] != codes.tolist()


def test_a_title_that_two_ids_share_survives_too(home: Home, model: TrainedModel, by_id: TrainedModel) -> None:
    both = np.flatnonzero(np.array(by_id.titles) == AMY)
    assert len(both) == 2
    for name, source, items in (("title", model, np.array([model.titles.index(AMY)])), ("id", by_id, both)):
        profiles.save(home, name, source, items, np.full(len(items), 5.0))
        loaded = profiles.load(home, name, by_id)
        assert {by_id.titles[code] for code in loaded.items} == {AMY}
        assert loaded.unknown == ()


GOOD = {
    "plain": "title,rating\nFargo (1996),5\nFilm A (1990),1\n",
    "no last line end": "title,rating\nFargo (1996),5\nFilm A (1990),1",
    "byte order mark": b"\xef\xbb\xbftitle,rating\nFargo (1996),5\nFilm A (1990),1\n",
    "carriage returns": "title,rating\r\nFargo (1996),5\r\nFilm A (1990),1\r\n",
    "header in capitals": "Title,RATING\nFargo (1996),5\nFilm A (1990),1\n",
    "blanks": " title , rating\n  Fargo (1996)  , 5\nFilm A (1990), 1.0 \n",
    "columns in another order, and more of them": 'date,rating,title\n1/2,5,Fargo (1996)\n"a,b",1,Film A (1990)\n',
    "blank lines": "title,rating\n\nFargo (1996),5\n\n\nFilm A (1990),1\n\n",
    "of two ratings the last counts": "title,rating\nFargo (1996),2\nFilm A (1990),1\nFargo (1996),5\n",
    "without year, accents and case": "title,rating\nfargo 1996,5\nfilm a,1\n",
    "semicolons": "title;rating\nFargo (1996);5\nFilm A (1990);1\n",
    "columns of other names": "Name,Your Rating\nFargo (1996),5\nFilm A (1990),1\n",
    "the data set's own word": "movie,stars\nFargo (1996),5\nFilm A (1990),1\n",
}


@pytest.mark.parametrize("kind", GOOD)
def test_a_file_is_read_however_it_was_written(kind: str, read) -> None:
    assert read(GOOD[kind]) == ({"Fargo (1996)": 5.0, "Film A (1990)": 1.0}, ())


def test_titles_with_commas_quotes_and_accents_are_read(read) -> None:
    text = f'title,rating\n"{LAMBS}",5\n"Misérables, Les (1995)",4\n[REC] (2007),3\nse7en,2\nmiserables,1.5\n'
    rated, unknown = read(text)
    assert rated == {LAMBS: 5.0, "Misérables, Les (1995)": 1.5, "[REC] (2007)": 3.0, SEVEN: 2.0}
    assert unknown == ()


def test_a_blank_before_a_quote_is_no_part_of_the_title(read) -> None:
    assert read(f'rating, title\n5, "{LAMBS}"\n2, "Misérables, Les (1995)"\n')[0] == {
        LAMBS: 5.0,
        "Misérables, Les (1995)": 2.0,
    }


def test_the_ends_of_the_scale_and_what_lies_between_are_ratings(read) -> None:
    assert read("title,rating\nFilm A (1990),1\nFilm B (1991),5\nFilm C (1992),2.75\n")[0] == {
        "Film A (1990)": 1.0,
        "Film B (1991)": 5.0,
        "Film C (1992)": 2.75,
    }


def test_titles_that_are_not_there_are_passed_over_and_named(read) -> None:
    rated, unknown = read("title,rating\nNosferatu (1922),5\nFargo (1996),4\nqqqq,1\n,2\n")
    assert rated == {"Fargo (1996)": 4.0}
    assert unknown == ("Nosferatu (1922)", "qqqq", "")


def test_only_a_whole_title_rates_an_item(read) -> None:
    """``fargo`` is one item, although another begins with it; ``film`` is none."""
    assert read("title,rating\nfargo,5\nFilm A (1990),1\nfilm,3\n") == (
        {"Fargo (1996)": 5.0, "Film A (1990)": 1.0},
        ("film",),
    )


def test_rows_without_a_rating_are_skipped_and_counted(tmp_path: Path, model: TrainedModel) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("title,rating\nFilm A (1990),3\nFargo (1996),\nNosferatu,\n")
    rated = profiles.read_rated(path, model)
    assert (len(rated.items), rated.unrated, rated.unknown) == (1, 2, ())
    assert rated.remarks(model) == ["skipped 2 rows without a rating"]


@pytest.mark.parametrize("value", ["x", "nan", "inf", "-inf", "0.99", "5.01", "6", "-1", "4,5", "5 stars", "①"])
def test_what_is_no_rating_is_named_with_its_line(value: str, complaint) -> None:
    said = complaint(f'title,rating\nFilm A (1990),3\nFargo (1996),"{value}"\nFilm B (1991),9\n')
    wrong = f", line 3: {value!r} is not a rating from 1 to 5"
    assert said in (wrong, f"{wrong}; foldin --scale 1-10 says what the scale of the file is")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("title,rating\n\nFargo (1996),5\n\nFilm A (1990),9\n", 5),
        ('title,rating\n"Fargo\n(1996)",5\nFilm A (1990),9\n', 4),
    ],
    ids=["after blank lines", "after a title of two lines"],
)
def test_the_line_is_the_one_an_editor_shows(content: str, line: int, complaint) -> None:
    assert complaint(content).startswith(f", line {line}: '9' is not a rating from 1 to 5")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f"title,rating\n{LAMBS},5\nMisérables, Les (1995),4\n", 2),
        (f"title,rating\nFargo (1996),5\n{LAMBS},5\n", 3),
        ("title,rating\nFilm A (1990),Film B (1991),5\nFilm D (1993),Film E (1994),3\n", 2),
        ("title,rating\nse7en,4,3\n", 2),
    ],
    ids=["in every row", "in a later row", "between two titles", "after the rating"],
)
def test_a_comma_that_is_not_quoted_is_refused_not_guessed_at(content: str, line: int, complaint) -> None:
    assert f"line {line}" in complaint(content)


BAD = {
    "empty": (b"", "needs the columns title and rating, once each; it has none"),
    "only a header": (b"title,rating\n", "it has no ratings"),
    "no title": (
        b"thing,rating\nFargo (1996),5\n",
        "needs the columns title and rating, once each; it has thing, rating",
    ),
    "no rating": (
        b"title,opinion\nFargo (1996),5\n",
        "needs the columns title and rating, once each; it has title, opinion",
    ),
    "no header": (b"Fargo (1996),5\nFilm A (1990),3\n", "once each; it has fargo (1996), 5"),
    "latin-1": ("title,rating\nMisérables,5\n".encode("latin-1"), "not a CSV of title,rating"),
    "an open quote": (b'title,rating\n"Fargo (1996),5\n', "not a CSV of title,rating"),
    "a title twice": (b"Title,title,rating\nFargo (1996),Fargo (1996),5\n", "once each; it has title, title, rating"),
    "nothing known": (b"title,rating\nNosferatu,5\nqqqq,1\n", "none of its 2 titles is in tiny"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_cannot_be_read_is_named_with_why(kind: str, complaint) -> None:
    content, reason = BAD[kind]
    assert complaint(content).startswith(": ")
    assert reason in complaint(content)


def test_a_file_that_is_not_there_and_a_folder_are_named(tmp_path: Path, model: TrainedModel) -> None:
    with pytest.raises(CftuiError, match=f"{tmp_path / 'gone.csv'}: no such file"):
        profiles.read_rated(tmp_path / "gone.csv", model)
    with pytest.raises(CftuiError, match=f"{tmp_path}: not a CSV"):
        profiles.read_rated(tmp_path, model)


def test_a_long_file_of_unknown_titles_needs_no_more_than_one_index(read, monkeypatch) -> None:
    from cftui.analysis import search

    built: list[int] = []
    begin = search.TitleIndex.__init__

    def counting(self: search.TitleIndex, *arguments: Any) -> None:
        built.append(1)
        begin(self, *arguments)

    monkeypatch.setattr(search.TitleIndex, "__init__", counting)
    read("title,rating\nFargo (1996),4\n" + "".join(f"zzz qqq {n},3\n" for n in range(20)))
    # On 62,000 titles an index takes a third of a second to build.
    assert len(built) <= 1


@pytest.fixture(scope="module")
def choosing(tiny_runs) -> TrainedModel:
    return TrainedModel.load(tiny_runs[1]["ease"])


def test_a_file_of_titles_alone_is_one_of_likes(tmp_path: Path, choosing: TrainedModel, model: TrainedModel) -> None:
    path = tmp_path / "likes.csv"
    path.write_text(f'title\n"{LAMBS}"\n{AMY}\n')
    rated = profiles.read_rated(path, choosing)
    assert [choosing.titles[code] for code in rated.items] == [LAMBS, AMY]
    assert np.isnan(rated.given).all()
    assert rated.remarks(choosing) == ["2 titles without a rating: taken as likes"]
    with pytest.raises(CftuiError, match="model4 predicts ratings, and titles without ratings tell it nothing"):
        profiles.read_rated(path, model)


def test_likes_among_ratings_survive_being_saved(
    home: Home, tmp_path: Path, choosing: TrainedModel, model: TrainedModel
) -> None:
    items, given = np.array([9, 1, 16]), np.array([5, np.nan, 1], np.float32)
    path = profiles.save(home, "me", choosing, items, given)
    assert ",like\n" in path.read_text()
    loaded = profiles.load(home, "me", choosing)
    assert loaded.items.tolist() == items.tolist()
    np.testing.assert_array_equal(loaded.given, given)
    # To a model of ratings, they are ratings less one.
    rated = profiles.load(home, "me", model)
    assert rated.remarks(model) == ["1 title without a rating: not used by this model, which predicts ratings"]
    who = people.folded(model, "me", rated.items, rated.given)
    np.testing.assert_array_equal(who.row, people.folded(model, "me", items[[0, 2]], given[[0, 2]]).row)
    assert len(people.pulls(model, who, 5)) == 2

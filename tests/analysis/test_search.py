"""Finding a title by what a person types."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cftui.analysis.search import TitleIndex, keys_of, normalise
from cftui.analysis.trained import TrainedModel
from cftui.errors import CftuiError

TITLES = [
    "#na#",
    "[REC] (2007)",
    "[REC] 2 (2009)",
    "Star Wars (1977)",
    "Stargate (1994)",
    "Lone Star (1996)",
    "Bastard Star (1999)",
    "Eclisse, L' (1962)",
    "Année dernière à Marienbad, L' (1961)",
    "Straße der Träume (2001)",
    "A.I. Artificial Intelligence (2001)",
    "[bold]Markup[/bold] [link=x] (2020)",
]
COUNTS = np.array([0, 10, 40, 583, 127, 187, 3, 5, 6, 2, 9, 1])


@pytest.fixture(scope="module")
def index() -> TitleIndex:
    return TitleIndex(TITLES, COUNTS)


@pytest.fixture(scope="module")
def real(trained) -> tuple[TitleIndex, list[str], np.ndarray]:
    model = trained[2]
    return TitleIndex(model.titles, model.counts), model.titles, model.counts


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("the silence", "Silence of the Lambs, The (1991)"),
        ("silence of the lambs", "Silence of the Lambs, The (1991)"),
        ("The Silence of the Lambs (1991)", "Silence of the Lambs, The (1991)"),
        ("silense of the lamb", "Silence of the Lambs, The (1991)"),
        ("SE7EN", "Seven (Se7en) (1995)"),
        ("se7en", "Seven (Se7en) (1995)"),
        ("miserables", "Misérables, Les (1995)"),
        ("les misérables", "Misérables, Les (1995)"),
        ("schindlers list", "Schindler's List (1993)"),
        ("schindler's", "Schindler's List (1993)"),
        ("star wars", "Star Wars (1977)"),
        ("godfather", "Godfather, The (1972)"),
        ("lambs silence", "Silence of the Lambs, The (1991)"),
        ("shawshenk", "Shawshank Redemption, The (1994)"),
        ("jurasic park", "Jurassic Park (1993)"),
        ("la confidential", "L.A. Confidential (1997)"),
    ],
)
def test_the_title_meant_comes_first(typed: str, meant: str, real) -> None:
    index, titles, _ = real
    assert titles[index.search(typed)[0]] == meant


def test_the_known_come_before_the_obscure(real) -> None:
    index, titles, counts = real
    found = index.search("love", limit=200, fuzzy=False)
    first = [code for code in found if normalise(titles[code]).startswith("love")]
    assert found[: len(first)] == first
    assert counts[first].tolist() == sorted(counts[first], reverse=True)
    assert len(first) > 3


def test_the_beginning_of_a_title_beats_a_word_beats_the_inside(index: TitleIndex) -> None:
    found = [TITLES[code] for code in index.search("star", fuzzy=False)]
    assert found == ["Star Wars (1977)", "Stargate (1994)", "Lone Star (1996)", "Bastard Star (1999)"]
    inside = [TITLES[code] for code in index.search("tar", fuzzy=False)]
    assert inside[0] == "Star Wars (1977)"


def test_an_empty_query_lists_the_best_known(index: TitleIndex) -> None:
    assert [TITLES[code] for code in index.search("  ")[:3]] == [
        "Star Wars (1977)",
        "Lone Star (1996)",
        "Stargate (1994)",
    ]
    assert 0 not in index.search("", limit=100)
    assert len(index.search("", limit=4)) == 4


@pytest.mark.parametrize("typed", ["[REC]", "rec", "[rec", "rec 2007", "[REC] (2007)"])
def test_titles_that_look_like_markup_are_found(typed: str, index: TitleIndex) -> None:
    assert 1 in index.search(typed, fuzzy=False)
    assert index.search("[REC] (2007)")[0] == 1
    assert index.search("[/bold]")[0] == 11


@pytest.mark.parametrize(
    ("typed", "code"),
    [("l'eclisse", 7), ("annee derniere", 8), ("l'année dernière", 8), ("strasse der traume", 9)],
)
def test_accents_and_articles_of_other_languages(typed: str, code: int, index: TitleIndex) -> None:
    assert index.search(typed, fuzzy=False)[:1] == [code]


def test_a_typo_is_only_forgiven_when_asked(index: TitleIndex) -> None:
    assert index.search("star warz", fuzzy=False) == []
    assert index.search("star warz")[0] == 3
    assert index.search("qqqqqqqq") == []


@pytest.mark.parametrize(
    ("title", "keys"),
    [
        ("Lambs, The (1991)", {"lambs the 1991", "the lambs 1991"}),
        ("Misérables, Les (1995)", {"miserables les 1995", "les miserables 1995"}),
        ("Theodore Rex (1995)", {"theodore rex 1995"}),
        ("Yes, Theodore (1995)", {"yes theodore 1995"}),
        ("Affair to Remember, An (1957)", {"affair to remember an 1957", "an affair to remember 1957"}),
    ],
)
def test_the_article_is_also_found_in_front(title: str, keys: set[str]) -> None:
    assert set(keys_of(title).split("\n")) == keys


@given(st.text(max_size=30))
def test_any_query_is_answered_with_real_codes(typed: str) -> None:
    found = TitleIndex(TITLES, COUNTS).search(typed, limit=5)
    assert len(found) == len(set(found)) <= 5
    assert all(0 < code < len(TITLES) for code in found)


@given(st.text(max_size=30))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_every_title_finds_itself(real) -> None:
    index, titles, _ = real
    for code in range(1, len(titles), 37):
        assert code in index.search(titles[code], fuzzy=False)


def test_a_model_takes_a_title_a_piece_of_it_or_asks_back(trained) -> None:
    model: TrainedModel = trained[2]
    silence = model.item_code("Silence of the Lambs, The (1991)")
    assert model.item_code("the silence of the lambs") == silence
    assert model.titles[model.item_code("se7en")] == "Seven (Se7en) (1995)"
    with pytest.raises(CftuiError, match=r"'star' fits several movies: .*; \.\.\."):
        model.item_code("star")
    with pytest.raises(CftuiError, match=r"no movie 'silense of the lamb' in ml-100k; did you mean Silence of the L"):
        model.item_code("silense of the lamb")
    with pytest.raises(CftuiError, match="no movie 'qqqqqqqq'"):
        model.item_code("qqqqqqqq")
    with pytest.raises(CftuiError, match="no user 944 in ml-100k; ids run from 1 to 943"):
        model.user_code("944")

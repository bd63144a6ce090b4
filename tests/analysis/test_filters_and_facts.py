"""Which items are shown, as a person types it; and the facts of one item, against pandas on the raw ratings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cftui.analysis import ranking
from cftui.analysis.maps import mapping as maps
from cftui.analysis.ranking import Filter
from cftui.analysis.trained import TrainedModel
from cftui.data.ratings import Ratings
from cftui.errors import CftuiError


@pytest.fixture(scope="module")
def model(trained) -> TrainedModel:
    return trained[2]


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("", Filter()),
        ("  ", Filter()),
        ("20", Filter(20)),
        ("comedy", Filter(0, "Comedy")),
        ("Com", Filter(0, "Comedy")),
        ("sci-fi", Filter(0, "Sci-Fi")),
        ("SCI", Filter(0, "Sci-Fi")),
        ("a", Filter(0, "Action")),
        ("children's", Filter(0, "Children's")),
        ("comedy 20", Filter(20, "Comedy")),
        ("  20   dra ", Filter(20, "Drama")),
    ],
)
def test_a_filter_is_a_genre_a_number_or_both(typed: str, wanted: Filter, model: TrainedModel) -> None:
    assert Filter.parse(typed, model) == wanted


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("comdey", "no genre 'comdey'; did you mean Comedy?"),
        ("20 wetsern", "no genre 'wetsern'; did you mean Western?"),
        ("qqq", "no genre 'qqq'; choose from Action, Adventure, Animation"),
        ("-5", "no genre '-5'"),
        ("2.5", "no genre '2.5'"),
    ],
)
def test_a_word_that_is_neither_is_named_with_what_was_meant(typed: str, complaint: str, model: TrainedModel) -> None:
    with pytest.raises(CftuiError) as caught:
        Filter.parse(typed, model)
    assert str(caught.value).startswith(complaint)


# Tags

TAGS = {
    "Fargo (1996)": "dark comedy|quirky",
    "Clerks (1994)": "dark comedy|agent 007|20",
    "Star Wars (1977)": "sci-fi|darkness|music",
}


@pytest.fixture(scope="module")
def tagged(model: TrainedModel) -> TrainedModel:
    return replace(model, item_table=model.item_table.assign(tags=model.item_table["title"].map(TAGS).fillna("")))


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("Dark  Comedy 20", Filter(20, "dark comedy")),
        ("darkn", Filter(0, "darkness")),
        ("dark", Filter(0, "dark comedy")),
        ("d", Filter(0, "Documentary")),  # a genre before a tag
        ("sci-fi", Filter(0, "Sci-Fi")),
        ("agent 007", Filter(0, "agent 007")),
        ("Agent 007 20", Filter(20, "agent 007")),
        ("20 agent", Filter(20, "agent 007")),
        ("20", Filter(20)),
        ("music", Filter(0, "music")),  # in full before the beginning of Musical
    ],
)
def test_a_filter_may_be_a_tag(typed: str, wanted: Filter, tagged: TrainedModel) -> None:
    assert Filter.parse(typed, tagged) == wanted


def test_a_tag_allows_what_bears_it(tagged: TrainedModel) -> None:
    codes = [tagged.item_code(title) for title in ("Clerks (1994)", "Fargo (1996)")]
    assert np.flatnonzero(Filter(0, "dark comedy").allows(tagged)).tolist() == sorted(codes)
    assert np.flatnonzero(Filter(300, "dark comedy").allows(tagged)).tolist() == codes[1:]
    assert {*tagged.kinds} - {*tagged.genres} == {
        "dark comedy",
        "quirky",
        "sci-fi",
        "darkness",
        "music",
        "agent 007",
        "20",
    }
    for name, flags in tagged.genres.items():
        assert np.array_equal(tagged.kinds[name], np.flatnonzero(flags))
    assert np.array_equal(maps.pole(tagged, "Dark Comedy").codes, sorted(codes))


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("dark comdey", "no genre or tag 'dark comdey'; did you mean dark comedy"),
        ("wetsern", "no genre or tag 'wetsern'; did you mean Western?"),
        ("qqq", "no genre or tag 'qqq'; choose from Action, Adventure"),
    ],
)
def test_what_is_no_tag_either_is_said(typed: str, complaint: str, tagged: TrainedModel) -> None:
    with pytest.raises(CftuiError) as caught:
        Filter.parse(typed, tagged)
    assert str(caught.value).startswith(complaint)
    assert "quirky" not in str(caught.value)


@given(least=st.integers(0, 700), data=st.data())
def test_what_is_allowed_is_known_enough_of_the_genre_and_never_the_unknown(
    model: TrainedModel, least: int, data: st.DataObject
) -> None:
    genre = data.draw(st.sampled_from(["", *model.genres]))
    allowed = Filter(least, genre).allows(model)
    wanted = [
        code > 0 and model.counts[code] >= least and (not genre or genre in model.item_table["genres"][code].split("|"))
        for code in range(len(model.items))
    ]
    assert allowed.tolist() == wanted


def test_asking_what_is_allowed_does_not_spoil_the_model(tiny_runs) -> None:
    model = TrainedModel.load(tiny_runs[1]["model4"])
    counts, drama = model.counts.copy(), model.genres["Drama"].copy()
    first = Filter(1, "Drama").allows(model)
    first[:] = True
    assert np.array_equal(model.counts, counts)
    assert np.array_equal(model.genres["Drama"], drama)


def test_a_filter_says_what_it_is() -> None:
    shown = [str(one) for one in (Filter(), Filter(20), Filter(0, "Drama"), Filter(5, "War"))]
    assert shown == ["", "20+ ratings", "Drama", "War 5+ ratings"]


@pytest.mark.parametrize("title", ["Silence of the Lambs, The (1991)", "Chasing Amy (1997)", "unknown"])
def test_the_facts_of_an_item_are_pandas_on_the_raw_ratings(
    title: str, model: TrainedModel, ratings: Ratings, tables
) -> None:
    raw = tables.titled.loc[tables.titled["title"] == title, "rating"]
    found = ranking.about(model, ratings, model.item_code(title))
    assert (found.title, found.ratings) == (title, len(raw))
    assert found.mean == pytest.approx(raw.mean(), rel=1e-6)
    counts = raw.value_counts()
    assert found.histogram["value"].tolist() == [1, 2, 3, 4, 5]
    assert found.histogram["ratings"].tolist() == [int(counts.get(value, 0)) for value in (1, 2, 3, 4, 5)]
    shares = [float((raw == value).mean()) for value in (1, 2, 3, 4, 5)]
    np.testing.assert_allclose(found.histogram["share"], shares, rtol=1e-6)
    row = tables.items[tables.items["title"] == title].iloc[0]
    assert found.year == row["year"]
    assert "|".join(found.genres) == row["genres"]


def test_the_bias_and_its_rank_are_those_of_the_ranking(model: TrainedModel, ratings: Ratings) -> None:
    ranked = ranking.biases(model)
    for place in (0, 1, 700, 1663):
        row = ranked.iloc[place]
        found = ranking.about(model, ratings, int(row["code"]))
        assert found.bias == row["bias"]
        assert found.rank == 1664 - place


def test_an_item_of_a_model_without_biases_has_no_rank(tiny_runs, tiny: Ratings) -> None:
    found = ranking.about(TrainedModel.load(tiny_runs[1]["model1"]), tiny, 3)
    assert (found.bias, found.rank) == (None, None)
    assert found.ratings == (tiny.item == 3).sum()

"""Finding a title by what a person types."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cftui.analysis.search import FEW, FUZZY_CUTOFF, FUZZY_CUTOFF_ALONE, TitleIndex, keys_of, normalise
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
        ("starwars", "Star Wars (1977)"),
        ("star wars 1977", "Star Wars (1977)"),
        ("starwars1977", "Star Wars (1977)"),
        ("1977", "Star Wars (1977)"),
        ("thesilence", "Silence of the Lambs, The (1991)"),
        ("jrassic park", "Jurassic Park (1993)"),
        ("Godfahter", "Godfather, The (1972)"),
        ("indepandence dya", "Independence Day (ID4) (1996)"),
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
    # However well known: within a word, at the beginning of one, of a title, of a title with its article in front.
    titles = ["#na#", "Rethemed", "In the Heat", "Theodore", "Heat, The"]
    for query, codes in [("the", [4, 3, 2, 1]), ("the heat", [4, 2]), ("heat in the", [2]), ("heat th", [4])]:
        assert TitleIndex(titles, np.array([9, 8, 7, 5, 6])).search(query, fuzzy=False) == codes


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


def test_a_blank_too_many_or_too_few_is_a_typo() -> None:
    titles = ["#na#", "Starwars Fan", "Star Wars (1977)", "Starry Wart"]
    index = TitleIndex(titles, np.array([0, 1, 9, 20]))
    assert index.search("starwars", fuzzy=False) == [1]
    assert index.search("starwars") == [1, 2]
    assert index.search("starwars 1977", fuzzy=False) == [2]


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


# The same, said plainly

# Few letters, so that many titles hold a query, and at different places.
WORDS = st.lists(st.sampled_from(["a", "ab", "ba", "aba", "aab", "bb", "L'a", "é", "七a", "𠀀b"]), max_size=4).map(
    " ".join
)
TITLE_LIKE = st.one_of(
    WORDS,
    st.builds("{}, {}{}".format, WORDS, st.sampled_from(["The", "A", "L'"]), st.sampled_from(["", " (1)", " a"])),
    st.text("ab1 ,.'(", max_size=8),
    st.text(max_size=6),
)


def order_said_plainly(titles: Sequence[str], counts: Sequence[int], query: str) -> list[int]:
    """What ``matches(query, fuzzy=False)`` must find, one title at a time."""
    wanted = normalise(query)
    codes = sorted(range(1, len(titles)), key=lambda code: (-counts[code], code))
    lines = {code: keys_of(titles[code]).split("\n") for code in codes}
    if not wanted:
        return codes

    def place(code: int, word: str) -> int | None:
        if any(line.startswith(word) for line in lines[code]):
            return 0
        if any(f" {word}" in line for line in lines[code]):
            return 1
        return 2 if any(word in line for line in lines[code]) else None

    def place_run_together(code: int, letters: str) -> int | None:
        places = []
        for line in lines[code]:
            squeezed, begins = line.replace(" ", ""), {0}
            for word in line.split():
                begins.add(max(begins) + len(word))
            found = [at for at in range(len(squeezed)) if squeezed.startswith(letters, at)]
            places += [0 if at == 0 else 1 if at in begins else 2 for at in found]
        return min(places, default=None)

    def place_of_all(code: int, words: list[str]) -> int | None:
        places = [place(code, word) for word in words]
        return None if None in places else max(filter(None, places), default=0)

    def ordered(places: dict[int, int | None]) -> list[int]:
        return [code for where in (0, 1, 2) for code in codes if places[code] == where]

    found = ordered({code: place(code, wanted) for code in codes})
    if not found:
        found = ordered({code: place_run_together(code, wanted.replace(" ", "")) for code in codes})
        if " " in wanted:
            any_order = ordered({code: place_of_all(code, wanted.split()) for code in codes})
            found += [code for code in any_order if code not in found]
    return found


@st.composite
def searches(draw: st.DrawFn) -> tuple[list[str], list[int], str]:
    titles = ["#na#", *draw(st.lists(TITLE_LIKE, max_size=12))]
    counts = draw(st.lists(st.integers(0, 3), min_size=len(titles), max_size=len(titles)))
    key = draw(st.sampled_from([line for title in titles for line in keys_of(title).split("\n")]))
    begin, end = sorted((draw(st.integers(0, len(key))), draw(st.integers(0, len(key)))))
    of_a_title = st.sampled_from([key[begin:end], key[begin:], key.replace(" ", ""), " ".join(key.split()[::-1])])
    return titles, counts, draw(st.one_of(of_a_title, TITLE_LIKE))


@given(searches())
def test_the_order_is_what_a_plain_loop_gives(search: tuple[list[str], list[int], str]) -> None:
    titles, counts, query = search
    found = TitleIndex(titles, np.array(counts)).matches(query, fuzzy=False)
    assert found.dtype == np.int64
    assert found.tolist() == order_said_plainly(titles, counts, query)


@given(searches())
def test_what_is_only_nearly_meant_comes_after(search: tuple[list[str], list[int], str]) -> None:
    from rapidfuzz import fuzz

    titles, counts, query = search
    index = TitleIndex(titles, np.array(counts))
    exact, all_found = index.matches(query, fuzzy=False).tolist(), index.matches(query).tolist()
    assert all_found[: len(exact)] == exact
    more = all_found[len(exact) :]
    assert len(set(all_found)) == len(all_found)
    if len(exact) >= FEW or len(normalise(query)) < 2:
        assert more == []
    # Those with a blank too many or too few come first, then typos, the most alike first.
    wanted = normalise(query)
    held = [code for code in more if wanted.replace(" ", "") in keys_of(titles[code]).replace(" ", "")]
    typos = [code for code in more if code not in held]
    assert more == held + typos
    alike = [round(fuzz.partial_ratio(wanted, keys_of(titles[code]))) for code in typos]
    assert all(score >= (FUZZY_CUTOFF if exact or held else FUZZY_CUTOFF_ALONE) for score in alike)
    assert [(-score, -counts[code], code) for score, code in zip(alike, typos, strict=True)] == sorted(
        (-score, -counts[code], code) for score, code in zip(alike, typos, strict=True)
    )


@pytest.mark.parametrize("query", ["", "a", "abc", "a b", "qqqq"])
def test_an_index_of_nothing_finds_nothing(query: str) -> None:
    for titles in (["#na#"], ["#na#", "", "..."]):
        found = TitleIndex(titles, np.zeros(len(titles), np.int64)).matches(query)
        assert found.tolist() == (list(range(1, len(titles))) if query == "" else [])


def test_titles_in_any_script() -> None:
    titles = [
        "#na#",
        "七人の侍 (1954)",
        "Сталкер (1979)",
        "기생충 (2019)",
        "मदर इंडिया (1957)",
        "𠀀𠀁 (2001)",
        "𠀁 (2002)",
    ]
    index = TitleIndex(titles, np.arange(7, 0, -1))
    for query, codes in [("七人", [1]), ("侍", [1]), ("сТАЛ", [2]), ("сатлкер", [2]), ("기생", [3]), ("기새", [3])]:
        assert index.search(query) == codes
    assert index.search("मदर इंडिया") == [4]
    assert index.search("𠀁") == [6, 5]


def test_a_search_without_a_limit_finds_all(real) -> None:
    index, titles, _ = real
    found = index.search("the", limit=None)
    assert found == index.matches("the").tolist()
    assert set(found) == {code for code, title in enumerate(titles) if code and "the" in keys_of(title)}
    assert index.search("the") == found[:50]
    assert len(index.search("", limit=None)) == len(titles) - 1


def test_the_empty_answer_may_be_altered(index: TitleIndex) -> None:
    index.matches("")[:] = 0
    assert 0 not in index.matches("")


def test_sixty_thousand_titles_are_searched_between_two_key_presses(real) -> None:
    _, titles, _ = real
    random = np.random.default_rng(0)
    words = np.array(sorted({word for title in titles for word in title.split()}))
    many = ["#na#", *(" ".join(row) for row in random.choice(words, (62_000, 4)))]
    index = TitleIndex(many, random.integers(0, 1000, len(many)))
    took = []
    for title in random.choice(many, 6):
        key = normalise(title)
        for end in range(1, len(key)):
            # As typed, and with a typo.
            for query in (key[:end], key[: end // 2] + "q" + key[end // 2 : end]):
                begun = time.perf_counter()
                index.matches(query)
                took.append(time.perf_counter() - begun)
    # 2 ms where the plain loop took 40; the bound is generous to a loaded machine.
    assert np.median(took) < 0.015


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

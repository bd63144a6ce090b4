"""Raw ids to codes and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cftui.data.ratings import UNKNOWN, Ratings, Vocabulary
from cftui.data.tables import Tables
from cftui.errors import CftuiError

texts = st.text(min_size=1).filter(lambda text: text != UNKNOWN)
ids = st.one_of(st.lists(texts, min_size=1), st.lists(st.integers(-(2**40), 2**40), min_size=1))


@given(ids)
def test_codes_go_there_and_back(raw: list) -> None:
    vocabulary = Vocabulary.of(raw)
    codes = vocabulary.encode(raw)
    assert [vocabulary.classes[code] for code in codes] == raw
    assert len(vocabulary) == len(set(raw)) + 1
    assert (codes > 0).all()
    assert [vocabulary.code(one) for one in raw] == codes.tolist()


@given(ids)
def test_classes_ascend_behind_the_unknown(raw: list) -> None:
    classes = Vocabulary.of(raw).classes
    assert classes[0] == UNKNOWN
    assert list(classes[1:]) == sorted(set(raw))


def test_typed_text_finds_a_number_and_a_number_its_text() -> None:
    numbers, words = Vocabulary.of([5, 196, 22]), Vocabulary.of(["196", "x"])
    assert numbers.code("196") == numbers.code(196) == numbers.code(int(np.int64(196))) == numbers.code(" 196 ") == 3
    assert words.code(196) == words.code("196") == 1


def test_what_was_never_seen_is_code_0_or_none() -> None:
    vocabulary = Vocabulary.of([1, 2])
    assert vocabulary.encode([2, 99, 1]).tolist() == [2, 0, 1]
    assert vocabulary.code(99) is None
    assert vocabulary.code("two") is None
    assert vocabulary.code(UNKNOWN) is None
    assert vocabulary.code("²") is None


@pytest.mark.parametrize("classes", [(), ("a", "b")])
def test_a_vocabulary_begins_with_the_unknown(classes: tuple) -> None:
    with pytest.raises(ValueError, match="begins with"):
        Vocabulary(classes)


def test_an_unknown_user_is_told_the_range(tiny: Ratings) -> None:
    with pytest.raises(CftuiError, match="no user 99 in tiny; ids run from 1 to 30"):
        tiny.user_code("99")
    assert tiny.users.classes[tiny.user_code("30")] == 30


def test_an_unknown_title_is_told_the_near_ones(tiny: Ratings) -> None:
    with pytest.raises(CftuiError, match=r"no movie 'Fargo \(1997\)' in tiny; did you mean Fargo \(1996\)"):
        tiny.item_code("Fargo (1997)")


def test_items_can_be_told_apart_by_id(tiny_tables: Tables) -> None:
    by_id = Ratings.encode(tiny_tables, "id")
    assert len(by_id.items) == 21
    assert by_id.item_table["title"].tolist()[6:8] == ["Chasing Amy (1997)"] * 2
    assert by_id.item_code("7") == 7
    with pytest.raises(CftuiError, match="no item key 'name'"):
        Ratings.encode(tiny_tables, "name")  # type: ignore[arg-type]

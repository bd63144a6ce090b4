"""Typing a rating: what each key means on scales of every kind."""

from __future__ import annotations

import numpy as np
import pytest

from cftui.analysis.users.scale import Scale


def typed(scale: Scale, keys: str) -> list[float]:
    """The values that the keys enter one after the other; what is not complete at the end is taken."""
    values, text = [], ""
    for key in keys:
        if key == ">":
            values.append(float(text))
            text = ""
            continue
        now = scale.typed(text, key)
        assert not now.wrong, now.wrong
        if now.done:
            assert now.value is not None
            values.append(now.value)
        text = "" if now.done else now.text
    return values


FIVE = Scale.of((1, 5), (1, 2, 3, 4, 5))
HALVES = Scale.of((0.5, 5), tuple(np.arange(0.5, 5.5, 0.5)))
TEN = Scale.of((0, 10), tuple(range(11)))
HUNDRED = Scale.of((0, 100), (0, 3, 50, 100))
SIGNED = Scale.of((-10, 10), (-10, -9.5, 3, 10))
LIKES = Scale.of((0, 1), (0, 1))
COUNTS = Scale.of((1, 89_993), (), counted=True)


@pytest.mark.parametrize(
    ("scale", "keys", "values"),
    [
        (FIVE, "12345", [1, 2, 3, 4, 5]),
        (HALVES, "345", [3, 4, 5]),
        (TEN, "7", [7]),
        (TEN, "0", [0]),
        (TEN, "10", [10]),
        (TEN, "1>7", [1, 7]),
        (HUNDRED, "75", [75]),
        (HUNDRED, "7>", [7]),
        (HUNDRED, "100", [100]),
        (HUNDRED, "10>99", [10, 99]),
        (SIGNED, "-9-107", [-9, -10, 7]),
        (LIKES, "01", [0, 1]),
        (COUNTS, "17", [1, 7]),
        (Scale.of((100, 200), (100, 150, 200)), "150", [150]),
    ],
)
def test_keys_enter_the_value_of_the_scale_itself(scale: Scale, keys: str, values: list[float]) -> None:
    assert typed(scale, keys) == values


def test_a_point_goes_on_with_a_whole_number() -> None:
    assert HALVES.typed("3", ".").text == "3."
    half = HALVES.typed("3.", "5")
    assert (half.value, half.done) == (3.5, True)
    quarter = Scale.of((0, 1), (0, 0.25, 1))
    assert [quarter.typed(*pair).done for pair in (("0.", "2"), ("0.2", "5"))] == [False, True]


@pytest.mark.parametrize(
    ("scale", "text", "key", "why"),
    [
        (FIVE, "", "7", "7 is not on the scale 1 to 5"),
        (FIVE, "3", ".", "3. is not on the scale 1 to 5"),
        (TEN, "1", "7", "17 is not on the scale 0 to 10"),
        (HALVES, "3.", "3", "3.3 is not on the scale 0.5 to 5 by 0.5"),
        (HALVES, "5.", "5", "5.5 is not on the scale 0.5 to 5 by 0.5"),
        (HUNDRED, "", "-", "- is not on the scale 0 to 100"),
        (COUNTS, "", "0", "0 is not on the scale 1 or more"),
    ],
)
def test_a_key_that_leads_to_no_value_is_refused_and_what_was_typed_stays(
    scale: Scale, text: str, key: str, why: str
) -> None:
    found = scale.typed(text, key)
    assert (found.text, found.wrong) == (text, why)


@pytest.mark.parametrize("scale", [FIVE, HALVES, TEN, HUNDRED, SIGNED, LIKES])
def test_arrows_reach_every_value_and_stay_on_the_scale(scale: Scale) -> None:
    value = scale.stepped(None, 1)
    assert scale.holds(value)
    for _ in range(300):
        value = scale.stepped(value, -1)
    seen = {value}
    for _ in range(300):
        value = scale.stepped(value, 1)
        assert scale.holds(value)
        seen.add(value)
    assert (min(seen), max(seen)) == (scale.low, scale.high)
    assert len(seen) == round((scale.high - scale.low) / scale.step) + 1


def test_counts_have_no_end() -> None:
    assert COUNTS.stepped(None, 1) == 1
    assert COUNTS.stepped(9.0, 1) == 10


@pytest.mark.parametrize(("levels", "step"), [((1, 2, 5), 1), ((0.5, 1), 0.5), ((1, 1.1), 0.1), ((1, 3.1416), 0.01)])
def test_the_step_is_that_of_the_values_that_occur(levels: tuple[float, ...], step: float) -> None:
    assert Scale.of((levels[0], 5), levels).step == step

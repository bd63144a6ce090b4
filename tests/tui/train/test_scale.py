"""The axes of a chart: what is on them, their ticks, and where curves are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cftui.tui.train.scale import cut, round_ticks, scale_of, thin, what_matters, y_ticks


def test_a_first_epoch_far_from_the_rest_does_not_set_the_range():
    assert what_matters([0.81, 0.90], [1.503, 0.92, 0.80]) == (0.80, 0.92)


def test_a_run_worse_than_every_baseline_is_on_the_range():
    assert what_matters([9.68, 9.70, 4.9], [9.44])[1] == 9.70


def test_one_value_alone_has_room_around_it():
    scale = scale_of(*what_matters([0.9]))
    assert scale.low < 0.9 < scale.high


@pytest.mark.parametrize(
    ("low", "high", "at_most", "labels"),
    [
        (0.78, 0.93, 4, ["0.80", "0.85", "0.90"]),
        (0.82, 0.84, 5, ["0.820", "0.825", "0.830", "0.835", "0.840"]),
        (0.0, 12_345.0, 6, ["0", "5,000", "10,000"]),
        (0.7, 10.1, 6, ["2", "4", "6", "8", "10"]),
    ],
)
def test_ticks_are_round(low, high, at_most, labels):
    assert [label for _, label in round_ticks(low, high, at_most)] == labels


def test_epochs_have_whole_ticks():
    assert [label for _, label in round_ticks(-1, 1, 8, whole=True)] == ["-1", "0", "1"]


def test_a_logarithmic_axis_over_decades_has_powers_of_ten():
    assert [label for _, label in y_ticks(scale_of(0.5, 2000, log=True), 8)] == ["1", "10", "100", "1000"]


def test_a_curve_is_cut_where_it_crosses_the_edge_and_never_follows_it():
    pieces, crossings = cut([(0.0, 1.5), (1.0, 0.5), (2.0, -0.5), (3.0, 0.5)])
    assert pieces == [[(0.5, 1.0), (1.0, 0.5), (1.5, 0.0)], [(2.5, 0.0), (3.0, 0.5)]]
    assert crossings == [(0.5, True), (1.5, False), (2.5, False)]


def test_a_curve_off_the_scale_leaves_one_mark_and_no_line():
    assert cut([(0.0, 2.0), (1.0, 3.0)]) == ([], [(1.0, True)])
    assert cut([(0.0, -2.0)]) == ([], [(0.0, False)])
    assert cut([]) == ([], [])


@given(st.lists(st.floats(-3, 3, allow_subnormal=False), max_size=12))
def test_what_is_shown_of_a_curve_is_on_the_curve(heights):
    points = [(float(x), y) for x, y in enumerate(heights)]
    pieces, _ = cut(points)
    for x, y in (point for piece in pieces for point in piece):
        assert 0 <= y <= 1
        left = min(int(x), len(points) - 1)
        right = min(left + 1, len(points) - 1)
        expected = heights[left] + (heights[right] - heights[left]) * (x - left)
        assert y == pytest.approx(expected, abs=1e-6)
    inside = {point for point in points if 0 <= point[1] <= 1}
    assert inside <= {point for piece in pieces for point in piece}


def test_thinning_keeps_the_lowest_and_the_highest_of_each_column():
    points = [(x / 100, 0.5) for x in range(1000)]
    points[333], points[334] = (3.33, 0.0), (3.34, 9.0)
    thinned = thin(points, 10, 0, 10)
    assert len(thinned) <= 20
    assert {(3.33, 0.0), (3.34, 9.0)} <= set(thinned)
    assert thinned == sorted(thinned)

"""Principal components against numpy's exact decomposition; quadrants, corners and axes as in the chapter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cftui.analysis.maps import components
from cftui.analysis.maps import mapping as maps
from cftui.analysis.trained import TrainedModel


def exact(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    data = matrix.astype(float) - matrix.astype(float).mean(axis=0)
    return np.linalg.svd(data, full_matrices=False)


def check(matrix: np.ndarray) -> None:
    u, s, va = exact(matrix)
    found = components.principal(matrix)
    np.testing.assert_allclose(found.s, s[:2], rtol=1e-8)
    np.testing.assert_allclose(np.abs(found.u), np.abs(u[:, :2]), atol=1e-7)
    np.testing.assert_allclose(np.abs(found.va), np.abs(va[:2]), atol=1e-7)
    np.testing.assert_allclose(found.variance, s[:2] ** 2 / (s**2).sum(), rtol=1e-8)
    # Signs of both sides belong together, and the largest coordinate is positive.
    centred = matrix.astype(float) - matrix.astype(float).mean(axis=0)
    np.testing.assert_allclose(centred @ found.va.T, found.u * found.s, atol=1e-7)
    assert (found.u[np.abs(found.u).argmax(axis=0), [0, 1]] > 0).all()


def test_the_components_of_the_trained_factors_are_exact(trained) -> None:
    check(trained[2].item_factors[1:])


@pytest.mark.parametrize("shape", [(200, 50), (40, 60), (30, 2)])
def test_the_components_of_noise_are_exact(shape: tuple[int, int]) -> None:
    # A flat spectrum, off centre: what fbpca's defaults get wrong.
    check(np.random.default_rng(1).normal(3, 1, shape).astype(np.float32))


def test_components_are_the_same_whatever_was_drawn_before(trained) -> None:
    np.random.seed(1)
    first = components.principal(trained[2].item_factors[1:])
    np.random.seed(2)
    second = components.principal(trained[2].item_factors[1:])
    np.testing.assert_allclose(first.u, second.u, atol=1e-9)


def test_constant_factors_hold_no_variance() -> None:
    assert components.principal(np.ones((9, 4))).variance.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("x", "y", "name"),
    [
        (1, 1, "First"),
        (-1, 1, "Second"),
        (-1, -1, "Third"),
        (1, -1, "Fourth"),
        *((x, y, "Center") for x, y in ((0, 1), (1, 0), (0, -1), (0, 0))),
    ],
)
def test_quadrants_count_anticlockwise_from_the_upper_right(x: float, y: float, name: str) -> None:
    assert components.quadrant(np.array([x]), np.array([y])).tolist() == [name]


def test_the_map_has_the_chapters_columns(trained) -> None:
    _, _, model = trained
    shown, found = maps.principal_map(model)
    table = shown.table
    assert len(table) == 1664
    assert table["title"].tolist() == list(model.items.classes[1:])
    np.testing.assert_array_equal(table["0"], found.u[:, 0])
    np.testing.assert_array_equal(table["1"], found.u[:, 1])
    np.testing.assert_allclose(table["2"], np.sqrt(table["0"] ** 2 + table["1"] ** 2))
    row = table.iloc[10]
    wanted = {(True, True): "First", (False, True): "Second", (False, False): "Third", (True, False): "Fourth"}
    assert row["3"] == f"{wanted[row['0'] > 0, row['1'] > 0]} Quadrant"
    assert 0.01 < found.variance[1] <= found.variance[0] < 0.9


points = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=40)


def table_of(pairs: list[tuple[int, int]]) -> pd.DataFrame:
    x, y = np.array(pairs, dtype=float).T / 1000
    names = [n if n == "Center" else f"{n} Quadrant" for n in components.quadrant(x, y)]
    return pd.DataFrame({"code": range(len(x)), "0": x, "1": y, "2": np.hypot(x, y), "3": names})


@settings(deadline=None)
@given(points)
def test_the_corners_are_the_farthest_of_each_quadrant(pairs: list[tuple[int, int]]) -> None:
    table = table_of(pairs)
    corners = components.farthest(table)
    order = ["First Quadrant", "Second Quadrant", "Third Quadrant", "Fourth Quadrant"]
    # Where all are on an axis, those that are farthest say more than none.
    order = order if (table["3"] != "Center").any() else ["Center"]
    assert corners["3"].drop_duplicates().tolist() == [name for name in order if (table["3"] == name).any()]
    for name in order:
        wanted = sorted(table.loc[table["3"] == name, "2"], reverse=True)[:5]
        assert corners.loc[corners["3"] == name, "2"].tolist() == wanted


@settings(deadline=None)
@given(points, st.integers(0, 5))
def test_near_the_axes_is_within_the_tolerance_once(pairs: list[tuple[int, int]], reach: int) -> None:
    table = table_of(pairs)
    tolerance = reach / 1000 + 0.0005
    near = components.near_axes(table, tolerance)
    wanted = [code for code, (x, y) in enumerate(pairs) if abs(x) <= reach or abs(y) <= reach]
    assert near["code"].tolist() == wanted


def test_the_trained_map_has_five_corners_each_and_the_chapters_tolerance(trained) -> None:
    table = maps.principal_map(trained[2])[0].table
    corners = components.farthest(table)
    assert corners["3"].value_counts().to_dict() == {f"{q} Quadrant": 5 for q in components.QUADRANTS[:4]}
    near = components.near_axes(table)
    assert 0 < len(near) < 200
    assert (near[["0", "1"]].abs().min(axis=1) < 0.0002).all()


@pytest.mark.parametrize("name", ["model1", "collab-nn", "cross-entropy"])
def test_models_of_every_kind_have_a_map(name: str, tiny_runs) -> None:
    table = maps.principal_map(TrainedModel.load(tiny_runs[1][name]))[0].table
    assert len(table) == 19
    assert np.isfinite(table[["0", "1", "2"]].to_numpy()).all()

"""Maps: components against numpy, axes from pole to pole, maps read back; what to trust and how to colour them."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cftui.analysis.exports import read_map
from cftui.analysis.maps import mapping as maps
from cftui.analysis.maps.mapping import ItemMap, Pole
from cftui.analysis.trained import TrainedModel
from cftui.engine.models.recipes import RECIPES, recipe
from cftui.engine.runs.weights import snapshots
from cftui.engine.training import train
from cftui.errors import CftuiError
from cftui.home import Home

from ...conftest import write_tiny

CSV = ["0", "1", "2", "3", "title", "ratings"]
"""What ``cftui pca --csv`` writes."""


@pytest.fixture(scope="module")
def model(trained) -> TrainedModel:
    return trained[2]


@pytest.fixture(scope="module")
def small(tiny_runs) -> TrainedModel:
    return TrainedModel.load(tiny_runs[1]["model4"])


def place(shown: ItemMap, code: int) -> np.ndarray:
    return shown.xy[shown.table["code"] == code][0]


def test_the_map_of_the_real_model_is_numpys_exact_decomposition(model: TrainedModel) -> None:
    data = model.item_factors[1:].astype(np.float64)
    u, s, _ = np.linalg.svd(data - data.mean(axis=0), full_matrices=False)
    u = u[:, :2]
    u = u * np.sign(u[np.abs(u).argmax(axis=0), [0, 1]])
    shown, found = maps.principal_map(model)
    np.testing.assert_allclose(shown.xy, u, atol=1e-7)
    np.testing.assert_allclose(shown.variance, s[:2] ** 2 / (s**2).sum(), rtol=1e-8)
    np.testing.assert_array_equal(shown.variance, found.variance)
    assert shown.axes == ("PC1", "PC2")
    assert np.array_equal(shown.space, model.item_factors[1:])
    table = shown.table
    assert list(table.columns) == ["code", "title", "ratings", "0", "1", "2", "3"]
    assert table["title"].tolist() == model.titles[1:]
    assert table["ratings"].tolist() == model.counts[1:].tolist()
    np.testing.assert_allclose(table["2"], np.sqrt((u**2).sum(axis=1)), atol=1e-7)


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "ease"])
def test_two_openings_agree(name: str, tiny_runs) -> None:
    opened = []
    for seed in (1, 2):
        np.random.seed(seed)
        torch.manual_seed(seed)
        opened.append(maps.principal_map(TrainedModel.load(tiny_runs[1][name]))[0].table)
    pd.testing.assert_frame_equal(*opened, atol=1e-9)


def test_a_part_of_the_factors_has_a_map_of_its_own(model: TrainedModel) -> None:
    part = model.item_factors[1:, 5:25]
    shown = maps.principal_map(model, part, "L PC")[0]
    assert shown.axes == ("L PC1", "L PC2")
    data = part.astype(np.float64)
    u = np.linalg.svd(data - data.mean(axis=0), full_matrices=False)[0][:, :2]
    np.testing.assert_allclose(np.abs(shown.xy), np.abs(u), atol=1e-7)
    assert shown.space is part


def test_one_factor_has_no_map(small: TrainedModel) -> None:
    with pytest.raises(CftuiError, match=r"model4\.run: 19 movies x 1 factors; two components need at least two"):
        maps.principal_map(small, small.item_factors[1:, :1])


def test_only_some_items_keep_their_places(model: TrainedModel) -> None:
    whole = maps.principal_map(model)[0]
    keep = model.counts[1:] >= 100
    some = whole.only(keep)
    assert some.table["code"].tolist() == (1 + np.flatnonzero(keep)).tolist()
    assert some.table.index.tolist() == list(range(keep.sum()))
    assert np.array_equal(some.xy, whole.xy[keep])
    assert np.array_equal(some.space, model.item_factors[1:][keep])
    assert (some.axes, some.variance is whole.variance) == (whole.axes, True)


def test_the_ends_of_the_axes_are_named(model: TrainedModel) -> None:
    shown = maps.principal_map(model)[0]
    x, y = shown.xy.T
    wanted = [model.titles[1 + at] for at in (x.argmin(), x.argmax(), y.argmin(), y.argmax())]
    assert list(shown.ends()) == wanted
    assert shown.only(np.zeros(len(x), dtype=bool)).ends() == ("", "", "", "")


def test_the_last_epoch_lies_where_the_trained_model_does_and_earlier_ones_nearer_the_middle(
    model: TrainedModel,
) -> None:
    trained_map, found = maps.principal_map(model)
    kept = sorted(snapshots(model.run))
    assert kept == [0, 1, 2, 3, 4]
    by_epoch = [maps.epoch_map(model.at_epoch(epoch), found) for epoch in kept]
    # Kept in half precision: three digits.
    largest = np.abs(trained_map.xy).max()
    np.testing.assert_allclose(by_epoch[-1].xy, trained_map.xy, atol=1e-3 * largest)
    spread = [np.sqrt(np.square(shown.xy).sum(axis=1)).mean() for shown in by_epoch]
    assert spread[0] < spread[1] < min(spread[2:])
    assert spread[0] < 0.8 * spread[-1]
    # On the axes of the trained model: an item moves, the map does not turn.
    likeness = [np.corrcoef(shown.xy[:, 0], trained_map.xy[:, 0])[0, 1] for shown in by_epoch]
    assert likeness == sorted(likeness)
    assert likeness[0] > 0.8
    for epoch, shown in zip(kept, by_epoch, strict=True):
        assert np.array_equal(shown.space, model.at_epoch(epoch).item_factors[1:])
        assert shown.table["code"].tolist() == list(range(1, 1665))


def test_an_epoch_that_was_not_kept_is_met_with_those_that_were(small: TrainedModel) -> None:
    with pytest.raises(CftuiError, match=r"model4\.run: no snapshot of epoch 7; kept are 0, 1"):
        small.at_epoch(7)


def test_an_earlier_epoch_leaves_the_trained_model_as_it_is(small: TrainedModel) -> None:
    factors, bias = small.item_factors.copy(), small.item_bias.copy()
    earlier = small.at_epoch(0)
    assert not np.allclose(earlier.item_factors, factors, atol=1e-4)
    assert not np.allclose(earlier.item_bias, bias, atol=1e-4)
    assert not np.allclose(earlier.unit_factors, small.unit_factors, atol=1e-2)
    assert np.array_equal(small.item_factors, factors)
    assert np.array_equal(small.item_bias, bias)
    assert (earlier.epoch, small.epoch) == (0, None)


def test_poles_lie_at_minus_one_and_plus_one_of_their_axis(model: TrainedModel) -> None:
    ends = [
        maps.pole(model, title) for title in ("Toy Story (1995)", "Fargo (1996)", "star wars 1977", "Scream (1996)")
    ]
    shown = maps.named_map(model, (ends[0], ends[1]), (ends[2], ends[3]))
    codes = [int(end.codes[0]) for end in ends]
    for code, axis, wanted in zip(codes, (0, 0, 1, 1), (-1, 1, -1, 1), strict=True):
        assert place(shown, code)[axis] == pytest.approx(wanted, abs=1e-9)
    assert shown.axes == ("Toy Story (1995) → Fargo (1996)", "Star Wars (1977) → Scream (1996)")
    assert shown.variance is None
    assert np.array_equal(shown.space, model.item_factors[1:])
    # A coordinate is the projection on the line through both poles, in half lengths from its middle.
    space = model.item_factors.astype(np.float64)
    a, b = space[codes[0]], space[codes[1]]
    for code in (1, 500, 1664):
        along = sum((v - (p + q) / 2) * (q - p) for v, p, q in zip(space[code], a, b, strict=True))
        length = sum((q - p) ** 2 for p, q in zip(a, b, strict=True))
        assert place(shown, code)[0] == pytest.approx(2 * along / length, abs=1e-9)


def test_a_genre_is_a_pole_at_the_mean_of_its_items(model: TrainedModel) -> None:
    drama, horror = maps.pole(model, " drama "), maps.pole(model, "HORROR")
    assert (drama.name, horror.name) == ("Drama", "Horror")
    flags = model.item_table["genres"].str.split("|").map(lambda names: "Drama" in names)
    assert drama.codes.tolist() == np.flatnonzero(flags).tolist()
    shown = maps.named_map(model, (drama, horror), (horror, drama))
    for end, wanted in ((drama, -1), (horror, 1)):
        mean = shown.xy[end.codes - 1].mean(axis=0)
        np.testing.assert_allclose(mean, [wanted, -wanted], atol=1e-6)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fargo", "'fargo' fits several movies: Fargo Revisited"),
        ("qqqq", "no movie 'qqqq' in tiny"),
        ("#na#", "no movie '#na#' in tiny"),
    ],
)
def test_what_is_no_pole_is_said(text: str, complaint: str, small: TrainedModel) -> None:
    with pytest.raises(CftuiError) as caught:
        maps.pole(small, text)
    assert str(caught.value).startswith(complaint)


def test_an_axis_needs_two_places(small: TrainedModel) -> None:
    toy, drama, fargo = (maps.pole(small, text) for text in ("Toy Story (1995)", "drama", "Fargo (1996)"))
    for x, y in (((toy, toy), (fargo, drama)), ((fargo, drama), (toy, toy))):
        with pytest.raises(CftuiError, match=r"Toy Story \(1995\) and Toy Story \(1995\) are the same place"):
            maps.named_map(small, x, y)
    twin = Pole("Again", toy.codes)
    with pytest.raises(CftuiError, match=r"Toy Story \(1995\) and Again are the same place"):
        maps.named_map(small, (toy, twin), (fargo, drama))
    # One pole may serve both axes.
    assert np.isfinite(maps.named_map(small, (toy, fargo), (toy, drama)).xy).all()


def written(shown: ItemMap, tmp_path: Path) -> Path:
    path = tmp_path / "map.csv"
    path.write_text(shown.table[CSV].to_csv(index=False))
    return path


def test_a_map_that_was_written_comes_back_the_same(model: TrainedModel, tmp_path: Path) -> None:
    shown = maps.principal_map(model)[0]
    back = maps.read_back(model, read_map(written(shown, tmp_path)), "map.csv")
    pd.testing.assert_frame_equal(back.table, shown.table, rtol=1e-12)
    assert np.array_equal(back.space, shown.space)
    assert back.variance is None


def test_some_rows_in_any_order_are_told_by_their_titles(model: TrainedModel, tmp_path: Path) -> None:
    shown = maps.principal_map(model)[0].only(model.counts[1:] >= 100)
    mixed = dataclasses.replace(shown, table=shown.table.sample(frac=1, random_state=3))
    back = maps.read_back(model, read_map(written(mixed, tmp_path)), "map.csv")
    pd.testing.assert_frame_equal(back.table, shown.table, rtol=1e-12)
    assert np.array_equal(back.space, shown.space)


def test_titles_that_are_not_the_models_are_left_out(small: TrainedModel) -> None:
    table = pd.DataFrame({"0": [0.1, 0.2, 0.3], "1": [1.0, -1, 0], "title": ["Nosferatu", "Fargo (1996)", "#na#"]})
    back = maps.read_back(small, table, "map.csv")
    assert back.table["title"].tolist() == ["Fargo (1996)"]
    assert back.xy.tolist() == [[0.2, -1.0]]
    with pytest.raises(CftuiError, match=r"map\.csv: none of its titles is in tiny"):
        maps.read_back(small, table.iloc[[0, 2]], "map.csv")


def test_without_titles_there_must_be_a_row_for_every_item(small: TrainedModel) -> None:
    table = maps.principal_map(small)[0].table[["0", "1"]]
    back = maps.read_back(small, table, "map.csv")
    assert np.array_equal(back.xy, table.to_numpy())
    assert back.table["title"].tolist() == small.titles[1:]
    for wrong in (table.iloc[:-1], pd.concat([table, table.iloc[:1]])):
        with pytest.raises(CftuiError) as caught:
            maps.read_back(small, wrong, "map.csv")
        assert str(caught.value) == f"map.csv: {len(wrong)} rows without titles; model4.run has 19"


def test_a_map_of_items_that_share_a_title_comes_back_whole(tmp_path: Path, tiny_known: str) -> None:
    home = Home(tmp_path / "home")
    write_tiny(home.data / tiny_known)
    options = recipe("model4").options(epochs=1, bs=16, factors=4, item_key="id")
    run = train(home, recipe("model4"), options, data=tiny_known, device=torch.device("cpu"))
    model = TrainedModel.load(run)
    shown = maps.principal_map(model)[0]
    assert shown.table["title"].duplicated().sum() == 1
    back = maps.read_back(model, read_map(written(shown, tmp_path)), "map.csv")
    pd.testing.assert_frame_equal(back.table, shown.table, rtol=1e-12)


def plain_trust(shown: ItemMap, row: int, n: int) -> tuple[int, int]:
    near = []
    for points in (shown.xy.tolist(), shown.space.astype(float).tolist()):
        far = [sum((a - b) ** 2 for a, b in zip(one, points[row], strict=True)) for one in points]
        others = sorted((at for at in range(len(points)) if at != row), key=lambda at: far[at])
        near.append(set(others[:n]))
    return len(near[0] & near[1]), min(n, len(shown.table) - 1)


@pytest.mark.parametrize("n", [1, 10, 50])
def test_trust_is_how_many_neighbours_the_plane_keeps(n: int, model: TrainedModel) -> None:
    shown = maps.principal_map(model)[0].only(model.counts[1:] >= 120)
    for row in range(0, len(shown.table), 37):
        assert maps.trust(shown, row, n) == plain_trust(shown, row, n)


def test_a_plane_is_trusted_wholly_where_the_space_is_one(small: TrainedModel) -> None:
    shown = maps.principal_map(small)[0]
    flat = dataclasses.replace(shown, space=shown.xy * 3 + 1)
    for row in range(19):
        assert maps.trust(flat, row) == (10, 10)
        assert maps.trust(flat, row, 100) == (18, 18)
    assert maps.trust(flat.only(np.arange(19) < 4), 2) == (3, 3)
    assert maps.trust(flat.only(np.arange(19) < 1), 0) == (0, 0)


def test_quadrants_are_groups_in_their_order(model: TrainedModel) -> None:
    shown = maps.principal_map(model)[0]
    group, names = maps.groups(model, shown.table, "quadrant")
    assert names == ("First", "Second", "Third", "Fourth", "Center")
    x, y = shown.xy.T
    signs = {(True, True): 0, (False, True): 1, (False, False): 2, (True, False): 3}
    assert group.tolist() == [signs[a > 0, b > 0] for a, b in zip(x, y, strict=True)]
    on_axis = shown.table.iloc[:3].assign(**{"0": [0.0, 0.1, 0.0], "1": [0.1, -0.1, 0.0]})
    assert maps.groups(model, on_axis, "quadrant")[0].tolist() == [4, 3, 4]


def test_genres_are_the_six_commonest_and_an_item_the_rarest_of_its_own(model: TrainedModel) -> None:
    table = maps.principal_map(model)[0].table
    group, names = maps.groups(model, table, "genre")
    genres = model.item_table["genres"].iloc[1:].str.split("|")
    sizes = genres.explode().value_counts()
    assert set(names[:-1]) == set(sizes.index[:6])
    assert names[-1] == "other"
    for own, found in zip(genres, group, strict=True):
        common = [name for name in own if name in names[:-1]]
        assert names[found] == (min(common, key=lambda name: sizes[name]) if common else "other")


def test_genres_are_counted_among_the_items_shown(model: TrainedModel) -> None:
    table = maps.principal_map(model)[0].table
    war = table[model.genres["War"][table["code"]]].reset_index(drop=True)
    group, names = maps.groups(model, war, "genre")
    assert names[0] == "War"
    assert len(group) == len(war)
    assert {names[at] for at in group} <= set(names)


@pytest.mark.parametrize("by", ["bias", "ratings"])
def test_numbers_are_coloured_by_fifths_of_the_items_shown(by: str, model: TrainedModel) -> None:
    table = maps.principal_map(model)[0].only(model.counts[1:] >= 20).table
    group, names = maps.groups(model, table, by)
    values = (model.item_bias if by == "bias" else model.counts)[table["code"]]
    assert len(names) == 5
    sizes = np.bincount(group, minlength=5)
    assert sizes.min() > 0.17 * len(table)
    for lower, higher in zip(range(4), range(1, 5), strict=True):
        assert values[group == lower].max() <= values[group == higher].min()
    first, last = names[0].split(" to ")[0], names[-1].split(" to ")[1]
    wanted = (
        (f"{values.min():+.2f}", f"{values.max():+.2f}") if by == "bias" else (f"{values.min()}", f"{values.max()}")
    )
    assert (first, last) == wanted


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "ease"])
@pytest.mark.parametrize("by", maps.COLOURINGS)
def test_every_map_can_be_coloured_or_says_why_not(name: str, by: str, tiny_runs) -> None:
    model = TrainedModel.load(tiny_runs[1][name])
    table = maps.principal_map(model)[0].table
    if by == "bias" and not model.has_bias:
        with pytest.raises(CftuiError, match=rf"{name}\.run: {name} has no biases"):
            maps.groups(model, table, by)
        return
    group, names = maps.groups(model, table, by)
    assert group.shape == (19,)
    assert group.min() >= 0
    assert group.max() < len(names)
    assert len(set(group.tolist())) > 1


def test_another_colouring_is_refused_by_name(small: TrainedModel) -> None:
    with pytest.raises(CftuiError, match="no colouring 'genres'; did you mean genre"):
        maps.groups(small, maps.principal_map(small)[0].table, "genres")


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=60))
def test_fifths_ascend_and_leave_nobody_out(values: list[float]) -> None:
    group, names = maps.fifths(values)
    assert len(names) == 5
    assert len(group) == len(values)
    assert set(group.tolist()) <= set(range(5))
    for a, b in ((a, b) for a in range(len(values)) for b in range(len(values)) if values[a] <= values[b]):
        assert group[a] <= group[b]


def test_fifths_of_distinct_numbers_are_equal_and_of_nothing_nothing() -> None:
    group, names = maps.fifths(np.arange(100))
    assert group.tolist() == np.repeat(np.arange(5), 20).tolist()
    assert names == ("0 to 20", "20 to 40", "40 to 59", "59 to 79", "79 to 99")
    assert maps.fifths([1234.5, 1234.5])[1] == ("+1234.50 to +1234.50",) * 5
    nothing, none = maps.fifths([])
    assert (nothing.tolist(), none) == ([], ())


def test_reading_a_model_changes_nothing_in_it(small: TrainedModel) -> None:
    before = copy.deepcopy(small.module.state_dict())
    shown, found = maps.principal_map(small)
    maps.epoch_map(small.at_epoch(1), found)
    maps.named_map(small, *[(maps.pole(small, "war"), maps.pole(small, "drama"))] * 2)
    maps.groups(small, shown.table, "bias")
    assert all(torch.equal(value, before[name]) for name, value in small.module.state_dict().items())

"""Splits: disjoint, complete, and the ones they claim to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import NAMES, folds, offered, official_folds, split
from cftui.errors import CftuiError


@pytest.mark.parametrize("name", offered(NAMES, has_given=False))
def test_every_rating_is_on_one_side_only(ratings: Ratings, name: str) -> None:
    parts = split(ratings, name)
    assert parts.name == name
    assert np.array_equal(np.sort(np.concatenate([parts.train, parts.valid])), np.arange(len(ratings)))
    assert len(parts.valid) < len(parts.train)
    assert bool(len(parts.valid)) == (name != "none")


def test_random_is_the_first_fifth_of_a_torch_permutation(ratings: Ratings) -> None:
    for seed in (0, 3):
        order = torch.randperm(100_000, generator=torch.Generator().manual_seed(seed)).numpy()
        parts = split(ratings, "random", seed)
        assert np.array_equal(parts.valid, order[:20_000])
        assert np.array_equal(np.sort(parts.train), np.sort(order[20_000:]))


def test_random_leaves_the_global_generator_alone(tiny: Ratings) -> None:
    torch.manual_seed(11)
    wanted = torch.rand(3)
    torch.manual_seed(11)
    split(tiny, "random", 5)
    assert torch.equal(torch.rand(3), wanted)


def test_random_rounds_the_validation_share_down(tiny: Ratings) -> None:
    assert len(split(tiny, "random").valid) == int(0.2 * len(tiny))


@pytest.mark.parametrize("k", range(1, 6))
def test_official_folds_are_runs_of_the_file(ratings: Ratings, k: int) -> None:
    parts = split(ratings, f"u{k}", seed=9)
    assert np.array_equal(parts.valid, np.arange((k - 1) * 20_000, k * 20_000))


def test_time_validates_on_the_last_fifth_of_each_user(ratings: Ratings) -> None:
    parts = split(ratings, "time")
    for user in range(1, len(ratings.users)):
        times = ratings.timestamp
        train = parts.train[ratings.user[parts.train] == user]
        valid = parts.valid[ratings.user[parts.valid] == user]
        assert len(valid) == int(0.2 * (len(train) + len(valid)))
        assert times[valid].min() >= times[train].max()


def test_time_breaks_ties_by_file_order(tiny: Ratings) -> None:
    from dataclasses import replace

    same = replace(tiny, timestamp=np.ones_like(tiny.timestamp))
    parts = split(same, "time")
    for user in np.unique(tiny.user):
        train, valid = (rows[tiny.user[rows] == user] for rows in (parts.train, parts.valid))
        assert train.max() < valid.min()


def test_without_times_nothing_comes_last(tiny: Ratings) -> None:
    from dataclasses import replace

    with pytest.raises(CftuiError, match=r"has no times, so nothing comes last; import it again with --time COL"):
        split(replace(tiny, timestamp=np.zeros_like(tiny.timestamp)), "time")


def test_unknown_split_lists_what_there_is(tiny: Ratings) -> None:
    with pytest.raises(CftuiError, match=r"no split 'u9'; choose from random, u1, .*time"):
        split(tiny, "u9")


def test_a_data_set_without_official_folds_says_so(tiny: Ratings) -> None:
    from dataclasses import replace

    with pytest.raises(CftuiError, match="no official split u1"):
        split(replace(tiny, known_splits=()), "u1")


@pytest.mark.parametrize("k", [2, 5, 7, 355])
def test_each_rating_validates_in_one_fold_and_trains_in_the_others(tiny: Ratings, k: int) -> None:
    n, parts = len(tiny), list(folds(tiny, k, seed=3))
    assert [part.name for part in parts] == [f"fold{which}of{k}" for which in range(1, k + 1)]
    assert np.array_equal(np.sort(np.concatenate([part.valid for part in parts])), np.arange(n))
    for part in parts:
        assert np.array_equal(np.sort(np.concatenate([part.train, part.valid])), np.arange(n))
        assert len(part.valid) in (n // k, n // k + 1)


def test_folds_are_drawn_from_the_seed(tiny: Ratings) -> None:
    first, again, other = (list(folds(tiny, 4, seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a.valid, b.valid) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.valid, b.valid) for a, b in zip(first, other, strict=True))


def test_the_first_of_five_folds_is_the_random_split(ratings: Ratings) -> None:
    fold, whole = next(folds(ratings, 5, seed=3)), split(ratings, "random", 3)
    assert np.array_equal(fold.valid, whole.valid)
    # In the same order: a training on it is the same training.
    assert np.array_equal(fold.train, whole.train)


def test_a_fold_goes_by_its_name_as_well(tiny: Ratings) -> None:
    third = list(folds(tiny, 4, seed=6))[2]
    named = split(tiny, "fold3of4", 6)
    assert named.name == third.name == "fold3of4"
    assert np.array_equal(named.train, third.train)
    assert np.array_equal(named.valid, third.valid)


@pytest.mark.parametrize("name", ["fold5of4", "fold0of4", "fold1of1", "fold1of", "fold1of100000"])
def test_no_such_fold(tiny: Ratings, name: str) -> None:
    with pytest.raises(CftuiError):
        split(tiny, name)


@pytest.mark.parametrize("k", [-1, 0, 1, 100_000])
def test_a_wrong_number_of_folds_is_said_at_once(tiny: Ratings, k: int) -> None:
    with pytest.raises(CftuiError, match=f"{k} folds: must be a number from 2 to the {len(tiny)} ratings of tiny"):
        folds(tiny, k)


def test_official_folds_are_those_of_the_data_set(ratings: Ratings, tiny: Ratings) -> None:
    from dataclasses import replace

    parts = list(official_folds(ratings))
    assert [part.name for part in parts] == ["u1", "u2", "u3", "u4", "u5"]
    assert np.array_equal(np.concatenate([part.valid for part in parts]), np.arange(len(ratings)))
    with pytest.raises(CftuiError, match="tiny has no official folds"):
        official_folds(replace(tiny, known_splits=()))

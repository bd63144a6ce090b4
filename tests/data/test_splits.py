"""Splits: disjoint, complete, and the ones they claim to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import NAMES, split
from cftui.errors import CftuiError


@pytest.mark.parametrize("name", NAMES)
def test_every_rating_is_on_one_side_only(ratings: Ratings, name: str) -> None:
    parts = split(ratings, name)
    assert parts.name == name
    assert np.array_equal(np.sort(np.concatenate([parts.train, parts.valid])), np.arange(len(ratings)))
    assert 0 < len(parts.valid) < len(parts.train)


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

    same = replace(tiny, timestamp=np.zeros_like(tiny.timestamp))
    parts = split(same, "time")
    for user in np.unique(tiny.user):
        train, valid = (rows[tiny.user[rows] == user] for rows in (parts.train, parts.valid))
        assert train.max() < valid.min()


def test_unknown_split_lists_what_there_is(tiny: Ratings) -> None:
    with pytest.raises(CftuiError, match=r"no split 'u9'; there is: random, u1, .*time"):
        split(tiny, "u9")


def test_a_data_set_without_official_folds_says_so(tiny: Ratings) -> None:
    from dataclasses import replace

    with pytest.raises(CftuiError, match="no official split u1"):
        split(replace(tiny, known_splits=()), "u1")

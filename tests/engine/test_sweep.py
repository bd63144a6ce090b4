"""Sweeps: which settings are tried, and that none of them sees what is held back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from cftui.data.ratings import Ratings
from cftui.data.splits import split
from cftui.engine.models.method import Criterion
from cftui.engine.models.recipes import recipe
from cftui.engine.runs.folder import RunFolder
from cftui.engine.sweep import Between, Trial, as_words, best, parse, settings, sweep
from cftui.errors import CftuiError
from cftui.home import Home

from ..conftest import TINY

MODEL1 = recipe("model1")


@pytest.mark.parametrize("outer", ["random", "time", "fold2of5"])
def test_an_inner_split_never_touches_what_the_outer_one_holds_back(tiny: Ratings, outer: str) -> None:
    held_back = set(split(tiny, outer, 3).valid.tolist())
    inner = split(tiny, f"{outer}.inner", 3)
    train, valid = set(inner.train.tolist()), set(inner.valid.tolist())
    assert not train & valid
    assert not held_back & (train | valid)
    assert len(held_back) + len(train) + len(valid) == len(tiny)
    assert len(valid) == int(0.2 * (len(tiny) - len(held_back)))
    again = split(tiny, f"{outer}.inner", 3)
    assert np.array_equal(again.train, inner.train)


def test_a_grid_is_every_combination_once() -> None:
    grid = parse(MODEL1, ["lr=1e-3,5e-3,1e-3", " factors = 4,8,16"])
    tried = settings(grid)
    assert len(tried) == 6
    assert {"lr": 5e-3, "factors": 16} in tried
    assert all(isinstance(one["factors"], int) for one in tried)


def test_draws_are_within_their_ranges_repeat_themselves_and_are_all_different() -> None:
    grid = parse(MODEL1, ["lr=1e-4..1e-1", "factors=4..64", "wd=0..0.5", "bs=32,64"])
    tried = settings(grid, 60, seed=1)
    assert tried == settings(grid, 60, seed=1) != settings(grid, 60, seed=2)
    assert len({tuple(one.items()) for one in tried}) == 60
    assert all(1e-4 <= one["lr"] <= 1e-1 and 4 <= one["factors"] <= 64 and one["bs"] in (32, 64) for one in tried)
    assert all(isinstance(one["factors"], int) for one in tried)
    # Evenly on a logarithmic scale: about a third in each of the three decades.
    assert 10 < sum(one["lr"] < 1e-3 for one in tried) < 32


def test_a_small_grid_gives_no_more_than_it_has() -> None:
    assert len(settings(parse(MODEL1, ["bs=32,64"]), 10)) == 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["lr"], "must be such as"),
        (["lr="], "must be such as"),
        (["rate=1"], "no option 'rate'"),
        (["seed=1,2"], "option 'seed' cannot be swept"),
        (["lr=fast"], "must be a number above 0"),
        (["lr=1e-3,-1"], "must be a number above 0"),
        (["lr=2..1"], "from the lower value to the higher"),
        (["lr=1e-3", "lr=1e-2"], "given twice"),
    ],
)
def test_what_is_wrong_with_a_grid_is_said(asked: list[str], said: str) -> None:
    with pytest.raises(CftuiError, match=said):
        parse(MODEL1, asked)


def test_a_range_without_draws_and_too_many_combinations_are_refused() -> None:
    with pytest.raises(CftuiError, match="--random N"):
        settings({"lr": Between(1e-3, 1e-2)})
    with pytest.raises(CftuiError, match="1,024 combinations"):
        settings({"lr": [10.0**-power for power in range(32)], "factors": list(range(1, 33))})


def test_the_best_is_the_least_loss_and_an_exploded_one_never_is() -> None:
    trials = [Trial("a", {}, 0.9), Trial("b", {}, None), Trial("c", {}, 0.8)]
    assert best(trials).run == "c"
    assert best(trials[1:2]) is None
    assert as_words({"lr": 0.005, "wd_bias": 0.02}) == "lr 0.005, wd_bias 0.02"
    assert best(trials, Criterion("ndcg", "NDCG@10", higher_is_better=True)).run == "a"


def test_every_trial_is_a_run_with_its_setting_and_an_explosion_does_not_end_the_sweep(tiny_home) -> None:
    tried = [{"lr": 5e-3, "wd_bias": 0.02}, {"lr": 500.0}, {"lr": 1e-3}]
    options = recipe("model1").options(epochs=2, bs=16, factors=4)
    shared: dict[str, Any] = {"data": TINY, "device": torch.device("cpu"), "stop_requested": lambda: False}
    trials = list(sweep(tiny_home, recipe("model1"), options, tried, name="s", **shared))
    assert [trial.run for trial in trials] == ["s-01", "s-02", "s-03"]
    assert trials[1].loss is None
    for trial in (trials[0], trials[2]):
        run = RunFolder(tiny_home.models / trial.run)
        assert run.history().ending["valid_loss"] == trial.loss
        kept = run.config().options.as_json()
        assert kept["split"] == "random.inner"
        assert all(kept[name] == value for name, value in trial.setting.items())


def test_a_sweep_that_is_asked_to_stop_ends_with_the_trial_in_hand(tiny_home) -> None:
    second = tiny_home.models / "s-02"
    shared: dict[str, Any] = {"data": TINY, "device": torch.device("cpu"), "stop_requested": second.exists}
    tried = [{"lr": rate} for rate in (1e-3, 2e-3, 3e-3)]
    trials = list(
        sweep(tiny_home, recipe("model1"), recipe("model1").options(epochs=1, bs=16), tried, name="s", **shared)
    )
    assert len(trials) == 1
    assert RunFolder(second).status() == "stopped"
    assert not (tiny_home.models / "s-03").exists()


def test_a_sweep_that_was_stopped_goes_on_where_it_was(tiny_home: Home) -> None:
    row = recipe("model4")
    options = row.options(epochs=2, bs=16, factors=4)
    tried: list[dict[str, Any]] = [{"wd": 0.1}, {"lr": 500.0}, {"wd": 0.3}]
    shared: dict[str, Any] = {"data": TINY, "device": torch.device("cpu")}
    whole = list(sweep(tiny_home, row, options, tried, name="whole", stop_requested=lambda: False, **shared))

    begun = RunFolder(tiny_home.models / "s-03").events_file
    stop = lambda: begun.exists() and begun.read_text().count('"epoch"') > 1  # noqa: E731
    first = list(sweep(tiny_home, row, options, tried, name="s", stop_requested=stop, **shared))
    assert [trial.run for trial in first] == ["s-01", "s-02"]
    done = RunFolder(tiny_home.models / "s-01").weights_file.stat().st_mtime_ns
    rest = list(sweep(tiny_home, row, options, tried, name="s", stop_requested=lambda: False, **shared))
    assert [trial.loss for trial in rest] == [trial.loss for trial in whole]
    assert rest[1].loss is None
    assert RunFolder(tiny_home.models / "s-01").weights_file.stat().st_mtime_ns == done


def test_a_sweep_does_not_go_on_with_other_ratings(tiny_home: Home) -> None:
    row = recipe("model1")
    shared: dict[str, Any] = {"device": torch.device("cpu"), "name": "s", "stop_requested": lambda: False}
    options = row.options(epochs=1, bs=16, factors=4)
    list(sweep(tiny_home, row, options, [{"wd": 0.1}], data=TINY, **shared))
    run = RunFolder(tiny_home.models / "s-01")
    value = json.loads(run.config_file.read_text())
    value["data"]["fingerprint"] = "another"
    run.config_file.write_text(json.dumps(value))
    with pytest.raises(CftuiError, match="no longer the data set that s-01 was trained on; choose another name"):
        list(sweep(tiny_home, row, options, [{"wd": 0.1}], data=TINY, **shared))

"""Stopping early, going on, blowing up, and looking back."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import pytest
import torch

from cftui.data.splits import split
from cftui.engine import clock, training
from cftui.engine.baselines import baselines, fit_biases, item_knn
from cftui.engine.fitting import Diverged, Hooks
from cftui.engine.gradient import trainer as trainer_module
from cftui.engine.gradient.lr_finder import find_lr
from cftui.engine.gradient.method import GradientOptions
from cftui.engine.gradient.trainer import Trainer
from cftui.engine.models.recipes import recipe
from cftui.engine.runs import weights
from cftui.engine.runs.events import EventReader
from cftui.engine.runs.folder import RunFolder, differences, process_identity, rename
from cftui.engine.runs.summaries import summarise
from cftui.errors import CftuiError
from cftui.home import Home

from ..settings import gradient_options, options_for

CPU = torch.device("cpu")


def fit(home: Home, name: str = "mine", model: str = "model4", **options) -> RunFolder:
    given = options_for(recipe(model), **{"epochs": 3, "bs": 16, "factors": 8, **options})
    return training.train(home, recipe(model), given, data="tiny", device=CPU, name=name)


def trainer_of(ratings, model: str = "model4", **options) -> Trainer:
    given = options_for(recipe(model), **{"epochs": 3, "bs": 16, "factors": 8, **options})
    assert isinstance(given, GradientOptions)
    return Trainer(recipe(model), given, ratings, split(ratings, "random", given.seed), CPU)


# Going on


def test_a_run_that_is_done_goes_on_for_more_epochs_over_a_cycle_of_its_own(tiny_home: Home) -> None:
    run = fit(tiny_home, lr=0.1)
    first = max(window["lr"] for window in run.history().windows)
    training.resume(tiny_home, run, more_epochs=2, device=CPU)
    history = run.history()
    assert [epoch["epoch"] for epoch in history.epochs] == [0, 1, 2, 3, 4]
    assert history.progress == 1
    second = [window["lr"] for window in history.windows if window["epoch"] > 2]
    assert max(second) > 0.8 * first
    assert second[-1] < 0.01 * first


def test_going_on_needs_to_be_asked_for_in_the_right_way(tiny_home: Home) -> None:
    run = fit(tiny_home)
    with pytest.raises(CftuiError, match=r"is done.*--epochs N"):
        training.resume(tiny_home, run, device=CPU)


def test_an_extension_that_is_killed_resumes_exactly(tiny_home: Home) -> None:
    class Killed(BaseException):
        pass

    def die(event: Any) -> None:
        if event["event"] == "window" and event["epoch"] == 4:
            raise Killed

    whole, killed = fit(tiny_home, "whole"), fit(tiny_home, "killed")
    training.resume(tiny_home, whole, more_epochs=3, device=CPU)
    with pytest.raises(Killed):
        training.resume(tiny_home, killed, more_epochs=3, device=CPU, emit=die)
    # The process that began it is this one, and lives: say that it does not.
    log = killed.events_file.read_text().replace(f'"pid": {os.getpid()}', '"pid": 4194399')
    killed.events_file.write_text(log)
    assert killed.status() == "dead"
    training.resume(tiny_home, killed, device=CPU)
    ends = [weights.load_weights(run) for run in (whole, killed)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


# Ending early


def test_patience_ends_a_run_that_gets_worse_and_the_best_epoch_is_kept(ratings) -> None:
    options = gradient_options(recipe("model3"), epochs=8, bs=512, lr=2e-2, patience=2, keep_best=True)
    overfits = Trainer(recipe("model3"), options, ratings, split(ratings, "random", 0), CPU)
    losses: list[float] = []
    hooks = Hooks(emit=lambda e: losses.append(e["valid_loss"]) if e["event"] == "epoch" else None)
    assert overfits.fit(hooks) == "early"
    best = int(np.argmin(losses))
    assert len(losses) == best + 3
    assert overfits.best == (losses[best], best)
    assert overfits.validate().mse == losses[best]
    assert losses[-1] > losses[best]


def test_the_log_says_which_epoch_was_kept(tiny_home: Home) -> None:
    run = fit(tiny_home, model="model3", epochs=12, lr=0.3, keep_best=True)
    history = run.history()
    assert history.ending["kept_epoch"] == history.best["epoch"] != 11
    assert history.ending["valid_loss"] == history.best["valid_loss"]
    assert summarise(run).valid_loss == history.best["valid_loss"]


def test_a_run_killed_between_its_last_epoch_and_its_end_still_ends_early(ratings) -> None:
    options = gradient_options(recipe("model3"), epochs=8, bs=512, lr=2e-2, patience=2)
    states = []
    whole = Trainer(recipe("model3"), options, ratings, split(ratings, "random", 0), CPU)
    assert whole.fit(Hooks(checkpoint=lambda: states.append(whole.state()))) == "early"
    again = Trainer(recipe("model3"), options, ratings, split(ratings, "random", 0), CPU)
    again.load_state(states[-1])
    assert again.fit() == "early"
    assert again.step == whole.step
    again.extend(5)
    assert again.fit() == "early"
    assert again.epoch - whole.epoch >= 2, "patience counts from where the extension began"


# Blowing up


def test_an_exploding_loss_names_epoch_batch_and_rate_and_keeps_the_last_good_weights(tiny_home: Home) -> None:
    with pytest.raises(Diverged, match=r"in epoch \d+, batch \d+, at learning rate .*; try a lower --lr"):
        fit(tiny_home, model="model1", lr=500.0, epochs=5)
    run = RunFolder(tiny_home.models / "mine")
    assert run.status() == "failed"
    assert "at learning rate" in run.history().ending["reason"]
    kept = weights.load_weights(run)
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())
    assert max(tensor.abs().max() for tensor in kept.values()) < 1e4


def test_short_memory_names_a_batch_size_that_fits(tiny_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    real = trainer_module.step_for

    def small(*arguments):
        step = real(*arguments)

        def limited(user, item, rating, pace):
            if len(rating) > 40:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return step(user, item, rating, pace)

        limited.optimizer = step.optimizer  # type: ignore[attr-defined]
        return limited

    monkeypatch.setattr(trainer_module, "step_for", small)
    with pytest.raises(CftuiError, match="out of memory on cpu with batches of 128; --bs 32 fits"):
        fit(tiny_home, bs=128)
    assert "--bs 32 fits" in RunFolder(tiny_home.models / "mine").history().ending["reason"]


def test_the_last_good_weights_are_from_before_the_explosion(tiny_home: Home) -> None:
    # One batch a window: the weights after the last sound window are already beyond repair.
    with pytest.raises(Diverged):
        fit(tiny_home, model="model1", lr=900.0, bs=128, epochs=8)
    kept = weights.load_weights(RunFolder(tiny_home.models / "mine"))
    assert max(tensor.abs().max() for tensor in kept.values()) < 100


# Signs of life


def test_one_trainer_at_a_time(tiny_home: Home) -> None:
    run = fit(tiny_home)
    with run.lock(), pytest.raises(CftuiError, match="by another process"):
        training.resume(tiny_home, run, more_epochs=1, device=CPU)
    training.resume(tiny_home, run, more_epochs=1, device=CPU)
    assert len(run.history().epochs) == 4


def test_a_silent_trainer_is_stalled_and_one_elsewhere_dead(tiny_home: Home) -> None:
    run = fit(tiny_home)
    lines = run.events_file.read_text().splitlines()
    begun = [line for line in lines if '"event": "done"' not in line]
    run.events_file.write_text("\n".join(begun) + "\n")
    assert run.status() == "running"
    for sign in (run.heartbeat_file, run.events_file):
        os.utime(sign, (1, 1))
    assert run.status() == "stalled"
    host = process_identity()["host"]
    run.events_file.write_text("\n".join(begun).replace(f'"host": "{host}"', '"host": "elsewhere"') + "\n")
    os.utime(run.events_file, (1, 1))
    assert run.status() == "dead"
    run.beat()
    assert run.status() == "running"


def test_the_trainer_shows_life(tiny) -> None:
    beats = []
    trainer = trainer_of(tiny, epochs=400)
    trainer_module_beat = clock.HEARTBEAT_SECONDS
    try:
        clock.HEARTBEAT_SECONDS = 0.0
        trainer.fit(Hooks(heartbeat=lambda: beats.append(trainer.step), should_stop=lambda: trainer.step > 50))
    finally:
        clock.HEARTBEAT_SECONDS = trainer_module_beat
    assert beats[:3] == [1, 2, 3]


# Looking back


@pytest.mark.slow
def test_the_log_stays_small_however_long_the_run(tiny) -> None:
    counts = []
    for epochs in (50, 400):
        events: list[Any] = []
        trainer = trainer_of(tiny, epochs=epochs)
        trainer.fit(Hooks(emit=events.append))
        assert trainer.steps > 800
        counts.append(sum(event["event"] == "window" for event in events))
    assert max(counts) <= trainer_module.WINDOWS * 2


def test_two_watchers_see_the_same(tiny_home: Home) -> None:
    run = fit(tiny_home)
    readers = EventReader(run.events_file), EventReader(run.events_file)
    first = readers[0].poll()
    assert first == readers[1].poll()
    assert not readers[0].poll()


def test_item_factors_are_kept_per_epoch_and_thinned(tiny_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fit(tiny_home)
    assert list(weights.snapshots(run)) == [0, 1, 2]
    final = weights.load_weights(run)["item_factors.weight"]
    assert torch.allclose(weights.load_snapshot(run, 2)["item_factors"], final, atol=1e-3)
    assert not torch.allclose(weights.load_snapshot(run, 0)["item_factors"], final, atol=1e-3)
    with pytest.raises(CftuiError, match="no snapshot of epoch 7"):
        weights.load_snapshot(run, 7)
    monkeypatch.setattr(weights, "SNAPSHOTS", 4)
    kept = list(weights.snapshots(fit(tiny_home, "long", epochs=20)))
    assert len(kept) <= 4
    assert kept[0] == 0
    assert kept[-1] > 10


def test_runs_can_be_renamed_and_compared(tiny_home: Home) -> None:
    first, second = fit(tiny_home, "first"), fit(tiny_home, "second", lr=0.01)
    renamed = rename(tiny_home, first, "other")
    assert renamed.status() == "done"
    with pytest.raises(CftuiError, match="there is a run second already"):
        rename(tiny_home, renamed, "second")
    found = {row["what"]: (row["other"], row["second"]) for row in differences(renamed, second)}
    assert found["lr"] == (0.005, 0.01)
    assert "recipe" not in found
    assert "bs" not in found


def test_a_chain_is_compared_by_what_it_has(tiny_home: Home) -> None:
    first = fit(tiny_home, "gradients")
    options = recipe("bayes").options(epochs=4)
    chain = training.train(tiny_home, recipe("bayes"), options, data="tiny", device=CPU, name="chain")
    found = {row["what"]: (row["gradients"], row["chain"]) for row in differences(first, chain)}
    assert found["recipe"] == (first.config().recipe.name, "bayes")
    assert found["lr"][1] is found["bs"][1] is found["wd"][1] is None
    assert found["lr"][0] is not None
    assert found["implicit"] == (None, True)
    assert found["epochs done"][1] == 4


# What a loss is worth


def test_baselines_against_plain_loops(tiny) -> None:
    parts = split(tiny, "random", 0)
    biases = fit_biases(tiny, parts.train)
    residual = {}
    for row in parts.train:
        u, i = int(tiny.user[row]), int(tiny.item[row])
        residual[u, i] = float(tiny.rating[row]) - (biases.mean + biases.user[u] + biases.item[i])
    users, items = range(1, len(tiny.users)), range(1, len(tiny.items))

    def similarity(i: int, j: int) -> float:
        both = [u for u in users if (u, i) in residual and (u, j) in residual]
        if i == j or not both:
            return 0.0
        dot = sum(residual[u, i] * residual[u, j] for u in both)
        norm = math.sqrt(sum(residual[u, i] ** 2 for u in both) * sum(residual[u, j] ** 2 for u in both))
        return max(dot / max(norm, 1e-8), 0.0) * len(both) / (len(both) + 100.0)

    table = {(i, j): similarity(i, j) for i in items for j in items}
    expected = []
    for row in parts.valid:
        u, i = int(tiny.user[row]), int(tiny.item[row])
        near = sorted(((table[i, j], residual[u, j]) for j in items if (u, j) in residual), reverse=True)[:40]
        total = sum(s for s, _ in near)
        offset = sum(s * r for s, r in near) / total if total > 0 else 0.0
        expected.append(biases.mean + biases.user[u] + biases.item[i] + offset)
    assert np.allclose(item_knn(tiny, parts, biases), expected, atol=1e-4)


def test_each_baseline_is_worth_more_than_the_one_before(ratings) -> None:
    found = baselines(ratings, split(ratings, "random", 1))
    assert found["global_mean"] == pytest.approx(1.277, abs=0.001)
    assert 0.89 < found["bias_only"] < 0.91
    assert 0.83 < found["item_knn"] < 0.86


def test_baselines_are_computed_once_and_a_damaged_cache_is_only_a_cache(
    tiny_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fit(tiny_home, "first").history().baselines
    monkeypatch.setattr(training, "baselines", lambda *_: pytest.fail("computed again"))
    assert fit(tiny_home, "second").history().baselines == first
    monkeypatch.undo()
    (tiny_home.models / ".baselines.json").write_text("{ torn")
    assert fit(tiny_home, "third").history().baselines == first


# The learning-rate finder


def test_a_run_killed_before_its_baselines_gets_them_when_it_goes_on(tiny_home: Home) -> None:
    run = fit(tiny_home)
    lines = run.events_file.read_text().splitlines(keepends=True)
    run.events_file.write_text("".join(line for line in lines if '"baselines"' not in line))
    training.resume(tiny_home, run, more_epochs=1, device=CPU)
    assert run.history().baselines.keys() == {"global_mean", "bias_only", "item_knn"}


def test_the_learning_rate_finder_suggests_what_trains(ratings) -> None:
    parts = split(ratings, "random", 0)
    found = find_lr(Trainer(recipe("model4"), gradient_options(recipe("model4")), ratings, parts, CPU))
    assert 5e-4 < found.suggestion < 3e-2
    assert found.lr == sorted(found.lr)
    assert found.loss[-1] > 1.3 * min(found.loss)


# Many ratings


def test_an_order_drawn_ahead_is_the_order(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large set the first epoch's order is drawn in another thread; training goes on as it would have."""
    plain = trainer_of(tiny)
    plain.fit()
    monkeypatch.setattr(trainer_module, "AHEAD", 0)
    ahead = trainer_of(tiny)
    assert ahead._ahead is not None
    ahead.fit()
    assert plain._ahead is None
    for name, value in plain.model.state_dict().items():
        assert torch.equal(ahead.model.state_dict()[name], value), name


def test_a_run_that_is_resumed_has_no_use_for_the_first_order(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, first = trainer_of(tiny), trainer_of(tiny)
    whole.fit()
    first.fit(Hooks(should_stop=lambda: first.epoch == 2))
    monkeypatch.setattr(trainer_module, "AHEAD", 0)
    second = trainer_of(tiny)
    second.load_state(first.state())
    second.fit()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], value), name

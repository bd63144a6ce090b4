"""What a run uses of its machine, and that saying so changes nothing else."""

from __future__ import annotations

import pytest
import torch

from cftui.engine import training, usage
from cftui.engine.models.recipes import recipe
from cftui.engine.runs.events import History
from cftui.engine.runs.folder import find
from cftui.engine.runs.usage_text import in_words
from cftui.engine.usage import Meter

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_of_a_cpu_its_share_and_the_memory_are_read():
    found = Meter(CPU).read()
    assert found.keys() == {"cpu", "memory"}
    assert found["cpu"] >= 0
    assert found["memory"] > 2**20


def test_of_a_gpu_what_the_driver_tells_is_read_and_the_rest_is_not_asked_for_again(monkeypatch):
    asked = []

    def silent(device):
        asked.append(device)
        raise ModuleNotFoundError("pynvml")

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100 * 2**30, 139 * 2**30))
    monkeypatch.setattr(torch.cuda, "utilization", lambda device: 87)
    monkeypatch.setattr(torch.cuda, "power_draw", lambda device: 412_345)
    monkeypatch.setattr(torch.cuda, "temperature", silent)
    meter = Meter(GPU)
    words = in_words(meter.read())
    assert words.items() >= {"gpu": "GPU 87 %", "power": "412 W", "gpu_memory": "GPU memory 39.0 of 139 GB"}.items()
    assert "temperature" not in words
    meter.read()
    assert asked == [GPU]


def test_readings_are_seconds_apart_and_half_a_minute_in_a_long_run(monkeypatch):
    now = 0.0
    monkeypatch.setattr(usage.time, "monotonic", lambda: now)
    meter = Meter(CPU)
    readings = []
    for second in range(7200):
        now = float(second)
        if meter.due:
            meter.read()
            readings.append(second)
    gaps = [later - earlier for earlier, later in zip([0, *readings], readings, strict=False)]
    assert gaps[0] == 4
    assert max(gaps) == 31
    assert len(readings) < 500


@pytest.fixture
def talkative(monkeypatch):
    """Every step is followed by a heartbeat, and every heartbeat by a reading."""
    monkeypatch.setattr(usage, "SOONEST", -1.0)
    monkeypatch.setattr(usage, "SHARE", 0.0)
    monkeypatch.setattr("cftui.engine.clock.HEARTBEAT_SECONDS", 0.0)


def trained(home, name: str) -> dict[str, torch.Tensor]:
    from cftui.engine.runs.weights import load_weights

    options = recipe("model4").options(epochs=2, bs=16, factors=4)
    run = training.train(home, recipe("model4"), options, data="tiny", device=CPU, name=name)
    return load_weights(run)


def test_a_log_with_usage_is_of_the_same_run_to_the_bit(tiny_home, talkative, monkeypatch):
    said = trained(tiny_home, "said")
    monkeypatch.setattr(Meter, "due", False)
    silent = trained(tiny_home, "silent")
    assert said.keys() == silent.keys()
    assert all(torch.equal(said[name], silent[name]) for name in said)
    with_usage, without = (find(tiny_home, name).history() for name in ("said", "silent"))
    assert with_usage.usage is not None
    assert without.usage is None
    assert with_usage.progress == without.progress == 1
    assert [epoch["valid_loss"] for epoch in with_usage.epochs] == [epoch["valid_loss"] for epoch in without.epochs]


def test_a_resumed_run_says_nothing_of_the_machine_it_was_on_before():
    history = History()
    history.extend([{"event": "usage", "step": 1, "elapsed": 1.0, "cpu": 90.0, "memory": 1}])
    assert history.usage is not None
    history.extend([{"event": "resume", "step": 1}])
    assert history.usage is None

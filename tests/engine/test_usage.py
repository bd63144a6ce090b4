"""What a run uses of its machine, and that saying so changes nothing else."""

from __future__ import annotations

import sys
import types

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


class Driver(types.ModuleType):
    """The functions of nvidia-ml-py that PyTorch calls, for a GPU that is told what to say.

    A figure that is None is one that the driver does not support.
    """

    class NVMLError_DriverNotLoaded(Exception):
        pass

    class NVMLError_NotSupported(Exception):
        pass

    def __init__(self, **figures: int | None) -> None:
        super().__init__("pynvml")
        self.figures, self.asked = figures, list[str]()

    def tell(self, name: str) -> int:
        self.asked.append(name)
        value = self.figures[name]
        if value is None:
            raise self.NVMLError_NotSupported(name)
        return value

    def nvmlInit(self) -> None:
        self.asked.append("init")

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> types.SimpleNamespace:
        return types.SimpleNamespace(gpu=self.tell("gpu"))

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        return self.tell("milliwatts")

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return self.tell("temperature")


@pytest.fixture
def driver(monkeypatch):
    """Puts a stand-in in the place of nvidia-ml-py, below PyTorch."""

    def install(**figures: int | None) -> Driver:
        found = Driver(**figures)
        monkeypatch.setitem(sys.modules, "pynvml", found)
        monkeypatch.setattr(torch.cuda, "pynvml", found, raising=False)
        monkeypatch.setattr(torch.cuda, "_HAS_PYNVML", True)
        monkeypatch.setattr(torch.cuda, "_get_nvml_device_index", lambda device: 0)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**34))
        return found

    return install


def test_the_package_of_the_driver_is_asked_by_way_of_pytorch(driver):
    driver(gpu=87, milliwatts=412_345, temperature=64)
    found = Meter(GPU).read()
    assert found["gpu"] == 87
    assert found["power"] == pytest.approx(412.345)
    assert found["temperature"] == 64
    assert (found["gpu_memory_used"], found["gpu_memory_total"]) == (2**34 - 2**30, 2**34)


def test_what_the_driver_does_not_support_is_asked_once_and_left_out(driver):
    asked = driver(gpu=12, milliwatts=None, temperature=50).asked
    meter = Meter(GPU)
    for _ in range(3):
        found = meter.read()
        assert (found["gpu"], found["temperature"]) == (12, 50)
        assert "power" not in found
    assert asked.count("milliwatts") == 1
    assert asked.count("gpu") == 3


def test_without_the_package_the_memory_is_left(monkeypatch):
    monkeypatch.setattr(torch.cuda, "_HAS_PYNVML", False)
    monkeypatch.setattr(torch.cuda, "_PYNVML_ERR", None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**34))
    assert Meter(GPU).read().keys() == {"cpu", "memory", "gpu_memory_used", "gpu_memory_total"}


def test_what_the_driver_tells_is_in_the_log_of_a_run(tiny_home, talkative, driver, monkeypatch):
    driver(gpu=87, milliwatts=412_345, temperature=64)
    monkeypatch.setattr(training, "Meter", lambda device: Meter(GPU))
    trained(tiny_home, "told")
    said = find(tiny_home, "told").history().usage
    assert said is not None
    assert (said["gpu"], said["temperature"]) == (87, 64)
    assert said["power"] == pytest.approx(412.345)

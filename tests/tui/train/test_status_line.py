"""The line below the chart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from cftui.engine.runs.events import History
from cftui.tui.session.following import Followed
from cftui.tui.train.status_line import status_line

START: Any = {"steps": 100, "steps_per_epoch": 20, "batch_size": 64, "device": "NVIDIA H200"}
WINDOW: Any = {"event": "window", "step": 25, "elapsed": 30.0, "memory": 512 * 2**20}
EPOCH: Any = {"event": "epoch", "step": 20, "epoch": 0, "elapsed": 24.0, "ratings_per_second": 118_000.0}
USAGE: Any = {"cpu": 187.4, "memory": 512 * 2**20}
GPU: Any = {
    "gpu": 87,
    "gpu_memory_used": 3 * 2**30,
    "gpu_memory_total": 139 * 2**30,
    "power": 412.3,
    "temperature": 61,
}


@dataclass
class Shown:
    """A run as its log tells it."""

    usage: Any = None
    live: bool = True
    problem: str = ""
    name: str = "calm-otter"
    history: History = field(init=False)

    def __post_init__(self) -> None:
        self.history = History(START, [WINDOW], [EPOCH], usage=self.usage)
        if not self.live:
            self.history.ending = cast(Any, {"event": "done"})


def line(shown: Shown, width: int) -> str:
    text = status_line(cast(Followed, shown), width).plain
    assert len(text) <= max(width - 2, 20)
    return text


def test_where_there_is_room_a_live_run_says_all_that_it_uses():
    assert line(Shown(USAGE | GPU), 160) == (
        "█░░░░  25%  01:30 left  118k ratings/s  NVIDIA H200  CPU 187 %  512 MB  GPU 87 %  412 W  "
        "GPU memory 3.0 of 139 GB  61 °C"
    )


@pytest.mark.parametrize("width", range(20, 130))
def test_what_has_no_room_is_left_out_as_a_whole(width):
    everything = line(Shown(USAGE | GPU), 200).split("  ")
    parts = line(Shown(USAGE | GPU), width).split("  ")
    assert set(parts) <= set(everything)
    assert parts == [part for part in everything if part in parts]
    assert "25%" in parts


def test_beside_the_form_at_80_columns_time_speed_and_processor_are_there():
    assert line(Shown(USAGE), 46) == "25%  01:30 left  118k ratings/s  CPU 187 %"
    assert line(Shown(USAGE | GPU), 46) == "25%  01:30 left  118k ratings/s  GPU 87 %"
    assert line(Shown(USAGE), 28) == "25%  01:30 left"


def test_a_log_of_an_older_version_says_how_much_memory():
    assert "118k ratings/s  NVIDIA H200  512 MB" in line(Shown(), 120)


def test_a_run_that_ended_says_how():
    assert line(Shown(USAGE, live=False), 120) == "done after 30.0 s  118k ratings/s  NVIDIA H200  512 MB"
    assert line(Shown(live=False, problem="killed by signal 9"), 40) == "killed by signal 9"


def test_several_processes_are_said_beside_the_device():
    shown = Shown()
    shown.history.start = START | {"processes": 4}
    assert "4 processes, NVIDIA H200" in line(shown, 160)

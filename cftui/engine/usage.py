"""What a run uses of its machine: processor and memory and, of an NVIDIA GPU, what its driver tells.

The driver is asked through PyTorch, which needs the package nvidia-ml-py (the extra ``gpu``) for all but the memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import torch

from cftui.engine.runs.events import Usage

# Seconds between two readings: a share of the time so far, so that the log of a long run stays short.
SOONEST, LATEST, SHARE = 3.0, 30.0, 0.01


class Meter:
    """Reads the usage of this process and of the GPU that it works on."""

    def __init__(self, device: torch.device) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # the next call counts from here
        self._begun = self._read = time.monotonic()
        self._gpu = _gpu_readings(device) if device.type == "cuda" else {}

    @property
    def due(self) -> bool:
        """Whether it is time for another reading."""
        now = time.monotonic()
        return now - self._read > min(max(SOONEST, (now - self._begun) * SHARE), LATEST)

    def read(self) -> Usage:
        """The usage since the last reading. What the driver does not tell is left out, and not asked for again."""
        self._read = time.monotonic()
        usage = Usage(cpu=self._process.cpu_percent(), memory=self._process.memory_info().rss)
        for name, reading in list(self._gpu.items()):
            try:
                usage[name] = reading()  # type: ignore[literal-required]
            except Exception:  # the driver's library has errors of its own, and may not be installed
                del self._gpu[name]
        return usage


def _gpu_readings(device: torch.device) -> dict[str, Callable[[], float]]:
    """The readings of ``Usage`` for a GPU, by their names."""

    def used() -> int:
        free, total = torch.cuda.mem_get_info(device)
        return total - free

    return {
        "gpu": lambda: torch.cuda.utilization(device),
        "gpu_memory_used": used,
        "gpu_memory_total": lambda: torch.cuda.mem_get_info(device)[1],
        "power": lambda: torch.cuda.power_draw(device) / 1000,
        "temperature": lambda: torch.cuda.temperature(device),
    }

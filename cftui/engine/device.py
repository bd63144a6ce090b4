"""The device to train on, and what must be set for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from cftui.errors import CftuiError


def choose(wanted: str = "auto") -> torch.device:
    """Return the device of that name. ``auto`` is CUDA if available, else MPS if available, else the CPU.

    Raises:
        CftuiError: no device has that name, or this machine does not have it.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise CftuiError(f"no device {wanted!r}; give auto, cpu, cuda, cuda:N or mps") from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise CftuiError(
                f"device {wanted}: this machine has {count or 'no'} CUDA device{'' if count == 1 else 's'}",
                hint="give --device auto or cpu",
                option="device",
            )
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise CftuiError(
            f"device {wanted}: this machine has no MPS device", hint="give --device auto or cpu", option="device"
        )
    elif device.type not in ("cpu", "cuda", "mps"):
        raise CftuiError(f"no device {wanted!r}; give auto, cpu, cuda, cuda:N or mps")
    return device


# A step that touches at least this many elements is faster on several threads.
PARALLEL_ELEMENTS = 1_000_000


@contextmanager
def threads_for(elements: int) -> Iterator[None]:
    """In this context, steps that touch few ``elements`` run on one CPU thread.

    On small steps, OpenMP's threads mostly spin while they wait for each other: that is no faster on an idle machine
    and twenty times slower on a busy one. One thread also makes the result independent of the number of cores.
    """
    before = torch.get_num_threads()
    if elements < PARALLEL_ELEMENTS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """In this context, the same work gives the same bits on CUDA too, where scattered additions otherwise race."""
    if device.type != "cuda":
        yield
        return
    # cuBLAS reads this variable when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    # Deterministic mode also fills every new tensor, as a debugging aid. Switch that off: it costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


def memory(device: torch.device) -> dict[str, int]:
    """Return the bytes in use: ``memory`` resident in this process and, on CUDA, the peak of ``gpu_memory``."""
    used = {"memory": psutil.Process().memory_info().rss}
    if device.type == "cuda":
        used["gpu_memory"] = torch.cuda.max_memory_allocated(device)
    return used


def describe(device: torch.device) -> str:
    """Return the name of the GPU, or the kind of device, for people to read."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type

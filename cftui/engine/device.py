"""Choosing where to train."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from cftui.errors import CftuiError


def choose(wanted: str = "auto") -> torch.device:
    """``auto`` is CUDA, then MPS, then the CPU.

    Raises:
        CftuiError: the device asked for is not on this machine.
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
                f"device {wanted}: this machine has {count or 'no'} CUDA device{'' if count == 1 else 's'}"
            )
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise CftuiError(f"device {wanted}: this machine has no MPS device")
    elif device.type not in ("cpu", "cuda", "mps"):
        raise CftuiError(f"no device {wanted!r}; give auto, cpu, cuda, cuda:N or mps")
    return device


# Elements touched per step from which a second thread pays for waking it.
PARALLEL_ELEMENTS = 1_000_000


@contextmanager
def threads_for(elements: int) -> Iterator[None]:
    """While inside, steps that touch few ``elements`` run on one CPU thread.

    On small steps OpenMP's threads mostly wait for each other, spinning: no faster on an idle machine, twenty times
    slower on a busy one. It also makes the result the same whatever the number of cores.
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
    """While inside, the same work gives the same bits on CUDA too, where scattered additions otherwise race."""
    if device.type != "cuda":
        yield
        return
    # cuBLAS reads this when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    # A debugging aid that comes with it: it would fill every fresh tensor once for nothing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


def memory(device: torch.device) -> dict[str, int]:
    """Bytes in use: ``memory`` resident in this process and, on CUDA, ``gpu_memory`` at its peak."""
    used = {"memory": psutil.Process().memory_info().rss}
    if device.type == "cuda":
        used["gpu_memory"] = torch.cuda.max_memory_allocated(device)
    return used


def describe(device: torch.device) -> str:
    """For a person: the GPU's name, or the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type

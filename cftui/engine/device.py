"""The device to train on, and what must be set for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import psutil
import torch

from cftui.errors import CftuiError

Given = TypeVar("Given")
Found = TypeVar("Found")


class Map(Protocol):
    """What ``map`` does with one iterable."""

    def __call__(self, function: Callable[[Given], Found], values: Iterable[Given], /) -> Iterator[Found]: ...


def choose(wanted: str = "auto") -> torch.device:
    """Return the device of that name. ``auto`` is CUDA if available, else MPS if available, else the CPU.

    Of several GPUs, ``auto`` is the one with the most free memory.

    Raises:
        CftuiError: no device has that name, or this machine does not have it.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            count = torch.cuda.device_count()
            return torch.device("cuda", max(range(count), key=_free_memory)) if count > 1 else torch.device("cuda")
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


def _free_memory(gpu: int) -> int:
    """Bytes of this GPU that nobody uses."""
    try:
        # The driver tells this through the package nvidia-ml-py, if it is installed.
        return torch.cuda.get_device_properties(gpu).total_memory - torch.cuda.device_memory_used(gpu)
    except Exception:  # the driver's library has errors of its own
        # This has to open the GPU, which takes half a gigabyte of it until the process ends.
        return torch.cuda.mem_get_info(gpu)[0]


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
def workers(device: torch.device) -> Iterator[Map]:
    """In this context, what ``map`` does; on the CPU by as many threads as PyTorch has, each of which computes alone.

    PyTorch calls LAPACK for one small matrix after the other, on one thread. The results are those of one thread, to
    the bit, in order. Whoever leaves early waits for what is being computed.
    """
    before = torch.get_num_threads()
    if device.type != "cpu" or before == 1:
        yield map
        return
    # Threads that begin in this context have one thread each.
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(before)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def prepare(device: torch.device) -> None:
    """Set what has to be set before the first work on a device.

    cuBLAS takes its workspace from this variable, and only with one of fixed size are its results reproducible. PyTorch
    reads the variable at the first call of cuBLAS in a process and, until version 2.9, remembers what it was then.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """In this context, the same work gives the same bits on CUDA too, where scattered additions otherwise race."""
    if device.type != "cuda":
        yield
        return
    prepare(device)
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


# PyTorch's own generators are those of all threads.
_DRAWING = threading.RLock()


@contextmanager
def seeded(device: torch.device, seed: int) -> Iterator[None]:
    """In this context, PyTorch's own generators of the CPU and of this device begin with ``seed``; then as before.

    Threads take turns. ``torch.manual_seed`` seeds the generators of all devices, which takes up to a millisecond, and
    of GPUs that are not used.
    """
    is_cuda = device.type == "cuda"
    with _DRAWING, torch.random.fork_rng(devices=[device] if is_cuda else []):
        torch.default_generator.manual_seed(seed)
        if is_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


# How the libraries beside PyTorch's own allocator say that the memory is full: as RuntimeErrors of all kinds.
NO_MEMORY = ("CUDA error: out of memory", "STATUS_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the memory of the device does not suffice.

    cuBLAS and cuSOLVER allocate beside PyTorch, and have errors of their own. If cuBLAS cannot be initialised, that is
    nearly always for want of memory.
    """
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)


def memory(device: torch.device) -> dict[str, int]:
    """Return the bytes in use: ``memory`` resident in this process and, on CUDA, the peak of ``gpu_memory``."""
    used = {"memory": psutil.Process().memory_info().rss}
    if device.type == "cuda":
        used["gpu_memory"] = torch.cuda.max_memory_allocated(device)
    return used


def describe(device: torch.device) -> str:
    """Return the name of the GPU, or the kind of device, for people to read; of several GPUs also which it is."""
    if device.type != "cuda":
        return device.type
    name = torch.cuda.get_device_name(device)
    if torch.cuda.device_count() < 2:
        return name
    return f"{name} (cuda:{torch.cuda.current_device() if device.index is None else device.index})"

"""The machine: processor, memory, GPUs, and the threads that PyTorch uses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from cftui.cli.checkup.findings import Finding

# Below this much free memory, a training on a data set of millions of ratings may be killed.
SHORT_MEMORY = 1_000_000_000


def processor() -> Iterator[Finding]:
    import psutil

    # A job on a shared server may use only some of the cores.
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = os.getloadavg()[0]
    threads = os.environ.get("OMP_NUM_THREADS", "")
    says = f"{allowed} of {os.cpu_count()} cores, load {load:.1f}, OMP_NUM_THREADS {threads or 'not set'}"
    if load > allowed and not threads:
        yield Finding("processor", says, "note", "other programs are busy here: OMP_NUM_THREADS=1 cftui ...")
    else:
        yield Finding("processor", says)
    memory = psutil.virtual_memory()
    says = f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB available"
    if memory.available < SHORT_MEMORY:
        yield Finding("memory", says, "note", "use smaller batches and fewer factors, or end other programs")
    else:
        yield Finding("memory", says)


def devices() -> Iterator[Finding]:
    """What PyTorch can train on, and why it cannot use a GPU that is there."""
    import torch

    has_driver = shutil.which("nvidia-smi") is not None
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            says = f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GB free, CUDA {torch.version.cuda}"
            yield Finding(f"cuda:{index}", says)
    elif torch.version.cuda is None and has_driver:
        advice = "install a PyTorch with CUDA: https://pytorch.org/get-started"
        yield Finding("cuda", f"this PyTorch ({torch.__version__}) is built for CPUs alone", "problem", advice)
    elif has_driver:
        advice = "see whether nvidia-smi works, and whether CUDA_VISIBLE_DEVICES hides the GPUs"
        yield Finding("cuda", f"PyTorch {torch.__version__} finds no GPU", "problem", advice)
    else:
        yield Finding("cuda", "no NVIDIA driver; trainings run on the CPU")
    if torch.backends.mps.is_available():
        yield Finding("mps", "available")
    yield Finding("default device", _default())


def _default() -> str:
    from cftui.engine import device

    return device.describe(device.choose("auto"))

"""What CUDA refuses, what makes the host wait there, and what differs from run to run: facts about PyTorch's kernels.

They come from the documentation of ``torch.use_deterministic_algorithms`` and from the sources of PyTorch 2.6 to 2.13.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import torch
from torch import Tensor

# The place of what a test does itself.
OUTSIDE = "outside the package"
# Kernels whose output size, or whose check of an error, depends on data: the host waits for the device.
WAITING = {
    "_linalg_check_errors",
    "_linalg_eigh",
    "_linalg_svd",
    "_local_scalar_dense",
    "_unique2",
    "allclose",
    "bincount",
    "equal",
    "histc",
    "is_nonzero",
    "linalg_eigh",
    "linalg_svd",
    "masked_select",
    "nonzero",
    "unique_consecutive",
    "unique_dim",
}
# Kernels that add by atomic operations outside deterministic mode: the order, and so the last digits, differ.
RACING = {
    "_embedding_bag_dense_backward",
    "embedding_dense_backward",
    "index_add",
    "index_select_backward",
    "scatter_add",
}
# Kernels without a deterministic version: deterministic mode raises.
REFUSED = {"histc", "kthvalue", "median", "put"}
# Products that go to cuBLAS.
PRODUCTS = {"_addmm_activation", "addbmm", "addmm", "addmv", "baddbmm", "bmm", "dot", "mm", "mv"}
# Kernels that take indices on the CPU for a tensor on the device, and copy them there.
INDEXING = {"_index_put_impl", "_unsafe_index", "index", "index_put"}


def kernel_of(func: Any) -> str:
    """The name of an operator, without its overload and the underscore of its version in place."""
    name = func._schema.name.split("::")[-1]
    return name.rstrip("_")


def waits(kernel: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the host waits for this kernel."""
    if kernel == "repeat_interleave":
        return kwargs.get("output_size") is None
    if kernel in INDEXING:
        # A mask has to be counted first; indices on the CPU have to be copied.
        indices = [index for index in args[1] if isinstance(index, Tensor)]
        return any(index.dtype in (torch.bool, torch.uint8) or not index.is_cuda for index in indices)
    return kernel in WAITING


def differs_between_runs(kernel: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether this kernel has other last digits in every run, outside deterministic mode."""
    if kernel in INDEXING - {"index", "_unsafe_index"}:
        return bool(kwargs.get("accumulate", args[3] if len(args) > 3 else False))
    if kernel == "scatter_reduce":
        return args[4] in ("sum", "mean", "prod")
    return kernel in RACING or has_no_deterministic_version(kernel, args, kwargs)


def has_no_deterministic_version(kernel: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether deterministic mode raises for this kernel."""
    if kernel == "cumsum":
        return args[0].is_floating_point()
    if kernel == "bincount":
        return kwargs.get("weights", args[1] if len(args) > 1 else None) is not None
    if kernel == "scatter_reduce":
        return args[4] == "prod"
    return kernel in REFUSED


def caller() -> str:
    """The innermost function of the package that is running, such as ``engine/metrics.py:score``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        _, package, path = frame.f_code.co_filename.rpartition("/cftui/")
        if package:
            return f"{path}:{frame.f_code.co_qualname.split('.<locals>')[0]}"
        frame = frame.f_back
    return OUTSIDE

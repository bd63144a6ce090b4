"""Choosing where to train."""

from __future__ import annotations

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


def describe(device: torch.device) -> str:
    """For a person: the GPU's name, or how many CPU threads work."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type

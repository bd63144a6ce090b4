"""Loading the state of a module whose buffers take their sizes from the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def load_resized(
    load: Callable[..., Any],
    module: nn.Module,
    state: dict[str, Any],
    *args: Any,
    later: tuple[str, ...] = (),
    **kwargs: Any,
) -> Any:
    """Give every buffer the size that ``state`` has for it, then ``load``.

    Only dimensions that are 0 in an untrained module are taken from the state. All others must agree, and so must the
    types: a tensor that does not fit is left for ``load`` to name.

    Args:
        later: buffers that older runs do not have; they keep the values of an untrained module.
    """
    state = {**{name: module.get_buffer(name) for name in later}, **state}
    for name, buffer in module.named_buffers():
        new = state.get(name)
        if new is None or new.dim() != buffer.dim() or new.is_floating_point() != buffer.is_floating_point():
            continue
        if all(old == found for old, found in zip(buffer.shape, new.shape, strict=True) if old):
            owner, _, own = name.rpartition(".")
            setattr(module.get_submodule(owner), own, torch.empty_like(new, dtype=buffer.dtype))
    return load(state, *args, **kwargs)

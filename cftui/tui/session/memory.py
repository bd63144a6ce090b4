"""Keeping the garbage collector away from what has just been loaded."""

from __future__ import annotations

import gc


def settle() -> None:
    """Take what has just been loaded out of the garbage collector's sight.

    The collector would otherwise walk through all of it again and again. Each walk takes a fifth of a second and may
    come in the middle of a frame.
    """
    gc.unfreeze()
    gc.collect()  # This also frees what was frozen before and is no longer used.
    gc.freeze()

"""Classes named as ``module:name``, so that tables can name them without importing torch."""

from __future__ import annotations

import importlib
from typing import Any

from cftui.errors import CftuiError


def load(path: str) -> Any:
    """The object that ``path`` names. Raises CftuiError if there is no such module or name."""
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise CftuiError(f"{path}: cannot be imported ({error}); is its package installed?") from None


def path_of(kind: type | str) -> str:
    """The inverse: ``module:name`` of a class; a path stays as it is."""
    return kind if isinstance(kind, str) else f"{kind.__module__}:{kind.__qualname__}"

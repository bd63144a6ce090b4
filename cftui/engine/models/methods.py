"""The table of methods: every way of fitting, one row each.

A row names the method instead of importing it, as the recipe table names architectures: the folders of the methods
import from here, not the other way round.
"""

from __future__ import annotations

from functools import cache

from cftui.engine.models.importing import load
from cftui.engine.models.method import Method
from cftui.errors import CftuiError, suggestion

METHODS: dict[str, str] = {
    "gradient": "cftui.engine.gradient.method:METHOD",
    "bayes": "cftui.engine.bayes.method:METHOD",
    "ease": "cftui.engine.linear.method:METHOD",
    "ials": "cftui.engine.als.method:METHOD",
}


def method(name: str) -> Method:
    """A method by its name, or by ``module:METHOD`` for one that another package brings.

    Raises:
        CftuiError: there is no such method.
    """
    if name not in METHODS and ":" not in name:
        raise CftuiError(f"no method {name!r}; {suggestion(name, list(METHODS))}")
    return _load(METHODS.get(name, name))


@cache
def _load(path: str) -> Method:
    found = load(path)
    if not isinstance(found, Method):
        raise CftuiError(f"{path}: is not a Method")
    return found


def all_methods() -> list[Method]:
    """Every method in the table."""
    return [method(name) for name in METHODS]

"""Planting a fault: a function of the package, with some words of its source replaced, while a test runs."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any
from unittest import mock


@contextmanager
def planted(owner: Any, name: str, old: str, new: str) -> Iterator[None]:
    """In this context, the function ``name`` of ``owner`` has ``new`` in the place of ``old``.

    Args:
        owner: a class or a module.
        old: words that its source holds exactly once.
    """
    kind = inspect.getattr_static(owner, name)
    function: FunctionType = inspect.unwrap(getattr(kind, "__func__", kind))
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{name} holds {old!r} {source.count(old)} times"
    made: dict[str, Any] = {}
    code = compile(source.replace(old, new), function.__code__.co_filename, "exec")
    exec(code, function.__globals__, made)
    faulty = made[name]
    if isinstance(faulty, FunctionType):
        faulty.__code__ = faulty.__code__.replace(co_qualname=function.__code__.co_qualname)
    wrap: Callable[[Any], Any] = type(kind) if isinstance(kind, (classmethod, staticmethod)) else lambda one: one
    with mock.patch.object(owner, name, wrap(faulty)):
        yield

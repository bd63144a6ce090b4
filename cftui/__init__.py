"""cftui: a workbench for collaborative filtering.

    import cftui

    data = cftui.load_data(frame)            # or the name of a data set: "ml-100k"
    model = cftui.fit("model4", data)
    model.recommend(user=196, n=5)

The public names live in ``cftui.api`` and are imported when they are first used, so that ``import cftui`` is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cftui.version import __version__

if TYPE_CHECKING:
    from cftui.api import CftuiError, Data, Model, NewUser, Recipe, Report, fit, load_data, open_run, recipes, runs

__all__ = [
    "CftuiError",
    "Data",
    "Model",
    "NewUser",
    "Recipe",
    "Report",
    "__version__",
    "fit",
    "load_data",
    "open_run",
    "recipes",
    "runs",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'cftui' has no attribute {name!r}")
    from cftui import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""What the shell offers for a word that names a run, a recipe or a data set.

``Verb`` gives these types to its parameters; they differ from text only when the shell asks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.types import StringParamType

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from cftui.home import Home

Names = Callable[["Home"], Iterable[tuple[str, str]]]


def _runs(home: Home) -> Iterable[tuple[str, str]]:
    from cftui.engine.runs.folder import LATEST, all_runs

    runs = all_runs(home)
    return [*((run.name, "") for run in reversed(runs)), *([(LATEST, "the newest run")] if runs else [])]


def _removed(home: Home) -> Iterable[tuple[str, str]]:
    from cftui.engine.runs.trash import removed_runs

    return [(run.name, f"removed {run.removed:%Y-%m-%d %H:%M}") for run in removed_runs(home)]


def _recipes(home: Home) -> Iterable[tuple[str, str]]:
    from cftui.engine.models.recipes import all_recipes

    return [(one.name, one.summary) for one in all_recipes().values()]


def _data_sets(home: Home) -> Iterable[tuple[str, str]]:
    from cftui.data.store.catalog import listed

    return [(one.name, one.known.label) for one in listed(home)]


class Named(StringParamType):
    """Text that the shell completes to one of some names."""

    def __init__(self, *names: Names) -> None:
        self._names = names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        with contextlib.suppress(Exception):  # a home that cannot be read has nothing to offer
            home: Home = ctx.obj.home
            every = [one for names in self._names for one in names(home)]
            return [CompletionItem(name, help=text) for name, text in every if name.startswith(incomplete)]
        return []


def complete(verb: str, parameters: Iterable[click.Parameter]) -> None:
    """Let the shell complete the parameters of a verb that name something."""
    for parameter in parameters:
        names = _kinds(verb, parameter)
        if names and type(parameter.type) is StringParamType:
            parameter.type = Named(*names)


def _kinds(verb: str, parameter: click.Parameter) -> list[Names]:
    """What a parameter names; the help has the word."""
    is_option = isinstance(parameter, click.Option)
    if parameter.name == "data_name" or (not is_option and parameter.name == "name" and parameter.metavar is None):
        return [_data_sets]
    if is_option and parameter.name == "name":  # the name of what is about to be
        return []
    kinds = {"RUN": _removed if verb == "restore" else _runs, "RECIPE": _recipes}
    return [names for word, names in kinds.items() if word in (parameter.metavar or "").strip("[].").split("|")]

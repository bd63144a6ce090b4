"""``run.toml``: everything that decides the numbers of a run, written from a run and read by ``cftui train --config``.

recipe = "model4"
data = "ml-100k"
fingerprint = "4f0c..."    # optional: refuse another data set of the same name
method-revision = 1        # optional: warn if the method gives other numbers today
device = "cpu"
name = "again"             # optional: the name of the run

epochs = 5                 # the options of the recipe, by their names on the command line
patience = "off"           # the word for an option that has no value
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cftui.engine.models.methods import all_methods
from cftui.engine.models.options import Option
from cftui.engine.models.recipes import Recipe, recipe
from cftui.engine.runs.config import RunConfig
from cftui.errors import CftuiError, suggestion
from cftui.settings import line_of

REVISION = "method-revision"
# What a file may say beside the options of its recipe.
GENERAL: Mapping[str, type] = {
    "recipe": str,
    "data": str,
    "fingerprint": str,
    REVISION: int,
    "device": str,
    "name": str,
}
FORMS = {str: "a string in quotes", int: "a whole number", float: "a number", bool: "true or false"}
_ESCAPED = re.compile(r"[\x7f]")


@dataclass(frozen=True)
class RunFile:
    """The content of a ``run.toml``.

    Attributes:
        options: the options that it sets, by name; None for one that has no value.
        data, fingerprint, device, name: "" where the file does not say.
        revision: that of the method when the file was written; None where the file does not say.
    """

    recipe: Recipe
    options: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""
    fingerprint: str = ""
    device: str = ""
    name: str = ""
    revision: int | None = None


def as_toml(config: RunConfig) -> str:
    """The text of the file that repeats a run. It has every option, so that later defaults do not change it."""
    facts: dict[str, Any] = {
        "recipe": config.recipe.name,
        "data": config.data.name,
        "fingerprint": config.data.fingerprint,
        REVISION: config.method_revision,
        # A run folder has the GPU's name; any CUDA device gives the same numbers as that model did.
        "device": config.device if config.device in ("cpu", "mps") else "cuda",
    }
    described = config.recipe.described
    options = {
        name.replace("_", "-"): described[name].empty if value is None else value
        for name, value in config.settings().items()
    }
    versions = ", ".join(f"{name} {version}" for name, version in config.versions.items())
    lines = [
        f"# Repeats run {config.run} of {config.created}, on {config.device}: cftui train --config THIS_FILE",
        f"# Trained with {versions}.",
        *(f"{name} = {_value(value)}" for name, value in facts.items()),
        "",
        *(f"{name} = {_value(value)}" for name, value in options.items()),
    ]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """A value as TOML writes it. A JSON string is a TOML string, but for the character DEL."""
    if isinstance(value, str):
        return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
    return str(value).lower() if isinstance(value, bool) else repr(value)


def read_run_file(path: Path, recipe_name: str | None = None) -> RunFile:
    """Read a ``run.toml``.

    Args:
        recipe_name: the recipe to train instead of the file's.

    Raises:
        CftuiError: the file is missing, is not TOML, names no recipe, or has an unknown key or a wrong value; the
            message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise CftuiError(error.strerror or str(error), where=path, kind="file") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CftuiError(f"not a TOML file: {error}", where=path) from None
    try:
        return _parse(values, recipe_name)
    except _Wrong as error:
        where = f"{path}, line {line_of(text, error.key)}" if error.key in values else str(path)
        raise CftuiError(error.what, where=where, hint=error.hint) from None


class _Wrong(CftuiError):
    """Something is wrong with one key of the file."""

    def __init__(self, key: str, what: str, hint: str = "") -> None:
        self.key = key
        super().__init__(what, hint=hint)


def _parse(values: Mapping[str, Any], recipe_name: str | None) -> RunFile:
    for name, kind in GENERAL.items():
        if name in values and not _has_kind(values[name], kind):
            raise _Wrong(name, f"{name} must be {FORMS[kind]}")
    wanted = recipe_name or values.get("recipe")
    if not wanted:
        raise _Wrong("recipe", "names no recipe", 'add a line such as recipe = "model4"')
    try:
        chosen = recipe(wanted)
    except CftuiError as error:
        raise _Wrong("recipe", error.what, error.hint) from None
    options: dict[str, Any] = {}
    for key, value in values.items():
        if key in GENERAL:
            continue
        name = _option_name(chosen, key)
        if name in options:
            raise _Wrong(key, f"{name.replace('_', '-')} is set twice")
        options[name] = _option_value(key, chosen.described[name], value)
    return RunFile(
        recipe=chosen,
        options=options,
        data=values.get("data", ""),
        fingerprint=values.get("fingerprint", ""),
        device=values.get("device", ""),
        name=values.get("name", ""),
        revision=values.get(REVISION),
    )


def _option_name(chosen: Recipe, key: str) -> str:
    """The option that a key sets. Raises _Wrong if the recipe has none of that name."""
    name = key.replace("-", "_")
    every = {option for method in all_methods() for option in method.described}
    aliases = {option.alias for option in chosen.described.values() if option.alias}
    if name not in every | aliases | set(chosen.described):
        known = [*GENERAL, *(option.replace("_", "-") for option in chosen.described), *sorted(aliases)]
        raise _Wrong(key, f"no key {key!r}", suggestion(key, known))
    try:
        return chosen.known(name)
    except CftuiError as error:
        raise _Wrong(key, error.what, error.hint) from None


def _option_value(key: str, option: Option, value: Any) -> Any:
    if option.empty and value == option.empty:
        return None
    if not _has_kind(value, option.kind):
        empty = f', or "{option.empty}"' if option.empty else ""
        raise _Wrong(key, f"{key} must be {FORMS[option.kind]}{empty}")
    try:
        option.check(value)
    except CftuiError as error:
        raise _Wrong(key, error.what, error.hint) from None
    return option.kind(value)


def _has_kind(value: Any, kind: type) -> bool:
    """Whether a value of the file is of this kind; a whole number is a number as well, and a truth value is neither."""
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)

"""``run.json``: what a run was told to do, typed, versioned, and migrated from older formats.

Format 1 (cftui 0.1.0) had one set of options for all methods, and kept a recipe's own settings as fields of the recipe.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from cftui.engine.models.importing import path_of
from cftui.engine.models.method import Method
from cftui.engine.models.options import Options, arguments
from cftui.engine.models.recipes import RECIPES, Recipe, all_recipes
from cftui.errors import CftuiError
from cftui.files import check_ordinary

FORMAT = 2


@dataclass(frozen=True)
class DataFacts:
    """The data set that a run was trained on.

    Attributes:
        ratings, train, valid: numbers of ratings: all, those that train, those that validate.
        rating_range: the ends of the rating scale.
        levels: the distinct rating values, ascending.
        counted: whether the values are counts of choices, and not ratings.
    """

    name: str
    noun: str
    fingerprint: str
    ratings: int
    rating_range: tuple[float, float]
    levels: tuple[float, ...]
    train: int
    valid: int
    counted: bool = False


class TrainedOn(NamedTuple):
    """Which ratings trained a run and which validate it: figures of runs can be compared only if these are equal."""

    data_set: str
    split: str
    seed: int
    item_key: str

    @classmethod
    def of(cls, fingerprint: str, options: Options) -> TrainedOn:
        """The ratings of a data set with this fingerprint, split as these options say."""
        return cls(fingerprint, options.split, options.seed, options.item_key)

    def differences(self, other: TrainedOn) -> list[str]:
        """In what they differ, in words: ``data set``, ``split``, ``seed``, ``item key``."""
        return [
            name.replace("_", " ") for name, mine, its in zip(self._fields, self, other, strict=True) if mine != its
        ]


@dataclass(frozen=True)
class RunConfig:
    """What ``run.json`` holds.

    Attributes:
        created: when, ISO 8601 in UTC.
        method_revision: the revision of the method whose numbers these are.
        device: what it was trained on, for people.
        versions: of cftui, torch and Python.
    """

    run: str
    created: str
    recipe: Recipe
    options: Options
    data: DataFacts
    method_revision: int
    device: str
    versions: Mapping[str, str]

    @property
    def method(self) -> Method:
        return self.recipe.fitting

    @property
    def trained_on(self) -> TrainedOn:
        """Which ratings trained it and which validate it."""
        return TrainedOn.of(self.data.fingerprint, self.options)

    def settings(self) -> dict[str, Any]:
        """The options that the run's recipe has, by name."""
        values = self.options.as_json()
        return {name: values[name] for name in self.recipe.described}

    def differences(self) -> dict[str, Any]:
        """The options in which the run differs from the defaults of its recipe, by name."""
        return {name: value for name, value in self.settings().items() if value != self.recipe.default(name)}

    def command(self, **changes: Any) -> list[str]:
        """The words after ``cftui`` that train the same once more, with these options changed."""
        return ["train", self.recipe.name, "--data", self.data.name, *arguments({**self.differences(), **changes})]

    def as_json(self) -> dict[str, Any]:
        """The content of ``run.json``."""
        return {
            "run": self.run,
            "format": FORMAT,
            "created": self.created,
            "recipe": self.recipe.as_json(),
            "options": self.options.as_json(),
            "data": {
                **asdict(self.data),
                "rating_range": list(self.data.rating_range),
                "levels": list(self.data.levels),
            },
            "method_revision": self.method_revision,
            "device": self.device,
            "versions": dict(self.versions),
        }

    def check_resumable(self) -> None:
        """Raises CftuiError if the method's numbers have changed since the run was begun."""
        if self.method_revision != self.method.revision:
            raise CftuiError(
                f"run {self.run} was begun by cftui {self.versions.get('cftui', '?')}, whose {self.method.name} gives "
                "other numbers; resume it with that version, or train it anew with this one"
            )


def read_config(path: Path) -> RunConfig:
    """Read and check a ``run.json``, of this format or an older one.

    Raises:
        CftuiError: the file is missing or damaged, or was written by a newer cftui; a wrong field is named.
    """
    value = read_json(path)
    version = value.get("format", 1)
    if not isinstance(version, int) or version < 1:
        raise _wrong(path, "format", f"{version!r} is not a number from 1 to {FORMAT}")
    if version > FORMAT:
        raise CftuiError(f"{path}: format {version} was written by a newer cftui; this one reads formats 1 to {FORMAT}")
    for old in range(version, FORMAT):
        try:
            value = MIGRATIONS[old](value)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise CftuiError(f"{path}: damaged, cannot be migrated from format {old} ({_reason(error)})") from None
    return _parse(path, value)


def _parse(path: Path, value: dict[str, Any]) -> RunConfig:
    kinds: dict[str, type] = {
        "run": str,
        "created": str,
        "recipe": dict,
        "options": dict,
        "data": dict,
        "method_revision": int,
        "device": str,
        "versions": dict,
    }
    for name, kind in kinds.items():
        if name not in value:
            raise _wrong(path, name, "is missing")
        if not isinstance(value[name], kind):
            raise _wrong(path, name, f"{value[name]!r} is not {NAMES[kind]}")
    recipe = _recipe(path, value["recipe"])
    return RunConfig(
        run=value["run"],
        created=value["created"],
        recipe=recipe,
        options=_options(path, recipe, value["options"]),
        data=_data(path, value["data"]),
        method_revision=value["method_revision"],
        device=value["device"],
        versions=value["versions"],
    )


NAMES = {str: "text", dict: "a JSON object", int: "a whole number", bool: "true or false"}


def _recipe(path: Path, value: dict[str, Any]) -> Recipe:
    known = {one.name for one in fields(Recipe)}
    if missing := {"name", "summary", "architecture", "method"} - set(value):
        raise _wrong(path, f"recipe.{min(missing)}", "is missing")
    if unknown := set(value) - known:
        raise _wrong(path, f"recipe.{min(unknown)}", "is unknown to this cftui")
    recipe = Recipe(**{**value, "without": tuple(value.get("without", ()))})
    # A path in a file names code that would be run: only installed recipes may name any.
    for name in filter(lambda name: ":" in str(name), (recipe.architecture, recipe.method)):
        # The table first: looking for other packages reads the metadata of all that are installed.
        if not (_names_code(RECIPES, name) or _names_code(all_recipes(), name)):
            raise CftuiError(
                f"{path}: {name} belongs to no installed recipe; install the package that brings {recipe.name}"
            )
    try:
        _ = recipe.fitting
    except CftuiError as error:
        raise _wrong(path, "recipe.method", str(error)) from None
    return recipe


def _names_code(recipes: Mapping[str, Recipe], path: str | type) -> bool:
    return any(path in (path_of(one.architecture), one.method) for one in recipes.values())


def _options(path: Path, recipe: Recipe, value: dict[str, Any]) -> Options:
    known = {one.name for one in fields(recipe.fitting.options)}
    if unknown := set(value) - known:
        raise _wrong(path, f"options.{min(unknown)}", f"is unknown to method {recipe.fitting.name}")
    for name, setting in value.items():
        option = recipe.fitting.described[name]
        left_open = setting is None and bool(option.empty)
        if option.kind in (bool, str) and not isinstance(setting, option.kind) and not left_open:
            raise _wrong(path, f"options.{name}", f"{setting!r} is not {NAMES[option.kind]}")
        try:
            option.check(setting)
        except CftuiError as error:
            raise _wrong(path, f"options.{name}", str(error)) from None
    try:
        return recipe.fitting.options(**value)
    except CftuiError as error:
        raise _wrong(path, "options", str(error)) from None


def _data(path: Path, value: dict[str, Any]) -> DataFacts:
    for one in fields(DataFacts):
        if one.name not in value and one.default is MISSING:
            raise _wrong(path, f"data.{one.name}", "is missing")
    try:
        low, high = map(float, value["rating_range"])
        levels = tuple(float(level) for level in value["levels"])
        counts = {name: int(value[name]) for name in ("ratings", "train", "valid")}
    except (TypeError, ValueError) as error:
        raise _wrong(path, "data", f"holds something that is not a number ({error})") from None
    return DataFacts(
        name=str(value["name"]),
        noun=str(value["noun"]),
        fingerprint=str(value["fingerprint"]),
        ratings=counts["ratings"],
        rating_range=(low, high),
        levels=levels,
        train=counts["train"],
        valid=counts["valid"],
        counted=value.get("counted") is True,
    )


def _from_format_1(value: dict[str, Any]) -> dict[str, Any]:
    """Options by method; ``epochs`` of a sampler become ``sweeps``; a recipe's own settings become its defaults."""
    old, options, data = dict(value["recipe"]), dict(value["options"]), dict(value["data"])
    sampled = bool(old.pop("sampled", False))
    own = {name: old.pop(name, None) for name in ("weight_decay", "bias_decay", "epochs", "factors")}
    uses_factors = old.pop("uses_factors", True)
    recipe = {**old, "method": "bayes" if sampled else "gradient", "defaults": {}, "without": []}
    if sampled:
        recipe["architecture"] = "cftui.engine.bayes.posterior:BayesianFactors"
        options["sweeps"] = options.pop("epochs")
        mine: tuple[str, ...] = ("sweeps", "burn_in", "factors", "implicit", "side")
    else:
        decays = {"wd": own["weight_decay"], "wd_bias": own["bias_decay"]}
        recipe["defaults"] = {name: decay for name, decay in decays.items() if decay is not None}
        recipe["without"] = [] if uses_factors else ["factors"]
        mine = ("epochs", "lr", "wd", "bs", "factors", "patience", "keep_best", "wd_bias")
    data.setdefault("noun", "item")
    return {
        **value,
        "format": 2,
        "recipe": recipe,
        "options": {name: options[name] for name in ("seed", "split", "item_key", *mine) if name in options},
        "data": data,
        "method_revision": 1,
        "device": value.get("device", ""),
        "versions": value.get("versions", {}),
    }


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_format_1}


def _wrong(path: Path, name: str, what: str) -> CftuiError:
    return CftuiError(f"{path}: field {name} {what}")


def _reason(error: Exception) -> str:
    return f"field {error} is missing" if isinstance(error, KeyError) else str(error)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises CftuiError if the file is missing, truncated or something else."""
    try:
        check_ordinary(path)
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CftuiError(f"{path}: no such file; the run folder is incomplete") from None
    except (ValueError, OSError, RecursionError) as error:
        raise CftuiError(f"{path}: damaged or truncated ({error})") from None
    if not isinstance(value, dict):
        raise CftuiError(f"{path}: damaged (not a JSON object)")
    return value

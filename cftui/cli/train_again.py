"""Where ``cftui train`` gets its settings from if they are not all on the command line: another run, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import narrate
from cftui.cli.verb import Session
from cftui.engine.gradient.method import FAST_BATCH, GradientOptions
from cftui.engine.models.options import Options
from cftui.engine.models.recipes import Recipe
from cftui.engine.runs import folder
from cftui.engine.runs.run_file import read_run_file
from cftui.errors import CftuiError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Settings:
    """What to train.

    Attributes:
        device, name: "" where nothing was said.
        fingerprint: of the data set that it must be; "" for any.
    """

    recipe: Recipe
    options: Options
    data: str
    device: str = ""
    name: str = ""
    fingerprint: str = ""


def of_run(session: Session, like: str, fast: bool, values: Mapping[str, Any], data: str) -> Settings:
    """The recipe, options and data set of a run, with what was given on the command line in their place."""
    config = folder.find(session.home, like).config()
    options = _changed(config.recipe, config.settings(), fast, values)
    return Settings(config.recipe, options, data if is_given("data_name") else config.data.name)


def of_file(path: Path, recipe_name: str | None, fast: bool, values: Mapping[str, Any], data: str) -> Settings:
    """What a ``run.toml`` says, with what was given on the command line in its place.

    Raises:
        CftuiError: as ``read_run_file``, or an option does not suit the recipe.
    """
    found = read_run_file(path, recipe_name)
    method = found.recipe.fitting
    if found.revision is not None and found.revision != method.revision:
        narrate(f"{path} was written by a cftui whose {method.name} gives other numbers; the run will differ")
    other_data = is_given("data_name") or not found.data
    return Settings(
        found.recipe,
        _changed(found.recipe, {**found.recipe.defaults, **found.options}, fast, values),
        data if other_data else found.data,
        device=found.device,
        name=found.name,
        fingerprint="" if other_data else found.fingerprint,
    )


def _changed(chosen: Recipe, settings: Mapping[str, Any], fast: bool, values: Mapping[str, Any]) -> Options:
    given = {name: value for name, value in values.items() if value is not None and is_given(name)}
    if fast:
        check_fast(values)
        given["bs"] = FAST_BATCH
    known = {chosen.known(name): value for name, value in given.items()}
    return chosen.fitting.options(**{**settings, **known})


def check_fast(values: Mapping[str, Any]) -> None:
    """Raises UsageError for ``--fast`` beside ``--bs``."""
    if values["bs"] is not None:
        raise click.UsageError(f"--fast chooses --bs (on a CPU, {FAST_BATCH}); give one of them")


def for_gpu(session: Session, settings: Settings, fast: bool, device: torch.device) -> Settings:
    """The settings for a GPU: ``--fast`` is there the largest batch that is as accurate, which is searched for.

    Without it, a word where the batch keeps a GPU waiting.
    """
    from cftui.engine.gradient.batch_search import REFERENCE, largest_batch

    options = settings.options
    if device.type != "cuda" or not isinstance(options, GradientOptions):
        return settings
    if fast:
        from cftui.data.splits import split
        from cftui.engine.training import open_ratings

        ratings = open_ratings(session.home, settings.data, options.item_key)
        parts = split(ratings, options.split, options.seed)
        size = largest_batch(settings.recipe, options, ratings, parts, device, narrate)
        return replace(settings, options=replace(options, bs=size))
    if options.bs <= REFERENCE:
        narrate(
            f"with batches of {options.bs} a GPU mostly waits, and a CPU is faster; --fast finds the largest as good"
        )
    return settings


def is_given(name: str) -> bool:
    """Whether somebody typed this option of the verb that runs now."""
    source = click.get_current_context().get_parameter_source(name)
    return source not in (None, click.core.ParameterSource.DEFAULT)


def check_fingerprint(session: Session, settings: Settings) -> None:
    """Raises CftuiError if the data set is not the one that the settings were written for."""
    if not settings.fingerprint:
        return
    from cftui.engine.training import open_ratings

    ratings = open_ratings(session.home, settings.data, settings.options.item_key)
    if ratings.fingerprint != settings.fingerprint:
        raise CftuiError(
            f"{settings.data} has the fingerprint {ratings.fingerprint}, and the file was written for "
            f"{settings.fingerprint}",
            hint="fetch or import that data set again, or remove the line fingerprint from the file",
        )

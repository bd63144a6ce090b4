"""A sweep: one recipe under many settings, of which the best is chosen without looking at the validation ratings.

Every setting is trained on four fifths of the split's training ratings and validated on the rest of them (the split's
name followed by ``.inner``), as a run like any other. The best is then trained on all of them, and only that run is
scored on the ratings that the split holds back.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch

from cftui.data.splits import INNER
from cftui.engine.fitting import Diverged
from cftui.engine.interrupts import StopRequested
from cftui.engine.models.method import LOSS, Criterion
from cftui.engine.models.options import Options
from cftui.engine.models.recipes import Recipe
from cftui.engine.runs import folder as runs
from cftui.engine.runs.folder import RunFolder
from cftui.engine.training import Emit, train_or_resume
from cftui.errors import CftuiError, suggestion
from cftui.home import Home

# More runs than anybody meant to start.
MOST = 1000

Setting = dict[str, Any]


@dataclass(frozen=True)
class Between:
    """Any value from ``low`` to ``high``, drawn uniformly on a logarithmic scale if both are above 0."""

    low: float
    high: float

    def draw(self, chance: random.Random) -> float:
        if self.low > 0:
            return math.exp(chance.uniform(math.log(self.low), math.log(self.high)))
        return chance.uniform(self.low, self.high)


Values = Sequence[Any] | Between


@dataclass(frozen=True)
class Trial:
    """One setting tried.

    Attributes:
        run: the name of its folder.
        setting: the options that differ from trial to trial.
        loss: the method's score on the ratings it was validated on, by default the mean squared error; None if it
            diverged.
    """

    run: str
    setting: Setting
    loss: float | None


def parse(recipe: Recipe, grid: Sequence[str]) -> dict[str, Values]:
    """Read a grid: ``lr=1e-3,5e-3`` lists values, ``wd=0.05..0.5`` is a range to draw from.

    Raises:
        CftuiError: something is malformed, or the recipe has no such option to sweep.
    """
    options = {name: one for name, one in recipe.described.items() if one.sweepable}
    values_of: dict[str, Values] = {}
    for text in grid:
        name, equals, values = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if not equals or not values:
            raise CftuiError(f"{text!r}: must be such as lr=1e-3,5e-3 or wd=0.05..0.5")
        name = recipe.known(name)
        if name not in options:
            raise CftuiError(f"option {name!r} cannot be swept; {suggestion(name, list(options))}")
        if name in values_of:
            raise CftuiError(f"{name} is given twice; put all its values into one list")
        parse_one = options[name].parse
        if ".." in values:
            low, high = (parse_one(part) for part in values.split("..", 1))
            if low >= high:
                raise CftuiError(f"{text!r}: a range must go from the lower value to the higher")
            values_of[name] = Between(low, high)
        else:
            values_of[name] = list(dict.fromkeys(parse_one(part) for part in values.split(",")))
    return values_of


def settings(grid: Mapping[str, Values], draws: int | None = None, seed: int = 0) -> list[Setting]:
    """Every combination, or ``draws`` different ones at random: a pure function of grid and seed.

    Raises:
        CftuiError: a range without ``draws``, or more than a thousand combinations.
    """
    if draws is None:
        ranges = [name for name, values in grid.items() if isinstance(values, Between)]
        if ranges:
            raise CftuiError(
                f"{', '.join(ranges)} {'is a range' if len(ranges) == 1 else 'are ranges'}: "
                "say how many values to draw with --random N"
            )
        lists = [values for values in grid.values() if not isinstance(values, Between)]
        if (count := math.prod(map(len, lists))) > MOST:
            raise CftuiError(f"{count:,} combinations are too many; try N of them with --random N")
        return [dict(zip(grid, values, strict=True)) for values in itertools.product(*lists)]
    chance, drawn = random.Random(seed), []
    # A small grid may have fewer combinations than draws.
    for _ in range(draws * 20):
        one = {name: _draw(values, chance) for name, values in grid.items()}
        if one not in drawn:
            drawn.append(one)
        if len(drawn) == draws:
            break
    return drawn


def _draw(values: Values, chance: random.Random) -> Any:
    if not isinstance(values, Between):
        return chance.choice(values)
    # Three digits are enough to read, and to type again.
    value = float(f"{values.draw(chance):.3g}")
    return round(value) if isinstance(values.low, int) else value


def sweep(
    home: Home,
    recipe: Recipe,
    options: Options,
    tried: Sequence[Setting],
    *,
    name: str,
    data: str,
    device: torch.device,
    stop_requested: StopRequested,
    emit: Emit = lambda event: None,
) -> Iterator[Trial]:
    """Train ``recipe`` under each of the settings in turn, as the runs ``name-01``, ``name-02``, ...

    A sweep that was stopped or killed goes on: what is done of the same settings is not trained again.

    Args:
        options: what all trials share; the training ratings of their ``split`` are divided once more.
        emit: receives the events of every run.
        stop_requested: once it returns true, the current trial is stopped and iteration ends.

    Raises:
        CftuiError: an option does not suit the data, or a run of other settings has one of these names already.
    """
    digits = max(2, len(str(len(tried))))
    for number, setting in enumerate(tried, 1):
        if stop_requested():
            return
        run_name = f"{name}-{number:0{digits}}"
        inner = replace(options, split=f"{options.split}{INNER}", **setting)
        try:
            run = train_or_resume(
                home, recipe, inner, data=data, device=device, name=run_name, emit=emit, stop_requested=stop_requested
            )
        except Diverged:
            yield Trial(run_name, setting, None)
            continue
        ending = run.history().ending
        if ending is None or ending["event"] != "done":
            return
        yield Trial(run_name, setting, score_of(run, recipe))


def score_of(run: RunFolder, recipe: Recipe) -> float | None:
    """What a finished run is judged by: the score of the weights that it kept."""
    history, key = run.history(), recipe.fitting.score.key
    ending: Mapping[str, Any] = history.ending or {}
    kept = [epoch for epoch in history.epochs if epoch["epoch"] == ending.get("kept_epoch")]
    return ending[key] if key in ending else cast(float | None, kept[-1].get(key) if kept else None)


def best(trials: Sequence[Trial], score: Criterion = LOSS) -> Trial | None:
    """The trial with the best score; None if every one diverged."""
    return score.best(trials, lambda trial: trial.loss)


def new_name(home: Home) -> str:
    """A name with which no run's name begins yet."""
    while True:
        name = runs.new_name("sweep", home)
        if not any(run.name.startswith(name) for run in runs.all_runs(home)):
            return name


def as_words(setting: Setting) -> str:
    """``wd 0.2, wd_bias 0.02``."""
    return ", ".join(f"{option} {value:g}" for option, value in setting.items())

"""A sweep: one recipe under many settings, the best of them chosen without a look at the test part.

Every setting is trained on four fifths of the split's training ratings and validated on the rest of them (the split's
name with ``.inner`` behind it), as a run like any other. The best is then trained on all of them, and only that run is
scored on the ratings the split holds back.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from cftui.data.splits import INNER
from cftui.engine.gradient.trainer import Diverged
from cftui.engine.interrupts import StopRequested
from cftui.engine.models.recipes import OPTIONS, Options, Recipe
from cftui.engine.runs import folder as runs
from cftui.engine.training import Emit, train
from cftui.errors import CftuiError, suggestion
from cftui.home import Home

# Where nothing else is asked for: how much the factors are held down, and how much less the biases; a sampler finds
# out by itself, and is only to be told how many factors there are.
USUAL = ("wd=0.1,0.15,0.2,0.3", "wd_bias=0.01,0.02,0.05,0.1")
USUAL_SAMPLED = ("factors=8,16,32",)
# More runs than anybody meant to start.
MOST = 1000

Setting = dict[str, Any]


@dataclass(frozen=True)
class Between:
    """Any value from ``low`` to ``high``; drawn evenly on a logarithmic scale where both are above 0."""

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
        loss: mean squared error on the ratings it was validated on; None where the loss exploded.
    """

    run: str
    setting: Setting
    loss: float | None


def parse(asked: Sequence[str]) -> dict[str, Values]:
    """``lr=1e-3,5e-3`` are values, ``wd=0.05..0.5`` is a range to draw from. Raises CftuiError saying what is wrong."""
    found: dict[str, Values] = {}
    for text in asked:
        name, equals, values = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if not equals or not values:
            raise CftuiError(f"{text!r}: must be such as lr=1e-3,5e-3 or wd=0.05..0.5")
        if name not in OPTIONS or name == "seed":
            known = [option for option in OPTIONS if option != "seed"]
            raise CftuiError(f"no option {name!r} to sweep; {suggestion(name, known)}")
        if name in found:
            raise CftuiError(f"{name} is given twice; one list holds all its values")
        parse_one = OPTIONS[name].parse
        if ".." in values:
            low, high = (parse_one(part) for part in values.split("..", 1))
            if low >= high:
                raise CftuiError(f"{text!r}: a range goes from less to more")
            found[name] = Between(low, high)
        else:
            found[name] = list(dict.fromkeys(parse_one(part) for part in values.split(",")))
    return found


def settings(grid: Mapping[str, Values], draws: int | None = None, seed: int = 0) -> list[Setting]:
    """Every combination, or so many at random, none twice: pure functions of grid and seed.

    Raises:
        CftuiError: a range without ``draws``, or more than a thousand combinations.
    """
    if draws is None:
        ranges = [name for name, values in grid.items() if isinstance(values, Between)]
        if ranges:
            raise CftuiError(f"{', '.join(ranges)}: of a range values are drawn; say how many with --random N")
        lists = [values for values in grid.values() if not isinstance(values, Between)]
        if (count := math.prod(map(len, lists))) > MOST:
            raise CftuiError(f"{count:,} combinations; --random N tries N of them")
        return [dict(zip(grid, values, strict=True)) for values in itertools.product(*lists)]
    chance, found = random.Random(seed), []
    # A small grid has fewer combinations than may be asked for.
    for _ in range(draws * 20):
        one = {name: _draw(name, values, chance) for name, values in grid.items()}
        if one not in found:
            found.append(one)
        if len(found) == draws:
            break
    return found


def _draw(name: str, values: Values, chance: random.Random) -> Any:
    if not isinstance(values, Between):
        return chance.choice(values)
    # Three digits are as many as anybody wants to read, or type again.
    value = float(f"{values.draw(chance):.3g}")
    return round(value) if OPTIONS[name].kind is int else value


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

    Args:
        options: what all trials share; ``split`` is the one whose training ratings are divided again.
        emit: receives the events of every run.
        stop_requested: once it says so, the trial in hand is stopped and nothing more comes.

    Raises:
        CftuiError: an option does not suit the data, or there is a run of such a name.
    """
    digits = max(2, len(str(len(tried))))
    for number, setting in enumerate(tried, 1):
        if stop_requested():
            return
        run_name = f"{name}-{number:0{digits}}"
        inner = replace(options, split=f"{options.split}{INNER}", **setting)
        try:
            run = train(
                home, recipe, inner, data=data, device=device, name=run_name, emit=emit, stop_requested=stop_requested
            )
        except Diverged:
            yield Trial(run_name, setting, None)
            continue
        ending = run.history().ending or {}
        if ending.get("event") != "done":
            return
        yield Trial(run_name, setting, ending["valid_loss"])


def best(trials: Sequence[Trial]) -> Trial | None:
    """The one with the least loss; None if every loss exploded."""
    sound = [trial for trial in trials if trial.loss is not None]
    return min(sound, key=lambda trial: trial.loss or 0.0) if sound else None


def new_name(home: Home) -> str:
    """A name that no run begins with yet."""
    while True:
        name = runs.new_name("sweep", home)
        if not any(run.name.startswith(name) for run in runs.all_runs(home)):
            return name


def as_words(setting: Setting) -> str:
    """``wd 0.2, wd_bias 0.02``."""
    known = [field.name for field in fields(Options) if field.name in setting]
    return ", ".join(f"{option} {setting[option]:g}" for option in known)

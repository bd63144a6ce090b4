"""Trainings that wait for their turn.

The queue belongs to the app: a training begins when the app sees that the one before it has ended. The app keeps the
queue when it is closed, and goes on with it when it is opened again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cftui.engine.models.recipes import all_recipes
from cftui.engine.runs.folder import LIVE, RunFolder
from cftui.home import Home


@dataclass(frozen=True)
class Queued:
    """A training that has not begun.

    Attributes:
        name: the run that it will be, or go on with.
        words: the verb that trains it, with its options.
    """

    name: str
    words: tuple[str, ...]

    @property
    def resumes(self) -> bool:
        """Whether it goes on with a run instead of beginning one."""
        return self.words[0] == "runs"

    @property
    def what(self) -> str:
        """What it trains: the recipe and what differs from its defaults, or the run that it goes on with."""
        options = _options(self.words)
        if self.resumes:
            more = options.get("--epochs", "")
            return f"resume {self.name}" + (f", {more} more" if more else "")
        recipe = self.words[1]
        return " ".join([recipe, *_differences(recipe, options), f"on {options.get('--data', '')}"])

    def is_due(self, home: Home) -> bool:
        """Whether it can still begin: another app on this home may have begun it, or its run may be gone."""
        run = RunFolder(home.models / self.name)
        if self.resumes:
            return run.config_file.exists() and run.status() not in LIVE
        return not run.path.exists()


def _differences(recipe: str, options: Mapping[str, str]) -> list[str]:
    """``wd 0.2``: the options in which a training differs from the defaults of its recipe."""
    known = all_recipes().get(recipe)
    found = []
    for flag, value in options.items():
        name = flag.removeprefix("--").replace("-", "_")
        if known is None or name not in known.described:
            continue
        default: Any = known.default(name)
        usual = f"{default:g}" if isinstance(default, float | int) and not isinstance(default, bool) else str(default)
        if value != usual:
            found.append(flag.removeprefix("--") if value == "True" else f"{flag.removeprefix('--')} {value}")
    return found


def _options(words: tuple[str, ...]) -> Mapping[str, str]:
    """Options by flag; a flag without a value has ``True``."""
    found: dict[str, str] = {}
    for at, word in enumerate(words):
        if word.startswith("--"):
            value = words[at + 1] if at + 1 < len(words) and not words[at + 1].startswith("--") else "True"
            found[word] = value
    return found


def without(queue: tuple[Queued, ...], name: str) -> tuple[Queued, ...]:
    """The queue without the training of that name."""
    return tuple(one for one in queue if one.name != name)


def moved(queue: tuple[Queued, ...], name: str, by: int) -> tuple[Queued, ...]:
    """The queue with one training moved by ``by`` places, towards the front if below 0."""
    at = next((place for place, one in enumerate(queue) if one.name == name), None)
    if at is None:
        return queue
    rest = list(without(queue, name))
    rest.insert(min(max(at + by, 0), len(rest)), queue[at])
    return tuple(rest)


def renamed(queue: tuple[Queued, ...], old: str, new: str) -> tuple[Queued, ...]:
    """The queue after a run that it goes on with was renamed."""

    def change(one: Queued) -> Queued:
        return replace(one, name=new, words=tuple(new if word == old else word for word in one.words))

    return tuple(change(one) if one.name == old else one for one in queue)

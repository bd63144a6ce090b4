"""What the fields of an event must be: somebody may have edited the log, or a disk has damaged it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Numbers beyond these are not of any run: 2**53 steps, and 30,000 years.
MOST_STEPS = 2**53
MOST_SECONDS = 1e12
LARGEST = 1e300

Test = tuple[Callable[[Any], bool], str]


def _is_number(value: Any) -> bool:
    # Infinity and NaN, which Python's reader of JSON accepts, fail the comparison.
    return (type(value) is float and -LARGEST < value < LARGEST) or (type(value) is int and abs(value) < LARGEST)


def _is_figure(value: Any) -> bool:
    return value is None or _is_number(value)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST_STEPS


def _is_duration(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= MOST_SECONDS


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


_COUNT: Test = (_is_count, "a whole number from 0")
_SECONDS: Test = (_is_duration, "a number of seconds")
_FIGURE: Test = (_is_figure, "a number or null")
_NUMBER: Test = (_is_number, "a number")
_TEXT: Test = (_is_text, "text")
_FLAG: Test = (lambda value: isinstance(value, bool), "true or false")
_COUNT_OR_NONE: Test = (lambda value: value is None or _is_count(value), "a whole number or null")

# A field means the same in each kind of event that has it.
_FIELDS: Mapping[str, Test] = {
    **dict.fromkeys(("step", "epoch", "epochs", "steps", "steps_per_epoch", "batch_size", "draws", "left_out"), _COUNT),
    **dict.fromkeys(("train", "valid", "train_users", "valid_users", "processes"), _COUNT),
    **dict.fromkeys(("memory", "gpu_memory", "gpu_memory_used", "gpu_memory_total"), _COUNT),
    "kept_epoch": _COUNT_OR_NONE,
    **dict.fromkeys(("elapsed", "seconds"), _SECONDS),
    **dict.fromkeys(("loss", "mean", "min", "max", "lr", "train_loss", "valid_loss", "rmse", "mae", "ndcg"), _FIGURE),
    **dict.fromkeys(("ratings_per_second", "noise", "coverage", "cpu", "gpu", "power", "temperature"), _FIGURE),
    **dict.fromkeys(("global_mean", "bias_only", "item_knn", "popularity", "l2"), _NUMBER),
    **dict.fromkeys(("score", "unit", "recipe", "run", "host", "device", "reason"), _TEXT),
    **dict.fromkeys(("higher_is_better", "early", "fade"), _FLAG),
}
# Without these an event of the kind says nothing.
_FACTS = ("run", "epochs", "steps", "steps_per_epoch", "batch_size", "device")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "start": _FACTS,
    "resume": ("step", *_FACTS),
    "window": ("step", "elapsed"),
    "trial": ("step", "elapsed", "l2"),
    "epoch": ("epoch", "step", "elapsed"),
}


_TESTS = {name: test for name, (test, _) in _FIELDS.items()}


def fault(event: Any) -> str:
    """What is wrong with a line of a log, naming the field; "" if it is an event."""
    if not isinstance(event, dict) or not isinstance(kind := event.get("event"), str):
        return "is not an event"
    for name, value in event.items():
        if (test := _TESTS.get(name)) is not None and not test(value):
            return f"field {kind}.{name} {_shown(value)} is not {_FIELDS[name][1]}"
    for name in _NEEDED.get(kind, ()):
        if name not in event:
            return f"field {kind}.{name} is missing"
    return ""


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:40]}..."

"""The values that a person may enter on the rating scale of a data set, key by key."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

# The largest of these that all values of a scale are multiples of, from its lower end, is its step.
STEPS = (1.0, 0.5, 0.25, 0.2, 0.1, 0.05, 0.01)
# Counts are typed with one key; from here on they are stepped to.
TYPED_COUNT = 9
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_CLOSE = 1e-6


@dataclass(frozen=True)
class Entered:
    """What has been typed so far.

    Attributes:
        text: the characters; "" if nothing is left to be completed.
        value: what they say, None if they are no value yet.
        done: whether they can only mean this value.
        wrong: why the last key was refused, or "".
    """

    text: str = ""
    value: float | None = None
    done: bool = False
    wrong: str = ""


@dataclass(frozen=True)
class Scale:
    """A rating scale, or the counts of what somebody chose.

    Attributes:
        low, high: its ends; ``high`` is infinite for counts.
        step: between two values.
    """

    low: float
    high: float
    step: float

    @classmethod
    def of(cls, ends: tuple[float, float], levels: Sequence[float], counted: bool = False) -> Scale:
        """The scale of a data set.

        Args:
            ends: its lowest and its highest rating.
            levels: the values that occur.
        """
        if counted:
            return cls(1.0, math.inf, 1.0)
        low, high = ends
        beyond = [value - low for value in (*levels, high)]
        fits = [step for step in STEPS if all(_whole(value / step) for value in beyond)]
        return cls(low, high, fits[0] if fits else STEPS[-1])

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"{self.low:g} or more"
        steps = "" if self.step == 1 else f" by {self.step:g}"
        return f"{self.low:g} to {self.high:g}{steps}"

    def holds(self, value: float) -> bool:
        inside = self.low - _CLOSE <= value <= self.high + _CLOSE
        return inside and _whole((value - self.low) / self.step)

    def typed(self, text: str, key: str) -> Entered:
        """What ``text`` and one more character mean: a value, the beginning of one, or neither."""
        new = text + key
        value = float(new) if _NUMBER.fullmatch(new) else None
        if value is not None and not self.holds(value):
            value = None
        more = self._goes_on(new)
        if value is None and not more:
            return Entered(text, self._value(text), wrong=f"{new} is not on the scale {self}")
        return Entered(new, value, done=value is not None and not more)

    def stepped(self, value: float | None, by: int) -> float:
        """The value ``by`` steps away, or the middle of the scale if nothing is entered yet."""
        if value is None:
            middle = self.low if math.isinf(self.high) else self.low + (self.high - self.low) / 2
            return self._nearest(middle)
        return self._nearest(value + by * self.step)

    def nearest(self, share: float) -> float:
        """The value at this share of the scale, 0 its lower end and 1 its upper one."""
        return self._nearest(self.low + share * (self.high - self.low))

    def _nearest(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        return round(self.low + round((value - self.low) / self.step) * self.step, 9)

    def _value(self, text: str) -> float | None:
        return float(text) if _NUMBER.fullmatch(text) and self.holds(float(text)) else None

    def _goes_on(self, text: str) -> bool:
        """Whether a value can begin with ``text`` and have more digits.

        After a whole number, a point is not counted as more: else every number key would have to wait for one.
        """
        if math.isinf(self.high):
            return False
        if text == "-":
            return self.low < 0
        if not re.fullmatch(r"-?\d+(\.\d*)?", text):
            return False
        if "." in text:
            missing = _places(self.step) - len(text.partition(".")[2])
            return missing > 0 and any(self.holds(float(f"{text}{end:0{missing}d}")) for end in range(10**missing))
        if text.lstrip("-") == "0":
            return False
        most = len(f"{max(abs(self.low), abs(self.high)):.0f}")
        for size in range(1, most - len(text.lstrip("-")) + 1):
            one, other = (float(f"{text}{digit * size}") for digit in "09")
            if min(one, other) <= self.high and max(one, other) >= self.low:
                return True
        return False


def _whole(value: float) -> bool:
    return abs(value - round(value)) < _CLOSE * max(1.0, abs(value))


def _places(step: float) -> int:
    """How many digits after the point values in this step have."""
    return len(f"{step:g}".partition(".")[2])

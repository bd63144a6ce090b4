"""Hyper-parameters: what each is called, what it must be, and the options that every way of fitting shares.

A method lists its options as the fields of a dataclass. Command line, form, sweep and API are made from these fields,
so an option that a method does not list does not exist for its recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

from cftui.errors import CftuiError


@dataclass(frozen=True)
class Option:
    """One hyper-parameter.

    Attributes:
        label: its name in a sentence: ``learning rate``.
        kind: ``int``, ``float``, ``bool`` or ``str``.
        help: one sentence for ``--help`` and the tooltips of the form.
        ok, rule: what a value must satisfy, as a test and in words.
        empty: what the default of None means, for a field left empty; "" where a value is always needed.
        short: its label in the form.
        choices: the values that the form offers, for a text; () lets anything be typed.
        alias: another name under which it may be given.
        sweepable: whether ``cftui sweep --try`` may vary it.
    """

    label: str
    kind: type
    help: str
    ok: Callable[[Any], bool] = lambda value: True
    rule: str = ""
    empty: str = ""
    short: str = ""
    choices: tuple[str, ...] = ()
    alias: str = ""
    sweepable: bool = True

    def parse(self, text: str) -> Any:
        """The value of what somebody typed. Raises CftuiError saying what it must be."""
        try:
            value = self.kind(text.strip().replace("_", ""))
        except ValueError:
            value = None
        if value is None or not self.ok(value):
            raise CftuiError(f"{self.label} {text!r}: must be {self.rule}")
        return value

    def check(self, value: Any) -> None:
        """Raises CftuiError unless ``value`` is one that ``parse`` could return, or the None that ``empty`` allows."""
        if self.kind in (bool, str) or (value is None and self.empty):
            return
        self.parse(str(value))


def option(default: Any, label: str, kind: type, help: str, **more: Any) -> Any:
    """A dataclass field that is a hyper-parameter; ``more`` are further attributes of ``Option``."""
    return field(default=default, metadata={"option": Option(label, kind, help, **more)})


def whole(low: int, high: int) -> dict[str, Any]:
    """The rule of a whole number in a range, for ``option``."""
    upper = "" if high >= 100_000 and high != 2**31 - 1 else f" to {high}"
    return {"ok": lambda value: low <= value <= high, "rule": f"a whole number from {low}{upper}"}


@dataclass(frozen=True)
class Options:
    """The options of one run. Every method's options extend these.

    Attributes:
        LENGTH: the option that says how many units the fit takes; "" for a method that fits at once.
    """

    LENGTH: ClassVar[str] = ""

    seed: int = option(
        0,
        "seed",
        int,
        "Seed of the split, the initial weights and the order.",
        **whole(0, 2**31 - 1),
        short="seed",
        sweepable=False,
    )
    split: str = option(
        "random",
        "split",
        str,
        "random, u1..u5 (official), time, fold2of5 and the like, or none to train on every rating.",
        short="split",
        sweepable=False,
    )
    item_key: str = option(
        "title",
        "item key",
        str,
        "What identifies an item: its title or its id.",
        short="item by",
        choices=("title", "id"),
        sweepable=False,
    )

    def __post_init__(self) -> None:
        for name, one in described(type(self)).items():
            one.check(getattr(self, name))

    @property
    def length(self) -> int:
        """How many units the fit takes."""
        return int(getattr(self, self.LENGTH)) if self.LENGTH else 1

    @classmethod
    def option(cls, name: str) -> Option:
        """The description of one option."""
        return described(cls)[name]

    def in_words(self) -> str:
        """How much work a fit is: ``5 epochs of batches of 64``."""
        return "one closed-form fit"

    def fitted_by(self) -> str:
        """How the parameters are found, for ``--summary``."""
        return self.in_words()

    def summary(self) -> dict[str, Any]:
        """What ``--summary --json`` adds about these options."""
        return {}

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ChoiceOptions(Options):
    """What every model shares that learns what people choose."""

    graded: bool = option(
        True,
        "graded input",
        bool,
        "Let a high rating say more than a low one; otherwise every rating counts the same.",
        short="graded input",
        sweepable=False,
    )


def arguments(values: Mapping[str, Any]) -> list[str]:
    """These values of options as words of the command line; None, which cannot be typed, is left out."""
    words = []
    for name, value in values.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            words += [f"--{flag}", str(value)]
    return words


_DESCRIBED: dict[type[Options], Mapping[str, Option]] = {}


def described(kind: type[Options]) -> dict[str, Option]:
    """The options of a method by name, in the order of its form: its own first, then what all methods share."""
    return dict(_DESCRIBED.get(kind) or _DESCRIBED.setdefault(kind, _describe(kind)))


def _describe(kind: type[Options]) -> Mapping[str, Option]:
    shared = {one.name for one in fields(Options)}
    every = sorted(fields(kind), key=lambda one: one.name in shared)
    return {one.name: one.metadata["option"] for one in every}

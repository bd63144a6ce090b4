"""The form of the Train screen: a recipe and its options, checked as they are typed.

The fields are made from the options of each method, so a new method or option appears here by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import DescendantBlur
from textual.message import Message
from textual.widgets import Button, Checkbox, Input, Label, Select, Static

from cftui.data.splits import NAMES, offered
from cftui.engine.models.method import Method
from cftui.engine.models.options import Option, Options
from cftui.engine.models.recipes import Recipe, all_recipes
from cftui.errors import CftuiError
from cftui.tui.shell.textual_private import SteadySelect, Tick

FIRST = "model4"
FIELDS_PER_ROW = 2
# The longest label, in letters, of a tick beside an input.
SHORT = 8
# What every recipe has, whatever its method: their fields are there once.
SHARED = {"split": offered(NAMES, has_given=False), "item_key": Options.option("item_key").choices}
DEVICES = ("auto", "cpu", "cuda", "mps")
# What an option that may be left open says for yes and no.
YES, NO = "yes", "no"
# The beginning of a number: more is to come.
UNFINISHED = re.compile(r"[+-]?\d*\.?\d*(e[+-]?)?", re.IGNORECASE)


class MethodFields(Vertical):
    """The fields for the options of one method."""

    def __init__(self, method: Method, recipe: Recipe) -> None:
        super().__init__(id=f"fields-{method.name}", classes="method")
        self.method = method
        self._recipe = recipe
        options = {name: one for name, one in method.described.items() if name not in SHARED}
        self._open = [name for name, one in options.items() if one.kind is bool and one.empty]
        self._ticks = [name for name, one in options.items() if one.kind is bool and not one.empty]
        typed = [name for name, one in options.items() if one.kind is not bool]
        # A short tick box shares the row of an input that has room left.
        odd = len(typed) % FIELDS_PER_ROW > 0
        self._beside = [name for name in self._ticks if odd and len(label(options[name])) <= SHORT][:1]
        # Fields that may stay empty come last.
        self._inputs = sorted(typed, key=lambda name: bool(options[name].empty))

    def compose(self) -> ComposeResult:
        for row in _batched(self._inputs, FIELDS_PER_ROW):
            with Horizontal(classes="field"):
                for name in row:
                    yield from self._input(name)
                if len(row) < FIELDS_PER_ROW:
                    yield from self._tick_row(self._beside)
        for name in [one for one in self._ticks if one not in self._beside]:
            with Horizontal(classes="field"):
                yield from self._tick_row([name])
        for name in self._open:
            option = self.method.described[name]
            with Horizontal(classes="field"):
                yield Label(label(option))
                yield _choice(name, (option.empty, YES, NO), option.empty)

    def _input(self, name: str) -> ComposeResult:
        option, value = self.method.described[name], self._recipe.default(name)
        yield Label(label(option), id=f"label-{name}")
        field = Input(_text(value), compact=True, id=f"field-{name}", tooltip=option.help)
        field.placeholder = option.empty
        field.cursor_blink = False
        yield field

    def _tick_row(self, names: list[str]) -> ComposeResult:
        for name in names:
            option = self.method.described[name]
            yield Tick(
                label(option),
                bool(self._recipe.default(name)),
                compact=True,
                id=_id(name),
                tooltip=option.help,
            )

    def adapt(self, recipe: Recipe) -> None:
        """Show the recipe's own defaults in place of those of the recipe before it; keep what somebody has typed."""
        for name in self._inputs:
            field = self._field(name)
            field.disabled = name in recipe.without
            if field.value.strip() == _text(self._recipe.default(name)):
                field.value = _text(recipe.default(name))
        self._recipe = recipe

    def values(self, typing: Input | None = None) -> tuple[dict[str, Any], str]:
        """What the fields say, by name of the option, and what is wrong with the first wrong one ("" if nothing is).

        Args:
            typing: the field that is being typed into: the beginning of a number is nothing wrong there.
        """
        values: dict[str, Any] = {}
        problem = ""
        for name in self._inputs:
            option, field = self.method.described[name], self._field(name)
            text, wrong = field.value.strip(), ""
            if name in self._recipe.without:
                continue
            if text or not option.empty:
                try:
                    values[name] = option.parse(text)
                except CftuiError as error:
                    wrong = "" if field is typing and UNFINISHED.fullmatch(text) else str(error)
            field.set_class(bool(wrong), "-invalid")
            problem = problem or wrong
        for name in self._ticks:
            values[name] = self.query_one(f"#{_id(name)}", Checkbox).value
        for name in self._open:
            chosen = self.query_one(f"#{_id(name)}", Select).value
            if chosen in (YES, NO):
                values[name] = chosen == YES
        return values, problem

    def arguments(self, values: dict[str, Any]) -> Iterator[str]:
        """These values as options of the command line."""
        for name, value in values.items():
            flag = name.replace("_", "-")
            if not isinstance(value, bool):
                yield from (f"--{flag}", str(value))
            elif value != getattr(self.method.options, name):
                yield f"--{flag}" if value else f"--no-{flag}"

    # What is remembered: texts by name, those that are no default

    def texts(self) -> dict[str, str]:
        """What differs from the recipe's defaults, as text."""
        found = {name: self._field(name).value.strip() for name in self._inputs}
        found |= {name: YES if self.query_one(f"#{_id(name)}", Checkbox).value else NO for name in self._ticks}
        found |= {name: str(self.query_one(f"#{_id(name)}", Select).value) for name in self._open}
        return {name: text for name, text in found.items() if text != self._usual(name)}

    def restore(self, texts: Mapping[str, str]) -> None:
        """Put back what ``texts`` once returned; what no longer fits is left out."""
        for name, text in texts.items():
            if name in self._inputs:
                self._field(name).value = text
            elif name in self._ticks:
                self.query_one(f"#{_id(name)}", Checkbox).value = text == YES
            elif name in self._open and text in (YES, NO):
                self.query_one(f"#{_id(name)}", Select).value = text

    def _usual(self, name: str) -> str:
        value = self._recipe.default(name)
        if name in self._ticks:
            return YES if value else NO
        return self.method.described[name].empty if name in self._open else _text(value)

    def _field(self, name: str) -> Input:
        return self.query_one(f"#field-{name}", Input)


class RecipeForm(Vertical):
    """Fields for one training run. What does not fit is scrolled; the buttons stay in sight."""

    class Submitted(Message):
        """Posted on enter in a field, and by the button."""

    class Changed(Message):
        """A field has another value."""

    class SweepAsked(Message):
        """The button beside it: try many settings."""

    def compose(self) -> ComposeResult:
        self._recipes = all_recipes()
        wide = max(map(len, self._recipes)) + 2
        with VerticalScroll(id="form-fields", can_focus=False):
            # The list says what each recipe is.
            names = [(f"{name:<{wide}}{row.summary}", name) for name, row in self._recipes.items()]
            yield SteadySelect(names, value=FIRST, allow_blank=False, compact=True, id="recipe")
            yield Static(id="about-recipe")
            first_of = {row.fitting.name: row for row in reversed(self._recipes.values())}
            for row in reversed(first_of.values()):
                yield MethodFields(row.fitting, self._recipes[FIRST] if row.method == "gradient" else row)
            for name, values in SHARED.items():
                with Horizontal(classes="field"):
                    yield Label(Options.option(name).short)
                    yield _choice(name, values, getattr(Options, name))
            with Horizontal(classes="field"):
                yield Label("device")
                yield _choice("device", DEVICES, DEVICES[0])
        with Vertical(id="form-foot"):
            yield Static(id="form-error")
            with Horizontal(id="form-buttons"):
                yield Button("Train (t)", id="start", variant="primary", compact=True)
                yield Button("Sweep (B)", id="sweep", compact=True)

    def on_mount(self) -> None:
        self.border_title = "recipe"
        self._adapt(self._recipes[self.recipe])

    # What is remembered and not known to be there yet.
    _remembered_split = _remembered_device = ""

    @on(Input.Changed)
    @on(Checkbox.Changed)
    @on(Select.Changed)
    def _changed(self) -> None:
        self.post_message(self.Changed())

    def offer_splits(self, names: Sequence[str]) -> None:
        """Offer these splits; the chosen one stays, if it is among them."""
        field = self.query_one("#split", Select)
        chosen = str(field.value)
        field.set_options([(name, name) for name in names])
        # What is remembered may be a split that only this data set has.
        wanted, self._remembered_split = self._remembered_split or chosen, ""
        field.value = next(name for name in (wanted, chosen, *names) if name in names)

    def offer_gpus(self, count: int) -> None:
        """Offer each GPU by its number where there are several; without a number, one is chosen when a run begins."""
        if count < 2:
            return
        field = self.query_one("#device", Select)
        names = (*DEVICES, *(f"cuda:{index}" for index in range(count)))
        wanted = self._remembered_device or str(field.value)
        field.set_options([(name, name) for name in names])
        field.value = wanted if wanted in names else DEVICES[0]

    @property
    def recipe(self) -> str:
        """The name of the chosen recipe."""
        return str(self.query_one("#recipe", Select).value)

    @property
    def device(self) -> str:
        """The name of the device to train on."""
        return str(self.query_one("#device", Select).value)

    @property
    def _fields(self) -> MethodFields:
        """The fields of the chosen recipe's method."""
        return self.query_one(f"#fields-{self._recipes[self.recipe].fitting.name}", MethodFields)

    def set_value(self, name: str, text: str) -> None:
        """Put ``text`` into the field of an option."""
        self._fields.query_one(f"#field-{name}", Input).value = text

    def focus_start(self) -> None:
        self.query_one("#start").focus()

    def focus_first(self) -> None:
        self.query_one("#recipe").focus()

    @on(Select.Changed, "#recipe")
    def _recipe_changed(self, event: Select.Changed) -> None:
        self._adapt(self._recipes[str(event.value)])
        self.options()
        self.screen.refresh_bindings()

    def _adapt(self, recipe: Recipe) -> None:
        """Show the options that this recipe has, and no others."""
        about = Text(recipe.summary, style="dim", no_wrap=True, overflow="ellipsis")
        self.query_one("#about-recipe", Static).update(about)
        for fields in self.query(MethodFields):
            fields.display = fields.method.name == recipe.fitting.name
        self._fields.adapt(recipe)

    @on(Input.Changed)
    def _field_changed(self, event: Input.Changed) -> None:
        self.options(typing=event.input if event.input.has_focus else None)

    def on_descendant_blur(self, event: DescendantBlur) -> None:
        """What was left unfinished is wrong once the field is left."""
        if isinstance(event.widget, Input):
            self.options()

    @on(Input.Submitted)
    @on(Button.Pressed, "#start")
    def _submitted(self) -> None:
        self.post_message(self.Submitted())

    @on(Button.Pressed, "#sweep")
    def _sweep_asked(self) -> None:
        self.post_message(self.SweepAsked())

    def options(self, typing: Input | None = None) -> list[str] | None:
        """The form as command-line options, or None with the reason shown beneath it.

        Args:
            typing: the field that is being typed into, which may hold the beginning of a number.
        """
        fields = self._fields
        values, problem = fields.values(typing)
        if not problem:
            try:
                self._recipes[self.recipe].options(**values)
            except CftuiError as error:
                problem = str(error)
        self.query_one("#form-error", Static).update(Text(problem))
        self.query_one("#form-error").display = bool(problem)
        if problem:
            return None
        words = [*fields.arguments(values)]
        for name in SHARED:
            value = str(self.query_one(f"#{_id(name)}", Select).value)
            # The split is named always: it is what a run is read by.
            if name == "split" or value != getattr(Options, name):
                words += [f"--{_id(name)}", value]
        if self.device != DEVICES[0]:
            words += ["--device", self.device]
        return words

    # What is remembered

    def texts(self) -> dict[str, str]:
        """What is not as it was at the first start, by names that ``restore`` knows."""
        found = {"recipe": self.recipe}
        for fields in self.query(MethodFields):
            found |= {f"{fields.method.name}.{name}": text for name, text in fields.texts().items()}
        for name in (*SHARED, "device"):
            found[name] = str(self.query_one(f"#{_id(name)}", Select).value)
        return found

    def restore(self, texts: Mapping[str, str]) -> None:
        """Show what the form showed when ``texts`` was taken; what no longer exists is left out."""
        if (name := texts.get("recipe", "")) in self._recipes:
            self.query_one("#recipe", Select).value = name
            self._adapt(self._recipes[name])
        for fields in self.query(MethodFields):
            own = f"{fields.method.name}."
            fields.restore({key.removeprefix(own): text for key, text in texts.items() if key.startswith(own)})
        self._remembered_split, self._remembered_device = texts.get("split", ""), texts.get("device", "")
        for name, values in {**SHARED, "device": DEVICES}.items():
            if texts.get(name) in values:
                self.query_one(f"#{_id(name)}", Select).value = texts[name]


def label(option: Option) -> str:
    """What stands before the field of an option."""
    return option.short or option.label


def _choice(name: str, values: tuple[str, ...], chosen: str) -> Select[str]:
    return SteadySelect([(one, one) for one in values], value=chosen, allow_blank=False, compact=True, id=_id(name))


def _id(name: str) -> str:
    return name.replace("_", "-")


def _text(value: Any) -> str:
    return "" if value is None else str(value) if isinstance(value, str) else f"{value:g}"


def _batched(names: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]

"""The form of the Train screen: a recipe and its options, checked as they are typed.

The fields are made from the options of each method, so a new method or option appears here by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Checkbox, Input, Label, Select, Static

from cftui.data.splits import NAMES, offered
from cftui.engine.models.method import Method
from cftui.engine.models.recipes import Recipe, all_recipes
from cftui.errors import CftuiError
from cftui.tui.shell.textual_private import SteadySelect, Tick

FIRST = "model4"
FIELDS_PER_ROW = 2


class MethodFields(Vertical):
    """The fields for the options of one method."""

    def __init__(self, method: Method, recipe: Recipe) -> None:
        super().__init__(id=f"fields-{method.name}", classes="method")
        self.method = method
        self._recipe = recipe
        options = method.described
        numbers = [name for name, one in options.items() if one.short and one.kind in (int, float)]
        # Fields that may stay empty come last.
        self._inputs = sorted(numbers, key=lambda name: bool(options[name].empty))
        self._ticks = [name for name, one in options.items() if one.short and one.kind is bool]

    def compose(self) -> ComposeResult:
        for row in _batched(self._inputs, FIELDS_PER_ROW):
            with Horizontal(classes="field"):
                for name in row:
                    yield from self._input(name)
                if len(row) < FIELDS_PER_ROW:
                    yield from self._tick_row(self._ticks[:1])
        rest = self._ticks[1:] if len(self._inputs) % FIELDS_PER_ROW else self._ticks
        for name in rest:
            with Horizontal(classes="field"):
                yield from self._tick_row([name])

    def _input(self, name: str) -> ComposeResult:
        option, value = self.method.described[name], self._recipe.default(name)
        yield Label(option.short, id=f"label-{name}")
        field = Input(_text(value), compact=True, id=f"field-{name}", tooltip=option.help)
        field.placeholder = option.empty
        field.cursor_blink = False
        yield field

    def _tick_row(self, names: list[str]) -> ComposeResult:
        for name in names:
            option = self.method.described[name]
            yield Tick(
                option.short,
                bool(self._recipe.default(name)),
                compact=True,
                id=name.replace("_", "-"),
                tooltip=option.help,
            )

    def adapt(self, recipe: Recipe) -> None:
        """Show the recipe's own defaults in place of those of the recipe before it; keep what somebody has typed."""
        for name in self._inputs:
            field = self.query_one(f"#field-{name}", Input)
            field.disabled = name in recipe.without
            if field.value.strip() == _text(self._recipe.default(name)):
                field.value = _text(recipe.default(name))
        self._recipe = recipe

    def values(self) -> tuple[dict[str, Any], str]:
        """What the fields say, by name of the option, and what is wrong with the first wrong one ("" if nothing is)."""
        values: dict[str, Any] = {}
        problem = ""
        for name in self._inputs:
            option, field = self.method.described[name], self.query_one(f"#field-{name}", Input)
            text, wrong = field.value.strip(), ""
            if name in self._recipe.without:
                continue
            if text or not option.empty:
                try:
                    values[name] = option.parse(text)
                except CftuiError as error:
                    wrong = str(error)
            field.set_class(bool(wrong), "-invalid")
            problem = problem or wrong
        for name in self._ticks:
            values[name] = self.query_one(f"#{name.replace('_', '-')}", Checkbox).value
        return values, problem

    def arguments(self, values: dict[str, Any]) -> Iterator[str]:
        """These values as options of the command line."""
        for name, value in values.items():
            flag = name.replace("_", "-")
            if not isinstance(value, bool):
                yield from (f"--{flag}", str(value))
            elif value != getattr(self.method.options, name):
                yield f"--{flag}" if value else f"--no-{flag}"


class RecipeForm(Vertical):
    """Fields for one training run."""

    class Submitted(Message):
        """Posted on enter in a field, and by the button."""

    def compose(self) -> ComposeResult:
        self._recipes = all_recipes()
        names = [(name, name) for name in self._recipes]
        yield SteadySelect(names, value=FIRST, allow_blank=False, compact=True, id="recipe")
        yield Static(id="about-recipe")
        first_of = {row.fitting.name: row for row in reversed(self._recipes.values())}
        for row in reversed(first_of.values()):
            yield MethodFields(row.fitting, self._recipes[FIRST] if row.method == "gradient" else row)
        with Horizontal(classes="field"):
            yield Label("split")
            splits = [(name, name) for name in offered(NAMES, has_given=False)]
            yield SteadySelect(splits, value="random", allow_blank=False, compact=True, id="split")
        yield Static(id="form-error")
        yield Button("Train (t)", id="start", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.border_title = "recipe"
        self._adapt(self._recipes[self.recipe])

    def offer_splits(self, names: Sequence[str]) -> None:
        """Offer these splits; the chosen one stays, if it is among them."""
        field = self.query_one("#split", Select)
        chosen = str(field.value)
        field.set_options([(name, name) for name in names])
        field.value = chosen if chosen in names else names[0]

    @property
    def recipe(self) -> str:
        """The name of the chosen recipe."""
        return str(self.query_one("#recipe", Select).value)

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
    def _field_changed(self) -> None:
        self.options()

    @on(Input.Submitted)
    @on(Button.Pressed, "#start")
    def _submitted(self) -> None:
        self.post_message(self.Submitted())

    def options(self) -> list[str] | None:
        """The form as command-line options, or None with the reason shown beneath it."""
        fields = self._fields
        values, problem = fields.values()
        if not problem:
            try:
                self._recipes[self.recipe].options(**values)
            except CftuiError as error:
                problem = str(error)
        self.query_one("#form-error", Static).update(Text(problem))
        self.query_one("#form-error").display = bool(problem)
        split = self.query_one("#split", Select).value
        return None if problem else [*fields.arguments(values), "--split", str(split)]


def _text(value: Any) -> str:
    return "" if value is None else f"{value:g}"


def _batched(names: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]

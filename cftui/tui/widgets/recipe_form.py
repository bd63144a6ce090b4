"""The form of the Train screen: a recipe and its hyper-parameters, checked as they are typed."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Checkbox, Input, Label, Select, Static

from cftui.data.splits import NAMES as SPLITS
from cftui.engine.recipes import OPTIONS, RECIPES, Options
from cftui.errors import CftuiError

# Two to a row; the recipe's own value stands in for an empty wd, and an empty patience never runs out.
ROWS = (("epochs", "bs"), ("lr", "wd"), ("factors", "seed"))
LABELS = {"bs": "batch", "patience": "patience"}
MAY_BE_EMPTY = ("wd", "patience")
FIELDS = (*(name for row in ROWS for name in row), "patience")


class Tick(Checkbox):
    """A check box that is seen to be one without colours, too."""

    @property
    def _button(self) -> Content:
        return Content("[x]" if self.value else "[ ]")


class RecipeForm(Vertical):
    """Fields for one training run."""

    class Submitted(Message):
        """Enter in a field, or the button."""

    def compose(self) -> ComposeResult:
        recipes = [(name, name) for name in RECIPES]
        yield Select(recipes, value="model4", allow_blank=False, compact=True, id="recipe")
        yield Static(id="about-recipe")
        for row in ROWS:
            with Horizontal(classes="field"):
                for name in row:
                    yield from self._field(name)
        with Horizontal(classes="field"):
            yield from self._field("patience")
            yield Tick("best", compact=True, id="keep-best", tooltip="Keep the weights of the best epoch")
        with Horizontal(classes="field"):
            yield Label("split")
            yield Select([(s, s) for s in SPLITS], value="random", allow_blank=False, compact=True, id="split")
        yield Static(id="form-error")
        yield Button("Train (t)", id="start", variant="primary", compact=True)

    @staticmethod
    def _field(name: str) -> ComposeResult:
        yield Label(LABELS.get(name, name))
        value = getattr(Options(), name)
        field = Input("" if value is None else f"{value:g}", compact=True, id=f"field-{name}")
        field.cursor_blink = False
        yield field

    def on_mount(self) -> None:
        self.border_title = "recipe"

    @property
    def recipe(self) -> str:
        return str(self.query_one("#recipe", Select).value)

    def set_value(self, name: str, text: str) -> None:
        self.query_one(f"#field-{name}", Input).value = text

    def focus_start(self) -> None:
        self.query_one("#start").focus()

    def focus_first(self) -> None:
        self.query_one("#recipe").focus()

    @on(Select.Changed, "#recipe")
    def _recipe_changed(self, event: Select.Changed) -> None:
        recipe = RECIPES[str(event.value)]
        about = Text(recipe.summary, style="dim", no_wrap=True, overflow="ellipsis")
        self.query_one("#about-recipe", Static).update(about)
        self.query_one("#field-wd", Input).placeholder = f"{recipe.weight_decay:g}"
        self.query_one("#field-patience", Input).placeholder = "off"
        self.query_one("#field-factors", Input).disabled = not recipe.uses_factors

    @on(Input.Changed)
    def _field_changed(self) -> None:
        self.options()

    @on(Input.Submitted)
    @on(Button.Pressed, "#start")
    def _submitted(self) -> None:
        self.post_message(self.Submitted())

    def options(self) -> list[str] | None:
        """The form as command-line options, or None with the reason shown beneath it."""
        arguments: list[str] = []
        problem = ""
        for name in FIELDS:
            field = self.query_one(f"#field-{name}", Input)
            text, bad = field.value.strip(), ""
            if text or name not in MAY_BE_EMPTY:
                try:
                    arguments += [f"--{name}", str(OPTIONS[name].parse(text))]
                except CftuiError as error:
                    bad = str(error)
            field.set_class(bool(bad), "-invalid")
            problem = problem or bad
        self.query_one("#form-error", Static).update(Text(problem))
        self.query_one("#form-error").display = bool(problem)
        if self.query_one("#keep-best", Checkbox).value:
            arguments.append("--keep-best")
        split = self.query_one("#split", Select).value
        return None if problem else [*arguments, "--split", str(split)]

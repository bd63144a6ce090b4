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
from cftui.engine.models.recipes import GRADIENT_ONLY, OPTIONS, RECIPES, SAMPLED_ONLY, Options, Recipe
from cftui.errors import CftuiError

# In the order of the rows; what only one kind of recipe has takes the place of what only the other has. The recipe's
# own value stands in for an empty wd or burn_in, and an empty patience never runs out.
FIELDS = ("epochs", "bs", "burn_in", "lr", "wd", "factors", "seed", "patience")
LABELS = {"bs": "batch", "burn_in": "burn-in"}
PLACEHOLDERS = {"patience": "off", "burn_in": "auto"}
MAY_BE_EMPTY = ("wd", "patience", "burn_in")
# As many as the recipe takes, until another number is typed.
OF_RECIPE = ("epochs", "factors")
FIRST = "model4"
TICKS = {
    "keep_best": ("best", "Keep the weights of the best epoch"),
    "implicit": ("who rated what", "Learn from who rated what, whatever the rating"),
    "side": ("side information", "Learn from genres, years, ages and the like, and from how many ratings there are"),
}


def _kind(name: str) -> str:
    """The class that hides a field where the recipe does not have it."""
    return "-gradient" if name in GRADIENT_ONLY else "-sampled" if name in SAMPLED_ONLY else ""


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
        yield Select(recipes, value=FIRST, allow_blank=False, compact=True, id="recipe")
        yield Static(id="about-recipe")
        for row in (("epochs", "bs", "burn_in"), ("lr", "wd", "implicit"), ("factors", "seed")):
            with Horizontal(classes="field"):
                for name in row:
                    yield from self._tick(name) if name in TICKS else self._field(name)
        with Horizontal(classes="field"):
            yield from self._field("patience")
            yield from self._tick("keep_best")
            yield from self._tick("side")
        with Horizontal(classes="field"):
            yield Label("split")
            yield Select([(s, s) for s in SPLITS], value="random", allow_blank=False, compact=True, id="split")
        yield Static(id="form-error")
        yield Button("Train (t)", id="start", variant="primary", compact=True)

    @staticmethod
    def _field(name: str) -> ComposeResult:
        yield Label(LABELS.get(name, name), id=f"label-{name}", classes=_kind(name))
        value = getattr(Options(), name)
        field = Input("" if value is None else f"{value:g}", compact=True, id=f"field-{name}", classes=_kind(name))
        field.placeholder = PLACEHOLDERS.get(name, "")
        field.cursor_blink = False
        yield field

    @staticmethod
    def _tick(name: str) -> ComposeResult:
        label, tip = TICKS[name]
        default = getattr(Options(), name)
        yield Tick(label, default, compact=True, id=name.replace("_", "-"), tooltip=tip, classes=_kind(name))

    def on_mount(self) -> None:
        self.border_title = "recipe"
        self._before = RECIPES[FIRST]
        self._adapt(RECIPES[self.recipe])

    @property
    def recipe(self) -> str:
        return str(self.query_one("#recipe", Select).value)

    @property
    def sampled(self) -> bool:
        """Whether the recipe chosen is fitted by a sampler, not by gradients."""
        return RECIPES[self.recipe].sampled

    def set_value(self, name: str, text: str) -> None:
        self.query_one(f"#field-{name}", Input).value = text

    def focus_start(self) -> None:
        self.query_one("#start").focus()

    def focus_first(self) -> None:
        self.query_one("#recipe").focus()

    @on(Select.Changed, "#recipe")
    def _recipe_changed(self, event: Select.Changed) -> None:
        self._adapt(RECIPES[str(event.value)])
        self.options()
        self.screen.refresh_bindings()

    def _adapt(self, recipe: Recipe) -> None:
        """Show what this recipe has, and nothing else."""
        about = Text(recipe.summary, style="dim", no_wrap=True, overflow="ellipsis")
        self.query_one("#about-recipe", Static).update(about)
        self.query_one("#field-wd", Input).placeholder = f"{recipe.weight_decay:g}"
        self.query_one("#field-factors", Input).disabled = not recipe.uses_factors
        self.query_one("#label-epochs", Label).update("sweeps" if recipe.sampled else "epochs")
        self.set_class(recipe.sampled, "-samples")
        for kind, shown in (("-gradient", not recipe.sampled), ("-sampled", recipe.sampled)):
            self.query(f".{kind}").set(disabled=not shown)
        for name in OF_RECIPE:
            field, now = self.query_one(f"#field-{name}", Input), getattr(recipe, name)
            if field.value.strip() == f"{getattr(self._before, name)}":
                field.value = f"{now}"
        self._before = recipe

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
        sampled = self.sampled
        for name in (name for name in FIELDS if name not in (GRADIENT_ONLY if sampled else SAMPLED_ONLY)):
            field = self.query_one(f"#field-{name}", Input)
            text, bad = field.value.strip(), ""
            if text or name not in MAY_BE_EMPTY:
                try:
                    arguments += [f"--{name.replace('_', '-')}", str(OPTIONS[name].parse(text))]
                except CftuiError as error:
                    bad = str(error).replace("epochs", "sweeps", 1) if sampled else str(error)
            field.set_class(bool(bad), "-invalid")
            problem = problem or bad
        if sampled and not problem:
            problem = self._burns_all()
        self.query_one("#form-error", Static).update(Text(problem))
        self.query_one("#form-error").display = bool(problem)
        if sampled:
            arguments += [f"--no-{name}" for name in ("implicit", "side") if not self._ticked(name)]
        elif self._ticked("keep-best"):
            arguments.append("--keep-best")
        split = self.query_one("#split", Select).value
        return None if problem else [*arguments, "--split", str(split)]

    def _ticked(self, name: str) -> bool:
        return self.query_one(f"#{name}", Checkbox).value

    def _burns_all(self) -> str:
        """Nothing would be left of the chain; empty where something is."""
        sweeps, burn = (self.query_one(f"#field-{name}", Input).value.strip() for name in ("epochs", "burn_in"))
        all_gone = burn and OPTIONS["burn_in"].parse(burn) >= OPTIONS["epochs"].parse(sweeps)
        return f"burn-in {burn}: of {sweeps} sweeps none is left" if all_gone else ""

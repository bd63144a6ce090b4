"""Train: is it learning, and is that any good?"""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, DataTable, Input, Label, Select, Static

from cftui.data.splits import NAMES as SPLITS
from cftui.engine.recipes import OPTIONS, RECIPES, Options
from cftui.errors import CftuiError
from cftui.tui.screens.room import Room
from cftui.tui.widgets.loss_chart import LossChart
from cftui.tui.widgets.run_list import RunList

FIELDS = ("epochs", "bs", "lr", "wd", "factors", "seed")
LABELS = {"bs": "batch", "lr": "lr", "wd": "wd"}
# The chapter's columns and the root mean squared error; widths that fit beside the form at 80 columns.
COLUMNS = {"epoch": 6, "train_loss": 11, "valid_loss": 11, "rmse": 7, "time": 8}


class TrainScreen(Room):
    ROOM = "train"
    ABOUT = (
        "Choose a recipe, change what you like, press t (or enter in a field). Training is a process of its own: "
        "it goes on when you leave."
    )
    CSS_PATH = "train.tcss"
    BINDINGS = [
        Binding("t", "train", "Train"),
        Binding("x", "stop", "Stop"),
        Binding("e", "edit", "Edit form"),
        Binding("r", "runs", "Runs"),
        Binding("slash", "app.switch_mode('search')", "Search", key_display="/", show=False),
        Binding("escape", "leave_field", "Leave field", show=False),
    ]

    def body(self) -> ComposeResult:
        defaults = Options()
        with Horizontal(id="train-row"):
            with Vertical(id="left"):
                with Vertical(id="form", classes="pane"):
                    recipes = [(name, name) for name in RECIPES]
                    yield Select(recipes, value="model4", allow_blank=False, compact=True, id="recipe")
                    yield Static(id="about-recipe")
                    for name in FIELDS:
                        with Horizontal(classes="field"):
                            yield Label(LABELS.get(name, name))
                            value = getattr(defaults, name)
                            field = Input("" if value is None else f"{value:g}", compact=True, id=f"field-{name}")
                            field.cursor_blink = False
                            yield field
                    with Horizontal(classes="field"):
                        yield Label("split")
                        yield Select(
                            [(s, s) for s in SPLITS], value="random", allow_blank=False, compact=True, id="split"
                        )
                    yield Static(id="form-error")
                    yield Button("Train (t)", id="start", variant="primary", compact=True)
                yield RunList(id="runs", classes="pane")
            with Vertical(id="right"):
                yield LossChart(id="chart", classes="pane")
                yield DataTable(id="epochs", classes="pane", cursor_type="row", cell_padding=0)
                yield Static(id="status")

    def on_mount(self) -> None:
        self.query_one("#form").border_title = "recipe"
        self.query_one("#runs").border_title = "runs"
        self.query_one("#epochs").border_title = "epochs"
        table = self.query_one("#epochs", DataTable)
        for name, width in COLUMNS.items():
            table.add_column(Text(name, justify="right"), key=name, width=width)
        self._shown: tuple[str, int] = ("", 0)
        self.watch(self.app, "followed", self._followed)
        self.watch(self.app, "tick", self._ticked, init=False)
        self.watch(self.app, "chosen", self._followed, init=False)
        self.query_one("#start").focus()

    def on_screen_resume(self) -> None:
        self.query_one(RunList).reload()
        self._ticked()

    # The form

    @on(Select.Changed, "#recipe")
    def _recipe_changed(self, event: Select.Changed) -> None:
        recipe = RECIPES[str(event.value)]
        self.query_one("#about-recipe", Static).update(
            Text(recipe.summary, style="dim", no_wrap=True, overflow="ellipsis")
        )
        self.query_one("#field-wd", Input).placeholder = f"{recipe.weight_decay:g} (recipe)"
        self.query_one("#field-factors", Input).disabled = not recipe.uses_factors

    @on(Input.Changed)
    def _field_changed(self) -> None:
        self._options()

    @on(Input.Submitted)
    @on(Button.Pressed, "#start")
    def _submitted(self) -> None:
        self.action_train()

    def _options(self) -> list[str] | None:
        """The form as command-line options, or None with the reason shown beneath it."""
        arguments: list[str] = []
        problem = ""
        for name in FIELDS:
            field = self.query_one(f"#field-{name}", Input)
            text = field.value.strip()
            bad = ""
            if not text and name == "wd":
                pass  # the recipe's own
            else:
                try:
                    arguments += [f"--{name}", str(OPTIONS[name].parse(text))]
                except CftuiError as error:
                    bad = str(error)
            field.set_class(bool(bad), "-invalid")
            problem = problem or bad
        self.query_one("#form-error", Static).update(Text(problem))
        self.query_one("#form-error").display = bool(problem)
        split = self.query_one("#split", Select).value
        return None if problem else [*arguments, "--split", str(split)]

    # Actions

    def action_train(self) -> None:
        if self.cftui.opened is None:
            self.notify("no data set yet: press 1, then g", severity="warning")
            return
        options = self._options()
        if options is None:
            return
        self.cftui.start_training(str(self.query_one("#recipe", Select).value), options)

    def action_stop(self) -> None:
        self.cftui.stop_training()

    def action_edit(self) -> None:
        self.query_one("#recipe").focus()

    def action_runs(self) -> None:
        self.query_one(RunList).focus()

    def action_leave_field(self) -> None:
        self.query_one("#start").focus()

    @on(RunList.Picked)
    def _run_picked(self, event: RunList.Picked) -> None:
        from cftui.engine.runs import RunFolder
        from cftui.tui.following import Followed

        if self.cftui.training:
            self.notify("a run is going; its chart stays until it ends", severity="warning")
            return
        followed = Followed(RunFolder(self.cftui.home.models / event.name))
        followed.poll()
        followed.told = not followed.live
        self.cftui.followed = followed
        if not followed.live and followed.history.last:
            self.cftui.open_model(event.name)

    # What the run says

    def _followed(self) -> None:
        self.query_one(RunList).reload()
        self._ticked()

    def _ticked(self) -> None:
        followed = self.cftui.followed
        chart, table, status = (
            self.query_one(LossChart),
            self.query_one("#epochs", DataTable),
            self.query_one("#status", Static),
        )
        if followed is None:
            chart.history = None
            status.update(Text("t trains the recipe on the left", style="dim"))
            return
        history = followed.history
        chart.border_title = f"loss: {followed.name}"
        chart.show(history)
        name, rows = self._shown
        if name != followed.name or rows > len(history.epochs):
            table.clear()
            rows = 0
        best = history.best
        for epoch in history.epochs[rows:]:
            table.add_row(*_epoch_cells(epoch))
        if history.epochs[rows:]:
            table.move_cursor(row=table.row_count - 1)
        self._shown = (followed.name, len(history.epochs))
        table.border_subtitle = f"best: epoch {best['epoch']}, {best['valid_loss']:.6f}" if best else ""
        status.update(_status_text(followed.name, history, followed.live, followed.problem, status.size.width))
        if not followed.live:
            self.query_one(RunList).reload()


def _epoch_cells(epoch: dict) -> list[Text]:
    def number(value: float | None, digits: int) -> str:
        return "nan" if value is None else f"{value:.{digits}f}"

    minutes, seconds = divmod(epoch["seconds"], 60)
    cells = (
        str(epoch["epoch"]),
        number(epoch["train_loss"], 6),
        number(epoch["valid_loss"], 6),
        number(epoch["rmse"], 3),
        f"{int(minutes):02d}:{seconds:04.1f}",
    )
    return [Text(cell, justify="right") for cell in cells]


def _status_text(name: str, history, live: bool, problem: str, width: int) -> Text:  # type: ignore[no-untyped-def]
    """Progress bar, ETA and speed while a run is live; how it ended afterwards."""
    if history.start is None:
        return Text(f"{name}: starting (loading PyTorch)" if live else problem or "no log")
    done, elapsed = history.progress, history.elapsed
    speed = history.last["ratings_per_second"] if history.last else 0.0
    if not speed and elapsed and history.windows:
        speed = history.windows[-1]["step"] * history.start["batch_size"] / elapsed
    facts = [f"{speed / 1000:,.0f} k ratings/s" if speed else "", str(history.start["device"])]
    if live:
        filled = round(10 * done)
        eta = elapsed / done * (1 - done) if done else 0.0
        clock = f"{int(eta) // 60}:{int(eta) % 60:02d}"
        facts = ["█" * filled + "░" * (10 - filled) + f" {done:4.0%}", f"ETA {clock}", *facts]
    elif problem:
        facts = [f"failed: {problem}"]
    else:
        state = history.ending["event"] if history.ending else "dead"
        facts = [f"{state} after {elapsed:.1f} s", *facts]
    text = Text("  ".join(fact for fact in facts if fact), no_wrap=True)
    text.truncate(max(width, 20), overflow="ellipsis")
    return text

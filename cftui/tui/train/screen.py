"""Train: is it learning, and is that any good?"""

from __future__ import annotations

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import Static

from cftui.data.splits import offered
from cftui.engine.models.recipes import recipe
from cftui.engine.runs.events import read_history
from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.verdict import result
from cftui.errors import CftuiError
from cftui.text import level, scaled
from cftui.tui.session.places import Place
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.prompt import Prompt
from cftui.tui.shell.room import Room
from cftui.tui.shell.sheet import Sheet
from cftui.tui.train.comparison import Comparison
from cftui.tui.train.epoch_table import EpochTable
from cftui.tui.train.loss_chart import X_AXES, LossChart, overlay
from cftui.tui.train.queue_pane import QueuePane
from cftui.tui.train.recipe_form import RecipeForm
from cftui.tui.train.run_table import RunTable
from cftui.tui.train.status_line import status_line
from cftui.tui.train.sweep_board import Sweep
from cftui.tui.train.verdict_line import VerdictLine

RELOAD_SECONDS = 3.0


class TrainScreen(Room):
    ROOM = "train"
    ABOUT = (
        "Choose a recipe, change what you like, press t (or enter in a field). Training is a process of its own: "
        "it goes on when you leave. A second one waits in the queue until the first has ended; the queue is kept while "
        "cftui is closed, and begins nothing then. In the table of runs, enter shows a run, and follows it if it is "
        "live. Its marks: ▸ the model that the other screens show, * the best of those that can be compared, ● live, "
        "✗ dead or failed; x + * ^ as in the chart. A figure counts by its own data set, split and seed: sorted by "
        "loss, one group follows the other. NDCG@10 is what a list of ten is worth: 1 if what the user went on to like "
        "stands at its top, 0 if none of it is in it."
    )
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("train")
    HORIZONTAL_BREAKPOINTS = [*Room.HORIZONTAL_BREAKPOINTS, (150, "-huge")]
    VERTICAL_BREAKPOINTS = [*Room.VERTICAL_BREAKPOINTS, (36, "-high")]

    def body(self) -> ComposeResult:
        with Horizontal(id="train-row"):
            with Vertical(id="left"):
                yield RecipeForm(id="form", classes="pane")
            with Vertical(id="right"):
                with Container(id="learning"):
                    yield LossChart(id="chart", classes="pane")
                yield VerdictLine(id="verdict")
                yield Static(id="status")
        with Container(id="lower"):
            yield RunTable(id="runs", classes="pane")
            yield EpochTable(id="epochs", classes="pane", cursor_type="row", cell_padding=0)
            yield QueuePane(id="queue", classes="pane")

    def on_mount(self) -> None:
        self._shown = ""
        self._overlaid: dict[str, int] = {}
        self._sweep: Sweep | None = None
        self.query_one(RecipeForm).restore(self.cftui.form)
        self.watch(self.app, "followed", self._followed)
        self.watch(self.app, "tick", self._ticked, init=False)
        self.watch(self.app, "chosen", self._followed, init=False)
        self.watch(self.app, "opened", self._offer_splits)
        self.query_one(RecipeForm).focus_start()
        self.set_interval(RELOAD_SECONDS, self._look_again)

    def on_screen_resume(self) -> None:
        self.cftui.look_at_runs()
        self._ticked()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the learning-rate finder only for recipes that have a learning rate."""
        if action == "find_lr" and self.query(RecipeForm):
            return recipe(self.query_one(RecipeForm).recipe).fitting.has_lr_finder
        return super().check_action(action, parameters)

    @work(thread=True, exclusive=True, group="gpus")
    def _offer_gpus(self) -> None:
        """Off the event loop: it imports torch."""
        import torch

        self.cftui.from_worker(self.query_one(RecipeForm).offer_gpus, torch.cuda.device_count())

    def _offer_splits(self) -> None:
        """Offer the splits that the open data set has."""
        if self.cftui.opened is not None:
            tables = self.cftui.opened.tables
            names = offered(tables.known_splits, has_given=tables.held_back is not None)
            self.query_one(RecipeForm).offer_splits(names)
            # By now torch is about to be imported for the model in any case.
            self._offer_gpus()

    @on(RecipeForm.Changed)
    def _remember_form(self) -> None:
        self.cftui.form = self.query_one(RecipeForm).texts()

    # Starting and stopping

    @on(RecipeForm.Submitted)
    def action_train(self) -> None:
        if self.cftui.opened is None:
            self.notify("no data set yet: press 1, then g", severity="warning")
            return
        form = self.query_one(RecipeForm)
        options = form.options()
        if options is not None:
            if not self.cftui.busy:
                self.add_class("-epochs")
            self.cftui.start_training(form.recipe, options)
            # The letters are keys again: x stops it.
            self.query_one(EpochTable if self.query_one(EpochTable).display else RunTable).focus()

    @on(RecipeForm.SweepAsked)
    def action_sweep(self) -> None:
        """Ask what to try; show the leaderboard of the sweep that goes on, if one does."""
        if self.cftui.opened is None:
            self.notify("no data set yet: press 1, then g", severity="warning")
            return
        form = self.query_one(RecipeForm)
        options = form.options()
        if self._sweep is None or not self._sweep.live:
            if options is None:
                return
            self._sweep = Sweep(recipe(form.recipe), self.cftui.opened.name, options)
        from cftui.tui.train.sweeping import SweepScreen

        self.app.push_screen(SweepScreen(self._sweep))

    def action_stop(self) -> None:
        self.cftui.stop_training()

    def action_resume(self) -> None:
        """Go on with the run in hand: at once if it was stopped or died, for more epochs if it is done."""
        name = self._in_hand()
        if name is None:
            return
        run = RunFolder(self.cftui.home.models / name)
        if run.status() != "done":
            self.cftui.resume_training(name)
            return
        try:
            method = run.config().method
        except CftuiError as error:
            self.cftui.complain(error)
            return
        if not method.continuation:
            self.notify(f"{name} is fitted at once; there is nothing to continue", severity="warning")
            return
        length = method.options.option(method.options.LENGTH)

        def check(text: str) -> str:
            try:
                length.parse(text)
            except CftuiError as error:
                return str(error)
            return ""

        def go(answer: str | None) -> None:
            if answer:
                self.cftui.resume_training(name, int(answer))

        question = f"how many more {method.units} for {name}?"
        self.app.push_screen(Prompt(question, method.continuation, str(method.more), check), go)

    def action_keep_best(self) -> None:
        """Train the run in hand once more, to end with its best epoch: seed and settings make it the same run."""
        name = self._in_hand()
        if name is None:
            self.notify("no run yet; t trains one")
            return
        run = RunFolder(self.cftui.home.models / name)
        try:
            config = run.config()
            judged = result(name, config, run.history(), run.status())
        except CftuiError as error:
            self.cftui.complain(error)
            return
        if not (judged.can_keep_best and judged.ended):
            self.notify(f"{name} cannot be trained again to end with its best epoch", severity="warning")
        elif judged.best == judged.kept:
            self.notify(f"{name} ended with its best {judged.unit}, {judged.best}")
        else:
            self.cftui.start_training(config.recipe.name, config.command(keep_best=True)[2:])

    def action_find_lr(self) -> None:
        if self.cftui.opened is None:
            self.notify("no data set yet: press 1, then g", severity="warning")
            return
        form = self.query_one(RecipeForm)
        options = form.options()
        if options is None:
            return

        def use(lr: float | None) -> None:
            if lr:
                form.set_value("lr", f"{lr:.2g}")

        from cftui.tui.train.lr_finder import LrFinder

        self.app.push_screen(LrFinder(form.recipe, self.cftui.opened.name, options), use)

    # The run list

    def _in_hand(self) -> str | None:
        """The run under the cursor while the list has the focus, else the one on show."""
        runs = self.query_one(RunTable)
        if runs.has_focus and runs.current:
            return runs.current
        return self.cftui.followed.name if self.cftui.followed else runs.current

    @on(RunTable.Picked)
    def _run_picked(self, event: RunTable.Picked) -> None:
        self.cftui.follow(event.name)

    @on(RunTable.Changed)
    def _runs_changed(self) -> None:
        self._followed()

    @on(RunTable.Overlay)
    def _selected(self, event: RunTable.Overlay) -> None:
        self._overlay(event.name)

    @on(RunTable.Compare)
    def _compare(self, event: RunTable.Compare) -> None:
        from cftui.engine.runs.folder import differences

        shown = self.cftui.followed
        if shown is None or shown.name == event.name:
            self.notify("show one run with enter, then press c on another to compare them")
            return
        other = RunFolder(self.cftui.home.models / event.name)
        try:
            rows = differences(shown.run, other)
        except CftuiError as error:
            self.cftui.complain(error)
            return
        self.app.push_screen(Comparison(shown.run, other, rows))

    @on(RunTable.Lists)
    async def _compare_lists(self, event: RunTable.Lists) -> None:
        """The lists of the model in use and of the selected runs, in Search; with popularity's if there is room."""
        from cftui.analysis.evaluation.side_by_side import MOST, POPULARITY, check_choice

        opened = self.cftui.chosen
        if opened is None:
            self.notify("no run to compare yet; t trains one")
            return
        names = list(dict.fromkeys([opened.name, *event.names]))
        if len(names) < MOST:
            names.append(POPULARITY)
        try:
            check_choice(opened.model, opened.home, names)
        except CftuiError as error:
            self.cftui.complain(error)
            return
        await self.cftui.visit(Place("search", runs=tuple(names)))

    def action_overlay(self) -> None:
        """Draw the run under the cursor into the chart, or take it out again. Its colour and mark stay its own."""
        if (name := self.query_one(RunTable).current) is None:
            self.notify("choose a run in the list (u), then o draws it beside this one")
        else:
            self._overlay(name)

    def _overlay(self, name: str) -> None:
        chart = self.query_one(LossChart)
        if self.cftui.followed and name == self.cftui.followed.name:
            self.notify(f"{name} is in the chart; choose another run to draw it beside this one")
            return
        if any(curve.name == name for curve in chart.others):
            chart.others = [curve for curve in chart.others if curve.name != name]
        else:
            place = self._overlaid.setdefault(name, len(self._overlaid))
            history = read_history(RunFolder(self.cftui.home.models / name).events_file)
            chart.others = [*chart.others, overlay(name, history, place)]
            if chart.others[-1] not in chart.comparable:
                self.notify(f"{name} is selected, but not drawn: it is judged by another figure than the run on show")
        self._mark_overlays()
        self._redraw()

    def _mark_overlays(self) -> None:
        """The table shows the mark of each curve of the chart."""
        self.query_one(RunTable).mark({curve.name: curve.mark for curve in self.query_one(LossChart).others})

    @work(thread=True, exclusive=True, group="results")
    def action_results(self) -> None:
        """The chapter's show_results for the run in hand."""
        from cftui.analysis.evaluation import accuracy
        from cftui.analysis.trained import TrainedModel

        name = self._in_hand()
        if name is None:
            return
        try:
            model = TrainedModel.load(RunFolder(self.cftui.home.models / name))
            scale = model.rating_range
            table = accuracy.results(model, model.ratings(self.cftui.home), rows=12)
        except (CftuiError, OSError) as error:
            self.cftui.from_worker(self.cftui.complain, error)
            return
        rows = [
            {**row, "rating": level(row["rating"]), "rating_pred": scaled(row["rating_pred"], scale, digits=4)}
            for row in table.to_dict("records")
        ]
        places = [Place("search", row["title"], str(row["user"])) for row in rows]
        title = f"validation ratings as {name} predicts them"
        self.cftui.from_worker(self.app.push_screen, Sheet(title, rows, places))

    def action_evaluate(self) -> None:
        """The tables of ``cftui eval`` for the model on show."""
        from cftui.tui.train.evaluation import EvaluationScreen

        if self.cftui.chosen is None:
            self.notify("no run to evaluate yet; t trains one")
            return
        self.app.push_screen(EvaluationScreen(self.cftui.chosen))

    def action_scatter(self) -> None:
        """Every run on the ratings of the model in use, by accuracy and novelty."""
        from cftui.tui.train.run_scatter import RunScatter

        def go(name: str | None) -> None:
            if name is not None:
                self.cftui.follow(name)

        if self.cftui.chosen is None:
            self.notify("no run to judge yet; t trains one")
            return
        self.app.push_screen(RunScatter(self.cftui.chosen), go)

    # The chart's keys

    def action_log_y(self) -> None:
        chart = self.query_one(LossChart)
        chart.log_y = not chart.log_y
        self._redraw()

    def action_x_axis(self) -> None:
        chart, followed = self.query_one(LossChart), self.cftui.followed
        # A sweep is a step.
        known = [axis for axis in X_AXES if axis != "step" or followed is None or followed.history.unit != "sweep"]
        at = known.index(chart.x_axis) if chart.x_axis in known else 0
        chart.x_axis = known[(at + 1) % len(known)]
        self._redraw()

    def action_range(self) -> None:
        chart = self.query_one(LossChart)
        chart.everything = not chart.everything
        self._redraw()

    def action_band(self) -> None:
        chart = self.query_one(LossChart)
        chart.band = not chart.band
        self._redraw()

    def _redraw(self) -> None:
        followed = self.cftui.followed
        self.query_one(LossChart).show(followed.history if followed else None, urgent=True)

    def action_edit(self) -> None:
        self.query_one(RecipeForm).focus_first()

    def action_runs(self) -> None:
        self.remove_class("-epochs")
        self.query_one(RunTable).focus()

    def action_epochs(self) -> None:
        """Where there is room for one of the two, the epochs take the place of the runs, or give it back."""
        self.toggle_class("-epochs")
        self.query_one(EpochTable if self.has_class("-epochs") else RunTable).focus()

    def action_queue(self) -> None:
        if self.cftui.queue:
            self.query_one(QueuePane).focus()
        else:
            self.notify("the queue is empty; t while a run trains puts the next one there")

    def action_leave_field(self) -> None:
        self.query_one(RecipeForm).focus_start()

    # What the run says

    def _followed(self) -> None:
        self._prune_overlays()
        self.cftui.look_at_runs()
        self._ticked()

    def _look_again(self) -> None:
        """Runs come and go without this app; only while somebody looks."""
        if self.is_current:
            self.cftui.look_at_runs()

    def _prune_overlays(self) -> None:
        """Runs that were removed or renamed are no longer on the chart."""
        chart = self.query_one(LossChart)
        chart.others = [c for c in chart.others if RunFolder(self.cftui.home.models / c.name).config_file.exists()]
        self._mark_overlays()

    def _ticked(self) -> None:
        followed = self.cftui.followed
        chart, table = self.query_one(LossChart), self.query_one(EpochTable)
        status = self.query_one("#status", Static)
        if followed is None:
            chart.show(None)
            table.show("", None)
            status.update(Text("t trains the recipe on the left", style="dim"))
            return
        history = followed.history
        chart.run_name = followed.name
        chart.show(history, urgent=self._shown != followed.name or not followed.live)
        self._shown = followed.name
        # More is said of a sweep than of an epoch: more room where the table stands beside the chart.
        self.set_class(history.unit == "sweep", "-sweeps")
        table.hint = "" if self.query_one(RunTable).display else "u: runs"
        table.show(followed.name, history)
        status.update(status_line(followed, status.size.width))
        if not followed.live:
            self.cftui.look_at_runs()

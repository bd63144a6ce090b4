"""The app as its screens know it: the data set, the model and the user on show, and the runs it follows.

Screens import this class, never the app itself, which is put together above them (``cftui.tui.main``).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual import work
from textual.message_pump import MessagePump
from textual.reactive import reactive
from textual.worker import get_current_worker

from cftui import settings
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.settings import Config, State, Use
from cftui.tui.session import memory
from cftui.tui.session.places import Place
from cftui.tui.session.queue import Queued
from cftui.tui.session.run_keeper import DEFAULT_DATA, DEFAULT_RECIPE, RunKeeper
from cftui.tui.session.workspace import OpenData, OpenModel, try_epoch

if TYPE_CHECKING:
    from cftui.engine.runs.folder import RunFolder
    from cftui.engine.runs.index import RunIndex
    from cftui.engine.runs.summaries import JudgedRun
    from cftui.tui.session.following import Followed

DEFAULT_USER = "196"


class SessionApp(RunKeeper):
    """Attributes are what the screens watch.

    Attributes:
        config: the configuration file.
        opened: the data set on show, None until it is read or fetched.
        chosen: the trained model on show.
        user: whom predictions are made for: raw id of a user, or the name of a saved profile.
        epoch: the items of the chosen model are shown as they were after that epoch; None: as trained.
        opening: name of the data set that is being read; "" when none is.
        form: what the form of the Train screen shows, as text.
        wanted: what a screen was asked to show; it sets None once it has shown it.
        run_rows: the runs of the home, the newest first, as they were last read.
        followed, tick, activity, queue: as ``RunKeeper`` has them.
    """

    user: reactive[str] = reactive(DEFAULT_USER)
    epoch: reactive[int | None] = reactive(None)
    opening: reactive[str] = reactive("")
    wanted: reactive[Place | None] = reactive(None)
    run_rows: reactive[Sequence[JudgedRun]] = reactive(())
    _opening_run = ""

    def __init__(self, home: Home, config: Config | None = None, *, remember: bool = False) -> None:
        """Args: remember: begin where the app was left, and keep where it is left."""
        super().__init__()
        self.home = home
        self.config = config or Config()
        self._remember = remember
        self._trail: list[Place] = []
        self._last, self._warning = settings.read_state(home) if remember else (State(), "")
        self.form: dict[str, str] = dict(self._last.form)
        self._used = dict(self._last.used)
        if (use := self._used.get(self._last.data)) and use.user:
            self.set_reactive(SessionApp.user, use.user)
        self.set_reactive(RunKeeper.queue, tuple(Queued(name, tuple(words)) for name, *words in self._last.queue))
        self._looked = not self.queue
        # A defect that what is remembered brings out must not come back at every start.
        self._left_out = set(self._last.left_out)
        self._broken = ""
        if self._last.broken:
            said = f"the {self._last.broken.title()} screen ended cftui with an internal error"
            runs = f"; not opened again: {', '.join(sorted(self._left_out))}" if self._left_out else ""
            self._warning = self._warning or f"{said}{runs}; details in {settings.log_file()}"
        self._index: RunIndex | None = None
        self._index_lock = threading.Lock()
        self._reading = self._read_again = False
        # Runs that were trained to work together with one that was on show.
        self._partners: set[str] = set()

    @property
    def default_recipe(self) -> str:
        """What is trained where nothing has been."""
        return self.config.recipe or DEFAULT_RECIPE

    def on_unmount(self) -> None:
        self.keep_state()

    def watch_queue(self, before: tuple[Queued, ...], now: tuple[Queued, ...]) -> None:
        """What is queued survives whatever ends the app."""
        if before != now:
            self.keep_state()

    def watch_chosen(self) -> None:
        self._note_use()

    def watch_user(self) -> None:
        self._note_use()

    def _note_use(self, newest: str = "") -> None:
        """Remember what the data set on show is used with."""
        if self.chosen is not None:
            data = self.chosen.model.data_name
            before = self._used.get(data, Use())
            self._used[data] = replace(before, run=self.chosen.name, user=self.user, newest=newest or before.newest)

    @property
    def use(self) -> Use:
        """What the data set of the model on show was last used with."""
        return self._used.get(self.chosen.model.data_name, Use()) if self.chosen is not None else Use()

    def remember_use(self, **changes: Any) -> None:
        """Keep more of what the data set of the model on show is used with: fields of ``Use``."""
        if self.chosen is not None:
            self._used[self.chosen.model.data_name] = replace(self.use, **changes)

    def keep_state(self) -> None:
        """Write down where the app is left. Any thread may do so, with the event loop running or not."""
        if self._remember:
            state = State(
                theme=self.theme,
                data=self.opened.name if self.opened else self._last.data,
                screen=self.current_mode,
                used=self._used,
                queue=[[one.name, *one.words] for one in self.queue],
                form=self.form,
                broken=self._broken,
                left_out=sorted(self._left_out),
            )
            settings.write_state(self.home, state)

    def broke(self) -> None:
        """The app ends with an internal error: what is on show now is left out at the next start."""
        self._broken = self.current_mode
        shown = (one.name for one in (self.chosen, self.followed) if one is not None)
        self._left_out.update(filter(None, (*shown, self._opening_run)))

    @property
    def begins_on(self) -> str:
        """The screen to begin on; "" for the first one."""
        return "" if self._last.broken else self._last.screen

    def complain(self, error: Exception) -> None:
        """An error the user can act on, as a notice."""
        self.notify(str(error), severity="error", timeout=20, markup=False)

    # From screen to screen

    async def visit(self, place: Place) -> None:
        """Show an item or a user on a screen; ``go_back`` returns to the place that this was asked from."""
        self._trail.append(getattr(self.screen_stack[0], "place", Place(self.current_mode)))
        await self._go(place)

    async def go_back(self) -> None:
        """Return to where the last visit began."""
        if self._trail:
            await self._go(self._trail.pop())

    @property
    def can_go_back(self) -> bool:
        return bool(self._trail)

    async def _go(self, place: Place) -> None:
        if place.user is not None:
            self.user = place.user
        self.wanted = place
        if place.mode != self.current_mode:
            await self.switch_mode(place.mode)
        self.screen.refresh_bindings()

    async def action_switch_mode(self, mode: str) -> None:
        """Go to a screen by its key: there is then no way back but by keys."""
        self._trail.clear()
        await super().action_switch_mode(mode)

    # What is on show

    @work(thread=True, exclusive=True, group="data")
    def open_data(self, name: str = DEFAULT_DATA) -> None:
        """Read the data set, then what it was last used with, without holding up the screen."""
        from cftui.data.store import catalog

        try:
            source = catalog.find(name, self.home)
        except CftuiError as error:  # it was removed since it was last used
            self.from_worker(self.complain, error)
            self.from_worker(self._set, activity="no data set", opening="")
            self._bring_back("")
            return
        if not source.is_present:
            self.from_worker(self._set, activity="no data set", opening="")
            # What was trained on another data set can be looked at all the same.
            self._bring_back("")
            return
        self.from_worker(self._set, activity=f"opening {name}", opening=name)
        try:
            opened = OpenData(source.tables, source)
        except (CftuiError, OSError) as error:
            self.from_worker(self.complain, error)
            self.from_worker(self._set, activity="unreadable", opening="")
            return
        self.from_worker(self._data_read, opened)
        self._bring_back(name)

    def _data_read(self, opened: OpenData) -> None:
        # A model that is being opened would bring its own data set with it.
        self.workers.cancel_group(self, "model")
        self._show_data(opened)

    def _show_data(self, opened: OpenData) -> None:
        """Show a data set, and no model of another beside it."""
        if self.chosen is not None and self.chosen.model.data_name != opened.name:
            self.chosen = None
        self._set(opened=opened, activity="", opening="")

    @work(exclusive=True, group="fetch")
    async def fetch_data(self, name: str = DEFAULT_DATA) -> None:
        """Fetch a published data set, then open it. The top line says how far it is."""
        from cftui.tui.session.jobs import Job

        def show(line: str) -> None:
            self.activity = line

        try:
            await Job(self.home, ["data", "get", name], show).run()
        except (CftuiError, OSError) as error:
            self.complain(error)
            self.activity = "not fetched"
        else:
            self.open_data(name)

    def _bring_back(self, data: str) -> None:
        """In a thread: open the run that a data set was last used with, or the newest if it was trained since.

        Args:
            data: the data set on show; "" if nothing is shown, and a run on any data set will do.
        """
        from cftui.engine.runs.folder import LIVE, RunFolder, all_runs
        from cftui.tui.session.following import Followed

        use = self._used.get(data or self._last.data, Use())
        runs = [run for run in reversed(all_runs(self.home)) if not data or _ran_on(run, data)]
        runs = [run for run in runs if run.name not in self._left_out]
        newest = runs[0].name if runs else ""
        if newest == use.newest:
            runs.sort(key=lambda run: run.name != use.run)
        to_open = next((run.name for run in runs if run.weights_file.exists() or run.checkpoint_file.exists()), "")
        self.from_worker(self._open_again, data, newest, to_open)
        # This reads every log, so it comes last.
        rows = self._read_index()
        live = next((one.run.name for one in rows if one.run.status in LIVE and one.run.name not in self._left_out), "")
        if name := live or (runs[0].name if runs else ""):
            followed = Followed(RunFolder(self.home.models / name))
            followed.poll()
            self.from_worker(self._follow_again, data, followed)
        self.from_worker(self._set, run_rows=rows, _looked=True)

    def _open_again(self, data: str, newest: str, to_open: str) -> None:
        if data:
            self._used[data] = replace(self._used.get(data, Use()), newest=newest)
        if to_open and (self.chosen is None or self.chosen.name != to_open):
            self.open_model(to_open)

    def _follow_again(self, data: str, followed: Followed) -> None:
        """Follow the live run, else the newest on the data set, unless such a run is followed already."""
        if self.followed is not None and (self.training or not data or _ran_on(self.followed.run, data)):
            return
        followed.told = not followed.live
        self.followed = followed

    @work(thread=True, exclusive=True, group="model")
    def open_model(self, name: str) -> None:
        self._opening_run = name
        self._left_out.discard(name)
        self.from_worker(self._set, activity=f"opening {name}")
        try:
            from cftui.analysis.trained import TrainedModel
            from cftui.data.store import catalog
            from cftui.engine.runs.folder import find

            run = find(self.home, name)
            model = TrainedModel.load(run)
            data = self.opened
            if data is None or data.source is None or data.name != model.data_name:
                source = catalog.find(model.data_name, self.home)
                ratings = model.ratings(self.home, source)
                data = OpenData(source.tables, source)
            else:
                ratings = model.ratings(self.home, data.source)
            opened = OpenModel(model, ratings, self.home)
            opened.prepare()
            memory.settle()
        except (CftuiError, OSError) as error:
            self.from_worker(self.complain, error)
            self.from_worker(self._set, activity="")
            return
        finally:
            self._opening_run = ""
        self.from_worker(self._choose, opened, data)
        if words := run.failed_in_words():
            self.from_worker(self.notify, words, severity="warning", markup=False)

    def _choose(self, opened: OpenModel, data: OpenData | None = None) -> None:
        """Show a model, with its own data set, and the user last used with that one."""
        name = opened.model.data_name
        if self.chosen is None or self.chosen.model.data_name != name:
            use = self._used.get(name, Use())
            self.set_reactive(SessionApp.user, use.user or self.user)
        if data is not None and data is not self.opened:
            self._show_data(data)
        # A user the new model does not know is replaced by its first user before anything is predicted.
        try:
            opened.person(self.user)
        except CftuiError:
            self.set_reactive(SessionApp.user, str(opened.model.users.classes[1]))
        self.set_reactive(SessionApp.epoch, None)
        self.chosen, self.activity = opened, "" if self.opened else "no data set"

    def train_partner(self, recipe: str, options: Iterable[str]) -> None:
        """Train a recipe that works together with the run on show, which stays on show."""
        self._partners.add(self.start_training(recipe, options))

    def run_ended(self, followed: Followed) -> None:
        """Open what a run has learned, unless another data set has been opened since it began.

        A run that was trained to work together with another leaves that on show; opened again, it finds its partner.
        """
        data = followed.data
        self._used[data] = replace(self._used.get(data, Use()), newest=followed.name)
        if self.opened is None or self.opened.name == data:
            stays = self.chosen is not None and followed.name in self._partners
            self.open_model(self.chosen.name if stays and self.chosen is not None else followed.name)

    # The list of runs

    def look_at_runs(self) -> None:
        """Read the runs again, off the event loop. One thread does so at a time; asked meanwhile, it goes on."""
        if self._reading:
            self._read_again = True
            return
        self._reading = True
        self._read_runs()

    @work(thread=True, group="runs")
    def _read_runs(self) -> None:
        rows: Sequence[JudgedRun] | None = None
        try:
            rows = self._read_index()
        finally:
            self.from_worker(self._runs_read, rows)

    def _read_index(self) -> Sequence[JudgedRun]:
        """In a thread."""
        from cftui.engine.runs.index import RunIndex

        with self._index_lock:
            self._index = self._index or RunIndex(self.home)
            return self._index.read()

    def _runs_read(self, rows: Sequence[JudgedRun] | None) -> None:
        self._reading = False
        if rows is not None:
            self.run_rows = rows
        if self._read_again:
            self._read_again = False
            self.look_at_runs()

    def move_epoch(self, step: int) -> None:
        """To the epoch kept before or after the one on show: neighbours and map follow."""
        if self.chosen is None:
            return
        try:
            wanted = try_epoch(self.chosen.epochs, self.epoch, step, self.chosen.unit)
            self.chosen.at(wanted)  # before anybody is told of it: its file may be gone
            self.epoch = wanted
        except CftuiError as error:
            self.complain(error)

    def from_worker(self, function: Callable[..., object], *args: object, **kwargs: object) -> None:
        """``call_from_thread`` for a thread whose answer may no longer be wanted: then it is dropped.

        Whether it is wanted is asked in the event loop: the screen may close between the two.
        """
        worker = get_current_worker()

        def call() -> None:
            if not worker.is_cancelled:
                function(*args, **kwargs)

        if not worker.is_cancelled:
            self.call_from_thread(call)

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            setattr(self, name, value)


def _ran_on(run: RunFolder, data: str) -> bool:
    with contextlib.suppress(CftuiError):
        return run.config().data.name == data
    return False


def session_of(node: MessagePump) -> SessionApp:
    """Return the app that a screen or widget belongs to."""
    app = node.app
    assert isinstance(app, SessionApp)
    return app

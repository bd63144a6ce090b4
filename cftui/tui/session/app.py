"""The app as its screens know it: the data set, the model and the user on show, and the runs it follows.

Screens import this class, never the app itself, which is put together above them (``cftui.tui.main``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import work
from textual.message_pump import MessagePump
from textual.reactive import reactive
from textual.worker import get_current_worker

from cftui import settings
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.settings import Config, State
from cftui.tui.session import memory
from cftui.tui.session.places import Place
from cftui.tui.session.run_keeper import DEFAULT_DATA, DEFAULT_RECIPE, RunKeeper
from cftui.tui.session.workspace import OpenData, OpenModel, try_epoch

if TYPE_CHECKING:
    from cftui.engine.runs.folder import RunFolder

DEFAULT_USER = "196"


class SessionApp(RunKeeper):
    """Attributes are what the screens watch.

    Attributes:
        config: the configuration file.
        opened: the data set on show, None until it is read or fetched.
        chosen: the trained model on show.
        user: whom predictions are made for: raw id of a user, or the name of a saved profile.
        epoch: the items of the chosen model are shown as they were after that epoch; None: as trained.
        wanted: what a screen was asked to show; it sets None once it has shown it.
        followed, tick, activity: as ``RunKeeper`` has them.
    """

    user: reactive[str] = reactive(DEFAULT_USER)
    epoch: reactive[int | None] = reactive(None)
    wanted: reactive[Place | None] = reactive(None)

    def __init__(self, home: Home, config: Config | None = None, *, remember: bool = False) -> None:
        """Args: remember: begin where the app was left, and keep where it is left."""
        super().__init__()
        self.home = home
        self.config = config or Config()
        self._remember, self._newest = remember, ""
        self._trail: list[Place] = []
        self._last, self._warning = settings.read_state(home) if remember else (State(), "")
        if self._last.user:
            self.set_reactive(SessionApp.user, self._last.user)

    @property
    def default_recipe(self) -> str:
        """What is trained where nothing has been."""
        return self.config.recipe or DEFAULT_RECIPE

    def on_unmount(self) -> None:
        self._keep_state()

    def _keep_state(self) -> None:
        if self._remember:
            state = State(
                theme=self.theme,
                data=self.opened.name if self.opened else self._last.data,
                run=self.chosen.name if self.chosen else self._last.run,
                newest=self._newest or self._last.newest,
                user=self.user,
                screen=self.current_mode,
            )
            settings.write_state(self.home, state)

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
        """Read the data set, then the latest model, without holding up the screen."""
        from cftui.data.store import catalog

        source = catalog.find(name, self.home)
        if not source.is_present:
            self.from_worker(self._set, activity="no data set")
            # What was trained on another data set can be looked at all the same.
            self.from_worker(self._open_latest)
            return
        self.from_worker(self._set, activity="reading")
        try:
            opened = OpenData(source.tables, source)
        except (CftuiError, OSError) as error:
            self.from_worker(self.complain, error)
            self.from_worker(self._set, activity="unreadable")
            return
        self.from_worker(self._set, opened=opened, activity="")
        self.from_worker(self._open_latest)

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

    def _open_latest(self) -> None:
        """Follow the newest run, live or ended, and open the newest that has something to show."""
        from cftui.engine.runs.folder import LIVE, all_runs
        from cftui.tui.session.following import Followed

        runs = all_runs(self.home)[::-1]
        if runs and self.followed is None:
            live = next((run for run in runs if run.status() in LIVE), runs[0])
            followed = Followed(live)
            followed.poll()
            followed.told = not followed.live
            self.followed = followed
        self._newest = runs[0].name if runs else ""
        if self._newest == self._last.newest:  # nothing was trained since: what was on show when the app was left
            runs.sort(key=lambda run: run.name != self._last.run)
        if self.chosen is not None and self.opened is not None:  # another data set: what was learned of it, if anything
            name = self.opened.name
            runs = [] if self.chosen.model.data_name == name else [run for run in runs if _ran_on(run, name)]
        for run in runs:
            if run.weights_file.exists() or run.checkpoint_file.exists():
                self.open_model(run.name)
                return

    @work(thread=True, exclusive=True, group="model")
    def open_model(self, name: str) -> None:
        self.from_worker(self._set, activity=f"opening {name}")
        try:
            from cftui.analysis.trained import TrainedModel
            from cftui.engine.runs.folder import find

            model = TrainedModel.load(find(self.home, name))
            source = self.opened.source if self.opened else None
            opened = OpenModel(model, model.ratings(self.home, source), self.home)
            opened.prepare()
            memory.settle()
        except (CftuiError, OSError) as error:
            self.from_worker(self.complain, error)
            self.from_worker(self._set, activity="")
            return
        self.from_worker(self._choose, opened)

    def _choose(self, opened: OpenModel) -> None:
        # A user the new model does not know is replaced by its first user before anything is predicted.
        try:
            opened.person(self.user)
        except CftuiError:
            self.set_reactive(SessionApp.user, str(opened.model.users.classes[1]))
        self.set_reactive(SessionApp.epoch, None)
        self.chosen, self.activity = opened, "" if self.opened else "no data set"

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
        """``call_from_thread`` for a thread whose answer may no longer be wanted: then it is dropped."""
        if not get_current_worker().is_cancelled:
            self.call_from_thread(function, *args, **kwargs)

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

"""The app: four screens over one workspace.

Nothing heavy is imported here: the first paint comes before pandas and torch, which are then imported in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.app import SystemCommand
from textual.notifications import Notify, SeverityLevel
from textual.reactive import reactive
from textual.screen import Screen
from textual.worker import WorkerFailed, get_current_worker

from cftui import settings
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.settings import Config, State
from cftui.tui.session.run_keeper import DEFAULT_DATA, DEFAULT_RECIPE, RunKeeper
from cftui.tui.session.workspace import OpenData, OpenModel
from cftui.tui.shell.clipboard import osc52
from cftui.tui.shell.filters import Ascii, NoControl
from cftui.tui.shell.keys import bindings, ids, is_key, keymap
from cftui.tui.shell.notices import Notice

if TYPE_CHECKING:
    from cftui.engine.runs.folder import RunFolder

POLL_SECONDS = 0.5
DEFAULT_USER = "196"
# A terminal drops a longer OSC 52 sequence, or worse, prints it.
CLIPBOARD_BYTES = 50_000


def _dataset() -> Screen:
    from cftui.tui.dataset.screen import DatasetScreen

    return DatasetScreen()


def _train() -> Screen:
    from cftui.tui.train.screen import TrainScreen

    return TrainScreen()


def _search() -> Screen:
    from cftui.tui.search.screen import SearchScreen

    return SearchScreen()


def _map() -> Screen:
    from cftui.tui.map.screen import MapScreen

    return MapScreen()


class CftuiApp(RunKeeper):
    """Attributes are what the screens watch.

    Attributes:
        opened: the data set on show, None until it is read or fetched.
        chosen: the trained model on show.
        user: whom predictions are made for: raw id of a user, or the name of a saved profile.
        epoch: the items of the chosen model are shown as they were after that epoch; None: as trained.
        followed, tick, activity: as ``RunKeeper`` has them.
    """

    TITLE = "cftui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    MODES: ClassVar[dict[str, str | Callable[[], Screen]]] = {
        "dataset": _dataset,
        "train": _train,
        "search": _search,
        "map": _map,
    }
    BINDINGS = bindings("app")

    user: reactive[str] = reactive(DEFAULT_USER)
    epoch: reactive[int | None] = reactive(None)

    def __init__(self, home: Home, config: Config | None = None, *, remember: bool = False) -> None:
        """Args: remember: begin where the app was left, and keep where it is left."""
        super().__init__()
        self.home = home
        self.config = config or Config()
        self._remember, self._newest = remember, ""
        self._last, self._warning = settings.read_state(home) if remember else (State(), "")
        # Over SSH an animation is a flood of bytes.
        self.animation_level = "none"
        self._filters.append(NoControl())
        if self.config.ascii:
            self._filters.append(Ascii())
        self.set_keymap(keymap(self.config.keys))
        theme = self.config.theme or self._last.theme
        if theme in self.available_themes:
            self.theme = theme
        elif theme:
            self._warning = f"no theme {theme!r}; there is: {', '.join(sorted(self.available_themes))}"
        if self._last.user:
            self.set_reactive(CftuiApp.user, self._last.user)

    @property
    def default_recipe(self) -> str:
        """What is trained where nothing has been."""
        return self.config.recipe or DEFAULT_RECIPE

    def on_load(self) -> None:
        """Before the terminal is touched."""
        self._restore_terminal_on_signals()

    async def on_mount(self) -> None:
        # Textual forgets to draw when fg brings it back.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        await self.switch_mode(self._last.screen if self._last.screen in self.MODES else "dataset")
        self.set_interval(POLL_SECONDS, self.poll)
        self.call_after_refresh(self.open_data, self._last.data or self.config.data or DEFAULT_DATA)
        if self._warning:
            self.notify(self._warning, severity="warning", timeout=20)

    def _restore_terminal_on_signals(self) -> None:
        """Told to go, or left by the terminal: end in order, so that the terminal is as it was found."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Not everywhere, and only in the main thread.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, partial(self.exit, return_code=128 + number))

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

    # What is on show

    @work(thread=True, exclusive=True, group="data")
    def open_data(self, name: str = DEFAULT_DATA) -> None:
        """Read the data set, then the latest model, without holding up the screen."""
        from cftui.data.store import catalog

        if not catalog.is_present(name, self.home):
            self.from_worker(self._set, activity="no data set")
            # What was trained on another data set can be looked at all the same.
            self.from_worker(self._open_latest)
            return
        self.from_worker(self._set, activity="reading")
        try:
            opened = OpenData(catalog.open_tables(name, self.home))
        except (CftuiError, OSError) as error:
            self.from_worker(self.complain, error)
            self.from_worker(self._set, activity="unreadable")
            return
        self.from_worker(self._set, opened=opened, activity="")
        self.from_worker(self._open_latest)

    @work(exclusive=True, group="fetch")
    async def fetch_data(self, name: str = DEFAULT_DATA) -> None:
        """Fetch in a process of its own: a slow network must not keep the app from quitting."""
        words = [sys.executable, "-m", "cftui", "data", "get", name, "--home", str(self.home.root)]
        child = await asyncio.create_subprocess_exec(
            *words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        last = ""
        assert child.stderr is not None
        async for line in child.stderr:
            last = line.decode(errors="replace").strip() or last
            self.activity = last.removeprefix("cftui: ")
        if await child.wait():
            self.complain(CftuiError(last.removeprefix("cftui: ")))
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
            opened = OpenModel(model, model.ratings(self.home), self.home)
            opened.prepare()
            settle_memory()
        except (CftuiError, OSError) as error:
            self.from_worker(self.complain, error)
            self.from_worker(self._set, activity="")
            return
        self.from_worker(self._choose, opened)

    def _choose(self, opened: OpenModel) -> None:
        # A user the new model does not know gives way to its first, before anything is predicted for him.
        try:
            opened.person(self.user)
        except CftuiError:
            self.set_reactive(CftuiApp.user, str(opened.model.users.classes[1]))
        self.set_reactive(CftuiApp.epoch, None)
        self.chosen, self.activity = opened, "" if self.opened else "no data set"

    def move_epoch(self, step: int) -> None:
        """To the epoch kept before or after the one on show: neighbours and map follow."""
        from cftui.tui.shell.rows import try_epoch

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

    # Talking to the user

    def _handle_exception(self, error: Exception) -> None:
        """What fails in the background is told and logged, and the app goes on; the rest ends it, in one line."""
        if not isinstance(error, WorkerFailed):
            super()._handle_exception(error)
            return
        self._exception = self._exception or error  # for tests, which must not pass over it
        cause = error.error
        path = settings.log("".join(traceback.format_exception(cause)))
        self.activity = ""
        self.complain(CftuiError(f"{type(cause).__name__}: {cause}; details in {path}"))

    def _fatal_error(self) -> None:
        """In the place of Textual's traceback, which fills the screen and shows what is in every variable."""
        self.bell()
        path = settings.log(traceback.format_exc())
        error = sys.exc_info()[1]
        said = f"cftui: internal error: {type(error).__name__}: {error}; details in {path}"
        self.panic(Text(" ".join(said.split())))

    def action_copy(self) -> None:
        """Send what is marked to the clipboard of the terminal one sits at (OSC 52), be it over SSH or in tmux."""
        marked = getattr(self.focused, "copy_text", None) or getattr(self.screen, "copy_text", None)
        text = marked() if marked is not None else ""
        if not text:
            self.notify("nothing is marked here; lists, tables and the map have a mark")
        elif len(text.encode()) > CLIPBOARD_BYTES:
            self.notify("too long for a terminal's clipboard; x writes a file", severity="warning")
        else:
            self.copy_to_clipboard(text)
            shown = text if len(text) <= 60 else f"{text[:57]}..."
            self.notify(f"sent to the terminal's clipboard: {shown}")

    def copy_to_clipboard(self, text: str) -> None:
        """Wrapped for tmux and screen, which keep the sequence to themselves otherwise."""
        self._clipboard = text
        if self._driver is not None:
            self._driver.write(osc52(text))

    async def action_quit(self) -> None:
        """Asks only where something would be lost: training goes on without the app, unsaved ratings do not."""
        from cftui.tui.shell.prompt import Confirm

        # In whatever room: what lies behind another one is lost as well.
        screens = [screen for stack in self._screen_stacks.values() for screen in stack]
        losing = next((said for screen in screens if (said := getattr(screen, "unsaved", ""))), "")
        if not losing:
            self.exit()
            return
        self.push_screen(Confirm(f"quit and lose {losing}?"), lambda sure: self.exit() if sure else None)

    def action_command_palette(self) -> None:
        from cftui.tui.shell.dialog import Palette

        if not Palette.is_open(self):  # type: ignore[arg-type]
            self.push_screen(Palette(id="--command-palette"))

    def action_jump(self) -> None:
        from cftui.tui.shell.jump import JumpScreen, targets

        found = targets(self.screen)
        if found:
            self.push_screen(JumpScreen(found), lambda widget: widget.focus() if widget is not None else None)

    def complain(self, error: Exception) -> None:
        """An error the user can act on, as a notice."""
        self.notify(str(error), severity="error", timeout=20, markup=False)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Titles and paths look like markup (``[REC] (2007)``): none is read as such, whatever a widget asks for."""
        seconds = self.NOTIFICATION_TIMEOUT if timeout is None else timeout
        self.post_message(Notify(Notice(message, title, severity, seconds, markup=False)))

    def action_help(self) -> None:
        from cftui.tui.shell.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))

    def get_system_commands(self, screen: Screen) -> Iterable[SystemCommand]:
        """The palette: every binding of the screen and the app, then Textual's own."""
        yield from super().get_system_commands(screen)
        for _, binding, enabled, _ in screen.active_bindings.values():
            if enabled and binding.description and not binding.system:
                text = binding.tooltip or f"Key: {binding.key_display or binding.key}"
                yield SystemCommand(binding.description, text, partial(self.run_action, binding.action, screen))


def _ran_on(run: RunFolder, data: str) -> bool:
    with contextlib.suppress(CftuiError):
        return run.config().data.name == data
    return False


def settle_memory() -> None:
    """Take what has just been loaded out of the garbage collector's sight.

    It would otherwise walk through all of it again and again, a fifth of a second each time, in the middle of a frame.
    """
    gc.unfreeze()
    gc.collect()  # what was frozen before and is not wanted any more, too
    gc.freeze()


def run(home: Home, *, ascii_only: bool = False) -> int:
    """Open the app; returns its exit status.

    Raises:
        CftuiError: the configuration file is wrong.
    """
    config = Config.read(actions=ids(), is_key=is_key)
    if ascii_only:
        config = replace(config, ascii=True)
    app = CftuiApp(home, config, remember=True)
    app.run()
    return app.return_code or 0

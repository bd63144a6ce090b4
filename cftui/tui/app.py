"""The shell around the screens: terminal, notices, palette, help and clipboard. It knows no screen.

Nothing heavy is imported here: the first paint comes before pandas and torch, which are then imported in a thread.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.app import SystemCommand
from textual.notifications import Notify, SeverityLevel
from textual.screen import Screen
from textual.worker import WorkerFailed

from cftui import settings
from cftui.errors import CftuiError, suggestion
from cftui.home import Home
from cftui.settings import Config
from cftui.text import shorten
from cftui.tui.session import children
from cftui.tui.session.app import SessionApp
from cftui.tui.session.run_keeper import DEFAULT_DATA
from cftui.tui.shell import textual_private as private
from cftui.tui.shell.clipboard import osc52
from cftui.tui.shell.commands import commands
from cftui.tui.shell.dialog import Palette
from cftui.tui.shell.filters import Ascii, Dim, NoControl
from cftui.tui.shell.help import HelpScreen
from cftui.tui.shell.jump import JumpScreen, targets
from cftui.tui.shell.keys import bindings, keymap
from cftui.tui.shell.notices import Notice
from cftui.tui.shell.passthrough import osc9
from cftui.tui.shell.prompt import Confirm
from cftui.tui.shell.themes import DEFAULT, THEMES
from cftui.tui.terminal.lifeline import Lifeline
from cftui.tui.terminal.watch import Watch

if TYPE_CHECKING:
    from cftui.tui.session.following import Followed

# Textual's own commands for what has a key here.
TWICE = {"Quit", "Keys"}
POLL_SECONDS = 0.5
# A terminal drops a longer OSC 52 sequence, or worse, prints it.
CLIPBOARD_BYTES = 50_000
# Whoever has the chart on show for longer than this may be looking elsewhere.
WATCHED_SECONDS = 20.0


class AppShell(SessionApp):
    """What holds the screens; ``cftui.tui.main`` adds them as ``MODES``."""

    TITLE = "cftui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = bindings("app")
    # Shared with the parent process; None without a terminal.
    lifeline: Lifeline | None = None
    _watch: Watch | None = None

    def __init__(self, home: Home, config: Config | None = None, *, remember: bool = False) -> None:
        super().__init__(home, config, remember=remember)
        # Over SSH an animation is a flood of bytes.
        self.animation_level = "none"
        private.add_filter(self, NoControl())
        if self.config.ascii:
            private.add_filter(self, Ascii())
        self.set_keymap(keymap(self.config.keys))
        for own in THEMES:
            self.register_theme(own)
        theme = self.config.theme or self._last.theme or DEFAULT
        if theme not in self.available_themes:
            self._warning = f"no theme {theme!r}; {suggestion(theme, sorted(self.available_themes))}"
            theme = DEFAULT
        self.theme = theme

    def get_css_variables(self) -> dict[str, str]:
        """Called whenever the theme changes: dim text is drawn in a colour of the theme."""
        variables = super().get_css_variables()
        private.set_filter(self, Dim(variables))
        if self.current_theme.ansi:
            # Charts are drawn in whole colours: from the terminal's default ones they would make black on black.
            plain = self.ansi_theme
            grounds = {"surface": plain.background_color.hex, "foreground": plain.foreground_color.hex}
            self.theme_variables = {**variables, **grounds}
        return variables

    def on_load(self) -> None:
        """Before the terminal is touched."""
        if self.lifeline is not None:
            self._watch_terminal(self.lifeline)

    async def on_mount(self) -> None:
        # Textual forgets to draw when fg brings it back.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        # The Dataset screen shows nothing else: what broke it is not opened.
        first = next(iter(self.MODES))
        last = "" if self._last.broken == first else self._last.data
        data = last or self.config.data or DEFAULT_DATA
        # Before it is known whether there is such a data set, the app does not say that it is missing.
        self.opening = data
        await self.switch_mode(self.begins_on if self.begins_on in self.MODES else next(iter(self.MODES)))
        self.set_interval(POLL_SECONDS, self.poll)
        self.call_after_refresh(self.open_data, data)
        if self._warning:
            self.notify(self._warning, severity="warning", timeout=20)

    def _watch_terminal(self, lifeline: Lifeline) -> None:
        """Whoever is told to go, or left by the terminal, ends with the state saved, however busy the event loop is."""
        loop = asyncio.get_running_loop()

        def leave(status: int) -> None:
            loop.call_soon_threadsafe(partial(self.exit, return_code=status))

        def keep() -> None:
            children.interrupt_all()
            self.keep_state()

        lifeline.take()
        self._watch = Watch(leave, keep, lifeline, sys.stdin.fileno())
        self._watch.start()

    async def run_async(self, **options: Any) -> None:
        """When this has returned, the terminal is as it was; a thread that still computes does not keep the process."""
        await super().run_async(**options)
        if self.lifeline is not None and self._watch is not None:
            self.lifeline.give_back()
            self._watch.end(self.return_code or 0)

    # Talking to the user

    def _handle_exception(self, error: Exception) -> None:
        """What fails in the background is told and logged, and the app goes on; the rest ends it, in one line."""
        if not isinstance(error, WorkerFailed):
            super()._handle_exception(error)
            return
        private.remember_exception(self, error)
        cause = error.error
        path = settings.log("".join(traceback.format_exception(cause)))
        self.activity = ""
        self.complain(CftuiError(f"{type(cause).__name__}: {cause}; details in {path}"))

    def _fatal_error(self) -> None:
        """In the place of Textual's traceback, which fills the screen and shows what is in every variable."""
        self.bell()
        self.broke()
        path = settings.log(traceback.format_exc())
        error = sys.exc_info()[1]
        said = f"cftui: internal error: {type(error).__name__}: {error}; details in {path}"
        self.panic(Text(" ".join(said.split())))

    def action_copy(self) -> None:
        """Copy the row or point under the cursor to the clipboard of the user's own terminal (OSC 52)."""
        marked = getattr(self.focused, "copy_text", None) or getattr(self.screen, "copy_text", None)
        text = marked() if marked is not None else ""
        if not text:
            self.notify("nothing to copy here; move to a list, a table or the map")
        elif len(text.encode()) > CLIPBOARD_BYTES:
            self.notify("too long for a terminal's clipboard; x writes a file", severity="warning")
        else:
            self.copy_to_clipboard(text)
            self.notify(f"sent to the terminal's clipboard: {shorten(text, 60)}")

    def copy_to_clipboard(self, text: str) -> None:
        """Wrapped for tmux and screen, which keep the sequence to themselves otherwise."""
        private.remember_copied(self, text)
        private.write_to_terminal(self, osc52(text))

    def call_attention(self, followed: Followed) -> None:
        """Ring the bell and ask the terminal for a notification; not where somebody has just watched a short run."""
        history = followed.history
        on_show = followed is self.followed and self.current_mode == "train" and self.app_focus
        watched = on_show and history.elapsed < WATCHED_SECONDS
        stopped = history.ending is not None and history.ending["event"] == "stopped"
        if self.config.bell and not watched and not stopped:
            self.bell()
            how = "failed" if followed.problem else "has ended"
            private.write_to_terminal(self, osc9(f"cftui: {followed.name} {how}"))

    async def action_quit(self) -> None:
        """Asks only where something would be lost: training goes on without the app, unsaved ratings do not."""
        # On any screen, since unsaved ratings behind another screen would be lost, too.
        losing = next((said for screen in private.all_screens(self) if (said := getattr(screen, "unsaved", ""))), "")
        if not losing:
            self.exit()
            return
        self.push_screen(Confirm(f"quit and lose {losing}?"), lambda sure: self.exit() if sure else None)

    def action_command_palette(self) -> None:
        if not Palette.is_open(self):  # type: ignore[arg-type]
            self.push_screen(Palette(id="--command-palette"))

    def action_jump(self) -> None:
        found = targets(self.screen)
        if found:
            self.push_screen(JumpScreen(found), lambda widget: widget.focus() if widget is not None else None)

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

    def action_switch_run(self) -> None:
        from cftui.tui.shell.run_switcher import RunSwitcher

        if not isinstance(self.screen, RunSwitcher):
            self.push_screen(RunSwitcher(), lambda name: self.follow(name) if name else None)

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self.screen))

    def get_system_commands(self, screen: Screen) -> Iterable[SystemCommand]:
        """The palette: every action of every screen, then what only Textual has."""
        yield from commands(self, screen)
        for command in super().get_system_commands(screen):
            if command.title not in TWICE:
                yield command

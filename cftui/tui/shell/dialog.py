"""What the screens that are left with an answer have in common."""

from __future__ import annotations

from typing import Any

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen, ScreenResultType
from textual.worker import NoActiveWorker, Worker, get_current_worker

from cftui.tui.shell.key_bar import KeyBar
from cftui.tui.shell.textual_private import SteadyPalette


class ClosesOnce:
    """For a screen that is left once, however many keys arrive in one packet.

    A second enter is in the queue already when the first one closes the screen: it must not close the one beneath. No
    screen itself, since Textual takes styles from the first base that is one.
    """

    def dismiss(self: Any, result: Any = None) -> AwaitComplete:
        if self.app.screen is not self:
            return AwaitComplete.nothing()
        self._cancel_work()
        return Screen.dismiss(self, result)

    def _cancel_work(self: Any) -> None:
        """Cancel what works for this screen: an answer that comes while it is taken apart would find half of it.

        The worker that closes the screen itself is left to end.
        """
        try:
            closing: Worker[Any] | None = get_current_worker()
        except NoActiveWorker:
            closing = None
        for worker in list(self.app.workers):
            if worker is not closing and self in worker.node.ancestors_with_self:
                worker.cancel()


class Dialog(ClosesOnce, ModalScreen[ScreenResultType]):
    """A dialog over a screen, which stays visible behind it. Its keys are in the bottom line, those beneath are not."""

    has_key_bar = True

    def on_mount(self) -> None:
        if self.has_key_bar:
            self.mount(KeyBar())


class Palette(ClosesOnce, SteadyPalette):
    """Textual's, closed once."""

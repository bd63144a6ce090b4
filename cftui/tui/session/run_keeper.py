"""The runs the app starts and follows. Training is another process; all that is known of it is in its log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.app import App
from textual.reactive import reactive

from cftui.errors import CftuiError
from cftui.home import Home
from cftui.tui.session.queue import Queued, renamed, without
from cftui.tui.session.workspace import OpenData, OpenModel

if TYPE_CHECKING:
    from cftui.tui.session.following import Followed

DEFAULT_DATA = "ml-100k"
DEFAULT_RECIPE = "model4"


class RunKeeper(App[None]):
    """One run is followed at a time, and one is started at a time; those of other terminals may go on beside it.

    Attributes:
        home: where data sets and runs are.
        opened, chosen: the data set and the model on show.
        followed: the run whose log is followed; ``tick`` changes whenever that log grew.
        activity: what is going on in the background, for the top line.
        queue: the trainings that wait, the next one first.
    """

    home: Home
    opened: reactive[OpenData | None] = reactive(None)
    chosen: reactive[OpenModel | None] = reactive(None)
    followed: reactive[Followed | None] = reactive(None)
    tick: reactive[int] = reactive(0)
    activity: reactive[str] = reactive("")
    queue: reactive[tuple[Queued, ...]] = reactive(())
    # The run that the queue waits for, while another one is followed.
    _ahead: Followed | None = None
    # Whether it is known which runs are live: the queue that was kept waits for that.
    _looked = True

    def open_model(self, name: str) -> object:
        """Show what a run has learned."""
        raise NotImplementedError

    def run_ended(self, followed: Followed) -> None:
        """A run that was followed has ended and learned something."""
        raise NotImplementedError

    def complain(self, error: Exception) -> None:
        """Tell the user of an error."""
        raise NotImplementedError

    def call_attention(self, followed: Followed) -> None:
        """A run has ended while nobody may have looked."""
        raise NotImplementedError

    @property
    def training(self) -> bool:
        return self.followed is not None and self.followed.live

    def start_training(self, recipe: str, options: Iterable[str] = ()) -> str:
        """Train a recipe and follow it: at once, or when the run that trains now has ended. Return the run's name."""
        from cftui.engine.runs.folder import new_name

        taken = {one.name for one in self.queue}
        while (name := new_name(recipe, self.home)) in taken:
            pass
        self._begin_or_queue(Queued(name, ("train", recipe, "--data", self._data_name, "--name", name, *options)))
        return name

    def resume_training(self, name: str, more_epochs: int = 0) -> None:
        """Go on with a run and follow it: at once, or when the run that trains now has ended."""
        if not (self.home.models / name).is_dir():
            self.notify(f"run {name} is gone", severity="warning")
            return
        more = ("--epochs", str(more_epochs)) if more_epochs else ()
        self._begin_or_queue(Queued(name, ("runs", "resume", name, *more)))

    def _begin_or_queue(self, training: Queued) -> None:
        if not self.busy:
            self.begin(training)
        elif any(one.name == training.name for one in self.queue):
            self.notify(f"{training.name} is in the queue already")
        else:
            self.queue = (*self.queue, training)
            self.notify(f"queued: {training.what}; it begins when the run before it ends, while cftui is open")

    def begin(self, training: Queued) -> None:
        """Start a detached trainer and follow it. A training that was queued leaves the queue."""
        from cftui.tui.session import jobs
        from cftui.tui.session.following import Followed, RunFolder

        self.queue = without(self.queue, training.name)
        try:
            process = jobs.start_detached(self.home, training.name, training.words)
        except OSError as error:
            self.complain(error)
            return
        followed = Followed(RunFolder(self.home.models / training.name), process)
        followed.poll()
        self.followed = followed
        self.activity = f"{'resuming' if training.resumes else 'starting'} {training.name}"

    @property
    def busy(self) -> bool:
        """Whether the next training has to wait: for the run that is followed, or the one that was before it."""
        return self.training or (self._ahead is not None and self._ahead.live)

    def watch_followed(self, before: Followed | None, now: Followed | None) -> None:
        """Whoever looks at another run does not let the queue overtake the one that trains."""
        for one in (before, now):
            if one is not None and one.live:
                self._ahead = one

    def _begin_next(self) -> None:
        """Begin the first of the queue if nothing trains. The rest waits on."""
        while self.queue and not self.busy:
            training = self.queue[0]
            if training.is_due(self.home):
                self.begin(training)
                self.notify(f"from the queue: {training.what}")
                return
            self.queue = without(self.queue, training.name)

    def follow(self, name: str) -> None:
        """Show a run, and keep up with it if it is live; open what it learned if it has ended."""
        from cftui.tui.session.following import Followed, RunFolder

        followed = Followed(RunFolder(self.home.models / name))
        followed.poll()
        followed.told = not followed.live
        self.followed = followed
        self.activity = ""
        if followed.told and followed.history.last:
            self.open_model(name)

    def renamed(self, old: str, new: str) -> None:
        """A run changed its name: what is shown of it is found under the new one."""
        self.queue = renamed(self.queue, old, new)
        if self.followed and self.followed.name == old:
            self.follow(new)
        elif self.chosen and self.chosen.name == old:
            self.open_model(new)

    def forgotten(self, name: str) -> None:
        """A run was removed."""
        self.queue = without(self.queue, name)
        if self.followed and self.followed.name == name:
            self.followed = None
        if self.chosen and self.chosen.name == name:
            self.chosen = None

    def stop_training(self) -> None:
        from cftui.engine.runs.folder import request_stop

        if not self.training or self.followed is None:
            self.notify("no run is training")
            return
        if self.followed.process is not None and not self.followed.begun:
            # Nothing is in its log yet, but the process is there to be asked.
            self.followed.process.terminate()
            return
        try:
            request_stop(self.followed.run)
        except (CftuiError, OSError) as error:
            self.complain(error)

    @property
    def _data_name(self) -> str:
        return self.opened.name if self.opened else DEFAULT_DATA

    def poll(self) -> None:
        """Keep up with the run that is followed, and begin the next of the queue when it is due."""
        self._keep_up()
        self._watch_ahead()
        if self.queue and self._looked:
            self._begin_next()

    def _watch_ahead(self) -> None:
        """Say when the run ends that trains while another one is followed."""
        ahead = self._ahead
        if ahead is None or ahead is self.followed or ahead.told:
            return
        ahead.poll()
        if not ahead.live:
            ahead.told = True
            self.call_attention(ahead)
            if ahead.problem:
                self.notify(ahead.problem, title=f"{ahead.name} failed", severity="error", timeout=20)
            else:
                self.notify(f"{ahead.name} has ended")

    def _keep_up(self) -> None:
        """Read the followed log; when its run ends, say so and open what it learned."""
        followed = self.followed
        if followed is None:
            return
        live = followed.live
        if followed.poll():
            self.tick += 1
            # Somebody, somewhere, goes on with a run that had ended.
            followed.told = followed.told and followed.history.ending is not None
        if followed.told:
            return
        if live:
            if followed.begun:
                self.activity = f"training {followed.history.progress:.0%}"
            elif not self.activity.startswith("training"):  # else it has ended, and is about to go
                self.activity = f"starting {followed.name}"
            return
        followed.told = True
        self.call_attention(followed)
        self.activity = ""
        self.tick += 1
        if followed.problem:
            self.notify(followed.problem, title=f"{followed.name} failed", severity="error", timeout=20)
        elif followed.history.last:
            self.notify(followed.worth, title=followed.name)
        if followed.history.last:
            self.run_ended(followed)
        elif not followed.run.config_file.exists():
            # It never came to be a run: nothing but its log is there, and that has been shown.
            followed.run.forget()

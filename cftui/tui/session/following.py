"""Following a run by what its trainer writes."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass, field

from cftui.engine.runs.events import EventReader, History
from cftui.engine.runs.folder import LIVE, RunFolder
from cftui.errors import CftuiError

MEMORY = "; was memory short?"


@dataclass
class Followed:
    """A run as its event log tells it so far.

    Attributes:
        process: ours to reap if we started it.
        told: its end has been announced; nothing more is to be read.
    """

    run: RunFolder
    process: subprocess.Popen[bytes] | None = None
    history: History = field(default_factory=History)
    told: bool = False
    _reader: EventReader = field(init=False)

    def __post_init__(self) -> None:
        self._reader = EventReader(self.run.events_file)

    @property
    def name(self) -> str:
        return self.run.name

    def poll(self) -> bool:
        """Read what is new. True if anything was."""
        news = False
        for event in self._reader.events():
            news = True
            self.history.extend([event])
        self.history.fault = self._reader.fault
        return news

    @property
    def live(self) -> bool:
        """Not ended, and its trainer is there (or still starting)."""
        if self.process is not None:
            return self.process.poll() is None
        if self.history.ending:
            return False
        return self.run.status(self.history) in LIVE

    @property
    def data(self) -> str:
        """The name of its data set; "" while nothing is known of it."""
        try:
            return self.run.config().data.name
        except CftuiError:
            return ""

    @property
    def begun(self) -> bool:
        """The log has been written to by the process we started (a resumed run's log is older than it)."""
        return self.history.start is not None and self.history.ending is None

    @property
    def worth(self) -> str:
        """The first remark of its verdict: its figure, beside its baselines."""
        from cftui.engine.runs.verdict import result, verdict

        status = self.run.status(self.history)
        return verdict(result(self.name, self.run.config(), self.history, status)).remarks[0].words

    @property
    def problem(self) -> str:
        """Why it ended badly, in one line; empty if it did not."""
        if self.live:
            return ""
        if self.history.ending is None and self.process is not None and (self.process.returncode or 0) < 0:
            number = -self.process.returncode
            return f"killed by signal {number} ({signal.strsignal(number)}){MEMORY if number == signal.SIGKILL else ''}"
        return self.run.obituary(self.history)

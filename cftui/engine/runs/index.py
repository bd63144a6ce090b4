"""All runs of a home as rows, read again only where files have changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cftui.engine.runs import kept_summaries
from cftui.engine.runs.events import EventReader, History
from cftui.engine.runs.folder import LIVE, RunFolder, all_runs
from cftui.engine.runs.kept_summaries import Stamp
from cftui.engine.runs.summaries import JudgedRun, RunSummary, judge, summarise
from cftui.engine.runs.verdict import Verdict, verdict
from cftui.home import Home

# Runs with these change only with their files.
ENDED = ("done", "stopped", "failed")


@dataclass
class _Known:
    """A run as it was when its files had this stamp; ``history`` and ``reader`` are kept while it is live."""

    stamp: Stamp
    summary: RunSummary
    history: History | None = None
    reader: EventReader | None = None

    def still_so(self, run: RunFolder) -> bool:
        """Whether the status is what it was; it may only change by itself while the run is live."""
        return self.history is None or run.status(self.history) == self.summary.status


@dataclass
class RunIndex:
    """All runs of a home, for a list that is read again every few seconds. Not for several threads at once."""

    home: Home
    _known: dict[str, _Known] = field(default_factory=dict)
    _begun: bool = False

    def read(self) -> Sequence[JudgedRun]:
        """Every run, the newest first.

        A run is read again only if a file has changed. A live run may die in silence, so its status is asked for each
        time, and only what is new of its log is read.
        """
        if not self._begun:
            self._begun = True
            self._known = {name: _Known(*row) for name, row in kept_summaries.read_rows(self.home).items()}
        before = self._known
        self._known = {run.name: self._look(run, before.get(run.name)) for run in reversed(all_runs(self.home))}
        new = sum(known is not before.get(name) for name, known in self._known.items())
        if new >= kept_summaries.WORTH_KEEPING:
            ended = {name: known for name, known in self._known.items() if known.summary.status in ENDED}
            kept_summaries.write_rows(self.home, {name: (one.stamp, one.summary) for name, one in ended.items()})
        return judge(known.summary for known in self._known.values())

    def _look(self, run: RunFolder, known: _Known | None) -> _Known:
        stamp = run.stamp()
        if known is not None and known.stamp == stamp and known.still_so(run):
            return known
        history, reader = History(), EventReader(run.events_file, windows=False)
        if known is not None and known.history is not None and known.reader is not None:
            history, reader = known.history, known.reader
        try:
            history.extend(reader.events())
            history.fault = reader.fault
        except (OSError, LookupError, TypeError, ValueError) as error:
            # One broken run does not hide the others.
            return _Known(stamp, RunSummary(name=run.name, status="damaged", problem=f"{run.events_file}: {error}"))
        summary = summarise(run, history)
        return _Known(stamp, summary, history, reader) if summary.status in LIVE else _Known(stamp, summary)


def verdict_on(home: Home, run: RunFolder) -> Verdict | None:
    """The verdict on a run beside the others in the home; None if its folder cannot be read."""
    known = [one.run.result for one in RunIndex(home).read() if one.run.result is not None]
    return next((verdict(own, known) for own in known if own.run == run.name), None)

"""The table of the runs on this machine: what differs, what it is worth, when; and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from textual import on
from textual.content import Content
from textual.message import Message

from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.summaries import JudgedRun, RunSummary
from cftui.engine.runs.trash import RemovedRun
from cftui.engine.runs.verdict import Kind
from cftui.errors import CftuiError
from cftui.text import plural
from cftui.tui.session.app import session_of
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.prompt import Prompt
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.run_rows import RunColumns, RunRow

NONE_YET = "no run yet: t trains the recipe in the form"


class _OfRun(Message):
    """Ask for an action on the run called ``name``."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class RunTable(RowList):
    """A row per run. It shows those of the open data set, or all, or those of one recipe."""

    BINDINGS = bindings("runs")

    class Picked(_OfRun):
        """Somebody wants to see it."""

    class Compare(_OfRun):
        """Somebody wants to know how it differs from the one on show."""

    class Lists(Message):
        """Somebody wants to see the lists of these runs side by side."""

        def __init__(self, names: Sequence[str]) -> None:
            super().__init__()
            self.names = names

    class Overlay(_OfRun):
        """Somebody selected it, or took it out of the selection."""

    class Changed(Message):
        """Runs were renamed, removed or restored."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(NONE_YET, enter="Show", id=id, classes=classes)
        # Runs of this value of this attribute of their rows; None: of the open data set.
        self.kept_by: tuple[str, str] | None = None
        self.everything = False
        self._marks: Mapping[str, str] = {}
        self._rows: list[RunRow] = []
        self._removed: list[list[RemovedRun]] = []

    def on_mount(self) -> None:
        self.watch(self.app, "run_rows", self._changed)
        self.watch(self.app, "opened", self._changed, init=False)
        self.watch(self.app, "chosen", self._changed, init=False)

    def on_resize(self) -> None:
        self._draw()

    @property
    def current(self) -> str | None:
        """Name of the run under the cursor."""
        return None if self.cursor is None else self._rows[self.cursor].run.name

    @property
    def selected(self) -> list[str]:
        """The selected runs, or else the one under the cursor."""
        marked = [row.run.name for row in self._rows if row.mark]
        return marked or ([self.current] if self.current else [])

    @property
    def shown(self) -> list[RunSummary]:
        """The runs in the table, whatever its filter leaves out of view."""
        return [row.run for row in self._rows]

    def mark(self, marks: Mapping[str, str]) -> None:
        """Mark the runs whose curves are in the chart; ``marks`` are by name."""
        if marks != self._marks:
            self._marks = dict(marks)
            self._changed()

    # What is shown

    def _changed(self) -> None:
        """Draw what has changed: over SSH every repaint is paid for."""
        app = session_of(self)
        in_use = app.chosen.name if app.chosen else ""
        rows = [
            RunRow(judged, judged.run.name == in_use, self._marks.get(judged.run.name, ""))
            for judged in self._kept(app.run_rows)
        ]
        self._say(len(rows), len(app.run_rows))
        if rows != self._rows or not rows:
            before, self._rows = self.current, rows
            self._draw(before)

    def _kept(self, runs: Sequence[JudgedRun]) -> Sequence[JudgedRun]:
        what, value = self._filter()
        return [judged for judged in runs if not what or getattr(judged.run, what) == value]

    def _filter(self) -> tuple[str, str]:
        opened = session_of(self).opened
        if self.kept_by is not None:
            return self.kept_by
        return ("data", opened.name) if opened is not None and not self.everything else ("", "")

    def _say(self, shown: int, known: int) -> None:
        what, value = self._filter()
        self.border_title = Content(f"runs{' on' if what == 'data' else ' of' if what else ''} {value}".rstrip())
        hidden = known - shown
        self.border_subtitle = Content(f"{plural(hidden, 'other run')}: i" if hidden else "")

    def _draw(self, before: str | None = None) -> None:
        table = RunColumns(self._rows, self._width, self._styles)
        names = [row.run.name for row in self._rows]
        before = before or self.current
        self.show(len(names), table.render, keep=True, columns=table.columns, words=table.words)
        if before in names:
            self.move_to(names.index(before))

    def _styles(self) -> dict[Kind, str]:
        variables = self.app.theme_variables
        return {"good": variables["text-success"], "bad": variables["text-error"]}

    # What is done with them

    @on(RowList.Selected)
    def _picked(self, event: RowList.Selected) -> None:
        event.stop()
        if self.current:
            self.post_message(self.Picked(self.current))

    def action_overlay(self) -> None:
        if self.current:
            self.post_message(self.Overlay(self.current))

    def action_compare(self) -> None:
        if self.current:
            self.post_message(self.Compare(self.current))

    def action_lists(self) -> None:
        if names := self.selected:
            self.post_message(self.Lists(names))

    def action_filter(self) -> None:
        """Those of the open data set, then of this recipe, then all."""
        here = None if self.cursor is None else self._rows[self.cursor].run
        if self.everything:
            self.everything = False
        elif self.kept_by is None and here is not None:
            self.kept_by = ("recipe", here.recipe)
        else:
            self.kept_by, self.everything = None, True
        self._changed()

    def _ask(self, question: str, hint: str, value: str, take: Callable[[str], object]) -> None:
        """Ask for a line of text; ``take`` does what was asked, or raises what is told then."""

        def done(answer: str | None) -> None:
            if answer is None:
                return
            try:
                take(answer)
            except (CftuiError, OSError) as error:
                session_of(self).complain(error)
            self.post_message(self.Changed())

        self.app.push_screen(Prompt(question, hint, value, lambda _: ""), done)

    def _folder(self, name: str) -> RunFolder:
        return RunFolder(session_of(self).home.models / name)

    def _summary(self, name: str) -> RunSummary:
        return next(row.run for row in self._rows if row.run.name == name)

    def action_rename(self) -> None:
        from cftui.engine.runs.folder import rename

        if (name := self.current) is None:
            return

        def take(new: str) -> None:
            if new and new != name:
                rename(session_of(self).home, self._folder(name), new)
                session_of(self).renamed(name, new)

        self._ask(f"a name for {name}", "letters, digits, . _ -", name, take)

    def action_tags(self) -> None:
        from cftui.engine.runs.notes import parse_tags, read_notes, set_tags

        if not (names := self.selected):
            return
        several = len(names) > 1

        def take(text: str) -> None:
            tags = parse_tags(text)
            for run in map(self._folder, names):
                set_tags(run, [*read_notes(run).tags, *tags] if several else tags)

        hint = "words, separated by blanks" + ("; added to the tags that they have" if several else "")
        now = () if several else self._summary(names[0]).tags
        self._ask(f"tags of {_named(names)}", hint, " ".join(now), take)

    def action_note(self) -> None:
        from cftui.engine.runs.notes import set_note

        if (name := self.current) is not None:
            hint, now = "one line; an empty one removes it", self._summary(name).note
            self._ask(f"note on {name}", hint, now, lambda text: set_note(self._folder(name), text))

    def action_delete(self) -> None:
        """Move the selected runs, or the one under the cursor, to the trash; no question, since it can be undone."""
        from cftui.engine.runs.trash import remove

        app, removed = session_of(self), []
        for name in self.selected:
            try:
                removed.append(remove(self._folder(name)))
            except (CftuiError, OSError) as error:
                app.complain(error)
                continue
            app.forgotten(name)
        if removed:
            self._removed.append(removed)
            app.notify(f"{_named([run.name for run in removed])} moved to the trash; U undoes, T shows the trash")
            self.post_message(self.Changed())

    def action_undo(self) -> None:
        """Bring back what was removed last."""
        from cftui.engine.runs.trash import restore

        app = session_of(self)
        if not self._removed:
            app.notify("nothing was removed since cftui was opened; T shows the trash")
            return
        for run in self._removed.pop():
            try:
                restore(run)
            except (CftuiError, OSError) as error:
                app.complain(error)
                continue
            app.notify(f"{run.name} is back")
        self.post_message(self.Changed())

    def action_trash(self) -> None:
        from cftui.tui.train.trash import Trash

        def closed(restored: bool | None) -> None:
            if restored:
                self.post_message(self.Changed())

        self.app.push_screen(Trash(), closed)


def _named(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} runs"

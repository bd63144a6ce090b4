"""Importing ratings of one's own: a file, what its columns are, perhaps a file about the items, a name."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import DescendantFocus
from textual.widgets import Input, Label, Static

from cftui.data.store import catalog
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.text import printable
from cftui.tui.dataset import import_paths, import_sample
from cftui.tui.dataset.import_columns import ColumnTable
from cftui.tui.dataset.import_side import Side
from cftui.tui.session.app import SessionApp, session_of
from cftui.tui.session.jobs import Job
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.dialog_list import ListField
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.prompt import Confirm
from cftui.tui.shell.row_list import RowList

FACTS = "dataset.json"
KINDS = ("ratings", "items")
# The fields for options of ``cftui data import``: the id of each, and its label.
FIELDS = {"name": ("name", "name"), "noun": ("noun", "one is a"), "skip-bad": ("skip", "skip bad")}
# What to do next about an error in an option, in terms of this screen.
HINTS = {"skip-bad": "correct the file, or raise 'skip bad'"} | dict.fromkeys(
    ("user", "item", "rating", "time", "item-id", "title"), "mark another column"
)
# What the field for all other options does not take: this screen says it already.
SAID = {f"--{option}" for option in FIELDS} | {"--into", "--home", "--json", "--help", "-h"}
LEAVE = "escape: cancel"
MORE = "optional: --test FILE, --only COLUMN=TEXT, --quote none, --genres COLUMN, ..."


class PathField(ListField):
    """A path; arrows move in the list of files, or go to the columns.

    Its keys are its own: those of a screen with priority would overtake what is typed just before.
    """

    BINDINGS = bindings("path")

    def __init__(self, kind: str, placeholder: str) -> None:
        super().__init__("import-files", placeholder)
        self.id, self.kind = f"{kind}-path", kind

    def action_move(self, by: int) -> None:
        cast("ImportScreen", self.screen).move_from(self, by)


class ImportScreen(Dialog[str | None]):
    """Dismissed with the name of the data set that was imported, which is being opened then, or None."""

    ROOM = "import"
    ABOUT = (
        "Type the path of a file; tab completes it. The first rows show what its columns were taken for. Go to a "
        "column with the arrow keys and press the letter of what it is; enter imports. The field more takes every "
        "other option of cftui data import."
    )
    BINDINGS = bindings("import")
    CSS_PATH = "import_ratings.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal")]

    def __init__(self) -> None:
        super().__init__()
        self._sides = {kind: Side(kind) for kind in KINDS}
        self._shown = "ratings"
        # What the screen itself put into a field; what is typed there stays.
        self._suggested = {"name": "", "noun": "item"}
        # A key that was pressed before its path had been looked at: the path, and what the key does.
        self._then: tuple[str, Callable[[], object]] | None = None
        self._child: Job | None = None
        self._failure = self._imported = ""

    @property
    def cftui(self) -> SessionApp:
        return session_of(self)

    @property
    def _side(self) -> Side:
        return self._sides[self._shown]

    @property
    def _files(self) -> RowList:
        return self.query_one("#import-files", RowList)

    def _path(self, kind: str) -> PathField:
        return self.query_one(f"#{kind}-path", PathField)

    def _table(self, kind: str) -> ColumnTable:
        return self.query_one(f"#{kind}-columns", ColumnTable)

    def _value(self, what: str) -> str:
        return self.query_one(f"#import-{what}", Input).value.strip()

    def compose(self) -> ComposeResult:
        with Vertical(id="import"):
            with Horizontal(classes="import-line"):
                yield Label("file")
                yield PathField("ratings", "path of a file of ratings")
            yield Static(id="import-format", classes="import-note")
            with Vertical(id="import-area"):
                yield RowList(id="import-files")
                for kind in KINDS:
                    yield ColumnTable(f"{kind}-columns")
            yield Static(id="import-marks", classes="import-note")
            with Horizontal(classes="import-line"):
                yield Label("items")
                yield PathField("items", "optional: a file of titles (down: browse)")
            with Horizontal(classes="import-line"):
                for (field, label), value in zip(FIELDS.values(), ("", "item", "0"), strict=True):
                    yield Label(label)
                    yield Input(value, compact=True, id=f"import-{field}")
            with Horizontal(classes="import-line"):
                yield Label("more")
                yield Input(compact=True, id="import-more", placeholder=MORE)
            yield Static(id="import-said")

    def on_mount(self) -> None:
        self.query_one("#import").border_title = Content("import ratings of your own")
        for entry in self.query(Input):
            entry.cursor_blink = False
        self._path("ratings").focus()
        self._look("ratings")

    # The files

    @on(DescendantFocus)
    def _moved(self) -> None:
        """The items are on show while one is at them, else the ratings."""
        where = (self.focused.id or "") if self.focused is not None else ""
        if where != "import-files":
            items = where == "items-columns" or (where == "items-path" and bool(self._path("items").value))
            self._shown = "items" if items else "ratings"
        self._draw()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._failure = ""
        field = event.input
        if isinstance(field, PathField) and self._sides[field.kind].text != field.value:
            self._sides[field.kind] = Side(field.kind, entries=self._sides[field.kind].entries)
            self._look(field.kind)
        self._moved()

    def _look(self, kind: str) -> None:
        side, text, noun = self._sides[kind], self._path(kind).value, self._value("noun")

        def look() -> None:
            self.cftui.from_worker(self._looked, side, side.look(text, noun))

        self.run_worker(look, thread=True, exclusive=True, group=kind)

    def _looked(self, asked: Side, found: Side) -> None:
        kind = asked.kind
        if asked is not self._sides[kind]:
            return
        self._sides[kind] = found
        if found.sample is not None:
            if kind == "ratings":
                self._suggest("name", import_sample.name_of(found.sample.path, self._is_taken))
            self._marked(kind)
        elif kind == self._shown:
            entries = found.entries  # not what is found next, while these rows are still there
            self._files.show(len(entries), lambda index, _: _entry_row(entries[index]))
        self._draw()
        then, self._then = self._then, None
        if then is not None and then[0] == found.text:
            then[1]()

    def _marked(self, kind: str) -> None:
        side = self._sides[kind]
        if side.sample is not None:
            self._table(kind).show(side.sample, side.marks)
            if kind == "ratings":
                self._suggest("noun", import_sample.noun_of(side.sample, side.marks.get("item")))

    def _is_taken(self, name: str) -> bool:
        return catalog.is_reserved(name) or (self.cftui.home.data / name).exists()

    def _suggest(self, what: str, text: str) -> None:
        field = self.query_one(f"#import-{what}", Input)
        if field.value == self._suggested[what]:
            self._suggested[what] = field.value = text

    # Drawing

    def _draw(self) -> None:
        """Which of list and tables is on show, what the columns are, what is wrong, and the keys."""
        side, at_columns = self._side, isinstance(self.focused, ColumnTable)
        self._files.display = side.sample is None
        for kind in KINDS:
            self._table(kind).display = side.sample is not None and kind == side.kind
        self.query_one("#import-format", Static).update(side.format_line(at_columns))
        self.query_one("#import-marks", Static).update(side.marks_line(at_columns))
        if self._child is None:
            self._say(side.problem or side.missing or self._failure, bad=True)
        self.query_one("#import").border_subtitle = self._keys(at_columns)

    def _keys(self, at_columns: bool) -> str:
        if self._child is not None:
            return "escape: stop"
        if isinstance(self.focused, PathField):
            if self._side.sample is not None and self.focused.kind == self._shown:
                return f"enter: to the columns   {LEAVE}"
            if self._side.entries and self._side.sample is None:
                return f"tab, enter: take it   {LEAVE}"
        return f"{'letters: mark it' if at_columns else 'tab: next'}   enter: import   {LEAVE}"

    def _say(self, text: str, *, bad: bool = False) -> None:
        said = self.query_one("#import-said", Static)
        said.update(Text(printable(text), style="bold" if bad else ""))
        said.set_class(bad, "-bad")

    # Keys

    def move_from(self, field: PathField, by: int) -> None:
        """An arrow in the field of a path."""
        ratings = self._sides["ratings"].sample
        if field.kind == "items" and not field.value and by > 0 and ratings is not None:
            field.value = f"{ratings.path.parent}/".replace("//", "/")
            field.cursor_position = len(field.value)
        elif self._side.sample is None:
            self._files.action_move(by)
        elif by > 0:
            self._table(self._shown).focus()

    def action_complete(self) -> None:
        """Tab: takes the file that is marked in the list where there is one."""
        if self._after_looking(self.action_complete):
            return
        if isinstance(self.focused, PathField) and self.focused.kind == self._shown and self._side.entries:
            self._take()
        else:
            self.focus_next()

    def action_go_on(self) -> None:
        """Enter: takes the file, then goes to its columns, then imports."""
        if self._after_looking(self.action_go_on):
            return
        on_path = isinstance(self.focused, PathField) and self.focused.kind == self._shown
        if on_path and self._side.entries:
            self._take()
        elif on_path and self._side.sample is not None:
            self._table(self._shown).focus()
        else:
            self._begin()

    def _after_looking(self, action: Callable[[], object]) -> bool:
        """Whether the path that was typed is still to be looked at; the key counts when that is done."""
        field = self.focused
        pending = isinstance(field, PathField) and self._sides[field.kind].text != field.value
        if pending and isinstance(field, PathField):
            # An empty field for what is optional was never looked at.
            pending = bool(field.value) or field.kind == "ratings"
            self._then = (field.value, action) if pending else None
        return pending

    @on(RowList.Selected)
    def _take(self) -> None:
        cursor, field = self._files.cursor, self._path(self._shown)
        if cursor is None or cursor >= len(self._side.entries):
            return
        entry = self._side.entries[cursor]
        field.value = import_paths.completed(field.value, entry)
        field.cursor_position = len(field.value)
        field.focus()
        if not entry.is_folder:
            table = self._table(field.kind)
            self._then = field.value, lambda: table.focus() if table.display else None

    @on(ColumnTable.Marked)
    def _mark(self, event: ColumnTable.Marked) -> None:
        self._failure = ""
        self._side.mark(event.letter, event.at)
        self._marked(self._shown)
        self._draw()

    @on(ColumnTable.WithoutValues)
    def _without_values(self) -> None:
        if self._shown == "ratings":
            self._side.without_values()
            self._marked(self._shown)
            self._draw()

    @on(ColumnTable.Unrated)
    def _unrated(self) -> None:
        self._side.not_rated()
        self._draw()

    @on(ColumnTable.Formatted)
    def _format(self, event: ColumnTable.Formatted) -> None:
        if self._side.can_be_cut_otherwise:
            self._failure = ""
            self._side.another(event.what)
            self._look(self._shown)

    def action_leave(self) -> None:
        """Stop a running import. Nothing is left of it: a data set appears only when it is complete."""
        if self._child is not None:
            self._child.stop()
        else:
            self.dismiss(None)

    # Importing

    @on(Input.Submitted)
    def _begin(self) -> None:
        if self._child is not None:
            return
        for kind, side in self._sides.items():
            if kind == "items" and not self._path(kind).value.strip():
                continue
            wrong = side.problem or side.missing
            if side.sample is None and not wrong:
                wrong = "which file? CSV, TSV, JSON, Excel or Parquet, compressed or not"
            if wrong:
                self._shown = kind
                (self._path(kind) if side.sample is None else self._table(kind)).focus()
                self._failure = wrong
                self._draw()
                return
        try:
            self._more()
        except CftuiError as error:
            self._failure = str(error)
            self._draw()
            self.query_one("#import-more").focus()
            return
        name = self._value("name")
        if catalog.is_imported(name, self.cftui.home):
            self.app.push_screen(Confirm(f"replace the existing data set {name}?"), self._replace)
        else:
            self._import()

    def _replace(self, sure: bool | None) -> None:
        if sure:
            self._import()

    @work(exclusive=True, group="import")
    async def _import(self) -> None:
        """In a process of its own, as all that takes long."""
        sample, name = self._sides["ratings"].sample, self._value("name")
        assert sample is not None
        words = ["data", "import", str(sample.path), f"--name={name}"]
        words += [f"--noun={self._value('noun')}", f"--skip-bad={self._value('skip') or 0}"]
        words += [word for side in self._sides.values() for word in side.words()]
        words += self._more()
        self._child = child = Job(self.cftui.home, words)
        self._failure = ""
        begun, what = time.monotonic(), f"importing {sample.path.name} ({import_paths.size_text(sample.size)})"

        def tick() -> None:
            if self._child is child:  # the last tick may come when all is over
                self._say(f"{what} ... {time.monotonic() - begun:.0f} s")

        clock = self.set_interval(1, tick)
        self._say(f"{what} ...")
        self._draw()
        before = _written(self.cftui.home, name)
        facts: dict[str, Any] | None = None
        error: Exception | None = None
        try:
            facts = await child.run()
        except (CftuiError, OSError, ValueError) as failure:
            error = failure
        finally:
            clock.stop()
            self._child = None
        # Told to stop, it may have come to its end all the same.
        if facts is not None or _written(self.cftui.home, name) != before:
            said = f"{name}: imported before it could be stopped" if facts is None else _summary(name, facts, child)
            self.app.notify(said)
            self.cftui.open_data(name)
            self._imported = name
            self.dismiss(name)
            return
        self._failure = "stopped; nothing was imported" if child.stopped else self._explain(error)
        self._draw()
        if child.stopped:
            return
        option = error.option if isinstance(error, CftuiError) else ""
        if option in FIELDS:
            self.query_one(f"#import-{FIELDS[option][0]}").focus()
        elif f"--{option}" in self._value("more"):
            self.query_one("#import-more").focus()

    def _more(self) -> list[str]:
        """The options that have no field. Raises CftuiError for what no options can be."""
        try:
            words = shlex.split(self._value("more"))
        except ValueError:
            raise CftuiError("a quotation mark is not closed", where="more") from None
        for word in words:
            if word.partition("=")[0] in SAID:
                raise CftuiError(f"{word} cannot be given here", where="more")
        return words

    def _explain(self, error: Exception | None) -> str:
        """Say an error of the import in terms of this screen: with its labels, and without folders."""
        if not isinstance(error, CftuiError):
            return str(error)
        # The hint of wrong usage is to read the help of the command line.
        usage = error.kind == "usage"
        where, hint = error.where, "" if usage else HINTS.get(error.option, error.hint)
        files = [str(side.sample.path) for side in self._sides.values() if side.sample is not None]
        if error.option in FIELDS and where not in files:
            field, label = FIELDS[error.option]
            where = label if usage else f"{label} {self._value(field)}"
        message = str(CftuiError(error.what, where=where, hint=hint))
        for file in files:
            message = message.replace(file, Path(file).name)
        return message

    def on_screen_resume(self) -> None:
        if self._imported:  # while something lay over this screen
            self.dismiss(self._imported)


def _entry_row(entry: import_paths.Entry) -> Text:
    size = "" if entry.is_folder else import_paths.size_text(entry.size)
    return Text.assemble((f"{size:>8}  ", "dim"), entry.name)


def _summary(name: str, facts: Mapping[str, Any], child: Job) -> str:
    """Say what was imported and what was skipped. The last line of narration says the first for a shell."""
    from cftui.data.store.importing import imported_in_words

    skipped = [line for line in child.narration[:-1] if not line.startswith("guessed ")]
    return "\n".join([*skipped, f"{name}: {imported_in_words(dict(facts))}."])


def _written(home: Home, name: str) -> tuple[int, int] | None:
    """Which data set of that name is there: another after each import."""
    try:
        facts = (home.data / name / FACTS).stat()
    except (OSError, ValueError):
        return None
    return facts.st_ino, facts.st_mtime_ns

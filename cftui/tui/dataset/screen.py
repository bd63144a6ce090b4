"""Dataset: what is in here?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Sparkline, Static, TabbedContent, TabPane

from cftui.text import plural
from cftui.tui.session.places import Place
from cftui.tui.session.workspace import OpenData
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.room import Room
from cftui.tui.shell.table import Table

if TYPE_CHECKING:
    import pandas as pd

# DataTable measures every cell: a few hundred rows stay quick.
ROWS = 200
CROSSTAB_USERS, CROSSTAB_ITEMS = 50, 30

NO_DATA = """\
No data set yet.

Press g to fetch MovieLens 100K,
i to import ratings of your own,
o to open one that is on disk.

From a shell: cftui data get ml-100k"""


# Tables that stand beside the tabs where there is room.
BESIDE = ("users", "items")
# What columns of ratings are called where they hold counts of choices.
COUNTED = {"rating": "times", "ratings": "users", "mean": "times each"}

# User, id and title of an item, None where there is none.
About = tuple[Any, Any, Any]


class DatasetScreen(Room):
    ROOM = "dataset"
    ABOUT = "What the data set holds: its size and scale, its long tail, its first rows, and duplicate titles."
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("dataset")
    TABS = ("head", "crosstab", "duplicates", "users", "items")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (110, "-wide"), (150, "-huge")]
    _histogram: pd.DataFrame | None = None
    _about: dict[str, list[About]]
    _columns: list[tuple[Any, str]]
    LABELS = ("Head", "Crosstab", "Duplicates", "Users", "Most rated")

    def body(self) -> ComposeResult:
        with Horizontal(id="facts-row"):
            yield Static(id="facts", classes="pane")
            with Vertical(id="pictures"):
                yield Static(id="histogram", classes="pane")
                with Vertical(id="tail", classes="pane"):
                    yield Sparkline([], id="tail-line")
                    yield Static(id="tail-text")
        with Horizontal(id="lower"):
            with TabbedContent(id="tables"):
                for name, label in zip(self.TABS, self.LABELS, strict=True):
                    with TabPane(label, id=name):
                        yield Table(
                            id=f"{name}-table",
                            cursor_type="cell" if name == "crosstab" else "row",
                            zebra_stripes=True,
                        )
            # With room to spare, beside whichever tab is open.
            for name in BESIDE:
                yield Table(id=f"{name}-beside", classes="pane beside", cursor_type="row", zebra_stripes=True)

    def on_mount(self) -> None:
        self.query_one("#facts").border_title = "data set"
        self.query_one("#histogram").border_title = "ratings"
        self.query_one("#tail").border_title = "the long tail"
        self.watch(self.app, "opened", self._opened)
        self.watch(self.app, "chosen", self.refresh_bindings)

    def _opened(self, opened: OpenData | None) -> None:
        self.refresh_bindings()
        if opened is None:
            self.query_one("#facts", Static).update(Text(NO_DATA))
        else:
            self._describe(opened)

    @work(thread=True, exclusive=True)
    def _describe(self, opened: OpenData) -> None:
        from cftui.data import statistics

        tables = opened.tables
        crosstab = statistics.crosstab(tables, CROSSTAB_USERS, CROSSTAB_ITEMS).reset_index()
        frames = {
            "head": statistics.head(tables, ROWS).rename(columns={tables.noun: "item"}),
            "crosstab": crosstab,
            "duplicates": statistics.duplicate_titles(tables),
            "users": statistics.most_rated(tables, "user").head(ROWS),
            "items": statistics.most_rated(tables).head(ROWS),
        }
        about = {name: _about(frame) for name, frame in frames.items()}
        titles = tables.items.drop_duplicates("item").set_index("item")["title"]
        columns = [(item, str(titles.get(item, item))) for item in crosstab.columns[1:].tolist()]
        frames = {name: frame.rename(columns={"item": tables.noun}) for name, frame in frames.items()}
        frames["crosstab"] = crosstab.rename(columns={"user": f"user \\ {tables.noun}"})
        facts, histogram = statistics.describe(tables), statistics.histogram(tables)
        if tables.counted:
            frames = {name: frame.rename(columns=COUNTED) for name, frame in frames.items()}
        if not facts["first"]:  # no times: then none is shown
            frames["head"] = frames["head"].drop(columns="timestamp")
        popularity = statistics.popularity(tables).tolist()
        self.cftui.from_worker(self._show, tables.noun, facts, histogram, popularity, frames, about, columns)

    def _show(
        self,
        noun: str,
        facts: dict[str, Any],
        histogram: pd.DataFrame,
        popularity: list[int],
        frames: dict[str, pd.DataFrame],
        about: dict[str, list[About]],
        columns: list[tuple[Any, str]],
    ) -> None:
        self._about, self._columns = about, columns
        self.query_one("#facts").border_title = facts["label"]
        self.query_one("#facts", Static).update(_facts_text(noun, facts))
        self._histogram = histogram
        self.query_one("#histogram").border_title = "times chosen by one user" if facts["counted"] else "ratings"
        self._draw_histogram()
        self.query_one("#tail").border_title = f"long tail: {'users' if facts['counted'] else 'ratings'} per {noun}"
        self.query_one("#tail-line", Sparkline).data = popularity
        spread = facts["ratings_per_item"]
        self.query_one("#tail-text", Static).update(
            f"{spread['max']:,} down to {spread['min']:,}, median {spread['median']:,}"
        )
        for name, frame in frames.items():
            _fill(self.query_one(f"#{name}-table", Table), frame)
        for name in BESIDE:
            _fill(self.query_one(f"#{name}-beside", Table), frames[name])
        self.query_one("#head-table").focus()

    def _draw_histogram(self) -> None:
        if self._histogram is not None:
            pane = self.query_one("#histogram", Static)
            pane.update(_bars(self._histogram, pane.content_size.width, pane.content_size.height), layout=False)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw_histogram)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs data is offered where there are some, fetching where there is nothing yet."""
        if action == "get":
            return self.cftui.opened is None
        if action == "tab" or parameters == ("train",):
            return self.cftui.opened is not None
        if parameters == ("search",):  # what was trained on another data set can be asked, too
            return self.cftui.opened is not None or self.cftui.chosen is not None
        return super().check_action(action, parameters)

    def action_get(self) -> None:
        self.cftui.fetch_data()

    async def action_go(self, room: str) -> None:
        await self.cftui.action_switch_mode(room)

    def action_import(self) -> None:
        from cftui.tui.dataset.import_ratings import ImportScreen

        self.app.push_screen(ImportScreen())

    def action_open(self) -> None:
        from cftui.tui.dataset.data_sets import DataSets

        now = self.cftui.opened.name if self.cftui.opened else ""
        self.app.push_screen(DataSets(now), self._open)

    def _open(self, name: str | None) -> None:
        if name is not None:
            self.cftui.open_data(name)

    @on(Table.RowSelected)
    async def _row_selected(self, event: Table.RowSelected) -> None:
        """Show the user and the item of a row in Search."""
        name = str(event.data_table.id).rpartition("-")[0]
        await self._show_in_search(*self._about[name][int(str(event.row_key.value))])

    @on(Table.CellSelected)
    async def _cell_selected(self, event: Table.CellSelected) -> None:
        """Show the user and the item of a cell of the crosstab in Search."""
        user, item, title = self._about["crosstab"][int(str(event.cell_key.row_key.value))]
        if event.coordinate.column:
            item, title = self._columns[event.coordinate.column - 1]
        await self._show_in_search(user, item, title)

    async def _show_in_search(self, user: Any, item: Any, title: Any) -> None:
        app = self.cftui
        assert app.opened is not None
        if app.chosen is not None and app.chosen.model.data_name != app.opened.name:
            self.notify(f"no run on {app.opened.name} yet; t goes to where one is trained")
            return
        by_id = app.chosen is not None and app.chosen.ratings.item_key == "id"
        key = item if by_id and item is not None else title
        await app.visit(Place("search", key, None if user is None else str(user)))

    def action_tab(self, name: str) -> None:
        self.query_one("#tables", TabbedContent).active = name
        self.query_one(f"#{name}-table").focus()


def _about(frame: pd.DataFrame) -> list[About]:
    """User, id and title of the item that each row is about."""
    known = [frame[name].tolist() if name in frame else [None] * len(frame) for name in ("user", "item", "title")]
    return list(zip(*known, strict=True))


def _facts_text(noun: str, facts: dict[str, Any]) -> Text:
    twice = facts["duplicate_titles"]
    per_user = facts["ratings_per_user"]
    rated = f"{facts['rating_min']}-{facts['rating_max']}, mean {facts['rating_mean']:.2f}"
    values = ("chosen", f"{facts['total']:,} times") if facts["counted"] else ("rated", rated)
    rows = [
        ("pairs" if facts["counted"] else "ratings", f"{facts['ratings']:,}"),
        ("users", f"{facts['users']:,}"),
        (f"{noun}s", f"{facts['items']:,} ids, {facts['titles']:,} titles"),
        ("density", f"{facts['density']:.2%}"),
        values,
        ("from", f"{facts['first'][:10]} to {facts['last'][:10]}" if facts["first"] else "no times"),
        ("ids", "consecutive, no gaps" if facts["ids_consecutive"] else "with gaps"),
        ("a user", f"{per_user['min']} to {per_user['max']}, median {per_user['median']}"),
    ]
    text = Text("\n").join(Text(f"{name:<8} ", style="dim") + Text(value, style="not dim") for name, value in rows)
    if twice:
        text.append(f"\n! {plural(twice, 'duplicate title')} (d)", style="bold")
    return text


def _bars(histogram: pd.DataFrame, room: int, lines: int) -> Text:
    """One bar per rating value; neighbouring values share one where there are more of them than lines."""
    values, counts = histogram["rating"].to_list(), histogram["count"].to_list()
    per = math.ceil(len(values) / max(lines, 1))
    rows = []
    for at in range(0, len(values), per):
        low, high = values[at], values[min(at + per, len(values)) - 1]
        rows.append((f"{low:.4g}" if low == high else f"{low:.4g}-{high:.4g}", sum(counts[at : at + per])))
    most, total = max(count for _, count in rows), sum(counts)
    label = max(len(name) for name, _ in rows)
    # Value, bar, share; the count where there is room for it and a bar that says something.
    digits = len(f"{most:,}")
    counted = room >= 20 + label + digits
    width = min(max(room - label - 8 - (digits + 1) * counted, 4), 60)
    text = []
    for name, count in rows:
        bar = "█" * max(1, round(width * count / most))
        number = f" {count:>{digits},}" if counted else ""
        text.append(Text(f"{name:>{label}} {bar:<{width}}{number} {count / total:6.1%}"))
    return Text("\n").join(text)


def _fill(table: Table, frame: pd.DataFrame) -> None:
    """Show a data frame; text cells are never read as markup, missing values are blank."""
    table.clear(columns=True)
    names = [str(name) for name in frame.columns]
    columns = [_cells(name, frame.iloc[:, at]) for at, name in enumerate(names)]
    for name, cells in zip(names, columns, strict=True):
        table.add_column(Text(name, justify=cells[0].justify if cells else "left"))
    for at, row in enumerate(zip(*columns, strict=True)):
        table.add_row(*row, key=str(at))


def _cells(name: str, column: pd.Series) -> list[Text]:
    from pandas import isna, to_datetime
    from pandas.api.types import is_numeric_dtype

    if name == "timestamp":
        times = to_datetime(column, unit="s").dt.strftime("%Y-%m-%d %H:%M")
        # 0 is a rating without a time.
        return [Text(when if second else "") for second, when in zip(column, times, strict=True)]
    if not is_numeric_dtype(column):
        return [Text(str(value)) for value in column]
    spec = ".2f" if name == "mean" else "g" if column.dtype.kind == "f" else "d"
    return [Text("" if isna(value) else format(value, spec), justify="right") for value in column]

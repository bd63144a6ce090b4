"""Dataset: what is in here?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static, TabbedContent, TabPane

from cftui.text import figure, plural
from cftui.tui.dataset import drawing
from cftui.tui.dataset.contents import About, Contents, Listing, contents
from cftui.tui.session.places import Place
from cftui.tui.session.workspace import OpenData
from cftui.tui.shell.keys import ACTIONS, bindings
from cftui.tui.shell.room import Room
from cftui.tui.shell.table import Table

NO_DATA = """\
No data set yet.

Press g to fetch MovieLens 100K,
i to import ratings of your own,
o to open one that is on disk.

From a shell: cftui data get ml-100k"""

# Tables that stand beside the tabs where there is room.
BESIDE = ("users", "items")
# What the tabs are called: in full, where the terminal has 80 columns, and where it has fewer.
LABELS = {
    "head": ("Head", "Head", "Head"),
    "crosstab": ("Crosstab", "Crosstab", "Cross"),
    "duplicates": ("Duplicates", "Duplicates", "Dup"),
    "users": ("Users", "Users", "Users"),
    "items": ("Most rated", "Most", "Most"),
    "genres": ("Genres", "Genres", "Genre"),
    "people": ("People", "People", "People"),
    "activity": ("Activity", "Activity", "When"),
}
# As wide as all names in full, and as all of the second.
WIDE_TABS, TABS = 84, 78
# What the frame of a pane takes of the line that its title is in.
FRAME = 6
# A table has this many cells beside its columns; a bar is at least and at most so long.
MARGIN, SHORTEST, LONGEST = 4, 6, 60


class Picture(Static):
    """Drawn anew in whatever room it gets.

    Attributes:
        resized: called when it has got another size.
    """

    draw: Callable[[int, int], Text] = staticmethod(lambda width, lines: Text())
    resized: Callable[[], None] = staticmethod(lambda: None)

    def show(self, draw: Callable[[int, int], Text]) -> None:
        self.draw = draw
        self.on_resize()

    def on_resize(self) -> None:
        self.resized()
        if self.content_size.area:
            self.update(self.draw(self.content_size.width, self.content_size.height), layout=False)


class Listed(Table):
    """A table of the Dataset screen. Its last column may hold bars, which are as long as there is room for."""

    listing: Listing | None = None
    _bar = 0

    def sortable(self) -> list[str]:
        titles = [*super().sortable()]
        return titles[:-1] if self.listing is not None and self.listing.shares else titles

    def show(self, listing: Listing) -> None:
        self.listing, self._bar = listing, self._room(listing)
        at = self.cursor_coordinate
        self.clear(columns=True)
        self.enter = "Search" if listing.about else ""
        for name, cells in zip(listing.heads, listing.cells, strict=True):
            self.add_column(Text(name, justify=cells[0].justify if cells else "left"))
        if listing.shares:
            self.add_column(Text(" "))
        for row, cells in enumerate(zip(*listing.cells, strict=True)):
            drawn = [Text(drawing.bar(listing.shares[row], self._bar))] if listing.shares else []
            self.add_row(*cells, *drawn, key=str(row))
        self.move_cursor(row=at.row, column=at.column)

    def _room(self, listing: Listing) -> int:
        """How long a bar may be beside the other columns."""
        if not listing.shares or not self.size.width:
            return SHORTEST
        columns = zip(listing.heads, listing.cells, strict=True)
        taken = sum(max(len(head), *(cell.cell_len for cell in cells)) + 2 for head, cells in columns)
        return min(max(self.size.width - taken - MARGIN, SHORTEST), LONGEST)

    def on_resize(self) -> None:
        if self.listing is not None and self._room(self.listing) != self._bar:
            self.show(self.listing)


class DatasetScreen(Room):
    ROOM = "dataset"
    ABOUT = (
        "What the data set holds: its size and scale, its long tail, its first rows, duplicate titles, and who rated "
        "what and when. Enter on a user or an item shows it in Search."
    )
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("dataset")
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (110, "-wide"), (150, "-huge")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-tall"), (50, "-high")]
    _contents: Contents | None = None

    def body(self) -> ComposeResult:
        with Horizontal(id="facts-row"):
            yield Static(id="facts", classes="pane")
            with Vertical(id="pictures"):
                yield Picture(id="histogram", classes="pane")
                yield Picture(id="tail", classes="pane")
            with Vertical(id="more"):
                yield Picture(id="when", classes="pane")
                yield Picture(id="kinds", classes="pane")
        with Horizontal(id="lower"):
            with TabbedContent(id="tables"):
                for name in LABELS:
                    with TabPane(name, id=name):
                        # Only a cell of the crosstab is about one rating.
                        cursor = "cell" if name == "crosstab" else "row"
                        fixed = 1 if name == "crosstab" else 0
                        yield Listed(id=f"{name}-table", cursor_type=cursor, zebra_stripes=True, fixed_columns=fixed)
            # With room to spare, beside whichever tab is open.
            for name in BESIDE:
                yield Listed(id=f"{name}-beside", classes="pane beside", cursor_type="row", zebra_stripes=True)

    def on_mount(self) -> None:
        self.query_one("#facts").border_title = "data set"
        self.query_one("#histogram").border_title = "ratings"
        self.query_one("#tail").border_title = "the long tail"
        self._label_tabs()
        self.add_class("-empty")
        self.watch(self.app, "opened", self._opened)
        self.watch(self.app, "opening", self._say_opening)
        self.watch(self.app, "chosen", self.refresh_bindings)

    # What is shown

    def _opened(self, opened: OpenData | None) -> None:
        self.refresh_bindings()
        if opened is None:
            self._say_opening()
        else:
            self._describe(opened)

    def _say_opening(self) -> None:
        """What is going on, or what to do, while there is nothing else to show."""
        self.refresh_bindings()
        if self.cftui.opened is None:
            opening = self.cftui.opening
            self.query_one("#facts", Static).update(Text(f"opening {opening} ..." if opening else NO_DATA))

    @work(thread=True, exclusive=True)
    def _describe(self, opened: OpenData) -> None:
        self.cftui.from_worker(self._show, contents(opened.tables))

    def _show(self, found: Contents) -> None:
        self._contents = found
        self.remove_class("-empty")
        facts, noun = found.facts, found.noun
        counted = facts["counted"]
        self.query_one("#facts").border_title = facts["label"]
        self.query_one("#facts", Static).update(_facts_text(noun, facts))
        self.query_one("#histogram").border_title = "times chosen by one user" if counted else "ratings"
        # Where everything was chosen once, that is no picture.
        self.query_one("#histogram").display = len(found.histogram) > 1
        over = found.over_time
        self.query_one("#tail", Picture).resized = self._name_tail
        when, kinds = self.query_one("#when"), self.query_one("#kinds")
        when.display, kinds.display = len(over) > 1, len(found.genres) > 0
        when.border_title = f"{'choices' if counted else 'ratings'} each {over.attrs.get('unit', '')}"
        kinds.border_title = f"{'choices' if counted else 'ratings'} by genre"
        self.set_class(not (when.display or kinds.display), "-plain")
        tabs = self.query_one("#tables", TabbedContent)
        for name, listing in found.listings.items():
            (tabs.show_tab if len(listing) else tabs.hide_tab)(name)
            self.query_one(f"#{name}-table", Listed).show(listing)
        for name in BESIDE:
            self.query_one(f"#{name}-beside", Listed).show(found.listings[name])
        dates, each = over["from"].to_list(), over["ratings"].to_list()
        genres, ratings = found.genres["genre"].to_list(), found.genres["ratings"].to_list()
        self.query_one("#histogram", Picture).show(partial(drawing.histogram, found.histogram))
        self.query_one("#tail", Picture).show(partial(drawing.tail, found.popularity))
        self.query_one("#when", Picture).show(partial(drawing.columns, dates, each))
        self.query_one("#kinds", Picture).show(partial(drawing.top_bars, genres, ratings, facts["ratings"]))
        self.query_one("#head-table").focus()
        # There is room for the tabs only now.
        self.call_after_refresh(self._label_tabs)

    def _name_tail(self) -> None:
        """In full where there is room for it."""
        if self._contents is None:
            return
        facts, tail = self._contents.facts, self.query_one("#tail")
        what, spread = "users" if facts["counted"] else "ratings", facts["ratings_per_item"]
        title = f"long tail: {what} per {self._contents.noun}, log"
        median = f"median {drawing.value(spread['median'])}"
        subtitle = f"{spread['max']:,} to {spread['min']:,}, {median}"
        room = tail.outer_size.width - FRAME
        tail.border_title = title if len(title) <= room else "long tail, log"
        tail.border_subtitle = subtitle if len(subtitle) <= room else median

    def _label_tabs(self) -> None:
        """Each tab is called by its key and its name."""
        keys = {key.name: key.keys for key in ACTIONS["dataset"]}
        tabs = self.query_one("#tables", TabbedContent)
        length = (tabs.size.width < WIDE_TABS) + (tabs.size.width < TABS)
        for name, names in LABELS.items():
            tabs.get_tab(name).label = Content.assemble((keys[name], "bold"), f" {names[length]}")

    def on_resize(self) -> None:
        self.call_after_refresh(self._label_tabs)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs data is offered where there are some, fetching where there is nothing yet."""
        if action == "get":
            return self.cftui.opened is None and not self.cftui.opening
        if action == "tab" and parameters:
            return self._contents is not None and bool(len(self._contents.listings[str(parameters[0])]))
        if parameters == ("train",):
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
        listing = self._listing(event.data_table)
        if listing.about:
            await self._show_in_search(listing.about[int(str(event.row_key.value))])

    @on(Table.CellSelected)
    async def _cell_selected(self, event: Table.CellSelected) -> None:
        """Show the user and the item of a cell of the crosstab in Search."""
        listing, column = self._listing(event.data_table), event.coordinate.column
        user = listing.about[int(str(event.cell_key.row_key.value))].user
        of = listing.across[column - 1] if column else About()
        await self._show_in_search(About(user, of.item, of.title))

    def _listing(self, table: Any) -> Listing:
        assert self._contents is not None
        return self._contents.listings[str(table.id).rpartition("-")[0]]

    async def _show_in_search(self, about: About) -> None:
        app = self.cftui
        by_id = app.chosen is not None and app.chosen.ratings.item_key == "id"
        item = about.item if by_id else about.title
        await app.visit(Place("search", item, None if about.user is None else str(about.user)))

    def action_tab(self, name: str) -> None:
        self.query_one("#tables", TabbedContent).active = name
        self.query_one(f"#{name}-table").focus()


# A scale of more characters than this leaves no room for the mean beside it.
LONG_SCALE = 14


def _facts_text(noun: str, facts: dict[str, Any]) -> Text:
    twice = facts["duplicate_titles"]
    per_user = facts["ratings_per_user"]
    low, high = (format(facts[key], ",.7g") for key in ("rating_min", "rating_max"))
    rated = f"{low}{' to ' if facts['rating_min'] < 0 else '-'}{high}"
    mean = figure(facts["rating_mean"])
    values = [("rated", f"{rated}, mean {mean}")]
    if facts["counted"]:
        values = [("chosen", f"{drawing.value(facts['total'])} times")]
    elif len(rated) > LONG_SCALE:
        values = [("rated", rated), ("mean", mean)]
    rows = [
        ("pairs" if facts["counted"] else "ratings", f"{facts['ratings']:,}"),
        ("users", f"{facts['users']:,}"),
        (f"{noun}s", f"{facts['items']:,} ids, {facts['titles']:,} titles"),
        ("density", _percent(facts["density"])),
        *values,
        ("from", f"{facts['first'][:10]} to {facts['last'][:10]}" if facts["first"] else "no times"),
        ("ids", facts["ids"]),
        ("a user", f"{per_user['min']:,} to {per_user['max']:,}, median {drawing.value(per_user['median'])}"),
    ]
    text = Text("\n").join(Text(f"{name:<8} ", style="dim") + Text(value, style="not dim") for name, value in rows)
    if twice:
        text.append(f"\n! {plural(twice, 'duplicate title')} (d)", style="bold")
    return text


def _percent(share: float) -> str:
    """``6.30%``; a share that this would round away keeps its first digits."""
    return f"{share:.2%}" if share >= 1e-4 or not share else f"{share * 100:.2g}%"

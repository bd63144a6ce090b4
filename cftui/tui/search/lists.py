"""Lists of several runs side by side: which of them would this person rather have?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen

from cftui.errors import CftuiError
from cftui.text import level, plural, printable
from cftui.tui.session.app import session_of
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.dialog import ClosesOnce
from cftui.tui.shell.key_bar import KeyBar
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import person_line
from cftui.tui.shell.top import TopLine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from cftui.analysis.evaluation.side_by_side import Place, SideBySide

# The user's own ratings, then as many lists as are compared.
COLUMNS = 4


class ListsScreen(ClosesOnce, Screen[int | None]):
    """What a user liked, and the lists of several runs. Dismissed with the code of an item to look at, or None."""

    BINDINGS = bindings("lists")
    ABOUT = (
        "What the user rated highest, and beside it what each run would recommend. A check marks what the user liked "
        "among the ratings that were held back; a number says which place the item has in the first list. r chooses "
        "the runs; where there is no room for all lists, tab goes to those beyond the edge."
    )
    CSS_PATH = "lists.tcss"
    # In eighty columns there is room for two runs and popularity.
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (80, "-narrow"), (110, "-wide")]

    def __init__(self, opened: OpenModel, user: str, runs: Sequence[str] = ()) -> None:
        """Args: runs: whose lists are compared; empty: this run, the best others on its ratings, and popularity."""
        super().__init__()
        self._opened, self._user, self._runs = opened, user, tuple(runs)
        self._all: SideBySide | None = None
        self._shown: dict[str, list[int]] = {}
        self._at = -1

    def compose(self) -> ComposeResult:
        yield TopLine()
        with Horizontal(id="lists"):
            yield RowList(id="history", classes="pane", placeholder="nothing rated")
            for at in range(COLUMNS):
                yield RowList(id=f"list-{at}", classes="pane", placeholder="comparing ...")
        yield KeyBar()

    def on_mount(self) -> None:
        for at in range(1, COLUMNS):
            self.query_one(f"#list-{at}").add_class("absent")
        self.query_one("#list-0").focus()
        self._show_history()
        self._compare()

    @work(thread=True, exclusive=True)
    def _compare(self) -> None:
        """Judge the lists off the event loop: on a large set it takes a while."""
        from cftui.analysis.evaluation.side_by_side import side_by_side

        app = session_of(self)
        try:
            found = side_by_side(self._opened.model, self._opened.ratings, self._opened.home, names=self._runs)
        except CftuiError as error:
            app.from_worker(self._cannot, error)
            return
        app.from_worker(self._ready, found)

    def _cannot(self, error: CftuiError) -> None:
        self.query_one("#list-0", RowList).show_instead(str(error))

    def _ready(self, found: SideBySide) -> None:
        self._all = found
        for at in range(COLUMNS):
            pane = self.query_one(f"#list-{at}")
            pane.set_class(at >= len(found.names), "absent")
            # What was chosen is shown, though it be narrow; of the others the weakest run gives way.
            pane.set_class(COLUMNS - 1 > at > 1 and len(found.names) == COLUMNS and not self._runs, "third")
        self._show_lists()

    # What is shown

    def _show_history(self) -> None:
        from cftui.analysis.users import people

        model, pane = self._opened.model, self.query_one("#history", RowList)
        who = self._opened.person(self._user)
        rated: pd.DataFrame = people.rated(model, who)
        codes, titles, given = rated["code"].tolist(), rated["title"].tolist(), rated["rating"].tolist()
        self._shown["history"] = codes

        def render(index: int, width: int) -> Text:
            row = Text.assemble((f"{level(given[index])} ", "bold"), printable(titles[index]))
            row.truncate(width, overflow="ellipsis")
            return row

        pane.show(len(rated), render)
        pane.border_title = Content(f"user {self._user}")
        pane.border_subtitle = plural(len(rated), "choice" if model.counted else "rating")
        self.query_one(TopLine).tooltip = person_line(who)

    def _show_lists(self) -> None:
        found, titles = self._all, self._opened.model.titles
        if found is None:
            return
        lists = found.lists(self._opened.model.users.code(self._user) or 0)
        for at, name in enumerate(found.names[:COLUMNS]):
            pane = self.query_one(f"#list-{at}", RowList)
            pane.border_title = Content(f"{name} {found.ndcg[name]:.3f}".replace(" 0.", " ."))
            if lists is None:
                self._shown[f"list-{at}"] = []
                pane.border_subtitle = ""
                pane.show_instead("nothing of this user is held back to judge by; n goes to one with something")
                continue
            places = lists[name]
            self._shown[f"list-{at}"] = [place.code for place in places]
            pane.show(len(places), _rows(places, titles, own=at == 0))
            hits = sum(place.hit for place in places)
            pane.border_subtitle = f"{plural(hits, 'hit')} of {len(places)}"

    @on(RowList.Selected)
    def _chosen(self, event: RowList.Selected) -> None:
        codes = self._shown.get(event.row_list.id or "", [])
        if event.index < len(codes):
            self.dismiss(codes[event.index])

    # Keys

    def action_next(self, by: int) -> None:
        """To the user whose lists differ next most."""
        if self._all is not None:
            self._at = (self._at + by) % len(self._all.users) if self._at >= 0 or by > 0 else len(self._all.users) - 1
            self._show_user(str(self._opened.model.users.classes[self._all.users[self._at]]))

    def action_user(self) -> None:
        from cftui.tui.search.users import UserPicker

        def use(name: str | None) -> None:
            if name is not None:
                self._show_user(name)

        self.app.push_screen(UserPicker(self._opened, self._user), use)

    def action_runs(self) -> None:
        """Choose whose lists stand side by side."""
        from cftui.tui.search.run_choice import RunChoice

        def use(names: tuple[str, ...] | None) -> None:
            if names is not None:
                self._runs = names
                self.query_one("#list-0").border_subtitle = "comparing ..."
                self._compare()

        now = self._all.names if self._all is not None else self._runs
        self.app.push_screen(RunChoice(self._opened, now), use)

    def _show_user(self, name: str) -> None:
        self._user = name
        self._show_history()
        self._show_lists()


def _rows(places: list[Place], titles: list[str], own: bool) -> Callable[[int, int], Text]:
    """A row for each place: whether it is a hit, and, but for the first list, which place it has there."""

    def render(index: int, width: int) -> Text:
        place = places[index]
        mark = "✓" if place.hit else " "
        first = "" if own else f"{place.first or '-':>2} "
        row = Text.assemble((f"{mark}{first}", "bold" if place.hit else "dim"), printable(titles[place.code]))
        if place.hit:
            row.stylize("bold")
        row.truncate(width, overflow="ellipsis")
        return row

    return render

"""Choose a data set from those available."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from cftui.data.store import catalog
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.text import printable
from cftui.tui.dataset.import_paths import size_text
from cftui.tui.session.app import session_of
from cftui.tui.shell.dialog import Dialog
from cftui.tui.shell.keys import bindings
from cftui.tui.shell.row_list import RowList


@dataclass(frozen=True)
class AtHand:
    """A data set on disk: ``size`` in bytes, ``about`` what is known of it without reading it."""

    name: str
    size: int
    about: str


def at_hand(home: Home) -> list[AtHand]:
    """The data sets on disk."""
    found = []
    for one in catalog.listed(home):
        try:
            if one.is_present:
                size = sum(path.stat().st_size for path in one.folder.rglob("*") if path.is_file())
                found.append(AtHand(one.name, size, _about(one)))
        except OSError:  # being removed at this moment
            continue
    return found


def _about(one: catalog.DataSet) -> str:
    from cftui.data.columns import read_facts

    known = one.known
    if known.url:
        return known.label
    try:
        facts = read_facts(one.folder, "")
    except CftuiError:
        return known.label
    label = "" if known.label == known.name else f", {known.label}"
    what = "pairs" if facts.get("counted") else "ratings"
    return f"{facts['ratings']:,} {what} by {facts['users']:,} users of {facts['items']:,} {facts['noun']}s{label}"


class DataSets(Dialog[str | None]):
    """What is on disk, with sizes. Dismissed with the name of the one chosen, or None."""

    BINDINGS = bindings("dialog")
    CSS_PATH = "data_sets.tcss"

    def __init__(self, now: str) -> None:
        super().__init__()
        self._now = now
        self._found: list[AtHand] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="data-sets"):
            yield RowList(id="data-sets-list", placeholder="looking ...")

    def on_mount(self) -> None:
        box = self.query_one("#data-sets")
        box.border_title, box.border_subtitle = Content("open a data set"), "enter: open   escape: as it was"
        self.query_one(RowList).focus()
        self._look()

    @work(thread=True, exclusive=True)
    def _look(self) -> None:
        app = session_of(self)
        app.from_worker(self._show, at_hand(app.home))

    def _show(self, found: list[AtHand]) -> None:
        self._found, rows = found, self.query_one(RowList)
        width = max((len(one.name) for one in found), default=0)

        def render(index: int, _: int) -> Text:
            one = found[index]
            mark = "* " if one.name == self._now else "  "
            return Text.assemble(
                mark, (f"{one.name:<{width}}  ", "bold"), f"{size_text(one.size):>8}  ", (printable(one.about), "dim")
            )

        rows.placeholder = "no data sets yet; press escape, then g to fetch one or i to import your own"
        rows.show(len(found), render)
        rows.move_to(next((at for at, one in enumerate(found) if one.name == self._now), 0))

    @on(RowList.Selected)
    def _picked(self, event: RowList.Selected) -> None:
        self.dismiss(self._found[event.index].name)

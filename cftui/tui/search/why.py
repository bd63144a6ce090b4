"""The pane that explains the prediction: its terms, and the ratings that pull at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual.content import Content

from cftui.errors import CftuiError
from cftui.text import printable
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import called

if TYPE_CHECKING:
    from cftui.analysis.explain.explaining import Explanation
    from cftui.analysis.users.people import Person
    from cftui.engine.models.terms import Term

PULLS = 10
FEWEST_TERMS = 7
# Rows for the sum, the last step, the error, a heading and the first ratings that pull.
BELOW_TERMS = 9


class Why(RowList):
    """The explanation. Enter on a rating that pulls goes there; on any other row, all terms are shown, or the largest.

    Attributes:
        rows: what is shown, None where there is no explanation.
        all_terms: whether every term has a row of its own.
    """

    rows: WhyRows | None = None
    all_terms = False

    def answer(self, opened: OpenModel, who: Person, item: int) -> None:
        """Only where it is seen: an explanation costs more than a prediction."""
        if not self.display:
            return
        from cftui.analysis.explain.explaining import explain
        from cftui.analysis.users.people import pulls

        try:
            found = explain(opened.model, who.row, item, opened.baseline, who)
        except CftuiError as error:
            self.rows = None
            self.border_title, self.border_subtitle = "why", Content(printable(opened.model.titles[item]))
            self.show_instead(str(error))
            return
        moved = []
        if opened.folds_in and opened.model.rates:
            table = pulls(opened.model, who, item, opened.prior, opened.fitted(who)).head(PULLS)
            moved = list(zip(table["code"], table["title"], table["rating"], table["pull"], strict=True))
        # One more of a sampler: what follows from sets and side information is to be seen with the rest as one.
        fewest = FEWEST_TERMS + opened.sure
        room = len(found.terms) if self.all_terms else max(self.content_size.height - BELOW_TERMS, fewest)
        self.rows = WhyRows(found, moved, room)
        self.show(len(self.rows), self.rows.render)
        shown = f"{found.prediction:.2f}" if found.rates else f"a score of {found.prediction:.3f}"
        self.border_title = Content(f"why {shown} for {called(who)}")
        self.border_subtitle = Content(printable(opened.model.titles[item]))

    def clear(self) -> None:
        self.rows = None
        self.show(0, lambda index, width: Text())
        self.border_title = self.border_subtitle = ""


class WhyRows:
    """The rows of an explanation: its terms with signed bars, the last step, and the ratings that pull most.

    ``code(index)`` is the item a row is about, where it is about one.

    Args:
        pulls: code, title, rating, and what the rating adds to the prediction.
        terms: how many terms at the most; the smallest are summed in one.
    """

    def __init__(self, found: Explanation, pulls: Sequence[tuple[int, str, float, float]], terms: int) -> None:
        self._lines: list[tuple[str, float, str, int | None]] = []
        self._digits = 2 if found.rates else 3
        self._largest = max((abs(term.stars) for term in found.terms if term.kind != "baseline"), default=0.0)
        self._pull = max((abs(pull) for _, _, _, pull in pulls), default=0.0)
        for term in found.grouped(terms):
            kind = "baseline" if term.kind == "baseline" else "term"
            self._lines.append((_short(term), term.stars, kind, term.index if term.kind == "rated" else None))
        self._lines.append(("sum", found.prediction, "baseline", None))
        if found.raw is not None:
            self._lines.append((f"{found.raw:+.3f} by {found.link}", 0.0, "note", None))
        self._lines.append((f"completeness error {found.error:.0e}", 0.0, "note", None))
        if pulls:
            self._lines.append(("moved most by (leave-one-out):", 0.0, "head", None))
        for code, title, given, pull in pulls:
            self._lines.append((f"{given:g} {title}", pull, "pull", code))

    def __len__(self) -> int:
        return len(self._lines)

    def code(self, index: int) -> int | None:
        return self._lines[index][3]

    def render(self, index: int, width: int) -> Text:
        name, value, kind, _ = self._lines[index]
        if kind in ("note", "head"):
            return Text(printable(name), style="dim" if kind == "note" else "bold")
        if kind == "baseline":
            return Text(f"{name:<15}{value:>6.{self._digits}f}", style="bold")
        half = max(min((width - 23) // 2, 12), 3)
        label = Text(printable(name))
        label.truncate(max(width - 2 * half - 7 - self._digits, 6), overflow="ellipsis", pad=True)
        largest = self._largest if kind == "term" else self._pull
        return Text.assemble(label, (f" {value:+.{self._digits}f} ", "bold"), signed_bar(value, largest, half))


def _short(term: Term) -> str:
    """A term's name in the fourteen letters that a narrow pane has for it."""
    of_user = term.name.removesuffix("rated").rstrip().endswith("user")
    if term.kind == "implicit":
        return "rated by user" if of_user else "who rated it"
    if term.kind == "side":
        return "facts of user" if of_user else f"facts of {term.name.split()[-1]}"
    return term.name


def signed_bar(value: float, largest: float, half: int) -> str:
    """``   ██│      `` or ``     │████  ``: to the left what lowers, to the right what raises."""
    cells = 0 if largest <= 0 else min(half, round(abs(value) / largest * half))
    if value < 0:
        return " " * (half - cells) + "█" * cells + "│" + " " * half
    return " " * half + "│" + "█" * cells + " " * (half - cells)

"""The pane that explains the prediction: in words, by its terms, and by the ratings that move it most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from rich.text import Text
from textual.content import Content
from textual.message import Message

from cftui.errors import CftuiError
from cftui.text import level, printable, scaled, scaled_width
from cftui.tui.session.workspace import OpenModel
from cftui.tui.shell.row_list import RowList
from cftui.tui.shell.rows import called

if TYPE_CHECKING:
    from cftui.analysis.explain.explaining import Explanation
    from cftui.analysis.users.people import Person
    from cftui.engine.models.terms import Term

PULLS = 10
FEWEST_TERMS = 7
# Rows for the sum, the last step, the error, two headings and the first ratings that pull.
BELOW_TERMS = 10
# A bar is cut that is longer than this many times the third longest: else the others would all be too short to see.
OUTLYING = 3.0
MORE, LESS = "▸", "◂"
INDENT = "  "


class Why(RowList):
    """The explanation. Enter on a rating that pulls goes there; on any other row, all terms are shown, or the largest.

    Attributes:
        rows: what is shown, None where there is nothing to show.
        all_terms: whether every term has a row of its own.
    """

    class Resized(Message):
        """It has another size, and what it shows depends on that."""

    rows: WhyRows | None = None
    all_terms = False
    _answered: tuple[object, ...] | None = None

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    def answer(self, opened: OpenModel, who: Person, item: int, epoch: int | None = None) -> None:
        """Only where it is seen: an explanation costs more than a prediction.

        Args:
            epoch: the earlier epoch that other panes show. Explanations are those of the model as trained.
        """
        question = (opened, who, item, epoch, self.all_terms, self.scrollable_content_region.size)
        if not self.display or question == self._answered:
            return
        self._answered = question
        from cftui.analysis.explain.explaining import explain
        from cftui.analysis.explain.words import in_words
        from cftui.analysis.users.people import pulls

        model, found, missing = opened.model, None, ""
        try:
            found = explain(model, who.row, item, opened.baseline, who)
        except CftuiError as error:
            missing = str(error)
        table = None
        if opened.folds_in and model.rates:
            table = pulls(model, who, item, opened.prior, opened.fitted(who))
        words = in_words(model, opened.ratings, who, item, found.terms if found else (), table)
        rows = WhyRows(model.rating_range)
        rows.add_words(words, self._wrapped)
        if found is not None:
            # One more of a sampler: what follows from sets and side information is to be seen with the rest as one.
            fewest = FEWEST_TERMS + opened.sure
            room = (
                len(found.terms) if self.all_terms else max(self.content_size.height - BELOW_TERMS - len(rows), fewest)
            )
            rows.add_terms(found, room)
        else:
            rows.add_words((missing,), self._wrapped)
        if table is not None and len(table):
            first = table.head(PULLS)
            rows.add_pulls(zip(first["code"], first["title"], first["rating"], first["pull"], strict=True))
        self.rows = rows
        self.show(len(rows), rows.render)
        shown = ""
        if found is not None:
            shown = (
                f" {scaled(found.prediction, model.rating_range)}"
                if found.rates
                else f" a score of {found.prediction:.3f}"
            )
        trained = "" if epoch is None else ", as trained"
        self.border_title = Content(f"why{shown} for {called(who)}{trained}")
        self.border_subtitle = Content(printable(model.titles[item]))

    def _wrapped(self, text: str) -> list[str]:
        """Lines as wide as the pane; all but the first are indented."""
        width = max(self.scrollable_content_region.width - len(INDENT), 12)
        lines = Text(printable(text)).wrap(self.app.console, width)
        return [f"{INDENT if at else ''}{line.plain.rstrip()}" for at, line in enumerate(lines)]

    def clear(self) -> None:
        self.rows = self._answered = None
        self.show(0, lambda index, width: Text())
        self.border_title = self.border_subtitle = ""


class Row(NamedTuple):
    """A line of the explanation.

    Attributes:
        kind: ``word``, ``note`` and ``head`` are text, ``total`` has a number, ``term`` and ``pull`` also a bar.
        code: the item that the row is about, if it is about one.
    """

    name: str
    value: float
    kind: Literal["word", "note", "head", "total", "term", "pull"]
    code: int | None = None


class WhyRows:
    """The rows of an explanation: words, terms with signed bars, the last step, and the ratings that pull most.

    All bars are to one scale.
    """

    def __init__(self, ends: Sequence[float] = (0.0, 1.0)) -> None:
        """``ends`` are those of the rating scale, which says how many digits its figures have."""
        self._rows: list[Row] = []
        self._ends, self._digits = ends, 2
        self._scale: float | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def code(self, index: int) -> int | None:
        """The item that a row is about, if it is about one."""
        return self._rows[index].code

    def add_words(self, sentences: Sequence[str], wrapped: Callable[[str], list[str]]) -> None:
        self._rows += [Row(line, 0.0, "word") for sentence in sentences for line in wrapped(sentence)]

    def add_terms(self, found: Explanation, terms: int) -> None:
        """Add the largest terms, one row for the rest, the sum, and the last step."""
        self._ends, self._digits = (self._ends, 2) if found.rates else ((0.0, 1.0), 3)
        self._rows.append(Row("by the model's terms", 0.0, "head"))
        for term in found.grouped(terms):
            kind: Literal["total", "term"] = "total" if term.kind == "baseline" else "term"
            self._rows.append(Row(_short(term), term.stars, kind, term.index if term.kind == "rated" else None))
        self._rows.append(Row("sum", found.prediction, "total"))
        if found.raw is not None:
            self._rows.append(Row(f"{found.raw:+.3f} by {found.link}", 0.0, "note"))
        self._rows.append(Row(f"completeness error {found.error:.0e}", 0.0, "note"))

    def add_pulls(self, pulls: Iterable[tuple[int, str, float, float]]) -> None:
        """Add ratings that pull: code, title, rating, and what the rating adds to the prediction."""
        self._rows.append(Row("moved most by (leave-one-out)", 0.0, "head"))
        self._rows += [Row(f"{level(given)} {title}", pull, "pull", code) for code, title, given, pull in pulls]

    @property
    def scale(self) -> float:
        """The value that a bar of full length has."""
        if self._scale is None:
            self._scale = bar_scale([row.value for row in self._rows if row.kind in ("term", "pull")])
        return self._scale

    def render(self, index: int, width: int) -> Text:
        row = self._rows[index]
        if row.kind == "word":
            return Text(row.name)
        if row.kind == "note":
            return Text(printable(row.name), style="dim")
        if row.kind == "total":
            return Text(f"{row.name:<15}{self._figure(row.value):>6}", style="bold")
        if row.kind == "head":
            text = Text(row.name, style="bold")
            full = f"full bar {self._figure(self.scale)}"
            if text.cell_len + len(full) + 2 <= width:
                text = Text.assemble((row.name, "bold"), " " * (width - text.cell_len - len(full)), (full, "dim"))
            return text
        half = max(min((width - 23) // 2, 12), 3)
        wide = scaled_width(self._ends, "+", self._digits)
        room = max(width - 2 * half - 4 - wide, 6)
        label = _cut(row.name, room, keep_number=row.kind == "term")
        number = (f" {self._figure(row.value, '+'):>{wide}} ", "bold")
        return Text.assemble(label, number, signed_bar(row.value, self.scale, half))

    def _figure(self, value: float, sign: str = "") -> str:
        return scaled(value, self._ends, sign, self._digits)


def _cut(name: str, width: int, *, keep_number: bool) -> Text:
    """A name in ``width`` cells. The number at its end says which factor it is and is never what is cut."""
    label, number = Text(printable(name)), ""
    head, _, last = name.rpartition(" ")
    if keep_number and last.isdecimal() and head and label.cell_len > width:
        label, number = Text(printable(head)), f" {last}"
    label.truncate(max(width - len(number), 1), overflow="ellipsis")
    label.append(number)
    label.truncate(width, pad=True)
    return label


def _short(term: Term) -> str:
    """A term's name in the fourteen letters that a narrow pane has for it."""
    of_user = term.name.removesuffix("rated").rstrip().endswith("user")
    if term.kind == "implicit":
        return "rated by user" if of_user else "who rated it"
    if term.kind == "side":
        return "facts of user" if of_user else f"facts of {term.name.split()[-1]}"
    return term.name


def bar_scale(values: Sequence[float]) -> float:
    """What a bar of full length stands for: the largest value, unless it would leave nothing to be seen of the rest."""
    sizes = sorted((abs(value) for value in values), reverse=True)
    if not sizes:
        return 0.0
    return min(sizes[0], OUTLYING * sizes[2]) if len(sizes) > 2 and sizes[2] else sizes[0]


def signed_bar(value: float, scale: float, half: int) -> str:
    """``   ▐█│      `` or ``      │███▌  ``: to the left what lowers, to the right what raises.

    What goes beyond ``scale`` is cut, and ends in an arrow.
    """
    size = 0.0 if scale <= 0 else abs(value) / scale
    halves = min(round(2 * half * size), 2 * half)
    cells, odd = divmod(halves, 2)
    beyond = size > 1 + 1e-9
    if value < 0:
        bar = LESS + "█" * (half - 1) if beyond else "▐" * odd + "█" * cells
        return f"{bar:>{half}}│{' ' * half}"
    bar = "█" * (half - 1) + MORE if beyond else "█" * cells + "▌" * odd
    return f"{' ' * half}│{bar:<{half}}"

"""Lines of text that more than one screen shows: an item with its score, a histogram, a gauge, a signed bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from cftui.text import printable

if TYPE_CHECKING:
    from cftui.analysis.explain.explaining import Explanation
    from cftui.analysis.ranking import About
    from cftui.analysis.trained import TrainedModel
    from cftui.analysis.users.people import Person
    from cftui.engine.models.terms import Term

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def found_row(model: TrainedModel, code: int) -> Text:
    """``  508  Fargo (1996)  Crime Drama Thriller``: number of ratings, title, genres."""
    row = model.item_table.iloc[code]
    genres = row["genres"].replace("|", " ")
    return Text.assemble((f"{row['ratings']:>6,}  ", "dim"), printable(row["title"]), (f"  {genres}", "dim"))


def scored_row(score: str, title: str, count: int | None, width: int, extra: str = "", bar: Text | None = None) -> Text:
    """``.71 Fargo (1996)    508``: the count to the right edge, the title cut to fit, a bar before it."""
    tail = "" if count is None else f" {extra}{count:>5,}"
    before = Text.assemble((f"{score} ", "bold"), *((bar, " ") if bar else ()))
    name = Text(printable(title))
    name.truncate(max(width - before.cell_len - len(tail), 8), overflow="ellipsis", pad=True)
    return Text.assemble(before, name, (tail, "dim"))


def cosine(value: float, digits: int = 2) -> str:
    """``.71``, ``-.03``, ``1.0``: with two digits, four characters at the most."""
    text = f"{value:.{digits}f}".replace("0.", ".", 1)
    return "1.0" if text == f"1.{'0' * digits}" else text


def gauge(value: float, low: float, high: float, width: int = 20) -> str:
    """``1 |------o---| 5``."""
    at = round((min(max(value, low), high) - low) / (high - low) * (width - 1))
    return f"{low:g} |{'-' * at}o{'-' * (width - 1 - at)}| {high:g}"


def histogram(about: About, width: int) -> Text:
    """``1▁ 2▁ 3▃ 4▇ 5█``: how often each rating value was given, the most frequent full height.

    With room for it with percentages; without room for the values ``0.5 ▁▁▁▁▂▃▆█▇▆ 5``, several to a bar if need be.
    """
    if not len(about.histogram):
        return Text()
    values, shares = [f"{value:g}" for value in about.histogram["value"]], about.histogram["share"].to_list()
    if sum(len(value) + 2 for value in values) - 1 <= width:
        percent = sum(len(value) + 6 for value in values) <= width
        text = Text()
        for value, bar, share in zip(values, _heights(shares), shares, strict=True):
            text.append(value, style="dim").append(bar).append(f"{share:.0%} " if percent else " ", style="dim")
        return text
    low, high = values[0], values[-1]
    of = -(-len(shares) // max(width - len(low) - len(high) - 2, 1))
    bars = _heights([sum(shares[at : at + of]) for at in range(0, len(shares), of)])
    return Text.assemble((f"{low} ", "dim"), bars, (f" {high}", "dim"))


def _heights(shares: list[float]) -> str:
    """A bar to each; what is there at all is seen."""
    top = max([*shares, 1e-9])
    return "".join(_EIGHTHS[max(1, round(share / top * 8)) if share else 0] for share in shares)


def signed_bar(value: float, largest: float, half: int) -> str:
    """``   ██│      `` or ``     │████  ``: to the left what lowers, to the right what raises."""
    cells = 0 if largest <= 0 else min(half, round(abs(value) / largest * half))
    if value < 0:
        return " " * (half - cells) + "█" * cells + "│" + " " * half
    return " " * half + "│" + "█" * cells + " " * (half - cells)


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


def person_line(who: Person) -> str:
    """``39 ratings, mean 3.62``."""
    if not len(who.items):
        return "no ratings"
    return f"{len(who.items):,} ratings, mean {float(who.given.mean()):.2f}"

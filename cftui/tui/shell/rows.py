"""Lines of text that more than one screen shows: an item with its score, a histogram, a gauge, a user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cftui.text import level, number, plural, printable
from cftui.tui.shell.columns import LEAST

if TYPE_CHECKING:
    from cftui.analysis.ranking import About
    from cftui.analysis.trained import TrainedModel
    from cftui.analysis.users.people import Person

# The name under which the user of the app saves himself if he gives no other.
YOURSELF = "me"
_EIGHTHS = " ▁▂▃▄▅▆▇█"


def found_row(model: TrainedModel, code: int) -> Text:
    """``  508  Fargo (1996)  Crime Drama Thriller``: number of ratings, title, genres."""
    row = model.item_table.iloc[code]
    genres = row["genres"].replace("|", " ")
    return Text.assemble((f"{row['ratings']:>6,}  ", "dim"), printable(row["title"]), (f"  {genres}", "dim"))


def scored_row(score: str, title: str, count: int | None, width: int, extra: str = "", bar: Text | None = None) -> Text:
    """``.71 Fargo (1996)    508``: the count to the right edge, the title cut to fit, a bar before it.

    Without room for a title and the count, the count is left out.
    """
    tail = "" if count is None else f" {extra}{count:>5,}"
    before = Text.assemble((f"{score} ", "bold"), *((bar, " ") if bar else ()))
    if width - before.cell_len - len(tail) < LEAST:
        tail = ""
    name = Text(printable(title))
    name.truncate(max(width - before.cell_len - len(tail), LEAST), overflow="ellipsis", pad=True)
    return Text.assemble(before, name, (tail, "dim"))


def cosine(value: float, digits: int = 2) -> str:
    """``.71``, ``-.03``, ``1.0``: with two digits, four characters at the most."""
    text = f"{value:.{digits}f}".replace("0.", ".", 1)
    return "1.0" if text == f"1.{'0' * digits}" else text


def gauge(value: float, low: float, high: float, width: int = 20) -> str:
    """``1 |------o---| 5``."""
    at = round((min(max(value, low), high) - low) / (high - low) * (width - 1))
    return f"{level(low)} |{'-' * at}o{'-' * (width - 1 - at)}| {level(high)}"


def histogram(about: About, width: int) -> Text:
    """``1▁ 2▁ 3▃ 4▇ 5█``: how often each rating value was given, the most frequent full height.

    With room for it with percentages; without room for the values ``0.5 ▁▁▁▁▂▃▆█▇▆ 5``, several to a bar if need be.
    """
    if not len(about.histogram):
        return Text()
    values, shares = [level(value) for value in about.histogram["value"]], about.histogram["share"].to_list()
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


def called(who: Person) -> str:
    """``user 196``, ``you`` or the name of another profile."""
    return f"user {who.name}" if who.trained else "you" if who.name == YOURSELF else who.name


def person_line(who: Person) -> str:
    """``39 ratings, mean 3.62``."""
    if not len(who.items):
        return "no ratings"
    likes = int((~who.rated).sum())
    more = f", {likes:,} more without a rating" if likes and who.mean is not None else ""
    if who.mean is None:
        return f"{likes:,} chosen, no ratings"
    return f"{plural(len(who.items) - likes, 'rating')}, mean {number(who.mean, 2)}{more}"

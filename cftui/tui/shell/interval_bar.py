"""A prediction with its interval, drawn over the rating scale and in words.

Every part is a character of its own, also where only ASCII can be shown, so that nothing depends on colour.
"""

from __future__ import annotations

from rich.text import Text

from cftui.text import scaled

TRACK, BODY, FROM, TO = ".", "━", "├", "┤"
MEAN, GIVEN, BOTH = "●", "◇", "◉"
FRAME, BELOW, ABOVE = "│", "◂", "▸"

Scale = tuple[float, float]


def _cell(value: float, scale: Scale, width: int) -> int:
    low, high = scale
    share = (min(max(value, low), high) - low) / (high - low or 1.0)
    return round(share * (width - 1))


def interval_bar(
    mean: float, low: float, high: float, scale: Scale, width: int, given: float | None = None, *, framed: bool = True
) -> Text:
    """``│...├━━●━◇━▸``: the interval over a track of ``width`` cells, the mean in it, and the rating that was given.

    Where the interval goes on beyond an end of the scale, an arrow stands in the frame there, or, without a frame, in
    the last cell.

    Args:
        framed: with a cell more at either side.
    """
    if width < 1:
        return Text()
    cells = [TRACK] * width
    first, last = _cell(low, scale, width), _cell(high, scale, width)
    cells[first : last + 1] = BODY * (last + 1 - first)
    below, above = low < scale[0], high > scale[1]
    if not below:
        cells[first] = FROM
    elif not framed:
        cells[0] = BELOW
    if not above:
        cells[last] = TO
    elif not framed:
        cells[-1] = ABOVE
    at = _cell(mean, scale, width)
    cells[at] = MEAN
    if given is not None:
        mark = _cell(given, scale, width)
        cells[mark] = given_mark(mean, given, scale, width)
    text = Text("".join(cells))
    for index, cell in enumerate(cells):
        text.stylize("dim" if cell == TRACK else "bold" if cell in (MEAN, GIVEN, BOTH) else "", index, index + 1)
    if not framed:
        return text
    return Text.assemble(BELOW if below else FRAME, text, ABOVE if above else FRAME)


def given_mark(mean: float, given: float, scale: Scale, width: int) -> str:
    """What stands on the bar for the rating that was given: where it is the mean's own cell, one mark for both."""
    return BOTH if _cell(given, scale, width) == _cell(mean, scale, width) else GIVEN


def interval_words(mean: float, low: float, high: float, scale: Scale) -> str:
    """``4.2 (2.8 to 5.0)``, none of them beyond the scale; other scales get more digits."""
    mean, low, high = (min(max(value, scale[0]), scale[1]) for value in (mean, low, high))
    shown = [scaled(value, scale, digits=1 if scale[1] - scale[0] > 1 else 2) for value in (mean, low, high)]
    return "{} ({} to {})".format(*shown)

"""What happens to every line before it reaches the terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color, ColorParseError
from textual.filter import LineFilter, dim_color

from cftui.text import printable

_LINES = {
    "─━┄┅┈┉╌╍═╴╶╸╺": "-",
    "│┃┆┇┊┋╎╏║╵╷╹╻": "|",
    "┌┐└┘├┤┬┴┼╭╮╯╰┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬╞╡╪╤╧": "+",
    "▏▎▍▌▋▊▉█▐▇▆▅▔": "#",
    "▁▂": "_",
    "▃▄": "=",
    "░": ".",
    "▒": ":",
    "▓": "#",
    "•·∙": "*",
    "◉●◆■": "@",
    "○◌◇□": "o",
    "◂←‹«": "<",
    "▸→›»▶": ">",
    "▴↑▲": "^",
    "▾↓▼": "v",
    "…": ".",
    "–—−": "-",
    "⏎⌫⏵": "<",
    "×": "x",
    "✓✔": "+",
    "✗✘": "x",
}
_LINES["🔎"] = "/ "  # two cells wide, in Textual's palette
_TABLE = {ord(glyph): plain for glyphs, plain in _LINES.items() for glyph in glyphs}
# Braille by how many of its eight dots are set.
_DENSITY = " ...::**#"
# The share of its own colour that dim text keeps.
BLEND = 0.7


@lru_cache(maxsize=4096)
def to_ascii(text: str) -> str:
    """Box, block, braille and arrow characters as ASCII, cell for cell; letters of whatever script stay."""
    if text.isascii():
        return text
    plain = text.translate(_TABLE)
    return "".join(_DENSITY[(ord(c) - 0x2800).bit_count()] if 0x2800 <= ord(c) <= 0x28FF else c for c in plain)


class Ascii(LineFilter):
    """For terminals and fonts without box, block and braille characters (``--ascii``)."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]


class Dim(LineFilter):
    """Draw dim text in the colour that the theme has for muted text, if it has one.

    Textual blends it halfway to the background, which is too faint to read. Where the theme leaves the colour to
    Textual ("auto 60%"), blend less; where the colours are the terminal's own, do not dim at all. On the row with the
    cursor nothing is dim either: that row is one colour.

    Args:
        variables: of the theme.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__()
        self._muted = _colour(variables["text-muted"])
        names = ("block-cursor-background", "block-cursor-blurred-background")
        self._cursors = {_colour(variables[name]) for name in names}

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        behind = background.rich_color
        return [
            Segment(text, self._undimmed(style, behind), control)
            if style is not None and style.dim
            else Segment(text, style, control)
            for text, style, control in segments
        ]

    def _undimmed(self, style: Style, background: RichColor) -> Style:
        colour, ground = self._muted, style.bgcolor or background
        if ground in self._cursors:
            return style + Style(dim=False)
        if colour is None and style.color is not None and style.color.triplet and ground.triplet:
            colour = dim_color(ground, style.color, BLEND)
        return style + Style(color=colour, dim=False)


def _colour(value: str) -> RichColor | None:
    """None if Textual chooses the colour: "auto"."""
    with contextlib.suppress(ColorParseError):
        return Color.parse(value).rich_color
    return None


class NoControl(LineFilter):
    """Keep escape sequences in titles, names and messages away from the terminal.

    A character that was counted as no cell when the row was laid out is removed, any other becomes a space.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.control or segment.text.isprintable() else Segment(_safe(segment.text), segment.style)
            for segment in segments
        ]


@lru_cache(maxsize=4096)
def _safe(text: str) -> str:
    return "".join(printable(c, " " * cell_len(c), keep="\t\n") for c in text)

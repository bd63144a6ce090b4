"""What happens to every line before it reaches the terminal."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

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

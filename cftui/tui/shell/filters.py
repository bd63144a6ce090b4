"""What happens to every line before it reaches the terminal."""

from __future__ import annotations

import re
from functools import lru_cache

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

# Terminals obey these instead of showing them; the last range turns the rest of the line around.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

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
    """No escape sequence that stands in a title, a name or a message reaches the terminal.

    Taken out, not replaced: such a character was counted as no cell when the row was laid out.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if not any(_CONTROL.search(text) for text, _, control in segments if not control):
            return segments
        return [
            segment if segment.control else Segment(_CONTROL.sub("", segment.text), segment.style)
            for segment in segments
        ]

"""The colours of what is on a screen, and how well they can be read.

The contrast is that of WCAG 2: the ratio of the relative luminances of a glyph and of what is behind it, from 1 (the
same) to 21 (black on white). Text needs 4.5; marks need 3, which is whatever a chart or a map draws, and frames.
Scrollbars and the rail below tabs are left out: they say nothing that is not said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.color import Color, ColorSystem
from rich.color_triplet import ColorTriplet
from rich.style import Style
from textual.app import App

from cftui.tui.shell.jump import JumpScreen

TEXT, MARK = 4.5, 3.0
RAIL = set("━╸╺")
BARS = set("▁▂▃▄▅▆▇▉▊▋▌▍▎▏")


Pair = tuple[ColorTriplet, ColorTriplet, float]
"""Glyph, ground, and the least contrast that is required."""


def luminance(colour: ColorTriplet) -> float:
    """Relative luminance, 0 (black) to 1 (white): https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: ColorTriplet, other: ColorTriplet) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def colours(style: Style, app: App) -> tuple[ColorTriplet, ColorTriplet]:
    """What a terminal is told; reverse is carried out."""
    ground = style.bgcolor or app.screen.styles.background.rich_color
    behind = ground.get_truecolor(app.ansi_theme, foreground=False)
    glyph = (style.color or Color.default()).get_truecolor(app.ansi_theme, foreground=True)
    return (behind, glyph) if style.reverse else (glyph, behind)


def visible_pairs(app: App) -> Iterator[tuple[Pair, str]]:
    """Every pair of colours that something is written in, with what is."""
    # Beneath the letters of jump mode nothing can be scrolled: there only its looks tell a scrollbar.
    bars = BARS if isinstance(app.screen, JumpScreen) else set()
    for strip in app.screen._compositor.render_strips(app.screen.size):
        for text, style, control in strip:
            if control or style is None or not text.strip() or "@mouse.down" in style.meta:
                continue
            if set(text) <= RAIL or set(text) <= bars:
                continue
            glyph, behind = colours(style, app)
            yield (glyph, behind, TEXT if any(map(str.isalnum, text)) else MARK), text.strip()


def rounded(colour: ColorTriplet) -> ColorTriplet:
    """What a terminal of 256 colours shows for a colour."""
    number = Color.from_triplet(colour).downgrade(ColorSystem.EIGHT_BIT).number
    return Color.from_ansi(number or 0).get_truecolor()

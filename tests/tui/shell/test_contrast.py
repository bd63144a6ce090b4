"""Whatever is on a screen can be read: in a dark theme and in a light one, and by a terminal of sixteen colours.

The contrast is that of WCAG 2: of the relative luminances of a glyph and of what is behind it, from 1 (the same) to 21
(black on white). Text and what a chart draws are asked for 3; what is dim, and frames, for 2.5. Not asked are the bars
of scrolling and the rail below tabs, which say nothing that is not said otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from rich.color import Color, ColorSystem
from rich.color_triplet import ColorTriplet
from rich.style import Style
from textual.app import App
from textual.filter import ANSIToTruecolor, dim_color

from cftui.tui.app import CftuiApp
from cftui.tui.shell.jump import JumpScreen

from ..looking import SIZE
from ..test_snapshots import furnished as furnished
from ..test_snapshots import walk

THEMES = ("textual-dark", "textual-light")
LEAST, LEAST_DIM = 3.0, 2.5
FRAMES = set("─│╭╮╰╯┌┐└┘├┤┬┴┼ ")
RAIL = set("━╸╺")
BARS = set("▁▂▃▄▅▆▇▉▊▋▌▍▎▏")


@dataclass
class Seen:
    """A colour on another, with an example of where."""

    text: str
    screens: list[str] = field(default_factory=list)


Pair = tuple[ColorTriplet, ColorTriplet, float]
"""Glyph, ground, and the least contrast that is asked for."""


def luminance(colour: ColorTriplet) -> float:
    """Relative luminance, 0 (black) to 1 (white): https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: ColorTriplet, other: ColorTriplet) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def colours(style: Style, app: App) -> tuple[ColorTriplet, ColorTriplet]:
    """What a terminal is told: dim is blended with the ground, as Textual does, and reverse is carried out."""
    ground = style.bgcolor or app.screen.styles.background.rich_color
    behind = ground.get_truecolor(app.ansi_theme, foreground=False)
    glyph = (style.color or Color.default()).get_truecolor(app.ansi_theme, foreground=True)
    if style.dim:
        glyph = dim_color(Color.from_triplet(behind), Color.from_triplet(glyph)).get_truecolor()
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
            yield (glyph, behind, LEAST_DIM if style.dim or set(text) <= FRAMES else LEAST), text.strip()


@pytest.fixture(scope="session")
def written(furnished) -> dict[str, dict[Pair, Seen]]:
    """All that is written on any screen, by theme; the themes are changed on the spot, as the palette does."""
    found: dict[str, dict[Pair, Seen]] = {theme: {} for theme in THEMES}

    def plain(kind: str = "") -> CftuiApp:
        app = furnished(kind)
        # Dim and the terminal's own colours are to be seen as such here.
        app._filters = [kept for kept in app._filters if not isinstance(kept, ANSIToTruecolor)]
        return app

    async def look() -> None:
        async for name, pilot in walk(plain, SIZE):
            app = pilot.app
            for theme in sorted(THEMES, key=lambda theme: theme != app.theme):
                app.theme = theme
                await pilot.pause()
                for pair, text in visible_pairs(app):
                    seen = found[theme].setdefault(pair, Seen(text))
                    if name not in seen.screens:
                        seen.screens.append(name)

    asyncio.run(look())
    return found


@pytest.mark.parametrize("theme", THEMES)
def test_everything_can_be_read(written, theme):
    offenders = [
        f"{ratio:.2f} of {least}: {glyph.hex} on {behind.hex} {seen.text[:40]!r} in {', '.join(seen.screens)}"
        for (glyph, behind, least), seen in written[theme].items()
        if (ratio := contrast(glyph, behind)) < least
    ]
    assert not offenders, f"{theme}\n" + "\n".join(sorted(offenders))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("system", [ColorSystem.STANDARD, ColorSystem.EIGHT_BIT], ids=["16", "256"])
def test_nothing_vanishes_where_there_are_few_colours(written, theme, system):
    offenders = [
        f"both are colour {number}: {glyph.hex} on {behind.hex} {seen.text[:40]!r} in {', '.join(seen.screens)}"
        for (glyph, behind, _), seen in written[theme].items()
        if (number := Color.from_triplet(glyph).downgrade(system).number)
        == Color.from_triplet(behind).downgrade(system).number
    ]
    assert not offenders, f"{theme}\n" + "\n".join(sorted(offenders))

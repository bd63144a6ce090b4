"""Colours that mean something: told apart by the colour-blind, and readable on a dark ground and on a light one.

All are entries of the 256-colour palette that rounding leaves as they are, as the colours of ``themes`` are. Meaning
never hangs on them alone: series differ by mark, quadrants by place, and what a group is, is said in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from cftui.text import scaled

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Colours:
    """For one kind of ground.

    Attributes:
        train, valid, best, band, lines: of the loss chart.
        overlays: of other runs on it.
        groups: of the map's points, by group.
        ramp: of the map's points, from low to high.
        plus, minus: of numbers above and below zero, whose sign is written, too.
    """

    train: RGB
    valid: RGB
    best: RGB
    band: RGB
    lines: RGB
    overlays: tuple[RGB, ...]
    groups: tuple[str, ...]
    ramp: tuple[str, ...]
    plus: str
    minus: str

    def signed(self, value: float, digits: int = 2, scale: Sequence[float] = (0.0, 1.0)) -> Text:
        """``+0.55`` or ``-0.26``: a sign and a colour, in the digits that the scale asks for."""
        return Text(scaled(value, scale, "+", digits), style=f"bold {self.minus if value < 0 else self.plus}")


# As near as the palette comes to Okabe and Ito's, and to cividis with its dark end lightened.
DARK = Colours(
    train=(95, 175, 255),
    valid=(255, 175, 0),
    best=(255, 255, 95),
    band=(118, 118, 118),
    lines=(148, 148, 148),
    overlays=((0, 175, 135), (215, 135, 175), (255, 95, 0), (95, 135, 215)),
    groups=("#5fafff", "#ffaf00", "#00af87", "#d787af", "#949494", "#ffff5f", "#ff5f00"),
    ramp=("#5f87d7", "#8787af", "#afaf87", "#d7d75f", "#ffff5f"),
    plus="#5fafff",
    minus="#ffaf00",
)
# The same hues, darkened until each stands out from white.
LIGHT = Colours(
    train=(0, 95, 175),
    valid=(135, 95, 0),
    best=(175, 95, 0),
    band=(118, 118, 118),
    lines=(98, 98, 98),
    overlays=((0, 95, 95), (175, 0, 135), (175, 95, 0), (95, 95, 175)),
    groups=("#005faf", "#875f00", "#008700", "#af0087", "#626262", "#5f5f00", "#af0000"),
    ramp=("#00005f", "#005faf", "#6c6c6c", "#875f00", "#af5f00"),
    plus="#005faf",
    minus="#875f00",
)


def colours(dark: bool) -> Colours:
    """Those for a dark ground or a light one."""
    return DARK if dark else LIGHT

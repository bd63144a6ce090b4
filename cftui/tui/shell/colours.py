"""Colours that mean something: told apart by the colour-blind, and readable on a dark ground and on a light one.

Meaning never hangs on them alone: series differ by mark, quadrants by place, and what a group is, is said in words.
"""

from __future__ import annotations

from dataclasses import dataclass

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Colours:
    """For one kind of ground.

    Attributes:
        train, valid, best, band, lines: of the loss chart.
        overlays: of other runs on it.
        groups: of the map's points, by group.
        ramp: of the map's points, from low to high.
    """

    train: RGB
    valid: RGB
    best: RGB
    band: RGB
    lines: RGB
    overlays: tuple[RGB, ...]
    groups: tuple[str, ...]
    ramp: tuple[str, ...]


# Okabe and Ito's, and cividis with its dark end lightened.
DARK = Colours(
    train=(86, 180, 233),
    valid=(230, 159, 0),
    best=(240, 228, 66),
    band=(130, 130, 130),
    lines=(150, 150, 150),
    overlays=((0, 158, 115), (204, 121, 167), (213, 94, 0), (86, 150, 200)),
    groups=("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#999999", "#f0e442", "#d55e00"),
    ramp=("#5b8bd5", "#8b8fab", "#a69f8b", "#d2c060", "#ffe945"),
)
# The same hues, darkened until each stands out from white.
LIGHT = Colours(
    train=(0, 114, 178),
    valid=(143, 94, 0),
    best=(176, 74, 0),
    band=(120, 120, 120),
    lines=(96, 96, 96),
    overlays=((0, 115, 79), (160, 68, 122), (176, 74, 0), (0, 90, 140)),
    groups=("#0072b2", "#8f5e00", "#00734f", "#a0447a", "#5c5c5c", "#736900", "#b04a00"),
    ramp=("#00224e", "#35456c", "#666970", "#7a6f3a", "#877400"),
)


def colours(dark: bool) -> Colours:
    """Those for a dark ground or a light one."""
    return DARK if dark else LIGHT

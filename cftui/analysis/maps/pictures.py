"""A map of named points as a picture, SVG or PNG.

The layout is computed once, in pixels of the picture (``_compose``), and then drawn in either format.
"""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from pathlib import Path

import numpy as np

from cftui.errors import CftuiError, missing_library
from cftui.files import write_atomic
from cftui.text import printable

try:
    from PIL import Image, ImageColor, ImageDraw, ImageFont
except ImportError:
    raise missing_library("drawing a picture", "Pillow", "pictures") from None

INK, PALE, AXIS = "#222222", "#777777", "#bbbbbb"
# Paul Tol's bright scheme, which colour-blind people can distinguish, too.
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
# The opacity of points without a label: labels stand out, and overlapping groups both show.
OPACITY = 0.65
# Fonts to try if Pillow's own, which is plain ASCII, lacks a letter.
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "Helvetica.ttc")
FAMILY = "Helvetica, Arial, sans-serif"
# Viewers draw an SVG with their own fonts, which may be this much wider than the one that was measured.
WIDER = 1.1
# The width of a halo, as a share of the size of the letters.
HALO = 0.12
# Points of an SVG are placed to the nearest tenth of a pixel.
GRID = 10


@dataclass(frozen=True)
class _Line:
    x0: float
    y0: float
    x1: float
    y1: float
    colour: str


@dataclass(frozen=True)
class _Dots:
    """Discs ``xy [n, 2]`` of one colour, whose overlaps are no darker than one."""

    xy: np.ndarray
    colour: str
    radius: float
    opacity: float = 1.0


@dataclass(frozen=True)
class _Text:
    """A text whose baseline starts, has its middle, or ends at ``x``, ``y``. A halo keeps it legible among points."""

    x: float
    y: float
    text: str
    size: float
    colour: str = INK
    anchor: str = "start"
    upright: bool = False
    halo: bool = False


@dataclass(frozen=True)
class _Scene:
    width: int
    height: int
    title: str
    marks: list[_Line | _Dots | _Text] = field(default_factory=list)


def draw_map(
    path: Path,
    xy: np.ndarray,
    group: np.ndarray,
    labels: Mapping[int, str],
    *,
    title: str,
    x_label: str,
    y_label: str,
    colours: Sequence[str] = COLOURS,
    size: tuple[int, int] = (1600, 1000),
    legend: Sequence[str] = (),
    view: tuple[float, float, float, float] | None = None,
) -> None:
    """Draw points ``xy [n, 2]`` and write the picture; its format is the suffix of ``path``, ``.svg`` or ``.png``.

    In a PNG, letters that no installed font has are drawn without their accents, or as question marks.

    Args:
        group: int ``[n]``, at most a few dozen different ones; later groups are drawn over earlier ones.
        labels: names by row of ``xy``, the most important first. A label is left out if it would overlap an earlier one
            on every side of its point, or does not fit into the picture.
        colours: names or ``#rrggbb`` by group, repeated if there are more groups.
        size: pixels.
        legend: names by group; shown if there are points of more than one group.
        view: ``(x0, x1, y0, y1)`` of what is shown; by default all points. Points outside, and points that are not
            finite, are not drawn.

    Raises:
        CftuiError: another suffix, or no such folder.
        OSError: the disk is full, or the folder is not writable.
        ValueError: the shapes do not match, the view is empty, the picture is too small, or a colour is unknown.
    """
    drawing = {".svg": _svg, ".png": _png}.get(path.suffix.lower())
    if drawing is None:
        raise CftuiError(f"{path}: a picture is written as .svg or .png")
    if not path.parent.is_dir():
        raise CftuiError(f"{path.parent}: no such folder")
    xy, group = np.asarray(xy, dtype=np.float64), np.asarray(group)
    if xy.ndim != 2 or xy.shape[1] != 2 or group.shape != xy.shape[:1]:
        raise ValueError(f"points {xy.shape} and groups {group.shape}; must be [n, 2] and [n]")
    box = view or _extent(xy)
    if not (box[0] < box[1] and box[2] < box[3] and all(map(math.isfinite, box))):
        raise ValueError(f"nothing can be seen in {box}")
    if size[0] < 200 or size[1] < 150:
        raise ValueError(f"{size[0]} x {size[1]} pixels are too few; 200 x 150 is the least")
    palette = ["#{:02x}{:02x}{:02x}".format(*ImageColor.getrgb(colour)) for colour in colours]
    if not palette:
        raise ValueError("no colours")
    texts = tuple(map(printable, (title, x_label, y_label)))
    names = {int(row): printable(text) for row, text in labels.items()}
    scene = _compose(xy, group, names, texts, palette, size, tuple(map(printable, legend)), box)
    write_atomic(path, drawing(scene))


def _extent(xy: np.ndarray) -> tuple[float, float, float, float]:
    """The extent of all finite points with a margin of 4 %, or of 1 if they coincide."""
    finite = xy[np.isfinite(xy).all(axis=1)]
    if not len(finite):
        return -1, 1, -1, 1
    low, high = finite.min(axis=0), finite.max(axis=0)
    margin = np.where(high - low > np.finfo(float).tiny, 0.04 * (high - low), 1.0)
    (x0, y0), (x1, y1) = (low - margin).tolist(), (high + margin).tolist()
    return x0, x1, y0, y1


def _compose(
    xy: np.ndarray,
    group: np.ndarray,
    labels: Mapping[int, str],
    texts: tuple[str, ...],
    palette: Sequence[str],
    size: tuple[int, int],
    legend: tuple[str, ...],
    view: tuple[float, float, float, float],
) -> _Scene:
    """Lay out the picture."""
    title, x_label, y_label = texts
    width, height = size
    letter = max(9.0, 15 * min(width / 1600, height / 1000))
    x0, x1, y0, y1 = view
    inside = np.all((xy >= (x0, y0)) & (xy <= (x1, y1)), axis=1)
    groups = [int(value) for value in np.unique(group[inside])]
    named = [value for value in groups if 0 <= value < len(legend)] if len(groups) > 1 else []
    beside = max((text_width(legend[value], letter) for value in named), default=0) + 3 * letter if named else letter
    left, right = 5.5 * letter, width - min(beside, width / 3)
    top, bottom = 3.2 * letter, height - 4.2 * letter
    scale = np.array([(right - left) / (x1 - x0), (top - bottom) / (y1 - y0)])
    where = (xy - (x0, y1)) * scale + (left, top)

    scene = _Scene(width, height, title)
    add = scene.marks.append
    for value in _ticks(x0, x1, (right - left) / (8 * letter)):
        at = left + (value - x0) * scale[0]
        add(_Line(at, bottom, at, bottom + letter / 3, AXIS))
        add(_Text(at, bottom + 1.5 * letter, f"{value:g}", 0.85 * letter, PALE, "middle"))
    for value in _ticks(y0, y1, (bottom - top) / (4 * letter)):
        at = top + (value - y1) * scale[1]
        add(_Line(left - letter / 3, at, left, at, AXIS))
        add(_Text(left - letter / 2, at + 0.3 * letter, f"{value:g}", 0.85 * letter, PALE, "end"))
    for ends in ((left, top, right, top), (left, bottom, right, bottom)):
        add(_Line(*ends, AXIS))
    for ends in ((left, top, left, bottom), (right, top, right, bottom)):
        add(_Line(*ends, AXIS))
    if x0 < 0 < x1:
        add(_Line(left - x0 * scale[0], top, left - x0 * scale[0], bottom, PALE))
    if y0 < 0 < y1:
        add(_Line(left, top - y1 * scale[1], right, top - y1 * scale[1], PALE))

    # Many points are drawn small: 60,000 must not become one blot.
    radius = letter / 15 * min(4.0, max(1.2, 4.0 * (500 / max(500, int(inside.sum()))) ** 0.3))
    for value in groups:
        add(_Dots(where[inside & (group == value)], palette[value % len(palette)], radius, OPACITY))
    shown = [row for row in labels if 0 <= row < len(xy) and inside[row] and labels[row].strip()]
    boxes = np.array([(WIDER * text_width(labels[row], letter), 1.2 * letter) for row in shown]).reshape(-1, 2)
    corners = place(where[shown], boxes, (left, top, right, bottom), gap=radius + letter / 3)
    for row, wide, corner in zip(shown, boxes[:, 0].tolist(), corners, strict=True):
        if corner is not None:
            add(_Dots(where[[row]], palette[int(group[row]) % len(palette)], max(1.4 * radius, letter / 5)))
            add(_label(labels[row], corner, wide, float(where[row, 0]), letter))

    add(_Text(left, 2.1 * letter, title, 1.4 * letter))
    add(_Text((left + right) / 2, height - 1.2 * letter, x_label, letter, anchor="middle"))
    add(_Text(1.4 * letter, (top + bottom) / 2, y_label, letter, anchor="middle", upright=True))
    for row, value in enumerate(named):
        at = top + letter + 1.5 * letter * row
        if at + 1.5 * letter > bottom and row < len(named) - 1:
            add(_Text(right + 1.6 * letter, at, f"and {len(named) - row} more", letter, PALE))
            break
        add(_Dots(np.array([[right + letter, at - 0.35 * letter]]), palette[value % len(palette)], letter / 3))
        add(_Text(right + 1.6 * letter, at, legend[value], letter))
    return scene


def _label(text: str, corner: tuple[float, float], wide: float, x: float, letter: float) -> _Text:
    """A label in its box, anchored on the side of its point, at ``x``, since fonts differ in width."""
    y = corner[1] + 0.95 * letter
    if corner[0] > x:
        return _Text(corner[0], y, text, letter, halo=True)
    if corner[0] + wide < x:
        return _Text(corner[0] + wide, y, text, letter, anchor="end", halo=True)
    return _Text(corner[0] + wide / 2, y, text, letter, anchor="middle", halo=True)


def _ticks(low: float, high: float, most: float) -> list[float]:
    """Round numbers from ``low`` to ``high``, 1, 2 or 5 times a power of ten apart, ``most`` or fewer."""
    rough = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10, 20) if times * power >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{count * step:.12g}") for count in range(first, last + 1)]


def place(
    points: np.ndarray,
    sizes: np.ndarray,
    bounds: tuple[float, float, float, float],
    gap: float = 4.0,
) -> list[tuple[float, float] | None]:
    """Places for labels: to the right of their point, else left, above or below; None if no place is free.

    Args:
        points: pixels ``[n, 2]``, the most important first; y grows downwards.
        sizes: width and height of each label ``[n, 2]``.
        bounds: left, top, right and bottom of the area for labels.
        gap: pixels between a point and its label.

    Returns:
        The upper left corner of each label.
    """
    taken = np.empty((len(points), 4))
    count = 0
    corners: list[tuple[float, float] | None] = []
    for (x, y), (width, height) in zip(points.tolist(), sizes.tolist(), strict=True):
        found = None
        for corner in (
            (x + gap, y - height / 2),
            (x - gap - width, y - height / 2),
            (x - width / 2, y - gap - height),
            (x - width / 2, y + gap),
        ):
            x0, y0, x1, y1 = *corner, corner[0] + width, corner[1] + height
            if x0 < bounds[0] or y0 < bounds[1] or x1 > bounds[2] or y1 > bounds[3]:
                continue
            others = taken[:count]
            meets = (others[:, 0] < x1) & (x0 < others[:, 2]) & (others[:, 1] < y1) & (y0 < others[:, 3])
            if not meets.any():
                taken[count] = x0, y0, x1, y1
                count += 1
                found = corner
                break
        corners.append(found)
    return corners


# --- letters ---


@lru_cache(maxsize=32)
def _font(name: str, size: float) -> ImageFont.FreeTypeFont | None:
    """A font by the name of its file, or Pillow's own for ``""``; None if it is not installed."""
    try:
        font = ImageFont.truetype(name, size) if name else ImageFont.load_default(size)
    except OSError:
        return None
    return font if isinstance(font, ImageFont.FreeTypeFont) else None


@lru_cache(maxsize=4096)
def _has(name: str, letter: str) -> bool:
    """Whether a font has a letter, that is, draws it differently from a code without a letter."""
    font = _font(name, 20)
    return font is not None and bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))


def _lettering(text: str) -> tuple[str, str]:
    """The font that has all letters of a text; else Pillow's own, and the text reduced to what it can draw."""
    for name in ("", *FONTS):
        if all(c == " " or _has(name, c) for c in set(text)):
            return name, text
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "", "".join(c if c == " " or _has("", c) else "?" for c in bare)


def text_width(text: str, size: float) -> float:
    """The width of a text in pixels."""
    name, drawn = _lettering(text)
    font = _font(name, size)
    return float(font.getlength(drawn)) if font is not None else 0.6 * size * len(drawn)


# --- formats ---


def _svg(scene: _Scene) -> bytes:
    size = f'width="{scene.width}" height="{scene.height}" viewBox="0 0 {scene.width} {scene.height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FAMILY}">',
        f"<title>{escape(scene.title)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for mark in scene.marks:
        if isinstance(mark, _Line):
            ends = f'x1="{mark.x0:.1f}" y1="{mark.y0:.1f}" x2="{mark.x1:.1f}" y2="{mark.y1:.1f}"'
            parts.append(f'<line {ends} stroke="{mark.colour}"/>')
        elif isinstance(mark, _Dots):
            look = (
                f'stroke="{mark.colour}" stroke-opacity="{mark.opacity:g}" stroke-width="{2 * mark.radius * GRID:.0f}"'
            )
            parts.append(
                f'<path transform="scale({1 / GRID:g})" {look} stroke-linecap="round" d="{_dot_path(mark.xy)}"/>'
            )
        else:
            turn = f' transform="rotate(-90 {mark.x:.1f} {mark.y:.1f})"' if mark.upright else ""
            look = f'font-size="{mark.size:.1f}" fill="{mark.colour}" text-anchor="{mark.anchor}"{turn}'
            if mark.halo:
                look += f' stroke="#ffffff" stroke-width="{2 * HALO * mark.size:.1f}" paint-order="stroke"'
            parts.append(f'<text x="{mark.x:.1f}" y="{mark.y:.1f}" {look}>{escape(mark.text)}</text>')
    return ("\n".join([*parts, "</svg>"]) + "\n").encode()


def _dot_path(xy: np.ndarray) -> str:
    """A disc per point: a line of zero length with round ends. Sorted points need the fewest bytes."""
    cells = np.unique(np.rint(xy * GRID).astype(np.int64), axis=0)
    steps = np.diff(cells, axis=0, prepend=np.zeros((1, 2), np.int64))
    return "".join(f"m{x} {y}h0" for x, y in steps.tolist()).replace(" -", "-")


def _png(scene: _Scene) -> bytes:
    """Draw larger and scale down, which smooths edges."""
    pixels = scene.width * scene.height
    times = 3 if pixels <= 4_000_000 else 2 if pixels <= 16_000_000 else 1
    image = Image.new("RGB", (scene.width * times, scene.height * times), "white")
    draw = ImageDraw.Draw(image)
    for mark in scene.marks:
        if isinstance(mark, _Line):
            ends = [times * value for value in (mark.x0, mark.y0, mark.x1, mark.y1)]
            draw.line(ends, fill=mark.colour, width=times)
        elif isinstance(mark, _Dots):
            _stamp(image, mark, times)
        else:
            _write(image, draw, mark, times)
    content = io.BytesIO()
    (image.reduce(times) if times > 1 else image).save(content, "PNG")
    return content.getvalue()


def _stamp(image: Image.Image, dots: _Dots, times: int) -> None:
    radius, solid = dots.radius * times, dots.opacity == 1
    # A mask keeps overlapping discs from adding up.
    mask = image if solid else Image.new("L", image.size, 0)
    draw, fill = ImageDraw.Draw(mask), dots.colour if solid else round(255 * dots.opacity)
    for x, y in (dots.xy * times).tolist():
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    if not solid:
        image.paste(dots.colour, (0, 0), mask)


def _write(image: Image.Image, draw: ImageDraw.ImageDraw, mark: _Text, times: int) -> None:
    name, text = _lettering(mark.text)
    font = _font(name, mark.size * times)
    if font is None or not text.strip():
        return
    x, y = mark.x * times, mark.y * times
    anchor = {"start": "ls", "middle": "ms", "end": "rs"}[mark.anchor]
    if not mark.upright:
        halo = round(HALO * mark.size * times) if mark.halo else 0
        draw.text((x, y), text, mark.colour, font, anchor, stroke_width=halo, stroke_fill="white")
        return
    wide, high = math.ceil(font.getlength(text)), math.ceil(2 * mark.size * times)
    strip = Image.new("L", (wide, high), 0)
    ImageDraw.Draw(strip).text((wide / 2, high / 2), text, fill=255, font=font, anchor="ms")
    image.paste(mark.colour, (round(x - high / 2), round(y - wide / 2)), strip.rotate(90, expand=True))

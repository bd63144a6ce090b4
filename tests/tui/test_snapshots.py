"""Every screen as text at four sizes, compared to the letter with the files in ``snapshots/``; and its colours.

``CFTUI_UPDATE_SNAPSHOTS=1 pytest tests/tui/test_snapshots.py`` writes the files anew; read the difference before it is
committed. ``walking.py`` makes what is on the screens the same on every machine. Two numbers are masked: ``MASKS`` says
why. Whether all that is written can be read, in the app's two themes and in the terminal's own colours, is looked at on
the same walk.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.color import Color, ColorSystem
from textual.app import App
from textual.color import Color as TextualColor
from textual.filter import ANSIToTruecolor
from textual.pilot import Pilot

from cftui.tui.main import CftuiApp
from cftui.tui.search.anatomy import AnatomyScreen
from cftui.tui.shell.themes import DARK, LIGHT
from cftui.tui.shell.themes import THEMES as OWN

from .contrast import MARK, Pair, contrast, rounded, visible_pairs
from .looking import SIZE, page
from .walking import STOPS, MakeApp, walk
from .walking import furnished as furnished

SNAPSHOTS = Path(__file__).with_name("snapshots")
UPDATE = os.environ.get("CFTUI_UPDATE_SNAPSHOTS") == "1"
SIZES = (SIZE, (60, 20), (120, 40), (200, 60))
SCREENS = tuple(stop.name for stop in STOPS)
THEMES = (DARK, LIGHT, "ansi-light")
# What depends on the machine: the error of a sum of floats, and the residuals of a solver close to its end.
MASKS = (
    re.compile(r"(?<=completeness error )\S+"),
    re.compile(r"(?<=\d   )[ \d]\d\.\de-\d\d(?=   +\d+   +[\d.]+%)"),
)


@dataclass
class Shot:
    """What a screen shows.

    Args:
        text: its lines.
        pairs: by theme, the colours that something is written in, each with an example of what is.
    """

    text: str
    pairs: dict[str, dict[Pair, str]]


def text(app: App) -> str:
    """The screen without blanks at the ends of its lines, and without what depends on the machine."""
    shown = "\n".join(line.rstrip() for line in page(app).split("\n")) + "\n"
    for pattern in MASKS:
        shown = pattern.sub(lambda found: "~" * len(found[0]), shown)
    return shown


async def look(pilot: Pilot) -> Shot:
    """Take a screen's text and, at 80x24, its colours in every theme; the theme is changed as the palette does it."""
    app = pilot.app
    shot, usual = Shot(text(app), {}), app.theme
    if tuple(app.size) == SIZE:
        for theme in (*(theme for theme in THEMES if theme != usual), usual):
            app.theme = theme
            await pilot.pause()
            shot.pairs[theme] = dict(visible_pairs(app))
    return shot


Shots = Callable[[tuple[int, int], str], Shot]


@pytest.fixture(scope="session")
def shot(furnished: MakeApp) -> Shots:
    """``shot(size, screen)``; all screens of a size are walked through once."""
    taken: dict[tuple[int, int], dict[str, Shot | Exception]] = {}

    def make(kind: str = "") -> CftuiApp:
        app = furnished(kind)
        # Dim text and the terminal's own colours are to be seen as such here.
        app._filters = [kept for kept in app._filters if not isinstance(kept, ANSIToTruecolor)]
        return app

    def of(size: tuple[int, int], screen: str) -> Shot:
        if size not in taken:
            taken[size] = asyncio.run(walk(make, size, look))
        found = taken[size][screen]
        if isinstance(found, Exception):
            raise AssertionError(f"the screen {screen} could not be reached: {found!r}") from found
        return found

    return of


@pytest.mark.parametrize(
    "size",
    [SIZE, *(pytest.param(size, marks=pytest.mark.slow) for size in SIZES[1:])],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_looks_as_it_did(shot: Shots, screen: str, size: tuple[int, int]) -> None:
    now = shot(size, screen).text
    file = SNAPSHOTS / f"{screen}-{size[0]}x{size[1]}.txt"
    if UPDATE:
        SNAPSHOTS.mkdir(exist_ok=True)
        file.write_text(now, encoding="utf-8")
        return
    assert file.exists(), f"no snapshot {file.name} yet: CFTUI_UPDATE_SNAPSHOTS=1 writes it"
    before = file.read_text(encoding="utf-8")
    changes = difflib.unified_diff(before.splitlines(), now.splitlines(), "as it was", "as it is", lineterm="", n=1)
    assert now == before, f"{file.name} (if it is meant: CFTUI_UPDATE_SNAPSHOTS=1)\n" + "\n".join(changes)


def test_no_snapshot_is_of_a_screen_there_is_no_more() -> None:
    known = {f"{screen}-{width}x{height}.txt" for screen in SCREENS for width, height in SIZES}
    assert {path.name for path in SNAPSHOTS.iterdir()} <= known


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("screen", SCREENS)
def test_everything_can_be_read(shot: Shots, screen: str, theme: str) -> None:
    """In the terminal's own colours as far as can be told from what Textual takes them for."""
    pairs = shot(SIZE, screen).pairs[theme]
    assert pairs
    offenders = [
        f"{ratio:.2f} of {least} with {named}: {glyph.hex} on {behind.hex} {words[:40]!r}"
        for (glyph, behind, least), words in pairs.items()
        for named, shown in (("all colours", lambda colour: colour), ("256 colours", rounded))
        if (ratio := contrast(shown(glyph), shown(behind))) < (least if theme in (DARK, LIGHT) else MARK)
    ]
    assert not offenders, "\n".join(sorted(offenders))


@pytest.mark.parametrize("theme", [DARK, LIGHT])
@pytest.mark.parametrize("screen", SCREENS)
def test_rounding_to_256_colours_changes_nothing(shot: Shots, screen: str, theme: str) -> None:
    offenders = {
        f"{colour.hex} {words[:40]!r}"
        for (glyph, behind, _), words in shot(SIZE, screen).pairs[theme].items()
        for colour in (glyph, behind)
        if rounded(colour) != colour
    }
    assert not offenders, "\n".join(sorted(offenders))


@pytest.mark.parametrize("theme", [DARK, LIGHT])
@pytest.mark.parametrize("screen", SCREENS)
def test_the_row_with_the_cursor_is_of_one_colour(shot: Shots, screen: str, theme: str) -> None:
    variables = next(own for own in OWN if own.name == theme).variables
    for state in ("block-cursor", "block-cursor-blurred"):
        ground = TextualColor.parse(variables[f"{state}-background"]).rich_color.get_truecolor()
        text = TextualColor.parse(variables[f"{state}-foreground"]).rich_color.get_truecolor()
        pairs = shot(SIZE, screen).pairs[theme]
        assert {glyph for glyph, behind, _ in pairs if behind == ground} <= {text}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_vanishes_where_there_are_few_colours(shot: Shots, screen: str, theme: str) -> None:
    offenders = [
        f"both are colour {number} of {system.name}: {glyph.hex} on {behind.hex} {words[:40]!r}"
        for system in (ColorSystem.STANDARD, ColorSystem.EIGHT_BIT)
        for (glyph, behind, _), words in shot(SIZE, screen).pairs[theme].items()
        if (number := Color.from_triplet(glyph).downgrade(system).number)
        == Color.from_triplet(behind).downgrade(system).number
    ]
    assert not offenders, "\n".join(sorted(offenders))


@pytest.mark.slow
def test_a_screen_that_fails_costs_only_itself(furnished: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("drawn by nothing")

    monkeypatch.setattr(AnatomyScreen, "compose", fail)
    stops = [stop for stop in STOPS if stop.name in ("biases", "anatomy", "filter")]
    found = asyncio.run(walk(furnished, SIZE, look, stops))
    assert list(found) == ["biases", "anatomy", "filter"]
    assert isinstance(found["anatomy"], ZeroDivisionError)
    assert isinstance(found["biases"], Shot)
    assert isinstance(found["filter"], Shot)

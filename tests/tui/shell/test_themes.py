"""The app's own themes hold on a terminal of 256 colours. What is on the screens is looked at in ``test_snapshots``."""

from __future__ import annotations

import pytest
from rich.color import Color as RichColor
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.color import Color, ColorParseError
from textual.theme import Theme

from cftui.home import Home
from cftui.settings import Config
from cftui.tui.main import CftuiApp
from cftui.tui.shell import colours
from cftui.tui.shell.filters import Dim
from cftui.tui.shell.themes import DARK, DEFAULT, LIGHT, THEMES

from ..contrast import MARK, TEXT, contrast, rounded

BOTH = pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)


def variables(theme: Theme) -> dict[str, ColorTriplet]:
    """Every variable of the theme that is a colour."""
    found = {}
    for name, value in {**theme.to_color_system().generate(), **theme.variables}.items():
        try:
            colour = Color.parse(value)
        except ColorParseError:
            continue  # "bold", "initial"
        if colour.a:
            found[name] = colour.rich_color.get_truecolor()
            assert colour.a == 1, f"{name} is mixed with what is behind it"
    return found


@BOTH
def test_rounding_changes_no_colour_of_a_theme(theme: Theme) -> None:
    assert {name: colour.hex for name, colour in variables(theme).items() if rounded(colour) != colour} == {}


def meaning(theme: Theme) -> dict[str, ColorTriplet]:
    """What charts and the map draw with."""
    found = {}

    def add(name: str, colour: str | tuple) -> None:
        if isinstance(colour, str):
            found[name] = Color.parse(colour).rich_color.get_truecolor()
        elif isinstance(colour[0], int):
            found[name] = ColorTriplet(*colour)
        else:
            for index, one in enumerate(colour):
                add(f"{name} {index}", one)

    for name, colour in vars(colours.colours(theme.dark)).items():
        add(name, colour)
    return found


@BOTH
def test_rounding_changes_no_colour_of_a_chart(theme: Theme) -> None:
    drawn = meaning(theme)
    assert len(drawn) > 20
    assert {name: colour.hex for name, colour in drawn.items() if rounded(colour) != colour} == {}


@BOTH
def test_everything_stands_out_from_every_ground(theme: Theme) -> None:
    found = variables(theme)
    grounds = [found[name] for name in ("background", "surface")]
    names = ("text", "text-muted", "text-success", "text-warning", "text-error", "text-accent", "text-primary")
    written = [found[name] for name in names] + [colour for name, colour in meaning(theme).items() if name != "band"]
    assert min(contrast(colour, ground) for colour in written for ground in grounds) >= TEXT
    frames = [found[name] for name in ("primary", "border", "border-blurred")] + [meaning(theme)["band"]]
    assert min(contrast(colour, ground) for colour in frames for ground in grounds) >= MARK
    cursor = found["block-cursor-background"]
    assert contrast(found["block-cursor-foreground"], cursor) >= TEXT
    assert min(contrast(cursor, ground) for ground in grounds) >= MARK


def test_the_app_begins_in_its_own_theme(tmp_path) -> None:
    assert CftuiApp(Home(tmp_path)).theme == DEFAULT == DARK
    assert CftuiApp(Home(tmp_path), Config(theme=LIGHT)).theme == LIGHT
    assert CftuiApp(Home(tmp_path), Config(theme="textual-dark")).theme == "textual-dark"


def drawn(text_muted: str, style: Style) -> Style:
    grounds = {"block-cursor-background": "#005fd7", "block-cursor-blurred-background": "#303030"}
    (segment,) = Dim({"text-muted": text_muted, **grounds}).apply([Segment("a", style)], Color.parse("#121212"))
    assert segment.style is not None
    return segment.style


def test_dim_text_has_the_colour_of_muted_text() -> None:
    dim = Style.parse("dim #ffffff on #121212")
    assert drawn("#949494", dim) == Style.parse("not dim #949494 on #121212")
    lighter = drawn("auto 60%", dim)
    assert lighter.color is not None
    assert lighter.dim is False
    assert contrast(lighter.color.get_truecolor(), RichColor.parse("#121212").get_truecolor()) > TEXT
    own = Style.parse("dim green on default")
    assert drawn("auto 60%", own) == Style.parse("not dim green on default")
    assert drawn("#949494", Style.parse("bold red")) == Style.parse("bold red")


def test_nothing_is_dim_on_the_row_with_the_cursor() -> None:
    assert drawn("#949494", Style.parse("dim #ffffff on #005fd7")) == Style.parse("not dim #ffffff on #005fd7")

"""The app's own themes, whose colours are entries of the 256-colour palette.

Over SSH ``COLORTERM`` is usually absent, and every colour is then rounded to that palette. Only colours that rounding
leaves as they are keep their contrast there: not the light greys, which Rich 15 rounds to their darker neighbours.
"""

from __future__ import annotations

from textual.design import NUMBER_OF_SHADES
from textual.theme import Theme

DARK, LIGHT = "cftui-dark", "cftui-light"
DEFAULT = DARK


_COLOURS = ("primary", "secondary", "accent", "success", "warning", "error")
_GROUNDS = ("foreground", "background", "surface", "panel")


def _whole(theme: Theme, variables: dict[str, str]) -> Theme:
    """Add ``variables`` to a theme, and make every shade of its colours the colour itself: a shade is a mixture."""
    colours = {name: getattr(theme, name) for name in (*_COLOURS, *_GROUNDS)}
    colours |= {"primary-background": theme.panel, "secondary-background": theme.panel}
    shades = ["", *(f"-{way}-{n}" for way in ("darken", "lighten") for n in range(1, NUMBER_OF_SHADES + 1))]
    theme.variables = {f"{name}{shade}": colour for name, colour in colours.items() for shade in shades} | variables
    return theme


def _variables(
    *,
    foreground: str,
    muted: str,
    field: str,
    raised: str,
    cursor: tuple[str, str],
    blurred: tuple[str, str],
    scrollbar: tuple[str, str],
    keys: str,
    texts: dict[str, str],
    mutes: dict[str, str],
) -> dict[str, str]:
    """What Textual would otherwise mix.

    Args:
        muted: of text that matters less.
        field, raised: grounds of what is beneath and above a surface.
        cursor, blurred: text and ground of the row with the cursor, in the list with the focus and in others.
        scrollbar: its handle and its rail.
        keys: of the keys in the bottom line.
        texts, mutes: by name of a colour, what is written in it, and a ground that has it.
    """
    return {
        "text": foreground,
        "text-muted": muted,
        "text-disabled": muted,
        "foreground-muted": muted,
        "foreground-disabled": muted,
        "surface-active": raised,
        "surface-lighten-1": raised,
        "surface-darken-1": field,
        "panel-lighten-1": raised,
        "panel-darken-1": field,
        "panel-darken-2": field,
        "block-cursor-foreground": cursor[0],
        "block-cursor-background": cursor[1],
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-foreground": blurred[0],
        "block-cursor-blurred-background": blurred[1],
        "block-cursor-blurred-text-style": "underline",
        "block-hover-background": raised,
        "input-cursor-background": foreground,
        "input-selection-background": cursor[1],
        "input-selection-foreground": cursor[0],
        "screen-selection-background": cursor[1],
        "screen-selection-foreground": cursor[0],
        "scrollbar": scrollbar[0],
        "scrollbar-hover": scrollbar[0],
        "scrollbar-active": cursor[1],
        "scrollbar-background": scrollbar[1],
        "footer-key-foreground": keys,
        "text-primary": keys,
        **{f"text-{name}": colour for name, colour in texts.items()},
        **{f"{name}-muted": colour for name, colour in mutes.items()},
    }


THEMES = (
    _whole(
        Theme(
            name=DARK,
            dark=True,
            primary="#5f87af",
            secondary="#87afd7",
            accent="#ffaf00",
            success="#5fd787",
            warning="#ffd75f",
            error="#ff5f5f",
            foreground="#ffffff",
            background="#121212",
            surface="#1c1c1c",
            panel="#262626",
        ),
        {
            "border": "#ffaf00",
            "border-blurred": "#5f87af",
            **_variables(
                foreground="#ffffff",
                muted="#949494",
                field="#121212",
                raised="#262626",
                cursor=("#ffffff", "#5f5fd7"),
                blurred=("#ffffff", "#303030"),
                scrollbar=("#6c6c6c", "#1c1c1c"),
                keys="#87d7ff",
                texts={
                    "secondary": "#87afd7",
                    "accent": "#ffaf00",
                    "success": "#5fd787",
                    "warning": "#ffd75f",
                    "error": "#ff8787",
                },
                mutes={
                    "primary": "#005f87",
                    "secondary": "#303030",
                    "accent": "#5f5f00",
                    "success": "#005f00",
                    "warning": "#5f5f00",
                    "error": "#5f0000",
                },
            ),
        },
    ),
    _whole(
        Theme(
            name=LIGHT,
            dark=False,
            primary="#5f87af",
            secondary="#005faf",
            accent="#af5f00",
            success="#008700",
            warning="#875f00",
            error="#d70000",
            foreground="#121212",
            background="#ffffff",
            surface="#ffffff",
            panel="#d7d7ff",
        ),
        {
            "border": "#af5f00",
            "border-blurred": "#5f87af",
            **_variables(
                foreground="#121212",
                muted="#585858",
                field="#ffffff",
                raised="#ffffd7",
                cursor=("#ffffff", "#005faf"),
                blurred=("#121212", "#d7ffff"),
                scrollbar=("#767676", "#d7d7ff"),
                keys="#005faf",
                texts={
                    "secondary": "#005faf",
                    "accent": "#875f00",
                    "success": "#005f00",
                    "warning": "#875f00",
                    "error": "#af0000",
                },
                mutes={
                    "primary": "#afd7ff",
                    "secondary": "#d7d7ff",
                    "accent": "#ffd7af",
                    "success": "#d7ffd7",
                    "warning": "#ffffaf",
                    "error": "#ffd7d7",
                },
            ),
        },
    ),
)

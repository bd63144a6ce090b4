"""The palette: every action of every screen, once, with its key.

An action of another screen goes there first, then does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from textual.actions import parse
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

from cftui.tui.session.app import session_of
from cftui.tui.shell.keys import ACTIONS, MOVES, Key
from cftui.tui.shell.screens import SCREENS, ScreenEntry
from cftui.tui.shell.textual_private import has_binding


def commands(app: App[Any], screen: Screen[Any]) -> Iterator[SystemCommand]:
    """The actions of this screen by their names, those of the others with the screen's name before them."""
    for key in ACTIONS["app"]:
        mode = next((entry.title for entry in SCREENS if entry.mode == key.name), None)
        text = f"Go to {mode}" if mode else key.text
        yield _command(app, text, "app", key, partial(app.run_action, key.action))
    if (focused := screen.focused) is not None and _has(focused, "arrange"):
        for key in ACTIONS["arrange"]:
            if _offered(focused, key):
                run = partial(app.run_action, key.action, focused)
                yield _command(app, key.text, "arrange", key, run, "the rows of the pane with the focus")
    for entry in SCREENS:
        here = app.current_mode == entry.mode
        for group in entry.groups:
            for key in ACTIONS[group]:
                if key.name in MOVES or (here and not _offered(_node(screen, group), key)):
                    continue
                text = key.text if here else f"{entry.title}: {key.text}"
                yield _command(app, text, group, key, partial(_run, app, entry, group, key), entry.title)


def _command(
    app: App[Any], text: str, group: str, key: Key, callback: Callable[[], Any], about: str = ""
) -> SystemCommand:
    # With the keys of the configuration, the first of several.
    keys = session_of(app).config.keys.get(f"{group}.{key.name}", key.keys)
    first = next(iter(Binding.make_bindings([(keys, key.action, key.text)])))
    return SystemCommand(f"{text} ({app.get_key_display(first)})", f"{about}  {group}.{key.name}".strip(), callback)


async def _run(app: App[Any], entry: ScreenEntry, group: str, key: Key) -> None:
    if app.current_mode != entry.mode:
        await app.switch_mode(entry.mode)
    node = _node(app.screen, group)
    if node is not app.screen and hasattr(node, "focus"):
        node.focus()
    if not _offered(node, key):
        app.notify(f"{key.text}: not available now")
        return
    await app.run_action(key.action, node)


def _node(screen: Screen[Any], group: str) -> DOMNode:
    """The screen, or its pane that has this group of keys."""
    if _has(screen, group):
        return screen
    return next((pane for pane in screen.query("*") if _has(pane, group)), screen)


def _has(node: DOMNode, group: str) -> bool:
    return has_binding(node, f"{group}.{ACTIONS[group][0].name}")


def _offered(node: DOMNode, key: Key) -> bool:
    _, name, parameters = parse(key.action)
    return node.check_action(name, parameters) is not False

"""The table of screens. The app's modes, the tabs, the keys and the help are made from it."""

from __future__ import annotations

from typing import NamedTuple


class ScreenEntry(NamedTuple):
    """One screen.

    Attributes:
        mode: The name of its mode, of its folder, and of its action (``app.dataset``).
        key: The key that opens it everywhere but in a text field, where ``f`` and the key does: ``f1``.
        title: What its tab says.
        groups: Its groups of keys: its own, then those of its panes.
        factory: ``module:Class``. ``cftui.tui.main`` imports it when the screen is first opened, so that starting the
            app does not wait for four screens; nothing below may.
    """

    mode: str
    key: str
    title: str
    factory: str
    groups: tuple[str, ...]


SCREENS = (
    ScreenEntry("dataset", "1", "Dataset", "cftui.tui.dataset.screen:DatasetScreen", ("dataset",)),
    ScreenEntry("train", "2", "Train", "cftui.tui.train.screen:TrainScreen", ("train", "runs", "queue")),
    ScreenEntry("search", "3", "Search", "cftui.tui.search.screen:SearchScreen", ("search",)),
    ScreenEntry("map", "4", "Map", "cftui.tui.map.screen:MapScreen", ("map", "points")),
)

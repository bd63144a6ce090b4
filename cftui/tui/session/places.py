"""Places in the app: a screen with the item and the user that it shows or is to show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A screen, and what it shows.

    Attributes:
        mode: the screen's name in the table of screens.
        item: what identifies the item in the model, its title or its id. None: whatever the screen shows.
        user: raw id of the user to predict for. None: the user does not change.
        runs: runs whose lists are to be compared for the user; empty: none.
    """

    mode: str
    item: str | int | None = None
    user: str | None = None
    runs: tuple[str, ...] = ()

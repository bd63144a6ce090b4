"""A notice that is never made a timer of less than no time."""

from __future__ import annotations

from textual.notifications import Notification

LEAST_SECONDS = 0.01


class Notice(Notification):
    """Textual's notification; its toast always has some time left.

    Textual 8.2.8 looks whether a notice has run out and, a moment later, sets its toast's timer to the time left. Where
    it ran out between the two, that is a negative interval, and such a timer loops for ever without giving way: the
    app stands still. It takes a tenth of a millisecond, and a screen that is opened just then.
    """

    @property
    def time_left(self) -> float:
        return max(super().time_left, LEAST_SECONDS)

    @property
    def has_expired(self) -> bool:
        return super().time_left <= 0

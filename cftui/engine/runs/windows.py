"""How many windows of batch losses a long run logs, and how many are kept of those that a log has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

# A window event.
W = TypeVar("W", bound=Mapping[str, Any])

# A chart has fewer columns than this, so no reader keeps more of a run, ...
KEPT = 2_000
# ... but it waits until there are this many before it thins them.
MANY = 4 * KEPT


class WindowClock:
    """Says which windows are logged: the first ``KEPT``, then one for each ``KEPT``-th part of the time so far.

    The log of a run thereby grows with the logarithm of its length.

    Args:
        logged, elapsed: how many windows the run has already, and the seconds of fitting so far.
    """

    def __init__(self, logged: int = 0, elapsed: float = 0.0) -> None:
        self._logged, self._last = logged, elapsed

    def is_due(self, elapsed: float) -> bool:
        """Whether to log a window that ends ``elapsed`` seconds into the fit."""
        if self._logged >= KEPT and elapsed - self._last < elapsed / KEPT:
            return False
        self._logged, self._last = self._logged + 1, elapsed
        return True


def thin(windows: list[W]) -> list[W]:
    """Merge neighbouring windows into at most ``KEPT + 1``, evenly spaced by their steps."""
    first, last = windows[0]["step"], windows[-1]["step"]
    span = max(abs(last - first), 1)
    groups: dict[int, list[W]] = {}
    for window in windows:
        place = (window["step"] - first) * KEPT // span
        groups.setdefault(min(max(place, 0), KEPT), []).append(window)
    return [_merge(group) for _, group in sorted(groups.items())]


def _merge(group: list[W]) -> W:
    """The last window of a group with the extremes and the mean of all."""
    if len(group) == 1:
        return group[0]
    merged = dict(group[-1])
    for name, fold in (("min", min), ("max", max), ("mean", _mean)):
        if values := [value for window in group if (value := window.get(name)) is not None]:
            merged[name] = fold(values)
    return cast(W, merged)


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)

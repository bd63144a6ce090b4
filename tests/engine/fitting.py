"""The one place in these tests that knows how a trainer is set going."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cftui.engine.fitting import Hooks
from cftui.engine.gradient.trainer import Trainer


def fit(
    trainer: Trainer,
    emit: Callable[[Any], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Train to the end, or until told to stop. Returns whether the end was reached."""
    return trainer.fit(Hooks(emit=emit, should_stop=should_stop)) == "finished"

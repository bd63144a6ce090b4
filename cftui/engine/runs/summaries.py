"""A run in one row, for lists of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.verdict import Result, result
from cftui.errors import CftuiError


@dataclass(frozen=True)
class RunSummary:
    """A run in one row.

    Attributes:
        problem: what is wrong with a folder that cannot be read.
        result: what ``verdict`` judges; None for a folder that cannot be read.
    """

    name: str
    recipe: str = ""
    data: str = ""
    split: str = ""
    status: str = ""
    epochs: int = 0
    valid_loss: float | None = None
    rmse: float | None = None
    ndcg: float | None = None
    seconds: float = 0.0
    created: str = ""
    problem: str = ""
    result: Result | None = None

    def as_row(self) -> dict[str, Any]:
        """The row of a table: every field but ``result``."""
        row = asdict(replace(self, result=None))
        del row["result"]
        return row


def summarise(run: RunFolder) -> RunSummary:
    try:
        config, history = run.config(), run.history()
        status = run.status(history)
        # A finished run may have kept an earlier epoch than its last.
        last: Mapping[str, Any] = (history.ending if status == "done" else None) or history.last or {}
        return RunSummary(
            name=run.name,
            recipe=config.recipe.name,
            data=config.data.name,
            split=config.options.split,
            status=status,
            epochs=len(history.epochs),
            valid_loss=last.get("valid_loss"),
            rmse=last.get("rmse"),
            ndcg=last.get("ndcg"),
            seconds=history.elapsed,
            created=config.created,
            problem=run.obituary(history) if status in ("failed", "dead") else "",
            result=result(config, history, status, run.lists()),
        )
    except (CftuiError, OSError, KeyError, TypeError) as error:
        return RunSummary(name=run.name, status="damaged", problem=str(error))

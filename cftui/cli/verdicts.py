"""What the verbs say of a run's worth."""

from __future__ import annotations

import shlex

from cftui.cli.output import narrate
from cftui.engine.runs.config import RunConfig
from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.index import verdict_on
from cftui.engine.runs.verdict import Verdict
from cftui.errors import CftuiError
from cftui.home import Home


def narrate_offers(found: Verdict, config: RunConfig) -> None:
    """Name the commands for what can be done about it."""
    offers = {remark.offer for remark in found.remarks}
    if "keep_best" in offers:
        narrate(f"to keep the best {config.method.unit}: cftui {shlex.join(config.command(keep_best=True))}")


def narrate_verdict(home: Home, name: str) -> None:
    """Say at the end of a training what it came to."""
    run = RunFolder(home.models / name)
    try:
        found, config = verdict_on(home, run), run.config()
    except (CftuiError, OSError):
        return  # the run is there, and so is its epoch table
    if found is not None:
        narrate(str(found))
        narrate_offers(found, config)

"""``cftui locate``: every file and folder that the program keeps."""

from __future__ import annotations

import click

from cftui import settings
from cftui.cli.output import print_json, print_table
from cftui.cli.verb import Session, Verb, pass_session


@click.command(cls=Verb)
@pass_session
def locate(session: Session) -> None:
    """Print where data sets, runs, profiles, settings and logs are."""
    home = session.home
    paths = {
        "data sets": home.data,
        "profiles": home.data / "profiles",
        "runs": home.models,
        "configuration": settings.config_file(),
        "state": settings.state_file(),
        "damaged state": settings.set_aside(settings.state_file()),
        "log": settings.log_file(),
        "older log": settings.older(settings.log_file()),
    }
    rows = [{"what": what, "path": str(path), "there": path.exists()} for what, path in paths.items()]
    if session.json:
        print_json({row["what"]: {"path": row["path"], "there": row["there"]} for row in rows})
    else:
        print_table([{**row, "there": "yes" if row["there"] else "not yet"} for row in rows])

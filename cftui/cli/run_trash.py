"""``cftui runs rm``, ``restore`` and ``trash``: removing runs in a way that can be undone."""

from __future__ import annotations

import click

from cftui.cli.output import narrate, print_json, print_table
from cftui.cli.verb import Session, Verb, pass_session
from cftui.text import plural


@click.command(cls=Verb)
@click.argument("run_name", metavar="RUN")
@pass_session
def rm(session: Session, run_name: str) -> None:
    """Move a run to the trash.

    "cftui runs restore" brings it back, until "cftui runs trash --purge" empties the trash.
    """
    from cftui.engine.runs.folder import find
    from cftui.engine.runs.trash import remove

    removed = remove(find(session.home, run_name))
    if session.json:
        print_json({"run": removed.name, "removed": True, "trash": str(removed.path)})
    else:
        narrate(f"moved {removed.name} to the trash; undo with: cftui runs restore {removed.name}")


@click.command(cls=Verb)
@click.argument("run_name", metavar="RUN")
@pass_session
def restore(session: Session, run_name: str) -> None:
    """Bring a removed run back.

    If several runs of that name were removed, this restores the one that was removed last.
    """
    from cftui.engine.runs.trash import find_removed
    from cftui.engine.runs.trash import restore as restore_run

    run = restore_run(find_removed(session.home, run_name))
    print_json({"run": run.name, "restored": True}) if session.json else narrate(f"restored {run.name}")


@click.command(cls=Verb)
@click.option("--purge", is_flag=True, help="Delete everything in the trash for good.")
@pass_session
def trash(session: Session, purge: bool) -> None:
    """List the removed runs, or delete them for good."""
    from cftui.engine.runs.trash import purge as purge_runs
    from cftui.engine.runs.trash import removed_runs

    runs = removed_runs(session.home)
    sizes = [run.bytes / 1e6 for run in runs]
    rows = [
        {"run": run.name, "removed": run.removed.isoformat(" ", "seconds"), "megabytes": size}
        for run, size in zip(runs, sizes, strict=True)
    ]
    if purge:
        purge_runs(session.home, runs)
        freed = sum(sizes)
        if session.json:
            print_json({"purged": [run.name for run in runs], "megabytes": freed})
        else:
            narrate(f"deleted {plural(len(runs), 'removed run')} for good, {freed:,.1f} MB")
    elif session.json:
        print_json(rows)
    elif rows:
        print_table(rows, {"megabytes": ".1f"})
    else:
        narrate("the trash is empty")

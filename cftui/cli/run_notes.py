"""``cftui runs tag`` and ``note``: what a person writes about a run."""

from __future__ import annotations

import click

from cftui.cli.output import narrate, print_json, print_table
from cftui.cli.verb import Session, Verb, pass_session
from cftui.text import printable


@click.command(cls=Verb)
@click.argument("run_name", metavar="RUN")
@click.argument("tags", metavar="[TAG]...", nargs=-1)
@click.option("--remove", is_flag=True, help="Remove these tags instead of adding them.")
@pass_session
def tag(session: Session, run_name: str, tags: tuple[str, ...], remove: bool) -> None:
    """Add tags to a run, or remove them.

    Without a TAG, this prints the tags that the run has.
    """
    from cftui.engine.runs.folder import find
    from cftui.engine.runs.notes import parse_tag, read_notes, set_tags

    run = find(session.home, run_name)
    notes = read_notes(run)
    if tags:
        named = {parse_tag(one) for one in tags}
        notes = set_tags(run, set(notes.tags) - named if remove else {*notes.tags, *named})
    if session.json:
        print_json({"run": run.name, "tags": notes.tags})
    elif tags:
        narrate(f"{run.name}: {' '.join(f'#{one}' for one in notes.tags) or 'no tags'}")
    else:
        print_table([{"tag": one} for one in notes.tags])


@click.command(cls=Verb)
@click.argument("run_name", metavar="RUN")
@click.argument("text", required=False)
@pass_session
def note(session: Session, run_name: str, text: str | None) -> None:
    """Write a note of one line about a run; an empty TEXT removes it.

    Without a TEXT, this prints the note.
    """
    from cftui.engine.runs.folder import find
    from cftui.engine.runs.notes import read_notes, set_note

    run = find(session.home, run_name)
    notes = read_notes(run) if text is None else set_note(run, text)
    if session.json:
        print_json({"run": run.name, "note": notes.note})
    elif text is not None:
        narrate(f"{run.name}: {notes.note or 'no note'}")
    elif notes.note:
        print(printable(notes.note))

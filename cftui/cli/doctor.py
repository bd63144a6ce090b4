"""``cftui doctor``: what works on this machine, what does not, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from cftui.cli.checkup import machine, program, storage, terminal
from cftui.cli.checkup.findings import Finding
from cftui.cli.output import print_json
from cftui.cli.verb import Session, Verb, pass_session
from cftui.home import Home
from cftui.text import plural, printable

# The groups of the report, in its order.
GROUPS: dict[str, tuple[Callable[[Home], Iterator[Finding]], ...]] = {
    "program": (lambda home: program.program(), lambda home: program.libraries()),
    "machine": (lambda home: machine.processor(), lambda home: machine.devices()),
    "terminal": (lambda home: terminal.terminal(), lambda home: terminal.clipboard()),
    "folders": (storage.folders, lambda home: storage.configuration(), storage.locks),
}
FILES = "files"


@click.command(cls=Verb)
@click.option("--files/--no-files", "with_files", default=True, help="Read every file and compare its checksum.")
@pass_session
@click.pass_context
def doctor(context: click.Context, session: Session, with_files: bool) -> None:
    """Check the program, the machine, the terminal and the files.

    Each line is ok, a note, or a problem with what to do about it. Every file of the data sets and the runs is read and
    compared with its checksum, which takes about a second for each gigabyte. The exit status is 1 if there is a
    problem.
    """
    home = session.home
    groups = {**GROUPS, FILES: (storage.intact,)} if with_files else GROUPS
    every: list[tuple[str, Finding]] = []
    for group, checks in groups.items():
        found = [finding for check in checks for finding in _findings(check, home)]
        every += [(group, finding) for finding in found]
        if not session.json:
            _print(group, found)
    problems = sum(finding.state == "problem" for _, finding in every)
    if session.json:
        print_json({"ok": not problems, "checks": [finding.as_json(group) for group, finding in every]})
    else:
        print(f"\n{plural(problems, 'problem') if problems else 'no problem found'}")
    if problems:
        context.exit(1)


def _findings(check: Callable[[Home], Iterator[Finding]], home: Home) -> Iterator[Finding]:
    """What a check finds. One that fails is itself a problem, and hides no other."""
    try:
        yield from check(home)
    except Exception as error:
        what = getattr(check, "__name__", "check").strip("<>")
        yield Finding(what, f"could not be checked: {type(error).__name__}: {error}", "problem", "report this")


def _print(group: str, found: list[Finding]) -> None:
    print(f"\n{group}" if group != next(iter(GROUPS)) else group)
    width = max((len(finding.what) for finding in found), default=0)
    for finding in found:
        print(
            f"  {finding.state:<8} {printable(finding.what):<{width}}  {printable(finding.says)}".rstrip(), flush=True
        )
        if finding.advice:
            print(f"  {'':<8} {'':<{width}}  → {printable(finding.advice)}")

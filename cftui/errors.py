"""The exception whose message a user is meant to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

# What went wrong, as a stable word for programs:
#   error        what was asked is not possible; the message says why
#   unknown      no data set, run, recipe, split, item or user has that name
#   ambiguous    several have that name
#   usage        an option or argument is missing, unknown, or has a value that it cannot have
#   file         the operating system refused to read or write a file
#   interrupted  Ctrl+C ended the verb
#   internal     a defect of cftui
Kind = Literal["error", "unknown", "ambiguous", "usage", "file", "interrupted", "internal"]


class CftuiError(Exception):
    """A problem that the user can solve. ``str(error)`` says in one line what is wrong, where, and what to do next.

    The command line prints that line on stderr and exits with status 1; the app shows it as a notice. Any other
    exception that escapes is a defect.

    The line is ``where: what; hint`` without the parts that are empty. The parts are for programs that show them
    separately, such as a form that has a field for each option.

    Attributes:
        what: what is wrong; the whole line if the message was not given in parts.
        where: the file (with its line, if known) or the option in which it is wrong.
        hint: what the user can do next.
        option: the command-line option to change, without its dashes.
        kind: what went wrong, as a stable word.
    """

    def __init__(
        self, what: str = "", *, where: object = "", hint: str = "", option: str = "", kind: Kind = "error"
    ) -> None:
        self.what, self.where, self.hint, self.option, self.kind = what, str(where), hint, option, kind
        super().__init__("; ".join(filter(None, (": ".join(filter(None, (self.where, what))), hint))))


def suggestion(name: str, choices: list[str]) -> str:
    """Return the end of a message about an unknown ``name``: the choices most like it, else all choices."""
    import difflib

    near = difflib.get_close_matches(name, choices, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"choose from {several(choices, 30)}" if choices else "none exists yet"


def several(names: Sequence[str], most: int = 10) -> str:
    """Names in a message: all of them, or the first ``most`` and how many there are."""
    return ", ".join(names[:most]) + (f" ... ({len(names):,} in all)" if len(names) > most else "")


DISTRIBUTION = "cftui-workbench"
"""What pip installs this program by; ``cftui`` on the Python package index is another program."""


def missing_library(what: str, library: str, extra: str) -> CftuiError:
    """The error for something that needs a library of an extra that is not installed."""
    return CftuiError(f"{what} needs {library}, which is not installed; pip install '{DISTRIBUTION}[{extra}]'")

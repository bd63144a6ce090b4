"""The one exception a user is meant to read."""


class CftuiError(Exception):
    """Something the user can act on, said in one line that names what and where.

    The command line prints it on stderr and exits 1; the app shows it as a notice. Anything else that
    escapes is a defect.
    """


def suggestion(wanted: str, known: list[str]) -> str:
    """A ready-made tail for "unknown X" messages: the near misses, else everything there is."""
    import difflib

    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there is: {', '.join(known)}" if known else "there is none yet"


DISTRIBUTION = "cftui-workbench"
"""What pip installs this program by; ``cftui`` on the Python package index is another program."""


def missing_library(what: str, library: str, extra: str) -> CftuiError:
    """The error for something that needs a library of an extra that is not installed."""
    return CftuiError(f"{what} needs {library}, which is not installed; pip install '{DISTRIBUTION}[{extra}]'")

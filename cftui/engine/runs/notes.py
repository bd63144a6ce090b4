"""What a person wrote about a run: a note and tags, in ``notes.json``, a file of its own.

``run.json`` says what the run was told to do and never changes; a person's words do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cftui.engine.runs.config import read_json
from cftui.engine.runs.folder import RunFolder
from cftui.errors import CftuiError
from cftui.files import write_json
from cftui.text import one_line

_TAG = re.compile(r"[\w.+-]{1,30}")


@dataclass(frozen=True)
class Notes:
    """A note of one line, and tags in alphabetical order."""

    note: str = ""
    tags: tuple[str, ...] = ()


def read_notes(run: RunFolder) -> Notes:
    """Return the notes of a run, empty ones if nobody wrote any.

    Raises:
        CftuiError: the file is damaged.
    """
    path = run.notes_file
    if not path.exists():
        return Notes()
    value = read_json(path)
    note, tags = value.get("note", ""), value.get("tags", [])
    if not isinstance(note, str) or not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise CftuiError("damaged (note must be text, and tags a list of texts)", where=path)
    return Notes(note, tuple(sorted(set(tags))))


def write_notes(run: RunFolder, notes: Notes) -> None:
    """Keep the notes of a run. Empty notes remove the file."""
    if notes == Notes():
        run.notes_file.unlink(missing_ok=True)
        return
    write_json(run.notes_file, {"note": notes.note, "tags": list(notes.tags)})


def set_note(run: RunFolder, text: str) -> Notes:
    """Replace the note; an empty ``text`` removes it."""
    notes = Notes(one_line(text).strip(), read_notes(run).tags)
    write_notes(run, notes)
    return notes


def set_tags(run: RunFolder, tags: Iterable[str]) -> Notes:
    """Replace all tags.

    Raises:
        CftuiError: a tag is not a word.
    """
    notes = Notes(read_notes(run).note, tuple(sorted({parse_tag(tag) for tag in tags})))
    write_notes(run, notes)
    return notes


def parse_tag(text: str) -> str:
    """Return a tag without the ``#`` that may precede it.

    Raises:
        CftuiError: it is not a word of at most 30 characters.
    """
    tag = text.strip().removeprefix("#")
    if not _TAG.fullmatch(tag):
        raise CftuiError(f"tag {text!r} is not allowed", hint="use letters, digits, '.', '_', '+' and '-', at most 30")
    return tag


def parse_tags(text: str) -> list[str]:
    """Return the tags in a line; blanks and commas separate them. Raises CftuiError as ``parse_tag`` does."""
    return [parse_tag(word) for word in text.replace(",", " ").split()]

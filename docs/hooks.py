"""The reference pages that are written by the code they describe, so that they cannot fall behind it.

MkDocs calls ``on_files`` at every build. Neither page is a file in the repository.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

# Every verb has them; the page says so once.
COMMON = {"--json", "--home", "--help"}

COMMANDS = """\
# Commands

This page is generated from the program itself; `cftui VERB --help` prints the same text.

Data goes to standard output, narration to standard error. Every verb also takes `--json` (print JSON instead of text)
and `--home DIR` (where `data/` and `models/` live). `RUN` is the name of a run, a unique prefix of one, or `latest`.
The exit status is 0, or 1 for an error, 2 for wrong usage, and 130 after an interrupt.
"""

KEYS = """\
# Keys

This page is generated from the table of keys that the app itself uses. The last column is the id by which the
[configuration](configuration.md) gives other keys to an action. In the app, `?` lists the keys that work where you
are.
"""
# What the groups of the table of keys belong to; a group that is not here is shown by its own name.
GROUPS = {
    "app": "Everywhere",
    "dataset": "Dataset",
    "import": "Import",
    "path": "Import: the path of the file",
    "columns": "Import: the columns",
    "train": "Train",
    "runs": "Train: the runs",
    "queue": "Train: the queue",
    "trash": "Removed runs",
    "sweep": "Train: several settings at once",
    "scroll": "Panes of text",
    "table": "Tables",
    "search": "Search",
    "items": "Search: the lists of items",
    "field": "Search: the text field",
    "list_field": "Lists below a text field",
    "list": "Lists",
    "map": "Map",
    "points": "Map: the points",
    "me": "Become a user",
    "biases": "All biases",
    "anatomy": "Anatomy of a batch",
    "evaluation": "What a run is worth",
    "robust": "Robust PCA",
    "lr_finder": "Learning-rate finder",
    "sheet": "Sheets",
    "dialog": "Dialogs",
    "confirm": "Questions",
    "profile": "Profile of a user",
    "lists": "Comparison of lists",
    "run_choice": "Choice of the runs to compare",
    "help": "Help",
    "room": "Every screen",
    "arrange": "Sorting and filtering of lists and tables",
    "filter_line": "The line of a filter",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those that MkDocs found on disk."""
    from mkdocs.structure.files import File

    for path, content in (("reference/commands.md", commands_page()), ("reference/keys.md", keys_page())):
        files.append(File.generated(config, path, content=content))
    return files


def program() -> click.Group:
    from cftui.cli.main import build

    return build(lambda home, ascii_only: 0)


def commands_page() -> str:
    """Every verb with its usage, its description and its options, as Markdown."""
    return "\n".join([COMMANDS, *_command(program(), "cftui", None)])


def _command(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    """The section of one command, then those of its subcommands."""
    context = command.context_class(command, info_name=name, parent=parent, **command.context_settings)
    yield f"\n{'#' * (3 if parent and parent.parent else 2)} {context.command_path}\n"
    yield f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```\n"
    yield from _paragraphs(command.help)
    options = [
        record
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context))
        if not COMMON & set(parameter.opts) or parent is None
    ]
    if options:
        yield from ("| option | meaning |", "| --- | --- |")
        yield from (f"| `{_cell(option)}` | {_cell(_escaped(text))} |" for option, text in options)
        yield ""
    yield from _paragraphs(command.epilog)
    if isinstance(command, click.Group):
        for subcommand in sorted(command.list_commands(context)):
            found = command.get_command(context, subcommand)
            if found is not None and not found.hidden:
                yield from _command(found, subcommand, context)


def _paragraphs(text: str | None) -> Iterator[str]:
    r"""Help text as Markdown; a paragraph that click is told not to wrap (``\b``) becomes a code block."""
    for paragraph in inspect.cleandoc(text or "").split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        if lines[0].strip() == "\b":
            yield "\n".join(["```text", *lines[1:], "```"])
        else:
            yield _escaped("\n".join(lines))
        yield ""


def _escaped(text: str) -> str:
    """Markdown that shows this text as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_<>[]" else letter for letter in text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def keys_page() -> str:
    """Every group of keys as a table."""
    from textual.keys import format_key

    from cftui.tui.shell.keys import ACTIONS

    lines = [KEYS]
    for group, keys in ACTIONS.items():
        lines += [f"\n## {GROUPS.get(group, group)}\n", "| keys | what | id |", "| --- | --- | --- |"]
        for key in keys:
            names = " ".join(f"`{_key(format_key(one))}`" for one in key.keys.split(","))
            lines.append(f"| {names} | {_escaped(key.text)} | `{group}.{key.name}` |")
    return "\n".join([*lines, ""])


def _key(name: str) -> str:
    return "\\|" if name == "|" else name

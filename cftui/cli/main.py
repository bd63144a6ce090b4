"""The command line: every verb, and how errors end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import click

import cftui
from cftui.cli import analysis, data, evaluation, locate, maps, people, runs, sweep, tour, train
from cftui.cli.output import narrate, printable
from cftui.cli.verb import Session, Verbs, home_option
from cftui.errors import CftuiError
from cftui.home import Home

OpenApp = Callable[[Home, bool], int]


def build(open_app: OpenApp) -> click.Group:
    @click.group(
        cls=Verbs,
        invoke_without_command=True,
        params=[home_option()],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    @click.option("--ascii", "ascii_only", is_flag=True, help="The app without box, block and braille characters.")
    @click.version_option(cftui.__version__, prog_name="cftui")
    @click.pass_context
    def cli(context: click.Context, ascii_only: bool) -> None:
        """The collaborative-filtering workbench in the terminal.

        Without a verb, opens the app. Every verb takes --json and --home; data goes to stdout, narration to stderr.
        """
        if context.invoked_subcommand is None:
            context.exit(open_app(context.ensure_object(Session).home, ascii_only) or 0)

    reading = (evaluation.evaluate, *analysis.VERBS, *people.VERBS, *maps.VERBS)
    for group_or_verb in (
        data.data,
        train.train,
        train.lr_find,
        sweep.sweep,
        runs.runs,
        tour.tour,
        locate.locate,
        *reading,
    ):
        cli.add_command(group_or_verb)
    return cli


def main(open_app: OpenApp, arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status: 0, 1 for an error, 2 for wrong usage, 130 when interrupted."""
    try:
        words = list(sys.argv[1:] if arguments is None else arguments)
        cli = build(open_app)
        # Not click's own main(): it turns a closed pipe into exit status 1.
        with cli.make_context("cftui", words, obj=Session()) as context:
            cli.invoke(context)
        if sys.stdout is not None:  # closed by whoever started us
            sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "cftui"
        narrate(f"{command}: {_one_line(error.format_message())} (see {command} --help)")
        return 2
    except click.ClickException as error:
        narrate(f"cftui: {_one_line(error.format_message())}")
        return 1
    except (click.Abort, KeyboardInterrupt):
        narrate("cftui: interrupted")
        return 130
    except CftuiError as error:
        narrate(f"cftui: {_one_line(str(error))}")
        return 1
    except BrokenPipeError:  # the reader of our stdout has left (head, less): not an error
        _silence_stdout()
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        narrate(f"cftui: {where}{_one_line(error.strerror or str(error))}")
        return 1
    except Exception as error:
        if os.environ.get("CFTUI_DEBUG"):
            raise
        narrate(f"cftui: internal error: {type(error).__name__}: {_one_line(str(error))} (CFTUI_DEBUG=1 shows where)")
        return 1
    return 0


def _silence_stdout() -> None:
    """Keep the interpreter's last flush from complaining about a closed pipe."""
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))

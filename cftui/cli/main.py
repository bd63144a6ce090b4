"""The command line: all verbs, and how errors are printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

import click

from cftui.cli.output import INTERRUPTED_STATUS, USAGE_STATUS, make_streams_lenient, print_error
from cftui.cli.verb import COMPLETION_VARIABLE, Session, Verbs, home_option
from cftui.engine.ranks import Reported
from cftui.errors import CftuiError
from cftui.home import Home
from cftui.version import __version__

OpenApp = Callable[[Home, bool], int]

# Every verb with its module, imported when the verb is run: `cftui` and `cftui --version` need none of them.
VERBS = {
    "data": "data:data",
    "train": "train:train",
    "lr-find": "train:lr_find",
    "sweep": "sweep:sweep",
    "runs": "runs:runs",
    "eval": "evaluation:evaluate",
    "results": "analysis:results",
    "bias": "analysis:bias",
    "similar": "analysis:similar",
    "about": "analysis:about",
    "anatomy": "analysis:anatomy",
    "predict": "people:predict",
    "recommend": "people:recommend",
    "users": "people:users",
    "user": "people:user",
    "foldin": "people:foldin",
    "pca": "maps:pca",
    "export": "maps:export",
    "tour": "tour:tour",
    "locate": "locate:locate",
    "doctor": "doctor:doctor",
    "completion": "completion:completion",
}


class Program(Verbs):
    """The verbs of ``VERBS``, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].partition(":")
        found: click.Command = getattr(import_module(f"cftui.cli.{module}"), name)
        return found


def build(open_app: OpenApp) -> click.Group:
    """Build the command line; ``open_app`` runs if no verb is given."""

    @click.group(
        cls=Program,
        invoke_without_command=True,
        params=[home_option()],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    @click.option("--ascii", "ascii_only", is_flag=True, help="Draw the app without box, block and braille characters.")
    @click.version_option(__version__, prog_name="cftui")
    @click.pass_context
    def cli(context: click.Context, ascii_only: bool) -> None:
        """A collaborative-filtering workbench in the terminal.

        Without a verb, cftui opens the app. All verbs take --json and --home, and print data on stdout and narration
        and errors on stderr.
        """
        if context.invoked_subcommand is None:
            context.exit(open_app(context.ensure_object(Session).home, ascii_only) or 0)

    return cli


def main(open_app: OpenApp, arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status: 0, 1 for an error, 2 for wrong usage, 130 when interrupted."""
    if instruction := os.environ.get(COMPLETION_VARIABLE):
        return _complete(build(open_app), instruction)
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Read from the words: an error may come before click has parsed the option.
    as_json = "--json" in words
    make_streams_lenient()
    try:
        cli = build(open_app)
        # click's own main() would turn a closed pipe into exit status 1.
        with cli.make_context("cftui", words, obj=Session()) as context:
            cli.invoke(context)
        if sys.stdout is not None:  # None if the parent process closed it
            sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        return _print_usage_error(error, as_json)
    except click.ClickException as error:
        return print_error(error.format_message(), "file", as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        return print_error("interrupted", "interrupted", status=INTERRUPTED_STATUS, as_json=as_json)
    except CftuiError as error:
        parts = {"what": error.what, "where": error.where, "hint": error.hint, "option": error.option}
        return print_error(str(error), error.kind, as_json=as_json, parts=parts)
    except Reported:
        return 1
    except BrokenPipeError:  # the reader of stdout has ended, as head does: not an error
        _silence_stdout()
        return 0
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "cftui":
            raise
        return print_error(f"a library is missing: {error}; install cftui again", "error", as_json=as_json)
    except OSError as error:
        what, where = error.strerror or str(error), str(error.filename or "")
        line = f"{where}: {what}" if where else what
        return print_error(line, "file", as_json=as_json, parts={"what": what, "where": where})
    except Exception as error:
        if os.environ.get("CFTUI_DEBUG"):
            raise
        what, hint = f"internal error: {type(error).__name__}: {error}", "CFTUI_DEBUG=1 shows where"
        return print_error(f"{what} ({hint})", "internal", as_json=as_json, parts={"what": what, "hint": hint})
    return 0


def _complete(cli: click.Group, instruction: str) -> int:
    """Print the words that fit what is typed. The shell's function has put that into the environment."""
    from click.shell_completion import shell_complete

    try:
        return shell_complete(cli, {"obj": Session()}, "cftui", COMPLETION_VARIABLE, instruction)
    except Exception:  # whatever it is, the line that somebody is typing is no place to say it
        return 1


def _print_usage_error(error: click.UsageError, as_json: bool) -> int:
    command = error.ctx.command_path if error.ctx else "cftui"
    message, hint = error.format_message(), f"see {command} --help"
    if not as_json:
        return print_error(f"{message} ({hint})", "usage", status=USAGE_STATUS, command=command)
    parameter = getattr(error, "param", None)
    option = max(parameter.opts, key=len).lstrip("-") if isinstance(parameter, click.Option) else ""
    parts = {"what": error.message, "hint": hint, "option": option}
    return print_error(message, "usage", status=USAGE_STATUS, as_json=True, parts=parts)


def _silence_stdout() -> None:
    """Let the interpreter's last flush write to nowhere, so that it does not fail on the closed pipe."""
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

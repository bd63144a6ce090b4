"""What all verbs share: ``--json``, ``--home``, and types of options that check their values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from cftui.cli.output import clean_terminal
from cftui.engine.models.options import Option
from cftui.engine.ranks import launched
from cftui.errors import CftuiError
from cftui.home import Home

# Set by the function that ``cftui completion`` prints, when the shell asks for the words that fit.
COMPLETION_VARIABLE = "_CFTUI_COMPLETE"


@dataclass
class Session:
    """The values of the options that all verbs have."""

    home_option: str | None = None
    json: bool = False
    spreadsheet: bool = False

    @property
    def home(self) -> Home:
        """The home. Raises CftuiError if its path is not a folder."""
        return Home.find(self.home_option)


def remember(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Return a callback that keeps the value of an option in the session."""

    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(context.ensure_object(Session), attribute, value)

    return callback


def home_option() -> click.Option:
    return click.Option(
        ["--home"],
        metavar="DIR",
        expose_value=False,
        callback=remember("home_option"),
        help="Folder of data/ and models/ [default: CFTUI_HOME, else the checkout, else the user's data directory].",
    )


class Verb(click.Command):
    """A command with ``--json`` and ``--home``.

    Attributes:
        shared: whether several processes of ``torchrun`` can do it together.
    """

    shared = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                callback=remember("json"),
                help="Print JSON instead of text, errors and narration included.",
            )
        )
        self.params.append(home_option())
        from cftui.cli.completing import complete

        complete(self.name or "", self.params)

    def invoke(self, ctx: click.Context) -> Any:
        if not self.shared and (size := launched().size) > 1:
            raise CftuiError(f"{ctx.command_path} cannot be shared by {size} processes", hint="run it without torchrun")
        with clean_terminal():
            return super().invoke(ctx)


class SharedVerb(Verb):
    """A verb that several processes of ``torchrun`` can do together."""

    shared = True


class Verbs(click.Group):
    """A group of verbs, whose commands are ``Verb`` and whose groups are ``Verbs`` by default."""

    command_class = Verb
    group_class = type


class HyperParameter(click.ParamType):
    """The type of a hyper-parameter, which the same rule checks as in the app's form."""

    def __init__(self, option: Option) -> None:
        self.name = option.label
        self._option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._option.parse(str(value))
        except CftuiError as error:
            self.fail(str(error), param, ctx)


class Finite(click.FloatRange):
    """A finite number in a range: ``nan`` and ``inf`` are refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def run_option(function: Decorated) -> Decorated:
    """Add ``--run``, which becomes the parameter ``run_name``."""
    return click.option(
        "--run",
        "run_name",
        default="latest",
        show_default=True,
        metavar="RUN",
        help="Run to read: a name, a unique prefix, or latest.",
    )(function)


def rows_option(default: int, text: str = "Number of rows.") -> Callable[[Decorated], Decorated]:
    return click.option("-n", "--rows", type=click.IntRange(1), default=default, show_default=True, help=text)


pass_session = click.make_pass_decorator(Session, ensure=True)

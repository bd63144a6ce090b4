"""``cftui completion``: the script by which a shell completes the words of this program."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cftui.cli.output import print_json
from cftui.cli.verb import COMPLETION_VARIABLE, Session, Verb, pass_session

SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Verb)
@click.argument("shell", type=click.Choice(SHELLS))
@pass_session
@click.pass_context
def completion(context: click.Context, session: Session, shell: str) -> None:
    """Print the script that completes verbs, options, and the names of runs, recipes and data sets.

    \b
    bash, in ~/.bashrc:                    eval "$(cftui completion bash)"
    zsh, in ~/.zshrc, after compinit:      eval "$(cftui completion zsh)"
    fish, once:  cftui completion fish > ~/.config/fish/completions/cftui.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has all three
    script = kind(context.find_root().command, {}, "cftui", COMPLETION_VARIABLE).source()
    print_json({"shell": shell, "script": script}) if session.json else print(script)

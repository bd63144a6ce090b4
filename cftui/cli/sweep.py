"""``cftui sweep``: one recipe under many settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from cftui.cli.output import narrate, print_json
from cftui.cli.requeue import exit_if_out_of_time
from cftui.cli.train import SPLIT_HELP, options_of, training_options
from cftui.cli.verb import Session, Verb, pass_session
from cftui.cli.verdicts import narrate_verdict
from cftui.engine.interrupts import stop_requests
from cftui.engine.models.recipes import recipe
from cftui.engine.runs.watcher import watched
from cftui.errors import CftuiError
from cftui.text import number


@click.command(cls=Verb)
@click.argument("recipe_name", metavar="RECIPE")
@click.option(
    "--try",
    "asked",
    multiple=True,
    metavar="NAME=VALUES",
    help="What to vary: lr=1e-3,5e-3 tries both values; wd=0.05..0.5 is a range to draw from with --random. Repeat it "
    "to vary several options [default: what the recipe's method names, such as weight decay].",
)
@click.option(
    "--random",
    "draws",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Try N random settings instead of all combinations.",
)
@click.option("--split", default="random", show_default=True, help=SPLIT_HELP)
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the sweep: its runs are NAME-01, NAME-02, ... and NAME-best [default: sweep-....].",
)
@training_options
@pass_session
def sweep(
    session: Session,
    recipe_name: str,
    asked: tuple[str, ...],
    draws: int | None,
    name: str | None,
    data_name: str,
    device: str,
    fast: bool,
    **values: Any,
) -> None:
    """Try RECIPE with many settings, and train it with the best.

    No setting sees the validation ratings of the split: each is trained on a random four fifths of the training ratings
    and scored on the other fifth. The best setting is then trained on all training ratings and scored on the validation
    ratings. Every trial is a run in the run list. With --json, the output is one object a trial and the outcome last.
    Ctrl+C stops the sweep and names the best setting so far; the same command with --name NAME goes on where it was.
    """
    chosen = recipe(recipe_name)
    options = options_of(chosen, fast, values)
    with stop_requests() as stop_requested:
        from cftui.engine import device as devices
        from cftui.engine import sweep as sweeps
        from cftui.engine.training import train_or_resume

        grid = sweeps.parse(chosen, asked or chosen.fitting.grid)
        tried, where = sweeps.settings(grid, draws, options.seed), devices.choose(device)
        name = name or sweeps.new_name(session.home)
        narrate(f"sweep {name}: {len(tried)} settings of {chosen.name}, validated within the training ratings")
        go_on = f"the same command with --name {name} goes on where it was"
        width = max(len(sweeps.as_words(setting)) for setting in tried)
        trials = []
        shared: dict[str, Any] = {"data": data_name, "device": where, "stop_requested": stop_requested}
        for trial in sweeps.sweep(session.home, chosen, options, tried, name=name, **shared):
            trials.append(trial)
            if session.json:
                print_json({"event": "trial", "run": trial.run, "setting": trial.setting, "inner_loss": trial.loss})
            else:
                shown = "diverged" if trial.loss is None else number(trial.loss, 6)
                print(f"{trial.run}  {sweeps.as_words(trial.setting):<{width}}  {shown}", flush=True)
        winner = sweeps.best(trials, chosen.fitting.score)
        if winner is None:
            if stop_requested():
                narrate(f"sweep {name} stopped before its first setting was done; {go_on}")
                exit_if_out_of_time(stop_requested)
                return
            raise CftuiError(f"sweep {name}: every setting diverged; try lower learning rates")
        narrate(f"best of {len(trials)}: {winner.run} ({sweeps.as_words(winner.setting)})")
        if stop_requested():
            narrate(f"sweep {name} stopped; {go_on}")
            exit_if_out_of_time(stop_requested)
            return
        # Nobody wants a message for every trial.
        with watched(session.home, lambda event: None) as emit:
            best = replace(options, **winner.setting)
            run = train_or_resume(session.home, chosen, best, name=f"{name}-best", emit=emit, **shared)
        ending = run.history().ending
    score = chosen.fitting.score
    loss: Any = ending.get(score.key) if ending else None
    if session.json:
        outcome = {"run": run.name, "of": winner.run, "setting": winner.setting, "inner_loss": winner.loss}
        print_json({"event": "best", **outcome, score.key: loss})
    elif loss is not None:
        print(f"{run.name}  {sweeps.as_words(winner.setting):<{width}}  {number(loss, 6)} on the validation ratings")
        narrate_verdict(session.home, run.name)

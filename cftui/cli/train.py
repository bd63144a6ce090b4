"""``cftui train``: train a recipe in the foreground, or show what it would train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cftui.cli import train_again
from cftui.cli.output import narrate, print_json, print_table
from cftui.cli.requeue import exit_if_unfinished, job_run_name, wait_until_dead
from cftui.cli.verb import Decorated, HyperParameter, Session, Verb, pass_session
from cftui.cli.verdicts import narrate_verdict
from cftui.engine import ranks
from cftui.engine.gradient.method import FAST_BATCH
from cftui.engine.interrupts import stop_requests
from cftui.engine.models.method import LOSS, NDCG
from cftui.engine.models.methods import all_methods
from cftui.engine.models.options import Option, Options
from cftui.engine.models.recipes import RECIPES, Recipe, all_recipes, recipe
from cftui.engine.runs.events import EpochEvent, Event, where_in_words
from cftui.engine.runs.folder import RunFolder
from cftui.engine.runs.watcher import watched
from cftui.errors import CftuiError
from cftui.text import figure, number, parts_in_words, plural

SPLIT_HELP = (
    "random, u1..u5 (official), time, given (the test part of an imported set), none (train on every rating), or such "
    "as fold2of5."
)


class TrainVerb(Verb):
    """A verb whose help ends with the list of recipes, those of other installed packages included."""

    shared = True

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Recipes"):
            formatter.write_dl([(one.name, one.summary) for one in all_recipes().values()])


def _only_given(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """None for what nobody gave, so that a recipe's own default can take its place."""
    source = context.get_parameter_source(parameter.name or "")
    return None if source in (None, click.core.ParameterSource.DEFAULT) else value


def _defaults(name: str) -> str:
    """The default of an option in words: ``[default: 50; bayes: 16]``."""
    by_method: dict[str, list[Any]] = {}
    for row in RECIPES.values():
        if name in row.described:
            by_method.setdefault(row.method, []).append(row.default(name))
    words = {
        method: f"{values[0]}" if len({str(value) for value in values}) == 1 else "the recipe's own"
        for method, values in by_method.items()
    }
    words = {method: word for method, word in words.items() if word not in ("None", "True", "False")}
    first, *others = words.items() or [("", "")]
    parts = [first[1], *(f"{method}: {word}" for method, word in others if word != first[1])]
    return f" [default: {'; '.join(parts)}]" if first[1] else ""


def _option(name: str, only: str, option: Option) -> Callable[[Decorated], Decorated]:
    """One hyper-parameter as an option of the command line.

    Args:
        only: the method that has it if it is not the first, for the help; "" otherwise.
    """
    flag = name.replace("_", "-")
    text = f"{only}: {option.help[0].lower()}{option.help[1:]}" if only else option.help
    if option.kind is bool:
        default = any(getattr(one.options, name) for one in all_methods() if name in one.described)
        words = f"--{flag}/--no-{flag}" if default or option.empty else f"--{flag}"
        return click.option(words, name, is_flag=True, default=None, callback=_only_given, help=text)
    # An alias that is the name of another option is already there; the recipe knows which of its own is meant.
    also = [] if not option.alias or any(option.alias in one.described for one in all_methods()) else [option.alias]
    return click.option(
        *(f"--{one}" for one in (flag, *also)),
        name,
        type=HyperParameter(option),
        metavar="N" if option.kind is int else "X",
        callback=_only_given,
        help=f"{text}{_defaults(name)}",
    )


def _method_options() -> list[Callable[[Decorated], Decorated]]:
    """The options of all methods, each once, in the order of the methods."""
    first = all_methods()[0].name
    every: dict[str, tuple[str, Option]] = {}
    for method in all_methods():
        for name, option in method.described.items():
            every.setdefault(name, ("" if method.name == first else method.name, option))
    return [_option(name, *one) for name, one in every.items() if name not in ("split", "item_key")]


def training_options(function: Decorated) -> Decorated:
    """What to train on, how, and where: the options of ``cftui train`` and of every verb that trains as it does.

    They arrive under the names of the methods' options, with None for what was not given, and as ``data_name``,
    ``fast`` and ``device``.
    """
    options = (
        click.option("--data", "data_name", default="ml-100k", show_default=True, help="Data set."),
        click.option(
            "--item-key",
            type=click.Choice(["title", "id"]),
            default="title",
            show_default=True,
            help="What identifies an item.",
        ),
        *_method_options(),
        click.option(
            "--fast",
            is_flag=True,
            help=f"Batches of {FAST_BATCH}: as accurate as 64, and three times as fast. On a GPU, the largest batch "
            "whose loss on held-back training ratings stays within 0.002 of that of 64.",
        ),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def options_of(chosen: Recipe, fast: bool, values: dict[str, Any]) -> Options:
    """The options that ``training_options`` passed on. Raises UsageError for ``--fast`` beside ``--bs``."""
    if fast:
        train_again.check_fast(values)
    return chosen.options(**{**values, "bs": FAST_BATCH} if fast else values)


@click.command(cls=TrainVerb)
@click.argument("recipe_name", metavar="RECIPE", required=False)
@click.option("--split", default="random", show_default=True, help=SPLIT_HELP)
@training_options
@click.option("--like", metavar="RUN", help="Instead of RECIPE: the recipe, data set and settings of this run.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Recipe, data set and settings from a TOML file, as cftui runs show RUN --toml prints it; what is given "
    "beside it comes first.",
)
@click.option("--name", metavar="RUN", help="Name of the run [default: the recipe and four hex digits].")
@click.option(
    "--requeue",
    is_flag=True,
    help="For schedulers: go on with the run NAME if it was begun, and exit with status 75 if a signal stops it before "
    "its end. In a Slurm job the default of --name is the recipe and the number of the job.",
)
@click.option("--summary", is_flag=True, help="Print the layers and parameters instead of training.")
@pass_session
def train(
    session: Session,
    recipe_name: str | None,
    data_name: str,
    device: str,
    like: str | None,
    config_file: Path | None,
    name: str | None,
    requeue: bool,
    fast: bool,
    summary: bool,
    **values: Any,
) -> None:
    """Train RECIPE and keep it in a run folder.

    The output is the epoch table or, with --json, the events of the run as one object a line. Ctrl+C or SIGTERM stops
    the run after its current batch and keeps what it has learned. SIGUSR1, by which schedulers announce a time limit,
    does the same with exit status 75. The run continues if its terminal is closed.

    Several processes train one run together: torchrun --nproc-per-node N -m cftui train RECIPE.
    """
    if like is not None and (recipe_name is not None or config_file is not None):
        raise click.UsageError("give a RECIPE, or --like RUN, or --config FILE: --like takes everything from a run")
    if like is not None:
        found = train_again.of_run(session, like, fast, values, data_name)
    elif config_file is not None:
        found = train_again.of_file(config_file, recipe_name, fast, values, data_name)
    elif recipe_name is not None:
        chosen = recipe(recipe_name)
        found = train_again.Settings(chosen, options_of(chosen, fast, values), data_name)
    else:
        raise click.UsageError("give a RECIPE, or --like RUN for the settings of a run, or --config FILE")
    if summary:
        if ranks.launched().rank == 0:
            _summary(session, found.recipe, found.options, found.data)
        return
    name = name or found.name or (job_run_name(found.recipe.name) if requeue else None)
    if requeue and name is None:
        raise click.UsageError("--requeue needs --name, so that the same command finds its run again")
    # Installed before PyTorch is imported, so that a terminal lost in the first seconds does not matter either.
    with stop_requests() as stop_requested, watched(session.home, EventPrinter(session.json)) as emit:
        from cftui.engine import device as devices
        from cftui.engine.training import train as train_anew
        from cftui.engine.training import train_or_resume

        wanted = device if train_again.is_given("device") or not found.device else found.device
        with ranks.joined() as processes:
            train_again.check_fingerprint(session, found)
            chosen_device = devices.choose(ranks.own_device(wanted))
            if processes.size == 1:
                found = train_again.for_gpu(session, found, fast, chosen_device)
            shared: dict[str, Any] = {
                "data": found.data,
                "device": chosen_device,
                "emit": emit,
                "stop_requested": stop_requested,
            }
            if requeue:
                assert name is not None
                if processes.is_first:
                    wait_until_dead(RunFolder(session.home.models / name))
                run = train_or_resume(session.home, found.recipe, found.options, name=name, **shared)
            else:
                run = train_anew(session.home, found.recipe, found.options, name=name, **shared)
    if processes.is_first:
        narrate_verdict(session.home, run.name)
        exit_if_unfinished(run, stop_requested, requeue)


class EventPrinter:
    """Prints a run while it trains: the epoch table of the chapter, or its events as JSON lines.

    After a print fails, because the terminal or the pipe is closed, nothing more is printed and training continues.
    """

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._silent = False

    def __call__(self, event: Event) -> None:
        if self._silent:
            return
        try:
            self._print(event)
        except OSError:
            self._silent = True

    def _print(self, event: Event) -> None:
        if self._json:
            # Windows of batch losses and usage are for the app, which reads them from the log.
            if event["event"] not in ("window", "usage"):
                print_json(event)
        elif event["event"] == "start" or event["event"] == "resume":
            unit = event.get("unit", "epoch")
            batched = unit == "epoch" and event["steps_per_epoch"] > 1
            batches = f"{event['steps_per_epoch']:,} batches of " if batched else ""
            narrate(
                f"run {event['run']}: {event['epochs']} {unit}{'' if event['epochs'] == 1 else 's'} of "
                f"{batches}{event['batch_size']:,}{'' if batches else ' ratings'} on {where_in_words(event)}"
            )
            if words := parts_in_words(event):
                narrate(words)
            if event["event"] == "resume":
                # A count: the last epoch that is done has the number before it, in this table as everywhere.
                done = f"{event['step']:,} of {event['steps']:,} {'batches' if batches else f'{unit}s'}"
                narrate(f"continuing: {done} are done")
            print(epoch_heading(unit, event.get("score", LOSS.key)), flush=True)
        elif event["event"] == "trial":
            ndcg = "nothing relevant to judge it by" if event.get("ndcg") is None else f"NDCG@10 {event['ndcg']:.4f}"
            narrate(f"lambda {event['l2']:g}: {ndcg} (within the training ratings)")
        elif event["event"] == "epoch":
            print(epoch_row(event), flush=True)
            if left_out := event.get("left_out"):
                narrate(
                    f"{plural(left_out, 'item')} with the fewest ratings left out: they are never recommended; "
                    "the recipe ials has room for all"
                )
        elif event["event"] == "done" or event["event"] == "stopped":
            early = " early" if event.get("early") else ""
            kept = event.get("kept_epoch")
            which = f"; weights of epoch {kept}" if kept is not None and kept != event.get("epochs", 0) - 1 else ""
            narrate(
                f"run {event['run']} {event['event']}{early} after {event.get('seconds', 0.0):.1f} s of fitting{which}"
            )
        elif event["event"] == "baselines":
            found: dict[str, Any] = {LINES[name]: value for name, value in event.items() if name in LINES}
            figures = ", ".join(f"{name} {number(value, 4)}" for name, value in found.items())
            narrate(f"baselines on this split ({'NDCG@10' if 'popularity' in event else 'MSE'}): {figures}")


def epoch_heading(unit: str, score: str) -> str:
    """Return the heading of ``epoch_row`` for a run that is judged by this score."""
    if score == NDCG.key:
        return f"{unit:<5}  train_loss  {NDCG.label:>10}   time"
    return f"{unit}  train_loss  valid_loss    rmse   time"


def epoch_row(event: EpochEvent) -> str:
    """Return a row of the chapter's epoch table with the RMSE added; with NDCG, if the model predicts no ratings."""

    def cell(value: float | None) -> str:
        return f"{'-':>12}" if value is None else f"{number(value, 6):>12}"

    minutes, seconds = divmod(event.get("seconds", 0.0), 60)
    time = f"{int(minutes):02d}:{seconds:04.1f}"
    if "ndcg" in event:
        return f"{event['epoch']:>5}{cell(event.get('train_loss'))}{cell(event['ndcg'])}  {time}"
    rmse = "-" if (value := event.get("rmse")) is None else _short(value)
    return f"{event['epoch']:>5}{cell(event.get('train_loss'))}{cell(event.get('valid_loss'))}{rmse:>8}  {time}"


def _short(rmse: float) -> str:
    """As many digits as seven characters hold."""
    return next((text for text in (number(rmse, 3), figure(rmse)) if len(text) <= 7), f"{rmse:.1e}")


# The names of the baselines.
LINES = {
    "global_mean": "global mean",
    "bias_only": "bias only",
    "popularity": "popularity",
    "item_knn": "item kNN",
}


@click.command("lr-find", cls=Verb)
@click.argument("recipe_name", metavar="RECIPE")
@click.option("--split", default="random", show_default=True, help=SPLIT_HELP)
@training_options
@pass_session
def lr_find(session: Session, recipe_name: str, data_name: str, device: str, fast: bool, **values: Any) -> None:
    """Suggest a learning rate for RECIPE.

    It trains on a hundred batches with growing learning rates and picks one from the losses, as fastai's lr_find does
    with the method valley.
    """
    chosen = recipe(recipe_name)
    if not chosen.fitting.has_lr_finder:
        raise CftuiError(f"{chosen.name} has no learning rate: it is {chosen.fitting.how}")
    options = options_of(chosen, fast, values)
    from cftui.data.splits import split
    from cftui.engine import device as devices
    from cftui.engine.gradient.lr_finder import find_lr
    from cftui.engine.gradient.trainer import Trainer
    from cftui.engine.training import fitter_for, open_ratings

    where = devices.choose(device)
    ratings = open_ratings(session.home, data_name, options.item_key)
    trainer = fitter_for(chosen, options, ratings, split(ratings, options.split, options.seed), where)
    assert isinstance(trainer, Trainer)  # what has_lr_finder promises
    found = find_lr(trainer)
    if session.json:
        print_json({"recipe": chosen.name, "suggestion": found.suggestion, "lr": found.lr, "loss": found.loss})
        return
    rows = [{"lr": lr, "loss": loss} for lr, loss in zip(found.lr[::5], found.loss[::5], strict=True)]
    print_table(rows, {"lr": ".1e", "loss": ".4f"})
    print(f"suggested: {found.suggestion:.2g}")


def _summary(session: Session, chosen: Recipe, options: Options, data_name: str) -> None:
    from cftui.engine.models import summary
    from cftui.engine.models.build import build, shape_of
    from cftui.engine.models.importing import path_of
    from cftui.engine.training import open_ratings

    ratings = open_ratings(session.home, data_name, options.item_key)
    shape = shape_of(chosen, ratings, getattr(options, "factors", 0))
    model = build(chosen, shape, options.seed)
    rows = summary.layers(model)
    total = sum(row["parameters"] for row in rows)
    architecture = path_of(chosen.architecture).rpartition(":")[2]
    facts = {
        "recipe": chosen.name,
        "summary": chosen.summary,
        "architecture": architecture,
        "y_range": shape.y_range,
        "parameters": total,
        **options.summary(),
    }
    if session.json:
        print_json({**facts, "layers": rows})
        return
    print(f"{chosen.name}: {chosen.summary} ({architecture})")
    print_table(rows, {"parameters": ","})
    sigmoid = "" if shape.y_range is None else "; sigmoid range {:g} to {:g}".format(*shape.y_range)
    print(f"{total:,} parameters{sigmoid}; {options.fitted_by()}")

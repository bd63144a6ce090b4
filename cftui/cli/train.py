"""``cftui train``: train a recipe in the foreground, or show what it would train."""

from __future__ import annotations

from typing import Any

import click

from cftui.cli.output import narrate, print_json, print_table
from cftui.cli.verb import Decorated, HyperParameter, Session, Verb, pass_session
from cftui.engine.interrupts import stop_requests
from cftui.engine.models.recipes import BURN_IN, FAST_BATCH, RECIPES, Options, Recipe, recipe
from cftui.errors import CftuiError


def _recipes_help() -> str:
    width = max(map(len, RECIPES))
    rows = "\n".join(f"  {row.name:<{width}}  {row.summary}" for row in RECIPES.values())
    return f"\b\nRecipes:\n{rows}"


def _hyper(name: str, text: str, default: Any = None, *more: str) -> Any:
    shown = {"default": default, "show_default": True} if default is not None else {}
    return click.option(f"--{name.replace('_', '-')}", *more, type=HyperParameter(name), help=text, **shown)


def _defaults(name: str) -> str:
    """``[default: 5; bayes: 300]``."""
    usual = getattr(Options, name)
    others = {row.name: getattr(row, name) for row in RECIPES.values() if getattr(row, name) != usual}
    return f"[default: {'; '.join([str(usual), *(f'{recipe}: {value}' for recipe, value in others.items())])}]"


def training_options(function: Decorated) -> Decorated:
    """What to train on, how, and where: of ``cftui train``, and of every verb that trains as it does.

    Handed on by the names of ``Options``, and as ``data_name``, ``fast`` and ``device``.
    """
    options = (
        click.option("--data", "data_name", default="ml-100k", show_default=True, help="Data set."),
        click.option("--item-key", type=click.Choice(["title", "id"]), default="title", show_default=True),
        _hyper("seed", "Seed of split, weights and order.", 0),
        _hyper("epochs", f"Passes over the training ratings {_defaults('epochs')}.", None, "--sweeps"),
        _hyper("lr", "Highest learning rate of the one-cycle schedule.", 5e-3),
        _hyper("wd", "Weight decay [default: the recipe's own]."),
        _hyper("wd_bias", "Weight decay of user and item biases [default: the recipe's own, else as --wd]."),
        _hyper("bs", "Ratings per batch.", 64),
        click.option("--fast", is_flag=True, help=f"Batches of {FAST_BATCH}: as good, and three times as quick."),
        _hyper("factors", f"Latent factors {_defaults('factors')}."),
        _hyper("patience", "End after so many epochs without a better validation loss."),
        click.option("--keep-best", is_flag=True, help="End with the weights of the best epoch instead of the last."),
        _hyper("burn_in", f"bayes: sweeps that count for nothing [default: {BURN_IN}, or a quarter of a short chain]."),
        click.option("--implicit/--no-implicit", default=True, help="bayes: learn from who rated what, or not."),
        click.option("--side/--no-side", default=True, help="bayes: learn from genres, ages, counts, or not."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def options_of(chosen: Recipe, fast: bool, given: dict[str, Any]) -> Options:
    """The hyper-parameters that ``training_options`` handed on. Raises UsageError for ``--fast`` beside ``--bs``."""
    if fast and given["bs"] != Options.bs:
        raise click.UsageError(f"--fast means --bs {FAST_BATCH}; give one of them")
    return chosen.options(**{**given, "bs": FAST_BATCH} if fast else given)


@click.command(cls=Verb, epilog=_recipes_help())
@click.argument("recipe_name", metavar="RECIPE")
@click.option(
    "--split", default="random", show_default=True, help="random, u1..u5 (official), time, or such as fold2of5."
)
@training_options
@click.option("--name", metavar="RUN", help="Name of the run [default: the recipe and four hex digits].")
@click.option("--summary", is_flag=True, help="Show the architecture instead of training.")
@pass_session
def train(
    session: Session,
    recipe_name: str,
    data_name: str,
    device: str,
    name: str | None,
    fast: bool,
    summary: bool,
    **given: Any,
) -> None:
    """Train RECIPE and keep it in a run folder.

    Prints the epoch table; with --json, the run's events, one object a line. Ctrl+C or SIGTERM stops after the
    batch in hand and keeps what was learned; a terminal that goes away stops nothing.
    """
    chosen = recipe(recipe_name)
    options = options_of(chosen, fast, given)
    if summary:
        _summary(session, chosen, options, data_name)
        return
    # In place before PyTorch is loaded: a terminal dropped in the first seconds must not matter either.
    with stop_requests() as stop_requested:
        from cftui.engine import device as devices
        from cftui.engine.training import train as run_training

        run_training(
            session.home,
            chosen,
            options,
            data=data_name,
            device=devices.choose(device),
            name=name,
            emit=EventPrinter(session.json),
            stop_requested=stop_requested,
        )


class EventPrinter:
    """Prints a run as it goes: the chapter's table, or its events as JSON lines.

    Once a print fails (the terminal is gone, the pipe is closed) it stays silent: training goes on.
    """

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._silent = False

    def __call__(self, event: dict[str, Any]) -> None:
        if self._silent:
            return
        try:
            self._print(event)
        except OSError:
            self._silent = True

    def _print(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if self._json:
            # Windows of batch losses are for charts; they stay in the log.
            if kind != "window":
                print_json(event)
        elif kind in ("start", "resume"):
            unit = event.get("unit", "epoch")
            batches = f"{event['steps_per_epoch']:,} batches of " if unit == "epoch" else ""
            narrate(
                f"run {event['run']}: {event['epochs']} {unit}s of {batches}{event['batch_size']:,}"
                f"{'' if batches else ' ratings'} on {event['device']}"
            )
            if kind == "resume":
                narrate(f"going on after {'batch' if batches else unit} {event['step']:,} of {event['steps']:,}")
            print(f"{unit}  train_loss  valid_loss    rmse   time", flush=True)
        elif kind == "epoch":
            print(epoch_row(event), flush=True)
        elif kind in ("done", "stopped"):
            early = " early" if event.get("early") else ""
            kept = event.get("kept_epoch")
            which = f"; weights of epoch {kept}" if kept is not None and kept != event["epochs"] - 1 else ""
            narrate(f"run {event['run']} {kind}{early} after {event['seconds']:.1f} s of fitting{which}")
        elif kind == "baselines":
            worth = ", ".join(f"{LINES[name]} {loss:.4f}" for name, loss in event.items() if name in LINES)
            narrate(f"to beat on this split: {worth}")


def epoch_row(event: dict[str, Any]) -> str:
    """A row of the chapter's table, with the root mean squared error."""
    minutes, seconds = divmod(event["seconds"], 60)
    losses = "".join(f"{event[key]:>12.6f}" if event[key] is not None else f"{'nan':>12}" for key in LOSSES)
    rmse = f"{event['rmse']:.3f}" if event["rmse"] is not None else "nan"
    return f"{event['epoch']:>5}{losses}  {rmse:>6}  {int(minutes):02d}:{seconds:04.1f}"


# What the baselines are called.
LINES = {"global_mean": "global mean", "bias_only": "bias only", "item_knn": "item kNN"}
LOSSES = ("train_loss", "valid_loss")


@click.command("lr-find", cls=Verb)
@click.argument("recipe_name", metavar="RECIPE")
@click.option("--data", "data_name", default="ml-100k", show_default=True, help="Data set.")
@click.option("--split", default="random", show_default=True, help="random, u1..u5 (official), or time.")
@_hyper("seed", "Seed of split, weights and order.", 0)
@_hyper("bs", "Ratings per batch.", 64)
@_hyper("wd", "Weight decay [default: the recipe's own].")
@_hyper("factors", "Latent factors.", 50)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@pass_session
def lr_find(session: Session, recipe_name: str, data_name: str, device: str, **options: Any) -> None:
    """Try a hundred learning rates on RECIPE and suggest one (fastai's lr_find, valley)."""
    chosen = recipe(recipe_name)
    if chosen.sampled:
        raise CftuiError(f"{chosen.name} has no learning rate: it is sampled, not trained by gradients")
    from cftui.data.splits import split
    from cftui.engine import device as devices
    from cftui.engine.gradient.lr_finder import find_lr
    from cftui.engine.gradient.trainer import Trainer
    from cftui.engine.training import open_ratings

    where, given = devices.choose(device), chosen.options(**options)
    ratings = open_ratings(session.home, data_name)
    found = find_lr(Trainer(chosen, given, ratings, split(ratings, given.split, given.seed), where))
    if session.json:
        print_json({"recipe": chosen.name, "suggestion": found.suggestion, "lr": found.lr, "loss": found.loss})
        return
    rows = [{"lr": lr, "loss": loss} for lr, loss in zip(found.lr[::5], found.loss[::5], strict=True)]
    print_table(rows, {"lr": ".1e", "loss": ".4f"})
    print(f"suggested: {found.suggestion:.2g}")


def _summary(session: Session, chosen: Recipe, options: Options, data_name: str) -> None:
    from cftui.engine.gradient.trainer import build, shape_of
    from cftui.engine.models import summary
    from cftui.engine.training import open_ratings

    ratings = open_ratings(session.home, data_name, options.item_key)
    shape = shape_of(chosen, ratings, options.factors)
    model = build(chosen, shape, options.seed)
    rows = summary.layers(model)
    total = sum(row["parameters"] for row in rows)
    facts = {
        "recipe": chosen.name,
        "summary": chosen.summary,
        "architecture": chosen.architecture,
        "y_range": shape.y_range,
        "weight_decay": options.decay(chosen),
        "bias_decay": options.bias_decay(chosen),
        "parameters": total,
    }
    if session.json:
        print_json({**facts, "layers": rows})
        return
    print(f"{chosen.name}: {chosen.summary} ({chosen.architecture})")
    print_table(rows, {"parameters": ","})
    if chosen.sampled:
        print(f"{total:,} numbers a draw; {options.epochs} sweeps by Gibbs sampling, the first {options.burn} let go")
        return
    sigmoid = "none" if shape.y_range is None else "{:g} to {:g}".format(*shape.y_range)
    decay = f"{facts['weight_decay']:g}"
    if facts["bias_decay"] != facts["weight_decay"]:
        decay += f", of biases {facts['bias_decay']:g}"
    print(f"{total:,} parameters; sigmoid range: {sigmoid}; weight decay: {decay}; AdamW, one-cycle")

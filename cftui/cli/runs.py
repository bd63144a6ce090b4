"""``cftui runs``: the training runs in the home."""

from __future__ import annotations

import click

from cftui.cli.output import narrate, print_facts, print_json, print_table
from cftui.cli.run_notes import note, tag
from cftui.cli.run_trash import restore, rm, trash
from cftui.cli.train import EventPrinter, epoch_heading, epoch_row
from cftui.cli.verb import HyperParameter, Session, Verbs, home_option, pass_session
from cftui.engine.gradient.method import GradientOptions
from cftui.engine.interrupts import stop_requests
from cftui.errors import CftuiError

RUN = click.argument("run_name", metavar="RUN")
FOLLOW_SECONDS = 0.25
# Users whose lists are judged when two runs are compared; on a larger set a sample.
COMPARED = 5000


@click.group(cls=Verbs, invoke_without_command=True, params=[home_option()])
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text, errors and narration included.")
@click.pass_context
def runs(context: click.Context, as_json: bool) -> None:
    """List the runs, or do something with one of them.

    Without a command, this lists the runs, newest last.
    """
    session = context.ensure_object(Session)
    session.json = session.json or as_json
    if context.invoked_subcommand is None:
        _list(session)


def _list(session: Session) -> None:
    from cftui.engine.runs.folder import all_runs
    from cftui.engine.runs.summaries import summarise

    found = [summarise(run) for run in all_runs(session.home)]
    rows = [row.as_row() for row in found]
    if session.json:
        print_json(rows)
    elif not rows:
        narrate("no run yet; train one with: cftui train model4")
    else:
        print_table(rows, {"valid_loss": ".6f", "rmse": ".3f", "ndcg": ".4f", "seconds": ".1f"})


for command in (rm, restore, trash, tag, note):
    runs.add_command(command)


@runs.command()
@RUN
@pass_session
def show(session: Session, run_name: str) -> None:
    """Show the settings and the epoch table of a run."""
    from cftui.engine.runs.folder import find
    from cftui.engine.runs.notes import read_notes

    run = find(session.home, run_name)
    config, history, notes = run.config(), run.history(), read_notes(run)
    status = run.status(history)
    if session.json:
        found = {"status": status, "epochs": history.epochs, "ending": history.ending}
        print_json({**config.as_json(), **found, "note": notes.note, "tags": notes.tags})
        return
    unit = history.unit
    options = config.settings()
    versions = ", ".join(f"{name} {version}" for name, version in config.versions.items())
    print_facts(
        {
            "run": run.name,
            "status": status,
            "recipe": f"{config.recipe.name}: {config.recipe.summary}",
            "data": f"{config.data.name} ({config.data.fingerprint})",
            "options": ", ".join(f"{name} {value}" for name, value in options.items()),
            "device": config.device,
            "versions": versions,
            "created": config.created,
            "folder": run.path,
        }
    )
    written = {"note": notes.note, "tags": ", ".join(notes.tags)}
    print_facts({name: text for name, text in written.items() if text})
    if status in ("failed", "dead"):
        print_facts({"reason": run.obituary(history)})
        for line in run.log_tail():
            print(f"  | {line}")
    if history.epochs:
        print("\n" + epoch_heading(unit, history.score.key))
        for event in history.epochs:
            print(epoch_row(event))


@runs.command()
@RUN
@pass_session
def attach(session: Session, run_name: str) -> None:
    """Follow a run until it ends.

    The output begins with the first epoch. Ctrl+C ends the output and not the run. Several terminals may follow one
    run.
    """
    import time

    from cftui.engine.runs.events import EventReader, History
    from cftui.engine.runs.folder import LIVE, find

    run = find(session.home, run_name)
    report, reader, history = EventPrinter(session.json), EventReader(run.events_file), History()
    while True:
        status = run.status(history)
        events = reader.poll()
        history.extend(events)
        for event in events:
            report(event)
        if history.ending:
            if "reason" in history.ending:
                raise CftuiError(f"run {run.name} failed: {history.ending['reason']}")
            return
        if status not in LIVE and not events:
            why = run.obituary(history)
            raise CftuiError(f"run {run.name} is {status} ({why}); continue it with: cftui runs resume {run.name}")
        time.sleep(FOLLOW_SECONDS)


@runs.command()
@RUN
@click.option(
    "--epochs",
    "--sweeps",
    "more_epochs",
    type=HyperParameter(GradientOptions.option("epochs")),
    help="How many more epochs or sweeps, for a run that is done.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
@pass_session
def resume(session: Session, run_name: str, more_epochs: int | None, device: str) -> None:
    """Continue a run that was stopped or has died.

    It continues exactly from its last checkpoint.
    """
    with stop_requests() as stop_requested:
        from cftui.engine import device as devices
        from cftui.engine.runs.folder import find
        from cftui.engine.training import resume as run_resume

        run_resume(
            session.home,
            find(session.home, run_name),
            more_epochs=more_epochs or 0,
            device=devices.choose(device),
            emit=EventPrinter(session.json),
            stop_requested=stop_requested,
        )


@runs.command()
@RUN
@pass_session
def stop(session: Session, run_name: str) -> None:
    """Ask a live run to stop, and keep what it has learned.

    The run stops after its current batch.
    """
    from cftui.engine.runs.folder import find, request_stop

    run = find(session.home, run_name)
    request_stop(run)
    print_json({"run": run.name, "stopping": True}) if session.json else narrate(f"asked {run.name} to stop")


@runs.command()
@RUN
@click.argument("new_name", metavar="NAME")
@pass_session
def rename(session: Session, run_name: str, new_name: str) -> None:
    """Rename a run."""
    from cftui.engine.runs.folder import find
    from cftui.engine.runs.folder import rename as rename_run

    run = find(session.home, run_name)
    renamed = rename_run(session.home, run, new_name)
    print_json({"run": renamed.name, "was": run.name}) if session.json else narrate(
        f"renamed {run.name} to {renamed.name}"
    )


@runs.command()
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@pass_session
def compare(session: Session, first: str, second: str) -> None:
    """Compare the settings, the results and the lists of two runs.

    If both were trained on the same ratings, their recommendations are judged for the same users, and one sentence says
    whether the difference is more than chance.
    """
    from cftui.analysis.evaluation import lists
    from cftui.analysis.trained import TrainedModel
    from cftui.engine import rankings
    from cftui.engine.runs.folder import differences, find

    runs = [find(session.home, name) for name in (first, second)]
    rows = differences(*runs)
    if not session.json:
        print_table(rows)
    one, other = runs
    a, b = one.config(), other.config()
    if one.name == other.name or a.trained_on != b.trained_on or not a.data.valid:
        if session.json:
            print_json(rows)
        elif one.name != other.name:
            narrate("the lists are not compared: that needs two runs on the same data set, split and seed")
        return
    models = {run.name: TrainedModel.load(run) for run in runs}
    ratings = models[one.name].ratings(session.home)
    scorers = {name: rankings.predicted(model.module) for name, model in models.items()}
    found = rankings.evaluate_rankings(ratings, models[one.name].split(ratings), scorers, sample=COMPARED)
    if not found.users:
        print_json(rows) if session.json else narrate("the lists are not compared: nothing held back is relevant")
        return
    difference = lists.difference(found, one.name, other.name)
    if session.json:
        row = {"what": "lists: NDCG@10", one.name: difference.first, other.name: difference.second}
        of = difference.of
        print_json([*rows, {**row, "low": of.low, "high": of.high, "may_be_chance": difference.is_chance}])
        return
    print(f"\n{difference.in_words(one.name, other.name)}")
    print(f"{one.name} is better for {difference.better:.0%} of them, {other.name} for {difference.worse:.0%}")

"""``cftui runs``: the training runs in the home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import narrate, print_facts, print_json, print_table
from cftui.cli.run_notes import note, tag
from cftui.cli.run_trash import restore, rm, trash
from cftui.cli.train import EventPrinter, epoch_heading, epoch_row
from cftui.cli.verb import HyperParameter, Session, Verbs, home_option, pass_session
from cftui.engine.gradient.method import GradientOptions
from cftui.engine.interrupts import stop_requests
from cftui.errors import CftuiError
from cftui.text import sparkline

if TYPE_CHECKING:
    from cftui.engine.runs.summaries import JudgedRun

RUN = click.argument("run_name", metavar="RUN")
FOLLOW_SECONDS = 0.25
# Users whose lists are judged when two runs are compared; on a larger set a sample.
COMPARED = 5000


@click.group(cls=Verbs, invoke_without_command=True, params=[home_option()])
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text, errors and narration included.")
@click.pass_context
def runs(context: click.Context, as_json: bool) -> None:
    """List the runs, or do something with one of them.

    Without a command, this lists the runs, newest last: what differs from the recipe's defaults, the figure beside the
    best baseline of the same split, and * for the best of the runs that can be compared.
    """
    session = context.ensure_object(Session)
    session.json = session.json or as_json
    if context.invoked_subcommand is None:
        _list(session)


def _list(session: Session) -> None:
    from cftui.engine.runs.summaries import RunIndex

    found = list(RunIndex(session.home).read())[::-1]
    if session.json:
        print_json([_as_json(one) for one in found])
    elif not found:
        narrate("no run yet; train one with: cftui train model4")
    else:
        rows = [_as_row(one) for one in found]
        # What nobody wrote and no run has needs no column.
        kept = [name for name in rows[0] if any(row[name] not in ("", None) for row in rows)]
        print_table([{name: row[name] for name in kept} for row in rows], {"valid_loss": ".6f", "seconds": ".1f"})


def _as_json(one: JudgedRun) -> dict[str, Any]:
    verdict = one.verdict
    baseline = {"baseline": verdict.baseline, "margin": verdict.margin} if verdict else {"baseline": "", "margin": None}
    return {**one.run.as_row(), **baseline, "best": one.best}


def _as_row(one: JudgedRun) -> dict[str, Any]:
    """The columns of the app's table."""
    run, verdict = one.run, one.verdict
    lists = run.result.lists if run.result else None
    return {
        "": "*" if one.best else "",
        "name": run.name,
        "recipe": run.recipe,
        "differs in": ", ".join(run.differs),
        "data": run.data,
        "split": run.split,
        "status": run.status,
        "epochs": run.epochs,
        "valid_loss": run.valid_loss,
        "NDCG@10": lists.cell if lists else None if run.ndcg is None else f"{run.ndcg:.4f}",
        "vs best baseline": verdict.against_baseline if verdict else "",
        "curve": sparkline(run.curve),
        "seconds": run.seconds,
        "created": run.created[:16].replace("T", " "),
        "tags": " ".join(f"#{tag}" for tag in run.tags),
        "note": run.note,
        "problem": run.problem,
    }


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

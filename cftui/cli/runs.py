"""``cftui runs``: the training runs in the home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import narrate, print_facts, print_json, print_table
from cftui.cli.requeue import exit_if_unfinished
from cftui.cli.run_lists import lists
from cftui.cli.run_notes import note, tag
from cftui.cli.run_trash import restore, rm, trash
from cftui.cli.train import EventPrinter, epoch_heading, epoch_row
from cftui.cli.verb import HyperParameter, Session, SharedVerb, Verbs, home_option, pass_session
from cftui.cli.verdicts import narrate_offers
from cftui.engine.gradient.method import GradientOptions
from cftui.engine.interrupts import stop_requests
from cftui.engine.runs.watcher import watched
from cftui.errors import CftuiError
from cftui.text import plural, sparkline

if TYPE_CHECKING:
    from cftui.engine.runs.folder import RunFolder
    from cftui.engine.runs.summaries import JudgedRun
    from cftui.engine.runs.verdict import Peers

RUN = click.argument("run_name", metavar="RUN")
FOLLOW_SECONDS = 0.25


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
    from cftui.engine.runs.index import RunIndex

    found = list(RunIndex(session.home).read())[::-1]
    if session.json:
        from cftui.engine.runs.verdict import Peers

        peers = Peers(one.run.result for one in found if one.run.result is not None)
        print_json([_as_json(one, peers) for one in found])
    elif not found:
        narrate("no run yet; train one with: cftui train model4")
    else:
        rows = [_as_row(one) for one in found]
        # What nobody wrote and no run has needs no column.
        kept = [name for name in rows[0] if any(row[name] not in ("", None) for row in rows)]
        print_table([{name: row[name] for name in kept} for row in rows], {"valid_loss": ".6f", "seconds": ".1f"})


def _as_json(one: JudgedRun, peers: Peers) -> dict[str, Any]:
    from cftui.engine.runs.verdict import verdict

    own = one.run.result
    judged: dict[str, Any] = {"verdict": None, "kind": None, "baseline": "", "margin": None, "remarks": []}
    if own is not None:
        judged = verdict(own, peers.of(own)).as_json()
    return {**one.run.as_row(), **judged, "best": one.best}


def _as_row(one: JudgedRun) -> dict[str, Any]:
    """The columns of the app's table."""
    run, verdict = one.run, one.verdict
    judged = run.result.lists if run.result else None
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
        "NDCG@10": judged.cell if judged else None if run.ndcg is None else f"{run.ndcg:.4f}",
        "vs best baseline": verdict.against_baseline if verdict else "",
        "curve": sparkline(run.curve),
        "seconds": run.seconds,
        "processes": run.processes if run.processes > 1 else None,
        "created": run.created[:16].replace("T", " "),
        "tags": " ".join(f"#{tag}" for tag in run.tags),
        "note": run.note,
        "problem": run.problem,
    }


for command in (lists, rm, restore, trash, tag, note):
    runs.add_command(command)


@runs.command()
@RUN
@click.option("--toml", "as_file", is_flag=True, help="Print the file with which train --config repeats the run.")
@pass_session
def show(session: Session, run_name: str, as_file: bool) -> None:
    """Show the settings and the epoch table of a run."""
    from cftui.engine.runs.events import where_in_words
    from cftui.engine.runs.folder import LIVE, find
    from cftui.engine.runs.index import verdict_on
    from cftui.engine.runs.notes import read_notes
    from cftui.engine.runs.usage_text import in_words

    run = find(session.home, run_name)
    if as_file:
        _print_run_file(session, run)
        return
    config, history, notes = run.config(), run.history(), read_notes(run)
    status = run.status(history)
    judged = verdict_on(session.home, run)
    if session.json:
        found = {"status": status, "epochs": history.epochs, "ending": history.ending}
        worth = {"verdict": judged and judged.as_json()}
        print_json({**config.as_json(), **found, **worth, "note": notes.note, "tags": notes.tags})
        return
    unit = history.unit
    options = config.settings()
    versions = ", ".join(f"{name} {version}" for name, version in config.versions.items())
    print_facts(
        {
            "run": run.name,
            "status": status,
            "verdict": judged or "",
            "recipe": f"{config.recipe.name}: {config.recipe.summary}",
            "data": f"{config.data.name} ({config.data.fingerprint})",
            "options": ", ".join(f"{name} {value}" for name, value in options.items()),
            "device": where_in_words({**(history.start or {}), "device": config.device}),
            "versions": versions,
            "created": config.created,
            "folder": run.path,
        }
    )
    written = {"note": notes.note, "tags": ", ".join(notes.tags)}
    print_facts({name: text for name, text in written.items() if text})
    if status in LIVE and history.usage:
        print_facts({"uses": ", ".join(in_words(history.usage).values())})
    if status in ("failed", "dead"):
        print_facts({"reason": run.obituary(history)})
        for line in run.log_tail():
            print(f"  | {line}")
    if history.epochs:
        print("\n" + epoch_heading(unit, history.score.key))
        for event in history.epochs:
            print(epoch_row(event))
    if judged is not None:
        narrate_offers(judged, config)


def _print_run_file(session: Session, run: RunFolder) -> None:
    from cftui.engine.runs.run_file import as_toml

    config, history = run.config(), run.history()
    text = as_toml(config)
    print_json({"run": run.name, "toml": text}) if session.json else print(text, end="")
    length = config.options.length
    if (history.start or {}).get("epochs", length) > length:
        narrate(
            f"{run.name} was continued after its end; the file repeats the first {plural(length, config.method.unit)}"
        )


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
    report, reader, history = EventPrinter(session.json), EventReader(run.events_file, windows=False), History()
    while True:
        status = run.status(history)
        news = False
        for event in reader.events():
            news = True
            history.extend([event])
            report(event)
        if history.ending:
            if history.ending["event"] == "failed":
                raise CftuiError(f"run {run.name} failed: {run.obituary(history)}")
            if history.ending["event"] != "dead":
                return
        if status not in LIVE and not news:
            why = run.obituary(history)
            raise CftuiError(f"run {run.name} is {status} ({why}); continue it with: cftui runs resume {run.name}")
        time.sleep(FOLLOW_SECONDS)


@runs.command(cls=SharedVerb)
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

    It continues exactly from its last checkpoint, with torchrun by any number of processes.
    """
    with stop_requests() as stop_requested, watched(session.home, EventPrinter(session.json)) as emit:
        from cftui.engine import device as devices
        from cftui.engine import ranks
        from cftui.engine.runs.folder import find
        from cftui.engine.training import resume as run_resume

        with ranks.joined() as processes:
            run = find(session.home, run_name)
            run_resume(
                session.home,
                run,
                more_epochs=more_epochs or 0,
                device=devices.choose(ranks.own_device(device)),
                emit=emit,
                stop_requested=stop_requested,
            )
    if processes.is_first:
        exit_if_unfinished(run, stop_requested)


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

    If both were trained on the same ratings, one sentence says which predicts the validation ratings better, and one
    whose lists are better for the same users; both say whether the difference is more than chance.
    """
    from cftui.analysis.evaluation.comparing import compare as compare_models
    from cftui.analysis.trained import TrainedModel
    from cftui.engine.runs.folder import differences, find

    one, other = (find(session.home, name) for name in (first, second))
    rows = differences(one, other)
    for run in (one, other):
        if words := run.failed_in_words():
            narrate(words)
    if not session.json:
        print_table(rows)
    if one.name == other.name:
        if session.json:
            print_json(rows)
        return
    if differ := one.config().trained_on.differences(other.config().trained_on):
        if session.json:
            print_json(rows)
        narrate(f"which is better cannot be told: they differ in their {' and '.join(differ)}")
        return
    try:
        model = TrainedModel.load(one)
        found = compare_models(model, TrainedModel.load(other), model.ratings(session.home))
    except CftuiError as error:
        if session.json:
            print_json(rows)
        narrate(str(error))
        return
    if session.json:
        print_json([*rows, *found.rows()])
        return
    print()
    for remark in found.remarks:
        print(remark.words)
    if found.lists is not None:
        for run, share in ((one, found.lists.better), (other, found.lists.worse)):
            print(f"the lists of {run.name} are better for {share:.0%} of the users")

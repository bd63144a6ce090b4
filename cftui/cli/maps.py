"""The verbs about the learned factors: a map of the items on two axes, and the export of the embeddings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cftui.cli.output import narrate, print_json
from cftui.cli.reading import CSV, EPOCH, RUN, SPREADSHEET, check_csv, filter_options, load, only, show, write_csv
from cftui.cli.verb import Finite, Session, Verb, pass_session, rows_option
from cftui.errors import CftuiError, suggestion
from cftui.text import share

if TYPE_CHECKING:
    from cftui.analysis.maps.mapping import ItemMap
    from cftui.analysis.maps.robust import Iteration, Robust
    from cftui.analysis.trained import TrainedModel

POLES = click.Tuple([str, str])


@click.command(cls=Verb)
@RUN
@click.option(
    "--part",
    type=click.Choice(["M", "L", "S"]),
    default="M",
    show_default=True,
    help="M: all factors; L and S: their low-rank and sparse parts by robust PCA, M = L + S.",
)
@click.option(
    "--solver",
    type=click.Choice(["ialm", "book"]),
    default="ialm",
    show_default=True,
    help="Solver of robust PCA: inexact augmented Lagrangian, or the one of the course notebook.",
)
@click.option(
    "--x", "x_axis", type=POLES, metavar="A B", help="Use an x axis that leads from A to B: titles, genres or tags."
)
@click.option("--y", "y_axis", type=POLES, metavar="C D", help="Use a y axis that leads from C to D.")
@EPOCH
@click.option(
    "--from", "source", type=click.Path(path_type=Path), help="Read the coordinates from a CSV that --csv wrote."
)
@click.option("--near", is_flag=True, help="List the items close to an axis instead of those farthest from the origin.")
@click.option(
    "--tolerance",
    type=Finite(min=0),
    default=0.0002,
    show_default=True,
    help="Largest distance from an axis for --near.",
)
@rows_option(5, "Number of items per quadrant.")
@filter_options
@CSV
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the map into an .svg or .png file.")
@click.option(
    "--colour",
    default="quadrant",
    show_default=True,
    help="What the colours of the picture show: quadrant, genre, bias or ratings.",
)
@pass_session
def pca(
    session: Session,
    run_name: str,
    part: str,
    solver: str,
    x_axis: tuple[str, str] | None,
    y_axis: tuple[str, str] | None,
    epoch: int | None,
    source: Path | None,
    near: bool,
    tolerance: float,
    rows: int,
    min_ratings: int,
    genre: str,
    csv_file: Path | None,
    picture: Path | None,
    colour: str,
) -> None:
    """Map the items on two principal components of their factors.

    The output lists the items that are farthest from the origin in each quadrant. The CSV has the columns of the
    chapter: 0 and 1 (coordinates), 2 (distance from the origin), 3 (quadrant), and the title.
    """
    from cftui.analysis.maps import components
    from cftui.analysis.maps import mapping as maps

    model = load(session, run_name)
    if colour not in maps.COLOURINGS:
        raise CftuiError(
            f"no colouring {colour!r}", hint=suggestion(colour, list(maps.COLOURINGS)), option="colour", kind="unknown"
        )
    if bool(x_axis) != bool(y_axis):
        raise click.UsageError("--x and --y need each other; give both")
    choices = (("--x/--y", x_axis), ("--from", source), ("--part", part != "M"), ("--epoch", epoch is not None))
    ways = [name for name, is_given in choices if is_given]
    if len(ways) > 1:
        raise click.UsageError(f"{' and '.join(ways)} exclude each other; give one of them")

    facts: dict[str, object] = {}
    if x_axis and y_axis:
        ends = [maps.pole(model, text) for text in (*x_axis, *y_axis)]
        whole = maps.named_map(model, (ends[0], ends[1]), (ends[2], ends[3]))
    elif source is not None:
        from cftui.analysis.exports import read_map

        whole = maps.read_back(model, read_map(source), str(source))
    elif epoch is not None:
        whole = maps.epoch_map(model.at_epoch(epoch), maps.principal_map(model)[1])
        facts["epoch"] = epoch
    elif part != "M":
        robust = _robust(session, model, solver)
        whole = maps.principal_map(model, robust.low_rank if part == "L" else robust.sparse, f"{part} PC")[0]
        facts |= {"part": part, "solver": solver, "iterations": robust.iterations, "residual": robust.residual}
        facts |= {"rank": robust.rank, "density": robust.density, "converged": robust.converged}
        facts["objective"] = robust.objective
    else:
        whole = maps.principal_map(model)[0]

    codes = whole.table["code"].to_numpy()
    shown = whole.only(only(model, min_ratings, genre).allows(model)[codes])
    corners = components.near_axes(shown.table, tolerance) if near else components.farthest(shown.table, rows)
    if csv_file is not None:
        check_csv(csv_file)
    if picture is not None:
        _draw(model, shown, corners["code"].tolist(), picture, colour)
    if csv_file is not None:
        columns = ["0", "1", "2", "3", "title", "ratings"]
        table = shown.table
        if model.options.item_key == "id":  # several ids may have the same title
            table = table.assign(item=[model.items.classes[code] for code in table["code"]])
            columns.append("item")
        write_csv(csv_file, table[columns], model.nouns)
    if csv_file is not None or picture is not None:
        return
    facts["axes"] = list(whole.axes)
    facts["variance"] = None if whole.variance is None else [round(float(v), 6) for v in whole.variance]
    if not session.json:
        shares = (
            ["", ""]
            if whole.variance is None
            else [f" {share(v)}{' of the variance' if v else ''}" for v in whole.variance]
        )
        narrate(", ".join(f"{axis}{share}" for axis, share in zip(whole.axes, shares, strict=True)))
    corners = corners.assign(trust=[_trust(shown, code) for code in corners["code"]])
    columns = ["3", "2", "0", "1", "trust", "ratings", "title", "code"]
    number = ".6f"
    show(session, model, corners[columns], {"0": number, "1": number, "2": number}, **facts)


def _trust(shown: ItemMap, code: int) -> str:
    from cftui.analysis.maps import mapping as maps

    row = int(shown.table.index[shown.table["code"] == code][0])
    kept, of = maps.trust(shown, row)
    return f"{kept}/{of}"


def _robust(session: Session, model: TrainedModel, solver: str) -> Robust:
    """Return the robust PCA of a run, from its cache if possible. Otherwise, show the progress on stderr."""
    from cftui.analysis.maps.robust import robust_factors

    show_steps = sys.stderr.isatty() and not session.json

    def tell(step: Iteration) -> None:
        if show_steps:
            progress = f"iteration {step.iteration}  residual {step.residual:.1e}  rank {step.rank}"
            print(f"\r{progress}  density {step.density:.1%} ", end="", file=sys.stderr, flush=True)

    found = robust_factors(model, solver, on_step=tell)
    if show_steps:
        print(file=sys.stderr)
    if not session.json:
        state = "converged" if found.converged else "did not converge"
        parts = f"rank of L {found.rank}, density of S {found.density:.1%}"
        narrate(
            f"{solver}: {state} after {found.iterations} iterations, residual {found.residual:.1e}, "
            f"{parts}, objective {found.objective:.2f}"
        )
    return found


def _draw(model: TrainedModel, shown: ItemMap, labelled: list[int], path: Path, colour: str) -> None:
    from cftui.analysis.maps import mapping as maps
    from cftui.analysis.maps.pictures import draw_map

    group, legend = maps.groups(model, shown.table, colour)
    row_of = {int(code): row for row, code in enumerate(shown.table["code"])}
    shares = ["", ""] if shown.variance is None else [f" ({share(held)})" for held in shown.variance]
    draw_map(
        path,
        shown.xy,
        group,
        {row_of[code]: model.titles[code] for code in labelled},
        title=f"{model.name}: {len(shown.table):,} {model.nouns}",
        x_label=shown.axes[0] + shares[0],
        y_label=shown.axes[1] + shares[1],
        legend=legend,
    )
    narrate(f"drew {len(shown.table):,} {model.nouns} into {path}")


@click.command(cls=Verb)
@RUN
@click.option(
    "--format",
    "form",
    default="csv",
    show_default=True,
    help="csv, npz, safetensors or tsv (for TensorBoard's projector); or, for the event log, tensorboard, mlflow, "
    "wandb or trackio.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    help="File to write, or its name without the ending [default: the run's name in the current folder]. For the event "
    "log: the folder of the tracker [default: tensorboard, mlruns, wandb or trackio in the current folder].",
)
@SPREADSHEET
@pass_session
def export(session: Session, run_name: str, form: str, target: Path | None) -> None:
    """Write factors and biases, with their titles, to files; or the event log, for an experiment tracker.

    The formats of files suit pandas, numpy, torch and TensorBoard's projector. For a tracker, the settings and all
    figures of the run are written as its own package reads them; exporting once more replaces what was there of the
    run. The package of the tracker has to be installed.
    """
    from cftui.analysis.trackers.exporting import TRACKERS, export_run

    if form in TRACKERS:
        from cftui.engine.runs.folder import find

        run = find(session.home, run_name)
        where = export_run(run, form, target)
        print_json({"run": run.name, "files": [str(where)]}) if session.json else print(where)
        return
    from cftui.analysis.exports import export as write

    model = load(session, run_name)
    written = write(model, form, target or Path(model.name), spreadsheet=session.spreadsheet)
    if session.json:
        print_json({**model.facts(), "files": [str(path) for path in written]})
    else:
        for path in written:
            print(path)

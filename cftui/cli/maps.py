"""The verbs that show what was learned: principal components, robust ones, named axes; and the embeddings, exported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cftui.cli.output import narrate, print_json
from cftui.cli.reading import CSV, EPOCH, RUN, check_csv, filter_options, load, only, show, write_csv
from cftui.cli.verb import Finite, Session, Verb, pass_session, rows_option
from cftui.errors import CftuiError, suggestion

if TYPE_CHECKING:
    from cftui.analysis.maps.mapping import ItemMap
    from cftui.analysis.maps.robust import Robust, Step
    from cftui.analysis.trained import TrainedModel

POLES = click.Tuple([str, str])


@click.command(cls=Verb)
@RUN
@click.option(
    "--part", type=click.Choice(["M", "L", "S"]), default="M", show_default=True, help="Robust PCA: M = L + S."
)
@click.option("--solver", type=click.Choice(["ialm", "book"]), default="ialm", show_default=True, help="For L and S.")
@click.option(
    "--x", "x_axis", type=POLES, metavar="A B", help="The x axis from A to B instead: titles, genres or tags."
)
@click.option("--y", "y_axis", type=POLES, metavar="C D", help="The y axis from C to D instead.")
@EPOCH
@click.option("--from", "source", type=click.Path(path_type=Path), help="Coordinates from a CSV that --csv wrote.")
@click.option("--near", is_flag=True, help="The items close to an axis instead of the farthest.")
@click.option("--tolerance", type=Finite(min=0), default=0.0002, show_default=True, help="For --near.")
@rows_option(5, "How many per quadrant.")
@filter_options
@CSV
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the map into an .svg or .png file.")
@click.option("--colour", default="quadrant", show_default=True, help="Of the picture: quadrant, genre, bias, ratings.")
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
    """Two principal components of the item factors: who stands farthest in each quadrant.

    The CSV has the chapter's columns 0 and 1 (coordinates), 2 (distance from the origin), 3 (quadrant), and the title.
    """
    from cftui.analysis.maps import components
    from cftui.analysis.maps import mapping as maps

    model = load(session, run_name)
    if colour not in maps.COLOURINGS:
        raise CftuiError(f"no colouring {colour!r}; {suggestion(colour, list(maps.COLOURINGS))}")
    if bool(x_axis) != bool(y_axis):
        raise click.UsageError("--x and --y go together")
    ways = [name for name, asked in (("--x/--y", x_axis), ("--from", source), ("--part", part != "M")) if asked]
    if epoch is not None:
        ways.append("--epoch")
    if len(ways) > 1:
        raise click.UsageError(f"{' and '.join(ways)} exclude each other")

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
        found = _robust(session, model, solver)
        whole = maps.principal_map(model, found.low_rank if part == "L" else found.sparse, f"{part} PC")[0]
        facts |= {"part": part, "solver": solver, "iterations": found.iterations, "residual": found.residual}
        facts |= {"rank": found.rank, "density": found.density, "converged": found.converged}
        facts["objective"] = found.objective
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
        if model.options.item_key == "id":  # of which several may have one title
            table = table.assign(item=[model.items.classes[code] for code in table["code"]])
            columns.append("item")
        write_csv(csv_file, table[columns], model.nouns)
    if csv_file is not None or picture is not None:
        return
    facts["axes"] = list(whole.axes)
    facts["variance"] = None if whole.variance is None else [round(float(v), 6) for v in whole.variance]
    if not session.json:
        shares = ["", ""] if whole.variance is None else [f" {v:.1%} of the variance" for v in whole.variance]
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
    """Robust PCA of the run, from its cache or with its progress told on stderr."""
    from cftui.analysis.maps.robust import robust_factors

    def tell(step: Step) -> None:
        if sys.stderr.isatty():
            said = f"iteration {step.iteration}  residual {step.residual:.1e}  rank {step.rank}"
            print(f"\r{said}  density {step.density:.1%} ", end="", file=sys.stderr, flush=True)

    found = robust_factors(model, solver, on_step=tell)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if not session.json:
        state = "converged" if found.converged else "did not converge"
        said = f"{solver}: {state} after {found.iterations} iterations, residual {found.residual:.1e}"
        parts = f"rank of L {found.rank}, density of S {found.density:.1%}"
        narrate(f"{said}, {parts}, objective {found.objective:.2f}")
    return found


def _draw(model: TrainedModel, shown: ItemMap, labelled: list[int], path: Path, colour: str) -> None:
    from cftui.analysis.maps import mapping as maps
    from cftui.analysis.maps.pictures import draw_map

    group, legend = maps.groups(model, shown.table, colour)
    row_of = {int(code): row for row, code in enumerate(shown.table["code"])}
    shares = ["", ""] if shown.variance is None else [f" ({share:.1%})" for share in shown.variance]
    draw_map(
        path,
        shown.xy,
        group,
        {row_of[code]: model.titles[code] for code in labelled},
        title=f"{model.run.name}: {len(shown.table):,} {model.nouns}",
        x_label=shown.axes[0] + shares[0],
        y_label=shown.axes[1] + shares[1],
        legend=legend,
    )
    narrate(f"drew {len(shown.table):,} {model.nouns} into {path}")


@click.command(cls=Verb)
@RUN
@click.option("--format", "form", default="csv", show_default=True, help="csv, npz, safetensors or tsv (projector).")
@click.option("--to", "target", type=click.Path(path_type=Path), help="File or stem (default: the run's name here).")
@pass_session
def export(session: Session, run_name: str, form: str, target: Path | None) -> None:
    """Factors and biases with their titles: for pandas, numpy, torch, or TensorBoard's projector."""
    from cftui.analysis.exports import export as write

    model = load(session, run_name)
    written = write(model, form, target or Path(model.run.name))
    if session.json:
        print_json({**model.facts(), "files": [str(path) for path in written]})
    else:
        for path in written:
            print(path)


VERBS = (pca, export)

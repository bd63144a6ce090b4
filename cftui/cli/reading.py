"""What the verbs that read a trained model share: loading it, filtering items, and printing or writing rankings."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import narrate, print_json, print_table, records
from cftui.cli.verb import Decorated, Session, remember
from cftui.errors import CftuiError

if TYPE_CHECKING:
    import pandas as pd

    from cftui.analysis.ranking import Filter
    from cftui.analysis.trained import TrainedModel
    from cftui.analysis.users.people import Person
    from cftui.data.ratings import Ratings

RUN = click.argument("run_name", metavar="RUN", default="latest")
SPREADSHEET = click.option(
    "--spreadsheet",
    is_flag=True,
    expose_value=False,
    callback=remember("spreadsheet"),
    help="In CSV files, put an apostrophe before text that begins with =, +, - or @: a spreadsheet would run it as a "
    "formula. Without this the text is exact, and reads back as it was.",
)


def CSV(function: Decorated) -> Decorated:
    """Add ``--csv`` and ``--spreadsheet``; the first becomes the parameter ``csv_file``."""
    file: Callable[[Decorated], Decorated] = click.option(
        "--csv",
        "csv_file",
        type=click.Path(path_type=Path),
        help="Write all rows to this CSV file ('-' for stdout).",
    )
    return file(SPREADSHEET(function))


USER = click.option("--user", required=True, help="User id, or the name of a saved profile.")
EPOCH = click.option("--epoch", type=click.IntRange(0), help="Use the weights after that epoch (from 0).")


def filter_options(function: Decorated) -> Decorated:
    """Add ``--min-ratings`` and ``--genre``, which become parameters of those names."""
    least = click.option(
        "--min-ratings",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Leave out items with fewer ratings than this.",
    )
    genre = click.option(
        "--genre", default="", help="List only items of this genre or tag; its first letters are enough."
    )
    decorate: Callable[[Decorated], Decorated] = lambda f: least(genre(f))  # noqa: E731
    return decorate(function)


def load(session: Session, run_name: str, epoch: int | None = None) -> TrainedModel:
    """Load the model of a run, with its final weights or with those after ``epoch``."""
    from cftui.analysis.trained import TrainedModel
    from cftui.engine.runs.folder import find

    run = find(session.home, run_name)
    model = TrainedModel.load(run)
    if words := run.failed_in_words():
        narrate(words)
    return model if epoch is None else model.at_epoch(epoch)


def load_for(session: Session, run_name: str, user: str) -> tuple[TrainedModel, Ratings, Person]:
    """Load the model of a run, its ratings, and the user or profile to predict for."""
    from cftui.analysis.users.people import person

    model = load(session, run_name)
    ratings = model.ratings(session.home)
    return model, ratings, person(model, ratings, session.home, user)


def only(model: TrainedModel, min_ratings: int, genre: str) -> Filter:
    """Return the filter of ``filter_options``.

    Raises:
        CftuiError: ``genre`` is not one genre or tag of the data set.
    """
    from cftui.analysis.ranking import Filter

    by_genre = Filter.parse(genre, model) if genre else Filter()
    if genre and (not by_genre.genre or by_genre.min_ratings):
        raise CftuiError(
            f"--genre {genre}: not a genre", hint="give the least number of ratings with --min-ratings", option="genre"
        )
    return Filter(min_ratings, by_genre.genre)


def show(session: Session, model: TrainedModel, table: pd.DataFrame, formats: dict[str, str], **facts: Any) -> None:
    """Print a ranking: as a table whose item column has the data set's word for items, or as one JSON object."""
    table = table.drop(columns="code", errors="ignore")
    if session.json:
        print_json({**model.facts(), **facts, "rows": records(table)})
    elif len(table):
        print_table(records(table.rename(columns={"title": model.noun})), formats)
    else:
        narrate(f"no {model.noun} matches")


def check_csv(path: Path) -> None:
    """Check, before any work is done, that a CSV file can be written to ``path``.

    Raises:
        CftuiError: ``path`` is a folder, or its folder does not exist.
    """
    if path.is_dir():
        raise CftuiError("is a folder", where=path, hint="give --csv the name of a file", option="csv")
    if not path.parent.is_dir():
        raise CftuiError(f"no folder {path.parent}", where=path, hint="create it, or give another --csv", option="csv")


def write_csv(path: Path, table: pd.DataFrame, what: str) -> None:
    """Write all rows of ``table`` to ``path``, or to stdout if it is ``-``.

    Args:
        what: what the rows are, in the plural, for the narration.

    Raises:
        CftuiError: ``path`` is a folder, or its folder does not exist.
    """
    check_csv(path)
    table = table.drop(columns="code", errors="ignore")
    if click.get_current_context().ensure_object(Session).spreadsheet:
        from cftui.analysis.exports import without_formulas

        table = without_formulas(table)
    text = table.to_csv(index=False)
    if str(path) == "-":
        sys.stdout.write(text)
        return
    from cftui.files import write_atomic

    write_atomic(path, text)
    narrate(f"wrote {len(table):,} {what} to {path}")

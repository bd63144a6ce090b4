"""What the verbs that read a trained model share: loading it, filters, rankings on stdout or in a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import narrate, print_json, print_table, records
from cftui.cli.verb import Decorated, Session
from cftui.errors import CftuiError

if TYPE_CHECKING:
    import pandas as pd

    from cftui.analysis.ranking import Filter
    from cftui.analysis.trained import TrainedModel
    from cftui.analysis.users.people import Person
    from cftui.data.ratings import Ratings

RUN = click.argument("run_name", metavar="RUN", default="latest")
CSV = click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path),
    help="Write every row there ('-': stdout).",
)
USER = click.option("--user", required=True, help="User id, or the name of a saved profile.")
EPOCH = click.option("--epoch", type=click.IntRange(0), help="As it was after that epoch (from 0).")


def filter_options(function: Decorated) -> Decorated:
    """``--min-ratings`` and ``--genre``, handed on by those names."""
    least = click.option(
        "--min-ratings",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Leave out items with fewer ratings.",
    )
    genre = click.option("--genre", default="", help="Only items of that genre or tag, or of one that begins so.")
    decorate: Callable[[Decorated], Decorated] = lambda f: least(genre(f))  # noqa: E731
    return decorate(function)


def load(session: Session, run_name: str, epoch: int | None = None) -> TrainedModel:
    """The model of a run, or what it was after an epoch."""
    from cftui.analysis.trained import TrainedModel
    from cftui.engine.runs.folder import find

    model = TrainedModel.load(find(session.home, run_name))
    return model if epoch is None else model.at_epoch(epoch)


def load_for(session: Session, run_name: str, user: str) -> tuple[TrainedModel, Ratings, Person]:
    """A model with its ratings, and somebody to predict for."""
    from cftui.analysis.users.people import person

    model = load(session, run_name)
    ratings = model.ratings(session.home)
    return model, ratings, person(model, ratings, session.home, user)


def only(model: TrainedModel, min_ratings: int, genre: str) -> Filter:
    from cftui.analysis.ranking import Filter

    asked = Filter.parse(genre, model) if genre else Filter()
    if genre and (not asked.genre or asked.min_ratings):
        raise CftuiError(f"--genre {genre}: takes a genre; a number goes to --min-ratings")
    return Filter(min_ratings, asked.genre)


def show(session: Session, model: TrainedModel, table: pd.DataFrame, formats: dict[str, str], **facts: Any) -> None:
    """A ranking: as a table with the item column named as the data set names it, or as one JSON object."""
    table = table.drop(columns="code", errors="ignore")
    if session.json:
        print_json({**model.facts(), **facts, "rows": records(table)})
    elif len(table):
        print_table(records(table.rename(columns={"title": model.noun})), formats)
    else:
        narrate("nothing fits")


def check_csv(path: Path) -> None:
    """Raises CftuiError where a file cannot be written there: before anything else is done."""
    if path.is_dir():
        raise CftuiError(f"{path}: that is a folder")
    if not path.parent.is_dir():
        raise CftuiError(f"{path}: there is no folder {path.parent}")


def write_csv(path: Path, table: pd.DataFrame, what: str) -> None:
    """All rows into a file, or to stdout for ``-``. Raises CftuiError where there is no such folder."""
    check_csv(path)
    text = table.drop(columns="code", errors="ignore").to_csv(index=False)
    if str(path) == "-":
        sys.stdout.write(text)
        return
    from cftui.files import write_atomic

    write_atomic(path, text)
    narrate(f"wrote {len(table):,} {what} to {path}")

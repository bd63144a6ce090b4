"""``cftui data``: fetch and import data sets, and look at them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import Formats, narrate, print_facts, print_json, print_table, records
from cftui.cli.verb import HyperParameter, Session, Verbs, pass_session, rows_option
from cftui.data.store import catalog
from cftui.data.synth.shapes import SHAPES
from cftui.engine.models.options import Options
from cftui.errors import CftuiError
from cftui.text import figure, shorten

if TYPE_CHECKING:
    import pandas as pd

    from cftui.data.tables import Tables

# With more rating values than these, ``stats`` shows bins.
LEVELS = 50
FORMATS: Formats = {
    **dict.fromkeys(("rating", "times", "to"), ",.10g"),
    **dict.fromkeys(("mean", "times each"), figure),
    **dict.fromkeys(("count", "ratings", "users", "pairs"), ","),
    **dict.fromkeys(("share", "of ratings", "of pairs"), ".1%"),
}

# Titles at the heads of the crosstab are cut to this.
TITLE = 16

NAME = click.argument("name", default="ml-100k")


@click.group(cls=Verbs)
def data() -> None:
    """Fetch and import data sets, and look at them."""


@data.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the data sets, and say which are on disk."""
    rows = [
        {
            "name": one.name,
            "label": one.known.label,
            "on_disk": one.is_present,
            "folder": str(one.folder),
        }
        for one in catalog.listed(session.home)
    ]
    if session.json:
        print_json(rows)
    else:
        print_table([{**row, "on_disk": "yes" if row["on_disk"] else "no"} for row in rows])


@data.command()
@click.argument("name")
@click.option(
    "--from",
    "source",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Read this folder or zip file instead of downloading.",
)
@pass_session
def get(session: Session, name: str, source: Path | None) -> None:
    """Fetch a data set, unless it is on disk already."""
    from cftui.cli.progress import DownloadBar
    from cftui.data.store import sources

    known = catalog.known(name, session.home)
    if not known.url:
        raise CftuiError(f"{name} is {'imported' if known.imported else 'made'}, not fetched: {known.remedy}")
    with DownloadBar(quiet=session.json) as bar:
        folder = sources.get(name, session.home, source=source, say=narrate, progressbar=bar)
    print_json({"name": name, "folder": str(folder)}) if session.json else print(folder)


@data.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the data set, for --data.")
@click.option("--into", metavar="NAME", help="Instead of --name: add the rows to this imported data set.")
@click.option("--user", metavar="COL", help="Column of the users, by name or by number from 1.")
@click.option("--item", metavar="COL", help="Column of the items.")
@click.option("--rating", metavar="COL", help="Column of the ratings: numbers on any scale, or words.")
@click.option("--counts", metavar="COL", help="Instead of ratings: column that counts plays, purchases or views.")
@click.option("--no-rating", is_flag=True, help="Instead of ratings: every row is one play, purchase, view or like.")
@click.option(
    "--unrated",
    metavar="X",
    type=float,
    multiple=True,
    help="A rating that means 'not rated', such as 0, -1 or 99: such rows are left out, except for ease and ials. "
    "Can be given several times.",
)
@click.option("--only", metavar="COL=TEXT", help="Leave out the rows in which this column holds another text.")
@click.option(
    "--time", metavar="COL", help='Column of the times: epoch seconds or milliseconds, or dates; "" for none.'
)
@click.option(
    "--test",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A second file of ratings, the test part: --split given trains on FILE and validates on it.",
)
@click.option(
    "--split-column",
    metavar="COL[=TEXT]",
    help="Instead of --test: column that says train or test, or that holds TEXT in the rows of the test part.",
)
@click.option(
    "--items", metavar="FILE", type=click.Path(path_type=Path), help="A second file, with facts about the items."
)
@click.option("--item-id", metavar="COL", help="Column of --items with the same ids as --item.")
@click.option("--title", metavar="COL", help="Column with the titles, of --items or else of FILE.")
@click.option("--genres", metavar="COL", help="Column with the genres, separated by | or commas.")
@click.option("--year", metavar="COL", help="Column with the years, or dates.")
@click.option("--noun", default="item", show_default=True, help="Word for one item, such as book, song or beer.")
@click.option("--label", metavar="TEXT", help="Name of the data set in headings [default: --name].")
@click.option(
    "--delimiter",
    metavar="D",
    help="Delimiter of the columns: a character, ::, tab, space or blanks [default: guessed].",
)
@click.option(
    "--quote",
    type=click.Choice(["double", "backslash", "none"]),
    help="A double quote encloses text and is doubled, or escaped by a backslash, within it; or is a character "
    "[default: guessed].",
)
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first row holds the names of the columns [default: guessed].",
)
@click.option(
    "--shape",
    type=click.Choice(["rows", "matrix", "lists", "blocks"]),
    help="A rating a row, a matrix of users and items, a user and their items a line, or blocks of ratings under "
    "item: [default: guessed].",
)
@click.option("--encoding", metavar="E", help="Encoding of the file, such as utf-8 or cp1252 [default: guessed].")
@click.option(
    "--duplicates",
    type=click.Choice(["last", "mean", "error"]),
    default="last",
    show_default=True,
    help="If a user rates an item twice: keep the last rating by time, then in the file; keep the mean; or fail.",
)
@click.option("--skip-bad", metavar="N", type=click.IntRange(0), default=0, help="Skip up to N malformed rows.")
@pass_session
def import_(session: Session, file: Path, name: str | None, into: str | None, **asked: Any) -> None:
    """Import a file of ratings, or of what people chose, as a data set.

    FILE is CSV or TSV, JSON, Parquet, an Excel workbook, SQLite, or a matrix of numpy's or Matlab's, compressed or
    not; - is standard input, and x.zip:ratings.csv is one table of an archive. Delimiter, encoding, columns and shape
    are guessed from the header and the first rows. The guesses are printed as options; give an option to correct its
    guess.

    \b
    cftui data import ratings.csv --name beers --noun beer
    cftui data import plays.csv --name songs --noun song --counts plays
    cftui data import orders.csv --name shop --no-rating
    cftui data import march.csv --into beers
    cftui data import train.csv --test test.csv --name contest

    What people chose is counted: repeated rows add up. Such a data set has no ratings to predict; the recipes ease and
    ials recommend from it.
    """
    from cftui.data.store.asked import Asked
    from cftui.data.store.importing import import_ratings, imported_in_words, recipe_for

    target = name or into
    if target is None or (name and into):
        raise click.UsageError("give --name for a new data set, or --into for one that exists")
    name = target
    facts = import_ratings(file, name, session.home, Asked(**asked), say=narrate, into=into is not None)
    folder = catalog.find(name, session.home).folder
    narrate(f"{name}: {imported_in_words(facts)}. Next: cftui train {recipe_for(facts)} --data {name}")
    print_json({"folder": str(folder), **facts}) if session.json else print(folder)


@data.command()
@click.argument("name")
@pass_session
def rm(session: Session, name: str) -> None:
    """Delete a data set from disk.

    Runs that were trained on it stay, but most verbs need the data set to read them.
    """
    folder = catalog.find(name, session.home).remove()
    print_json({"name": name, "removed": str(folder)}) if session.json else narrate(f"removed {folder}")


@data.command()
@click.argument("shape", metavar=f"{{{'|'.join(SHAPES)}}}")
@click.option(
    "--seed",
    type=HyperParameter(Options.option("seed")),
    default=0,
    show_default=True,
    help="Seed of the ratings.",
)
@click.option(
    "--scale", type=float, default=1.0, show_default=True, help="Factor for the numbers of users, items and ratings."
)
@pass_session
def synth(session: Session, shape: str, seed: int, scale: float) -> None:
    """Make synthetic ratings in the shape of a published data set.

    They have long tails, and follow from known biases, factors and noise, so the lowest RMSE that a model can reach is
    known. The name of the data set is synth- and the shape; another seed or scale replaces it.
    """
    from cftui.data.synth import generate as making

    folder = making.make(shape, session.home, seed=seed, scale=scale, say=narrate)
    if not session.json:
        print(folder)
        return
    facts = making.read_facts(folder)
    keys = ("name", "label", "seed", "scale", "floor", "biases_only", "mean_only", "fingerprint")
    print_json({"folder": str(folder), **{key: facts[key] for key in keys}})


@data.command()
@NAME
@click.option("--duplicates", is_flag=True, help="List the duplicate titles.")
@pass_session
def stats(session: Session, name: str, duplicates: bool) -> None:
    """Show the size, rating scale, density and dates of a data set.

    Then, as far as the data set knows: ratings by genre, by age, gender and occupation of the users, over time, and how
    many users and items have how many ratings. More than 50 values, or more than 20 that are no
    even scale, are shown in bins.
    """
    from cftui.data import statistics, summaries

    tables = catalog.open_tables(name, session.home)
    facts = statistics.describe(tables)
    twice = statistics.duplicate_titles(tables)
    histogram = statistics.histogram(tables, most=LEVELS)
    groups = summaries.all_groups(tables)
    if session.json:
        # No times are null here; in the app they are an empty text.
        facts = {**facts, "first": facts["first"] or None, "last": facts["last"] or None}
        parts = {key: records(frame) for key, frame in groups.items()}
        print_json({**facts, "histogram": records(histogram), **parts, "duplicates": records(twice)})
    elif duplicates:
        print_table(records(twice.rename(columns={"item": tables.noun})))
    else:
        print_facts(readable(facts, tables.noun))
        print()
        print_table(records(_headed(histogram, tables)), FORMATS)
        for frame in groups.values():
            if len(frame):
                print()
                print_table(records(_headed(frame, tables)), FORMATS)


def _headed(frame: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """The columns as they are called where they are read, not in JSON."""
    heads = {"items": tables.nouns, "share_of_ratings": "of ratings"}
    if tables.counted:
        heads |= {"ratings": "pairs", "share_of_ratings": "of pairs", "mean": "times each", "rating": "times"}
    if "unit" in frame.attrs:
        heads["from"] = f"{frame.attrs['unit']} from"
    elif "from" in frame:
        heads |= {"from": f"{'pairs' if tables.counted else 'ratings'} from"}
    return frame.rename(columns=heads)


def _values_in_words(facts: dict[str, Any]) -> dict[str, str]:
    if facts["counted"]:
        return {"chosen": f"{facts['total']:,} times, at most {facts['rating_max']:,} of one by one user"}
    low, high = (format(facts[key], ",.7g") for key in ("rating_min", "rating_max"))
    between = " to " if facts["rating_min"] < 0 else "-"
    return {"rating scale": f"{low}{between}{high}, mean {figure(facts['rating_mean'])}"}


def readable(facts: dict[str, Any], noun: str) -> dict[str, str]:
    """Return the facts by their labels, with the data set's word for items."""

    def spread(key: str) -> str:
        return "{min} to {max}, median {median}".format(**facts[key])

    return {
        "data set": facts["label"],
        ("pairs" if facts["counted"] else "ratings"): f"{facts['ratings']:,}",
        "users": f"{facts['users']:,}",
        f"{noun}s": f"{facts['items']:,} ids, {facts['titles']:,} titles ({facts['duplicate_titles']} duplicates)",
        "density": f"{facts['density']:.2%}",
        **_values_in_words(facts),
        "ids": facts["ids"],
        "from": f"{facts['first'][:10]} to {facts['last'][:10]}" if facts["first"] else "no times",
        "per user": spread("ratings_per_user"),
        f"per {noun}": spread("ratings_per_item"),
    }


@data.command()
@NAME
@rows_option(5)
@pass_session
def head(session: Session, name: str, rows: int) -> None:
    """Show the first ratings, with their titles."""
    from cftui.data import statistics

    table = records(statistics.head(catalog.open_tables(name, session.home), rows))
    print_json(table) if session.json else print_table(table)


@data.command()
@NAME
@click.option("--users", type=click.IntRange(1), default=10, show_default=True, help="Number of rows.")
@click.option("--items", type=click.IntRange(1), default=10, show_default=True, help="Number of columns.")
@click.option("--from-user", type=click.IntRange(0), default=0, help="Number of users to skip.")
@click.option("--from-item", type=click.IntRange(0), default=0, help="Number of items to skip.")
@click.option("--densest", is_flag=True, help="Order users and items by their number of ratings instead of by id.")
@click.option("--titles", is_flag=True, help="Head the columns with titles instead of ids.")
@pass_session
def crosstab(
    session: Session, name: str, users: int, items: int, from_user: int, from_item: int, densest: bool, titles: bool
) -> None:
    """Show a part of the user x item table of ratings.

    A cell without a rating is blank.
    """
    from cftui.data import statistics

    tables = catalog.open_tables(name, session.home)
    table = statistics.crosstab(tables, users, items, from_user=from_user, from_item=from_item, densest=densest)
    called = statistics.titles_of(tables, table.columns.tolist())
    if session.json:
        print_json(
            {
                "users": table.index.tolist(),
                "items": table.columns.tolist(),
                "titles": called,
                "ratings": [[None if math.isnan(v) else v for v in row] for row in table.to_numpy().tolist()],
            }
        )
        return
    corner = f"user \\ {tables.noun}"
    heads = [shorten(title, TITLE) for title in called] if titles else [str(item) for item in table.columns]
    if len(set(heads)) < len(heads):  # two ids may share a title
        heads = [f"{head} {item}" for head, item in zip(heads, table.columns, strict=True)]
    cells = zip(table.index, table.to_numpy(float).tolist(), strict=True)
    rows = [{corner: user, **dict(zip(heads, row, strict=True))} for user, row in cells]
    print_table(rows, dict.fromkeys(heads, ",.10g"))

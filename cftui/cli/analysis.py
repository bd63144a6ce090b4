"""The verbs that read a trained model without asking for a user: predictions, biases, similar items, an anatomy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cftui.cli.output import narrate, print_facts, print_json, print_table, records
from cftui.cli.reading import CSV, EPOCH, RUN, filter_options, load, only, show, write_csv
from cftui.cli.verb import Finite, Session, Verb, pass_session, rows_option, run_option
from cftui.text import number, spec


@click.command(cls=Verb)
@RUN
@rows_option(9)
@click.option("--seed", type=click.IntRange(0), help="Seed of the draw [default: a new draw each time].")
@pass_session
def results(session: Session, run_name: str, rows: int, seed: int | None) -> None:
    """Show validation ratings beside their predictions.

    The ratings are drawn at random, as by show_results in the chapter.
    """
    from cftui.analysis.evaluation import accuracy

    model = load(session, run_name)
    table = accuracy.results(model, model.ratings(session.home), rows, seed)
    show(session, model, table, {"rating": "g", "rating_pred": ".6f"})


@click.command(cls=Verb)
@RUN
@rows_option(5, "Number of items from each end.")
@click.option("--search", "query", default="", help="List the items that match this instead, highest bias first.")
@CSV
@EPOCH
@pass_session
def bias(session: Session, run_name: str, rows: int, query: str, csv_file: Path | None, epoch: int | None) -> None:
    """List the items with the lowest and the highest bias.

    The bias says how well an item is liked once the users who rate it and their tastes are accounted for. The mean of
    the item's ratings is shown beside it.
    """
    from cftui.analysis import ranking

    model = load(session, run_name, epoch)
    table = ranking.biases(model, model.ratings(session.home))
    table["rank"] = range(len(table), 0, -1)
    table = table[["rank", "bias", "mean", "ratings", "title", "code"]]
    formats = {"bias": "+.3f", "mean": ".2f"}
    if query:
        table = table[table["code"].isin(model.index.matches(query))]
    if csv_file is not None:
        write_csv(csv_file, table[::-1], model.nouns)
    elif query:
        show(session, model, table[::-1], formats)
    else:
        ends = {"lowest": table.head(rows), "highest": table.tail(rows)[::-1]}
        if session.json:
            print_json({**model.facts(), **{k: records(v.drop(columns="code")) for k, v in ends.items()}})
            return
        for heading, end in ends.items():
            print(f"{heading} bias")
            show(session, model, end, formats)
            print()


@click.command(cls=Verb)
@click.argument("title")
@run_option
@rows_option(10)
@click.option(
    "--metric",
    type=click.Choice(["cosine", "euclidean"]),
    default="cosine",
    show_default=True,
    help="How to compare factors: by their direction or by their distance.",
)
@click.option(
    "--shrink",
    type=Finite(0),
    default=0.0,
    show_default=True,
    help="Multiply the similarity of an item with n ratings by n / (n + SHRINK), to rank rarely rated items lower.",
)
@filter_options
@CSV
@EPOCH
@pass_session
def similar(
    session: Session,
    title: str,
    run_name: str,
    rows: int,
    metric: str,
    shrink: float,
    min_ratings: int,
    genre: str,
    csv_file: Path | None,
    epoch: int | None,
) -> None:
    """List the items whose factors are most like those of TITLE.

    Similarities are plain, as in the chapter, unless --shrink is given; the app shrinks them by 50.
    """
    from cftui.analysis import ranking

    model = load(session, run_name, epoch)
    item = model.item_code(title)
    n = len(model.items) if csv_file is not None else rows
    table = ranking.similar(model, item, n, metric=metric, shrink=shrink, only=only(model, min_ratings, genre))
    metric = "weight" if "weight" in table else metric
    table = table[[metric, "ratings", "title", "code"]]
    if csv_file is not None:
        write_csv(csv_file, table, model.nouns)
        return
    if not session.json:
        narrate(f"similar to {model.titles[item]} ({model.name})")
    show(session, model, table, {metric: ".3f"}, title=model.titles[item])


@click.command(cls=Verb)
@click.argument("title")
@run_option
@pass_session
def about(session: Session, title: str, run_name: str) -> None:
    """Show the facts about TITLE.

    These are its year, genres and tags, the histogram and the mean of its ratings, its bias and the rank of that bias.
    """
    from cftui.analysis import ranking

    model = load(session, run_name)
    item = ranking.about(model, model.ratings(session.home), model.item_code(title))
    facts: dict[str, Any] = {
        "title": item.title,
        "year": item.year or None,
        "genres": list(item.genres),
        "tags": list(item.tags),
        "ratings": item.ratings,
        "mean": item.mean,
        "bias": item.bias,
        "bias_rank": item.rank,
    }
    if session.json:
        print_json({**model.facts(), **facts, "histogram": records(item.histogram)})
        return
    bias = "" if item.bias is None else f"{number(item.bias, 3, '+')}, no. {item.rank:,} of {len(model.items) - 1:,}"
    shown = {**facts, "year": item.year or "", "mean": format(item.mean, spec(model.rating_range, 2))}
    if model.counted:
        shown["users"], shown["times each"] = shown.pop("ratings"), shown.pop("mean")
    shown |= {"genres": " ".join(item.genres), "tags": ", ".join(item.tags)}
    print_facts({key: value for key, value in {**shown, "bias": bias}.items() if key != "bias_rank" and value != ""})
    if len(item.histogram):
        print()
        print_table(records(item.histogram), {"value": "g", "ratings": ",", "share": ".1%"})


@click.command(cls=Verb)
@RUN
@rows_option(3, "Number of ratings in the batch.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the choice of ratings.")
@pass_session
def anatomy(session: Session, run_name: str, rows: int, seed: int) -> None:
    """Show step by step how one batch of ratings is fitted.

    The steps are vectors, dot product, sigmoid range, squared error and gradient.
    """
    from cftui.analysis.explain.anatomy import anatomy as take_apart
    from cftui.analysis.explain.anatomy import describe

    model = load(session, run_name)
    parts = take_apart(model, model.ratings(session.home), rows, seed)
    if session.json:
        print_json({**model.facts(), **parts.as_json()})
    else:
        print(describe(parts))

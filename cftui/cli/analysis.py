"""The verbs that read a trained model for everybody: what does it predict, what is liked, what is alike?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cftui.cli.output import narrate, print_facts, print_json, print_table, records
from cftui.cli.reading import CSV, EPOCH, RUN, filter_options, load, only, show, write_csv
from cftui.cli.verb import Finite, Session, Verb, pass_session, rows_option, run_option


@click.command(cls=Verb)
@RUN
@rows_option(9)
@click.option("--seed", type=click.IntRange(0), help="Repeat a draw.")
@pass_session
def results(session: Session, run_name: str, rows: int, seed: int | None) -> None:
    """Validation ratings beside their predictions (the chapter's show_results)."""
    from cftui.analysis import ranking

    model = load(session, run_name)
    table = ranking.results(model, model.ratings(session.home), rows, seed)
    show(session, model, table, {"rating": "g", "rating_pred": ".6f"})


@click.command(cls=Verb)
@RUN
@rows_option(5, "How many from each end.")
@click.option("--search", "query", default="", help="Instead of the ends: the items this finds, most liked first.")
@CSV
@EPOCH
@pass_session
def bias(session: Session, run_name: str, rows: int, query: str, csv_file: Path | None, epoch: int | None) -> None:
    """The least and the most liked items, whoever rates them; beside it the plain mean of their ratings."""
    from cftui.analysis import ranking

    model = load(session, run_name, epoch)
    table = ranking.biases(model, model.ratings(session.home))
    table["rank"] = range(len(table), 0, -1)
    table = table[["rank", "bias", "mean", "ratings", "title", "code"]]
    formats = {"bias": "+.3f", "mean": ".2f"}
    if query:
        wanted = model.index.matches(query)
        table = table[table["code"].isin(wanted)]
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
@click.option("--metric", type=click.Choice(["cosine", "euclidean"]), default="cosine", show_default=True)
@click.option(
    "--shrink",
    type=Finite(0),
    default=0.0,
    show_default=True,
    help="Trust an item of n ratings by n / (n + SHRINK): few ratings make no discovery.",
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
    """The items whose factors point the same way as TITLE's, or lie nearest to them."""
    from cftui.analysis import ranking

    model = load(session, run_name, epoch)
    item = model.item_code(title)
    n = len(model.items) if csv_file is not None else rows
    table = ranking.similar(model, item, n, metric=metric, shrink=shrink, only=only(model, min_ratings, genre))
    table = table[[metric, "ratings", "title", "code"]]
    if csv_file is not None:
        write_csv(csv_file, table, model.nouns)
        return
    if not session.json:
        narrate(f"like {model.titles[item]} ({model.run.name})")
    show(session, model, table, {metric: ".3f"}, title=model.titles[item])


@click.command(cls=Verb)
@click.argument("title")
@run_option
@pass_session
def about(session: Session, title: str, run_name: str) -> None:
    """What there is to know of TITLE: genres and tags, ratings and how they are spread, bias and its rank."""
    from cftui.analysis import ranking

    model = load(session, run_name)
    found = ranking.about(model, model.ratings(session.home), model.item_code(title))
    facts: dict[str, Any] = {
        "title": found.title,
        "year": found.year or None,
        "genres": list(found.genres),
        "tags": list(found.tags),
        "ratings": found.ratings,
        "mean": found.mean,
        "bias": found.bias,
        "bias_rank": found.rank,
    }
    if session.json:
        print_json({**model.facts(), **facts, "histogram": records(found.histogram)})
        return
    liked = "" if found.bias is None else f"{found.bias:+.3f}, no. {found.rank:,} of {len(model.items) - 1:,}"
    shown = {**facts, "year": found.year or "", "mean": f"{found.mean:.2f}"}
    shown |= {"genres": " ".join(found.genres), "tags": ", ".join(found.tags)}
    print_facts({key: value for key, value in {**shown, "bias": liked}.items() if key != "bias_rank" and value != ""})
    print()
    print_table(records(found.histogram), {"value": "g", "ratings": ",", "share": ".1%"})


@click.command(cls=Verb)
@RUN
@rows_option(3, "How many ratings in the batch.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which ratings.")
@pass_session
def anatomy(session: Session, run_name: str, rows: int, seed: int) -> None:
    """One batch step by step: vectors, dot product, sigmoid range, squared error, gradient."""
    from cftui.analysis.explain.anatomy import anatomy as take_apart
    from cftui.analysis.explain.anatomy import describe

    model = load(session, run_name)
    parts = take_apart(model, model.ratings(session.home), rows, seed)
    if session.json:
        print_json({**model.facts(), **parts.as_json()})
    else:
        print(describe(parts))


VERBS = (results, bias, similar, about, anatomy)

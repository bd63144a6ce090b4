"""The verbs that read a trained model: is it any good, and what did it learn?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import narrate, print_json, print_table, records
from cftui.cli.verb import Session, Verb, pass_session, rows_option, run_option

if TYPE_CHECKING:
    import pandas as pd

    from cftui.analysis.trained import TrainedModel

RUN = click.argument("run_name", metavar="RUN", default="latest")
MINIMUM = click.option(
    "--min-ratings",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Leave out items with fewer ratings.",
)


def _load(session: Session, run_name: str) -> TrainedModel:
    from cftui.analysis.trained import TrainedModel
    from cftui.engine.runs import find

    return TrainedModel.load(find(session.home, run_name))


def _show(session: Session, model: TrainedModel, table: pd.DataFrame, formats: dict[str, str], **facts: Any) -> None:
    """A ranking: as a table with the item column named as the data set names it, or as one JSON object."""
    table = table.drop(columns="code", errors="ignore")
    if session.json:
        print_json({**model.facts(), **facts, "rows": records(table)})
    elif len(table):
        print_table(records(table.rename(columns={"title": model.noun})), formats)
    else:
        narrate("nothing fits")


@click.command("eval", cls=Verb)
@RUN
@pass_session
def evaluate(session: Session, run_name: str) -> None:
    """Score a run on its own training and validation ratings."""
    from cftui.analysis import ranking

    model = _load(session, run_name)
    scores = ranking.evaluate(model, model.ratings(session.home))
    rows = [{"part": part, "ratings": s.n, "mse": s.mse, "rmse": s.rmse, "mae": s.mae} for part, s in scores.items()]
    if session.json:
        print_json({**model.facts(), "split": model.options.split, **{row.pop("part"): row for row in rows}})
    else:
        print_table(rows, {"ratings": ",", "mse": ".6f", "rmse": ".6f", "mae": ".6f"})


@click.command(cls=Verb)
@RUN
@rows_option(9)
@click.option("--seed", type=click.IntRange(0), help="Repeat a draw.")
@pass_session
def results(session: Session, run_name: str, rows: int, seed: int | None) -> None:
    """Validation ratings beside their predictions (the chapter's show_results)."""
    from cftui.analysis import ranking

    model = _load(session, run_name)
    table = ranking.results(model, model.ratings(session.home), rows, seed)
    _show(session, model, table, {"rating": "g", "rating_pred": ".6f"})


@click.command(cls=Verb)
@RUN
@rows_option(5, "How many from each end.")
@pass_session
def bias(session: Session, run_name: str, rows: int) -> None:
    """The least and the most liked items, whoever rates them."""
    from cftui.analysis import ranking

    model = _load(session, run_name)
    table = ranking.biases(model)
    lowest, highest = table.head(rows), table.tail(rows)[::-1]
    if session.json:
        ends = {"lowest": lowest, "highest": highest}
        print_json({**model.facts(), **{k: records(v.drop(columns="code")) for k, v in ends.items()}})
        return
    for heading, end in (("lowest", lowest), ("highest", highest)):
        print(f"{heading} bias")
        _show(session, model, end[["bias", "ratings", "title"]], {"bias": "+.3f"})
        print()


@click.command(cls=Verb)
@click.argument("title")
@run_option
@rows_option(10)
@MINIMUM
@pass_session
def similar(session: Session, title: str, run_name: str, rows: int, min_ratings: int) -> None:
    """The items whose factors point the same way as TITLE's (cosine)."""
    from cftui.analysis import ranking

    model = _load(session, run_name)
    item = model.item_code(title)
    table = ranking.similar(model, item, rows, min_ratings=min_ratings)[["cosine", "ratings", "title", "code"]]
    if not session.json:
        narrate(f"like {model.titles[item]} ({model.run.name})")
    _show(session, model, table, {"cosine": ".3f"}, title=model.titles[item])


@click.command(cls=Verb)
@click.argument("title")
@click.option("--user", required=True, help="User id.")
@run_option
@pass_session
def predict(session: Session, title: str, user: str, run_name: str) -> None:
    """What a user would give TITLE."""
    import numpy as np

    from cftui.analysis import ranking

    model = _load(session, run_name)
    who, item = model.user_code(user), model.item_code(title)
    predicted = float(model.predict(np.array([who]), np.array([item]))[0])
    actual = ranking.actual_rating(model.ratings(session.home), who, item)
    name = model.titles[item]
    if session.json:
        raw = model.users.classes[who]
        print_json({**model.facts(), "user": raw, "title": name, "predicted": predicted, "rating": actual})
    else:
        given = f" (and gave {actual:g})" if actual is not None else ""
        print(f"user {user} would give {name} {predicted:.2f}{given}")


@click.command(cls=Verb)
@click.option("--user", required=True, help="User id.")
@run_option
@rows_option(10)
@MINIMUM
@pass_session
def recommend(session: Session, user: str, run_name: str, rows: int, min_ratings: int) -> None:
    """What a user has not rated and would like best."""
    from cftui.analysis import ranking

    model = _load(session, run_name)
    who = model.user_code(user)
    table = ranking.recommend(model, who, model.ratings(session.home), rows, min_ratings=min_ratings)
    table = table[["predicted", "ratings", "title", "code"]]
    _show(session, model, table, {"predicted": ".2f"}, user=model.users.classes[who])


@click.command(cls=Verb)
@RUN
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write every item there ('-': stdout).")
@click.option("--near", is_flag=True, help="The items close to an axis instead of the farthest.")
@click.option("--tolerance", type=click.FloatRange(min=0), default=0.0002, show_default=True, help="For --near.")
@rows_option(5, "How many per quadrant.")
@MINIMUM
@pass_session
def pca(
    session: Session,
    run_name: str,
    csv_file: Path | None,
    near: bool,
    tolerance: float,
    rows: int,
    min_ratings: int,
) -> None:
    """Two principal components of the item factors: who stands farthest in each quadrant.

    The CSV has the chapter's columns 0 and 1 (coordinates), 2 (distance from the origin), 3 (quadrant), and the title.
    """
    from cftui.analysis import components

    model = _load(session, run_name)
    table, found = components.item_map(model)
    kept = table[table["ratings"] >= min_ratings]
    if csv_file is not None:
        out = kept.drop(columns="code")[["0", "1", "2", "3", "title", "ratings"]]
        if str(csv_file) == "-":
            out.to_csv(sys.stdout, index=False)
            return
        from cftui.files import write_atomic

        write_atomic(csv_file, out.to_csv(index=False))
        narrate(f"wrote {len(out):,} {model.nouns} to {csv_file}")
        return
    shown = components.near_axes(kept, tolerance) if near else components.farthest(kept, rows)
    share = [round(float(v), 6) for v in found.variance]
    if not session.json:
        narrate(f"PC1 {share[0]:.1%} of the variance, PC2 {share[1]:.1%}")
    columns = ["3", "2", "0", "1", "ratings", "title", "code"]
    number = ".6f"
    _show(session, model, shown[columns], {"0": number, "1": number, "2": number}, variance=share)


VERBS = (evaluate, results, bias, similar, predict, recommend, pca)

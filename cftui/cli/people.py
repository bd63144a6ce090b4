"""The verbs about somebody: what would he give, and why; what would he like; who is he; and a user of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import narrate, print_facts, print_json, print_table, printable, records
from cftui.cli.reading import CSV, USER, filter_options, load, load_for, only, show, write_csv
from cftui.cli.verb import Session, Verb, pass_session, rows_option, run_option

if TYPE_CHECKING:
    import pandas as pd

    from cftui.analysis.explain.explaining import Explanation
    from cftui.analysis.trained import TrainedModel
    from cftui.analysis.users.people import Person


BY = click.option(
    "--by",
    type=click.Choice(["mean", "lower", "upper"]),
    default="mean",
    show_default=True,
    help="Of a bayes run: rank by the mean, by what it is at least (safe) or at most (adventurous), at 90 %.",
)
# Columns of recommendations that are numbers, and how they are shown.
FORMATS = {"predicted": ".2f", "low": ".2f", "high": ".2f", "uncertainty": ".2f"}


@click.command(cls=Verb)
@click.argument("title")
@USER
@run_option
@click.option("--explain", "why", is_flag=True, help="Say why, in terms that sum to the prediction.")
@click.option("-n", "--rows", type=click.IntRange(4), default=12, show_default=True, help="How many terms.")
@pass_session
def predict(session: Session, title: str, user: str, run_name: str, why: bool, rows: int) -> None:
    """What a user would give TITLE; of a bayes run with the interval that holds nine of ten such ratings."""
    import numpy as np

    from cftui.analysis.evaluation.intervals import has_intervals, intervals

    model, _, who = load_for(session, run_name, user)
    item = model.item_code(title)
    predicted, given = float(model.rate(who.row, np.array([item]))[0]), who.rating(item)
    answer = {"user": who.raw, "title": model.titles[item], "predicted": predicted, "rating": given}
    sure = ""
    if has_intervals(model):
        found = intervals(model, who.row, np.array([item]))
        low, high, sd = float(found.low[0]), float(found.high[0]), float(found.sd[0])
        answer |= {"sd": sd, "low": low, "high": high, "uncertainty": float(found.uncertainty[0])}
        sure = f", sd {sd:.2f}; nine of ten such ratings lie in {low:.2f} to {high:.2f}"
    if session.json:
        print_json({**model.facts(), **answer, **(_explained(model, who, item) if why else {})})
        return
    gave = f" (and gave {given:g})" if given is not None else ""
    print(printable(f"user {who.name} would give {model.titles[item]} {predicted:.2f}{sure}{gave}"))
    if why:
        _print_why(model, who, item, rows)


def _explained(model: TrainedModel, who: Person, item: int) -> dict[str, Any]:
    from cftui.analysis.explain.explaining import explain

    found = explain(model, who.row, item, who=who).as_json()
    return {
        "method": found["method"],
        "terms": [{"term": term["name"], "raw": term["raw"], "stars": term["stars"]} for term in found["terms"]],
        "raw": found["raw"],
        "link": found["link"],
        "completeness_error": found["error"],
        "pulls": records(_pulls(model, who, item).drop(columns="code")),
    }


def _pulls(model: TrainedModel, who: Person, item: int) -> pd.DataFrame:
    from cftui.analysis.users.people import pulls

    return pulls(model, who, item)


def _print_why(model: TrainedModel, who: Person, item: int, rows: int) -> None:
    from cftui.analysis.explain.explaining import explain

    found: Explanation = explain(model, who.row, item, who=who)
    shown = found.grouped(rows)
    print(f"\n{found.method}\n")
    table = [{"term": term.name, "raw": term.raw, "stars": term.stars} for term in shown]
    if found.raw is None:
        for row in table:
            row.pop("raw")
    print_table(table, {"raw": "+.4f", "stars": "+.4f"})
    steps = "" if found.raw is None else f"sum {found.raw:+.4f}, then {found.link}: "
    print(f"\n{steps}{found.prediction:.4f}  (completeness error {found.error:+.1e})")
    pulled = _pulls(model, who, item).head(5)
    if len(pulled):
        print("\nthe ratings that move it most (leave-one-out on the folded-in user)\n")
        show(Session(), model, pulled[["pull", "rating", "title", "code"]], {"pull": "+.3f", "rating": "g"})


@click.command(cls=Verb)
@USER
@run_option
@rows_option(10)
@filter_options
@BY
@CSV
@pass_session
def recommend(
    session: Session,
    user: str,
    run_name: str,
    rows: int,
    min_ratings: int,
    genre: str,
    by: Any,
    csv_file: Path | None,
) -> None:
    """What a user has not rated and would like best; of a bayes run with 90 % intervals."""
    from cftui.analysis import ranking

    model, _, who = load_for(session, run_name, user)
    n = len(model.items) if csv_file is not None else rows
    table = _shown(ranking.recommend(model, who, n, only=only(model, min_ratings, genre), by=by))
    if csv_file is not None:
        write_csv(csv_file, table, model.nouns)
    else:
        show(session, model, table, FORMATS, user=who.raw)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    return table[[name for name in (*FORMATS, "ratings", "title", "code") if name in table]]


@click.command(cls=Verb)
@click.argument("query", nargs=-1)
@run_option
@rows_option(20)
@pass_session
def users(session: Session, query: tuple[str, ...], run_name: str, rows: int) -> None:
    """Users by id, age (25 or 20-29), gender, occupation; every word must fit. And the saved profiles."""
    from cftui.analysis.users import people, profiles

    model = load(session, run_name)
    ratings = model.ratings(session.home)
    codes = people.search_users(ratings, " ".join(query))
    known = [people.facts(ratings, code) for code in codes[:rows]]
    # Not everything is known of everybody; a table has the same columns in every row.
    columns = dict.fromkeys(name for facts in known for name in facts)
    table = [
        {
            "user": ratings.users.classes[code],
            **{name: facts.get(name) for name in columns},
            "ratings": int(ratings.user_table["ratings"].iloc[code]),
        }
        for code, facts in zip(codes, known, strict=False)
    ]
    saved = profiles.names(session.home)
    if session.json:
        print_json({**model.facts(), "found": len(codes), "rows": table, "profiles": saved})
        return
    print_table(table)
    narrate(f"{len(codes):,} found" + (f"; saved profiles: {', '.join(saved)}" if saved else ""))


@click.command(cls=Verb)
@click.argument("user")
@run_option
@rows_option(10)
@pass_session
def user(session: Session, user: str, run_name: str, rows: int) -> None:
    """Who USER is: what he rated, how highly, and his taste by genre."""
    from cftui.analysis.users import people

    model, ratings, who = load_for(session, run_name, user)
    _print_person(session, model, who, rows, people.facts(ratings, model.users.code(user) or 0))


def _print_person(session: Session, model: TrainedModel, who: Person, rows: int, facts: dict[str, str]) -> None:
    from cftui.analysis.users import people

    rated, taste = people.rated(model, who), people.taste(model, who)
    mean = float(who.given.mean()) if len(who.given) else None
    if session.json:
        print_json(
            {
                **model.facts(),
                "user": who.raw,
                **facts,
                "ratings": len(who.items),
                "mean": mean,
                "taste": records(taste),
                "rated": records(rated.drop(columns="code")),
            }
        )
        return
    print_facts({"user": who.name, **facts, "ratings": len(who.items), "mean": "" if mean is None else f"{mean:.2f}"})
    print()
    print_table(records(taste), {"mean": ".2f", "beside": "+.2f"})
    print()
    show(session, model, rated.head(rows)[["rating", "predicted", "ratings", "title"]], {"predicted": ".2f"})


@click.command(cls=Verb)
@click.argument("file", type=click.Path(path_type=Path))
@run_option
@rows_option(10)
@filter_options
@BY
@click.option("--save", "name", default="", help="Keep it as a profile of that name, for --user.")
@pass_session
def foldin(
    session: Session, file: Path, run_name: str, rows: int, min_ratings: int, genre: str, by: Any, name: str
) -> None:
    """Become a user: recommendations from a CSV of title,rating, without training again."""
    from cftui.analysis import ranking
    from cftui.analysis.users import people, profiles

    model = load(session, run_name)
    rated = profiles.read_rated(file, model)
    who = people.folded(model, name or file.stem, rated.items, rated.given)
    if rated.unknown:
        few = ", ".join(rated.unknown[:3]) + (", ..." if len(rated.unknown) > 3 else "")
        narrate(f"passed over, no {model.noun} of {model.data_name} or several: {few} ({len(rated.unknown)})")
    table = ranking.recommend(model, who, rows, only=only(model, min_ratings, genre), by=by)
    if name:  # last, so that nothing is kept of a command that fails
        narrate(f"kept as {profiles.save(session.home, name, model, rated.items, rated.given)}")
    facts = {"user": who.name, "rated": len(rated.items), "passed_over": list(rated.unknown)}
    show(session, model, _shown(table), FORMATS, **facts)


VERBS = (predict, recommend, users, user, foldin)

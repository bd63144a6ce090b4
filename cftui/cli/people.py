"""The verbs about one user: predictions and their explanation, recommendations, facts, and folding in a new user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cftui.cli.output import narrate, print_facts, print_json, print_table, records
from cftui.cli.reading import CSV, USER, filter_options, load, load_for, only, show, write_csv
from cftui.cli.verb import Session, Verb, pass_session, rows_option, run_option
from cftui.text import number, plural, printable, spec

if TYPE_CHECKING:
    import pandas as pd

    from cftui.analysis.explain.explaining import Explanation
    from cftui.analysis.pair import Reason
    from cftui.analysis.trained import TrainedModel
    from cftui.analysis.users.people import Person
    from cftui.data.ratings import Ratings


BY = click.option(
    "--by",
    type=click.Choice(["mean", "lower", "upper"]),
    default="mean",
    show_default=True,
    help="For a bayes run: rank by the mean of the prediction, or by the lower (cautious) or upper (adventurous) end "
    "of its 90 % interval.",
)
RATED_BY = click.option(
    "--rated-by",
    "rater_name",
    metavar="RUN",
    help="Also show what USER would rate each item, by this run. It must be of the same data set, split and seed.",
)
ORDER = click.option(
    "--order",
    type=click.Choice(["choice", "rating", "both"]),
    default="choice",
    show_default=True,
    help="With --rated-by: the likeliest choices first, the highest ratings first, or likely choices that would be "
    "liked.",
)
# The format of each numeric column of recommendations.
FORMATS = {
    "place": ",",
    "score": ".3f",
    "predicted": ".2f",
    "low": ".2f",
    "high": ".2f",
    "uncertainty": ".2f",
    "liked": ".0%",
}


@click.command(cls=Verb)
@click.argument("title")
@USER
@run_option
@click.option("--explain", "why", is_flag=True, help="Explain the prediction: in words, then by terms that sum to it.")
@click.option("-n", "--rows", type=click.IntRange(4), default=12, show_default=True, help="Number of terms.")
@pass_session
def predict(session: Session, title: str, user: str, run_name: str, why: bool, rows: int) -> None:
    """Predict the rating of a user for TITLE. A bayes run adds the 90 % interval of the rating."""
    import numpy as np

    from cftui.analysis.evaluation.intervals import has_intervals, intervals

    model, ratings, who = load_for(session, run_name, user)
    item = model.item_code(title)
    predicted, given = float(model.rate(who.row, np.array([item]))[0]), who.rating(item)
    answer = {"user": who.raw, "title": model.titles[item], "predicted": predicted, "rating": given}
    # By the scale: near the 0 of a scale up to 5, more digits say nothing.
    form, sure = spec(model.rating_range, 2), ""
    if has_intervals(model):
        interval = intervals(model, who.row, np.array([item]))
        low, high, sd = float(interval.low[0]), float(interval.high[0]), float(interval.sd[0])
        answer |= {"sd": sd, "low": low, "high": high, "uncertainty": float(interval.uncertainty[0])}
        sure = f", sd {sd:{form}}; nine of ten such ratings lie between {low:{form}} and {high:{form}}"
    parts = _Why.of(model, ratings, who, item) if why else None
    if session.json:
        print_json({**model.facts(), **answer, **(parts.as_json() if parts else {})})
        return
    gave = f" (and gave {given:g})" if given is not None else ""
    print(printable(f"user {who.name} would give {model.titles[item]} {predicted:{form}}{sure}{gave}"))
    if parts is not None:
        _print_why(model, parts, rows)


@dataclass(frozen=True, eq=False)
class _Why:
    """A prediction explained: in words, by terms that sum to it, and by the ratings that move it most."""

    words: tuple[str, ...]
    terms: Explanation
    pulls: pd.DataFrame

    @classmethod
    def of(cls, model: TrainedModel, ratings: Ratings, who: Person, item: int) -> _Why:
        import pandas as pd

        from cftui.analysis.explain.explaining import explain
        from cftui.analysis.explain.words import in_words
        from cftui.analysis.users.people import pulls

        found = explain(model, who.row, item, who=who)
        moved = pulls(model, who, item) if model.module.folds_in else None
        words = in_words(model, ratings, who, item, found.terms, moved)
        none = pd.DataFrame({"code": [], "title": [], "rating": [], "pull": []})
        return cls(words, found, none if moved is None else moved)

    def as_json(self) -> dict[str, Any]:
        terms = self.terms.as_json()
        return {
            "words": list(self.words),
            "method": terms["method"],
            "terms": [{"term": term["name"], "raw": term["raw"], "stars": term["stars"]} for term in terms["terms"]],
            "raw": terms["raw"],
            "link": terms["link"],
            "completeness_error": terms["error"],
            "pulls": records(self.pulls.drop(columns="code")),
        }


def _print_why(model: TrainedModel, why: _Why, rows: int) -> None:
    print()
    for sentence in why.words:
        print(printable(f"  {sentence}"))
    explanation, pulls = why.terms, why.pulls.head(5)
    print(f"\n{explanation.method}\n")
    part = "stars" if explanation.rates else "score"
    table = [{"term": term.name, "raw": term.raw, part: term.stars} for term in explanation.grouped(rows)]
    if explanation.raw is None:
        for row in table:
            row.pop("raw")
    print_table(table, {"raw": "+.4f", part: "+.4f"})
    steps = "" if explanation.raw is None else f"sum {number(explanation.raw, 4, '+')}, then {explanation.link}: "
    predicted = format(explanation.prediction, spec(model.rating_range, 4))
    print(f"\n{steps}{predicted}  (completeness error {explanation.error:+.1e})")
    if len(pulls):
        print("\nthe ratings that change the prediction most (leave-one-out on the folded-in user)\n")
        show(Session(), model, pulls[["pull", "rating", "title", "code"]], {"pull": "+.3f", "rating": "g"})


@click.command(cls=Verb)
@click.option("--user", help="User id, or the name of a saved profile.")
@click.option(
    "--users",
    metavar="all|FILE",
    help="Recommend to all users, or to those whose ids FILE lists, one a line; needs --to.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    help="With --users: write the lists to this .csv, .parquet or .jsonl file. A stopped run goes on if repeated.",
)
@click.option(
    "--among",
    type=click.Path(path_type=Path),
    help="With --users: recommend only the items that this file lists, one id or title a line.",
)
@click.option(
    "--without",
    type=click.Path(path_type=Path),
    help="With --users: leave out the items that this file lists, one id or title a line.",
)
@click.option("--seen", is_flag=True, help="With --users: recommend also what a user has rated already.")
@run_option
@rows_option(10)
@filter_options
@BY
@RATED_BY
@ORDER
@CSV
@pass_session
def recommend(
    session: Session,
    user: str | None,
    users: str | None,
    target: Path | None,
    among: Path | None,
    without: Path | None,
    seen: bool,
    run_name: str,
    rows: int,
    min_ratings: int,
    genre: str,
    by: Any,
    rater_name: str | None,
    order: Any,
    csv_file: Path | None,
) -> None:
    """Recommend items to a user.

    These are the items with the highest predictions among those that the user has not rated. A bayes run adds 90 %
    intervals. The recipes ease and ials rank by what the user is likeliest to choose; their scores are not ratings.
    With --rated-by another run adds what the user would rate each item.

    \b
    cftui recommend --user 196
    cftui recommend --user 196 --run EASE --rated-by BAYES
    cftui recommend --users all -n 100 --to lists.parquet
    """
    from cftui.analysis import pair, ranking

    if (user is None) == (users is None):
        raise click.UsageError("give --user ID for one list, or --users all with --to FILE for many")
    if users is not None:
        if target is None:
            raise click.UsageError("--users writes to a file: give --to FILE.csv, .parquet or .jsonl")
        if rater_name is not None or by != "mean" or order != "choice" or csv_file is not None:
            raise click.UsageError("--users ranks by one run: leave out --rated-by, --order, --by and --csv")
        from cftui.cli.everybody import recommend_to_file

        model = load(session, run_name)
        allowed = only(model, min_ratings, genre).allows(model)
        ratings = model.ratings(session.home)
        choice: dict[str, Any] = {"among": among, "without": without, "seen": seen, "target": target}
        recommend_to_file(session, model, ratings, users, rows, allowed, **choice)
        return
    if target is not None or among is not None or without is not None or seen:
        raise click.UsageError("--to, --among, --without and --seen are for --users")
    assert user is not None
    model, ratings, who = load_for(session, run_name, user)
    n = len(model.items) if csv_file is not None else rows
    which = only(model, min_ratings, genre)
    facts: dict[str, Any] = {"user": who.raw}
    if rater_name is None:
        if order != "choice":
            raise click.UsageError("--order needs a second run: give --rated-by RUN")
        table = ranking.recommend(model, who, n, only=which, by=by)
    else:
        if by != "mean":
            raise click.UsageError("--by ranks by one run; with --rated-by give --order")
        both = pair.Pair.of(model, load(session, rater_name), ratings)
        table = both.recommend(both.person(ratings, session.home, user), n, only=which, order=order)
        facts |= {"rated_by": both.rater.name, "order": order, "liked_from": both.liked}
    if not model.rates and csv_file is None:
        found = pair.reasons(model, who, table["code"].to_numpy(copy=True))
        table["because"] = [_because(one, session.json) for one in found]
    table = _shown(table)
    if csv_file is not None:
        write_csv(csv_file, table, model.nouns)
        return
    show(session, model, table, FORMATS, **facts)
    if rater_name is not None:
        narrate(f"{pair.ORDERED_BY[order]}; place: which choice it is; liked: the chance of {both.liked:g} or more")


def _because(found: list[Reason], as_json: bool) -> Any:
    if as_json:
        return [{"title": one.title, "rating": one.rating, "part": one.part} for one in found]
    return str(found[0]) if found else ""


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    return table[[name for name in (*FORMATS, "ratings", "title", "because", "code") if name in table]]


@click.command(cls=Verb)
@click.argument("query", nargs=-1)
@run_option
@rows_option(20)
@pass_session
def users(session: Session, query: tuple[str, ...], run_name: str, rows: int) -> None:
    """List the users who match QUERY, and the saved profiles.

    A user must match every word of QUERY: an id, an age (25 or 20-29), a gender or an occupation.
    """
    from cftui.analysis.users import people, profiles

    model = load(session, run_name)
    ratings = model.ratings(session.home)
    codes = people.search_users(ratings, " ".join(query))
    facts_of = [people.facts(ratings, code) for code in codes[:rows]]
    # Users may have different facts, but all rows of the table need the same columns.
    columns = dict.fromkeys(name for facts in facts_of for name in facts)
    table = [
        {
            "user": ratings.users.classes[code],
            **{name: facts.get(name) for name in columns},
            "ratings": int(ratings.user_table["ratings"].iloc[code]),
        }
        for code, facts in zip(codes, facts_of, strict=False)
    ]
    saved = profiles.names(session.home)
    if session.json:
        print_json({**model.facts(), "found": len(codes), "rows": table, "profiles": saved})
        return
    print_table(table)
    narrate(f"{plural(len(codes), 'user')} found" + (f"; saved profiles: {', '.join(saved)}" if saved else ""))


@click.command(cls=Verb)
@click.argument("user")
@run_option
@rows_option(10)
@pass_session
def user(session: Session, user: str, run_name: str, rows: int) -> None:
    """Show the ratings of USER and their taste by genre."""
    from cftui.analysis.users import people

    model, ratings, who = load_for(session, run_name, user)
    _print_person(session, model, who, rows, people.facts(ratings, model.users.code(user) or 0))


def _print_person(session: Session, model: TrainedModel, who: Person, rows: int, facts: dict[str, str]) -> None:
    from cftui.analysis.users import people

    rated, taste = people.rated(model, who), people.taste(model, who)
    mean, likes = who.mean, int((~who.rated).sum())
    facts = {**facts, **({"unrated": f"{likes:,}"} if likes else {})}
    if session.json:
        print_json(
            {
                **model.facts(),
                "user": who.raw,
                **facts,
                "ratings": len(who.items) - likes,
                "mean": mean,
                "taste": records(taste),
                "rated": records(rated.drop(columns="code")),
            }
        )
        return
    print_facts(
        {"user": who.name, **facts, "ratings": len(who.items) - likes, "mean": "" if mean is None else number(mean, 2)}
    )
    print()
    print_table(records(taste), {"mean": ".2f", "beside": "+.2f"})
    print()
    shown = [name for name in ("rating", "predicted", "ratings", "title") if name in rated]
    show(session, model, rated.head(rows)[shown], {"predicted": ".2f"})


def _scale(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, _, high = text.rpartition("-")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = 0.0, 0.0
    if not ends[0] < ends[1]:
        raise click.BadParameter(f"{text!r} is not a scale; write its ends, such as 1-10")
    return ends


@click.command(cls=Verb)
@click.argument("file", type=click.Path(path_type=Path))
@run_option
@rows_option(10)
@filter_options
@BY
@click.option(
    "--scale",
    metavar="LOW-HIGH",
    callback=_scale,
    help="The scale of the ratings in FILE, such as 1-10 [default: that of the service, or of the data set].",
)
@click.option("--save", "name", default="", help="Keep the ratings as a profile of that name, for --user.")
@pass_session
def foldin(
    session: Session,
    file: Path,
    run_name: str,
    rows: int,
    min_ratings: int,
    genre: str,
    by: Any,
    scale: tuple[float, float] | None,
    name: str,
) -> None:
    """Recommend items to a new user, without training again.

    FILE is a CSV of the user's ratings, with the columns title and rating, or an export of Letterboxd, IMDb or
    Goodreads, whose scale is brought to that of the data set. Only exact titles count, whatever their accents, case,
    article and year; the others are listed. Without a column of ratings, each title is a like, which ease and ials
    take.
    """
    from cftui.analysis import ranking
    from cftui.analysis.users import people, profiles

    model = load(session, run_name)
    rated = profiles.read_rated(file, model, scale)
    who = people.folded(model, name or file.stem, rated.items, rated.given)
    for remark in rated.remarks(model):
        narrate(remark)
    table = ranking.recommend(model, who, rows, only=only(model, min_ratings, genre), by=by)
    if name:  # last, so that a command that fails keeps nothing
        narrate(f"saved as {profiles.save(session.home, name, model, rated.items, rated.given)}")
    facts = {"user": who.name, "rated": len(rated.items), "passed_over": list(rated.unknown)}
    facts |= {"nearest": {one.title: one.nearest for one in rated.skipped}, "unrated": rated.unrated}
    show(session, model, _shown(table), FORMATS, **facts)
